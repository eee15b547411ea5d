package rpc

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
)

// ServerConfig is what a server needs to know.
type ServerConfig struct {
	Cluster     string      // msgChannel.chanNamePrefix.cluster
	MaxRecvSize int         // bytes of one request; 0 is Milvus' 256 MiB
	MaxSendSize int         // bytes of one answer; 0 is Milvus' 512 MiB
	TLS         *tls.Config // see ServerTLS; nil for plain text
	Logger      *zap.Logger
}

const mebibyte = 1 << 20

// What Milvus' clients and servers agree on about pings.
const (
	minClientPing     = 5 * time.Second
	serverPing        = 60 * time.Second
	serverPingTimeout = 10 * time.Second
)

// Server is the gRPC server of one role.
type Server struct {
	grpc     *grpc.Server
	border   *border
	stopping chan struct{} // closed by Stop
	stop     sync.Once
}

// NewServer makes a server of the services behind sw, and of grpc.health.v1. It does not listen yet.
func NewServer(cfg ServerConfig, sw *Switch) *Server {
	s := &Server{
		border:   &border{cluster: cfg.Cluster, component: sw.component, logger: cfg.Logger},
		stopping: make(chan struct{}),
	}
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(orDefault(cfg.MaxRecvSize, 256*mebibyte)),
		grpc.MaxSendMsgSize(orDefault(cfg.MaxSendSize, 512*mebibyte)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverPing, Timeout: serverPingTimeout}),
		grpc.UnaryInterceptor(s.signUnary),
		grpc.StreamInterceptor(s.signStream),
	}
	if cfg.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(cfg.TLS)))
	}
	s.grpc = grpc.NewServer(options...)
	healthpb.RegisterHealthServer(s.grpc, sw.health)
	for _, service := range sw.services {
		s.grpc.RegisterService(s.switched(service.Desc, sw.methods[service.Desc.ServiceName]), nil)
	}
	return s
}

// switched is the service with its methods replaced by ours. HandlerType is not needed without a server object.
func (s *Server) switched(desc *grpc.ServiceDesc, methods []*method) *grpc.ServiceDesc {
	replaced := &grpc.ServiceDesc{ServiceName: desc.ServiceName, HandlerType: desc.HandlerType, Metadata: desc.Metadata}
	for _, m := range methods {
		replaced.Methods = append(replaced.Methods, grpc.MethodDesc{
			MethodName: m.name,
			Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				return m.serve(ctx, s.border, dec)
			},
		})
	}
	return replaced
}

// Serve accepts connections until Stop, and returns nil then. It closes the listener.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.grpc.Serve(listener); err != nil {
		select {
		case <-s.stopping:
			return nil
		default:
			return fmt.Errorf("serve gRPC on %s: %w", listener.Addr(), err)
		}
	}
	return nil
}

// Stop lets no more connections and calls in, ends the health streams, waits for the calls under way, and when ctx ends,
// breaks what is left off and says so. It is for a process that has given up its role: to a standby, a server that is gone
// is a process that is dead.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() { close(s.stopping) })
	graceful := make(chan struct{})
	go func() { // ends when the last handler has returned
		s.grpc.GracefulStop()
		close(graceful)
	}()
	select {
	case <-graceful:
		return nil
	case <-ctx.Done():
		s.grpc.Stop()
		return fmt.Errorf("calls were still under way when the server was stopped: %w", context.Cause(ctx))
	}
}

// signUnary is for the calls of the health service; the others are signed in method.serve.
func (s *Server) signUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := grpc.SetHeader(ctx, s.border.header()); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// signStream sends the header at once, before anything happens on the stream, and ends the stream when the server stops:
// a health stream would last as long as its client.
func (s *Server) signStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := stream.SendHeader(s.border.header()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watcher.Wait()
	defer cancel()
	return handler(srv, endingStream{ServerStream: stream, ctx: ctx})
}

type endingStream struct {
	grpc.ServerStream
	ctx context.Context //nolint:containedctx // the stream's own, with another end
}

func (s endingStream) Context() context.Context { return s.ctx }

func orDefault[T int | time.Duration](value, standard T) T {
	if value > 0 {
		return value
	}
	return standard
}
