package log

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// encoderPool and bufferPool keep a line from costing an allocation; neither carries state from one line to the next.
var (
	bufferPool  = buffer.NewPool()
	encoderPool = sync.Pool{New: func() any { return new(textEncoder) }}
	// nested writes what is inside an object or an array. It never writes an entry's own fields, all keys being empty.
	nested = zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		SkipLineEnding: true,
		EncodeTime:     zapcore.TimeEncoderOfLayout(TimeLayout),
		EncodeDuration: zapcore.StringDurationEncoder,
	})
)

// textEncoder writes the bracket format. It holds the fields of With, already encoded, each with a space in front.
// It has as many methods as zapcore.ObjectEncoder asks for.
type textEncoder struct {
	buf    *buffer.Buffer
	prefix string // of the keys that follow OpenNamespace: "a.b."
}

// NewTextEncoder is the encoder of the bracket format, for a core of one's own. It may be used by many goroutines, as
// any zapcore.Encoder that goes through a zapcore.Core.
func NewTextEncoder() zapcore.Encoder {
	return &textEncoder{buf: bufferPool.Get()}
}

// Clone copies the encoder; With builds on it.
func (e *textEncoder) Clone() zapcore.Encoder {
	clone := &textEncoder{buf: bufferPool.Get(), prefix: e.prefix}
	clone.buf.AppendBytes(e.buf.Bytes())
	return clone
}

// EncodeEntry writes a whole line. The caller frees the buffer.
func (e *textEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line := encoderPool.Get().(*textEncoder)
	line.buf, line.prefix = bufferPool.Get(), e.prefix
	buf := line.buf

	buf.AppendByte('[')
	buf.AppendTime(entry.Time, TimeLayout)
	buf.AppendString("] [")
	buf.AppendString(entry.Level.CapitalString())
	buf.AppendString("] [")
	appendCaller(buf, entry.Caller)
	buf.AppendByte(']')
	if entry.Message != "" {
		buf.AppendString(" [")
		appendText(buf, entry.Message)
		buf.AppendByte(']')
	}
	if entry.LoggerName != "" {
		buf.AppendString(" [logger=")
		appendText(buf, entry.LoggerName)
		buf.AppendByte(']')
	}
	buf.AppendBytes(e.buf.Bytes())
	for i := range fields {
		line.addField(&fields[i])
	}
	if entry.Stack != "" {
		buf.AppendString(" [stack=")
		appendText(buf, entry.Stack)
		buf.AppendByte(']')
	}
	buf.AppendByte('\n')

	line.buf, line.prefix = nil, ""
	encoderPool.Put(line)
	return buf, nil
}

// appendCaller writes dir/file.go:line: two path elements, as one finds a file by.
func appendCaller(buf *buffer.Buffer, caller zapcore.EntryCaller) {
	if !caller.Defined {
		buf.AppendString("<unknown>")
		return
	}
	start, slashes := 0, 0
	for i := len(caller.File) - 1; i >= 0; i-- {
		if caller.File[i] == '/' {
			if slashes++; slashes == 2 {
				start = i + 1
				break
			}
		}
	}
	appendText(buf, caller.File[start:])
	buf.AppendByte(':')
	buf.AppendInt(int64(caller.Line))
}

// addField is Field.AddTo, save that an error is written by our rule. zap adds a third field for an error that
// holds several; here the verbose form has to tell them.
func (e *textEncoder) addField(field *zapcore.Field) {
	if field.Type != zapcore.ErrorType {
		field.AddTo(e)
		return
	}
	err, ok := field.Interface.(error)
	if !ok {
		return
	}
	basic, verbose := errorTexts(err)
	e.AddString(field.Key, basic)
	if verbose != "" && verbose != basic {
		e.AddString(field.Key+"Verbose", verbose)
	}
}

// errorTexts asks an error for its text, and for the longer one if it has such. A nil pointer inside the interface,
// and an error that panics, must not take the process with them.
func errorTexts(err error) (basic, verbose string) {
	defer func() {
		if cause := recover(); cause != nil {
			if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
				basic = "<nil>"
				return
			}
			basic = fmt.Sprintf("PANIC=%v", cause)
		}
	}()
	basic = err.Error()
	if formatter, ok := err.(fmt.Formatter); ok {
		verbose = fmt.Sprintf("%+v", formatter)
	}
	return basic, verbose
}

// open starts a field; every Add method then writes its value and a closing bracket.
func (e *textEncoder) open(key string) {
	e.buf.AppendString(" [")
	if e.prefix == "" {
		appendText(e.buf, key)
	} else {
		appendText(e.buf, e.prefix+key)
	}
	e.buf.AppendByte('=')
}

// AddString implements zapcore.ObjectEncoder.
func (e *textEncoder) AddString(key, value string) {
	e.open(key)
	appendText(e.buf, value)
	e.buf.AppendByte(']')
}

// AddByteString implements zapcore.ObjectEncoder: the bytes are text.
func (e *textEncoder) AddByteString(key string, value []byte) {
	e.open(key)
	appendText(e.buf, value)
	e.buf.AppendByte(']')
}

// AddBinary implements zapcore.ObjectEncoder: the bytes are not text, so they are written in base64.
func (e *textEncoder) AddBinary(key string, value []byte) {
	e.AddString(key, base64.StdEncoding.EncodeToString(value))
}

