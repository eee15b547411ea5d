package log

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var testTime = time.Date(2022, 9, 21, 11, 58, 33, 855_000_000, time.FixedZone("", 8*3600))

// encodeLine is a line with the header [2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7].
func encodeLine(t testing.TB, message string, with []zapcore.Field, fields ...zapcore.Field) string {
	t.Helper()
	encoder := NewTextEncoder().Clone()
	for _, field := range with {
		field.AddTo(encoder)
	}
	line, err := encoder.EncodeEntry(zapcore.Entry{
		Time:    testTime,
		Message: message,
		Caller:  zapcore.NewEntryCaller(0, "/src/x/a/b.go", 7, true),
	}, fields)
	require.NoError(t, err)
	defer line.Free()
	return line.String()
}

func TestTheDocumentedLine(t *testing.T) {
	line, err := NewTextEncoder().EncodeEntry(zapcore.Entry{
		Time:    testTime,
		Level:   zapcore.DebugLevel,
		Message: "watch the ACTIVE key",
		Caller:  zapcore.NewEntryCaller(0, "/src/internal/sessionutil/session_util.go", 677, true),
	}, []zapcore.Field{zap.String("DELETE", `key:"by-dev/meta/session/rootcoord" mod_revision:167 `)})
	require.NoError(t, err)
	require.Equal(t, `[2022/09/21 11:58:33.855 +08:00] [DEBUG] [sessionutil/session_util.go:677] ["watch the ACTIVE key"] `+
		`[DELETE="key:\"by-dev/meta/session/rootcoord\" mod_revision:167 "]`+"\n", line.String())
}

type point struct{ X, Y int }

func (p point) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddInt("x", p.X)
	enc.AddString("text", "a\n\"b\"")
	enc.AddDuration("took", 1500*time.Millisecond)
	return nil
}

type badObject struct{}

func (badObject) MarshalLogObject(zapcore.ObjectEncoder) error { return errors.New("no way") }

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type richError struct{ verbose string }

func (richError) Error() string { return "short" }

func (e richError) Format(state fmt.State, verb rune) {
	if state.Flag('+') {
		_, _ = fmt.Fprint(state, e.verbose)
		return
	}
	_, _ = fmt.Fprint(state, "short")
}

type groupError struct{}

func (groupError) Error() string   { return "a; b" }
func (groupError) Errors() []error { return []error{errors.New("a"), errors.New("b")} }

type panickingError struct{}

func (panickingError) Error() string { panic("boom") }

type named string

func (n named) String() string { return "name " + string(n) }

