package rootcoord

import (
	"fmt"
	"iter"

	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
)

// meta answers what names and ids stand for, from the tables in memory. It takes no DDL locks: what it returns is
// immutable, and a DDL that needs it to stay true holds the locks itself.
type meta struct{ view *catalog.View }

// database is the database of a request; none named means the default one.
func (m meta) database(name string) (db *model.Database, err error) {
	m.view.Read(func(r catalog.Reader) { db, err = databaseIn(r, name) })
	return db, err
}

// databaseAt is database, with the version of the collections at that moment.
func (m meta) databaseAt(name string) (db *model.Database, at catalog.Version, err error) {
	m.view.Read(func(r catalog.Reader) { db, err = databaseIn(r, name); at = r.Version() })
	return db, at, err
}

// byName is the collection that a name or an alias stands for at ts, aliases first.
func (m meta) byName(database, name string, ts uint64) (c *model.Collection, err error) {
	m.view.Read(func(r catalog.Reader) { c, err = collectionIn(r, database, name, ts) })
	return c, err
}

// byRealName is the collection of that name; an alias does not do.
func (m meta) byRealName(db *model.Database, name string) (c *model.Collection, err error) {
	m.view.Read(func(r catalog.Reader) { c, err = realCollectionIn(r, db, name, latest) })
	return c, err
}

// alias is an alias of the database; nil if there is none.
func (m meta) alias(db *model.Database, name string) (a *model.Alias, err error) {
	m.view.Read(func(r catalog.Reader) { a, err = aliasIn(r, db, name) })
	return a, err
}

// aliasIn is an alias of the database; nil if there is none. One whose record does not decode is not none.
func aliasIn(r catalog.Reader, db *model.Database, name string) (*model.Alias, error) {
	if a := r.Alias(db.Info.GetId(), name); a != nil {
		return a, nil
	}
	if damage := r.AliasDamage(db.Info.GetId(), name); damage != nil {
		return nil, fmt.Errorf("the metadata of alias %s is damaged: %w", name, damage)
	}
	return nil, nil
}

func databaseIn(r catalog.Reader, name string) (*model.Database, error) {
	if db := r.DatabaseByName(databaseName(name)); db != nil {
		return db, nil
	}
	return nil, errs.DatabaseNotFound.With("", errs.F("database", databaseName(name)))
}

func collectionIn(r catalog.Reader, database, name string, ts uint64) (*model.Collection, error) {
	db, err := databaseIn(r, database)
	if err != nil {
		return nil, err
	}
	a, err := aliasIn(r, db, name)
	if err != nil {
		return nil, err
	}
	if a != nil && a.Info.GetCreatedTime() <= ts {
		if c := r.Collection(a.Info.GetCollectionId()); visible(c, ts) {
			return sound(c)
		}
	}
	return realCollectionIn(r, db, name, ts) // also where an old alias dangles
}

func realCollectionIn(r catalog.Reader, db *model.Database, name string, ts uint64) (*model.Collection, error) {
	c := r.CollectionByName(db.Info.GetId(), name)
	if !visible(c, ts) {
		return nil, errs.CollectionNotFound.With("", errs.F("database", db.Info.GetName()), errs.F("collection", name))
	}
	return sound(c)
}

// collectionByID finds a collection by id; with unavailable also one that is being created or dropped.
func collectionByID(r catalog.Reader, id int64, ts uint64, unavailable bool) (*model.Collection, error) {
	c := r.Collection(id)
	if c == nil || !unavailable && !visible(c, ts) {
		return nil, errs.CollectionNotFound.With("", errs.F("collection", id))
	}
	return sound(c)
}

// visible tells whether users may see a collection at ts. Milvus' time travel goes no further here: what has been
// dropped or renamed since is not brought back.
func visible(c *model.Collection, ts uint64) bool {
	return c != nil && c.Created() && c.Info.GetCreateTime() <= ts
}

// soundDatabase refuses a database whose record does not decode. What is in it goes on.
func soundDatabase(db *model.Database) error {
	if db.Damage != nil {
		return fmt.Errorf("the metadata of database %s is damaged: %w", db.Info.GetName(), db.Damage)
	}
	return nil
}

// sound refuses a collection of which a record does not decode: half of it must not be taken for the whole.
func sound(c *model.Collection) (*model.Collection, error) {
	if c.Damage != nil {
		return nil, fmt.Errorf("the metadata of collection %s (%d) is damaged: %w", c.Name(), c.ID(), c.Damage)
	}
	return c, nil
}

// visiblePartitions are those of a collection that users may see at ts.
func visiblePartitions(c *model.Collection, ts uint64) iter.Seq[*etcdpb.PartitionInfo] {
	return func(yield func(*etcdpb.PartitionInfo) bool) {
		for _, p := range c.Partitions {
			if p.Created() && p.Info.GetPartitionCreatedTimestamp() <= ts && !yield(p.Info) {
				return
			}
		}
	}
}
