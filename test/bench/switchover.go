package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"

	"github.com/milvus-coord/milvus/internal/haview"
)

// switchover measures how long nobody serves when the role is handed over under 64 callers, and what these notice of it.
func switchover(ctx context.Context, b *bench) error {
	if _, _, err := b.pair(ctx); err != nil {
		return err
	}
	client, stop, err := b.follow(ctx)
	if err != nil {
		return err
	}
	defer stop()
	work, end := context.WithCancel(ctx)
	var callers sync.WaitGroup
	defer callers.Wait()
	defer end()
	var calls, failed, made atomic.Int64
	for i := range 64 {
		callers.Go(func() {
			for work.Err() == nil {
				if err := oneCall(ctx, client, i, &made); err != nil {
					failed.Add(1)
				}
				calls.Add(1)
			}
		})
	}
	reader := &haview.Reader{Client: b.db, MetaRoot: "by-dev/meta", Roles: []string{"rootcoord"}, HTTP: http.DefaultClient, Patience: time.Minute}
	rounds := 50
	if b.quick {
		rounds = 5
	}
	var gaps []time.Duration
	for len(gaps) < rounds {
		if view, err := reader.Read(ctx); err != nil || !view.Fine() {
			time.Sleep(10 * time.Millisecond) // the one that stood down registers anew
			continue
		}
		done, err := reader.Switch(ctx, "rootcoord", 0)
		if err != nil {
			return err
		}
		gaps = append(gaps, done.Gap)
	}
	end()
	callers.Wait()
	slices.Sort(gaps)
	report("switchover under 64 callers of DDL and timestamps, nobody served",
		fmt.Sprintf("%s, p99 %v", spread(gaps), round(gaps[len(gaps)*99/100])), "p50 20 ms, p99 100 ms")
	report("calls meanwhile; failed", fmt.Sprintf("%d; %d", calls.Load(), failed.Load()), "0 failed")
	return nil
}

// oneCall is a DDL for every fourth caller, and timestamps for the others.
func oneCall(ctx context.Context, client rootcoordpb.RootCoordClient, caller int, made *atomic.Int64) error {
	if caller%4 == 0 {
		return createCollection(ctx, client, fmt.Sprintf("s%d", made.Add(1)))
	}
	resp, err := client.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: 1})
	if err != nil {
		return err
	}
	if resp.GetStatus().GetCode() != 0 {
		return fmt.Errorf("code %d", resp.GetStatus().GetCode())
	}
	return nil
}
