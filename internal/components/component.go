package components

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/rpc/listen"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// MilvusVersion is the release whose protocol and layout the coordinators speak; sessions carry it.
const MilvusVersion = "2.5.6"

// Build is what a binary says about itself.
type Build struct {
	Version string // of this product
	Milvus  string // of the Milvus line whose protocol is spoken, as sessions carry it
	Commit  string
	Time    string
}

// process is what every role of a process works with.
type process struct {
	cfg     *config.Config
	report  *config.Report
	logging *log.Logging
	log     *zap.Logger
	build   Build
	metrics *metrics.Metrics
	client  *clientv3.Client
	dial    []grpc.DialOption
}

// role says how one role differs from the others.
type role struct {
	name       string
	section    string // in milvus.yaml
	settings   func(*config.Config) *config.Coord
	companions []string
	services   func(*rpc.Component) []rpc.Service
	construct  func(p process) (coord.Role, error)
	started    func(*zap.Logger) // logs the documented last line of a start
}

// Roles names the roles that Run knows.
func Roles() []string { return []string{rpc.RootCoord, rpc.DataCoord, rpc.QueryCoord} }

func lookup(name string) (role, error) {
	for _, r := range []role{rootCoord(), dataCoord(), queryCoord()} {
		if r.name == name {
			return r, nil
		}
	}
	return role{}, fmt.Errorf("unknown role %q", name)
}

// Run runs a role until ctx ends, and then stops in order: calls under way are answered, the role is given back, the
// ports are closed. It returns nil then. An error tells why the process cannot go on.
func Run(ctx context.Context, name string, cfg *config.Config, report *config.Report, logging *log.Logging, build Build) error {
	r, err := lookup(name)
	if err != nil {
		return err
	}
	p := process{
		cfg: cfg, report: report, logging: logging, log: logging.Logger, build: build,
		metrics: metrics.New(metrics.Build{Version: build.Version, Commit: build.Commit, Time: build.Time}),
	}
	settings := r.settings(cfg)
	serverTLS, err := p.prepareTLS()
	if err != nil {
		return err
	}
	grpcListener, err := listen.TCP(ctx, "", settings.ListenPort, listen.Setting{Key: r.section + ".port"})
	if err != nil {
		return err
	}
	defer grpcListener.Close() //nolint:errcheck // closed by its server, normally
	httpListener, err := opshttp.Listen(ctx, cfg.HTTP.Port, cfg.HTTP.PortSet, p.log)
	if err != nil {
		return err
	}
	defer httpListener.Close() //nolint:errcheck // likewise

	etcd := etcdConfig(cfg)
	if p.client, err = etcdutil.Dial(ctx, etcd); err != nil {
		return err
	}
	defer p.client.Close() //nolint:errcheck // nothing is in flight
	members, err := etcdutil.DialEach(ctx, etcd)
	if err != nil {
		return err
	}
	defer members.Close() //nolint:errcheck // likewise

	m := &member{
		role: r, process: p, settings: settings, members: members, serverTLS: serverTLS,
		grpcListener: grpcListener, httpListener: httpListener,
	}
	return m.run(ctx)
}

func (p *process) prepareTLS() (*tls.Config, error) {
	var server, client *tls.Config
	if t := p.cfg.InternalTLS; t.Enabled {
		var err error
		if server, err = rpc.ServerTLS(t.ServerPemPath, t.ServerKeyPath); err != nil {
			return nil, err
		}
		if client, err = rpc.ClientTLS(t.CaPemPath, t.SNI); err != nil {
			return nil, err
		}
	}
	p.dial = rpc.DialOptions(rpc.ClientConfig{
		KeepAliveTime: p.cfg.GRPC.KeepAliveTime, KeepAliveTimeout: p.cfg.GRPC.KeepAliveTimeout, TLS: client,
	})
	return server, nil
}

// DialEtcd makes a client of the configuration's etcd.
func DialEtcd(ctx context.Context, cfg *config.Config) (*clientv3.Client, error) {
	return etcdutil.Dial(ctx, etcdConfig(cfg))
}

