package rootcoord

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
)

// The lines that the documentation quotes: text, level, file, order. Without active-standby there was no standby to
// switch from.
func TestLinesOfAnActivation(t *testing.T) {
	type line struct {
		level      zapcore.Level
		file, text string
	}
	switched := line{zap.InfoLevel, "root_coord.go", "rootcoord switch from standby to active, activating"}
	rest := []line{{zap.InfoLevel, "root_coord.go", "RootCoord Register Finished"}, {zap.DebugLevel, "service.go", "RootCoord start done ..."}}
	for _, standby := range []bool{true, false} {
		c := newCluster(t)
		core, logs := observer.New(zap.DebugLevel)
		role, err := New(Config{MetaRoot: c.metaRoot(), KvRoot: "by-dev/kv", Cluster: "by-dev", Standby: standby, Limits: testLimits()},
			Deps{Client: c.client, Logger: zap.New(core, zap.AddCaller())})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		following := make(chan error)
		go func() { following <- role.Follow(ctx) }()
		<-role.Loaded()
		loaded := logs.Len()

		inst, err := role.Activate(within(t), sessiontest.Claim(t, c.client, c.metaRoot(), Name))
		require.NoError(t, err)
		inst.Started()
		var got []line
		for _, e := range logs.All()[loaded:] {
			got = append(got, line{e.Level, filepath.Base(e.Caller.File), e.Message})
		}
		want := rest
		if standby {
			want = append([]line{switched}, rest...)
		}
		require.Equal(t, want, got)
		var steps []string
		for _, s := range inst.Steps {
			steps = append(steps, s.Name)
		}
		require.ElementsMatch(t, []string{"tables", "proxies", "timestamps", "ids", "database", "counts", "access"}, steps)
		cancel()
		require.NoError(t, <-following)
	}
}

// An activation that cannot be done ends with the process' wish to stop, not with the term.
func TestActivationEndsWithItsContext(t *testing.T) {
	c := newCluster(t)
	role, err := New(Config{MetaRoot: c.metaRoot(), KvRoot: "by-dev/kv", Cluster: "by-dev", Limits: testLimits()},
		Deps{Client: c.client, Logger: zap.NewNop()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	term := sessiontest.Claim(t, c.client, c.metaRoot(), Name)
	go func() {
		_, err := role.Activate(ctx, term) // nobody follows, so the tables never get there
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

// A corrupt bound of an allocator fails the activation and names the key; it is never taken for an absent one.
func TestCorruptAllocator(t *testing.T) {
	c := newCluster(t)
	_, err := c.client.Put(within(t), "by-dev/kv/gid/timestamp", "garbage")
	require.NoError(t, err)
	role, err := New(Config{MetaRoot: c.metaRoot(), KvRoot: "by-dev/kv", Cluster: "by-dev", Limits: testLimits()},
		Deps{Client: c.client, Logger: zap.NewNop()})
	require.NoError(t, err)
	_, err = role.Activate(within(t), sessiontest.Claim(t, c.client, c.metaRoot(), Name))
	require.ErrorContains(t, err, "by-dev/kv/gid/timestamp")
}
