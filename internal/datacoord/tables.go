package datacoord

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

// keys builds the keys of DataCoord's tables.
type keys struct {
	root  string // <metaRoot>/
	watch string // <metaRoot>/channelwatch/
}

// prefixes are the ranges that are followed. They do not overlap.
func (k keys) prefixes() []string {
	return []string{k.root + "datacoord-meta/", k.watch, k.root + "field-index/", k.root + "segment-index/"}
}

// meta is the kind of a table below datacoord-meta.
func (k keys) meta(name string) string { return k.root + "datacoord-meta/" + name + "/" }

// tables are the decoded records, by their etcd keys. Milvus keeps the lists of log files apart from the segment they
// belong to, and so do we.
type tables struct {
	segments   *metatable.Table[*datapb.SegmentInfo] // coll/part/seg
	binlogs    *metatable.Table[*datapb.FieldBinlog] // coll/part/seg/field, as the next three
	deltalogs  *metatable.Table[*datapb.FieldBinlog]
	statslogs  *metatable.Table[*datapb.FieldBinlog]
	bm25logs   *metatable.Table[*datapb.FieldBinlog]
	removals   *metatable.Table[bool]                     // vchannel; true: removed, false: not removed
	positions  *metatable.Table[*msgpb.MsgPosition]       // vchannel; the channel's checkpoint
	watches    *metatable.Table[*datapb.ChannelWatchInfo] // node/vchannel
	indexes    *metatable.Table[*indexpb.FieldIndex]      // coll/index
	segIndexes *metatable.Table[*indexpb.SegmentIndex]    // coll/part/seg/build

	compactions   *metatable.Table[*datapb.CompactionTask] // type/trigger/plan
	analyses      *metatable.Table[*indexpb.AnalyzeTask]   // task
	statsTasks    *metatable.Table[*indexpb.StatsTask]     // task
	partStats     *metatable.Table[*datapb.PartitionStatsInfo]
	statsVersions *metatable.Table[int64]                 // coll/part/vchannel; the version in use
	importJobs    *metatable.Table[*datapb.ImportJob]     // job
	preImports    *metatable.Table[*datapb.PreImportTask] // task
	imports       *metatable.Table[*datapb.ImportTaskV2]  // task

	kinds map[string]tableset.Table
}

// Kinds implements tableset.Group.
func (t *tables) Kinds() map[string]tableset.Table { return t.kinds }

func newTables(k keys) *tables {
	t := &tables{kinds: map[string]tableset.Table{}}
	add := func(prefix string, shape tableset.Shape, mayBeEmpty bool, table tableset.Maker) {
		t.kinds[prefix] = table(tableset.Kind{Prefix: prefix, Shape: shape, MayBeEmpty: mayBeEmpty})
	}
	add(k.meta("s"), "iii", false, tableset.Message(&t.segments))
	add(k.meta("binlog"), "iiii", true, tableset.Message(&t.binlogs)) // field 0 with its logs taken away is no bytes at all
	add(k.meta("deltalog"), "iiii", true, tableset.Message(&t.deltalogs))
	add(k.meta("statslog"), "iiii", true, tableset.Message(&t.statslogs))
	add(k.meta("bm25log"), "iiii", true, tableset.Message(&t.bm25logs))
	add(k.meta("channel-removal"), "n", false, tableset.Values(&t.removals, decodeRemoval))
	add(k.meta("channel-cp"), "n", false, tableset.Values(&t.positions, decodePosition))
	add(k.watch, "in", false, tableset.Message(&t.watches))
	add(k.root+"field-index/", "ii", false, tableset.Message(&t.indexes))
	add(k.root+"segment-index/", "iiii", false, tableset.Message(&t.segIndexes))
	add(k.meta("compaction-task"), "nii", false, tableset.Message(&t.compactions))
	add(k.meta("analyze-task"), "i", false, tableset.Message(&t.analyses))
	add(k.meta("stats-task"), "i", false, tableset.Message(&t.statsTasks))
	add(k.meta("partition-stats"), "iini", false, tableset.Message(&t.partStats))
	add(k.meta("current-partition-stats-version"), "iin", false, tableset.Values(&t.statsVersions, decodeVersion))
	add(k.meta("import-job"), "i", false, tableset.Message(&t.importJobs))
	add(k.meta("preimport-task"), "i", false, tableset.Message(&t.preImports))
	add(k.meta("import-task"), "i", false, tableset.Message(&t.imports))
	return t
}

// decodeRemoval reads whether a channel has been dropped.
func decodeRemoval(_ string, value []byte) (bool, error) {
	switch string(value) {
	case "removed":
		return true, nil
	case "non-removed":
		return false, nil
	}
	return false, fmt.Errorf(`%q is neither "removed" nor "non-removed"`, value)
}

// decodePosition reads a channel's checkpoint. The channel is the key's: what the value says may be an older name.
func decodePosition(key string, value []byte) (*msgpb.MsgPosition, error) {
	p, err := tableset.Unmarshal[msgpb.MsgPosition](value)
	if err != nil {
		return nil, err
	}
	p.ChannelName = key[strings.LastIndexByte(key, '/')+1:]
	return p, nil
}

// decodeVersion reads the version of the partition statistics that are in use.
func decodeVersion(_ string, value []byte) (int64, error) {
	v, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a version", value)
	}
	return v, nil
}
