package mq

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// pulsarBroker speaks as much of Pulsar's binary protocol as a producer needs, and keeps what it is sent. The source of the
// frames and of the numbers of commands and fields is Pulsar's specification, "Binary protocol", and PulsarApi.proto.
type pulsarBroker struct {
	t       *testing.T
	address string
	done    sync.WaitGroup

	mu     sync.Mutex
	lis    net.Listener
	conns  map[net.Conn]bool
	topics map[uint64]string // by producer
	stored map[string][]pulsarMessage
}

type pulsarMessage struct {
	properties map[string]string
	payload    []byte
}

// Commands: the type, which is also the number of the command's field but for one.
const (
	pulsarConnect, pulsarConnected, pulsarProducerCmd, pulsarSend, pulsarReceipt = 2, 3, 5, 6, 7
	pulsarSuccess, pulsarCloseProducer, pulsarProducerSuccess                    = 13, 15, 17
	pulsarPing, pulsarPong                                                       = 18, 19
	pulsarPartitions, pulsarPartitionsAnswer, pulsarLookup, pulsarLookupAnswer   = 21, 22, 23, 24
)

const pulsarLedger = 77

func startPulsar(t *testing.T) *pulsarBroker {
	t.Helper()
	b := &pulsarBroker{
		t: t, address: "127.0.0.1:0", conns: map[net.Conn]bool{}, topics: map[uint64]string{}, stored: map[string][]pulsarMessage{},
	}
	b.start()
	t.Cleanup(b.stop)
	return b
}

// start listens, after a stop on the same address.
func (b *pulsarBroker) start() {
	b.t.Helper()
	lis, err := net.Listen("tcp", b.address)
	require.NoError(b.t, err)
	b.mu.Lock()
	b.lis, b.address = lis, lis.Addr().String()
	b.mu.Unlock()
	b.done.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns[conn] = true
			b.mu.Unlock()
			b.done.Go(func() { b.serve(conn) })
		}
	})
}

// stop closes all connections; what was stored stays.
func (b *pulsarBroker) stop() {
	b.mu.Lock()
	_ = b.lis.Close()
	for c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.done.Wait()
}

func (b *pulsarBroker) url() string { return "pulsar://" + b.address }

func (b *pulsarBroker) messages(topic string) []pulsarMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stored[topic]
}

func (b *pulsarBroker) serve(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // a test's connection
	in := bufio.NewReader(conn)
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		length := binary.BigEndian.Uint32(frame)
		command, rest := parsePulsar(b.t, frame[4:4+length]), frame[4+length:]
		kind := command.number(1)
		answerType, answer := b.answer(kind, parsePulsar(b.t, command.bytes(protowire.Number(kind))), rest)
		if answer == nil {
			continue
		}
		if _, err := conn.Write(pulsarFrame(answerType, answer)); err != nil {
			return
		}
	}
}

// answer does a command and gives what is sent back.
func (b *pulsarBroker) answer(kind uint64, body pulsarFields, rest []byte) (uint64, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch kind {
	case pulsarConnect:
		return pulsarConnected, numberField(stringField(nil, 1, "test"), 2, 19)
	case pulsarPing:
		return pulsarPong, []byte{}
	case pulsarPartitions:
		return pulsarPartitionsAnswer, numberField(numberField(numberField(nil, 1, 0), 2, body.number(2)), 3, 0)
	case pulsarLookup:
		const connect = 1
		return pulsarLookupAnswer, numberField(numberField(stringField(nil, 1, b.url()), 3, connect), 4, body.number(2))
	case pulsarProducerCmd:
		b.topics[body.number(2)] = string(body.bytes(1))
		return pulsarProducerSuccess, stringField(numberField(nil, 1, body.number(3)), 2, "producer")
	case pulsarSend:
		topic := b.topics[body.number(1)]
		b.stored[topic] = append(b.stored[topic], b.message(rest))
		id := numberField(numberField(nil, 1, pulsarLedger), 2, uint64(len(b.stored[topic])-1))
		receipt := numberField(numberField(nil, 1, body.number(1)), 2, body.number(2))
		return pulsarReceipt, stringField(receipt, 3, string(id))
	case pulsarCloseProducer:
		return pulsarSuccess, numberField(nil, 1, body.number(2))
	}
	b.t.Errorf("the broker does not know command %d", kind)
	return 0, nil
}

