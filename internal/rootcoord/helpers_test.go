package rootcoord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/quota"
	"github.com/milvus-coord/milvus/internal/rbac"
	"github.com/milvus-coord/milvus/internal/rootcoord/access"
	"github.com/milvus-coord/milvus/internal/rpc"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testLimits() Limits {
	return Limits{
		MaxDatabaseNum: 64, MaxCollectionNum: 65536, MaxCollectionNumPerDB: 65536, MaxPartitionNum: 1024,
		MaxGeneralCapacity: 65536, DmlChannelNum: 16, MaxShardNum: 16, DefaultPartitionName: "_default",
	}
}

// cluster is an etcd on which terms of RootCoord follow one another.
type cluster struct {
	etcd   *clustertest.Etcd
	client *clientv3.Client
	root   string
	data   *DataPath // of the terms that begin from now on
}

func newCluster(t testing.TB) *cluster {
	etcd := clustertest.StartEtcd(t)
	return &cluster{etcd: etcd, client: etcd.Client(t), root: "by-dev"}
}

// beside is another, empty cluster on the same etcd.
func (c *cluster) beside(root string) *cluster {
	return &cluster{etcd: c.etcd, client: c.client, root: root}
}

func (c *cluster) metaRoot() string { return c.root + "/meta" }

// server is one term.
type server struct {
	*Core
	role  *RootCoord
	term  *sessionutil.Term
	end   func() // stops the term's work, then gives the role back
	crash func() // ends the term first, in the middle of whatever is being done
}

// start begins a term. It ends with the test at the latest.
func (c *cluster) start(t testing.TB, change ...func(*Limits)) *server {
	t.Helper()
	return c.startWith(t, testRules(), change...)
}

func testRules() access.Rules {
	return access.Rules{MaxUsers: 100, MaxRoles: 10, RootPassword: "Milvus", PublicGrants: true, Groups: rbac.BuiltinGroups()}
}

func (c *cluster) startWith(t testing.TB, rules access.Rules, change ...func(*Limits)) *server {
	t.Helper()
	limits := testLimits()
	for _, f := range change {
		f(&limits)
	}
	logger := zaptest.NewLogger(t, zaptest.Level(zap.InfoLevel))
	role, err := New(Config{MetaRoot: c.metaRoot(), KvRoot: c.root + "/kv", Cluster: "by-dev", Standby: true, Limits: limits, Quota: &quota.Config{Interval: time.Hour}, Access: rules, Data: c.data},
		Deps{Client: c.client, Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: logger, Metrics: metrics.New(metrics.Build{}).RootCoord})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	following := make(chan error, 1)
	go func() { following <- role.Follow(ctx) }()

	term, resign := sessiontest.ClaimUntil(t, c.client, c.metaRoot(), Name)
	activation, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	inst, err := role.Activate(activation, term)
	require.NoError(t, err)
	work, stopWork := context.WithCancel(term.Context())
	running := make(chan error, 1)
	go func() { running <- inst.Run(work) }()
	inst.Started()
	core, ok := inst.Server.(*Core)
	require.True(t, ok)
	var ended atomic.Bool
	stop := func(first func()) {
		if !ended.CompareAndSwap(false, true) {
			return
		}
		first()
		stopWork()
		if err := <-running; err != nil && !errors.Is(err, context.Canceled) && term.Context().Err() == nil {
			t.Errorf("background work: %v", err)
		}
		resign()
		cancel()
		if err := <-following; err != nil {
			t.Errorf("follow: %v", err)
		}
	}
	end := func() { stop(stopWork) }
	t.Cleanup(end)
	return &server{Core: core, role: role, term: term, end: end, crash: func() { stop(resign) }}
}

func base(t commonpb.MsgType) *commonpb.MsgBase { return &commonpb.MsgBase{MsgType: t} }

func vectorSchema(name string, change ...func(*schemapb.CollectionSchema)) *schemapb.CollectionSchema {
	s := &schemapb.CollectionSchema{Name: name, Fields: []*schemapb.FieldSchema{
		{Name: "pk", DataType: schemapb.DataType_Int64, IsPrimaryKey: true},
		{Name: "vec", DataType: schemapb.DataType_FloatVector, TypeParams: []*commonpb.KeyValuePair{{Key: "dim", Value: "8"}}},
	}}
	for _, f := range change {
		f(s)
	}
	return s
}

func partitionKey(s *schemapb.CollectionSchema) {
	s.Fields = append(s.Fields, &schemapb.FieldSchema{Name: "tenant", DataType: schemapb.DataType_Int64, IsPartitionKey: true})
}

func createRequest(name string, change ...func(*milvuspb.CreateCollectionRequest)) *milvuspb.CreateCollectionRequest {
	return createWith(vectorSchema(name), change...)
}

func createWith(s *schemapb.CollectionSchema, change ...func(*milvuspb.CreateCollectionRequest)) *milvuspb.CreateCollectionRequest {
	encoded, err := proto.Marshal(s)
	if err != nil {
		panic(err)
	}
	req := &milvuspb.CreateCollectionRequest{
		Base: base(commonpb.MsgType_CreateCollection), CollectionName: s.GetName(), Schema: encoded, ShardsNum: 1,
	}
	for _, f := range change {
		f(req)
	}
	return req
}

// within is the context of one call.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func (s *server) create(t testing.TB, name string, change ...func(*milvuspb.CreateCollectionRequest)) {
	t.Helper()
	_, err := s.CreateCollection(within(t), createRequest(name, change...))
	require.NoError(t, err)
}

