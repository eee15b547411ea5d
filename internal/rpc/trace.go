package rpc

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-coord/milvus/internal/metrics"
)

type traceKey struct{}

// Logger is the logger for what is said about one call: base, unless the caller asked for a traceID or a level of its own.
func Logger(ctx context.Context, base *zap.Logger) *zap.Logger {
	if traced, ok := ctx.Value(traceKey{}).(*zap.Logger); ok {
		return traced
	}
	return base
}

// trace makes the logger of a call that asked for one; nil and the same ctx otherwise, which is nearly always.
func (b *border) trace(ctx context.Context) (context.Context, *zap.Logger) {
	level := first(metadata.ValueFromIncomingContext(ctx, LogLevelKey))
	id := first(metadata.ValueFromIncomingContext(ctx, RequestIDKey))
	if level == "" && id == "" {
		return ctx, nil
	}
	logger := b.logger
	if l, err := zapcore.ParseLevel(level); err == nil && level != "" {
		logger = logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return levelCore{Core: core, level: l} }))
	}
	if id != "" {
		logger = logger.With(zap.String("traceID", id))
	}
	return context.WithValue(ctx, traceKey{}, logger), logger
}

// log says at debug level how a call went: those that did not succeed, and those whose caller wants to see it.
func (b *border) log(m *method, trace *zap.Logger, took time.Duration, outcome metrics.Outcome, resp any, err error) {
	logger := b.logger
	if trace != nil {
		logger = trace
	}
	entry := logger.Check(zap.DebugLevel, "call answered")
	if entry == nil {
		return
	}
	fields := []zap.Field{zap.String("method", m.name), zap.Stringer("outcome", outcome), zap.Duration("took", took)}
	if err != nil {
		fields = append(fields, zap.Error(err))
	} else if s := statusOf(resp); s.GetCode() != 0 {
		fields = append(fields, zap.Int32("code", s.GetCode()), zap.String("reason", s.GetDetail()))
	}
	entry.Write(fields...)
}

// levelCore is a core with a level of its own, lower or higher than that of the process.
type levelCore struct {
	zapcore.Core
	level zapcore.Level
}

func (c levelCore) Enabled(l zapcore.Level) bool { return l >= c.level }

func (c levelCore) With(fields []zapcore.Field) zapcore.Core {
	return levelCore{Core: c.Core.With(fields), level: c.level}
}

func (c levelCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}
