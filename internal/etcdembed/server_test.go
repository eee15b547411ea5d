package etcdembed

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/milvus-coord/milvus/internal/rpc/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, dir string) (*Server, *clientv3.Client) {
	t.Helper()
	s, err := Start(t.Context(), Config{Dir: dir, Address: "127.0.0.1:0", Logger: zap.NewNop()})
	require.NoError(t, err)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Address()}, Logger: zap.NewNop()})
	require.NoError(t, err)
	return s, client
}

func TestStateAndLeasesOutliveARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "etcd")
	s, client := start(t, dir)
	lease, err := client.Grant(t.Context(), 3600)
	require.NoError(t, err)
	_, err = client.Put(t.Context(), "k", "v", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "passwords are in there")
	require.NoError(t, client.Close())
	require.NoError(t, s.Close())

	s, client = start(t, dir)
	defer func() { require.NoError(t, s.Close()) }()
	defer client.Close()
	resp, err := client.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1)
	require.Equal(t, int64(lease.ID), resp.Kvs[0].Lease)
	members, err := client.MemberList(t.Context())
	require.NoError(t, err)
	require.Len(t, members.Members, 1)
	require.Eventually(t, func() bool { // it is told anew at each start
		members, err := client.MemberList(t.Context())
		return err == nil && members.Members[0].ClientURLs[0] == "http://"+s.Address()
	}, time.Minute, 10*time.Millisecond)
}

func TestCloseCutsWatchesOff(t *testing.T) {
	s, client := start(t, t.TempDir())
	defer client.Close()
	watch := client.Watch(t.Context(), "k")
	_, err := client.Put(t.Context(), "k", "v")
	require.NoError(t, err)
	<-watch
	done := make(chan error, 1)
	go func() { done <- s.Close() }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("a client that watches keeps the etcd from closing")
	}
}

func TestWaitTellsAnEnd(t *testing.T) {
	s, client := start(t, t.TempDir())
	require.NoError(t, client.Close())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Wait(ctx))
	go s.etcd.HardStop()
	require.ErrorContains(t, s.Wait(t.Context()), "has stopped by itself")
	require.NoError(t, s.Close())
}

func TestADirectoryHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	s, client := start(t, dir)
	defer func() { require.NoError(t, s.Close()) }()
	defer client.Close()
	_, err := Start(t.Context(), Config{Dir: dir, Address: "127.0.0.1:0", Logger: zap.NewNop()})
	require.ErrorContains(t, err, dir+" is in use by process "+strconv.Itoa(os.Getpid()))
	require.ErrorContains(t, err, "ETCD_DATA_DIR")

	// An etcd of its own knows nothing of our lock.
	other := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(other, "member", "snap"), 0o700))
	db, err := bolt.Open(filepath.Join(other, "member", "snap", "db"), 0o600, nil)
	require.NoError(t, err)
	defer db.Close()
	_, err = Start(t.Context(), Config{Dir: other, Address: "127.0.0.1:0", Logger: zap.NewNop()})
	require.ErrorContains(t, err, other+" is in use by another process")
}

func TestWhatCannotStartNamesTheKey(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = Start(t.Context(), Config{Dir: t.TempDir(), Address: taken.Addr().String(), Logger: zap.NewNop()})
	var refused *listen.Error
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Taken())
	require.ErrorContains(t, err, "etcd.embed.address")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = Start(t.Context(), Config{Dir: file, Address: "127.0.0.1:0", Logger: zap.NewNop()})
	require.ErrorContains(t, err, "etcd.data.dir")

	// etcd would panic over a database that it cannot read.
	broken := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(broken, "member", "snap"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "member", "snap", "db"), []byte("no database"), 0o600))
	_, err = Start(t.Context(), Config{Dir: broken, Address: "127.0.0.1:0", Logger: zap.NewNop()})
	require.ErrorContains(t, err, "is no database of etcd's")

	// It panics over much else.
	_, err = open(serverConfig{DataDir: t.TempDir()})
	require.Error(t, err)
}

func TestQuiet(t *testing.T) {
	core, seen := observer.New(zapcore.DebugLevel)
	log := quiet(zap.New(core)).With(zap.Int("n", 1))
	log.Info("serving")
	log.Error(noNews[0])
	log.Warn("slow fdatasync")
	require.Len(t, seen.All(), 1)
	require.Equal(t, "slow fdatasync", seen.All()[0].Message)
}
