package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gopkg.in/natefinch/lumberjack.v2"
)

// TimeLayout is how a line's time, and every logged time value, is written.
const TimeLayout = "2006/01/02 15:04:05.000 -07:00"

// The two formats of Config.Format.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// Config says what is logged and where to. The zero value is not useful: a level is needed.
type Config struct {
	// Level is the lowest level that is written: debug, info, warn, error, panic or fatal, in either case.
	Level string
	// Format is FormatText (also when empty) or FormatJSON.
	Format string
	// Stdout turns on lines on Output.
	Stdout bool
	// Output is where Stdout's lines go; nil means the process's standard output.
	Output io.Writer
	// File turns on the rotated file if its RootPath is not empty.
	File FileConfig
}

// FileConfig is the rotated log file. With an empty RootPath there is none.
type FileConfig struct {
	// RootPath is the directory of the file; it is made if it is missing.
	RootPath string
	// Name is the file's name, see FileName.
	Name string
	// MaxSizeMB is the size in MiB at which the file is rotated; 0 means 300.
	MaxSizeMB int
	// MaxAgeDays is how long a rotated file is kept; 0 means for ever.
	MaxAgeDays int
	// MaxBackups is how many rotated files are kept; 0 means all.
	MaxBackups int
}

// defaultMaxSizeMB is Milvus' log.file.maxSize. lumberjack's own default, for 0, would be 100.
const defaultMaxSizeMB = 300

// FileName is the name of a role's log file. The zero stands where Milvus 2.2 had the server id: the file is opened
// before the id is known.
func FileName(role string) string { return role + "-0.log" }

// Logging is a logger together with what is needed to steer and to close it.
type Logging struct {
	// Logger adds the caller to every line, and the stack from ERROR up.
	Logger *zap.Logger
	// Level may be set at any time, by any goroutine; it takes effect with the next line.
	Level zap.AtomicLevel

	file *lumberjack.Logger
}

// New opens what cfg asks for. An unknown level or format, and a file that cannot be written, are errors: a
// coordinator that cannot log where it was told to should say so when it starts, not when it is needed.
//
// With neither Stdout nor a file, the logger is silent.
func New(cfg Config) (*Logging, error) {
	level, err := ParseLevel(cfg.Level)
	if err != nil {
		return nil, err
	}
	encoder, err := newEncoder(cfg.Format)
	if err != nil {
		return nil, err
	}

	logging := &Logging{Level: zap.NewAtomicLevelAt(level)}
	var sinks []zapcore.WriteSyncer
	if cfg.Stdout {
		out := cfg.Output
		if out == nil {
			out = os.Stdout
		}
		// Sync of a terminal or a pipe is an error on some systems, and there is nothing buffered to lose.
		sinks = append(sinks, zapcore.Lock(zapcore.AddSync(writeOnly{out})))
	}
	if cfg.File.RootPath != "" {
		if logging.file, err = openFile(cfg.File); err != nil {
			return nil, err
		}
		sinks = append(sinks, zapcore.AddSync(logging.file)) // has a lock of its own
	}

	core := zapcore.NewCore(encoder, zapcore.NewMultiWriteSyncer(sinks...), logging.Level)
	logging.Logger = zap.New(core,
		zap.AddCaller(),
		zap.AddStacktrace(zapcore.ErrorLevel),
		// Only package cmd ends the process. A stray Fatal unwinds like a panic, so that leases are still revoked.
		zap.WithFatalHook(zapcore.WriteThenPanic),
	)
	return logging, nil
}

// Close writes out and closes the log file. The logger may still be used after it; a line to the file reopens it.
// lumberjack keeps one idle goroutine per file until the process ends and offers no way to stop it.
func (l *Logging) Close() error {
	err := l.Logger.Sync()
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
	}
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// ParseLevel reads a level as log.level spells it.
func ParseLevel(text string) (zapcore.Level, error) {
	switch strings.ToLower(text) {
	case "debug":
		return zapcore.DebugLevel, nil
	case "info":
		return zapcore.InfoLevel, nil
	case "warn":
		return zapcore.WarnLevel, nil
	case "error":
		return zapcore.ErrorLevel, nil
	case "panic":
		return zapcore.PanicLevel, nil
	case "fatal":
		return zapcore.FatalLevel, nil
	}
	return 0, fmt.Errorf("log level %q is not one of debug, info, warn, error, panic, fatal", text)
}

func newEncoder(format string) (zapcore.Encoder, error) {
	switch format {
	case "", FormatText:
		return NewTextEncoder(), nil
	case FormatJSON:
		return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
			TimeKey:        "time",
			LevelKey:       "level",
			NameKey:        "logger",
			CallerKey:      "caller",
			MessageKey:     "message",
			StacktraceKey:  "stack",
			LineEnding:     zapcore.DefaultLineEnding,
			EncodeTime:     zapcore.TimeEncoderOfLayout(TimeLayout),
			EncodeLevel:    zapcore.CapitalLevelEncoder,
			EncodeCaller:   zapcore.ShortCallerEncoder,
			EncodeDuration: zapcore.StringDurationEncoder,
		}), nil
	}
	return nil, fmt.Errorf("log format %q is not one of %s, %s", format, FormatText, FormatJSON)
}

// openFile prepares the rotated file. lumberjack opens it at the first line only, so it is tried here.
func openFile(cfg FileConfig) (*lumberjack.Logger, error) {
	if cfg.Name == "" {
		return nil, fmt.Errorf("log file in %s has no name", cfg.RootPath)
	}
	if err := os.MkdirAll(cfg.RootPath, 0o755); err != nil {
		return nil, fmt.Errorf("log file directory: %w", err)
	}
	path := filepath.Join(cfg.RootPath, cfg.Name)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	size := cfg.MaxSizeMB
	if size == 0 {
		size = defaultMaxSizeMB
	}
	return &lumberjack.Logger{
		Filename:   path,
		MaxSize:    size,
		MaxAge:     cfg.MaxAgeDays,
		MaxBackups: cfg.MaxBackups,
		LocalTime:  true, // as in the lines themselves
	}, nil
}

// writeOnly hides a Sync method from zap.
type writeOnly struct{ io.Writer }
