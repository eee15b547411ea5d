package components

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/etcdembed"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// store is the etcd of a process, its own or that of the cluster.
type store struct {
	config    etcdutil.Config
	endpoints []string
	client    *clientv3.Client
	members   *etcdutil.Members // one client a member
	embedded  *etcdembed.Server // nil: the cluster's
}

// openStore dials etcd, after it has started the one that a standalone carries.
func openStore(ctx context.Context, server Server, cfg *config.Config, m *metrics.Metrics, logger *zap.Logger) (s *store, err error) {
	s = &store{endpoints: cfg.Etcd.Endpoints}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	embed, err := embeds(server, cfg.Etcd)
	if err != nil {
		return s, err
	}
	if embed {
		if s.embedded, err = startEtcd(ctx, cfg.Etcd, logger); err != nil {
			return s, err
		}
		s.endpoints = []string{s.embedded.Address()}
	}
	etcd := etcdConfig(cfg, s.endpoints)
	s.config = etcd
	if s.client, err = etcdutil.Dial(ctx, watchEtcd(m, etcd, true)); err != nil {
		return s, err
	}
	s.members, err = etcdutil.DialEach(ctx, watchEtcd(m, etcd, false))
	return s, err
}

// Close ends the connections, and an embedded etcd after them: nothing of ours may be in flight.
func (s *store) Close() error {
	var errs []error
	if s.members != nil {
		errs = append(errs, s.members.Close())
	}
	if s.client != nil {
		errs = append(errs, s.client.Close())
	}
	if s.embedded != nil {
		errs = append(errs, s.embedded.Close())
	}
	return errors.Join(errs...)
}

// etcdPatience is how long a start waits for etcd before it says why it waits.
const etcdPatience = 2 * time.Second

// complain says why etcd does not answer, if it does not. Whether it ever does is not decided here.
func (s *store) complain(ctx context.Context, logger *zap.Logger) {
	bound, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	_, err := s.client.Get(bound, "health") // as Milvus does; it need not be there
	if ctx.Err() != nil || !etcdutil.IsUnavailable(err) {
		return
	}
	for _, endpoint := range s.endpoints {
		why, remedy := s.config.Explain(ctx, endpoint, err, etcdPatience)
		logger.Warn("etcd does not answer", zap.String("endpoint", endpoint), zap.String("why", why), zap.String("todo", remedy))
	}
}

// watch returns an error when an embedded etcd has stopped by itself, and nil when ctx ends.
func (s *store) watch(ctx context.Context) error {
	if s.embedded == nil {
		return nil
	}
	return s.embedded.Wait(ctx)
}

// embeds tells whether a server carries an etcd. A standalone does unless it is told of another one.
func embeds(server Server, etcd config.Etcd) (bool, error) {
	standalone := server.Name == Standalone
	switch etcd.Embed.Use {
	case "true":
		if !standalone {
			return false, fmt.Errorf("etcd.use.embed (ETCD_USE_EMBED) is true, but only %s carries an etcd; %s needs one at etcd.endpoints: "+
				"set ETCD_USE_EMBED=false for it", Standalone, server.Name)
		}
		return true, nil
	case "false":
		return false, nil
	}
	return standalone && !etcd.EndpointsSet, nil
}

func startEtcd(ctx context.Context, etcd config.Etcd, logger *zap.Logger) (*etcdembed.Server, error) {
	dir, err := filepath.Abs(etcd.Embed.DataDir)
	if err != nil {
		return nil, fmt.Errorf("etcd.data.dir: %w", err)
	}
	server, err := etcdembed.Start(ctx, etcdembed.Config{
		Dir: dir, Address: etcd.Embed.Address, Settings: etcd.Embed.ConfigPath, TLS: etcd.SSL.Enabled,
		Logger: log.Mark(logger, zap.String("component", "etcd")),
	})
	if err != nil {
		return nil, err
	}
	logger.Info("the embedded etcd is ready", zap.String("address", server.Address()), zap.String("dataDir", dir))
	if !etcd.Auth.Enabled && !etcd.SSL.Enabled && !isLoopback(server.Address()) {
		logger.Warn("the embedded etcd takes everybody who reaches it, from other hosts too; see etcd.embed.address",
			zap.String("address", server.Address()))
	}
	return server, nil
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// maxAnswer bounds the memory of a command: a range whose values are larger is read in parts.
const maxAnswer = 32 << 20

// DialEtcd makes a client of the configuration's etcd, for a command.
func DialEtcd(ctx context.Context, cfg *config.Config) (*clientv3.Client, error) {
	return etcdutil.Dial(ctx, EtcdConfig(cfg))
}

// EtcdConfig is how a command reaches the configuration's etcd.
func EtcdConfig(cfg *config.Config) etcdutil.Config {
	c := etcdConfig(cfg, cfg.Etcd.Endpoints)
	c.MaxAnswer = maxAnswer
	return c
}

func etcdConfig(cfg *config.Config, endpoints []string) etcdutil.Config {
	e := cfg.Etcd
	c := etcdutil.Config{
		Endpoints: endpoints,
		TLS: etcdutil.TLSConfig{
			Enabled: e.SSL.Enabled, CertFile: e.SSL.TLSCert, KeyFile: e.SSL.TLSKey, CAFile: e.SSL.TLSCACert, MinVersion: e.SSL.TLSMinVersion,
		},
	}
	if e.Auth.Enabled {
		c.User, c.Password = e.Auth.UserName, e.Auth.Password
	}
	return c
}
