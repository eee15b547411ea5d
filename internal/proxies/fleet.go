package proxies

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/metatable"
)

// DefaultTimeout is enough for a proxy that is alive and little for a DDL that waits for one that is not.
const DefaultTimeout = 3 * time.Second

// Config describes a fleet.
type Config struct {
	Client   *clientv3.Client
	MetaRoot string            // <etcd.rootPath>/<etcd.metaSubPath>
	Cluster  string            // msgChannel.chanNamePrefix.cluster; a proxy of another cluster refuses the call
	Dial     []grpc.DialOption // how processes of this cluster are dialled; see rpc.DialOptions
	Timeout  time.Duration     // of one call to one proxy; DefaultTimeout if 0
	Logger   *zap.Logger
}

// Fleet is the proxies of a cluster. Safe for concurrent use.
type Fleet struct {
	cfg      Config
	follower *metatable.Follower

	mu      sync.RWMutex
	members map[string]*member // by key in etcd
	changed chan struct{}      // closed when the ids are others
	closed  bool               // Run has returned
}

// New makes a fleet. It does no I/O.
func New(cfg Config) (*Fleet, error) {
	if cfg.Client == nil || cfg.MetaRoot == "" || cfg.Logger == nil {
		return nil, errors.New("proxies: Client, MetaRoot and Logger are required")
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultTimeout)
	f := &Fleet{cfg: cfg, members: map[string]*member{}, changed: make(chan struct{})}
	f.follower = metatable.New(metatable.Config{
		Name: "proxies", Client: cfg.Client, Prefixes: []string{cfg.MetaRoot + "/session/"},
		State: (*sessions)(f), Logger: cfg.Logger,
	})
	return f, nil
}

// Run follows the sessions until ctx ends, and returns nil then. It owns the connections: they are closed when it
// returns. Run may be called once.
func (f *Fleet) Run(ctx context.Context) error {
	err := f.follower.Run(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, m := range f.members {
		m.hangUp()
	}
	return err
}

// Loaded is closed when the sessions have been read once.
func (f *Fleet) Loaded() <-chan struct{} { return f.follower.Loaded() }

// Barrier waits until the fleet holds what was registered at revision.
func (f *Fleet) Barrier(ctx context.Context, revision int64) error {
	return f.follower.Barrier(ctx, revision)
}

// IDs are the proxies' server ids, in order.
func (f *Fleet) IDs() []int64 {
	ids, _ := f.Watch()
	return ids
}

// Watch returns the ids at this moment and a channel that is closed when they are others. Calling it in a loop misses
// no lasting change, however slow the loop is; see Diff.
func (f *Fleet) Watch() (ids []int64, changed <-chan struct{}) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	ids = make([]int64, 0, len(f.members))
	for _, m := range f.members {
		ids = append(ids, m.id)
	}
	slices.Sort(ids)
	return ids, f.changed
}

// Diff tells which ids came and which went between two ordered lists.
func Diff(before, after []int64) (added, removed []int64) {
	for _, id := range after {
		if _, found := slices.BinarySearch(before, id); !found {
			added = append(added, id)
		}
	}
	for _, id := range before {
		if _, found := slices.BinarySearch(after, id); !found {
			removed = append(removed, id)
		}
	}
	return added, removed
}

var errClosed = errors.New("proxies: the fleet is not followed any more")

// list is who is to be called, by id. It waits for the first snapshot: no proxies is a success, not knowing any is not.
func (f *Fleet) list(ctx context.Context) ([]*member, error) {
	select {
	case <-f.Loaded():
	case <-ctx.Done():
		return nil, fmt.Errorf("proxies: the sessions have not been read yet: %w", context.Cause(ctx))
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return nil, errClosed
	}
	return slices.SortedFunc(maps.Values(f.members), func(a, b *member) int { return cmp.Compare(a.id, b.id) }), nil
}
