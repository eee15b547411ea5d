package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
)

// systemInfo is the one kind of metrics that is answered.
const systemInfo = "system_info"

// GetMetrics answers {"metric_type":"system_info"} with the JSON that Milvus' proxies and tools read.
func (c *Component) GetMetrics(_ context.Context, req *milvuspb.GetMetricsRequest) (*milvuspb.GetMetricsResponse, error) {
	resp := &milvuspb.GetMetricsResponse{ComponentName: c.componentName()}
	body, err := c.describe(req.GetRequest())
	resp.Status, resp.Response = errs.ToStatus(err), body
	return resp, nil
}

func (c *Component) describe(request string) (string, error) {
	kind, err := metricType(request)
	if err != nil {
		return "", err
	}
	if kind != systemInfo {
		return "", fmt.Errorf("metric type %q is not answered by %s, only %q is", kind, c.cfg.Role, systemInfo)
	}
	body, err := json.Marshal(c.topology())
	if err != nil {
		return "", fmt.Errorf("encode the system info: %w", err)
	}
	return string(body), nil
}

// metricType reads the kind of metrics out of a request.
func metricType(request string) (string, error) {
	var r struct {
		MetricType *string `json:"metric_type"`
	}
	if err := json.Unmarshal([]byte(request), &r); err != nil {
		return "", fmt.Errorf("request of GetMetrics is not a JSON object: %w", err)
	}
	if r.MetricType == nil {
		return "", fmt.Errorf("request of GetMetrics has no metric_type")
	}
	return *r.MetricType, nil
}

// componentName is how Milvus' topology names a process: rootcoord5.
func (c *Component) componentName() string {
	return c.cfg.Role + strconv.FormatInt(c.nodeID(), 10)
}

// The shapes below are Milvus'. What is not known is null or empty, never invented.

type componentInfos struct {
	HasError             bool           `json:"has_error"`
	ErrorReason          string         `json:"error_reason"`
	Name                 string         `json:"name"`
	Hardware             hardwareInfos  `json:"hardware_infos"`
	System               deployInfos    `json:"system_info"`
	CreatedTime          string         `json:"created_time"`
	UpdatedTime          string         `json:"updated_time"`
	Type                 string         `json:"type"`
	ID                   int64          `json:"id"`
	SystemConfigurations map[string]any `json:"system_configurations"`
}

type hardwareInfos struct {
	IP           string  `json:"ip"`
	CPUCoreCount int     `json:"cpu_core_count"`
	CPUCoreUsage float64 `json:"cpu_core_usage"` // percent of all cores, since the last time it was asked for
	Memory       uint64  `json:"memory"`         // bytes
	MemoryUsage  uint64  `json:"memory_usage"`   // bytes, of this process
	Disk         uint64  `json:"disk"`           // bytes, of the working directory's file system
	DiskUsage    uint64  `json:"disk_usage"`
}

type deployInfos struct {
	SystemVersion string `json:"system_version"`
	DeployMode    string `json:"deploy_mode"`
	BuildVersion  string `json:"build_version"`
	BuildTime     string `json:"build_time"`
	UsedGoVersion string `json:"used_go_version"`
}

type connections struct {
	Name       string `json:"name"`
	Components []any  `json:"connected_components"`
}

type rootTopology struct {
	Self        componentInfos `json:"self"`
	Connections connections    `json:"connections"`
}

type dataTopology struct {
	Cluster struct {
		Self struct {
			componentInfos
			Quota      any `json:"quota_metrics"`
			Collection any `json:"collection_metrics"`
		} `json:"self"`
		DataNodes  []any `json:"connected_data_nodes"`
		IndexNodes []any `json:"connected_index_nodes"`
	} `json:"cluster"`
	Connections connections `json:"connections"`
}

type queryTopology struct {
	Cluster struct {
		Self  componentInfos `json:"self"`
		Nodes []any          `json:"connected_nodes"`
	} `json:"cluster"`
	Connections connections `json:"connections"`
}

func (c *Component) topology() any {
	self, links := c.infos(), connections{Name: c.componentName(), Components: []any{}}
	switch c.cfg.Role {
	case DataCoord:
		t := dataTopology{Connections: links}
		t.Cluster.Self.componentInfos = self
		t.Cluster.DataNodes, t.Cluster.IndexNodes = []any{}, []any{}
		return t
	case QueryCoord:
		t := queryTopology{Connections: links}
		t.Cluster.Self, t.Cluster.Nodes = self, []any{}
		return t
	}
	return rootTopology{Self: self, Connections: links}
}

func (c *Component) infos() componentInfos {
	started := c.cfg.Started.Round(0).String() // without the monotonic reading
	return componentInfos{
		Name:     c.componentName(),
		Hardware: c.hardwareInfos(),
		System: deployInfos{
			SystemVersion: c.cfg.Build.Commit,
			DeployMode:    c.cfg.Build.DeployMode,
			BuildVersion:  c.cfg.Build.Version,
			BuildTime:     c.cfg.Build.Time,
			UsedGoVersion: runtime.Version(),
		},
		CreatedTime:          started,
		UpdatedTime:          started, // the configuration is never changed after the start
		Type:                 c.cfg.Role,
		ID:                   c.nodeID(),
		SystemConfigurations: map[string]any{},
	}
}

func (c *Component) hardwareInfos() hardwareInfos {
	address := c.cfg.Address()
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = "" // not known yet
	}
	disk, diskUsed := diskSpace(".")
	return hardwareInfos{
		IP:           address, // Milvus shows host:port here
		CPUCoreCount: runtime.NumCPU(),
		CPUCoreUsage: c.hardware.cpuUsage(),
		Memory:       memoryTotal(),
		MemoryUsage:  memoryUsed(),
		Disk:         disk,
		DiskUsage:    diskUsed,
	}
}
