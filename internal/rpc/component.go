package rpc

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"

	"github.com/milvus-coord/milvus/internal/errs"
)

// The roles, as sessions and metadata name them.
const (
	RootCoord  = "rootcoord"
	DataCoord  = "datacoord"
	QueryCoord = "querycoord"
)

// Setting is one key of the configuration, as ShowConfigurations shows it. Secrets are masked by whoever lists them.
type Setting struct {
	Key   string
	Value string
}

// Build is what the answers say about the binary.
type Build struct {
	Version    string
	Commit     string
	Time       string
	DeployMode string // DISTRIBUTED or STANDALONE
}

// ComponentConfig is what a role can say about itself in every state.
type ComponentConfig struct {
	Role string // RootCoord, DataCoord or QueryCoord
	// ServerType is what Milvus calls the process in "not ready" answers: the role, or mixture, or standalone; empty is the
	// role.
	ServerType string
	// ServerID is the id under which the process is registered, 0 before it is. It must not block.
	ServerID func() int64
	// Address is what others dial, host:port. It must not block.
	Address func() string

	TimeTickChannel    string // full names, with the cluster's prefix
	StatisticsChannel  string // RootCoord's; the others have none
	SegmentInfoChannel string // DataCoord's

	Settings []Setting // effective configuration
	Build    Build
	Started  time.Time
}

// Component answers for a role what does not depend on who is active. Safe for concurrent use.
type Component struct {
	cfg      ComponentConfig
	state    atomic.Int32
	hardware hardware
}

// NewComponent makes a Component in state Initializing.
func NewComponent(cfg ComponentConfig) *Component {
	if cfg.ServerType == "" {
		cfg.ServerType = cfg.Role
	}
	c := &Component{cfg: cfg}
	c.state.Store(int32(commonpb.StateCode_Initializing))
	return c
}

// Role is the role's name.
func (c *Component) Role() string { return c.cfg.Role }

// State is what the role says it is.
func (c *Component) State() commonpb.StateCode { return commonpb.StateCode(c.state.Load()) }

// nodeID is the server id, or Milvus' -1 for "not registered yet".
func (c *Component) nodeID() int64 {
	if id := c.cfg.ServerID(); id > 0 {
		return id
	}
	return -1
}

// notReady is the error of a call that came while the role is in the given state.
func (c *Component) notReady(state commonpb.StateCode) error {
	return errs.NotReady.With(state.String(), errs.F(c.cfg.ServerType, c.nodeID()))
}

// GetComponentStates tells the state of the role and the id of the node.
func (c *Component) GetComponentStates(context.Context, *milvuspb.GetComponentStatesRequest) (*milvuspb.ComponentStates, error) {
	info := func() *milvuspb.ComponentInfo {
		i := &milvuspb.ComponentInfo{NodeID: c.nodeID(), Role: c.cfg.Role, StateCode: c.State()}
		if c.cfg.Role == QueryCoord {
			i.Role = "" // as Milvus answers
		}
		return i
	}
	states := &milvuspb.ComponentStates{State: info(), Status: errs.Success()}
	if c.cfg.Role == RootCoord {
		states.SubcomponentStates = []*milvuspb.ComponentInfo{info()}
	}
	return states, nil
}

// GetTimeTickChannel names a topic that nobody uses any more.
func (c *Component) GetTimeTickChannel(context.Context, *internalpb.GetTimeTickChannelRequest) (*milvuspb.StringResponse, error) {
	return &milvuspb.StringResponse{Status: errs.Success(), Value: c.cfg.TimeTickChannel}, nil
}

// GetStatisticsChannel names a topic that nobody uses any more. DataCoord has none and says so with an error.
func (c *Component) GetStatisticsChannel(context.Context, *internalpb.GetStatisticsChannelRequest) (*milvuspb.StringResponse, error) {
	if c.cfg.Role == DataCoord {
		return nil, errs.ChannelNotFound.With("", errs.F("channel", "no statistics channel"))
	}
	return &milvuspb.StringResponse{Status: errs.Success(), Value: c.cfg.StatisticsChannel}, nil
}

// ShowConfigurations lists the settings whose key contains the pattern: those of this role and the common ones. The
// spelling of the key does not matter, as everywhere in Milvus' configuration: rootCoord.port is rootcoordport.
func (c *Component) ShowConfigurations(_ context.Context, req *internalpb.ShowConfigurationsRequest) (*internalpb.ShowConfigurationsResponse, error) {
	resp := &internalpb.ShowConfigurationsResponse{Status: errs.Success()}
	pattern := foldKey(req.GetPattern())
	for _, s := range c.cfg.Settings {
		if strings.Contains(foldKey(s.Key), pattern) && !c.foreign(s.Key) {
			resp.Configuations = append(resp.Configuations, &commonpb.KeyValuePair{Key: s.Key, Value: s.Value})
		}
	}
	return resp, nil
}

// foreign tells whether a key belongs to another coordinator.
func (c *Component) foreign(key string) bool {
	section, _, _ := strings.Cut(key, ".")
	section = strings.ToLower(section)
	return section != c.cfg.Role && (section == RootCoord || section == DataCoord || section == QueryCoord)
}

var keyFolder = strings.NewReplacer(".", "", "_", "", "/", "")

func foldKey(key string) string { return keyFolder.Replace(strings.ToLower(key)) }

// CheckHealth tells that the role is healthy, or why not. A coordinator that can judge more answers in its place.
func (c *Component) CheckHealth(context.Context, *milvuspb.CheckHealthRequest) (*milvuspb.CheckHealthResponse, error) {
	return &milvuspb.CheckHealthResponse{Status: errs.Success(), IsHealthy: true}, nil
}

// unhealthy is the answer of CheckHealth while the role does not serve.
func (c *Component) unhealthy(err error) *milvuspb.CheckHealthResponse {
	reason := err.Error()
	if c.cfg.Role == RootCoord {
		reason = fmt.Sprintf("serverID=%d: %s", c.nodeID(), reason)
	}
	return &milvuspb.CheckHealthResponse{Status: errs.ToStatus(err), Reasons: []string{reason}}
}
