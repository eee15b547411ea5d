package components

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/kubelabel"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// process is what the roles of a process share: configuration, etcd, metrics, log, one HTTP port.
type process struct {
	server  Server
	cfg     *config.Config
	report  *config.Report
	logging *log.Logging
	log     *zap.Logger
	build   Build
	metrics *metrics.Metrics
	tls     *tls.Config       // of the gRPC servers; nil for plain text
	dial    []grpc.DialOption // how other coordinators are dialled
	http    net.Listener
	store   *store
	labels  *kubelabel.Labeller // nil outside of Kubernetes
}

// Run runs a server until ctx ends, and then stops in order: role by role, calls under way are answered and the role is
// given back; then the ports are closed, and an embedded etcd last. It returns nil then. An error tells why the process
// cannot go on.
func Run(ctx context.Context, server Server, cfg *config.Config, report *config.Report, logging *log.Logging, build Build) (err error) {
	p := &process{
		server: server, cfg: cfg, report: report, logging: logging, log: logging.Logger, build: build,
		metrics: metrics.New(metrics.Build{Version: build.Version, Commit: build.Commit, Time: build.Time}),
	}
	if err := p.prepareTLS(); err != nil {
		return err
	}
	if p.labels, err = newLabeller(p); err != nil {
		return err
	}
	grpcListeners, err := p.listen(ctx)
	defer closeAll(grpcListeners)
	if err != nil {
		return err
	}
	if p.http, err = opshttp.Listen(ctx, cfg.HTTP.Port, cfg.HTTP.PortSet, p.log); err != nil {
		return err
	}
	defer p.http.Close() //nolint:errcheck // closed by its server, normally

	if p.store, err = openStore(ctx, server, cfg, p.metrics, p.log); err != nil {
		if ctx.Err() != nil {
			return nil // stopped while etcd was away, or coming up
		}
		return err
	}
	defer func() { err = errors.Join(err, p.store.Close()) }()

	members := make([]*member, len(server.Roles))
	for i, name := range server.Roles {
		if members[i], err = newMember(p, name, grpcListeners[i]); err != nil {
			return err
		}
	}
	return p.run(ctx, members)
}

func (p *process) prepareTLS() error {
	var client *tls.Config
	if t := p.cfg.InternalTLS; t.Enabled {
		var err error
		if p.tls, err = rpc.ServerTLS(t.ServerPemPath, t.ServerKeyPath); err != nil {
			return err
		}
		if client, err = rpc.ClientTLS(t.CaPemPath, t.SNI); err != nil {
			return err
		}
	}
	p.dial = rpc.DialOptions(rpc.ClientConfig{
		KeepAliveTime: p.cfg.GRPC.KeepAliveTime, KeepAliveTimeout: p.cfg.GRPC.KeepAliveTimeout, TLS: client,
	})
	return nil
}

// listen opens the gRPC port of each role. What it opened is returned even with an error.
func (p *process) listen(ctx context.Context) ([]net.Listener, error) {
	var opened []net.Listener
	for _, name := range p.server.Roles {
		r, err := lookup(name)
		if err != nil {
			return opened, err
		}
		l, err := r.listen(ctx, p.cfg)
		if err != nil {
			return opened, err
		}
		opened = append(opened, l)
	}
	return opened, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // closed by its server, normally
	}
}

// portsStop bounds the closing of the ports, when the roles have been given back.
const portsStop = 2 * time.Second

// run opens the ports and lets the members coordinate. The ports are open from before the first registration until after
// the last role has been given back: to a standby, a port that refuses is a process that is dead.
func (p *process) run(ctx context.Context, members []*member) error {
	web, err := p.web(members)
	if err != nil {
		return err
	}
	ports, closePorts := context.WithCancel(context.WithoutCancel(ctx))
	group, groupCtx := errgroup.WithContext(ctx)
	for _, m := range members {
		p.log.Info("listening", zap.String("role", m.name), zap.Stringer("grpc", m.listener.Addr()),
			zap.Stringer("http", p.http.Addr()), zap.Strings("etcd", p.store.endpoints))
		group.Go(func() error { return m.server.Serve(m.listener) })
	}
	group.Go(func() error { return web.Run(ports, p.http) })
	if p.labels != nil {
		group.Go(func() error { p.labels.Run(ports); return nil })
	}
	group.Go(func() error { return p.store.watch(ports) })
	group.Go(func() error {
		defer closePorts()
		err := p.coordinate(groupCtx, members)
		bound, cancel := context.WithTimeout(ports, portsStop)
		defer cancel()
		return errors.Join(err, stopServers(bound, members))
	})
	return group.Wait()
}

// web is the HTTP server of all roles.
func (p *process) web(members []*member) (*opshttp.Server, error) {
	status := func() []opshttp.RoleStatus {
		all := make([]opshttp.RoleStatus, len(members))
		for i, m := range members {
			all[i] = m.status()
		}
		return all
	}
	page, err := p.statusPage(status)
	if err != nil {
		return nil, err
	}
	return opshttp.New(opshttp.Config{
		EnablePprof: p.cfg.HTTP.EnablePprof, Version: p.build.Version, Status: status,
		CatchUp: func(ctx context.Context, role string, revision int64) int64 {
			for _, m := range members {
				if m.name == role {
					return m.catchUp(ctx, revision)
				}
			}
			return 0
		},
	}, opshttp.Deps{Metrics: p.metrics.Registry, Runtime: p.metrics.Runtime, Level: p.logging.Level, Logger: p.log, WebUI: page}), nil
}

// coordinate takes the ServerID of the process and runs the members under it, until ctx ends or one of them cannot go on.
// Then it stops them one after the other, the last one first: a coordinator goes before those that it calls.
func (p *process) coordinate(ctx context.Context, members []*member) error {
	p.store.complain(ctx, p.log)
	id, err := sessionutil.AllocServerID(ctx, p.store.client, p.cfg.Etcd.MetaRoot(), p.log)
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while etcd was away
		}
		return err
	}
	until, giveUp := context.WithCancel(ctx)
	defer giveUp()
	stops := make([]func(), len(members))
	results := make([]chan error, len(members))
	for i, m := range members {
		life, end := context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		stops[i], results[i] = end, make(chan error, 1)
		go func() { // ends before coordinate does: its result is waited for
			defer giveUp()
			results[i] <- m.coordinate(life, id)
		}()
	}
	<-until.Done()
	var failed []error
	for i := len(members) - 1; i >= 0; i-- {
		stops[i]()
		failed = append(failed, <-results[i])
	}
	return errors.Join(failed...)
}

// stopServers closes the gRPC ports. Clients that keep a call open do not make a stop fail.
func stopServers(ctx context.Context, members []*member) error {
	group := &errgroup.Group{}
	for _, m := range members {
		group.Go(func() error {
			err := m.server.Stop(ctx)
			if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}
