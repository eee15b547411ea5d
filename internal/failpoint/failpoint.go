package failpoint

import "slices"

// Point is a place at which a process may die.
type Point string

// The points, in the order in which a change passes them.
const (
	DatabaseCreated Point = "create-database/written"
	DatabaseAltered Point = "alter-database/written"
	DatabaseDropped Point = "drop-database/written"

	CollectionExpired   Point = "create-collection/expired"   // in the proxies' caches; nothing is in etcd
	CollectionAnnounced Point = "create-collection/announced" // on its channels; nothing is in etcd
	CollectionHidden    Point = "create-collection/hidden"    // as Creating
	CollectionFilling   Point = "create-collection/filling"   // after one of several parts
	CollectionWatched   Point = "create-collection/watched"   // by DataCoord
	CollectionCreated   Point = "create-collection/written"

	UndoAnnounced Point = "undo-create-collection/announced" // that it is dropped
	UndoRemoved   Point = "undo-create-collection/removed"

	DropHidden    Point = "drop-collection/hidden"  // as Dropping
	DropUnnamed   Point = "drop-collection/unnamed" // after some of its aliases are gone
	DropExpired   Point = "drop-collection/expired"
	DropReleased  Point = "drop-collection/released" // by QueryCoord
	DropUnindexed Point = "drop-collection/unindexed"
	DropAnnounced Point = "drop-collection/announced"
	DropConfirmed Point = "drop-collection/confirmed" // by DataCoord: its data are gone
	DropRemoved   Point = "drop-collection/removed"

	CollectionRenamed    Point = "rename-collection/written"
	CollectionAltered    Point = "alter-collection/written"
	CollectionBroadcast  Point = "alter-collection/broadcast" // to DataCoord
	PartitionCreated     Point = "create-partition/written"
	PartitionHidden      Point = "drop-partition/hidden"
	PartitionDropExpired Point = "drop-partition/expired"
	PartitionAnnounced   Point = "drop-partition/announced"
	PartitionDropConfirm Point = "drop-partition/confirmed"
	PartitionDropped     Point = "drop-partition/removed"
	AliasPut             Point = "put-alias/written"
	AliasDropped         Point = "drop-alias/written"

	UserWritten       Point = "put-user/written" // and the proxies have not heard
	UserDropped       Point = "drop-user/written"
	RoleWritten       Point = "create-role/written"
	RoleDropped       Point = "drop-role/written"
	MembershipWritten Point = "operate-user-role/written"
	GrantWritten      Point = "operate-privilege/written"
	GroupWritten      Point = "operate-privilege-group/written"
	AccessRestored    Point = "restore-rbac/written"
)

// All are all the points there are.
func All() []Point {
	return slices.Clone([]Point{
		DatabaseCreated, DatabaseAltered, DatabaseDropped,
		CollectionExpired, CollectionAnnounced, CollectionHidden, CollectionFilling, CollectionWatched, CollectionCreated,
		UndoAnnounced, UndoRemoved,
		DropHidden, DropUnnamed, DropExpired, DropReleased, DropUnindexed, DropAnnounced, DropConfirmed, DropRemoved,
		CollectionRenamed, CollectionAltered, CollectionBroadcast,
		PartitionCreated, PartitionHidden, PartitionDropExpired, PartitionAnnounced, PartitionDropConfirm, PartitionDropped,
		AliasPut, AliasDropped,
		UserWritten, UserDropped, RoleWritten, RoleDropped, MembershipWritten, GrantWritten, GroupWritten,
		AccessRestored,
	})
}
