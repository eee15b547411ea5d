package datacoord

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
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
	meta     = metaRoot + "/datacoord-meta/"
)

func encode(t *testing.T, m proto.Message) string {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return string(b)
}

// seed is every kind of key that Milvus writes for DataCoord, once.
func seed(t *testing.T) map[string]string {
	fieldBinlog := encode(t, &datapb.FieldBinlog{FieldID: 100, Binlogs: []*datapb.Binlog{{LogID: 9, EntriesNum: 3}}})
	return map[string]string{
		meta + "s/1/2/3":                                                 encode(t, &datapb.SegmentInfo{ID: 3, CollectionID: 1, PartitionID: 2, State: commonpb.SegmentState_Flushed}),
		meta + "binlog/1/2/3/100":                                        fieldBinlog,
		meta + "binlog/1/2/3/0":                                          "", // field 0, no logs
		meta + "deltalog/1/2/3/100":                                      fieldBinlog,
		meta + "statslog/1/2/3/100":                                      fieldBinlog,
		meta + "bm25log/1/2/3/101":                                       fieldBinlog,
		meta + "channel-removal/by-dev-rootcoord-dml_0_1v0":              "non-removed",
		meta + "channel-removal/by-dev-rootcoord-dml_1_1v1":              "removed",
		meta + "channel-cp/by-dev-rootcoord-dml_0_1v0":                   encode(t, &msgpb.MsgPosition{ChannelName: "old", Timestamp: 7}),
		meta + "compaction-task/MixCompaction/10/11":                     encode(t, &datapb.CompactionTask{PlanID: 11, TriggerID: 10}),
		meta + "analyze-task/12":                                         encode(t, &indexpb.AnalyzeTask{TaskID: 12}),
		meta + "stats-task/13":                                           encode(t, &indexpb.StatsTask{TaskID: 13}),
		meta + "partition-stats/1/2/by-dev-rootcoord-dml_0_1v0/14":       encode(t, &datapb.PartitionStatsInfo{CollectionID: 1, Version: 14}),
		meta + "current-partition-stats-version/1/2/by-dev-dml_0_1v0":    "14",
		meta + "import-job/15":                                           encode(t, &datapb.ImportJob{JobID: 15}),
		meta + "preimport-task/16":                                       encode(t, &datapb.PreImportTask{TaskID: 16}),
		meta + "import-task/17":                                          encode(t, &datapb.ImportTaskV2{TaskID: 17}),
		metaRoot + "/channelwatch/5/by-dev-rootcoord-dml_0_1v0":          encode(t, &datapb.ChannelWatchInfo{StartTs: 1}),
		metaRoot + "/channelwatch/-9223372036854775808/by-dev-dml_1_1v1": encode(t, &datapb.ChannelWatchInfo{StartTs: 2}),
		metaRoot + "/field-index/1/20":                                   encode(t, &indexpb.FieldIndex{IndexInfo: &indexpb.IndexInfo{IndexID: 20}}),
		metaRoot + "/segment-index/1/2/3/21":                             encode(t, &indexpb.SegmentIndex{BuildID: 21}),
		metaRoot + "/idTimestamp":                                        "12345678", // the own id generator's, no table
		metaRoot + "/root-coord/database/db-info/1":                      "somebody else's",
		metaRoot + "/session/datacoord":                                  `{"ServerID":1,"Address":"127.0.0.1:1"}`,
		metaRoot + "/datacoord-metadata/s/1/2/3":                         "a neighbour's",
		meta + "kind-of-a-later-milvus/1":                                "left alone",
		metaRoot + "/segment-index-v2/1/2/3/4":                           "a neighbour's",
		"by-dev/meta2/datacoord-meta/s/1/2/3":                            "another cluster's",
		"by-dev/kv/gid/timestamp":                                        "RootCoord's",
		metaRoot + "/querycoord-collection-loadinfo/1":                   "QueryCoord's",
		metaRoot + "/ha/datacoord/term":                                  "ours",
	}
}

// damage is what must be quarantined, by key.
func damage() map[string]string {
	return map[string]string{
		meta + "s/1/2/4":                               "\xff\xff",
		meta + "s/1/2":                                 "x", // too short a key
		meta + "s/1/2/seg":                             "x",
		meta + "s/1/2/5":                               "",
		meta + "channel-removal/by-dev-dml_2":          "perhaps",
		meta + "channel-cp/by-dev-dml_2":               "\xff",
		meta + "stats-task/x":                          "",
		meta + "compaction-task/M/1/x":                 "",
		meta + "current-partition-stats-version/1/2/c": "new",
		metaRoot + "/channelwatch/here/by-dev-dml":     "x",
	}
}

func put(t *testing.T, client *clientv3.Client, kvs map[string]string) {
	for k, v := range kvs {
		_, err := client.Put(t.Context(), k, v)
		require.NoError(t, err)
	}
}

func start(t *testing.T, client *clientv3.Client, cfg Config) (*DataCoord, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	d, err := New(cfg, Deps{Client: client, Logger: zap.New(core)})
	require.NoError(t, err)
	require.Equal(t, "datacoord", d.Name())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Follow(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-done) })
	select {
	case <-d.Loaded():
	case <-time.After(30 * time.Second):
		t.Fatal("the tables were not loaded")
	}
	return d, logs
}

