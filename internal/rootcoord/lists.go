package rootcoord

import (
	"sync"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/catalog"
)

// lists keeps the whole list of each database's collections as it is answered, until a collection changes: proxies ask for
// it again and again, and building it looks at every collection. What it gives out is shared and not to be changed. Safe
// for concurrent use.
type lists struct {
	mu      sync.Mutex
	version catalog.Version
	of      map[int64]*milvuspb.ShowCollectionsResponse // by database
}

// get is the list of a database at a version; nil if that is not kept.
func (l *lists) get(version catalog.Version, databaseID int64) *milvuspb.ShowCollectionsResponse {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version != version {
		return nil
	}
	return l.of[databaseID]
}

// keep keeps a list, and forgets those of other versions.
func (l *lists) keep(version catalog.Version, databaseID int64, list *milvuspb.ShowCollectionsResponse) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.version != version || l.of == nil {
		l.version, l.of = version, map[int64]*milvuspb.ShowCollectionsResponse{}
	}
	l.of[databaseID] = list
}
