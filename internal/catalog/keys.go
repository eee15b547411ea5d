package catalog

import (
	"strconv"
	"strings"

	"github.com/milvus-coord/milvus/internal/model"
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

// placesOfAlias are where the record of an alias may lie, in the present layout and in those of before databases.
func (k Keys) placesOfAlias(dbID int64, name string) []string {
	places := []string{k.alias(dbID, name)}
	if dbID == model.DefaultDatabaseID {
		places = append(places, k.Prefix()+"aliases/"+name, k.Prefix()+"collection-alias/"+name)
	}
	return places
}

// Kinds of what belongs to a collection, as in keys.
const (
	partitions = "partitions"
	fields     = "fields"
	functions  = "functions"
)

// children is the range of what belongs to a collection.
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

// recordKind is what a key holds. Of one object's kinds the newest layout comes first.
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

// ofCollection tells whether the key is that of a collection's own record.
func (k recordKey) ofCollection() bool {
	return k.kind == collectionRecord || k.kind == legacyCollectionRecord
}

// ofChild tells whether the key is that of a part of a collection.
func (k recordKey) ofChild() bool {
	return k.kind == partitionRecord || k.kind == fieldRecord || k.kind == functionRecord
}

// recordKey is a key taken apart.
type recordKey struct {
	kind  recordKind
	db    int64  // of collections and aliases
	id    int64  // of the database or the collection
	child int64  // of a partition, field or function of the collection
	name  string // of an alias
}

// parse takes a key apart. Segments are compared whole: the prefix of one kind is the beginning of another's.
func (k Keys) parse(key string) recordKey {
	rest, under := strings.CutPrefix(key, k.MetaRoot)
	rest, root := strings.CutPrefix(rest, "/root-coord/")
	if !under || !root {
		return recordKey{}
	}
	const def = model.DefaultDatabaseID // what lies outside of any database belongs to the default one
	var r recordKey
	ok := false
	switch seg, n := split(rest); {
	case n == 3 && seg[0] == "database" && seg[1] == "db-info":
		r.kind, ok = databaseRecord, number(seg[2], &r.id)
	case n == 4 && seg[0] == "database" && seg[1] == "collection-info":
		r.kind, ok = collectionRecord, number(seg[2], &r.db) && number(seg[3], &r.id)
	case n == 4 && seg[0] == "database" && seg[1] == "aliases":
		r.kind, r.name, ok = aliasRecord, seg[3], number(seg[2], &r.db) && seg[3] != ""
	case n == 2 && seg[0] == "collection":
		r.kind, r.db, ok = legacyCollectionRecord, def, number(seg[1], &r.id)
	case n == 2 && seg[0] == "aliases":
		r.kind, r.db, r.name, ok = legacyAliasRecord, def, seg[1], seg[1] != ""
	case n == 2 && seg[0] == "collection-alias":
		r.kind, r.db, r.name, ok = ancientAliasRecord, def, seg[1], seg[1] != ""
	case n == 3 && seg[0] == partitions:
		r.kind, ok = partitionRecord, number(seg[1], &r.id) && number(seg[2], &r.child)
	case n == 3 && seg[0] == fields:
		r.kind, ok = fieldRecord, number(seg[1], &r.id) && number(seg[2], &r.child)
	case n == 3 && seg[0] == functions:
		r.kind, ok = functionRecord, number(seg[1], &r.id) && number(seg[2], &r.child)
	}
	if !ok {
		return recordKey{}
	}
	return r
}

// split is strings.Split at slashes without its memory: keys are parsed by the hundred thousand when a process starts. No
// key has more than four segments; n is five for one that has.
func split(s string) (seg [4]string, n int) {
	for more := true; more; n++ {
		if n == len(seg) {
			return seg, n + 1
		}
		seg[n], s, more = strings.Cut(s, "/")
	}
	return seg, n
}

// number reads an id as it is written in keys. Other spellings of it ("+7", "07") would be other keys of one object.
func number(s string, into *int64) bool {
	if s == "" || s[0] == '0' && s != "0" || s[0] == '+' || s[0] == '-' {
		return false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	*into = n
	return err == nil
}
