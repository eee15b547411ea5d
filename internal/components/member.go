package components

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/rpc/listen"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// role says how one role differs from the others.
type role struct {
	name       string
	section    string // in milvus.yaml
	settings   func(*config.Config) *config.Coord
	companions []string
	services   func(*rpc.Component) []rpc.Service
	construct  func(p *process, log *zap.Logger) (coord.Role, error)
	started    func(*zap.Logger) // logs the documented last line of a start
}

func lookup(name string) (role, error) {
	for _, r := range []role{rootCoord(), dataCoord(), queryCoord()} {
		if r.name == name {
			return r, nil
		}
	}
	return role{}, fmt.Errorf("unknown role %q", name)
}

func (r role) listen(ctx context.Context, cfg *config.Config) (net.Listener, error) {
	return listen.TCP(ctx, "", r.settings(cfg).ListenPort, listen.Setting{Key: r.section + ".port"})
}

// member is one role in a process, with a gRPC port, a session and an election of its own. What becomes of one member
// does not concern the others, unless the whole process has to end.
type member struct {
	role
	p         *process
	settings  *config.Coord
	log       *zap.Logger // names the role in a process of several
	listener  net.Listener
	component *rpc.Component
	gate      *rpc.Switch
	server    *rpc.Server

	serverID   atomic.Int64
	registered atomic.Bool
	address    atomic.Pointer[string]
	tables     atomic.Pointer[coord.Role]
	standing   atomic.Pointer[standing]
}

func newMember(p *process, name string, listener net.Listener) (*member, error) {
	r, err := lookup(name)
	if err != nil {
		return nil, err
	}
	m := &member{role: r, p: p, settings: r.settings(p.cfg), log: p.log, listener: listener}
	if len(p.server.Roles) > 1 {
		m.log = log.Mark(p.log, zap.String("component", name))
	}
	none := ""
	m.address.Store(&none)
	m.standing.Store(&standing{since: time.Now()})
	m.component = rpc.NewComponent(m.componentConfig())
	m.gate, err = rpc.NewSwitch(rpc.SwitchConfig{Component: m.component, Services: m.services(m.component), Metrics: m.p.metrics})
	if err != nil {
		return nil, err
	}
	m.server = rpc.NewServer(rpc.ServerConfig{
		Cluster: m.p.cfg.Cluster, MaxRecvSize: m.settings.ServerMaxRecvSize, MaxSendSize: m.settings.ServerMaxSendSize,
		TLS: m.p.tls, Logger: m.log,
	}, m.gate)
	return m, nil
}

// coordinate registers and serves under a ServerID until ctx ends.
func (m *member) coordinate(ctx context.Context, id int64) error {
	session, err := m.session(id)
	if err != nil {
		return err
	}
	tables, err := m.construct(m.p, m.log)
	if err != nil {
		return err
	}
	m.tables.Store(&tables)
	m.serverID.Store(id)
	m.p.metrics.RoleKnown(m.name, m.settings.ActiveStandby, sessionutil.Reasons(), sessionutil.Losses())
	return coord.New(coord.Config{DrainTimeout: m.settings.GracefulStopTimeout}, coord.Deps{
		Role:         tables,
		Session:      session,
		Gate:         m.gate,
		Historian:    coord.NewHistory(m.p.store.client, m.p.cfg.Etcd.MetaRoot()),
		Metrics:      observer{m.p.metrics, id, &m.standing, m.p.labels},
		Logger:       m.log,
		Started:      func() { m.started(m.log) },
		Revision:     etcdRevision(m.p.store.client, m.p.cfg.Etcd.MetaRoot()),
		OnRegistered: func() { m.registered.Store(true) },
	}).Run(ctx)
}

func (m *member) session(id int64) (*sessionutil.Session, error) {
	local, err := etcdutil.LocalIP(m.p.store.endpoints[0])
	if err != nil {
		return nil, err
	}
	grpcPort, httpPort := portOf(m.listener), portOf(m.p.http)
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
	s := m.p.cfg.Session
	return sessionutil.New(sessionutil.Config{
		MetaRoot: m.p.cfg.Etcd.MetaRoot(), Role: m.name, Companions: m.companions,
		ServerID: id, Address: address, HostName: hostName, Version: m.p.build.Milvus, Binary: m.p.build.Version, HTTP: join(local, httpPort),
		Direct:  []string{join(local, grpcPort), join(local, httpPort)},
		Standby: m.settings.ActiveStandby, TTL: s.TTL, RetryTimes: s.RetryTimes,
		FastFailover: s.FastFailover, Heartbeat: config.Heartbeat, ServeWindow: s.ServeWindow, SilenceTimeout: s.SilenceTimeout,
	}, sessionutil.Deps{Client: m.p.store.client, Members: m.p.store.members, Dial: m.p.dial, Logger: m.log, Metrics: m.p.metrics})
}

func (m *member) componentConfig() rpc.ComponentConfig {
	prefix := func(name string) string { return m.p.cfg.Cluster + "-" + name }
	c := rpc.ComponentConfig{
		Role: m.name, ServerType: m.p.server.Type, ServerID: m.registeredID,
		Address: func() string { return *m.address.Load() }, Started: time.Now(),
		Build: rpc.Build{
			Version: m.p.build.Milvus, Commit: m.p.build.Commit, Time: m.p.build.Time, DeployMode: m.p.server.deployMode(),
		},
	}
	switch m.name {
	case rpc.RootCoord:
		c.TimeTickChannel, c.StatisticsChannel = prefix(m.p.cfg.Channels.RootCoordTimeTick), prefix(m.p.cfg.Channels.RootCoordStatistics)
	case rpc.DataCoord:
		c.TimeTickChannel, c.SegmentInfoChannel = prefix(m.p.cfg.Channels.DataCoordTimeTick), prefix(m.p.cfg.Channels.DataCoordSegmentInfo)
	case rpc.QueryCoord:
		c.TimeTickChannel = prefix(m.p.cfg.Channels.QueryTimeTick)
	}
	for _, e := range m.p.report.Entries {
		c.Settings = append(c.Settings, rpc.Setting{Key: e.Key, Value: e.Value})
	}
	return c
}

// status is what the HTTP port says about the role.
func (m *member) status() opshttp.RoleStatus {
	now := m.standing.Load()
	return opshttp.RoleStatus{
		Name: m.name, State: m.component.State(), ServerID: m.registeredID(), Registered: m.registered.Load(), Loaded: m.isLoaded(),
		Overdue: m.gate.Overdue(), Term: now.term, Since: now.since,
	}
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
func (m *member) catchUp(ctx context.Context, revision int64) int64 {
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
