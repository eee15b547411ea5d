package rootcoord

import (
	"strconv"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/rootcoord/keylock"
)

// Names of locks. All DDL in a database shares the database's lock; creating and dropping the database have it alone.
// Collections and aliases of a database share one namespace. A name is locked alone by whoever gives or takes it, and
// shared by whoever goes by it: what stands for nothing now must not begin to stand for something. An id is locked alone
// by whoever changes or drops the collection, and shared by whoever only needs it to stay: a write's guards can name only
// keys that it writes, so it is this lock that keeps an alias from being given to a collection that is being dropped.

func databaseLock(name string) string { return "database/" + name }

func nameLock(database, name string) string { return "name/" + databaseName(database) + "/" + name }

func collectionLock(id int64) string { return "collection/" + strconv.FormatInt(id, 10) }

// kept names the locks of a DDL. It is asked again when they are held: what a name stands for may have changed meanwhile.
type kept func() []keylock.Lock

// keep is for locks that depend on nothing.
func keep(locks ...keylock.Lock) kept { return func() []keylock.Lock { return locks } }

// collectionLocks are for changing the collection that a name or an alias stands for. more are taken with them, such as
// the name alone.
func (m meta) collectionLocks(database, name string, more ...keylock.Lock) kept {
	return func() []keylock.Lock {
		locks := append([]keylock.Lock{
			keylock.Read(databaseLock(databaseName(database))), keylock.Read(nameLock(database, name)),
		}, more...)
		m.view.Read(func(r catalog.Reader) {
			db := r.DatabaseByName(databaseName(database))
			if db == nil {
				return
			}
			if c := r.Resolve(db.Info.GetId(), name); c != nil {
				locks = append(locks, keylock.Write(collectionLock(c.ID())))
			}
		})
		return locks
	}
}

// aliasLocks are for changing what an alias stands for: the name alone, and to stay, the collections that it stands for
// and is going to stand for. No collection is named when the alias is dropped.
func (m meta) aliasLocks(database, alias, collection string) kept {
	return func() []keylock.Lock {
		locks := []keylock.Lock{
			keylock.Read(databaseLock(databaseName(database))), keylock.Write(nameLock(database, alias)),
		}
		if collection != "" {
			locks = append(locks, keylock.Read(nameLock(database, collection)))
		}
		m.view.Read(func(r catalog.Reader) {
			db := r.DatabaseByName(databaseName(database))
			if db == nil {
				return
			}
			if a := r.Alias(db.Info.GetId(), alias); a != nil {
				locks = append(locks, keylock.Read(collectionLock(a.Info.GetCollectionId())))
			}
			if c := r.CollectionByName(db.Info.GetId(), collection); collection != "" && c != nil {
				locks = append(locks, keylock.Read(collectionLock(c.ID())))
			}
		})
		return locks
	}
}
