package rootcoord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/rpc"
)

// serve puts a term behind a real gRPC server, as a process has it.
func (s *server) serve(t testing.TB) *grpc.ClientConn {
	t.Helper()
	component := rpc.NewComponent(rpc.ComponentConfig{
		Role: Name, ServerID: s.term.ServerID, Address: func() string { return "127.0.0.1:53100" }, Started: time.Now(),
	})
	sw, err := rpc.NewSwitch(rpc.SwitchConfig{
		Component: component, Services: rpc.RootCoordServices(component), Metrics: metrics.New(metrics.Build{}),
	})
	require.NoError(t, err)
	server := rpc.NewServer(rpc.ServerConfig{Cluster: "by-dev", Logger: zap.NewNop()}, sw)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, server.Stop(ctx))
		require.NoError(t, <-served)
	})
	sw.Open(s.Core, s.term.Valid)
	sw.SetState(commonpb.StateCode_Healthy)
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(), rpc.DialOptions(rpc.ClientConfig{})...)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// methods are those of RootCoord's service.
func methods(t testing.TB) []protoreflect.MethodDescriptor {
	t.Helper()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(rootcoordpb.RootCoord_ServiceDesc.ServiceName))
	require.NoError(t, err)
	service, _ := d.(protoreflect.ServiceDescriptor)
	all := make([]protoreflect.MethodDescriptor, service.Methods().Len())
	for i := range all {
		all[i] = service.Methods().Get(i)
	}
	return all
}

func newMessage(t testing.TB, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	require.NoError(t, err)
	return kind.New().Interface()
}

// requireAnswer makes a call that must be answered with a Status, whatever it says, but neither with a panic nor with
// "unimplemented".
func requireAnswer(t testing.TB, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, req proto.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	resp := newMessage(t, m.Output())
	err := conn.Invoke(ctx, fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()), req, resp)
	require.NoError(t, err, "%s %v", m.Name(), req)
	answer, bare := resp.(*commonpb.Status)
	if !bare {
		has, ok := resp.(interface{ GetStatus() *commonpb.Status })
		require.True(t, ok, "%s", m.Name())
		answer = has.GetStatus()
	}
	require.NotNil(t, answer, "%s %v", m.Name(), req)
	require.NotEqual(t, errs.Internal.Code(), answer.GetCode(), "%s %v: %s", m.Name(), req, answer.GetReason())
	require.Equal(t, answer.GetCode() == 0, answer.GetErrorCode() == commonpb.ErrorCode_Success, "%s %v: %v", m.Name(), req, answer)
}

// Every method of the service is there, and has an answer to a request with nothing in it.
func TestEveryMethodAnswersAnEmptyRequest(t *testing.T) {
	conn := newCluster(t).start(t).serve(t)
	all := methods(t)
	require.Len(t, all, 56)
	for _, m := range all {
		requireAnswer(t, conn, m, newMessage(t, m.Input()))
	}
}

// filler makes messages that are mostly wrong and sometimes right.
type filler struct{ *rand.Rand }

// words are names that stand for something once in a while, and what must not get into keys.
var words = []string{
	"", "a", "b", "c", "default", "other", "_default", "p", "root", "admin", "public", "r", "Query", "Search", "*", "All", "Collection",
	"Global", "CollectionReadOnly", "v2", "../x", "a/b", "..", "a|b", "replicate.id", "replicate.endTS", "database.max.collections",
	"collection.ttl.seconds", "max_length", "vec", "-1", "18446744073709551615", `{"metric_type":"system_info"}`, "\x00", "名",
}

// word is often one of a few, so that requests meet.
func (f filler) word() string {
	if f.IntN(2) == 0 {
		return words[1+f.IntN(4)]
	}
	return words[f.IntN(len(words))]
}

// request makes one for a method; that of a new collection mostly holds a schema of that name.
func (f filler) request(t testing.TB, m protoreflect.MethodDescriptor) proto.Message {
	t.Helper()
	req := newMessage(t, m.Input())
	f.fill(req.ProtoReflect(), typeOf(m), 3)
	if r, ok := req.(*milvuspb.CreateCollectionRequest); ok && f.IntN(4) > 0 {
		r.Schema = createWith(vectorSchema(r.GetCollectionName())).GetSchema()
	}
	return req
}

