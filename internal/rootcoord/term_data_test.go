package rootcoord

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/mq"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// peersHeard is what the other two coordinators were asked, in order.
type peersHeard struct {
	datapb.UnimplementedDataCoordServer
	calls chan proto.Message
	gone  chan bool // answers of GcConfirm; the last one stays
}

func (p *peersHeard) WatchChannels(_ context.Context, r *datapb.WatchChannelsRequest) (*datapb.WatchChannelsResponse, error) {
	p.calls <- r
	return &datapb.WatchChannelsResponse{Status: errs.Success()}, nil
}

func (p *peersHeard) DropIndex(_ context.Context, r *indexpb.DropIndexRequest) (*commonpb.Status, error) {
	p.calls <- r
	return errs.Success(), nil
}

func (p *peersHeard) GcConfirm(_ context.Context, r *datapb.GcConfirmRequest) (*datapb.GcConfirmResponse, error) {
	p.calls <- r
	return &datapb.GcConfirmResponse{Status: errs.Success(), GcFinished: <-p.gone}, nil
}

// queryHeard is QueryCoord's half: its interface has methods of the same names.
type queryHeard struct {
	querypb.UnimplementedQueryCoordServer
	calls chan<- proto.Message
}

func (q *queryHeard) ReleaseCollection(_ context.Context, r *querypb.ReleaseCollectionRequest) (*commonpb.Status, error) {
	q.calls <- r
	return errs.Success(), nil
}

// startPeers registers a DataCoord and a QueryCoord, without leases for simplicity.
func (c *cluster) startPeers(t *testing.T) *peersHeard {
	p := &peersHeard{calls: make(chan proto.Message, 1000), gone: make(chan bool, 10)}
	for id, role := range []string{"datacoord", "querycoord"} {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		server, done := grpc.NewServer(), make(chan struct{})
		datapb.RegisterDataCoordServer(server, p)
		querypb.RegisterQueryCoordServer(server, &queryHeard{calls: p.calls})
		go func() { defer close(done); _ = server.Serve(lis) }()
		t.Cleanup(func() { server.Stop(); <-done })
		value, err := json.Marshal(sessionutil.Record{ServerID: int64(1000 + id), ServerName: role, Address: lis.Addr().String(), Exclusive: true})
		require.NoError(t, err)
		_, err = c.client.Put(within(t), c.metaRoot()+"/session/"+role, string(value))
		require.NoError(t, err)
	}
	return p
}

// withBroker gives the terms of a cluster a data path.
func (c *cluster) withBroker(t *testing.T) *kfake.Cluster {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	c.data = &DataPath{
		Queue: mq.Config{Type: mq.Kafka, Timeout: time.Minute, Kafka: mq.KafkaConfig{Brokers: broker.ListenAddrs()}},
		Ticks: true, TickInterval: 20 * time.Millisecond,
	}
	return broker
}

// reader reads one channel from its beginning.
type reader struct {
	client *kgo.Client
	tick   uint64 // the last one
	queue  []*kgo.Record
}

func readChannel(t *testing.T, broker *kfake.Cluster, channel string) *reader {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics(channel))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &reader{client: client}
}

// until reads up to and with a message of that type, and checks the order on the way: ticks do not go back, and no message of
// a drop is one that a tick has passed already.
func (r *reader) until(t *testing.T, kind commonpb.MsgType) uint64 {
	t.Helper()
	ctx := within(t)
	for {
		for len(r.queue) == 0 {
			fetches := r.client.PollFetches(ctx)
			require.NoError(t, fetches.Err())
			r.queue = fetches.Records()
		}
		var header commonpb.MsgHeader
		require.NoError(t, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(r.queue[0].Value, &header))
		r.queue = r.queue[1:]
		ts, got := header.GetBase().GetTimestamp(), header.GetBase().GetMsgType()
		switch got {
		case commonpb.MsgType_TimeTick:
			require.GreaterOrEqual(t, ts, r.tick, "a tick goes back")
			r.tick = ts
		case commonpb.MsgType_DropCollection, commonpb.MsgType_DropPartition, commonpb.MsgType_Replicate:
			require.Greater(t, ts, r.tick, "a tick has passed a message that comes now")
		}
		if got == kind {
			return ts
		}
	}
}

