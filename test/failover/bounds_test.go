package failover

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// boundWatch follows every write of the allocators' stored bounds. Each term starts above the last one's, so a bound that
// goes back was written by a term that was over.
type boundWatch struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu   sync.Mutex
	last map[string]uint64
	back []string
}

func watchBounds(t *testing.T, client *clientv3.Client) *boundWatch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &boundWatch{cancel: cancel, last: map[string]uint64{}}
	events := client.Watch(ctx, "by-dev/kv/gid/", clientv3.WithPrefix(), clientv3.WithRev(1))
	w.done.Go(func() {
		for resp := range events {
			for _, ev := range resp.Events {
				w.see(ev)
			}
		}
	})
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *boundWatch) see(ev *clientv3.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := string(ev.Kv.Key)
	if len(ev.Kv.Value) != 8 {
		w.back = append(w.back, fmt.Sprintf("%s at %d: %x", key, ev.Kv.ModRevision, ev.Kv.Value))
		return
	}
	bound := binary.BigEndian.Uint64(ev.Kv.Value)
	if bound < w.last[key] {
		w.back = append(w.back, fmt.Sprintf("%s at %d: %d after %d", key, ev.Kv.ModRevision, bound, w.last[key]))
	}
	w.last[key] = bound
}

func (w *boundWatch) stop() []string {
	w.cancel()
	w.done.Wait()
	return w.back
}
