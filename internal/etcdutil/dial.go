package etcdutil

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Config says how etcd is reached.
type Config struct {
	Endpoints []string // host:port each
	TLS       TLSConfig
	User      string // empty: no authentication
	Password  string
	MaxAnswer int           // bytes of one answer that the client takes; 0: its own default, 2 GB
	Logger    *zap.Logger   // for the client library's own messages; nil: silent
	Observe   func(Request) // is told of each request when its outcome is known; must not block; nil: nobody is
}

// TLSConfig names the files of an encrypted connection.
type TLSConfig struct {
	Enabled    bool
	CertFile   string
	KeyFile    string
	CAFile     string
	MinVersion string // "1.0" to "1.3"; empty means 1.3
}

// dialTimeout bounds the authentication round trip that the client makes when it is built.
const dialTimeout = 2 * time.Second

// Dial makes a client for all endpoints. Without authentication it does not touch the network. With it, the first token
// is fetched here: an etcd that cannot be reached is tried again until ctx ends, a refused password is an error.
func Dial(ctx context.Context, cfg Config) (*clientv3.Client, error) {
	return dial(ctx, cfg, cfg.Endpoints)
}

// DialEach makes one client for each endpoint, so that a caller can tell the members apart. Errors as [Dial].
func DialEach(ctx context.Context, cfg Config) (*Members, error) {
	m := &Members{}
	for _, endpoint := range cfg.Endpoints {
		c, err := dial(ctx, cfg, []string{endpoint})
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		m.clients = append(m.clients, c)
	}
	return m, nil
}

func dial(ctx context.Context, cfg Config, endpoints []string) (*clientv3.Client, error) {
	settings := clientSettings(cfg, endpoints)
	settings.Context = context.WithoutCancel(ctx) // the client is closed by its owner, after the context's end
	var err error
	if settings.TLS, err = cfg.TLS.Load(); err != nil {
		return nil, err
	}
	if cfg.Observe != nil {
		settings.DialOptions = append(settings.DialOptions, grpc.WithStatsHandler(observer(cfg.Observe)))
	}
	for {
		client, err := clientv3.New(settings)
		if err == nil {
			return client, nil
		}
		if settings.Username == "" || !IsUnavailable(err) {
			return nil, fmt.Errorf("etcd at %s (etcd.endpoints): %w", strings.Join(endpoints, ","), err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("etcd at %s (etcd.endpoints): %w", strings.Join(endpoints, ","), err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// clientSettings are those of every client of etcd.
func clientSettings(cfg Config, endpoints []string) clientv3.Config {
	logger := cfg.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	return clientv3.Config{
		Endpoints:            endpoints,
		Username:             cfg.User,
		Password:             cfg.Password,
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    2 * time.Second,
		DialKeepAliveTimeout: 3 * time.Second,
		PermitWithoutStream:  false, // etcd cuts a connection that is pinged while nothing is under way
		MaxCallRecvMsgSize:   cfg.MaxAnswer,
		Logger:               logger,
		DialOptions: []grpc.DialOption{
			// An etcd that comes back should be found within a fraction of a second.
			grpc.WithConnectParams(grpc.ConnectParams{
				Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
				MinConnectTimeout: time.Second,
			}),
		},
	}
}

// Load reads the files; nil if TLS is off.
func (t TLSConfig) Load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // no TLS is a value of its own
	}
	versions := map[string]uint16{
		"": tls.VersionTLS13, "1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	}
	version, ok := versions[t.MinVersion]
	if !ok {
		return nil, fmt.Errorf("etcd.ssl.tlsMinVersion: %q is not one of 1.0, 1.1, 1.2, 1.3", t.MinVersion)
	}
	cfg := &tls.Config{MinVersion: version} //nolint:gosec // an operator of an old etcd may ask for less
	if t.CertFile != "" || t.KeyFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("etcd.ssl.tlsCert, etcd.ssl.tlsKey: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("etcd.ssl.tlsCACert: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("etcd.ssl.tlsCACert: %s holds no PEM certificate", t.CAFile)
		}
	}
	return cfg, nil
}

// LocalIP is the address of this host from which endpoint is reached. No packet is sent: the routing table tells.
func LocalIP(endpoint string) (string, error) {
	conn, err := net.Dial("udp", hostPort(endpoint))
	if err != nil {
		return "", fmt.Errorf("find this host's address towards etcd at %s: %w", endpoint, err)
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}

func hostPort(endpoint string) string {
	if _, rest, ok := strings.Cut(endpoint, "://"); ok {
		return rest
	}
	return endpoint
}
