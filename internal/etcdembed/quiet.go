package etcdembed

import (
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// quiet passes on what an operator should know: etcd tells much at INFO, and at every start some things that are no news.
func quiet(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return quietCore{core} }))
}

type quietCore struct{ zapcore.Core }

// noNews are lines above INFO about which there is nothing to do.
var noNews = []string{
	"failed to update storage version",             // until its first snapshot; it tries again by itself
	"simple token is not cryptographically signed", // whether etcd's users are turned on or not
}

func (q quietCore) Enabled(level zapcore.Level) bool {
	return level >= zapcore.WarnLevel && q.Core.Enabled(level)
}

func (q quietCore) With(fields []zap.Field) zapcore.Core { return quietCore{q.Core.With(fields)} }

func (q quietCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if entry.Level < zapcore.WarnLevel || slices.Contains(noNews, entry.Message) {
		return checked
	}
	return q.Core.Check(entry, checked)
}