func TestFields(t *testing.T) {
	tests := []struct {
		name  string
		field zapcore.Field
		want  string
	}{
		{"bare", zap.String("k", "v/w:1,2.3-é"), `[k=v/w:1,2.3-é]`},
		{"empty", zap.String("k", ""), `[k=]`},
		{"space", zap.String("k", "a b"), `[k="a b"]`},
		{"brackets", zap.String("k[]", "[x]"), `["k[]"="[x]"]`},
		{"equals", zap.String("a=b", "c=d"), `["a=b"="c=d"]`},
		{"quote and backslash", zap.String("k", `"\`), `[k="\"\\"]`},
		{"escapes", zap.String("k", "\n\r\t\x00\x1b\x7f"), `[k="\n\r\t\u0000\u001b` + "\x7f" + `"]`},
		{"bad UTF-8 alone", zap.String("k", "a\xffb"), `[k=a\ufffdb]`},
		{"bad UTF-8 quoted", zap.String("k", "a \xe2\x82"), `[k="a \ufffd\ufffd"]`},
		{"a real U+FFFD", zap.String("k", "\ufffd"), "[k=\ufffd]"},
		{"bytes", zap.ByteString("k", []byte("a b\xff")), `[k="a b\ufffd"]`},
		{"binary", zap.Binary("k", []byte{0xff, 0xfe}), `[k="//4="]`},
		{"bool", zap.Bool("k", true), `[k=true]`},
		{"int", zap.Int64("k", math.MinInt64), `[k=-9223372036854775808]`},
		{"uint", zap.Uint64("k", math.MaxUint64), `[k=18446744073709551615]`},
		{"int8", zap.Int8("k", -8), `[k=-8]`},
		{"int16", zap.Int16("k", -16), `[k=-16]`},
		{"int32", zap.Int32("k", -32), `[k=-32]`},
		{"uint8", zap.Uint8("k", 8), `[k=8]`},
		{"uint16", zap.Uint16("k", 16), `[k=16]`},
		{"uint32", zap.Uint32("k", 32), `[k=32]`},
		{"uint plain", zap.Uint("k", 1), `[k=1]`},
		{"complex64", zap.Complex64("k", 0.1+2i), `[k=0.1+2i]`},
		{"uintptr", zap.Uintptr("k", 7), `[k=7]`},
		{"float", zap.Float64("k", 0.1), `[k=0.1]`},
		{"float32", zap.Float32("k", 0.1), `[k=0.1]`},
		{"NaN", zap.Float64("k", math.NaN()), `[k=NaN]`},
		{"Inf", zap.Float64("k", math.Inf(-1)), `[k=-Inf]`},
		{"complex", zap.Complex128("k", 1-2i), `[k=1-2i]`},
		{"duration", zap.Duration("k", 1500*time.Millisecond), `[k=1.5s]`},
		{"time", zap.Time("k", testTime), `[k="2022/09/21 11:58:33.855 +08:00"]`},
		{"object", zap.Object("k", point{X: 1}), `[k="{\"x\":1,\"text\":\"a\\n\\\"b\\\"\",\"took\":\"1.5s\"}"]`},
		{"failing object", zap.Object("k", badObject{}), `[kError="no way"]`},
		{"array", zap.Ints("k", []int{1, 2}), `[k="[1,2]"]`},
		{"empty array", zap.Strings("k", nil), `[k="[]"]`},
		{"array of objects", zap.Objects("k", []point{{}}), `[k="[{\"x\":0,\"text\":\"a\\n\\\"b\\\"\",\"took\":\"1.5s\"}]"]`},
		{"failing array", zap.Objects("k", []badObject{{}}), `[kError="no way"]`},
		{"inline", zap.Inline(point{X: 3}), `[x=3] [text="a\n\"b\""] [took=1.5s]`},
		{"reflected", zap.Any("k", struct{ A string }{"<b>"}), `[k="{\"A\":\"<b>\"}"]`},
		{"reflected number", zap.Reflect("k", uint8(3)), `[k=3]`},
		{"reflected nil", zap.Reflect("k", nil), `[k=null]`},
		{"reflected channel", zap.Any("k", make(chan int)), `[kError="json: unsupported type: chan int"]`},
		{"stringer", zap.Stringer("k", named("x")), `[k="name x"]`},
		{"nil stringer", zap.Stringer("k", (*time.Location)(nil)), `[k=UTC]`},
		{"error", zap.Error(errors.New("no route")), `[error="no route"]`},
		{"wrapped error", zap.Error(fmt.Errorf("load: %w", errors.New("x"))), `[error="load: x"]`},
		{"joined errors", zap.Error(errors.Join(errors.New("a"), errors.New("b"))), `[error="a\nb"]`},
		{"rich error", zap.Error(richError{"short\nlong"}), `[error=short] [errorVerbose="short\nlong"]`},
		{"rich error, same text", zap.NamedError("cause", richError{"short"}), `[cause=short]`},
		{"error group", zap.Error(groupError{}), `[error="a; b"]`},
		{"nil pointer error", zap.Error((*nilError)(nil)), `[error=<nil>]`},
		{"panicking error", zap.Error(panickingError{}), `[error="PANIC=boom"]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := encodeLine(t, "m", nil, test.field)
			require.Equal(t, "[2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7] [m] "+test.want+"\n", line)
			_, err := parseLine(line)
			require.NoError(t, err)
		})
	}
}

func TestNilErrorIsNoField(t *testing.T) {
	require.Equal(t, "[2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7] [m]\n", encodeLine(t, "m", nil, zap.Error(nil)))
}

func TestEmptyMessageHasNoBracket(t *testing.T) {
	require.Equal(t, "[2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7] [a=1]\n", encodeLine(t, "", nil, zap.Int("a", 1)))
}

func TestWithFieldsAndNamespace(t *testing.T) {
	with := []zapcore.Field{zap.String("role", "root coord"), zap.Namespace("n s"), zap.Int("x", 1)}
	line := encodeLine(t, "m", with, zap.Int("y", 2), zap.Namespace("q"), zap.Error(errors.New("z")))
	require.Equal(t, `[2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7] [m] [role="root coord"] ["n s.x"=1] ["n s.y"=2] `+
		`["n s.q.error"=z]`+"\n", line)
}

func TestCloneIsIndependent(t *testing.T) {
	base := NewTextEncoder()
	base.AddInt("base", 1)
	one, two := base.Clone(), base.Clone()
	one.AddInt("one", 1)
	two.AddInt("two", 2)
	for encoder, want := range map[zapcore.Encoder]string{base: "", one: " [one=1]", two: " [two=2]"} {
		line, err := encoder.EncodeEntry(zapcore.Entry{Time: testTime}, nil)
		require.NoError(t, err)
		require.Equal(t, "[2022/09/21 11:58:33.855 +08:00] [INFO] [<unknown>] [base=1]"+want+"\n", line.String())
	}
}

