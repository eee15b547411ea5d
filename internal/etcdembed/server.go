package etcdembed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/milvus-coord/milvus/internal/rpc/listen"
)

// Config is what an embedded etcd needs to know.
type Config struct {
	Dir      string // data directory; it is made if it is missing
	Address  string // host:port at which it takes clients; port 0 is any free one
	Settings string // file of etcd's own settings; empty: none
	TLS      bool   // clients use TLS, for which Settings must name a certificate
	Logger   *zap.Logger
}

// readyPatience is how long an etcd may take to elect itself once its files are read.
const readyPatience = time.Minute

// clientPatience is how long calls under way may take when the etcd is closed. Watches have no end of their own.
const clientPatience = time.Second

// Server is a running etcd.
type Server struct {
	etcd    *etcdserver.EtcdServer
	grpc    *grpc.Server
	lock    *os.File
	address string
	served  chan error // one result
}

// Start runs an etcd and returns when it takes writes. Its errors name the key of milvus.yaml that is to be changed. If ctx
// ends before, ctx's error is returned.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	set, err := loadSettings(cfg.Settings)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := set.serverTLS(cfg.TLS)
	if err != nil {
		return nil, err
	}
	listener, err := openPort(ctx, cfg.Address)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	s := &Server{lock: lock, address: join(cfg.Address, listener), served: make(chan error, 1)}
	if s.etcd, err = open(set.serverConfig(cfg.Dir, s.address, quiet(cfg.Logger))); err != nil {
		return nil, errors.Join(fmt.Errorf("etcd in %s (etcd.data.dir) does not start: %w", cfg.Dir, err), listener.Close(), lock.Close())
	}
	s.etcd.Start()
	s.grpc = v3rpc.Server(s.etcd, tlsConfig, nil,
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Hour, Timeout: 20 * time.Second}))
	go func() { s.served <- s.grpc.Serve(listener) }() // ends in Close
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) awaitReady(ctx context.Context) error {
	patience := time.NewTimer(readyPatience)
	defer patience.Stop()
	select {
	case <-s.etcd.ReadyNotify():
		return nil
	case <-s.etcd.StopNotify():
		return s.stopped()
	case <-patience.C:
		return fmt.Errorf("etcd in %s (etcd.data.dir) has no leader after %v: was it a member of a larger cluster?",
			s.etcd.Cfg.DataDir, readyPatience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Address is where clients find it, host:port.
func (s *Server) Address() string { return s.address }

// Wait returns nil when ctx ends, and an error when the etcd has stopped by itself.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.etcd.StopNotify():
		return s.stopped()
	case err := <-s.served:
		s.served <- err // for Close
		return fmt.Errorf("the embedded etcd takes no clients any more: %w", err)
	}
}

func (s *Server) stopped() error {
	return fmt.Errorf("the embedded etcd in %s has stopped by itself", s.etcd.Cfg.DataDir)
}

// Close stops the etcd when everything is on disk. Clients that are left are cut off after a moment. It is called once.
func (s *Server) Close() error {
	impatient := time.AfterFunc(clientPatience, s.grpc.Stop)
	s.grpc.GracefulStop()
	impatient.Stop()
	err := <-s.served
	s.etcd.Stop()
	return errors.Join(err, s.lock.Close())
}

// open reads the files. etcd panics over some that it cannot make sense of.
func open(cfg serverConfig) (server *etcdserver.EtcdServer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return etcdserver.NewServer(cfg)
}

func openPort(ctx context.Context, address string) (net.Listener, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("etcd.embed.address: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("etcd.embed.address: %w", err)
	}
	return listen.TCP(ctx, host, port, listen.Setting{Key: "etcd.embed.address"})
}

// join is the configured host with the port that is really listened on.
func join(address string, l net.Listener) string {
	host, port, _ := net.SplitHostPort(address)
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		port = strconv.Itoa(a.Port)
	}
	return net.JoinHostPort(host, port)
}
