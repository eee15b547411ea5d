package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// ClientConfig is how the coordinators of a cluster are dialled. Zero values are Milvus' defaults.
type ClientConfig struct {
	MaxSendSize      int           // bytes of one request; 256 MiB
	MaxRecvSize      int           // bytes of one answer; 512 MiB
	KeepAliveTime    time.Duration // pause before a ping, on idle connections too; 10 s
	KeepAliveTimeout time.Duration // an unanswered ping ends the connection; 20 s
	TLS              *tls.Config   // see ClientTLS; nil for plain text
}

// minConnect is how long one attempt to connect may take.
const minConnect = 3 * time.Second

// DialOptions are the options for a connection to a coordinator.
func DialOptions(cfg ClientConfig) []grpc.DialOption {
	security := insecure.NewCredentials()
	if cfg.TLS != nil {
		security = credentials.NewTLS(cfg.TLS)
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallSendMsgSize(orDefault(cfg.MaxSendSize, 256*mebibyte)),
			grpc.MaxCallRecvMsgSize(orDefault(cfg.MaxRecvSize, 512*mebibyte)),
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time:                orDefault(cfg.KeepAliveTime, 10*time.Second),
			Timeout:             orDefault(cfg.KeepAliveTimeout, 20*time.Second),
			PermitWithoutStream: true,
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: minConnect,
		}),
		// Traffic within a cluster goes neither through a web proxy nor by what a DNS record says about services.
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
	}
}

// ServerTLS reads a server's certificate and key, as common.security.internaltlsEnabled wants them: clients show none.
func ServerTLS(certPath, keyPath string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("internaltls.serverPemPath %s, internaltls.serverKeyPath %s: %w", certPath, keyPath, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// ClientTLS reads the authority that signs the servers' certificates. All of them carry the name sni.
func ClientTLS(caPath, sni string) (*tls.Config, error) {
	pem, err := os.ReadFile(caPath)
	if err != nil {
		return nil, fmt.Errorf("internaltls.caPemPath: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("internaltls.caPemPath %s: %w", caPath, errors.New("it holds no certificate in PEM form"))
	}
	return &tls.Config{RootCAs: roots, ServerName: sni, MinVersion: tls.VersionTLS12}, nil
}
