package components

import (
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"github.com/milvus-coord/milvus/internal/coord"
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
	for _, s := range steps {
		o.metrics.TakeoverStep(role, cause, s.Name, s.Took)
	}
}
