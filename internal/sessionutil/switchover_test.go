package sessionutil

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func wish(t *testing.T, client *clientv3.Client, term *Term, to int64) error {
	t.Helper()
	return RequestSwitch(t.Context(), client, root, "rootcoord", Switch{Term: term.Number(), From: term.ServerID(), To: to, At: time.Now()})
}

func TestSwitchover(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	require.Equal(t, ReasonFirst, (<-first.origins).Reason)
	second, third := startPeer(t, client, nil), startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")
	third.waitLog("serverName: rootcoord is in STANDBY ...")

	// To the third and back, a few times: the second never gets it.
	from, to := first, third
	for range 5 {
		require.NoError(t, wish(t, client, term, to.id))
		next := to.active()
		require.Equal(t, to.id, next.ServerID())
		origin := <-to.origins
		require.Equal(t, ReasonSwitched, origin.Reason)
		require.Equal(t, from.id, origin.Predecessor)
		require.Less(t, origin.Wait, time.Second, "the old holder has said that it is done")
		require.Error(t, term.Context().Err())
		require.Empty(t, get(t, client, switchKey(root, "rootcoord")).Kvs, "the wish is gone with the claim")
		require.ErrorIs(t, wish(t, client, term, second.id), ErrTermOver)
		term, from, to = next, to, from
		to.waitLog("giving the ACTIVE role back")
		require.Eventually(t, func() bool { return len(get(t, client, memberKey(root, "rootcoord", to.id)).Kvs) == 1 },
			time.Minute, 5*time.Millisecond, "it registers anew")
	}
	require.Empty(t, second.terms)
}

func TestSwitchoverToNobody(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	require.NoError(t, wish(t, client, term, 4711))
	first.waitLog("not handing the role over: the next one is not registered")
	require.ErrorIs(t, wish(t, client, term, 4711), ErrSwitchUnderway)
	require.NoError(t, term.Context().Err())
}

// TestTheNextOneDies puts a wish for a process that is registered and does nothing: when the wish has expired, all compete.
func TestTheNextOneDies(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	second := startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")
	_, err := client.Put(t.Context(), memberKey(root, "rootcoord", 4711), `{"ServerID":4711,"ServerName":"rootcoord","Address":"a:1"}`)
	require.NoError(t, err)
	require.NoError(t, wish(t, client, term, 4711))
	select {
	case next := <-first.terms:
		require.Greater(t, next.Number(), term.Number())
	case next := <-second.terms:
		require.Greater(t, next.Number(), term.Number())
	case <-time.After(time.Minute):
		t.Fatal("nobody took the role")
	}
}

// TestWishesThatAreNone checks that garbage, and what would never go away by itself, keeps nobody from the role.
func TestWishesThatAreNone(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	for _, value := range []string{"garbage", `{"Term":1,"From":1,"To":99}`} {
		_, err := client.Put(t.Context(), switchKey(root, "rootcoord"), value)
		require.NoError(t, err)
		p := startPeer(t, client, nil)
		p.active()
		p.stop()
	}
}
