package catalog

import (
	"strconv"
	"strings"
)

// Keys builds and takes apart the keys of one cluster.
type Keys struct {
	MetaRoot string // <etcd.rootPath>/<etcd.metaSubPath>, without a slash at the end
}

// Prefix is the range that a View follows.
func (k Keys) Prefix() string { return k.MetaRoot + "/root-coord/" }

func (k Keys) database(id int64) string { return k.Prefix() + "database/db-info/" + text(id) }

func (k Keys) collection(dbID, id int64) string {
	return k.Prefix() + "database/collection-info/" + text(dbID) + "/" + text(id)
}

func (k Keys) legacyCollection(id int64) string { return k.Prefix() + "collection/" + text(id) }

func (k Keys) alias(dbID int64, name string) string {
	return k.Prefix() + "database/aliases/" + text(dbID) + "/" + name
}

// children is the range of what belongs to a collection: "partitions", "fields" or "functions".
func (k Keys) children(kind string, collectionID int64) string {
	return k.Prefix() + kind + "/" + text(collectionID) + "/"
}

func (k Keys) child(kind string, collectionID, id int64) string {
	return k.children(kind, collectionID) + text(id)
}

// copies is the prefix of the snapshot copies that Milvus may have stored of a key; for a range of keys, which ends in a
// slash, that of all their copies.
func (k Keys) copies(key string) string {
	copied := k.MetaRoot + "/snapshots" + strings.TrimPrefix(key, k.MetaRoot)
	if strings.HasSuffix(key, "/") {
		return copied
	}
	return copied + "_ts"
}

func text(id int64) string { return strconv.FormatInt(id, 10) }

// recordKind is what a key holds.
type recordKind int

const (
	other recordKind = iota // credentials, and whatever else is not this package's
	databaseRecord
	collectionRecord
	legacyCollectionRecord
	partitionRecord
	fieldRecord
	functionRecord
	aliasRecord
	legacyAliasRecord  // AliasInfo, before databases
	ancientAliasRecord // CollectionInfo, 2.1.0 and older
)

// recordKey is a key taken apart.
type recordKey struct {
	kind recordKind
	db   int64  // of collections and aliases; for children, their own id
	id   int64  // of the object; for children, of the collection
	name string // of an alias
}

// parse takes a key apart. Segments are compared whole: the prefix of one kind is the beginning of another's.
func (k Keys) parse(key string) recordKey {
	rest, ok := strings.CutPrefix(key, k.Prefix())
	if !ok {
		return recordKey{}
	}
	seg := strings.Split(rest, "/")
	switch {
	case len(seg) == 3 && seg[0] == "database" && seg[1] == "db-info":
		return numbered(databaseRecord, "1", seg[2])
	case len(seg) == 4 && seg[0] == "database" && seg[1] == "collection-info":
		return numbered(collectionRecord, seg[2], seg[3])
	case len(seg) == 4 && seg[0] == "database" && seg[1] == "aliases":
		r := numbered(aliasRecord, seg[2], "0")
		r.name = seg[3]
		return r
	case len(seg) == 2 && seg[0] == "collection":
		return numbered(legacyCollectionRecord, "1", seg[1])
	case len(seg) == 2 && seg[0] == "aliases":
		return recordKey{kind: legacyAliasRecord, db: 1, name: seg[1]}
	case len(seg) == 2 && seg[0] == "collection-alias":
		return recordKey{kind: ancientAliasRecord, db: 1, name: seg[1]}
	case len(seg) == 3 && seg[0] == "partitions":
		return numbered(partitionRecord, seg[2], seg[1])
	case len(seg) == 3 && seg[0] == "fields":
		return numbered(fieldRecord, seg[2], seg[1])
	case len(seg) == 3 && seg[0] == "functions":
		return numbered(functionRecord, seg[2], seg[1])
	}
	return recordKey{}
}

// numbered makes a recordKey of two numbers; for children db holds the child's id.
func numbered(kind recordKind, db, id string) recordKey {
	d, err := strconv.ParseInt(db, 10, 64)
	if err != nil {
		return recordKey{}
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return recordKey{}
	}
	return recordKey{kind: kind, db: d, id: n}
}
