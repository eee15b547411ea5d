package sessionutil

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clock"
)

// Seen is one process of a role as etcd shows it.
type Seen struct {
	Record
	Term    int64    // that it holds; 0 if it is not the active one
	Member  bool     // it has a session of its own beside the active key: active-standby is on
	Lease   int64    // 0 if the session hangs on none
	Process *Process // nil if it is not one of ours, or does not say
}

// Observation is what etcd shows of a role at one revision.
type Observation struct {
	Role     string
	Seen     []Seen  // the active one first, the others by id
	Problems []error // records that nobody can read
	Paused   *Maintenance
	// Restoring says that the metadata is not whole and nobody claims the role.
	Restoring *Restoring
}

// Observe reads the sessions of roles, all at one revision. Nobody is asked but etcd.
func Observe(ctx context.Context, client *clientv3.Client, metaRoot string, roles []string) (revision int64, all []Observation, err error) {
	var ops []clientv3.Op
	for _, role := range roles {
		member := ActiveKey(metaRoot, role) + "-"
		ops = append(ops,
			clientv3.OpGet(ActiveKey(metaRoot, role)), clientv3.OpGet(member, clientv3.WithPrefix()),
			clientv3.OpGet(processPrefix(metaRoot, role), clientv3.WithPrefix()), clientv3.OpGet(maintenanceKey(metaRoot, role)))
	}
	ops = append(ops, clientv3.OpGet(RestoringKey(metaRoot)))
	resp, err := client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return 0, nil, fmt.Errorf("read the sessions: %w", err)
	}
	var restoring *Restoring
	for _, kv := range resp.Responses[len(ops)-1].GetResponseRange().GetKvs() {
		restoring = &Restoring{}
		_ = json.Unmarshal(kv.Value, restoring) // whatever it says, it is there
	}
	for i, role := range roles {
		kvs := func(part int) []*mvccpb.KeyValue { return resp.Responses[4*i+part].GetResponseRange().GetKvs() }
		o := observe(role, ActiveKey(metaRoot, role)+"-", kvs(0), kvs(1), kvs(2), kvs(3))
		o.Restoring = restoring
		all = append(all, o)
	}
	return resp.Header.Revision, all, nil
}

// watchAgain is the pause before a watch that etcd has ended is begun anew.
const watchAgain = 200 * time.Millisecond

// WatchChanges calls changed when a watch begins and after every change of what [Observe] reads and of the takeovers that
// are recorded, until ctx ends. It is called by two goroutines and must not block.
func WatchChanges(ctx context.Context, client *clientv3.Client, metaRoot string, changed func()) {
	var watches sync.WaitGroup
	for _, prefix := range []string{sessionPrefix(metaRoot), metaRoot + "/ha/"} {
		watches.Go(func() {
			for ctx.Err() == nil {
				watch, stop := context.WithCancel(clientv3.WithRequireLeader(ctx))
				for range client.Watch(watch, prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify()) {
					changed()
				}
				stop()
				_ = clock.Sleep(ctx, watchAgain)
			}
		})
	}
	watches.Wait()
}

func observe(role, member string, active, members, processes, pause []*mvccpb.KeyValue) Observation {
	o := Observation{Role: role}
	note := func(kv *mvccpb.KeyValue, err error) {
		o.Problems = append(o.Problems, fmt.Errorf("%s at revision %d: %w", kv.Key, kv.ModRevision, err))
	}
	byID := map[int64]*Seen{}
	for _, kv := range members {
		if _, err := strconv.ParseInt(strings.TrimPrefix(string(kv.Key), member), 10, 64); err != nil {
			continue // another role, whose name begins likewise
		}
		r, err := ParseRecord(kv.Value)
		if err != nil {
			note(kv, err)
			continue
		}
		byID[r.ServerID] = &Seen{Record: r, Member: true, Lease: kv.Lease}
	}
	for _, kv := range active {
		r, err := ParseRecord(kv.Value)
		if err != nil {
			note(kv, err)
			continue
		}
		if byID[r.ServerID] == nil {
			byID[r.ServerID] = &Seen{Record: r}
		}
		byID[r.ServerID].Term, byID[r.ServerID].Lease = kv.CreateRevision, kv.Lease
	}
	for _, kv := range processes {
		var p Process
		if err := json.Unmarshal(kv.Value, &p); err != nil {
			note(kv, err)
			continue
		}
		if s := byID[p.ServerID]; s != nil {
			s.Process = &p
		}
	}
	for _, kv := range pause {
		m, err := parseMaintenance(kv)
		if err != nil {
			note(kv, err)
		}
		o.Paused = &m // whatever it says, it is there
	}
	for _, s := range byID {
		o.Seen = append(o.Seen, *s)
	}
	slices.SortFunc(o.Seen, func(a, b Seen) int {
		return cmp.Or(cmp.Compare(b.Term, a.Term), cmp.Compare(a.ServerID, b.ServerID))
	})
	return o
}
