package mq

import (
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestMain(m *testing.M) {
	// Pulsar's library looks once a send timeout, at the end of it, whether its producer is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/apache/pulsar-client-go/pulsar.(*partitionProducer).failTimeoutMessages"))
}

func broker(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, cfg Config) Producer {
	t.Helper()
	p, err := Open(cfg, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestKafkaStoresMessagesInOrderAndTellsWhere(t *testing.T) {
	b := broker(t)
	p := open(t, Config{Type: Kafka, Timeout: time.Minute, Kafka: KafkaConfig{Brokers: b.ListenAddrs()}})
	schema := &schemapb.CollectionSchema{Name: "c", Fields: []*schemapb.FieldSchema{{FieldID: 1, Name: "Timestamp"}}}
	created, err := CreateCollection(Collection{
		ID: 7, Name: "c", PartitionIDs: []int64{70}, Schema: schema, VirtualChannels: []string{"dml_0_7v0"}, PhysicalChannels: []string{"dml_0"},
	}, 11)
	require.NoError(t, err)
	tick, err := TimeTick(12, 5)
	require.NoError(t, err)
	dropped, err := DropCollection(7, "c", 13, 5)
	require.NoError(t, err)
	gone, err := DropPartition(7, 70, "p", 14, 5)
	require.NoError(t, err)
	end, err := ReplicateEnd("d", "c", "other", 15, 5)
	require.NoError(t, err)
	var ended msgpb.ReplicateMsg
	require.NoError(t, proto.Unmarshal(end.Payload, &ended))
	require.True(t, ended.GetIsEnd())
	require.Equal(t, "other", ended.GetBase().GetReplicateInfo().GetReplicateID())
	require.Equal(t, map[string]string{
		"msg_type": "Replicate", "timestamp": "15", "vchannel": "", "msg_id": "0", "collection_id": "0", "replicate_id": "other",
	}, end.Properties)
	for i, m := range []Message{created, tick, dropped, gone} {
		position, err := p.Send(t.Context(), "dml_0", m)
		require.NoError(t, err)
		require.Len(t, position, 8)
		require.Equal(t, uint64(i), binary.LittleEndian.Uint64(position))
	}

	reader, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ConsumeTopics("dml_0"))
	require.NoError(t, err)
	defer reader.Close()
	var records []*kgo.Record
	for len(records) < 4 {
		fetches := reader.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		records = append(records, fetches.Records()...)
	}
	wantTypes := []commonpb.MsgType{
		commonpb.MsgType_CreateCollection, commonpb.MsgType_TimeTick, commonpb.MsgType_DropCollection, commonpb.MsgType_DropPartition,
	}
	for i, r := range records {
		var header commonpb.MsgHeader // what a consumer decodes first
		require.NoError(t, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(r.Value, &header))
		require.Equal(t, wantTypes[i], header.GetBase().GetMsgType())
		require.Equal(t, uint64(11+i), header.GetBase().GetTimestamp())
		properties := map[string]string{}
		for _, h := range r.Headers {
			properties[h.Key] = string(h.Value)
		}
		require.Equal(t, map[string]string{ // all that consumers of the line sort by; without one they decode each message
			"msg_type": wantTypes[i].String(), "vchannel": "", "timestamp": []string{"11", "12", "13", "14"}[i], "msg_id": "0",
			"collection_id": []string{"7", "0", "7", "7"}[i],
		}, properties)
	}
	var create msgpb.CreateCollectionRequest
	require.NoError(t, proto.Unmarshal(records[0].Value, &create))
	require.Equal(t, []string{"dml_0_7v0"}, create.GetVirtualChannelNames())
	var stored schemapb.CollectionSchema
	require.NoError(t, proto.Unmarshal(create.GetSchema(), &stored))
	require.True(t, proto.Equal(schema, &stored))
}

// nobody is an address at which nobody listens; later somebody may.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // only asked for the port
	return l.Addr().String()
}

// silent is an address that accepts and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestABrokerThatIsAwayIsARetriableErrorAndEndsNothing(t *testing.T) {
	for name, address := range map[string]func(*testing.T) string{"refused": nobody, "silent": silent} {
		for _, kind := range []string{Kafka, Pulsar} {
			if kind == Pulsar && name == "silent" {
				continue // its library lets go of such a broker after a minute
			}
			t.Run(kind+" "+name, func(t *testing.T) {
				at := address(t)
				p := open(t, Config{
					Type: kind, Timeout: time.Second, Kafka: KafkaConfig{Brokers: []string{at}},
					Pulsar: PulsarConfig{URL: "pulsar://" + at, Tenant: "public", Namespace: "default"},
				})
				for range 2 {
					_, err := p.Send(t.Context(), "dml_0", Message{Payload: []byte("x")})
					require.ErrorIs(t, err, errs.Unavailable)
					require.True(t, errs.Retriable(err))
					require.ErrorContains(t, err, "dml_0")
				}
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				_, err := p.Send(ended, "dml_0", Message{Payload: []byte("x")})
				require.ErrorIs(t, err, context.Canceled)
			})
		}
	}
}

