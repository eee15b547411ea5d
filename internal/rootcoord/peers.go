package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/coordclient"
)

// measured is a coordinator that tells about its cluster of nodes.
type measured interface {
	GetMetrics(ctx context.Context, req *milvuspb.GetMetricsRequest, opts ...grpc.CallOption) (*milvuspb.GetMetricsResponse, error)
}

// peers are the other coordinators, as one term calls them.
type peers struct {
	data, query measured
	clients     []*coordclient.Client
}

// newPeers makes clients that end with ctx, the term's.
func (r *RootCoord) newPeers(ctx context.Context) (*peers, error) {
	client := func(role string) (*coordclient.Client, error) {
		return coordclient.New(ctx, coordclient.Config{
			Etcd: r.client, MetaRoot: r.cfg.MetaRoot, Role: role, Cluster: r.cfg.Cluster, Dial: r.dial, Logger: r.logger,
		})
	}
	data, err := client("datacoord")
	if err != nil {
		return nil, err
	}
	query, err := client("querycoord")
	if err != nil {
		data.Close()
		return nil, err
	}
	return &peers{
		data: datapb.NewDataCoordClient(data), query: querypb.NewQueryCoordClient(query), clients: []*coordclient.Client{data, query},
	}, nil
}

// run closes the clients when ctx ends.
func (p *peers) run(ctx context.Context) error {
	<-ctx.Done()
	p.close()
	return nil
}

func (p *peers) close() {
	for _, c := range p.clients {
		c.Close()
	}
}
