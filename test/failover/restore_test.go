package failover

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/backup"
	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/rpc"
)

var layout = backup.Layout{RootPath: "by-dev", MetaRoot: "by-dev/meta", KvRoot: "by-dev/kv"}

// TestACompletelyLostEtcd backs a cluster up while it works, loses it with its etcd, and restores it into an empty one.
func TestACompletelyLostEtcd(t *testing.T) {
	s := newStage(t, func(o *stageOptions) { o.coords = 1 })
	populate(t, s.root)
	before := shown(t, s.root)
	path := filepath.Join(t.TempDir(), "backup")
	report, err := backup.TakeFile(t.Context(), backup.Source{Client: s.client, Layout: layout, Product: "test"}, path, false)
	require.NoError(t, err)
	t.Log("backup: ", report.Keys, " keys in ", report.Took)
	after := shown(t, s.root)
	require.NoError(t, CreateCollection(t.Context(), s.root, "too late"))
	s.settle()
	timestamp, id := allocated(t, s.root)
	s.finish()
	s.coords[0].Kill()
	s.etcd.Kill()

	summary := verified(t, path)
	require.Zero(t, summary.Undecoded, summary.Examples)
	require.Zero(t, summary.Other, "everything that a RootCoord writes is known to verify")
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	restored(t, client, path, false)
	root := startOn(t, s.bin, etcd, client)
	now := shown(t, root)
	for _, name := range before {
		if slices.Contains(after, name) { // the workload drops some of its own
			require.Contains(t, now, name)
		}
	}
	require.Contains(t, now, "kept")
	require.NotContains(t, now, "too late")
	checkPopulated(t, root)
	laterTimestamp, laterID := allocated(t, root)
	require.Greater(t, laterTimestamp, timestamp)
	require.Greater(t, laterID, id)
	require.NoError(t, CreateCollection(t.Context(), root, "goes on"))
}

// TestBackInTime restores a backup over what a cluster has become since.
func TestBackInTime(t *testing.T) {
	s := newStage(t, func(o *stageOptions) { o.coords = 1 })
	populate(t, s.root)
	s.finish()
	before := shown(t, s.root)
	require.Eventually(t, func() bool { // a call whose caller has gone away goes on
		last := before
		before = shown(t, s.root)
		return slices.Equal(last, before)
	}, time.Minute, 200*time.Millisecond)
	bounds := watchBounds(t, s.client)
	path := filepath.Join(t.TempDir(), "backup")
	_, err := backup.TakeFile(t.Context(), backup.Source{Client: s.client, Layout: layout, Product: "test"}, path, false)
	require.NoError(t, err)
	require.NoError(t, CreateCollection(t.Context(), s.root, "a mistake"))
	timestamp, id := allocated(t, s.root)
	require.Zero(t, s.coords[0].Terminate())
	restored(t, s.client, path, true)
	root := startOn(t, s.bin, s.etcd, s.client)
	require.Equal(t, before, shown(t, root))
	checkPopulated(t, root)
	laterTimestamp, laterID := allocated(t, root)
	require.Greater(t, laterTimestamp, timestamp)
	require.Greater(t, laterID, id)
	require.Empty(t, bounds.stop(), "a stored bound went back")
}

