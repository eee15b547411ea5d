package failover

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"google.golang.org/protobuf/proto"
)

// grant is a block of timestamps or ids that a caller was given, and when the call began and ended on one clock.
type grant struct {
	began, ended time.Time
	first        uint64
	count        uint64
}

// Workload calls a RootCoord from several goroutines and remembers every answer, to be checked when the faults are over.
type Workload struct {
	client rootcoordpb.RootCoordClient
	prefix string

	stop    context.CancelFunc
	callers sync.WaitGroup

	mu         sync.Mutex
	timestamps []grant
	ids        []grant
	created    map[string]bool // acknowledged; false: dropped again, acknowledged
	unknown    map[string]bool // asked for, and no definite answer came
	failed     []string        // calls that failed although the client follows
	lastOK     time.Time
}

// StartWorkload begins to call client: one goroutine each for timestamps and ids, two for collections.
func StartWorkload(ctx context.Context, client rootcoordpb.RootCoordClient, prefix string) *Workload {
	ctx, cancel := context.WithCancel(ctx)
	w := &Workload{client: client, prefix: prefix, stop: cancel, created: map[string]bool{}, unknown: map[string]bool{}}
	for range 2 {
		w.callers.Go(func() { w.allocate(ctx, w.timestamp, &w.timestamps) })
		w.callers.Go(func() { w.allocate(ctx, w.id, &w.ids) })
	}
	for i := range 2 {
		w.callers.Go(func() { w.collections(ctx, i) })
	}
	return w
}

// heldTimeout is short, so that there are calls which begin while the process is paused and another one serves, and which it
// finds when it wakes up.
const heldTimeout = time.Second

// Also has another client allocate timestamps: one that holds on to a process, whatever becomes of that. Its failures do not
// count, its answers do.
func (w *Workload) Also(ctx context.Context, client rootcoordpb.RootCoordClient) {
	w.callers.Go(func() {
		for ctx.Err() == nil {
			one, cancel := context.WithTimeout(ctx, heldTimeout)
			g := grant{began: time.Now()}
			resp, err := client.AllocTimestamp(one, &rootcoordpb.AllocTimestampRequest{Count: 1})
			g.ended, g.first, g.count = time.Now(), resp.GetTimestamp(), uint64(resp.GetCount())
			cancel()
			if err == nil && failure(resp.GetStatus()) == nil {
				w.mu.Lock()
				w.timestamps = append(w.timestamps, g)
				w.mu.Unlock()
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// callTimeout is longer than any takeover that a test provokes; a caller that follows should never see it.
const callTimeout = 2 * time.Minute

func (w *Workload) allocate(ctx context.Context, call func(context.Context, uint32) (uint64, uint64, error), into *[]grant) {
	for n := uint32(1); ctx.Err() == nil; n = n%7 + 1 {
		one, cancel := context.WithTimeout(ctx, callTimeout)
		g := grant{began: time.Now()}
		var err error
		g.first, g.count, err = call(one, n)
		g.ended = time.Now()
		cancel()
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		if err != nil {
			w.failed = append(w.failed, fmt.Sprintf("allocate: %v", err))
		} else {
			*into = append(*into, g)
			w.lastOK = g.ended
		}
		w.mu.Unlock()
		time.Sleep(500 * time.Microsecond)
	}
}

func (w *Workload) timestamp(ctx context.Context, n uint32) (uint64, uint64, error) {
	resp, err := w.client.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: n})
	if err == nil {
		err = failure(resp.GetStatus())
	}
	return resp.GetTimestamp(), uint64(resp.GetCount()), err
}

func (w *Workload) id(ctx context.Context, n uint32) (uint64, uint64, error) {
	resp, err := w.client.AllocID(ctx, &rootcoordpb.AllocIDRequest{Count: n})
	if err == nil {
		err = failure(resp.GetStatus())
	}
	return uint64(resp.GetID()), uint64(resp.GetCount()), err //nolint:gosec // ids are positive
}

func (w *Workload) collections(ctx context.Context, caller int) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("%s_%d_%d", w.prefix, caller, i)
		one, cancel := context.WithTimeout(ctx, callTimeout)
		err := CreateCollection(one, w.client, name)
		w.note(name, true, err, ctx.Err() != nil)
		if err == nil && i%3 == 2 {
			status, derr := w.client.DropCollection(one, &milvuspb.DropCollectionRequest{
				Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_DropCollection}, CollectionName: name,
			})
			if derr == nil {
				derr = failure(status)
			}
			w.note(name, false, derr, ctx.Err() != nil)
		}
		cancel()
		time.Sleep(2 * time.Millisecond)
	}
}

