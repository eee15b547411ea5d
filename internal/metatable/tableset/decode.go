package tableset

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
)

// Tombstone is the value with which Milvus marks a deleted key in tables that keep history. It reads as absent.
const Tombstone = "\xe2\x9b\xbc"

// Shape says what follows a kind in its keys: one letter for each part of the path, 'i' for a decimal int64 and 'n' for
// a name that is not empty.
type Shape string

// check tells what is wrong with a key's path behind its kind.
func (s Shape) check(path string) error {
	parts := strings.Split(path, "/")
	if len(parts) != len(s) {
		return fmt.Errorf("the key has %d parts behind its kind, not %d", len(parts), len(s))
	}
	for i, part := range parts {
		if s[i] == 'i' {
			if _, err := strconv.ParseInt(part, 10, 64); err != nil {
				return fmt.Errorf("part %d of the key, %q, is not a number", i+1, part)
			}
		} else if part == "" {
			return fmt.Errorf("part %d of the key is empty", i+1)
		}
	}
	return nil
}

// Kind is what the keys of one table begin with and how they go on.
type Kind struct {
	Prefix string // ends in "/"
	Shape  Shape
	// MayBeEmpty allows an empty value, which is a message whose fields are all zero.
	MayBeEmpty bool
}

var errEmpty = errors.New("the value is empty")

// Maker makes the table of a kind.
type Maker func(Kind) Table

// Values puts a table of what decode makes of values into *field. Keys of another shape, and values that decode refuses,
// are quarantined; tombstones are absent.
func Values[V any](field **metatable.Table[V], decode func(key string, value []byte) (V, error)) Maker {
	return func(kind Kind) Table {
		*field = metatable.NewTable(func(key string, value []byte) (_ V, keep bool, _ error) {
			var none V
			if string(value) == Tombstone {
				return none, false, nil
			}
			if err := kind.Shape.check(strings.TrimPrefix(key, kind.Prefix)); err != nil {
				return none, false, err
			}
			if len(value) == 0 && !kind.MayBeEmpty {
				return none, false, errEmpty
			}
			v, err := decode(key, value)
			return v, err == nil, err
		})
		return *field
	}
}

// Proto is *M where that is a protobuf message; the compiler infers it from M.
type Proto[M any] interface {
	*M
	proto.Message
}

// Message puts a table of protobuf messages into *field. Fields that this version does not know stay in the message.
func Message[M any, P Proto[M]](field **metatable.Table[*M]) Maker {
	return Values(field, func(_ string, value []byte) (*M, error) { return Unmarshal[M, P](value) })
}

// Unmarshal decodes one protobuf message.
func Unmarshal[M any, P Proto[M]](value []byte) (*M, error) {
	m := new(M)
	if err := proto.Unmarshal(value, P(m)); err != nil {
		return nil, fmt.Errorf("not a %s: %w", P(m).ProtoReflect().Descriptor().Name(), err)
	}
	return m, nil
}