// message takes apart what follows a send command: a magic number, a checksum, the metadata and the payload.
func (b *pulsarBroker) message(rest []byte) pulsarMessage {
	if magic := binary.BigEndian.Uint16(rest); magic != 0x0e01 {
		b.t.Errorf("magic number %x", magic)
	}
	sum, covered := binary.BigEndian.Uint32(rest[2:]), rest[6:]
	if got := crc32.Checksum(covered, crc32.MakeTable(crc32.Castagnoli)); got != sum {
		b.t.Errorf("checksum %x of a message whose is %x", sum, got)
	}
	length := binary.BigEndian.Uint32(covered)
	m := pulsarMessage{properties: map[string]string{}, payload: covered[4+length:]}
	for _, pair := range parsePulsar(b.t, covered[4:4+length]).all(4) {
		one := parsePulsar(b.t, pair)
		m.properties[string(one.bytes(1))] = string(one.bytes(2))
	}
	return m
}

// pulsarFields are the fields of a message, in order.
type pulsarFields []pulsarField

type pulsarField struct {
	number protowire.Number
	varint uint64
	bytes  []byte
}

func parsePulsar(t *testing.T, b []byte) pulsarFields {
	var fields pulsarFields
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Error(protowire.ParseError(n))
			return fields
		}
		b = b[n:]
		f := pulsarField{number: number}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			t.Error(protowire.ParseError(n))
			return fields
		}
		b, fields = b[n:], append(fields, f)
	}
	return fields
}

func (f pulsarFields) number(n protowire.Number) uint64 {
	for _, one := range f {
		if one.number == n {
			return one.varint
		}
	}
	return 0
}

func (f pulsarFields) all(n protowire.Number) [][]byte {
	var found [][]byte
	for _, one := range f {
		if one.number == n {
			found = append(found, one.bytes)
		}
	}
	return found
}

func (f pulsarFields) bytes(n protowire.Number) []byte {
	for _, one := range f.all(n) {
		return one
	}
	return nil
}

func numberField(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func stringField(b []byte, n protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), v)
}

func pulsarFrame(kind uint64, body []byte) []byte {
	command := stringField(numberField(nil, 1, kind), protowire.Number(kind), string(body)) //nolint:gosec // a handful
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(command)))                     //nolint:gosec // small
	return append(binary.BigEndian.AppendUint32(frame, uint32(len(command))), command...)   //nolint:gosec // small
}

func pulsarConfig(url string) Config {
	return Config{Type: Pulsar, Timeout: time.Minute, Pulsar: PulsarConfig{URL: url, Tenant: "public", Namespace: "default"}}
}

func TestPulsarStoresMessagesInOrderAndTellsWhere(t *testing.T) {
	b := startPulsar(t)
	p := open(t, pulsarConfig(b.url()))
	var sent []Message
	for ts := range uint64(3) {
		tick, err := TimeTick(11+ts, 5)
		require.NoError(t, err)
		position, err := p.Send(t.Context(), "dml_0", tick)
		require.NoError(t, err)
		id, err := pulsar.DeserializeMessageID(position) // as Milvus reads a start position
		require.NoError(t, err)
		require.EqualValues(t, pulsarLedger, id.LedgerID())
		require.EqualValues(t, ts, id.EntryID())
		sent = append(sent, tick)
	}
	_, err := p.Send(t.Context(), "dml_1", sent[0])
	require.NoError(t, err)
	require.Len(t, b.messages("persistent://public/default/dml_1"), 1)
	stored := b.messages("persistent://public/default/dml_0")
	require.Len(t, stored, len(sent))
	for i, m := range stored {
		require.Equal(t, sent[i].Payload, m.payload, "one message an entry, not wrapped in a batch")
		require.Equal(t, sent[i].Properties, m.properties)
		var header commonpb.MsgHeader
		require.NoError(t, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(m.payload, &header))
		require.Equal(t, commonpb.MsgType_TimeTick, header.GetBase().GetMsgType())
	}
}
