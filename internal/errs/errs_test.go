package errs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/stretchr/testify/require"
)

func TestToStatus(t *testing.T) {
	notReady := NotReady.With("StandBy", F("rootcoord", 5))
	for name, tc := range map[string]struct {
		err  error
		want *commonpb.Status
	}{
		"success": {nil, &commonpb.Status{}},
		"a kind with fields": {notReady, &commonpb.Status{
			Code: 1, ErrorCode: commonpb.ErrorCode_NotReadyServe, Retriable: true,
			Reason: "service not ready[rootcoord=5]: StandBy", Detail: "service not ready[rootcoord=5]: StandBy",
		}},
		"wrapped: not retriable, the leaf's text is the reason": {fmt.Errorf("load: %w", notReady), &commonpb.Status{
			Code: 1, ErrorCode: commonpb.ErrorCode_NotReadyServe,
			Reason: "service not ready[rootcoord=5]: StandBy", Detail: "load: service not ready[rootcoord=5]: StandBy",
		}},
		"foreign": {errors.New("boom"), &commonpb.Status{
			Code: 65535, ErrorCode: commonpb.ErrorCode_UnexpectedError, Reason: "boom", Detail: "boom",
		}},
		"cancelled": {fmt.Errorf("wait: %w", context.Canceled), &commonpb.Status{
			Code: 10000, ErrorCode: commonpb.ErrorCode_UnexpectedError, Reason: "context canceled", Detail: "wait: context canceled",
		}},
		"input": {Input(ParameterInvalid.Withf("no %s", "dim")), &commonpb.Status{
			Code: 1100, ErrorCode: commonpb.ErrorCode_IllegalArgument, Reason: "invalid parameter: no dim", Detail: "invalid parameter: no dim",
			ExtraInfo: map[string]string{"is_input_error": "true"},
		}},
		"legacy": {Legacy(errors.New("role exists"), commonpb.ErrorCode_CreateRoleFailure), &commonpb.Status{
			Code: 65535, ErrorCode: commonpb.ErrorCode_CreateRoleFailure, Reason: "role exists",
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want.String(), ToStatus(tc.err).String()) })
	}
}

func TestThereAndBack(t *testing.T) {
	require.NoError(t, FromStatus(Success()))
	err := FromStatus(ToStatus(CollectionNotFound.With("", F("collection", "c"))))
	require.ErrorIs(t, err, CollectionNotFound)
	require.ErrorContains(t, err, "collection not found[collection=c]")
	var remote *RemoteError
	require.ErrorAs(t, FromStatus(ToStatus(NotReady.With("x"))), &remote)
	require.True(t, remote.Retriable())
	old := FromStatus(&commonpb.Status{ErrorCode: commonpb.ErrorCode_NotReadyServe, Reason: "StandBy"})
	require.ErrorIs(t, old, NotReady, "Milvus 2.2 knows the old code only")
	require.Equal(t, int32(4711), KindOf(FromStatus(&commonpb.Status{Code: 4711})).Code())
}

func TestKindsAreDistinct(t *testing.T) {
	require.Equal(t, Unexpected, KindOf(errors.New("x")))
	require.Nil(t, KindOf(nil))
	require.Equal(t, DeadlineExceeded, KindOf(context.DeadlineExceeded))
	require.NotErrorIs(t, DatabaseNotFound.With(""), CollectionNotFound)
	require.False(t, Retriable(fmt.Errorf("w: %w", NotReady)))
}

func TestVerdicts(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("taken"):                                   true,
		Legacy(errors.New("taken"), 35):                       true,
		Input(errors.New("no name")):                          true,
		fmt.Errorf("put: %w", errors.New("no answer")):        false,
		Legacy(fmt.Errorf("put: %w", context.Canceled), 35):   false,
		errors.Join(errors.New("a"), errors.New("no answer")): false,
	} {
		require.Equal(t, want, Verdict(err), "%v", err)
	}
	require.False(t, Verdict(nil))
}
