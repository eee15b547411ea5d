package proxies

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"pgregory.net/rapid"
)

func TestFollowsSessions(t *testing.T) {
	f := newFixture(t, 0)
	require.Equal(t, DefaultTimeout, f.fleet.cfg.Timeout)
	<-f.fleet.Loaded()
	ids, changed := f.fleet.Watch()
	require.Empty(t, ids)
	end := f.register(5, "127.0.0.1:1")
	f.register(3, "127.0.0.1:2")
	<-changed
	require.Equal(t, []int64{3, 5}, f.fleet.IDs())

	_, changed = f.fleet.Watch()
	end()
	f.sync()
	<-changed
	require.Equal(t, []int64{3}, f.fleet.IDs())

	// A session that is written again, as with Stopping, is the same proxy.
	_, changed = f.fleet.Watch()
	before := f.fleet.members[metaRoot+"/session/proxy-3"]
	_, err := f.kv.Put(f.ctx, metaRoot+"/session/proxy-3", `{"ServerID":3,"Address":"127.0.0.1:2","Stopping":true,"New":1}`)
	require.NoError(t, err)
	f.sync()
	require.Equal(t, []int64{3}, f.fleet.IDs())
	select {
	case <-changed:
		t.Fatal("nothing came and nothing went")
	default:
	}
	f.stop() // members may be looked at from here
	require.Same(t, before, f.fleet.members[metaRoot+"/session/proxy-3"])
}

func TestSessionsThatMakeNoSense(t *testing.T) {
	f := newFixture(t, 0)
	bad := map[string]string{
		"proxy-1": "{", "proxy-2": "null", "proxy-3": `{"ServerID":3}`, "proxy-4": `{"ServerID":5,"Address":"127.0.0.1:1"}`, "proxy-6": "",
	}
	others := map[string]string{
		"proxy-x": "", "proxy-": "", "proxy": `{"ServerID":8,"Address":"127.0.0.1:1"}`, "proxy-08": "", "proxyless-9": "", "querynode-7": "{",
		"id": "4", "proxy-8/more": "",
	}
	for key, value := range bad {
		_, err := f.kv.Put(f.ctx, metaRoot+"/session/"+key, value)
		require.NoError(t, err)
	}
	for key, value := range others {
		_, err := f.kv.Put(f.ctx, metaRoot+"/session/"+key, value)
		require.NoError(t, err)
	}
	f.register(20, "127.0.0.1:1")
	require.Equal(t, []int64{20}, f.fleet.IDs())
	for key := range bad {
		lines := f.logs.FilterField(zapString("key", metaRoot+"/session/"+key)).All()
		require.NotEmpty(t, lines, "%s is named in the log", key)
	}
	for key := range others {
		require.Empty(t, f.logs.FilterField(zapString("key", metaRoot+"/session/"+key)).All(), key)
	}
	// Garbage over a good one takes it away; a good one over garbage brings it back.
	_, err := f.kv.Put(f.ctx, metaRoot+"/session/proxy-20", "garbage")
	require.NoError(t, err)
	f.sync()
	require.Empty(t, f.fleet.IDs())
	f.register(20, "127.0.0.1:1")
	require.Equal(t, []int64{20}, f.fleet.IDs())
}

func TestAFloodOfSessions(t *testing.T) {
	f := newFixture(t, 0)
	const flood = 600
	for id := int64(1); id <= flood; id += 60 {
		var puts []clientv3.Op
		for i := id; i < id+60; i++ {
			puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s/session/proxy-%d", metaRoot, i), fmt.Sprintf(`{"ServerID":%d,"Address":"127.0.0.1:1"}`, i)))
		}
		_, err := f.kv.Txn(f.ctx).Then(puts...).Commit()
		require.NoError(t, err)
	}
	// A subscriber that is slow sees the last state all the same.
	var known []int64
	for len(known) < flood {
		ids, changed := f.fleet.Watch()
		if slices.Equal(ids, known) {
			<-changed
			continue
		}
		added, removed := Diff(known, ids)
		require.Empty(t, removed)
		require.Len(t, ids, len(known)+len(added))
		known = ids
	}
	_, err := f.kv.Delete(f.ctx, metaRoot+"/session/proxy-", clientv3.WithPrefix())
	require.NoError(t, err)
	f.sync()
	require.Empty(t, f.fleet.IDs())
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("a")))
}

func TestHistoryIsCompactedWhileEtcdIsAway(t *testing.T) {
	f := newFixture(t, 0)
	p := f.start(1)
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("a")))
	end := f.register(2, "127.0.0.1:1")
	end()
	f.etcd.Kill()
	require.NoError(t, f.caller.Expire(f.ctx, dropCollection("b")), "who is known is called on")
	f.etcd.Restart()
	f.etcd.WaitReady()
	resp, err := f.kv.Put(f.ctx, "x", "y")
	require.NoError(t, err)
	_, err = f.kv.Compact(f.ctx, resp.Header.Revision)
	require.NoError(t, err)
	f.register(3, p.addr)
	require.Equal(t, []int64{1, 3}, f.fleet.IDs())
	require.Len(t, p.received(), 2)
}

func TestDiff(t *testing.T) {
	sets := rapid.SliceOfDistinct(rapid.Int64Range(1, 20), func(id int64) int64 { return id })
	rapid.Check(t, func(rt *rapid.T) {
		before, after := sets.Draw(rt, "before"), sets.Draw(rt, "after")
		slices.Sort(before)
		slices.Sort(after)
		added, removed := Diff(before, after)
		now := append(slices.DeleteFunc(slices.Clone(before), func(id int64) bool { return slices.Contains(removed, id) }), added...)
		slices.Sort(now)
		require.True(rt, slices.Equal(after, now))
		for _, id := range added {
			require.NotContains(rt, before, id)
		}
	})
}

func FuzzAddressOf(f *testing.F) {
	f.Add(`{"ServerID":3,"Address":"a:1"}`, int64(3))
	f.Add(`{"ServerID":3.5}`, int64(3))
	f.Fuzz(func(t *testing.T, value string, id int64) {
		if address, err := addressOf(id, []byte(value)); err == nil && address == "" {
			t.Fatal("neither an address nor an error")
		}
		key := fmt.Sprintf("m/session/proxy-%s", value)
		if got, ok := idOf("m", key); ok && key != fmt.Sprintf("m/session/proxy-%d", got) {
			t.Fatalf("%s is not the key of %d", key, got)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Timeout: time.Second})
	require.Error(t, err)
}