func etcdConfig(cfg *config.Config) etcdutil.Config {
	e := cfg.Etcd
	c := etcdutil.Config{
		Endpoints: e.Endpoints,
		TLS: etcdutil.TLSConfig{
			Enabled: e.SSL.Enabled, CertFile: e.SSL.TLSCert, KeyFile: e.SSL.TLSKey, CAFile: e.SSL.TLSCACert, MinVersion: e.SSL.TLSMinVersion,
		},
	}
	if e.Auth.Enabled {
		c.User, c.Password = e.Auth.UserName, e.Auth.Password
	}
	return c
}

// member is one role of a process, with what it listens on.
type member struct {
	role
	process
	settings     *config.Coord
	members      *etcdutil.Members
	serverTLS    *tls.Config
	grpcListener net.Listener
	httpListener net.Listener

	serverID   atomic.Int64
	registered atomic.Bool
	address    atomic.Pointer[string]
	tables     atomic.Pointer[coord.Role]
	standing   atomic.Pointer[standing]
}

// portsStop bounds the closing of the ports, when the role has been given back.
const portsStop = 2 * time.Second

func (m *member) run(ctx context.Context) error {
	none := ""
	m.address.Store(&none)
	m.standing.Store(&standing{since: time.Now()})
	component := rpc.NewComponent(m.componentConfig())
	gate, err := rpc.NewSwitch(rpc.SwitchConfig{Component: component, Services: m.services(component), Metrics: m.metrics})
	if err != nil {
		return err
	}
	server := rpc.NewServer(rpc.ServerConfig{
		Cluster: m.cfg.Cluster, MaxRecvSize: m.settings.ServerMaxRecvSize, MaxSendSize: m.settings.ServerMaxSendSize,
		TLS: m.serverTLS, Logger: m.log,
	}, gate)
	status := func() []opshttp.RoleStatus {
		now := m.standing.Load()
		return []opshttp.RoleStatus{{
			Name: m.name, State: component.State(), ServerID: m.registeredID(), Registered: m.registered.Load(), Loaded: m.isLoaded(),
			Term: now.term, Since: now.since,
		}}
	}
	page, err := m.statusPage(m.members, status)
	if err != nil {
		return err
	}
	web := opshttp.New(opshttp.Config{
		EnablePprof: m.cfg.HTTP.EnablePprof, Version: m.build.Version, CatchUp: m.catchUp, Status: status,
	}, opshttp.Deps{Metrics: m.metrics.Registry, Runtime: m.metrics.Runtime, Level: m.logging.Level, Logger: m.log, WebUI: page})
	m.log.Info("listening", zap.String("role", m.name), zap.Stringer("grpc", m.grpcListener.Addr()),
		zap.Stringer("http", m.httpListener.Addr()), zap.Strings("etcd", m.cfg.Etcd.Endpoints))

	// The ports are open from before the first registration until after the role has been given back: to a standby, a port
	// that refuses is a process that is dead.
	ports, closePorts := context.WithCancel(context.WithoutCancel(ctx))
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(m.grpcListener) })
	group.Go(func() error { return web.Run(ports, m.httpListener) })
	group.Go(func() error {
		err := m.coordinate(groupCtx, gate)
		bound, cancel := context.WithTimeout(ports, portsStop)
		defer cancel()
		defer closePorts()
		return errors.Join(err, ignoreTimeout(server.Stop(bound)))
	})
	return group.Wait()
}