func startOn(t *testing.T, bin string, etcd *clustertest.Etcd, client *clientv3.Client) rootcoordpb.RootCoordClient {
	t.Helper()
	c := clustertest.StartCoord(t, bin, "restored", clustertest.CoordOptions{Role: "rootcoord", Endpoints: etcd.Endpoints()})
	clustertest.WaitActive(t, client, 0, c)
	follow, err := coordclient.New(context.Background(), coordclient.Config{
		Etcd: client, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev",
		Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	t.Cleanup(follow.Close)
	return rootcoordpb.NewRootCoordClient(follow)
}

func verified(t *testing.T, path string) backup.Summary {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	s, err := backup.Verify(f, components.MetadataChecks)
	require.NoError(t, err)
	return s
}

func restored(t *testing.T, client *clientv3.Client, path string, replace bool) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	result, err := backup.Restore(t.Context(), backup.Destination{
		Client: client, Layout: layout, Roles: components.ActiveNames(), By: "test", Replace: replace,
	}, f)
	require.NoError(t, err)
	t.Logf("restore: %d keys in %.0f ms", result.Keys, result.TookMillis)
}

// populate makes one of each that is not a collection of the workload.
func populate(t *testing.T, root rootcoordpb.RootCoordClient) {
	t.Helper()
	ok := func(s *commonpb.Status, err error) {
		t.Helper()
		require.NoError(t, err)
		require.NoError(t, failure(s))
	}
	base := func(kind commonpb.MsgType) *commonpb.MsgBase { return &commonpb.MsgBase{MsgType: kind} }
	ctx := t.Context()
	require.NoError(t, CreateCollection(ctx, root, "kept"))
	ok(root.CreateDatabase(ctx, &milvuspb.CreateDatabaseRequest{Base: base(commonpb.MsgType_CreateDatabase), DbName: "second"}))
	ok(root.CreatePartition(ctx, &milvuspb.CreatePartitionRequest{Base: base(commonpb.MsgType_CreatePartition), CollectionName: "kept", PartitionName: "p"}))
	ok(root.CreateAlias(ctx, &milvuspb.CreateAliasRequest{Base: base(commonpb.MsgType_CreateAlias), CollectionName: "kept", Alias: "also"}))
	ok(root.CreateCredential(ctx, &internalpb.CredentialInfo{Username: "ann", EncryptedPassword: "hash"}))
	ok(root.CreateRole(ctx, &milvuspb.CreateRoleRequest{Base: base(commonpb.MsgType_CreateRole), Entity: &milvuspb.RoleEntity{Name: "readers"}}))
	ok(root.OperateUserRole(ctx, &milvuspb.OperateUserRoleRequest{Username: "ann", RoleName: "readers", Type: milvuspb.OperateUserRoleType_AddUserToRole}))
}

func checkPopulated(t *testing.T, root rootcoordpb.RootCoordClient) {
	t.Helper()
	ctx := t.Context()
	c, err := root.DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_DescribeCollection}, CollectionName: "also",
	})
	require.NoError(t, err)
	require.Equal(t, "kept", c.GetCollectionName())
	require.Equal(t, int64(2), c.GetNumPartitions())
	dbs, err := root.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_ListDatabases}})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"default", "second"}, dbs.GetDbNames())
	ann, err := root.GetCredential(ctx, &rootcoordpb.GetCredentialRequest{Username: "ann"})
	require.NoError(t, err)
	require.Equal(t, "hash", ann.GetPassword())
	roles, err := root.SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: "ann"}, IncludeRoleInfo: true})
	require.NoError(t, err)
	require.Equal(t, "readers", roles.GetResults()[0].GetRoles()[0].GetName())
}

func shown(t *testing.T, root rootcoordpb.RootCoordClient) []string {
	t.Helper()
	resp, err := root.ShowCollections(t.Context(), &milvuspb.ShowCollectionsRequest{Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_ShowCollections}})
	require.NoError(t, err)
	require.NoError(t, failure(resp.GetStatus()))
	names := resp.GetCollectionNames()
	slices.Sort(names)
	return names
}

// allocated are a timestamp and an id of now.
func allocated(t *testing.T, root rootcoordpb.RootCoordClient) (timestamp, id uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ts, err := root.AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: 1})
	require.NoError(t, err)
	require.NoError(t, failure(ts.GetStatus()))
	ids, err := root.AllocID(ctx, &rootcoordpb.AllocIDRequest{Count: 1})
	require.NoError(t, err)
	require.NoError(t, failure(ids.GetStatus()))
	return ts.GetTimestamp(), uint64(ids.GetID()) //nolint:gosec // positive
}