func TestLifeOfACollectionWithItsData(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	p := c.startPeers(t)
	s := c.start(t)

	before := c.revision(t)
	s.create(t, "c", func(r *milvuspb.CreateCollectionRequest) { r.ShardsNum = 2 })
	require.Equal(t, before+2, c.revision(t), "two transactions: Creating, Created")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	watched, ok := takes(t, p.calls).(*datapb.WatchChannelsRequest)
	require.True(t, ok)
	require.Equal(t, d.GetCollectionID(), watched.GetCollectionID())
	require.Equal(t, d.GetVirtualChannelNames(), watched.GetChannelNames())
	require.Len(t, watched.GetStartPositions(), 2)
	require.True(t, proto.Equal(d.GetStartPositions()[0], watched.GetStartPositions()[0]))
	channels := []*reader{
		readChannel(t, broker, d.GetPhysicalChannelNames()[0]), readChannel(t, broker, d.GetPhysicalChannelNames()[1]),
	}
	for _, ch := range channels {
		require.Equal(t, d.GetCreatedTimestamp(), ch.until(t, commonpb.MsgType_CreateCollection))
		ch.until(t, commonpb.MsgType_TimeTick)
	}

	require.NoError(t, s.createPartition(t, "c", "p"))
	require.NoError(t, s.dropPartition(t, "c", "p"))
	for _, ch := range channels {
		ch.until(t, commonpb.MsgType_DropPartition)
	}
	confirm, ok := takes(t, p.calls).(*datapb.GcConfirmRequest)
	require.True(t, ok)
	require.NotEqual(t, int64(-1), confirm.GetPartitionId())
	p.gone <- true

	s.drop(t, "c")
	require.IsType(t, &querypb.ReleaseCollectionRequest{}, takes(t, p.calls))
	require.IsType(t, &indexpb.DropIndexRequest{}, takes(t, p.calls))
	for _, ch := range channels {
		ch.until(t, commonpb.MsgType_DropCollection)
	}
	require.IsType(t, &datapb.GcConfirmRequest{}, takes(t, p.calls))
	require.NotEmpty(t, c.keysUnder(t, fmt.Sprintf("root-coord/database/collection-info/1/%d", d.GetCollectionID())), "its data are not gone")
	p.gone <- false
	require.IsType(t, &datapb.GcConfirmRequest{}, takes(t, p.calls), "it asks again")
	p.gone <- true
	require.Eventually(t, func() bool { return len(c.metadata(t)) == 1 }, time.Minute, 10*time.Millisecond)
}

// TestADropGoesOnInTheNextTerm ends the term when QueryCoord has released the collection and DataCoord does not confirm.
func TestADropGoesOnInTheNextTerm(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	p := c.startPeers(t)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	ch := readChannel(t, broker, d.GetPhysicalChannelNames()[0])
	s.drop(t, "c")
	first := ch.until(t, commonpb.MsgType_DropCollection)
	s.crash()
	s = c.start(t)
	require.False(t, s.has(t, "c"))
	s.create(t, "c") // the name is free
	require.Greater(t, ch.until(t, commonpb.MsgType_DropCollection), first, "announced again, and later")
	for range 10 {
		p.gone <- true
	}
	gone := fmt.Sprintf("root-coord/database/collection-info/1/%d", d.GetCollectionID())
	require.Eventually(t, func() bool { return len(c.keysUnder(t, gone)) == 0 }, time.Minute, 10*time.Millisecond)
	require.True(t, s.has(t, "c"))
}