func (w *Workload) note(name string, exists bool, err error, stopping bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		w.created[name] = exists
		w.lastOK = time.Now()
		return
	}
	w.unknown[name] = true
	delete(w.created, name)
	if !stopping {
		w.failed = append(w.failed, fmt.Sprintf("%s (to exist: %v): %v", name, exists, err))
	}
}

// CreateCollection creates a collection with a primary key and a vector.
func CreateCollection(ctx context.Context, client rootcoordpb.RootCoordClient, name string) error {
	schema, err := proto.Marshal(&schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "id", IsPrimaryKey: true, DataType: schemapb.DataType_Int64},
		{Name: "vector", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "8"}}},
	}})
	if err != nil {
		return fmt.Errorf("encode a schema: %w", err)
	}
	status, err := client.CreateCollection(ctx, &milvuspb.CreateCollectionRequest{
		Base:           &commonpb.MsgBase{MsgType: commonpb.MsgType_CreateCollection},
		CollectionName: name, Schema: schema, ShardsNum: 1,
	})
	if err != nil {
		return err
	}
	return failure(status)
}

func failure(s *commonpb.Status) error {
	if s.GetCode() == 0 && s.GetErrorCode() == commonpb.ErrorCode_Success {
		return nil
	}
	return fmt.Errorf("code %d: %s", s.GetCode(), s.GetReason())
}

// LastAnswer is when the last call succeeded.
func (w *Workload) LastAnswer() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lastOK
}

// Stop ends the calls and waits for them.
func (w *Workload) Stop() {
	w.stop()
	w.callers.Wait()
}

// Check compares every answer with what must hold whatever was killed, paused or cut: no timestamp or id given twice or
// going backwards, and no acknowledged collection lost nor dropped one risen. It returns each violation as a sentence.
func (w *Workload) Check(ctx context.Context) ([]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := disorder("timestamp", w.timestamps)
	found = append(found, disorder("id", w.ids)...)
	resp, err := w.client.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_ShowCollections},
	})
	if err == nil {
		err = failure(resp.GetStatus())
	}
	if err != nil {
		return nil, fmt.Errorf("list the collections at the end: %w", err)
	}
	present := map[string]bool{}
	for _, name := range resp.GetCollectionNames() {
		if present[name] {
			found = append(found, "collection "+name+" exists twice")
		}
		present[name] = true
	}
	for name, exists := range w.created {
		if present[name] != exists {
			found = append(found, fmt.Sprintf("collection %s: acknowledged to exist: %v, found: %v", name, exists, present[name]))
		}
	}
	return found, nil
}

// Failed lists calls that a client that follows should not have seen fail.
func (w *Workload) Failed() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.failed...)
}

// Summary counts what was done.
func (w *Workload) Summary() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%d blocks of timestamps, %d of ids, %d collections, %d of unknown outcome, %d failed calls",
		len(w.timestamps), len(w.ids), len(w.created), len(w.unknown), len(w.failed))
}

// disorder finds values given twice, and a call that began after another had ended and yet was given a smaller value.
func disorder(what string, grants []grant) []string {
	var found []string
	byValue := append([]grant(nil), grants...)
	sort.Slice(byValue, func(i, j int) bool { return byValue[i].first < byValue[j].first })
	for i := 1; i < len(byValue); i++ {
		if a, b := byValue[i-1], byValue[i]; a.first+a.count > b.first {
			found = append(found, fmt.Sprintf("%s %d was given twice", what, b.first))
		}
	}
	byStart := append([]grant(nil), grants...)
	sort.Slice(byStart, func(i, j int) bool { return byStart[i].began.Before(byStart[j].began) })
	byEnd := append([]grant(nil), grants...)
	sort.Slice(byEnd, func(i, j int) bool { return byEnd[i].ended.Before(byEnd[j].ended) })
	highest, ended := uint64(0), 0
	for _, g := range byStart {
		for ended < len(byEnd) && byEnd[ended].ended.Before(g.began) {
			highest = max(highest, byEnd[ended].first+byEnd[ended].count-1)
			ended++
		}
		if g.first <= highest && highest != 0 {
			found = append(found, fmt.Sprintf("%s %d was given after %d had been", what, g.first, highest))
		}
	}
	return found
}
