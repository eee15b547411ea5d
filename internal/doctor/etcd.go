package doctor

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
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
	if _, err := e.Etcd.TLS.Load(); err != nil {
		return err
	}
	e.endpoints = make([]endpoint, len(e.Etcd.Endpoints))
	var asked sync.WaitGroup
	for i, address := range e.Etcd.Endpoints {
		p := &e.endpoints[i]
		p.address = address
		asked.Go(func() {
			if p.err = e.askEndpoint(ctx, p); p.err != nil {
				p.detail, p.do = e.Etcd.Explain(ctx, p.address, p.err, e.Patience)
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
