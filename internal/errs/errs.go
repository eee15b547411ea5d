package errs

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind is one row of Milvus' error table. Kinds are compared by identity: errors.Is(err, errs.CollectionNotFound).
type Kind struct {
	code      int32
	text      string
	retriable bool
}

// Code is the number that Milvus clients test.
func (k *Kind) Code() int32 { return k.code }

// Retriable tells whether a client may send the same call again.
func (k *Kind) Retriable() bool { return k.retriable }

// Error is the base text.
func (k *Kind) Error() string { return k.text }

// Field is a name and a value that Milvus prints in brackets behind the base text.
type Field struct {
	Name  string
	Value any
}

// F makes a Field.
func F(name string, value any) Field { return Field{Name: name, Value: value} }

// With makes an error of this kind: the base text, the fields in brackets, and, after a colon, the detail (none if empty).
func (k *Kind) With(detail string, fields ...Field) error {
	var b strings.Builder
	b.WriteString(k.text)
	for _, f := range fields {
		fmt.Fprintf(&b, "[%s=%v]", f.Name, f.Value)
	}
	if detail != "" {
		b.WriteString(": ")
		b.WriteString(detail)
	}
	return &kindError{kind: k, text: b.String()}
}

// Withf is With with a formatted detail and no fields. A %w in the format is not followed: the kind is the cause.
func (k *Kind) Withf(format string, args ...any) error {
	return k.With(fmt.Sprintf(format, args...))
}

type kindError struct {
	kind *Kind
	text string
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// KindOf names the kind of err: the one it was made of, Canceled or DeadlineExceeded for the context's errors, and
// Unexpected for everything foreign. It returns nil for a nil error.
func KindOf(err error) *Kind {
	if err == nil {
		return nil
	}
	var k *Kind
	switch {
	case errors.As(err, &k):
		return k
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Unexpected
}

// Retriable tells whether err may be answered with "try again": its kind says so and nobody wrapped it (Milvus' rule).
func Retriable(err error) bool {
	switch e := err.(type) { //nolint:errorlint // Milvus' rule is about the outermost error, on purpose
	case *kindError:
		return e.kind.retriable
	case *Kind:
		return e.retriable
	}
	return false
}

// The kinds that the coordinators use. Numbers and texts are Milvus 2.5's.
var (
	NotReady             = &Kind{1, "service not ready", true}
	Unavailable          = &Kind{2, "service unavailable", true}
	RequestLimitExceeded = &Kind{4, "request limit exceeded", true}
	Internal             = &Kind{5, "service internal error", false}
	CrossClusterRouting  = &Kind{6, "cross cluster routing", false}
	Unimplemented        = &Kind{10, "service unimplemented", false}

	CollectionNotFound      = &Kind{100, "collection not found", false}
	CollectionNumLimit      = &Kind{102, "exceeded the limit number of collections", false}
	CollectionIllegalSchema = &Kind{105, "illegal collection schema", false}
	PartitionNotFound       = &Kind{200, "partition not found", false}
	GeneralCapacityExceeded = &Kind{250, "general capacity exceeded", false}
	ChannelNotFound         = &Kind{500, "channel not found", false}

	DatabaseNotFound      = &Kind{800, "database not found", false}
	DatabaseNumLimit      = &Kind{801, "exceeded the limit number of database", false}
	DatabaseNameInvalid   = &Kind{802, "invalid database name", false}
	NodeNotFound          = &Kind{901, "node not found", false}
	NodeNotMatch          = &Kind{904, "node not match", false}
	IoKeyNotFound         = &Kind{1000, "key not found", false}
	ParameterInvalid      = &Kind{1100, "invalid parameter", false}
	ParameterMissing      = &Kind{1101, "missing parameter", false}
	MetricNotFound        = &Kind{1200, "metric not found", false}
	MqInternal            = &Kind{1302, "message queue internal error", false}
	PrivilegeNotPermitted = &Kind{1401, "privilege not permitted", false}
	AliasNotFound         = &Kind{1600, "alias not found", false}
	AliasCollectionClash  = &Kind{1601, "alias and collection name conflict", false}
	AliasAlreadyExists    = &Kind{1602, "alias already exist", false}
	AliasDangling         = &Kind{1603, "collection id of alias not found", false}

	Canceled         = &Kind{10000, "context canceled", false}
	DeadlineExceeded = &Kind{10001, "context deadline exceeded", false}
	Unexpected       = &Kind{65535, "unexpected error", false}
)
