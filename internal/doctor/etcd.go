package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// endpoint is one of etcd.endpoints, and what it answered.
type endpoint struct {
	address string
	client  *clientv3.Client // nil if it could not be had
	status  *clientv3.StatusResponse
	reads   []time.Duration // linearizable ones, ascending
	err     error           // why it did not answer
	detail  string          // the same in words
	do      string
}

// cluster is what any of the endpoints knows of all.
type cluster struct {
	members  []*etcdserverpb.Member
	alarms   []*etcdserverpb.AlarmMember
	writes   []time.Duration // ascending
	writeErr error
	err      error
}

// probes is how many reads and writes are measured.
const probes = 9

// askEtcd asks every endpoint by itself, all at once, and then one of them about the cluster.
func (e *exam) askEtcd(ctx context.Context) error {
	tlsConfig, err := e.Etcd.TLS.Load()
	if err != nil {
		return err
	}
	e.endpoints = make([]endpoint, len(e.Etcd.Endpoints))
	var asked sync.WaitGroup
	for i, address := range e.Etcd.Endpoints {
		p := &e.endpoints[i]
		p.address = address
		asked.Go(func() {
			if p.err = e.askEndpoint(ctx, p); p.err != nil {
				p.detail, p.do = explain(ctx, p.address, p.err, tlsConfig, e.Patience)
			}
		})
	}
	asked.Wait()
	if client := e.client(); client != nil {
		e.cluster = e.askCluster(ctx, client)
	}
	return nil
}

// client is that of the first endpoint that answered; nil if none did.
func (e *exam) client() *clientv3.Client {
	for _, p := range e.endpoints {
		if p.err == nil {
			return p.client
		}
	}
	return nil
}

func (e *exam) hangUp() {
	for _, p := range e.endpoints {
		if p.client != nil {
			_ = p.client.Close() // nothing is in flight
		}
	}
}

func (e *exam) askEndpoint(ctx context.Context, p *endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	cfg := e.Etcd
	cfg.Endpoints = []string{p.address}
	client, err := etcdutil.Dial(ctx, cfg)
	if err != nil {
		return err
	}
	p.client = client
	if p.status, err = client.Status(ctx, p.address); err != nil {
		return err
	}
	for range probes {
		began := time.Now()
		if _, err := client.Get(ctx, e.MetaRoot+"/session/id"); err != nil {
			return err
		}
		p.reads = append(p.reads, time.Since(began))
	}
	slices.Sort(p.reads)
	return nil
}

func (e *exam) askCluster(ctx context.Context, client *clientv3.Client) (c cluster) {
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	members, err := client.MemberList(ctx)
	if err != nil {
		c.err = fmt.Errorf("list the members: %w", err)
		return c
	}
	c.members = members.Members
	alarms, err := client.AlarmList(ctx)
	if err != nil {
		c.err = fmt.Errorf("list the alarms: %w", err)
		return c
	}
	c.alarms = alarms.Alarms
	c.writes, c.writeErr = e.timeWrites(ctx, client)
	return c
}

// timeWrites puts a key that goes away by itself, should this process not come to delete it.
func (e *exam) timeWrites(ctx context.Context, client *clientv3.Client) (took []time.Duration, err error) {
	lease, err := client.Grant(ctx, 30)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, revoked := client.Revoke(context.WithoutCancel(ctx), lease.ID)
		if err == nil {
			err = revoked
		}
	}()
	key := fmt.Sprintf("%s/ha/doctor/%x", e.MetaRoot, int64(lease.ID))
	for range probes {
		began := time.Now()
		if _, err := client.Put(ctx, key, "", clientv3.WithLease(lease.ID)); err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took, nil
}

// explain finds out why an endpoint did not answer: the client library says only that time ran out.
func explain(ctx context.Context, address string, err error, tlsConfig *tls.Config, patience time.Duration) (detail, do string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch {
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return "it refuses the user: " + err.Error(), "correct etcd.auth.userName and etcd.auth.password, or etcd.auth.enabled"
	case errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrInvalidAuthToken):
		return "it wants a user and a password", "set etcd.auth.enabled, etcd.auth.userName and etcd.auth.password"
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return "the user may not read the root path", "grant the user of etcd.auth.userName read and write on etcd.rootPath"
	}
	conn, dialed := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if dialed != nil {
		return dialed.Error(), "start etcd there, open the way to it, or correct etcd.endpoints"
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that is gone says so itself
	}
	if tlsConfig == nil {
		if tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) == nil { //nolint:gosec // nothing is trusted, only asked
			return "it speaks TLS, and this configuration does not", "set etcd.ssl.enabled, and etcd.ssl.tlsCACert if its certificate is your own"
		}
		return "it is reached, but does not answer: " + err.Error(), "look into that member's log: it may have no leader, or be no etcd"
	}
	cfg := tlsConfig.Clone()
	cfg.ServerName, _, _ = strings.Cut(address, ":")
	if shaken := tls.Client(conn, cfg).HandshakeContext(ctx); shaken != nil {
		return "no TLS with it: " + shaken.Error(), "correct etcd.ssl.tlsCACert, etcd.ssl.tlsCert and etcd.ssl.tlsKey, or etcd.ssl.enabled if it speaks none"
	}
	return "it is reached over TLS, but does not answer: " + err.Error(),
		"if it wants a client's certificate, set etcd.ssl.tlsCert and etcd.ssl.tlsKey; else look into that member's log"
}
