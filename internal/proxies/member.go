package proxies

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
	"google.golang.org/grpc"
)

// memberMark is what Milvus' own processes send as "sourceid": base64 of @@milvus-member@@.
const memberMark = "QEBtaWx2dXMtbWVtYmVyQEA="

// member is one process of a proxy.
type member struct {
	id       int64
	address  string
	created  int64 // CreateRevision of its session
	metadata []string
	dial     []grpc.DialOption

	gone atomic.Bool // its session has ended

	mu     sync.Mutex
	conn   *grpc.ClientConn // nil before the first call
	closed bool
}

func newMember(id int64, address string, created int64, cfg Config) *member {
	m := &member{
		id: id, address: address, created: created, dial: cfg.Dial,
		metadata: []string{"sourceid", memberMark, "serverid", strconv.FormatInt(id, 10)},
	}
	if cfg.Cluster != "" {
		m.metadata = append(m.metadata, "cluster", cfg.Cluster)
	}
	return m
}

// client is the proxy's client; the first call dials, and does not wait for the connection.
func (m *member) client() (proxypb.ProxyClient, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if m.conn == nil {
		conn, err := grpc.NewClient("passthrough:///"+m.address, m.dial...)
		if err != nil {
			return nil, err
		}
		m.conn = conn
	}
	return proxypb.NewProxyClient(m.conn), nil
}

// leave says that the session has ended, and ends the calls under way.
func (m *member) leave() {
	m.gone.Store(true)
	m.hangUp()
}

func (m *member) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.conn != nil {
		_ = m.conn.Close()
	}
}
