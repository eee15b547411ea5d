package etcdembed

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3compactor"
	"go.etcd.io/etcd/server/v3/features"
	"go.uber.org/zap"
	"gopkg.in/yaml.v3"
)

type serverConfig = config.ServerConfig

// settings are what a file may change, under the names of etcd's own configuration file.
type settings struct {
	QuotaBackendBytes       int64       `yaml:"quota-backend-bytes"`
	AutoCompactionMode      string      `yaml:"auto-compaction-mode"`
	AutoCompactionRetention string      `yaml:"auto-compaction-retention"`
	SnapshotCount           uint64      `yaml:"snapshot-count"`
	MaxTxnOps               uint        `yaml:"max-txn-ops"`
	MaxRequestBytes         uint        `yaml:"max-request-bytes"`
	MaxSnapshots            uint        `yaml:"max-snapshots"`
	MaxWALs                 uint        `yaml:"max-wals"`
	ClientSecurity          securityYML `yaml:"client-transport-security"`
}

type securityYML struct {
	CertFile       string `yaml:"cert-file"`
	KeyFile        string `yaml:"key-file"`
	ClientCertAuth bool   `yaml:"client-cert-auth"`
	TrustedCAFile  string `yaml:"trusted-ca-file"`
}

// defaults: the quota of Milvus' deployments; an hour of history, in which any standby has read it.
func defaults() settings {
	return settings{
		QuotaBackendBytes: 4 << 30, AutoCompactionMode: v3compactor.ModePeriodic, AutoCompactionRetention: "1h",
		SnapshotCount: etcdserver.DefaultSnapshotCount, MaxTxnOps: 128, MaxRequestBytes: 1536 << 10, MaxSnapshots: 5, MaxWALs: 5,
	}
}

// loadSettings reads a file over the defaults. A key that does not belong there is an error that names it.
func loadSettings(path string) (settings, error) {
	s := defaults()
	if path == "" {
		return s, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("etcd.config.path: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("etcd.config.path: %s: %w (an embedded etcd takes quota-backend-bytes, auto-compaction-*, snapshot-count, "+
			"max-*, client-transport-security; its address and directory are etcd.embed.address and etcd.data.dir)", path, oneLine(err))
	}
	if _, err := s.retention(); err != nil {
		return s, fmt.Errorf("etcd.config.path: %s: %w", path, err)
	}
	return s, nil
}

// oneLine says of each mistake in a file where it is, without the names of our types.
func oneLine(err error) error {
	var mistakes *yaml.TypeError
	if !errors.As(err, &mistakes) {
		return err
	}
	var all []string
	for _, m := range mistakes.Errors {
		field, _, unknown := strings.Cut(m, " not found in type ")
		if unknown {
			m = field + " does not belong there"
		}
		all = append(all, m)
	}
	return errors.New(strings.Join(all, "; "))
}

// retention is a number of revisions or a time, by the mode; a bare number is hours then, as etcd reads it.
func (s settings) retention() (time.Duration, error) {
	text := s.AutoCompactionRetention
	number, err := strconv.Atoi(text)
	switch s.AutoCompactionMode {
	case v3compactor.ModeRevision:
		if err != nil || number < 0 {
			return 0, fmt.Errorf("auto-compaction-retention: %q is not a number of revisions", text)
		}
		return time.Duration(number), nil
	case v3compactor.ModePeriodic:
		if err == nil && number >= 0 {
			return time.Duration(number) * time.Hour, nil
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("auto-compaction-retention: %q is no time", text)
		}
		return d, nil
	}
	return 0, fmt.Errorf("auto-compaction-mode: %q is neither periodic nor revision", s.AutoCompactionMode)
}

// serverTLS is nil for plain text.
func (s settings) serverTLS(wanted bool) (*tls.Config, error) {
	info := transport.TLSInfo{
		CertFile: s.ClientSecurity.CertFile, KeyFile: s.ClientSecurity.KeyFile,
		ClientCertAuth: s.ClientSecurity.ClientCertAuth, TrustedCAFile: s.ClientSecurity.TrustedCAFile,
	}
	switch {
	case wanted && info.Empty():
		return nil, errors.New("etcd.ssl.enabled: the embedded etcd has no certificate; give it one in client-transport-security " +
			"of the file that etcd.config.path names")
	case !wanted && !info.Empty():
		return nil, errors.New("etcd.config.path: client-transport-security needs etcd.ssl.enabled, or nobody here can talk to it")
	case !wanted:
		return nil, nil //nolint:nilnil // no TLS is a value of its own
	}
	cfg, err := info.ServerConfig()
	if err != nil {
		return nil, fmt.Errorf("etcd.config.path: client-transport-security: %w", err)
	}
	return cfg, nil
}

// memberName and peerURL identify the only member to itself. Nobody listens at the URL.
const (
	memberName = "milvus"
	peerURL    = "http://127.0.0.1:2380"
)

// serverConfig is the whole of etcd's configuration: what etcd itself would take by default, and the settings.
func (s settings) serverConfig(dir, address string, logger *zap.Logger) serverConfig {
	retention, _ := s.retention() // checked by loadSettings
	scheme := "http"
	if s.ClientSecurity.CertFile != "" {
		scheme = "https"
	}
	peers := types.URLs{mustURL(peerURL)}
	return serverConfig{
		Name: memberName, DataDir: dir, Logger: logger,
		ClientURLs: types.URLs{url.URL{Scheme: scheme, Host: address}}, PeerURLs: peers,
		NewCluster: true, InitialPeerURLsMap: types.URLsMap{memberName: peers}, InitialClusterToken: "milvus-standalone",

		TickMs: 100, ElectionTicks: 10, InitialElectionTickAdvance: true, PreVote: true, StrictReconfigCheck: true,
		SnapshotCount: s.SnapshotCount, SnapshotCatchUpEntries: etcdserver.DefaultSnapshotCatchUpEntries,
		MaxSnapFiles: s.MaxSnapshots, MaxWALFiles: s.MaxWALs, BackendFreelistType: bolt.FreelistMapType,
		QuotaBackendBytes: s.QuotaBackendBytes, AutoCompactionMode: s.AutoCompactionMode, AutoCompactionRetention: retention,
		MaxTxnOps: s.MaxTxnOps, MaxRequestBytes: s.MaxRequestBytes, MaxConcurrentStreams: math.MaxUint32, MaxLearners: 1,

		AuthToken: "simple", TokenTTL: 300, BcryptCost: 10, ClientCertAuthEnabled: s.ClientSecurity.ClientCertAuth,
		WarningApplyDuration: 100 * time.Millisecond, WarningUnaryRequestDuration: 300 * time.Millisecond,
		CompactHashCheckTime: time.Minute, DowngradeCheckTime: 5 * time.Second,
		V2Deprecation: config.V2DeprDefault, ServerFeatureGate: features.NewDefaultServerFeatureGate(memberName, logger), Metrics: "basic",
	}
}

// mustURL is for the constant above.
func mustURL(text string) url.URL {
	u, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return *u
}
