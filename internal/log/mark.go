package log

import (
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Mark gives every line of logger a last field. Logger.With would make it the first one, and the documented lines begin
// with fields of their own.
func Mark(logger *zap.Logger, field zap.Field) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return marked{core, field} }))
}

type marked struct {
	zapcore.Core
	field zap.Field
}

func (m marked) With(fields []zap.Field) zapcore.Core { return marked{m.Core.With(fields), m.field} }

func (m marked) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !m.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, m)
}

func (m marked) Write(entry zapcore.Entry, fields []zap.Field) error {
	return m.Core.Write(entry, append(slices.Clip(fields), m.field))
}
