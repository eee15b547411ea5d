package sessionutil

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestChangesAreSeen(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	ctx, cancel := context.WithCancel(t.Context())
	changed, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		WatchChanges(ctx, client, root, func() { changed <- struct{}{} })
	}()
	wait := func(what string) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(time.Minute):
			t.Fatalf("%s is not seen", what)
		}
	}
	wait("that a watch has begun")
	wait("that the other one has begun")
	for _, key := range []string{ActiveKey(root, "rootcoord"), HistoryKey(root, "rootcoord", 1), maintenanceKey(root, "rootcoord")} {
		_, err := client.Put(t.Context(), key, "")
		require.NoError(t, err)
		wait(key)
	}
	etcd.Kill()
	etcd.Restart()
	etcd.WaitReady()
	_, err := client.Delete(t.Context(), ActiveKey(root, "rootcoord"))
	require.NoError(t, err)
	wait("a change after etcd's return")
	cancel()
	<-ended
}