// A message that no broker will ever take must not be sent again and again.
func TestARefusalOfTheBrokerIsNotRetriable(t *testing.T) {
	b := broker(t)
	p := open(t, Config{Type: Kafka, Timeout: time.Minute, Kafka: KafkaConfig{Brokers: b.ListenAddrs()}})
	_, err := p.Send(t.Context(), "dml_0", Message{Payload: make([]byte, 2<<20)})
	require.NoError(t, err, "a large schema")
	_, err = p.Send(t.Context(), "dml_0", Message{Payload: make([]byte, 11<<20)})
	require.ErrorIs(t, err, errs.MqInternal)
	require.False(t, errs.Retriable(err))
	require.ErrorContains(t, err, "dml_0")
	_, err = p.Send(t.Context(), "dml_0", Message{Payload: []byte("x")})
	require.NoError(t, err)
}

// small is a producer of the library's that takes no message.
type small struct{ pulsar.Producer }

func (small) Send(context.Context, *pulsar.ProducerMessage) (pulsar.MessageID, error) {
	return nil, pulsar.ErrMessageTooLarge
}

func TestARefusalOfPulsarIsNotRetriable(t *testing.T) {
	making := make(chan struct{}, 1)
	making <- struct{}{}
	p := &pulsarProducer{timeout: time.Minute, channels: map[string]*pulsarChannel{"dml_0": {making: making, producer: small{}}}}
	_, err := p.Send(t.Context(), "dml_0", Message{})
	require.ErrorIs(t, err, errs.MqInternal)
	require.False(t, errs.Retriable(err))
}

func TestKafkaIsFoundAgain(t *testing.T) {
	at := nobody(t)
	p := open(t, Config{Type: Kafka, Timeout: time.Second, Kafka: KafkaConfig{Brokers: []string{at}}})
	_, err := p.Send(t.Context(), "dml_0", Message{Payload: []byte("x")})
	require.ErrorIs(t, err, errs.Unavailable)
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err)
	n, err := net.LookupPort("tcp", port)
	require.NoError(t, err)
	broker(t, kfake.Ports(n))
	require.Eventually(t, func() bool {
		_, err := p.Send(t.Context(), "dml_0", Message{Payload: []byte("y")})
		return err == nil
	}, time.Minute, time.Millisecond)
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for want, cfg := range map[string]Config{
		`"rocksmq" is no type`: {Type: "rocksmq"},
		"kafka.saslMechanisms": {Type: Kafka, Kafka: KafkaConfig{Brokers: []string{"a:1"}, SecurityProtocol: "SASL_SSL", SaslMechanisms: "GSSAPI"}},
		"kafka.ssl.tlsCaCert":  {Type: Kafka, Kafka: KafkaConfig{Brokers: []string{"a:1"}, SecurityProtocol: "SSL", TLSCACert: "/nowhere"}},
		"kafka.ssl.tlsCert":    {Type: Kafka, Kafka: KafkaConfig{Brokers: []string{"a:1"}, SecurityProtocol: "SSL", TLSCert: "/nowhere"}},
		"pulsar.address":       {Type: Pulsar, Timeout: time.Second, Pulsar: PulsarConfig{URL: "ftp://a:1"}},
		"is not built in":      {Type: Pulsar, Timeout: time.Second, Pulsar: PulsarConfig{URL: "pulsar://a:1", AuthPlugin: "athenz"}},
		"pulsar.authPlugin":    {Type: Pulsar, Timeout: time.Second, Pulsar: PulsarConfig{URL: "pulsar://a:1", AuthPlugin: "magic"}},
	} {
		_, err := Open(cfg, zap.NewNop())
		require.ErrorContains(t, err, want)
	}
}
