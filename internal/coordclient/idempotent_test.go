package coordclient

import (
	"testing"

	"github.com/milvus-io/milvus/pkg/v2/proto/datapb"
	"github.com/milvus-io/milvus/pkg/v2/proto/indexpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/querypb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// onlyOnce are the methods that are known to do harm, or to fail, when repeated. A method that is neither here nor in
// the tables was added to the services without a decision.
var onlyOnce = []string{
	rootService + "CreateDatabase", rootService + "RenameCollection", rootService + "CreateCredential",
	rootService + "CreateRole", rootService + "DropRole", rootService + "CreatePrivilegeGroup",
	rootService + "OperatePrivilegeGroup", rootService + "RestoreRBAC",
	dataService + "AssignSegmentID", dataService + "AllocSegment", dataService + "SaveBinlogPaths", dataService + "Flush",
	dataService + "DropVirtualChannel", dataService + "ManualCompaction", dataService + "ImportV2", dataService + "GcControl",
	queryService + "LoadBalance", queryService + "DropResourceGroup", queryService + "TransferNode",
	queryService + "TransferReplica", queryService + "TransferSegment", queryService + "TransferChannel",
}

func TestEveryMethodIsDecided(t *testing.T) {
	once := map[string]bool{}
	for _, m := range onlyOnce {
		once[m] = true
	}
	known := map[string]bool{}
	for _, desc := range []grpc.ServiceDesc{
		rootcoordpb.RootCoord_ServiceDesc, datapb.DataCoord_ServiceDesc, indexpb.IndexCoord_ServiceDesc, querypb.QueryCoord_ServiceDesc,
	} {
		for _, m := range desc.Methods {
			full := "/" + desc.ServiceName + "/" + m.MethodName
			known[full] = true
			require.NotEqual(t, once[full], idempotent(full), full)
		}
	}
	for m := range repeatable {
		require.True(t, known[m], "%s does not exist", m)
	}
	for m := range once {
		require.True(t, known[m], "%s does not exist", m)
	}
	require.False(t, idempotent("nonsense"))
	require.False(t, idempotent("/some.Other/Service"))
}
