package rootcoord

import (
	"fmt"
	"sync"

	"github.com/milvus-coord/milvus/internal/errs"
)

// ledger counts what the limits are about. It is filled from the metadata when a term begins and from then on changed by
// the term's own DDL alone, which is the only writer. A DDL enters what it is going to create before it writes, so that
// any number of them at once cannot overshoot, and takes it out again if the write fails. The metadata's own counts would
// not do: between a commit and its coming back an object would be counted twice or not at all.
type ledger struct {
	limits Limits

	mu          sync.Mutex
	databases   int
	collections map[int64]int // Created ones, by database
	total       int           // Created ones in all databases
	capacity    int64         // sum over Created collections of Created partitions x shards
}

func newLedger(limits Limits) *ledger {
	limits.MaxGeneralCapacity = max(limits.MaxGeneralCapacity, minGeneralCapacity)
	return &ledger{limits: limits, collections: make(map[int64]int)}
}

// minGeneralCapacity is what rootCoord.maxGeneralCapacity cannot be set below.
const minGeneralCapacity = 512

// newCollection is a collection as the ledger sees it.
type newCollection struct {
	databaseID int64
	database   string
	mostInDB   int   // the limit of its database
	asked      int64 // partitions x shards as asked for, which is what the capacity is checked with
	units      int64 // partitions x shards as they will be
}

// admits tells whether one more collection keeps within the limits, without entering it.
func (l *ledger) admits(c newCollection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.check(c)
}

// enterCollection counts a collection that is about to be created.
func (l *ledger) enterCollection(c newCollection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.check(c); err != nil {
		return err
	}
	l.collections[c.databaseID]++
	l.total++
	l.capacity += c.units
	return nil
}

func (l *ledger) check(c newCollection) error {
	for _, limit := range []struct{ have, most int }{
		{l.collections[c.databaseID], c.mostInDB},
		{l.total, l.limits.MaxCollectionNum},
	} {
		if limit.have >= limit.most {
			return errs.CollectionNumLimit.With("", errs.F("dbName", c.database), errs.F("limit", limit.most))
		}
	}
	return l.checkCapacity(c.asked)
}

func (l *ledger) checkCapacity(more int64) error {
	if after := l.capacity + more; after > l.limits.MaxGeneralCapacity {
		return errs.GeneralCapacityExceeded.With(
			"failed checking constraint: sum_collections(parition*shard) exceeding the max general capacity",
			errs.F("newGeneralSize", after), errs.F("generalCapacity", l.limits.MaxGeneralCapacity))
	}
	return nil
}

// removeCollection takes out a collection that was dropped or could not be created.
func (l *ledger) removeCollection(databaseID, units int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.collections[databaseID]--; l.collections[databaseID] == 0 {
		delete(l.collections, databaseID)
	}
	l.total--
	l.capacity -= units
}

// enterPartition counts a partition that is about to be added to a collection of so many shards. Milvus checks the
// capacity with one more unit whatever the shards.
func (l *ledger) enterPartition(shards int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkCapacity(1); err != nil {
		return err
	}
	l.capacity += shards
	return nil
}

// removePartition takes out a partition that was dropped or could not be created.
func (l *ledger) removePartition(shards int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.capacity -= shards
}

// enterDatabase counts a database that is about to be created.
func (l *ledger) enterDatabase() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.databases >= l.limits.MaxDatabaseNum {
		return errs.DatabaseNumLimit.With("", errs.F("limit", l.limits.MaxDatabaseNum))
	}
	l.databases++
	return nil
}

// removeDatabase takes out a database that was dropped or could not be created.
func (l *ledger) removeDatabase() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.databases--
}

// moveCollection follows a collection that was renamed into another database.
func (l *ledger) moveCollection(from, to int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.collections[from]--; l.collections[from] == 0 {
		delete(l.collections, from)
	}
	l.collections[to]++
}

func (l *ledger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d databases, %d collections, capacity %d", l.databases, l.total, l.capacity)
}
