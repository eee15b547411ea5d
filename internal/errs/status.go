package errs

import (
	"errors"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Input marks err as the caller's fault: its Status carries is_input_error. The text is unchanged.
func Input(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

type inputError struct{ error }

func (e *inputError) Unwrap() error { return e.error }

// Legacy gives err the old ErrorCode that RBAC calls answer with, beside its number ("SWEC" in the reference). Such a
// Status carries neither Retriable nor Detail.
func Legacy(err error, code commonpb.ErrorCode) error {
	if err == nil {
		return nil
	}
	return &legacyError{error: err, code: code}
}

type legacyError struct {
	error
	code commonpb.ErrorCode
}

func (e *legacyError) Unwrap() error { return e.error }

// Verdict tells whether err is its maker's own text, and nothing has failed beneath it: a request was judged, and not
// begun. Errors of a kind other than Unexpected say so by their kind.
func Verdict(err error) bool {
	for {
		switch e := err.(type) { //nolint:errorlint // walking the chain by hand
		case *legacyError:
			err = e.error
		case *inputError:
			err = e.error
		case interface{ Unwrap() error }, interface{ Unwrap() []error }:
			return false
		default:
			return err != nil
		}
	}
}

// Success is the Status of a call that did what it was asked. Each call returns a new message.
func Success() *commonpb.Status { return &commonpb.Status{} }

// ToStatus is the border out: err as Milvus' Status. A nil error is Success.
func ToStatus(err error) *commonpb.Status {
	if err == nil {
		return Success()
	}
	var legacy *legacyError
	if errors.As(err, &legacy) {
		return &commonpb.Status{
			ErrorCode: legacy.code,
			Code:      KindOf(err).code,
			Reason:    legacy.Error(),
		}
	}
	outer := err
	var input *inputError
	isInput := errors.As(err, &input)
	if isInput && outer == error(input) { //nolint:errorlint // only the outermost mark is taken off
		outer = input.error
	}
	kind := KindOf(err)
	s := &commonpb.Status{
		Code:      kind.code,
		ErrorCode: legacyOf(kind.code),
		Reason:    reason(outer),
		Detail:    outer.Error(),
		Retriable: Retriable(outer),
	}
	if isInput {
		s.ExtraInfo = map[string]string{"is_input_error": "true"}
	}
	return s
}

// reason is the text of the innermost error that is not a bare kind: what Milvus shows next to the leaf.
func reason(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		if _, leaf := next.(*Kind); leaf { //nolint:errorlint // walking the chain by hand
			return err.Error()
		}
		err = next
	}
}

// RemoteError is a Status that another process answered.
type RemoteError struct {
	kind      *Kind
	Status    *commonpb.Status
	retriable bool
}

// Error is what the other side said.
func (e *RemoteError) Error() string {
	if e.Status.GetDetail() != "" {
		return e.Status.GetDetail()
	}
	return fmt.Sprintf("%s (code %d)", e.Status.GetReason(), e.kind.code)
}

// Unwrap gives the kind, so that errors.Is works across the border.
func (e *RemoteError) Unwrap() error { return e.kind }

// Retriable tells whether the other side said that the call may be sent again.
func (e *RemoteError) Retriable() bool { return e.retriable }

// FromStatus is the border in: nil for success, else a *RemoteError. The number wins; a Status with the old ErrorCode
// alone is from Milvus 2.2, whose "not ready" is recognised.
func FromStatus(s *commonpb.Status) error {
	if s.GetCode() == 0 && s.GetErrorCode() == commonpb.ErrorCode_Success {
		return nil
	}
	code := s.GetCode()
	if code == 0 {
		code = Unexpected.code
		if s.GetErrorCode() == commonpb.ErrorCode_NotReadyServe {
			code = NotReady.code
		}
	}
	kind := byCode(code)
	return &RemoteError{kind: kind, Status: s, retriable: s.GetRetriable() || kind == NotReady}
}

func byCode(code int32) *Kind {
	for _, k := range []*Kind{
		NotReady, Unavailable, RequestLimitExceeded, Internal, CrossClusterRouting, Unimplemented,
		CollectionNotFound, CollectionNumLimit, CollectionIllegalSchema, PartitionNotFound, GeneralCapacityExceeded, ChannelNotFound,
		DatabaseNotFound, DatabaseNumLimit, DatabaseNameInvalid, NodeNotFound, NodeNotMatch, IoKeyNotFound,
		ParameterInvalid, ParameterMissing, MetricNotFound, MqInternal, PrivilegeNotPermitted, AliasNotFound, AliasCollectionClash, AliasAlreadyExists,
		AliasDangling, Canceled, DeadlineExceeded, Unexpected,
	} {
		if k.code == code {
			return k
		}
	}
	return &Kind{code: code, text: fmt.Sprintf("error %d", code)}
}

// legacyOf maps a number to the ErrorCode that clients older than 2.3 test.
func legacyOf(code int32) commonpb.ErrorCode {
	switch code {
	case 1:
		return commonpb.ErrorCode_NotReadyServe
	case 3:
		return commonpb.ErrorCode_InsufficientMemoryToLoad
	case 7:
		return commonpb.ErrorCode_DiskQuotaExhausted
	case 8:
		return commonpb.ErrorCode_RateLimit
	case 9:
		return commonpb.ErrorCode_ForceDeny
	case 11:
		return commonpb.ErrorCode_TimeTickLongDelay
	case 100:
		return commonpb.ErrorCode_CollectionNotExists
	case 200, 400, 501:
		return commonpb.ErrorCode_MetaFailed
	case 401, 503, 905:
		return commonpb.ErrorCode_NoReplicaAvailable
	case 600:
		return commonpb.ErrorCode_SegmentNotFound
	case 700:
		return commonpb.ErrorCode_IndexNotExist
	case 904:
		return commonpb.ErrorCode_NodeIDNotMatch
	case 1100:
		return commonpb.ErrorCode_IllegalArgument
	default:
		return commonpb.ErrorCode_UnexpectedError
	}
}
