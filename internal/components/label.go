package components

import (
	"os"

	"github.com/milvus-coord/milvus/internal/kubelabel"
)

// newLabeller makes what labels this process' pod with the state of its roles; nil if nobody asked for that.
func newLabeller(p *process) (*kubelabel.Labeller, error) {
	k := p.cfg.Kubernetes
	if !k.LabelActive {
		return nil, nil
	}
	access, err := kubelabel.InCluster(os.Getenv)
	if err != nil {
		return nil, err
	}
	return kubelabel.New(kubelabel.Config{
		Namespace: k.PodNamespace, Pod: k.PodName, Roles: p.server.Roles, Fellows: k.Selector,
	}, access, p.log)
}
