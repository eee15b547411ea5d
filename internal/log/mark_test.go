package log

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestMarkIsTheLastField(t *testing.T) {
	var out bytes.Buffer
	logging, err := New(Config{Level: "info", Stdout: true, Output: &out})
	require.NoError(t, err)
	logger := Mark(logging.Logger, zap.String("component", "rootcoord"))
	logger.Info("won", zap.Int("ServerID", 19))
	logger.With(zap.String("a", "b")).Info("again")
	logger.Debug("hidden")
	logging.Logger.Info("plain")
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	require.Len(t, lines, 3)
	for i, want := range []string{
		" [won] [ServerID=19] [component=rootcoord]", " [again] [a=b] [component=rootcoord]", " [plain]",
	} {
		require.Contains(t, string(lines[i])+"\n", want+"\n")
	}
	require.Contains(t, string(lines[0]), "log/mark_test.go", "the caller stays")
}