// ignoreTimeout: clients that keep a call open do not make a stop fail.
func ignoreTimeout(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// coordinate registers and serves until ctx ends.
func (m *member) coordinate(ctx context.Context, gate *rpc.Switch) error {
	id, err := sessionutil.AllocServerID(ctx, m.client, m.cfg.Etcd.MetaRoot())
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while etcd was away
		}
		return err
	}
	session, err := m.session(id)
	if err != nil {
		return err
	}
	tables, err := m.construct(m.process)
	if err != nil {
		return err
	}
	m.tables.Store(&tables)
	m.serverID.Store(id)
	return coord.New(coord.Config{DrainTimeout: m.settings.GracefulStopTimeout}, coord.Deps{
		Role:         tables,
		Session:      session,
		Gate:         gate,
		Historian:    coord.NewHistory(m.client, m.cfg.Etcd.MetaRoot()),
		Metrics:      observer{m.metrics, id, &m.standing},
		Logger:       m.log,
		Started:      func() { m.started(m.log) },
		OnRegistered: func() { m.registered.Store(true) },
	}).Run(ctx)
}

func (m *member) session(id int64) (*sessionutil.Session, error) {
	local, err := etcdutil.LocalIP(m.cfg.Etcd.Endpoints[0])
	if err != nil {
		return nil, err
	}
	grpcPort, httpPort := portOf(m.grpcListener), portOf(m.httpListener)
	host, port := m.settings.AdvertiseHost, m.settings.AdvertisePort
	if m.settings.AdvertiseLocal() {
		host = local
	}
	if port == 0 {
		port = grpcPort
	}
	hostName, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this host's name: %w", err)
	}
	address := join(host, port)
	m.address.Store(&address)
	s := m.cfg.Session
	return sessionutil.New(sessionutil.Config{
		MetaRoot: m.cfg.Etcd.MetaRoot(), Role: m.name, Companions: m.companions,
		ServerID: id, Address: address, HostName: hostName, Version: m.build.Milvus, Binary: m.build.Version, HTTP: join(local, httpPort),
		Direct:  []string{join(local, grpcPort), join(local, httpPort)},
		Standby: m.settings.ActiveStandby, TTL: s.TTL, RetryTimes: s.RetryTimes,
		FastFailover: s.FastFailover, Heartbeat: config.Heartbeat, ServeWindow: s.ServeWindow, SilenceTimeout: s.SilenceTimeout,
	}, sessionutil.Deps{Client: m.client, Members: m.members, Dial: m.dial, Logger: m.log, Metrics: m.metrics})
}

func (m *member) componentConfig() rpc.ComponentConfig {
	prefix := func(name string) string { return m.cfg.Cluster + "-" + name }
	c := rpc.ComponentConfig{
		Role: m.name, ServerID: m.registeredID, Address: func() string { return *m.address.Load() }, Started: time.Now(),
		Build: rpc.Build{Version: m.build.Milvus, Commit: m.build.Commit, Time: m.build.Time, DeployMode: "DISTRIBUTED"},
	}
	switch m.name {
	case rpc.RootCoord:
		c.TimeTickChannel, c.StatisticsChannel = prefix(m.cfg.Channels.RootCoordTimeTick), prefix(m.cfg.Channels.RootCoordStatistics)
	case rpc.DataCoord:
		c.TimeTickChannel, c.SegmentInfoChannel = prefix(m.cfg.Channels.DataCoordTimeTick), prefix(m.cfg.Channels.DataCoordSegmentInfo)
	case rpc.QueryCoord:
		c.TimeTickChannel = prefix(m.cfg.Channels.QueryTimeTick)
	}
	for _, e := range m.report.Entries {
		c.Settings = append(c.Settings, rpc.Setting{Key: e.Key, Value: e.Value})
	}
	return c
}

// registeredID is the server id once the session is in etcd, else 0.
func (m *member) registeredID() int64 {
	if !m.registered.Load() {
		return 0
	}
	return m.serverID.Load()
}

func (m *member) isLoaded() bool {
	tables := m.tables.Load()
	if tables == nil {
		return false
	}
	select {
	case <-(*tables).Loaded():
		return true
	default:
		return false
	}
}

// catchUp waits for the role's tables; 0 before there are any.
func (m *member) catchUp(ctx context.Context, _ string, revision int64) int64 {
	tables := m.tables.Load()
	if tables == nil {
		return 0
	}
	return (*tables).CatchUp(ctx, revision)
}

func portOf(l net.Listener) int {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
