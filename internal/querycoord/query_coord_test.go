package querycoord

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
)

const (
	metaRoot = "by-dev/meta"
	root     = metaRoot + "/"
)

func encode(t testing.TB, m proto.Message) string {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return string(b)
}

func compress(t testing.TB, m proto.Message) string {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	require.NoError(t, err)
	defer w.Close() //nolint:errcheck // nothing was streamed
	return string(w.EncodeAll([]byte(encode(t, m)), nil))
}

// seed is every kind of key that Milvus writes for QueryCoord, once.
func seed(t *testing.T) map[string]string {
	return map[string]string{
		root + "querycoord-collection-loadinfo/1":                  encode(t, &querypb.CollectionLoadInfo{CollectionID: 1, ReplicaNumber: 1}),
		root + "querycoord-partition-loadinfo/1/2":                 encode(t, &querypb.PartitionLoadInfo{CollectionID: 1, PartitionID: 2}),
		root + "querycoord-replica/1/3":                            encode(t, &querypb.Replica{ID: 3, CollectionID: 1}),
		root + "queryCoord-ReplicaMeta/4":                          encode(t, &milvuspb.ReplicaInfo{ReplicaID: 4, CollectionID: 1}),
		root + "queryCoord-ResourceGroup/__default_resource_group": encode(t, &querypb.ResourceGroup{Name: "__default_resource_group"}),
		root + "queryCoord-Collection-Target/1":                    compress(t, &querypb.CollectionTarget{CollectionID: 1, Version: 9}),
		root + "queryCoord-collectionMeta/1":                       "not read any more",
		root + "querycoord-collection-loadinfo-v2/1":               "a neighbour's",
		root + "session/querycoord":                                `{"ServerID":1}`,
		"by-dev/kv/querycoord-id-allocator/idTimestamp":            "12345678",
	}
}

// damage is what must be quarantined, by key.
func damage(t *testing.T) map[string]string {
	return map[string]string{
		root + "querycoord-collection-loadinfo/2":   "\xff",
		root + "querycoord-collection-loadinfo/one": "x",
		root + "querycoord-partition-loadinfo/1":    "x",
		root + "querycoord-replica/1/4":             "",
		root + "queryCoord-ResourceGroup/":          "x",
		root + "queryCoord-Collection-Target/2":     encode(t, &querypb.CollectionTarget{CollectionID: 2}), // not compressed
		root + "queryCoord-Collection-Target/3":     compress(t, &querypb.CollectionTarget{CollectionID: 3})[:8],
	}
}

func put(t *testing.T, client *clientv3.Client, kvs map[string]string) {
	for k, v := range kvs {
		_, err := client.Put(t.Context(), k, v)
		require.NoError(t, err)
	}
}

func start(t *testing.T, client *clientv3.Client, standby bool) (*QueryCoord, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	q, err := New(Config{MetaRoot: metaRoot, Standby: standby}, Deps{Client: client, Logger: zap.New(core)})
	require.NoError(t, err)
	require.Equal(t, "querycoord", q.Name())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Follow(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	select {
	case <-q.Loaded():
	case <-time.After(30 * time.Second):
		t.Fatal("the tables were not loaded")
	}
	return q, logs
}

func TestEveryKindOfKeyIsLoaded(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, seed(t))
	put(t, client, damage(t))
	put(t, client, map[string]string{root + "querycoord-replica/1/5": "\xe2\x9b\xbc"}) // a tombstone
	q, _ := start(t, client, false)
	q.tables.Read(func(tb *tables) {
		require.Equal(t, []int{1, 1, 1, 1, 1, 1}, []int{
			tb.collections.Len(), tb.partitions.Len(), tb.replicas.Len(), tb.oldReplicas.Len(), tb.groups.Len(), tb.targets.Len(),
		})
		target, ok, err := tb.targets.Get(root + "queryCoord-Collection-Target/1")
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, 9, target.Value.GetVersion())
	})
	sick := map[string]bool{}
	for _, s := range q.tables.Quarantined() {
		sick[s.Key] = true
	}
	require.Len(t, sick, len(damage(t)))
	for key := range damage(t) {
		require.True(t, sick[key], key)
	}
}

func TestTablesFollowTheWatch(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	q, _ := start(t, client, false)
	put(t, client, seed(t))
	put(t, client, damage(t))
	last := int64(0)
	for key := range damage(t) {
		resp, err := client.Delete(t.Context(), key)
		require.NoError(t, err)
		last = resp.Header.Revision
	}
	txn, err := client.Txn(t.Context()).Then(
		clientv3.OpDelete(root+"querycoord-collection-loadinfo/1"), clientv3.OpDelete(root+"querycoord-partition-loadinfo/", clientv3.WithPrefix()),
	).Commit()
	require.NoError(t, err)
	require.Greater(t, txn.Header.Revision, last)
	require.NoError(t, q.follower.WaitFor(t.Context(), txn.Header.Revision))
	require.Empty(t, q.tables.Quarantined())
	require.Equal(t, 4, q.tables.Len())
}

func TestActivation(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	q, logs := start(t, client, true)
	put(t, client, map[string]string{root + "querycoord-replica/1/4": "\xff"})
	term := sessiontest.Claim(t, client, metaRoot, Name)
	instance, err := q.Activate(t.Context(), term)
	require.NoError(t, err)
	require.GreaterOrEqual(t, q.follower.Applied(), term.Number())
	instance.Started()

	var lines []string
	for _, e := range logs.All() {
		if e.Message != "metadata loaded" {
			lines = append(lines, e.Level.CapitalString()+" "+e.Message)
		}
	}
	require.Equal(t, []string{
		"INFO querycoord switch from standby to active, activating",
		"WARN a record of the metadata does not decode, it is left as it is and not used",
		"INFO QueryCoord Register Finished",
		"DEBUG QueryCoord start done ...",
	}, lines)
	_, err = instance.Server.(querypb.QueryCoordServer).LoadCollection(t.Context(), &querypb.LoadCollectionRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestAnActivationThatIsCutShortFails(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	q, err := New(Config{MetaRoot: metaRoot}, Deps{Client: client, Logger: zap.NewNop()})
	require.NoError(t, err)
	term := sessiontest.Claim(t, client, metaRoot, Name)
	why := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = q.Activate(ctx, term) // nobody follows: the tables never catch up
	require.ErrorIs(t, err, why)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{}, Deps{})
	require.Error(t, err)
}

func FuzzDecodeTarget(f *testing.F) {
	unzip, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(1<<20))
	require.NoError(f, err)
	f.Cleanup(unzip.Close)
	f.Add([]byte(compress(f, &querypb.CollectionTarget{CollectionID: 1})))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, value []byte) {
		target, err := decodeTarget(unzip, value)
		require.True(t, (target == nil) == (err != nil))
	})
}
