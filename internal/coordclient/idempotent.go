package coordclient

import "strings"

// idempotent tells whether calling a method twice is as good as once, even when the first call's success was not seen.
// What is not known is not.
func idempotent(method string) bool {
	slash := strings.LastIndexByte(method, '/')
	if slash < 0 {
		return false
	}
	for _, verb := range readVerbs {
		if strings.HasPrefix(method[slash+1:], verb) {
			return true
		}
	}
	return repeatable[method]
}

// readVerbs begin the names of methods that change nothing, in all of Milvus' coordinators.
var readVerbs = []string{"Get", "Show", "Describe", "List", "Has", "Select", "Check"}

const (
	rootService  = "/milvus.proto.rootcoord.RootCoord/"
	dataService  = "/milvus.proto.data.DataCoord/"
	indexService = "/milvus.proto.index.IndexCoord/"
	queryService = "/milvus.proto.query.QueryCoord/"
)

// repeatable are the methods that change something and answer a repetition with success. Not here, because a repetition
// fails or does more: CreateDatabase, RenameCollection, CreateCredential, CreateRole, DropRole, CreatePrivilegeGroup,
// OperatePrivilegeGroup, RestoreRBAC; AssignSegmentID, AllocSegment, SaveBinlogPaths, Flush, DropVirtualChannel,
// ManualCompaction, ImportV2, GcControl; LoadBalance, DropResourceGroup, TransferNode, TransferReplica, TransferSegment,
// TransferChannel.
var repeatable = map[string]bool{
	// A block that was given out and lost is a gap, and gaps are allowed.
	rootService + "AllocTimestamp": true,
	rootService + "AllocID":        true,

	// An equal collection, partition or alias that exists is a success; so is a missing one that is dropped.
	rootService + "CreateCollection":     true,
	rootService + "DropCollection":       true,
	rootService + "AlterCollection":      true,
	rootService + "AlterCollectionField": true,
	rootService + "CreatePartition":      true,
	rootService + "DropPartition":        true,
	rootService + "CreateAlias":          true,
	rootService + "DropAlias":            true,
	rootService + "AlterAlias":           true,
	rootService + "DropDatabase":         true,
	rootService + "AlterDatabase":        true,

	rootService + "UpdateChannelTimeTick":         true,
	rootService + "InvalidateCollectionMetaCache": true,
	rootService + "UpdateCredential":              true,
	rootService + "DeleteCredential":              true,
	rootService + "OperateUserRole":               true,
	rootService + "OperatePrivilege":              true,
	rootService + "BackupRBAC":                    true, // reads
	rootService + "DropPrivilegeGroup":            true,

	// These set a state, or move it forward, whatever it was.
	dataService + "WatchChannels":              true,
	dataService + "SetSegmentState":            true,
	dataService + "UpdateSegmentStatistics":    true,
	dataService + "UpdateChannelCheckpoint":    true,
	dataService + "MarkSegmentsDropped":        true,
	dataService + "BroadcastAlteredCollection": true,
	dataService + "ReportDataNodeTtMsgs":       true,
	dataService + "GcConfirm":                  true, // reads
	dataService + "CreateIndex":                true,
	dataService + "AlterIndex":                 true,
	dataService + "DropIndex":                  true,
	indexService + "CreateIndex":               true,
	indexService + "AlterIndex":                true,
	indexService + "DropIndex":                 true,

	queryService + "LoadCollection":          true,
	queryService + "LoadPartitions":          true,
	queryService + "ReleaseCollection":       true,
	queryService + "ReleasePartitions":       true,
	queryService + "SyncNewCreatedPartition": true,
	queryService + "UpdateLoadConfig":        true,
	queryService + "CreateResourceGroup":     true,
	queryService + "UpdateResourceGroups":    true,
	queryService + "ActivateChecker":         true,
	queryService + "DeactivateChecker":       true,
	queryService + "SuspendBalance":          true,
	queryService + "ResumeBalance":           true,
	queryService + "SuspendNode":             true,
	queryService + "ResumeNode":              true,
}
