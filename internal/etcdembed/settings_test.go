package etcdembed

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func settingsFile(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "etcd.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestSettings(t *testing.T) {
	s, err := loadSettings("")
	require.NoError(t, err)
	cfg := s.serverConfig("/d", "127.0.0.1:2379", zap.NewNop())
	require.False(t, cfg.UnsafeNoFsync)
	require.Equal(t, int64(4<<30), cfg.QuotaBackendBytes)
	require.Equal(t, "periodic", cfg.AutoCompactionMode)
	require.Equal(t, time.Hour, cfg.AutoCompactionRetention)
	require.Equal(t, "http://127.0.0.1:2379", cfg.ClientURLs.String())

	s, err = loadSettings(settingsFile(t, "quota-backend-bytes: 100\nauto-compaction-mode: revision\nauto-compaction-retention: '1000'\n"))
	require.NoError(t, err)
	cfg = s.serverConfig("/d", "127.0.0.1:2379", zap.NewNop())
	require.Equal(t, int64(100), cfg.QuotaBackendBytes)
	require.Equal(t, time.Duration(1000), cfg.AutoCompactionRetention)
	require.Equal(t, uint(128), cfg.MaxTxnOps, "what is not in the file stays")

	_, err = loadSettings(settingsFile(t, ""))
	require.NoError(t, err)
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	for text, want := range map[string]string{
		"data-dir: /elsewhere":                                            "line 1: field data-dir does not belong there",
		"listen-client-urls: http://0.0.0.0:1":                            "etcd.embed.address",
		"quota-backend-bytes: much":                                       "much",
		"auto-compaction-mode: never":                                     `auto-compaction-mode: "never" is neither periodic nor revision`,
		"auto-compaction-retention: yesterday":                            `auto-compaction-retention: "yesterday" is no time`,
		"{auto-compaction-mode: revision, auto-compaction-retention: 1h}": "is not a number of revisions",
	} {
		_, err := loadSettings(settingsFile(t, text))
		require.ErrorContains(t, err, "etcd.config.path", text)
		require.ErrorContains(t, err, want, text)
	}
	_, err := loadSettings("/nowhere.yaml")
	require.ErrorContains(t, err, "etcd.config.path")
}

func TestClientsNeedTheTLSThatTheEtcdHas(t *testing.T) {
	s := defaults()
	_, err := s.serverTLS(true)
	require.ErrorContains(t, err, "etcd.ssl.enabled: the embedded etcd has no certificate")
	s.ClientSecurity = securityYML{CertFile: "c.pem", KeyFile: "k.pem"}
	_, err = s.serverTLS(false)
	require.ErrorContains(t, err, "client-transport-security needs etcd.ssl.enabled")
	_, err = s.serverTLS(true)
	require.ErrorContains(t, err, "c.pem")
	cfg := s.serverConfig("/d", "127.0.0.1:2379", zap.NewNop())
	require.Equal(t, "https://127.0.0.1:2379", cfg.ClientURLs.String())
}
