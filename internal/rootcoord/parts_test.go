package rootcoord

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func TestChannelPool(t *testing.T) {
	inUse := map[string]int{
		"by-dev-rootcoord-dml_1": 1, "other-rootcoord-dml_9": 5, "by-dev-rootcoord-dml_x": 1, "by-dev-rootcoord-dml_01": 1,
		"by-dev-rootcoord-dml_99999999": 1, "by-dev-rootcoord-dml_-1": 1,
	}
	p := newChannelPool(channelNames("by-dev-rootcoord-dml", 4, inUse), inUse)
	require.Len(t, p.channels, 4, "the pool does not grow for names of another form")
	require.Len(t, p.used(), 6, "but readers wait for ticks there, too")
	p.release([]string{"by-dev-rootcoord-dml_01", "other-rootcoord-dml_9"})
	require.Len(t, p.used(), 5, "the last collection there is gone; of the others some are left")
	take := func(n int) []string {
		names, err := p.take(n)
		require.NoError(t, err)
		for i := range names {
			names[i] = names[i][len("by-dev-rootcoord-dml_"):]
		}
		return names
	}
	require.Equal(t, []string{"0"}, take(1))
	require.Equal(t, []string{"2", "3"}, take(2))
	require.Equal(t, []string{"1", "0"}, take(2), "all carry one; 1 was dealt out least")
	p.release([]string{"by-dev-rootcoord-dml_3", "by-dev-rootcoord-dml_77", "elsewhere"})
	require.Equal(t, []string{"3"}, take(1))
	require.Len(t, take(4), 4)
	_, err := p.take(5)
	require.Error(t, err)

	require.Len(t, channelNames("by-dev-rootcoord-dml", 4, map[string]int{"by-dev-rootcoord-dml_6": 1}), 7, "the pool holds every channel in use")
	p = newChannelPool([]string{"topic1", "topic2"}, map[string]int{"topic1": 1, "old": 2})
	names, err := p.take(1)
	require.NoError(t, err)
	require.Equal(t, []string{"topic2"}, names)
	require.Equal(t, []string{"topic1", "topic2", "old"}, p.used())
	require.Equal(t, []string{"by-dev-rootcoord-dml_6_42v0"}, virtualChannels([]string{"by-dev-rootcoord-dml_6"}, 42))
}

func TestLedger(t *testing.T) {
	l := newLedger(Limits{MaxDatabaseNum: 2, MaxCollectionNum: 3, MaxGeneralCapacity: 1})
	require.Equal(t, int64(512), l.limits.MaxGeneralCapacity, "the floor")
	c := func(db int64, asked, units int64) newCollection {
		return newCollection{databaseID: db, database: "d", mostInDB: 2, asked: asked, units: units}
	}
	require.NoError(t, l.enterCollection(c(1, 0, 500)), "0 shards asked for add nothing to what is checked")
	require.ErrorIs(t, l.admits(c(1, 13, 13)), errs.GeneralCapacityExceeded)
	require.NoError(t, l.admits(c(1, 12, 12)))
	require.NoError(t, l.enterCollection(c(1, 1, 1)))
	require.ErrorIs(t, l.enterCollection(c(1, 1, 1)), errs.CollectionNumLimit, "of the database")
	require.NoError(t, l.enterCollection(c(2, 1, 1)))
	require.ErrorIs(t, l.enterCollection(c(2, 1, 1)), errs.CollectionNumLimit, "of all")
	require.NoError(t, l.enterPartition(10), "one unit is checked, the shards are counted")
	require.ErrorIs(t, l.enterPartition(1), errs.GeneralCapacityExceeded)
	require.Equal(t, "0 databases, 3 collections, capacity 512", l.String())
	l.moveCollection(1, 3)
	l.removePartition(10)
	l.removeCollection(1, 500)
	l.removeCollection(2, 1)
	l.removeCollection(3, 1)
	require.Equal(t, "0 databases, 0 collections, capacity 0", l.String())
	require.Empty(t, l.collections)
	require.NoError(t, l.enterDatabase())
	require.NoError(t, l.enterDatabase())
	require.ErrorIs(t, l.enterDatabase(), errs.DatabaseNumLimit)
}

func newTestDDL(t *testing.T) (*ddl, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &ddl{serverID: 7, logger: zap.NewNop(), locks: keylock.New(), waited: func(context.Context, time.Duration) {}}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	t.Cleanup(cancel)
	return d, cancel
}

