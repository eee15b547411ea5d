// Command caller calls the RootCoord of a cluster from inside its network, one call after the other, as a client that follows
// the active one, and prints ten times a second how that goes. When it is told to stop it checks that nothing acknowledged is
// lost and no timestamp went back.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/test/docker"
	"github.com/milvus-coord/milvus/test/failover"
)

// callTimeout is longer than any takeover: a caller that follows should not see it.
const callTimeout = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "caller:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	db, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(os.Getenv("ETCD_ENDPOINTS"), ","), DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is in flight
	follow, err := coordclient.New(context.Background(), coordclient.Config{
		Etcd: db, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev", Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	if err != nil {
		return err
	}
	defer follow.Close()

	c := &caller{root: rootcoordpb.NewRootCoordClient(follow), last: time.Now()}
	var calls sync.WaitGroup
	calls.Go(func() { c.call(ctx) })
	out := json.NewEncoder(os.Stdout)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		if err := out.Encode(c.report()); err != nil {
			return err
		}
	}
	calls.Wait()
	bound, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.check(bound); err != nil {
		return err
	}
	last := c.report()
	last.Final = true
	return out.Encode(last)
}

// caller is one client and what it was told.
type caller struct {
	root rootcoordpb.RootCoordClient

	mu        sync.Mutex
	answers   int
	failures  []string
	last      time.Time     // of the last answer
	pause     time.Duration // the longest since the last report
	timestamp uint64        // the highest
	created   []string      // acknowledged
	wrong     []string
}

// call asks for timestamps, and now and then for a collection, until ctx ends. A call under way is finished.
func (c *caller) call(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
		if i%20 == 0 {
			name := fmt.Sprintf("called_%d", i)
			c.note(failover.CreateCollection(one, c.root, name), func() { c.created = append(c.created, name) })
		} else {
			resp, err := c.root.AllocTimestamp(one, &rootcoordpb.AllocTimestampRequest{Count: 1})
			c.note(errors.Join(err, refusal(resp.GetStatus())), func() { c.newest(resp.GetTimestamp()) })
		}
		cancel()
		time.Sleep(2 * time.Millisecond)
	}
}

func refusal(s *commonpb.Status) error {
	if s.GetCode() == 0 {
		return nil
	}
	return fmt.Errorf("code %d: %s", s.GetCode(), s.GetReason())
}

// note counts a call. answered runs, under the lock, if it succeeded.
func (c *caller) note(err error, answered func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failures = append(c.failures, err.Error())
		return
	}
	now := time.Now()
	c.pause = max(c.pause, now.Sub(c.last))
	c.last = now
	c.answers++
	answered()
}

func (c *caller) newest(timestamp uint64) {
	if timestamp <= c.timestamp {
		c.wrong = append(c.wrong, fmt.Sprintf("timestamp %d was given after %d", timestamp, c.timestamp))
	}
	c.timestamp = max(c.timestamp, timestamp)
}

func (c *caller) report() docker.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	r := docker.Report{At: now, Answers: c.answers, Failures: slices.Clone(c.failures), Pause: max(c.pause, now.Sub(c.last)), Wrong: slices.Clone(c.wrong)}
	c.pause = 0
	return r
}

// check compares the collections that are there with those that were acknowledged.
func (c *caller) check(ctx context.Context) error {
	resp, err := c.root.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_ShowCollections}})
	if err = errors.Join(err, refusal(resp.GetStatus())); err != nil {
		return fmt.Errorf("list the collections: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range c.created {
		if !slices.Contains(resp.GetCollectionNames(), name) {
			c.wrong = append(c.wrong, "collection "+name+" was acknowledged and is lost")
		}
	}
	return nil
}
