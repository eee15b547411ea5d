package rpc

import (
	"context"
	"strconv"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestCallsForOthersAreRefused(t *testing.T) {
	f := newFixture(t, RootCoord)
	f.serve(&fakeRoot{})
	for name, c := range map[string]struct {
		send []string
		want string
	}{
		"nothing sent":       {nil, ""},
		"all right":          {[]string{"cluster", "by-dev", "serverid", "5", "sourceid", "x"}, ""},
		"empty cluster":      {[]string{"cluster", ""}, ""},
		"empty id":           {[]string{"serverid", ""}, ""},
		"id is no number":    {[]string{"serverid", "five"}, ""},
		"id is too large":    {[]string{"serverid", "99999999999999999999"}, ""},
		"another cluster":    {[]string{"cluster", "prod"}, "cross cluster routing[expectedCluster=by-dev][actualCluster=prod]"},
		"another node":       {[]string{"serverid", "4"}, "node not match[expectedNodeID=4][actualNodeID=5]"},
		"both":               {[]string{"serverid", "4", "cluster", "prod"}, "cross cluster routing[expectedCluster=by-dev][actualCluster=prod]"},
		"first value counts": {[]string{"serverid", "5", "serverid", "4"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := metadata.AppendToOutgoingContext(testContext(t), c.send...)
			var header metadata.MD
			resp, err := f.root().AllocTimestamp(ctx, &rootcoordpb.AllocTimestampRequest{Count: 1}, grpc.Header(&header))
			_, alwaysErr := f.root().GetComponentStates(ctx, &milvuspb.GetComponentStatesRequest{})
			require.Equal(t, []string{"5"}, header.Get("serverid"), "every answer is signed, a refusal too")
			require.Equal(t, []string{"rootcoord"}, header.Get("role"))
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, alwaysErr)
				require.Zero(t, resp.Status.Code)
				return
			}
			for _, err := range []error{err, alwaysErr} {
				require.Equal(t, codes.Unknown, status.Code(err))
				require.Equal(t, c.want, status.Convert(err).Message())
			}
		})
	}
}

func TestSignatureFollowsTheServerID(t *testing.T) {
	f := newFixture(t, RootCoord)
	for _, id := range []int64{0, 5, 7} {
		f.id.Store(id)
		var header metadata.MD
		_, err := f.root().GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{}, grpc.Header(&header))
		require.NoError(t, err)
		require.Equal(t, []string{"rootcoord"}, header.Get("role"))
		if id == 0 {
			require.Empty(t, header.Get("serverid"), "not registered yet")
			continue
		}
		require.Equal(t, []string{strconv.FormatInt(id, 10)}, header.Get("serverid"))
	}
}

func TestACallerMayAskForItsOwnLog(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	f := newFixture(t, RootCoord, func(_ *ComponentConfig, s *ServerConfig) { s.Logger = zap.New(core) })
	f.serve(&fakeRoot{describe: func(ctx context.Context, _ *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		Logger(ctx, zap.New(core)).Debug("from the handler")
		return nil, errs.CollectionNotFound
	}})
	_, err := f.root().DescribeCollection(testContext(t), &milvuspb.DescribeCollectionRequest{})
	require.NoError(t, err)
	require.Zero(t, logged.Len(), "quiet otherwise")

	ctx := metadata.AppendToOutgoingContext(testContext(t), "log_level", "debug", "client_request_id", "abc")
	_, err = f.root().DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{})
	require.NoError(t, err)
	require.Equal(t, 2, logged.Len())
	for _, entry := range logged.All() {
		require.Equal(t, "abc", entry.ContextMap()["traceID"])
	}
	answered := logged.FilterMessage("call answered").All()[0].ContextMap()
	require.Equal(t, "DescribeCollection", answered["method"])
	require.Equal(t, "collection not found", answered["reason"])
	require.Equal(t, "fail", answered["outcome"])

	logged.TakeAll()
	ctx = metadata.AppendToOutgoingContext(testContext(t), "log_level", "shout")
	_, err = f.root().DescribeCollection(ctx, &milvuspb.DescribeCollectionRequest{})
	require.NoError(t, err)
	require.Zero(t, logged.Len(), "an unknown level is none")
}

func FuzzAdmit(f *testing.F) {
	for _, sent := range [][2]string{{"by-dev", "5"}, {"", ""}, {"prod", "-1"}, {"by-dev", "0x5"}, {"\x00", "5 "}, {"by-dev", "+5"}, {"by-dev", "9223372036854775808"}} {
		f.Add(sent[0], sent[1])
	}
	f.Fuzz(func(t *testing.T, cluster, id string) {
		b := &border{cluster: "by-dev", component: NewComponent(ComponentConfig{Role: RootCoord, ServerID: func() int64 { return 5 }})}
		ctx := metadata.NewIncomingContext(context.Background(), metadata.MD{ClusterKey: {cluster}, ServerIDKey: {id}})
		err := b.admit(ctx)
		number, parseErr := strconv.ParseInt(id, 10, 64)
		refuse := cluster != "" && cluster != "by-dev" || parseErr == nil && number != 5
		require.Equal(t, refuse, err != nil)
		if err != nil {
			require.Equal(t, codes.Unknown, status.Code(err))
		}
	})
}
