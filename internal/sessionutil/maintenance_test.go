package sessionutil

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestNobodyTakesOverWhilePaused(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	first := startPeer(t, client, nil)
	term := first.active()
	second := startPeer(t, client, nil)
	second.waitLog("serverName: rootcoord is in STANDBY ...")
	require.NoError(t, PauseTakeovers(t.Context(), client, root, "rootcoord", Maintenance{By: "me", At: time.Now()}))
	_, seen, err := Observe(t.Context(), client, root, []string{"rootcoord"})
	require.NoError(t, err)
	require.Equal(t, "me", seen[0].Paused.By)

	// Asked for, it is done: a switchover there, and the last holder's own return.
	require.NoError(t, wish(t, client, term, second.id))
	term = second.active()
	_, err = client.Delete(t.Context(), ActiveKey(root, "rootcoord"))
	require.NoError(t, err)
	require.Greater(t, second.active().Number(), term.Number(), "its key was deleted; it takes the role up again")
	require.Empty(t, first.terms)

	// Who stops is not replaced before the pause ends.
	second.stop()
	first.waitLog("the role is free, but takeovers are paused: see 'milvus resume'")
	require.Empty(t, first.terms)
	was, err := ResumeTakeovers(t.Context(), client, root, "rootcoord")
	require.NoError(t, err)
	require.True(t, was)
	first.active()
	was, err = ResumeTakeovers(t.Context(), client, root, "rootcoord")
	require.NoError(t, err)
	require.False(t, was)
}

func TestAPauseEndsByItself(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	began := time.Now()
	require.NoError(t, PauseTakeovers(t.Context(), client, root, "rootcoord", Maintenance{At: began, Until: began.Add(2 * time.Second)}))
	p := startPeer(t, client, nil)
	p.active()
	require.Greater(t, time.Since(began), 2*time.Second)
}

func TestNobodyClaimsWhileTheMetadataIsRestored(t *testing.T) {
	t.Parallel()
	client := clustertest.StartEtcd(t).Client(t)
	_, err := client.Put(t.Context(), RestoringKey(root), `{"By":"me"}`)
	require.NoError(t, err)
	p := startPeer(t, client, nil)
	p.waitLog("the role is free, but a restore of the metadata has not ended: see 'milvus metadata restore --help'")
	require.Empty(t, get(t, client, ActiveKey(root, "rootcoord")).Kvs)
	_, seen, err := Observe(t.Context(), client, root, []string{"rootcoord"})
	require.NoError(t, err)
	require.Equal(t, "me", seen[0].Restoring.By)
	_, err = client.Delete(t.Context(), RestoringKey(root))
	require.NoError(t, err)
	p.active()
}