func TestDDLOutcomes(t *testing.T) {
	d, endTerm := newTestDDL(t)
	unknown := fmt.Errorf("write: %w", sessionutil.ErrUnknown)
	code := func(again bool, err error) int32 {
		return errs.ToStatus(d.do(within(t), keep(keylock.Write("a")), again, func(context.Context) error { return err })).GetCode()
	}
	require.Zero(t, code(repeatable, nil))
	require.Equal(t, G, code(repeatable, errors.New("plain")))
	require.Equal(t, int32(800), code(repeatable, errs.DatabaseNotFound.With("")))
	require.Equal(t, int32(1), code(once, fmt.Errorf("write: %w", sessionutil.ErrDeposed)), "nothing was written")
	require.Equal(t, G, code(once, unknown))
	guard := d.do(within(t), keep(), repeatable, func(context.Context) error { return fmt.Errorf("%w: key k", sessionutil.ErrGuard) })
	requireCode(t, G, guard)
	require.ErrorContains(t, guard, "key k")
	require.False(t, errs.Retriable(guard))
	endTerm()
	for _, again := range []bool{repeatable, once} {
		err := d.do(within(t), keep(), again, func(context.Context) error { return unknown })
		require.Equal(t, again, errs.Retriable(err), "%v", err)
	}
}

func TestDDLContainsPanics(t *testing.T) {
	d, _ := newTestDDL(t)
	err := d.do(within(t), keep(keylock.Write("a")), once, func(context.Context) error { panic("oh") })
	require.ErrorIs(t, err, errs.Internal)
	require.NoError(t, d.do(within(t), keep(keylock.Write("a")), once, func(context.Context) error { return nil }), "the lock is free")
}

func TestDDLEndsWithTheTermsWork(t *testing.T) {
	d, _ := newTestDDL(t)
	entered := make(chan struct{})
	first := make(chan error)
	go func() {
		first <- d.do(within(t), keep(keylock.Write("a")), repeatable, func(ctx context.Context) error {
			close(entered)
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}()
	<-entered
	second := make(chan error)
	go func() {
		second <- d.do(within(t), keep(keylock.Write("a")), repeatable, func(context.Context) error { return nil })
	}()
	time.Sleep(20 * time.Millisecond)
	require.True(t, d.close())
	for _, done := range []chan error{first, second} {
		err := <-done
		require.True(t, errs.Retriable(err), "%v", err)
		require.ErrorContains(t, err, "[rootcoord=7]")
	}
	requireCode(t, 1, d.do(within(t), keep(), repeatable, func(context.Context) error { return nil }))
}

// A write that nothing can interrupt is left to the term's end.
func TestDDLCloseDoesNotWaitForever(t *testing.T) {
	d, _ := newTestDDL(t)
	stuck, entered := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- d.do(ctx, keep(), repeatable, func(context.Context) error { close(entered); <-stuck; return nil })
	}()
	<-entered
	require.False(t, d.close())
	cancel()
	<-done
	close(stuck)
	d.running.Wait()
}

// What a name stands for changes while its locks are waited for: the DDL gets those of what it stands for now.
func TestLocksAreTakenAgain(t *testing.T) {
	d, _ := newTestDDL(t)
	held, err := d.locks.Acquire(t.Context(), keylock.Write("collection/1"))
	require.NoError(t, err)
	id := make(chan int, 3)
	id <- 1
	id <- 2
	id <- 2
	locks := func() []keylock.Lock { return []keylock.Lock{keylock.Write(collectionLock(int64(<-id)))} }
	got := make(chan func())
	go func() {
		release, err := d.acquire(within(t), func() []keylock.Lock {
			if len(id) == 0 {
				return []keylock.Lock{keylock.Write(collectionLock(2))}
			}
			return locks()
		})
		if err != nil {
			t.Error(err)
		}
		got <- release
	}()
	held()
	release := <-got
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = d.locks.Acquire(ctx, keylock.Read("collection/2"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	free, err := d.locks.Acquire(t.Context(), keylock.Write("collection/1"))
	require.NoError(t, err)
	free()
	release()
}

func TestNewChecksItsConfig(t *testing.T) {
	_, err := New(Config{MetaRoot: "a", KvRoot: "b", Cluster: "c", Limits: testLimits()}, Deps{Logger: zap.NewNop()})
	require.Error(t, err)
	_, err = New(Config{}, Deps{})
	require.Error(t, err)
}
