package catalog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseIgnoresWhatIsNotOurs(t *testing.T) {
	for key, want := range map[string]recordKey{
		"root-coord/database/db-info/1":                         {kind: databaseRecord, id: 1},
		"root-coord/database/collection-info/1/44":              {kind: collectionRecord, db: 1, id: 44},
		"root-coord/database/aliases/2/a":                       {kind: aliasRecord, db: 2, name: "a"},
		"root-coord/collection/44":                              {kind: legacyCollectionRecord, db: 1, id: 44},
		"root-coord/collection-alias/x":                         {kind: ancientAliasRecord, db: 1, name: "x"},
		"root-coord/aliases/x":                                  {kind: legacyAliasRecord, db: 1, name: "x"},
		"root-coord/partitions/44/0":                            {kind: partitionRecord, id: 44},
		"root-coord/fields/44/100":                              {kind: fieldRecord, id: 44, child: 100},
		"root-coord/functions/44/9223372036854775807":           {kind: functionRecord, id: 44, child: 9223372036854775807},
		"root-coord/functions/44/9223372036854775808":           {},
		"root-coord/credential/users/root":                      {},
		"root-coord/credential/grantee-id/4d6e/PrivilegeQuery":  {},
		"root-coord/privilege-group/g":                          {},
		"root-coord/partitions/44/x":                            {},
		"root-coord/partitions/44/":                             {},
		"root-coord/partitions/44":                              {},
		"root-coord/partitions/44/07":                           {},
		"root-coord/partitions/44/+7":                           {},
		"root-coord/partitions/-44/7":                           {},
		"root-coord/partitions//7":                              {},
		"root-coord/aliases/":                                   {},
		"root-coord/database/collection-info/1/44/5":            {},
		"root-coord/database/collection-info/1/44/5/6":          {},
		"root-coord/database/collection-info/44":                {},
		"root-coord/collections/44":                             {},
		"root-coordinate/collection/44":                         {},
		"root-coord":                                            {},
		"snapshots/root-coord/database/collection-info/1/44_t1": {},
	} {
		require.Equal(t, want, keys.parse(keys.MetaRoot+"/"+key), key)
	}
	require.Equal(t, recordKey{}, keys.parse("by-dev/meta2/root-coord/collection/44"))
}

// rebuild is the key that a recordKey was taken from.
func (k Keys) rebuild(r recordKey) string {
	switch r.kind {
	case databaseRecord:
		return k.database(r.id)
	case collectionRecord:
		return k.collection(r.db, r.id)
	case legacyCollectionRecord:
		return k.legacyCollection(r.id)
	case partitionRecord:
		return k.child(partitions, r.id, r.child)
	case fieldRecord:
		return k.child(fields, r.id, r.child)
	case functionRecord:
		return k.child(functions, r.id, r.child)
	case aliasRecord:
		return k.alias(r.db, r.name)
	case legacyAliasRecord:
		return k.Prefix() + "aliases/" + r.name
	default:
		return k.Prefix() + "collection-alias/" + r.name
	}
}

// Two keys are never the same record.
func FuzzKey(f *testing.F) {
	for _, key := range []string{
		"database/collection-info/1/44", "database/aliases/1/a", "database/db-info/0", "fields/44/100", "partitions/44/-1",
		"functions/4/007", "collection/4", "collection-alias/x", "aliases/x/y", "credential/users/root", "a/b/c/d/e", "////",
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		key = keys.Prefix() + key
		r := keys.parse(key)
		if r.kind == other {
			if r != (recordKey{}) {
				t.Errorf("%q is nothing, and %+v", key, r)
			}
			return
		}
		if again := keys.rebuild(r); again != key {
			t.Errorf("%q is read as %+v, which is %q", key, r, again)
		}
		if copies := keys.copies(key); !strings.HasPrefix(copies, keys.MetaRoot+"/snapshots/root-coord/") {
			t.Errorf("copies of %q at %q", key, copies)
		}
	})
}
