package opshttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/rpc/listen"
)

// RoleStatus is how one role of the process is.
type RoleStatus struct {
	Name       string
	State      commonpb.StateCode
	ServerID   int64     // 0 before it is registered
	Registered bool      // its session is in etcd
	Loaded     bool      // its tables hold the metadata
	Overdue    bool      // it is Healthy, but etcd has not confirmed that lately: calls are refused
	Term       int64     // that it serves; 0 in standby
	Since      time.Time // of its state
}

// serving tells what Milvus calls healthy.
func (r RoleStatus) serving() bool {
	return r.Registered && (r.State == commonpb.StateCode_Healthy || r.State == commonpb.StateCode_StandBy)
}

// ready tells whether it does its work, or would at once.
func (r RoleStatus) ready() bool { return r.serving() && r.Loaded && !r.Overdue }

// state is what a caller finds: the refusal of a role that is overdue says Abnormal.
func (r RoleStatus) state() commonpb.StateCode {
	if r.Overdue && r.State == commonpb.StateCode_Healthy {
		return commonpb.StateCode_Abnormal
	}
	return r.State
}

// Config is what the server needs to know.
type Config struct {
	EnablePprof bool
	// Status lists the roles of the process in a fixed order. It must not block.
	Status func() []RoleStatus
	// CatchUp waits until a role's tables show a revision, or ctx ends, and returns the revision that they show; nil:
	// nobody can tell.
	CatchUp func(ctx context.Context, role string, revision int64) int64
	Version string // of the binary
}

// Deps are what the server shows and changes.
type Deps struct {
	Metrics prometheus.Gatherer // for /metrics
	Runtime prometheus.Gatherer // for /metrics_default
	Level   zap.AtomicLevel
	Logger  *zap.Logger
	WebUI   http.Handler // for /webui/; nil: there is none
}

// Server answers operators.
type Server struct {
	http   *http.Server
	logger *zap.Logger
}

// shutdownPatience is how long Run waits for answers under way when it ends.
const shutdownPatience = time.Second

// New makes a server. It does not listen yet.
func New(cfg Config, deps Deps) *Server {
	return &Server{
		http: &http.Server{
			Handler:           newHandler(cfg, deps),
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ErrorLog:          zap.NewStdLog(deps.Logger),
		},
		logger: deps.Logger,
	}
}

// Run answers on listener until ctx ends, then waits a moment for the answers under way, and returns nil. It closes the
// listener.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx } // ends streams, which would go on for ever
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(listener) }() // ends with Shutdown or Close
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
	defer cancel()
	if err := s.http.Shutdown(bound); err != nil { // a profile takes half a minute
		_ = s.http.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err)
	}
	return nil
}

// portsToTry is how many ports after the configured one are tried.
const portsToTry = 100

// Listen opens the port. If it is taken and was not set by hand, the next free one is taken and that is logged. The error
// of a port that was set by hand names the setting; it is a [*listen.Error].
func Listen(ctx context.Context, port int, setByHand bool, logger *zap.Logger) (net.Listener, error) {
	setting := listen.Setting{Key: "common.metricsPort", Env: "METRICS_PORT"}
	listener, err := listen.TCP(ctx, "", port, setting)
	var refused *listen.Error
	if err == nil || setByHand || !errors.As(err, &refused) || !refused.Taken() {
		return listener, err
	}
	for next := port + 1; next <= min(port+portsToTry, 65535); next++ {
		listener, nextErr := listen.TCP(ctx, "", next, setting)
		if nextErr == nil {
			logger.Info("the metrics port is taken, using the next free one", zap.Int("configured", port), zap.Int("port", next))
			return listener, nil
		}
	}
	return nil, fmt.Errorf("and so are the %d ports after it: %w", portsToTry, err)
}

func newHandler(cfg Config, deps Deps) http.Handler {
	p := probes{status: cfg.Status}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", p.healthz)
	mux.HandleFunc("/livez", livez)
	mux.HandleFunc("/readyz", p.readyz)
	mux.HandleFunc("/ha", standings{cfg}.serve)
	mux.HandleFunc("/management/check/ready", p.checkReady)
	mux.Handle("/metrics", scrape(deps.Metrics, deps.Logger))
	mux.Handle("/metrics_default", scrape(deps.Runtime, deps.Logger))
	mux.Handle("/log/level", levelHandler(deps.Level, deps.Logger))
	if deps.WebUI != nil {
		mux.Handle("/webui/", deps.WebUI)
	}
	if cfg.EnablePprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func scrape(g prometheus.Gatherer, logger *zap.Logger) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorLog:      zap.NewStdLog(logger),
		ErrorHandling: promhttp.ContinueOnError, // one broken collector does not hide the others
	})
}

// levelHandler is zap's own, whose answers are Milvus', and says in the log what was changed.
func levelHandler(level zap.AtomicLevel, logger *zap.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := level.Level()
		level.ServeHTTP(w, r)
		if after := level.Level(); after != before {
			logger.Warn("log level changed", zap.Stringer("from", before), zap.Stringer("to", after), zap.String("by", r.RemoteAddr))
		}
	})
}