// TestTicksAcrossTerms kills and restarts terms while a reader watches that ticks never go back.
func TestTicksAcrossTerms(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	c.startPeers(t)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	ch := readChannel(t, broker, d.GetPhysicalChannelNames()[0])
	for range 5 {
		for range 10 {
			ch.until(t, commonpb.MsgType_TimeTick)
		}
		s.crash()
		s = c.start(t)
	}
	ch.until(t, commonpb.MsgType_TimeTick)
}

// TestASilentProxyHoldsTicksBackForABoundedTime checks both halves: a proxy that reports holds ticks at what it says, and one
// that says nothing for too long is left out.
func TestTheLagOfTicksIsShown(t *testing.T) {
	c := newCluster(t)
	c.startPeers(t)
	c.withBroker(t)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	channel := d.GetPhysicalChannelNames()[0]
	require.NoError(t, s.databaseHandlers.ticks.WaitFor(within(t), channel, d.GetRequestTime()))
	m := metrics.New(metrics.Build{})
	g := &gauges{parts: s.databaseHandlers.parts, out: m.RootCoord, named: map[string]bool{}}
	g.update(within(t), time.Now())
	got := gathered(t, m.Registry)
	require.Contains(t, got, "milvus_rootcoord_produce_tt_lag_ms "+channel)
	require.InDelta(t, 0, got["milvus_rootcoord_produce_tt_lag_ms "+channel], 30_000)
	require.NotContains(t, got, "milvus_rootcoord_produce_tt_lag_ms by-dev-rootcoord-dml_15", "nobody uses it")
}

func TestASilentProxyHoldsTicksBackForABoundedTime(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	c.data.TickSilence = 5 * time.Second
	c.startPeers(t)
	c.startProxy(t, 77)
	s := c.start(t)
	s.create(t, "c")
	d, err := s.describe(t, "c")
	require.NoError(t, err)
	name := d.GetPhysicalChannelNames()[0]
	ch := readChannel(t, broker, name)
	reported := d.GetCreatedTimestamp() + 1
	_, err = s.UpdateChannelTimeTick(within(t), &internalpb.ChannelTimeTickMsg{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_TimeTick, SourceID: 77}, ChannelNames: []string{name},
		Timestamps: []uint64{reported}, DefaultTimestamp: reported,
	})
	require.NoError(t, err)
	for ch.tick < reported {
		ch.until(t, commonpb.MsgType_TimeTick)
	}
	require.Equal(t, reported, ch.tick, "not beyond what the proxy says")
	for ch.tick == reported { // until its silence has lasted
		ch.until(t, commonpb.MsgType_TimeTick)
	}
}

// TestTheEndOfAReplicationIsAnnounced on the channels that are in use.
func TestTheEndOfAReplicationIsAnnounced(t *testing.T) {
	c := newCluster(t)
	broker := c.withBroker(t)
	c.startPeers(t)
	s := c.start(t)
	s.createDatabase(t, "d", &commonpb.KeyValuePair{Key: "replicate.id", Value: "other"})
	s.create(t, "c", func(r *milvuspb.CreateCollectionRequest) { r.DbName = "d" })
	d, err := s.DescribeCollection(within(t), &milvuspb.DescribeCollectionRequest{
		Base: base(commonpb.MsgType_DescribeCollection), DbName: "d", CollectionName: "c",
	})
	require.NoError(t, err)
	ch := readChannel(t, broker, d.GetPhysicalChannelNames()[0])
	ch.until(t, commonpb.MsgType_TimeTick)
	_, err = s.AlterDatabase(within(t), &rootcoordpb.AlterDatabaseRequest{
		DbName: "d", Properties: []*commonpb.KeyValuePair{{Key: "replicate.endTS", Value: "1"}},
	})
	require.NoError(t, err)
	ch.until(t, commonpb.MsgType_Replicate)
	db, err := s.DescribeDatabase(within(t), &rootcoordpb.DescribeDatabaseRequest{DbName: "d"})
	require.NoError(t, err)
	require.NotContains(t, db.String(), "other")
}
