package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

// records are what lies under the cluster's roots, at one revision.
type records struct {
	sessions   []session
	counter    *mvccpb.KeyValue // of ServerIDs
	restoring  *mvccpb.KeyValue
	timestamps *mvccpb.KeyValue // their bound
	ids        *mvccpb.KeyValue
	keys       int64 // of metadata
	old        int64 // of layouts from before databases
	others     []string
}

// session is a key below <metaRoot>/session/.
type session struct {
	name   string // what follows that
	lease  int64
	record sessionutil.Record
	err    error // why it cannot be read
}

// maxSessions bounds how many are looked at.
const maxSessions = 5000

func (e *exam) readRecords(ctx context.Context) {
	client := e.client()
	if client == nil {
		e.recordErr = errors.New("etcd does not answer")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	sessions, meta := sessionutil.SessionRoot(e.MetaRoot), e.MetaRoot+"/root-coord/"
	count := func(prefix string) clientv3.Op {
		return clientv3.OpGet(prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	}
	resp, err := client.Txn(ctx).Then(
		clientv3.OpGet(sessions, clientv3.WithPrefix(), clientv3.WithLimit(maxSessions)),
		clientv3.OpGet(sessionutil.RestoringKey(e.MetaRoot)), clientv3.OpGet(e.KvRoot+"/"+tso.TimestampKey), clientv3.OpGet(e.KvRoot+"/"+tso.IDKey),
		count(meta), count(meta+"collection/"), count(meta+"aliases/"), count(meta+"collection-alias/"),
	).Commit()
	if err != nil {
		e.recordErr = err
		return
	}
	kvs := func(i int) []*mvccpb.KeyValue { return resp.Responses[i].GetResponseRange().GetKvs() }
	for _, kv := range kvs(0) {
		s := session{name: strings.TrimPrefix(string(kv.Key), sessions), lease: kv.Lease}
		if s.name == "id" {
			e.records.counter = kv
			continue
		}
		s.record, s.err = sessionutil.ParseRecord(kv.Value)
		e.records.sessions = append(e.records.sessions, s)
	}
	for i, into := range []**mvccpb.KeyValue{&e.records.restoring, &e.records.timestamps, &e.records.ids} {
		if found := kvs(i + 1); len(found) > 0 {
			*into = found[0]
		}
	}
	e.records.keys = resp.Responses[4].GetResponseRange().GetCount()
	for i := 5; i < 8; i++ {
		e.records.old += resp.Responses[i].GetResponseRange().GetCount()
	}
	e.records.others, e.recordErr = e.otherRoots(ctx, client)
}

// maxRoots bounds how many subtrees of etcd are looked at for other clusters.
const maxRoots = 32

// otherRoots finds other clusters in this etcd: subtrees with a counter of ServerIDs. It steps from one first part of a path
// to the next.
func (e *exam) otherRoots(ctx context.Context, client *clientv3.Client) ([]string, error) {
	var found []string
	sub := strings.TrimPrefix(e.MetaRoot, e.RootPath)
	for from, n := "\x00", 0; n < maxRoots; n++ {
		resp, err := client.Get(ctx, from, clientv3.WithFromKey(), clientv3.WithLimit(1), clientv3.WithKeysOnly())
		if errors.Is(err, rpctypes.ErrPermissionDenied) {
			return nil, nil // a user who may see its own cluster only, as it should be
		}
		if err != nil {
			return found, fmt.Errorf("look for other clusters: %w", err)
		}
		if len(resp.Kvs) == 0 {
			break
		}
		key := string(resp.Kvs[0].Key)
		root, _, below := strings.Cut(key, "/")
		if !below {
			from = key + "\x00"
			continue
		}
		from = root + "0" // "/" is followed by "0"
		counter, err := client.Get(ctx, root+sub+"/session/id", clientv3.WithCountOnly())
		if err != nil {
			return found, fmt.Errorf("look for other clusters: %w", err)
		}
		if counter.Count > 0 && root != e.RootPath {
			found = append(found, root)
		}
	}
	return found, nil
}

func (e *exam) readView(ctx context.Context) {
	client := e.client()
	if client == nil {
		e.viewErr = errors.New("etcd does not answer")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.Patience)
	defer cancel()
	reader := haview.Reader{Client: client, MetaRoot: e.MetaRoot, Roles: e.Roles, HTTP: e.HTTP, Patience: e.Patience}
	e.view, e.viewErr = reader.Read(ctx)
}

// tryAddresses looks which processes can be reached from here.
func (e *exam) tryAddresses(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	e.reach = map[string]error{}
	var mu sync.Mutex
	var tried sync.WaitGroup
	const most = 64 // at a time
	tickets := make(chan struct{}, most)
	for _, s := range e.records.sessions {
		address := s.record.Address
		mu.Lock()
		_, known := e.reach[address]
		mu.Unlock()
		if s.err != nil || address == "" || known {
			continue
		}
		mu.Lock()
		e.reach[address] = nil
		mu.Unlock()
		tickets <- struct{}{}
		tried.Go(func() {
			defer func() { <-tickets }()
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err == nil {
				err = conn.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			e.reach[address] = err
		})
	}
	tried.Wait()
}

// idOf is the ServerID that a member's key names; 0 for the key of an active one.
func (s session) idOf() (role string, id int64) {
	if i := strings.LastIndexByte(s.name, '-'); i >= 0 {
		if id, err := strconv.ParseInt(s.name[i+1:], 10, 64); err == nil {
			return s.name[:i], id
		}
	}
	return s.name, 0
}