func (s *server) drop(t testing.TB, name string) {
	t.Helper()
	_, err := s.DropCollection(within(t), &milvuspb.DropCollectionRequest{Base: base(commonpb.MsgType_DropCollection), CollectionName: name})
	require.NoError(t, err)
}

func (s *server) describe(t testing.TB, name string) (*milvuspb.DescribeCollectionResponse, error) {
	t.Helper()
	return s.DescribeCollection(within(t), &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), CollectionName: name,
	})
}

func (s *server) has(t testing.TB, name string) bool {
	t.Helper()
	resp, err := s.HasCollection(within(t), &milvuspb.HasCollectionRequest{Base: base(commonpb.MsgType_HasCollection), CollectionName: name})
	require.NoError(t, err)
	return resp.GetValue()
}

func (s *server) show(t testing.TB, database string) []string {
	t.Helper()
	resp, err := s.ShowCollections(within(t), &milvuspb.ShowCollectionsRequest{Base: base(commonpb.MsgType_ShowCollections), DbName: database})
	require.NoError(t, err)
	return resp.GetCollectionNames()
}

func (s *server) partitions(t testing.TB, collection string) []string {
	t.Helper()
	resp, err := s.ShowPartitions(within(t), &milvuspb.ShowPartitionsRequest{Base: base(commonpb.MsgType_ShowPartitions), CollectionName: collection})
	require.NoError(t, err)
	require.Len(t, resp.GetPartitionIDs(), len(resp.GetPartitionNames()))
	require.Len(t, resp.GetCreatedTimestamps(), len(resp.GetPartitionNames()))
	require.Len(t, resp.GetCreatedUtcTimestamps(), len(resp.GetPartitionNames()))
	return resp.GetPartitionNames()
}

func (s *server) createDatabase(t testing.TB, name string, properties ...*commonpb.KeyValuePair) {
	t.Helper()
	_, err := s.CreateDatabase(within(t), &milvuspb.CreateDatabaseRequest{DbName: name, Properties: properties})
	require.NoError(t, err)
}

func (s *server) createPartition(t testing.TB, collection, partition string) error {
	t.Helper()
	_, err := s.CreatePartition(within(t), &milvuspb.CreatePartitionRequest{
		Base: base(commonpb.MsgType_CreatePartition), CollectionName: collection, PartitionName: partition,
	})
	return err
}

func (s *server) dropPartition(t testing.TB, collection, partition string) error {
	t.Helper()
	_, err := s.DropPartition(within(t), &milvuspb.DropPartitionRequest{
		Base: base(commonpb.MsgType_DropPartition), CollectionName: collection, PartitionName: partition,
	})
	return err
}

func (s *server) createAlias(t testing.TB, alias, collection string) error {
	t.Helper()
	_, err := s.CreateAlias(within(t), &milvuspb.CreateAliasRequest{
		Base: base(commonpb.MsgType_CreateAlias), Alias: alias, CollectionName: collection,
	})
	return err
}

func (s *server) alterAlias(t testing.TB, alias, collection string) error {
	t.Helper()
	_, err := s.AlterAlias(within(t), &milvuspb.AlterAliasRequest{
		Base: base(commonpb.MsgType_AlterAlias), Alias: alias, CollectionName: collection,
	})
	return err
}

func (s *server) dropAlias(t testing.TB, alias string) error {
	t.Helper()
	_, err := s.DropAlias(within(t), &milvuspb.DropAliasRequest{Base: base(commonpb.MsgType_DropAlias), Alias: alias})
	return err
}

// requireCode checks the number that a client would see; 0 is success.
func requireCode(t testing.TB, want int32, err error, about ...any) {
	t.Helper()
	require.Equal(t, want, errs.ToStatus(err).GetCode(), "%v %v", err, fmt.Sprint(about...))
}

// G is Milvus' generic error.
const G = int32(65535)

// keysUnder lists what is in etcd.
func (c *cluster) keysUnder(t testing.TB, prefix string) []string {
	t.Helper()
	resp, err := c.client.Get(within(t), c.metaRoot()+"/"+prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	var keys []string
	for _, kv := range resp.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

// metadata lists what is in etcd of databases and collections.
func (c *cluster) metadata(t testing.TB) []string {
	t.Helper()
	return slices.DeleteFunc(c.keysUnder(t, "root-coord/"), func(key string) bool {
		return strings.HasPrefix(key, c.metaRoot()+"/root-coord/credential/")
	})
}

func (c *cluster) putMessage(t testing.TB, key string, m proto.Message) {
	t.Helper()
	value, err := proto.Marshal(m)
	require.NoError(t, err)
	_, err = c.client.Put(within(t), c.metaRoot()+"/"+key, string(value))
	require.NoError(t, err)
}

// value is a record as it is stored.
func (c *cluster) value(t testing.TB, key string) string {
	t.Helper()
	resp, err := c.client.Get(within(t), c.metaRoot()+"/"+key)
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1, key)
	return string(resp.Kvs[0].Value)
}

func halfCollection(id int64, name string, state etcdpb.CollectionState) *etcdpb.CollectionInfo {
	return &etcdpb.CollectionInfo{
		ID: id, DbId: 1, State: state, ShardsNum: 1, CreateTime: 1, Schema: &schemapb.CollectionSchema{Name: name},
		PhysicalChannelNames: []string{"by-dev-rootcoord-dml_0"}, VirtualChannelNames: []string{fmt.Sprintf("by-dev-rootcoord-dml_0_%dv0", id)},
	}
}