func (f filler) fill(m protoreflect.Message, kind commonpb.MsgType, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		d := fields.Get(i)
		switch {
		case d.Name() == "timestamp" && m.Descriptor().Name() == "MsgBase", d.Name() == "block_timestamp", f.IntN(4) == 0 && d.Name() != "base":
			continue // what is missing is nil; a call may wait for a timestamp
		case d.IsMap():
			continue
		case d.IsList():
			list := m.Mutable(d).List()
			for range f.IntN(3) {
				if d.Message() == nil {
					list.Append(f.scalar(d))
				} else if element := list.AppendMutable().Message(); depth > 0 && f.IntN(4) > 0 {
					f.fill(element, kind, depth-1)
				}
			}
		case d.Message() != nil:
			if depth > 0 && (d.Name() != "base" || f.IntN(10) > 0) {
				f.fill(m.Mutable(d).Message(), kind, depth-1)
			}
		case d.Name() == "msg_type" && f.IntN(10) > 0:
			m.Set(d, protoreflect.ValueOfEnum(protoreflect.EnumNumber(kind)))
		default:
			m.Set(d, f.scalar(d))
		}
	}
}

func (f filler) scalar(d protoreflect.FieldDescriptor) protoreflect.Value {
	number := [...]int64{0, 1, 2, 3, -1, 1 << 40, -1 << 63}[f.IntN(7)]
	switch d.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.word())
	case protoreflect.BytesKind:
		if f.IntN(3) == 0 {
			return protoreflect.ValueOfBytes([]byte{0xff, byte(number)})
		}
		s := vectorSchema(f.word())
		s.EnableDynamicField = f.IntN(2) == 0
		encoded, _ := proto.Marshal(s)
		return protoreflect.ValueOfBytes(encoded)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(f.IntN(4)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(number))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(number) % (1 << 19))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(number)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(number))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(number))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(number))
	}
	panic(d.Kind())
}

// typeOf is the type that a request of a method has to say it is of; a method without one takes any.
func typeOf(m protoreflect.MethodDescriptor) commonpb.MsgType {
	return commonpb.MsgType(commonpb.MsgType_value[strings.TrimSuffix(string(m.Name()), "Internal")])
}

// Whatever is asked, every call is answered, and what is in etcd afterwards is what a next term can begin with.
func TestAnyRequest(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	conn := s.serve(t)
	all := methods(t)
	f := filler{rand.New(rand.NewPCG(2, 2))} //nolint:gosec // a test
	for range 5000 {
		m := all[f.IntN(len(all))]
		requireAnswer(t, conn, m, f.request(t, m))
	}
	was := c.sum(t, s)
	s.end()
	next := c.start(t)
	require.Equal(t, was, c.sum(t, next), "the next term counts alike")
}

// sum is what a term counts, and is to be what the next one finds.
type sum struct {
	ledger                                              string
	collections, databases, partitions, aliases, groups int
}

func (c *cluster) sum(t testing.TB, s *server) (n sum) {
	t.Helper()
	n.ledger = s.aliasHandlers.ledger.String()
	s.role.view.Read(func(r catalog.Reader) {
		require.Empty(t, r.Quarantined())
		require.Empty(t, r.Unfinished())
		n.databases = len(r.Databases())
		for _, db := range r.Databases() {
			n.aliases += len(r.Aliases(db.Info.GetId()))
		}
		for c := range r.AllCollections() {
			require.NotEmpty(t, c.Name())
			n.collections, n.partitions = n.collections+1, n.partitions+len(c.Partitions)
		}
	})
	require.Empty(t, s.role.tables.access.Quarantined())
	_, _, n.groups = s.aliasHandlers.access.Counts() // a dropped root or admin is made again
	require.Positive(t, n.collections, "something was right")
	return n
}

// FuzzCalls sends whatever can be decoded to any method.
func FuzzCalls(f *testing.F) {
	conn := newCluster(f).start(f).serve(f)
	all := methods(f)
	for i := range all {
		f.Add(uint8(i), []byte{})
		f.Add(uint8(i), []byte("\x0a\x02\x08\x64\x12\x01a\x1a\x01b"))
	}
	f.Fuzz(func(t *testing.T, method uint8, body []byte) {
		m := all[int(method)%len(all)]
		req := newMessage(t, m.Input())
		if proto.Unmarshal(body, req) != nil {
			t.Skip("refused by the decoder")
		}
		if r, waits := req.(*rootcoordpb.AllocTimestampRequest); waits {
			r.BlockTimestamp = 0
		}
		requireAnswer(t, conn, m, req)
	})
}