func TestLevelsStackAndName(t *testing.T) {
	for level, name := range map[zapcore.Level]string{
		zapcore.DebugLevel: "DEBUG", zapcore.InfoLevel: "INFO", zapcore.WarnLevel: "WARN", zapcore.ErrorLevel: "ERROR",
		zapcore.DPanicLevel: "DPANIC", zapcore.PanicLevel: "PANIC", zapcore.FatalLevel: "FATAL",
	} {
		line, err := NewTextEncoder().EncodeEntry(zapcore.Entry{
			Time: testTime, Level: level, LoggerName: "x", Message: "m", Stack: "f()\n\tg",
			Caller: zapcore.NewEntryCaller(0, "b.go", 1, true),
		}, nil)
		require.NoError(t, err)
		require.Equal(t, "[2022/09/21 11:58:33.855 +08:00] ["+name+`] [b.go:1] [m] [logger=x] [stack="f()\n\tg"]`+"\n", line.String())
	}
}

func TestParserRefusesBrokenLines(t *testing.T) {
	const head = "[2022/09/21 11:58:33.855 +08:00] [INFO] [a/b.go:7]"
	for _, tail := range []string{"", " [m]\n\n", " [a b]\n", " [a=b=c]\n", " [a] [b]\n", " [a\n", ` ["a]` + "\n", "  [m]\n"} {
		_, err := parseLine(head + tail)
		require.Error(t, err, tail)
	}
}

func TestPlainLineAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("a race build makes pools forget")
	}
	encoder := NewTextEncoder()
	entry := benchEntry()
	fields := benchFields()
	allocs := testing.AllocsPerRun(1000, func() {
		line, _ := encoder.EncodeEntry(entry, fields)
		line.Free()
	})
	require.Less(t, allocs, 1.0)
}

// FuzzLine logs anything in every position and reads it back.
func FuzzLine(f *testing.F) {
	f.Add("message", "key", "value", "with", []byte("bytes"))
	f.Add("", "", "", "", []byte{})
	f.Add("a=b", "[", "]", `"`, []byte(`\`))
	f.Add("\xff\xfe", "\n", "\x00", "\u2028", []byte("\xed\xa0\x80"))
	f.Add(`\ufffd`, "é", "\ufffd ", "\x7f", []byte("\t"))
	f.Fuzz(func(t *testing.T, message, key, value, with string, raw []byte) {
		line := encodeLine(t, message, []zapcore.Field{zap.String(with, value)},
			zap.String(key, value), zap.ByteString("raw", raw), zap.Any("any", map[string]string{key: value}),
			zap.Strings("list", []string{key, value}), zap.Error(errors.New(value)), zap.Namespace(key), zap.Int("n", 1))
		parsed, err := parseLine(line)
		require.NoError(t, err, line)
		require.Equal(t, valid(message), parsed.Message)
		require.Equal(t, "a/b.go:7", parsed.Caller)
		require.Len(t, parsed.Fields, 7)
		require.Equal(t, parsedField{valid(with), valid(value)}, parsed.Fields[0])
		require.Equal(t, parsedField{valid(key), valid(value)}, parsed.Fields[1])
		require.Equal(t, parsedField{"raw", valid(string(raw))}, parsed.Fields[2])
		require.Equal(t, parsedField{"error", valid(value)}, parsed.Fields[5])
		require.Equal(t, parsedField{valid(key + ".n"), "1"}, parsed.Fields[6])
	})
}

// valid is what a text becomes: one U+FFFD for each byte that is not UTF-8.
func valid(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		out.WriteRune(r)
		text = text[size:]
	}
	return out.String()
}

func benchEntry() zapcore.Entry {
	return zapcore.Entry{
		Time: testTime, Message: "collection created",
		Caller: zapcore.NewEntryCaller(0, "/src/internal/rootcoord/service.go", 148, true),
	}
}

func benchFields() []zapcore.Field {
	return []zapcore.Field{
		zap.String("collection", "products"), zap.Int64("id", 450000000000000001), zap.Bool("ok", true),
		zap.Duration("took", 1234*time.Microsecond), zap.ByteString("key", []byte("by-dev/meta/root coord")),
		zap.Error(bytes.ErrTooLarge),
	}
}

func BenchmarkText(b *testing.B) {
	encoder := NewTextEncoder()
	entry, fields := benchEntry(), benchFields()
	b.ReportAllocs()
	for b.Loop() {
		line, _ := encoder.EncodeEntry(entry, fields)
		line.Free()
	}
}

func BenchmarkZapJSON(b *testing.B) {
	encoder, _ := newEncoder(FormatJSON)
	entry, fields := benchEntry(), benchFields()
	b.ReportAllocs()
	for b.Loop() {
		line, _ := encoder.EncodeEntry(entry, fields)
		line.Free()
	}
}
