package log

import (
	"unicode/utf8"

	"go.uber.org/zap/buffer"
)

// How one byte is written inside a message, a key or a value.
const (
	plain   = iota // as it is
	quoting        // as it is, but the whole text needs quotes
	escaped        // with a backslash; the text needs quotes
	high           // part of a multi-byte rune: must be checked
)

var byteClass = func() (class [256]byte) {
	for b := range class {
		switch {
		case b < 0x20, b == '\\', b == '"':
			class[b] = escaped
		case b == ' ', b == '[', b == ']', b == '=':
			class[b] = quoting
		case b >= utf8.RuneSelf:
			class[b] = high
		}
	}
	return class
}()

const hexDigits = "0123456789abcdef"

// appendText writes s as the format wants it: in double quotes if it holds a space, a control byte or one of
// \ " [ ] =, and as it is otherwise. Bytes that are not UTF-8 become \ufffd; by themselves they ask for no quotes, and
// stay readable, since a backslash outside of quotes cannot come from anything else.
func appendText[T string | []byte](buf *buffer.Buffer, s T) {
	var seen [high + 1]bool
	for i := range len(s) {
		seen[byteClass[s[i]]] = true
	}
	quoted := seen[quoting] || seen[escaped]
	if quoted {
		buf.AppendByte('"')
	}
	if seen[escaped] || seen[high] {
		appendEscaped(buf, s)
	} else {
		appendRaw(buf, s)
	}
	if quoted {
		buf.AppendByte('"')
	}
}

// appendEscaped copies runs of harmless bytes and escapes what lies between them.
func appendEscaped[T string | []byte](buf *buffer.Buffer, s T) {
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		switch byteClass[b] {
		case escaped:
			appendRaw(buf, s[start:i])
			appendEscape(buf, b)
			i++
			start = i
		case high:
			// A rune has at most four bytes: converting just these keeps a []byte from being copied.
			r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			appendRaw(buf, s[start:i])
			buf.AppendString(`\ufffd`)
			i++
			start = i
		default:
			i++
		}
	}
	appendRaw(buf, s[start:])
}

func appendEscape(buf *buffer.Buffer, b byte) {
	switch b {
	case '\\', '"':
		buf.AppendByte('\\')
		buf.AppendByte(b)
	case '\n':
		buf.AppendString(`\n`)
	case '\r':
		buf.AppendString(`\r`)
	case '\t':
		buf.AppendString(`\t`)
	default:
		buf.AppendString(`\u00`)
		buf.AppendByte(hexDigits[b>>4])
		buf.AppendByte(hexDigits[b&0xf])
	}
}

// appendRaw appends without a conversion, which for a []byte would be a copy.
func appendRaw[T string | []byte](buf *buffer.Buffer, s T) {
	switch s := any(s).(type) {
	case string:
		buf.AppendString(s)
	case []byte:
		buf.AppendBytes(s)
	}
}
