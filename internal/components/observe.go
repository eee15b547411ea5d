package components

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/kubelabel"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// observer puts what a coordinator measures into the process' series.
type observer struct {
	metrics  *metrics.Metrics
	nodeID   int64
	standing *atomic.Pointer[standing]
	labels   *kubelabel.Labeller // nil outside of Kubernetes
}

// standing is since when a role is in its state, and in which term.
type standing struct {
	term  int64
	since time.Time
}

func (o observer) StateChanged(role string, state commonpb.StateCode, term int64) {
	o.standing.Store(&standing{term: term, since: time.Now()})
	o.metrics.StateChanged(role, state, term)
	o.metrics.NodeActive(role, o.nodeID, state == commonpb.StateCode_Healthy)
	if o.labels == nil {
		return
	}
	if state != commonpb.StateCode_Healthy {
		term = 0
	}
	o.labels.Set(role, term)
}

func (o observer) TookOver(role, cause string, steps []coord.Step) {
	o.metrics.TookOver(role, cause)
	for _, s := range steps {
		o.metrics.TakeoverStep(role, cause, s.Name, s.Took)
	}
}

func (o observer) TablesMeasured(role string, levelAt time.Time, behind int64, damaged int) {
	o.metrics.TablesMeasured(role, levelAt, behind, damaged)
}

// watchEtcd makes requests to etcd part of the process' series: those of the clients for all members, which read and write
// metadata, also of Milvus'.
func watchEtcd(m *metrics.Metrics, about etcdutil.Config, metadata bool) etcdutil.Config {
	about.Observe = func(r etcdutil.Request) {
		m.EtcdRequest(r.Method, r.Took, r.Answered)
		if metadata {
			m.MetaRequest(r.Method, r.Took, r.Bytes, r.Answered)
		}
	}
	return about
}

// etcdRevision asks etcd for its present revision; it reads no key.
func etcdRevision(client *clientv3.Client, metaRoot string) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		resp, err := client.Get(ctx, metaRoot, clientv3.WithCountOnly())
		if err != nil {
			return 0, err
		}
		return resp.Header.GetRevision(), nil
	}
}