func counts(tb *tables) []int {
	return []int{
		tb.segments.Len(), tb.binlogs.Len(), tb.deltalogs.Len(), tb.statslogs.Len(), tb.bm25logs.Len(), tb.removals.Len(),
		tb.positions.Len(), tb.watches.Len(), tb.indexes.Len(), tb.segIndexes.Len(), tb.compactions.Len(), tb.analyses.Len(),
		tb.statsTasks.Len(), tb.partStats.Len(), tb.statsVersions.Len(), tb.importJobs.Len(), tb.preImports.Len(), tb.imports.Len(),
	}
}

func TestEveryKindOfKeyIsLoaded(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	put(t, client, seed(t))
	put(t, client, damage())
	put(t, client, map[string]string{meta + "s/1/2/6": "\xe2\x9b\xbc"}) // a tombstone
	d, _ := start(t, client, Config{MetaRoot: metaRoot})

	d.tables.Read(func(tb *tables) {
		require.Equal(t, []int{1, 2, 1, 1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, counts(tb))
		segment, ok, err := tb.segments.Get(meta + "s/1/2/3")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, commonpb.SegmentState_Flushed, segment.Value.GetState())
		position, _, err := tb.positions.Get(meta + "channel-cp/by-dev-rootcoord-dml_0_1v0")
		require.NoError(t, err)
		require.Equal(t, "by-dev-rootcoord-dml_0_1v0", position.Value.GetChannelName())
		require.EqualValues(t, 7, position.Value.GetTimestamp())
		removed, _, err := tb.removals.Get(meta + "channel-removal/by-dev-rootcoord-dml_1_1v1")
		require.NoError(t, err)
		require.True(t, removed.Value)
		version, _, err := tb.statsVersions.Get(meta + "current-partition-stats-version/1/2/by-dev-dml_0_1v0")
		require.NoError(t, err)
		require.EqualValues(t, 14, version.Value)
		_, _, err = tb.segments.Get(meta + "s/1/2/4")
		require.ErrorContains(t, err, "s/1/2/4")
	})
	sick := map[string]bool{}
	for _, q := range d.tables.Quarantined() {
		sick[q.Key] = true
	}
	require.Len(t, sick, len(damage()))
	for key := range damage() {
		require.True(t, sick[key], key)
	}
}

func TestTablesFollowTheWatch(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	d, _ := start(t, client, Config{MetaRoot: metaRoot, WatchSubPath: "elsewhere"})
	value := encode(t, &datapb.SegmentInfo{ID: 3})
	put(t, client, map[string]string{meta + "s/1/2/3": value, meta + "s/1/2/4": "\xff", metaRoot + "/elsewhere/1/ch": encode(t, &datapb.ChannelWatchInfo{StartTs: 1})})
	resp, err := client.Delete(t.Context(), meta+"s/9/9/9")
	require.NoError(t, err)
	require.NoError(t, d.follower.Barrier(t.Context(), resp.Header.Revision))
	require.Equal(t, 2, d.tables.Len())
	require.Len(t, d.tables.Quarantined(), 1)
	d.tables.Read(func(tb *tables) { require.Equal(t, 1, tb.watches.Len()) })

	txn, err := client.Txn(t.Context()).Then(clientv3.OpPut(meta+"s/1/2/4", value), clientv3.OpDelete(meta+"s/1/2/3")).Commit()
	require.NoError(t, err)
	require.NoError(t, d.follower.WaitFor(t.Context(), txn.Header.Revision))
	require.Equal(t, 2, d.tables.Len())
	require.Empty(t, d.tables.Quarantined())
}

func TestActivation(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	d, logs := start(t, client, Config{MetaRoot: metaRoot, Standby: true})
	put(t, client, map[string]string{meta + "s/1/2/4": "\xff"})
	term := sessiontest.Claim(t, client, metaRoot, Name)
	instance, err := d.Activate(t.Context(), term)
	require.NoError(t, err)
	require.GreaterOrEqual(t, d.follower.Applied(), term.Number())
	instance.Started()

	var lines []string
	for _, e := range logs.All() {
		if e.Message != "metadata loaded" {
			lines = append(lines, e.Level.CapitalString()+" "+e.Message)
		}
	}
	require.Equal(t, []string{
		"INFO datacoord switch from standby to active, activating",
		"WARN a record of the metadata does not decode, it is left as it is and not used",
		"INFO DataCoord Register Finished",
		"DEBUG DataCoord start done ...",
	}, lines)

	_, err = instance.Server.(datapb.DataCoordServer).Flush(t.Context(), &datapb.FlushRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
	_, err = instance.Server.(indexpb.IndexCoordServer).CreateIndex(t.Context(), &indexpb.CreateIndexRequest{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestAnActivationThatIsCutShortFails(t *testing.T) {
	client := clustertest.StartEtcd(t).Client(t)
	d, err := New(Config{MetaRoot: metaRoot}, Deps{Client: client, Logger: zap.NewNop()})
	require.NoError(t, err)
	term := sessiontest.Claim(t, client, metaRoot, Name)
	why := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = d.Activate(ctx, term) // nobody follows: the tables never catch up
	require.ErrorIs(t, err, why)
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{}, Deps{})
	require.Error(t, err)
}