// AddBool implements zapcore.ObjectEncoder.
func (e *textEncoder) AddBool(key string, value bool) {
	e.open(key)
	e.buf.AppendBool(value)
	e.buf.AppendByte(']')
}

// AddInt64 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddInt64(key string, value int64) {
	e.open(key)
	e.buf.AppendInt(value)
	e.buf.AppendByte(']')
}

// AddUint64 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUint64(key string, value uint64) {
	e.open(key)
	e.buf.AppendUint(value)
	e.buf.AppendByte(']')
}

// AddFloat64 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddFloat64(key string, value float64) { e.addFloat(key, value, 64) }

// AddFloat32 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddFloat32(key string, value float32) { e.addFloat(key, float64(value), 32) }

func (e *textEncoder) addFloat(key string, value float64, bits int) {
	e.open(key)
	switch {
	case math.IsNaN(value):
		e.buf.AppendString("NaN")
	case math.IsInf(value, 1):
		e.buf.AppendString("+Inf")
	case math.IsInf(value, -1):
		e.buf.AppendString("-Inf")
	default:
		e.buf.AppendFloat(value, bits)
	}
	e.buf.AppendByte(']')
}

// AddComplex128 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddComplex128(key string, value complex128) { e.addComplex(key, value, 128) }

// AddComplex64 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddComplex64(key string, value complex64) {
	e.addComplex(key, complex128(value), 64)
}

func (e *textEncoder) addComplex(key string, value complex128, bits int) {
	text := strconv.FormatComplex(value, 'f', -1, bits)
	e.AddString(key, text[1:len(text)-1]) // without its parentheses
}

// AddDuration implements zapcore.ObjectEncoder: 1.5s.
func (e *textEncoder) AddDuration(key string, value time.Duration) { e.AddString(key, value.String()) }

// AddTime implements zapcore.ObjectEncoder: as the line's own time.
func (e *textEncoder) AddTime(key string, value time.Time) {
	e.open(key)
	e.buf.AppendByte('"') // the layout has spaces
	e.buf.AppendTime(value, TimeLayout)
	e.buf.AppendString(`"]`)
}

// AddObject implements zapcore.ObjectEncoder: the value is JSON text. Nothing is written if the object fails; zap then
// adds the failure as a field of its own.
func (e *textEncoder) AddObject(key string, object zapcore.ObjectMarshaler) error {
	guarded := guardedObject{object: object}
	text, err := nested.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Inline(&guarded)})
	if err != nil {
		return err
	}
	defer text.Free()
	if guarded.err != nil {
		return guarded.err
	}
	e.addJSON(key, text.Bytes())
	return nil
}

// AddArray implements zapcore.ObjectEncoder: the value is JSON text.
func (e *textEncoder) AddArray(key string, array zapcore.ArrayMarshaler) error {
	guarded := guardedObject{array: array}
	text, err := nested.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Inline(&guarded)})
	if err != nil {
		return err
	}
	defer text.Free()
	if guarded.err != nil {
		return guarded.err
	}
	value := bytes.TrimPrefix(text.Bytes(), []byte(`{"":`))
	e.addJSON(key, bytes.TrimSuffix(value, []byte(`}`)))
	return nil
}

// AddReflected implements zapcore.ObjectEncoder: whatever encoding/json makes of the value.
func (e *textEncoder) AddReflected(key string, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	e.addJSON(key, bytes.TrimSuffix(text.Bytes(), []byte("\n")))
	return nil
}

func (e *textEncoder) addJSON(key string, text []byte) {
	e.open(key)
	appendText(e.buf, text)
	e.buf.AppendByte(']')
}

// OpenNamespace implements zapcore.ObjectEncoder. A line has no nesting: the name goes in front of the keys.
func (e *textEncoder) OpenNamespace(key string) { e.prefix += key + "." }

// AddInt implements zapcore.ObjectEncoder.
func (e *textEncoder) AddInt(key string, value int) { e.AddInt64(key, int64(value)) }

// AddInt32 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddInt32(key string, value int32) { e.AddInt64(key, int64(value)) }

// AddInt16 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddInt16(key string, value int16) { e.AddInt64(key, int64(value)) }

// AddInt8 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddInt8(key string, value int8) { e.AddInt64(key, int64(value)) }

// AddUint implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUint(key string, value uint) { e.AddUint64(key, uint64(value)) }

// AddUint32 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUint32(key string, value uint32) { e.AddUint64(key, uint64(value)) }

// AddUint16 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUint16(key string, value uint16) { e.AddUint64(key, uint64(value)) }

// AddUint8 implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUint8(key string, value uint8) { e.AddUint64(key, uint64(value)) }

// AddUintptr implements zapcore.ObjectEncoder.
func (e *textEncoder) AddUintptr(key string, value uintptr) { e.AddUint64(key, uint64(value)) }

// guardedObject keeps the error of the object or array it stands for: zap's own handling would write the error into the
// JSON text and go on.
type guardedObject struct {
	object zapcore.ObjectMarshaler
	array  zapcore.ArrayMarshaler
	err    error
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (g *guardedObject) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	if g.array != nil {
		g.err = enc.AddArray("", g.array)
	} else {
		g.err = g.object.MarshalLogObject(enc)
	}
	return nil
}
