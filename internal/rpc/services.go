package rpc

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Service is one gRPC service of a role and the rules for its methods. Methods that are in no list read: they reach the
// instance while it is valid, and their answer counts only if it still is when they return.
type Service struct {
	Desc *grpc.ServiceDesc
	// Component implements the service for the methods of Always and Shared.
	Component any
	// Always are answered by Component in every state.
	Always []string
	// Shared are answered by the instance if it implements them, else by Component.
	Shared []string
	// StandBy are the Shared ones that Component also answers in StandBy.
	StandBy []string
	// Writes are the methods whose success is final: it is committed under the fence.
	Writes []string
}

var (
	sharedMethods = []string{"ShowConfigurations", "GetMetrics", "CheckHealth"}
	standByOnes   = []string{"GetMetrics"}
)

// RootCoordServices are the services on RootCoord's port.
func RootCoordServices(c *Component) []Service {
	return []Service{{
		Desc:      &rootcoordpb.RootCoord_ServiceDesc,
		Component: rootComponent{Component: c},
		Always:    []string{"GetComponentStates", "GetTimeTickChannel", "GetStatisticsChannel", "ShowSegments"},
		Shared:    sharedMethods,
		StandBy:   standByOnes,
		Writes: []string{
			"CreateDatabase", "DropDatabase", "AlterDatabase",
			"CreateCollection", "DropCollection", "AlterCollection", "AlterCollectionField", "RenameCollection",
			"CreatePartition", "DropPartition", "CreateAlias", "DropAlias", "AlterAlias",
			"CreateCredential", "UpdateCredential", "DeleteCredential", "CreateRole", "DropRole", "OperateUserRole",
			"OperatePrivilege", "RestoreRBAC", "CreatePrivilegeGroup", "DropPrivilegeGroup", "OperatePrivilegeGroup",
		},
	}}
}

// DataCoordServices are the services on DataCoord's port: its own, and IndexCoord's, which it has taken over.
func DataCoordServices(c *Component) []Service {
	indexWrites := []string{"CreateIndex", "AlterIndex", "DropIndex"}
	return []Service{{
		Desc:      &datapb.DataCoord_ServiceDesc,
		Component: dataComponent{Component: c},
		Always:    []string{"GetComponentStates", "GetTimeTickChannel", "GetStatisticsChannel", "GetSegmentInfoChannel"},
		Shared:    sharedMethods,
		StandBy:   standByOnes,
		Writes: append([]string{
			"Flush", "AllocSegment", "AssignSegmentID", "SaveBinlogPaths", "ManualCompaction", "WatchChannels",
			"DropVirtualChannel", "SetSegmentState", "UpdateSegmentStatistics", "UpdateChannelCheckpoint",
			"MarkSegmentsDropped", "BroadcastAlteredCollection", "ReportDataNodeTtMsgs", "GcControl", "ImportV2",
		}, indexWrites...),
	}, {
		Desc:      &indexpb.IndexCoord_ServiceDesc,
		Component: indexComponent{Component: c},
		Always:    []string{"GetComponentStates", "GetStatisticsChannel"},
		Shared:    sharedMethods,
		StandBy:   standByOnes,
		Writes:    indexWrites,
	}}
}

// QueryCoordServices are the services on QueryCoord's port.
func QueryCoordServices(c *Component) []Service {
	return []Service{{
		Desc:      &querypb.QueryCoord_ServiceDesc,
		Component: queryComponent{Component: c},
		Always:    []string{"GetComponentStates", "GetTimeTickChannel", "GetStatisticsChannel"},
		Shared:    sharedMethods,
		StandBy:   standByOnes,
		Writes: []string{
			"LoadPartitions", "ReleasePartitions", "LoadCollection", "ReleaseCollection", "SyncNewCreatedPartition",
			"LoadBalance", "CreateResourceGroup", "UpdateResourceGroups", "DropResourceGroup", "TransferNode",
			"TransferReplica", "ActivateChecker", "DeactivateChecker", "SuspendBalance", "ResumeBalance", "SuspendNode",
			"ResumeNode", "TransferSegment", "TransferChannel", "UpdateLoadConfig",
		},
	}}
}

// The types below give a Component the rest of a service's methods. Those are one level deeper, so that the Component's
// own win; none of them is ever reached.

type (
	otherRootMethods struct {
		rootcoordpb.UnimplementedRootCoordServer
	}
	otherDataMethods struct {
		datapb.UnimplementedDataCoordServer
	}
	otherIndexMethods struct {
		indexpb.UnimplementedIndexCoordServer
	}
	otherQueryMethods struct {
		querypb.UnimplementedQueryCoordServer
	}
)

type rootComponent struct {
	*Component
	otherRootMethods
}

// ShowSegments is from a time when RootCoord knew segments.
func (rootComponent) ShowSegments(context.Context, *milvuspb.ShowSegmentsRequest) (*milvuspb.ShowSegmentsResponse, error) {
	return &milvuspb.ShowSegmentsResponse{Status: errs.Success()}, nil
}

type dataComponent struct {
	*Component
	otherDataMethods
}

// GetSegmentInfoChannel names a topic that nobody uses any more.
func (d dataComponent) GetSegmentInfoChannel(context.Context, *datapb.GetSegmentInfoChannelRequest) (*milvuspb.StringResponse, error) {
	return &milvuspb.StringResponse{Status: errs.Success(), Value: d.cfg.SegmentInfoChannel}, nil
}

type indexComponent struct {
	*Component
	otherIndexMethods
}

type queryComponent struct {
	*Component
	otherQueryMethods
}

var (
	_ rootcoordpb.RootCoordServer = rootComponent{}
	_ datapb.DataCoordServer      = dataComponent{}
	_ indexpb.IndexCoordServer    = indexComponent{}
	_ querypb.QueryCoordServer    = queryComponent{}
)
