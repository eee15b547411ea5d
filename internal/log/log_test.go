package log

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// lines reads back what a logger wrote.
func lines(t *testing.T, text string) []parsedLine {
	t.Helper()
	var parsed []parsedLine
	for line := range strings.Lines(text) {
		one, err := parseLine(line)
		require.NoError(t, err, line)
		parsed = append(parsed, one)
	}
	return parsed
}

func TestTextLogger(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "info", Stdout: true, Output: &out})
	require.NoError(t, err)
	logging.Logger.Debug("hidden")
	logging.Logger.With(zap.Int("ServerID", 19)).Info("register ACTIVE service successfully")
	logging.Logger.Warn("no stack")
	logging.Logger.Error("stack", zap.Error(errors.New("x")))
	require.NoError(t, logging.Close())

	got := lines(t, out.String())
	require.Len(t, got, 3)
	require.Equal(t, "register ACTIVE service successfully", got[0].Message)
	require.Equal(t, []parsedField{{"ServerID", "19"}}, got[0].Fields)
	require.Regexp(t, `^log/log_test\.go:\d+$`, got[0].Caller)
	require.Equal(t, "WARN", got[1].Level)
	require.Empty(t, got[1].Fields)
	require.Equal(t, "ERROR", got[2].Level)
	require.Equal(t, "stack", got[2].Fields[1].Key)
	require.Contains(t, got[2].Fields[1].Value, "TestTextLogger\n\t")
}

func TestLevelChangesWhileRunning(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "WARN", Stdout: true, Output: &out})
	require.NoError(t, err)
	child := logging.Logger.Named("child")
	child.Info("one")
	logging.Level.SetLevel(zapcore.DebugLevel)
	child.Debug("two")
	logging.Level.SetLevel(zapcore.ErrorLevel)
	child.Warn("three")
	got := lines(t, out.String())
	require.Len(t, got, 1)
	require.Equal(t, "two", got[0].Message)
}

func TestJSONLogger(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "debug", Format: FormatJSON, Stdout: true, Output: &out})
	require.NoError(t, err)
	logging.Logger.Error("two\nlines", zap.Int("n", 1))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, "two\nlines", line["message"])
	require.Equal(t, 1.0, line["n"])
	require.Contains(t, line["caller"], "log/log_test.go:")
	require.Contains(t, line["stack"], "TestJSONLogger")
	require.Regexp(t, `^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d$`, line["time"])
}

func TestFileAndStdoutTogether(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for us")
	var out bytes.Buffer
	logging, err := New(Config{Level: "info", Stdout: true, Output: &out, File: FileConfig{RootPath: dir, Name: FileName("rootcoord")}})
	require.NoError(t, err)
	logging.Logger.Info("both")
	require.NoError(t, logging.Close())
	written, err := os.ReadFile(filepath.Join(dir, "rootcoord-0.log"))
	require.NoError(t, err)
	require.Equal(t, out.String(), string(written))
	require.Len(t, lines(t, out.String()), 1)
}

func TestFileIsRotatedAndOldOnesGo(t *testing.T) {
	dir := t.TempDir()
	logging, err := New(Config{Level: "info", File: FileConfig{RootPath: dir, Name: "x-0.log", MaxSizeMB: 1, MaxBackups: 2}})
	require.NoError(t, err)
	text := strings.Repeat("x", 100_000)
	for range 45 {
		logging.Logger.Info(text)
	}
	require.NoError(t, logging.Close())
	require.Eventually(t, func() bool {
		files, err := os.ReadDir(dir)
		return err == nil && len(files) == 3
	}, 20*time.Second, 20*time.Millisecond)
	info, err := os.Stat(filepath.Join(dir, "x-0.log"))
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(1<<20))
}

func TestFileContinuesAfterRestart(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		logging, err := New(Config{Level: "info", File: FileConfig{RootPath: dir, Name: "x-0.log"}})
		require.NoError(t, err)
		logging.Logger.Info("started")
		require.NoError(t, logging.Close())
	}
	written, err := os.ReadFile(filepath.Join(dir, "x-0.log"))
	require.NoError(t, err)
	require.Len(t, lines(t, string(written)), 2)
}

func TestNewRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"level":      {Config{Level: "loud"}, `log level "loud" is not one of debug,`},
		"no level":   {Config{}, "is not one of"},
		"format":     {Config{Level: "info", Format: "xml"}, `log format "xml" is not one of text, json`},
		"no name":    {Config{Level: "info", File: FileConfig{RootPath: t.TempDir()}}, "has no name"},
		"no such":    {Config{Level: "info", File: FileConfig{RootPath: file + "/x", Name: "y"}}, "log file directory"},
		"not a file": {Config{Level: "info", File: FileConfig{RootPath: filepath.Dir(t.TempDir()), Name: filepath.Base(t.TempDir())}}, "log file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.cfg)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestParseLevel(t *testing.T) {
	for _, level := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel, zapcore.PanicLevel, zapcore.FatalLevel} {
		for _, text := range []string{level.String(), level.CapitalString()} {
			parsed, err := ParseLevel(text)
			require.NoError(t, err)
			require.Equal(t, level, parsed)
		}
	}
}

func TestSilentWithoutSinks(t *testing.T) {
	logging, err := New(Config{Level: "debug"})
	require.NoError(t, err)
	logging.Logger.Error("to nobody")
	require.NoError(t, logging.Close())
}

func TestFatalUnwinds(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "info", Stdout: true, Output: &out})
	require.NoError(t, err)
	require.Panics(t, func() { logging.Logger.Fatal("the end") })
	require.Equal(t, "FATAL", lines(t, out.String())[0].Level)
}

func TestStandardOutputIsTheDefault(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	stdout := os.Stdout
	os.Stdout = writer
	logging, err := New(Config{Level: "info", Stdout: true})
	os.Stdout = stdout
	require.NoError(t, err)
	logging.Logger.Info("here")
	require.NoError(t, logging.Close())
	require.NoError(t, writer.Close())
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Equal(t, "here", lines(t, string(text))[0].Message)
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "info", Stdout: true, Output: &out})
	require.NoError(t, err)
	var group sync.WaitGroup
	for worker := range 8 {
		logger := logging.Logger.With(zap.Int("worker", worker))
		group.Go(func() {
			for i := range 200 {
				logger.Info("line", zap.Int("i", i), zap.Ints("list", []int{worker, i}), zap.Any("map", map[string]int{"i": i}))
			}
		})
	}
	group.Wait()
	require.Len(t, lines(t, out.String()), 1600)
}
