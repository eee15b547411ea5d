package catalog

import (
	"runtime"
	"sync"
	"weak"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"
)

// fieldPool shares one message among all fields whose records are equal. Collections come in families, and the two
// system fields are in every one: without it fields are nine tenths of what a collection costs in memory. An unused
// message is freed. Safe for concurrent use.
type fieldPool struct {
	mu     sync.Mutex
	fields map[string]weak.Pointer[schemapb.FieldSchema]
}

func newFieldPool() *fieldPool {
	return &fieldPool{fields: map[string]weak.Pointer[schemapb.FieldSchema]{}}
}

// decode gives the message of a record; it must not be changed.
func (p *fieldPool) decode(value []byte) (*schemapb.FieldSchema, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f := p.fields[string(value)].Value(); f != nil {
		return f, nil
	}
	f := &schemapb.FieldSchema{}
	if err := proto.Unmarshal(value, f); err != nil {
		return nil, err
	}
	key := string(value)
	p.fields[key] = weak.Make(f)
	runtime.AddCleanup(f, p.forget, key)
	return f, nil
}

// forget runs when the last user of a message is gone; by then the record may have a new message.
func (p *fieldPool) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fields[key].Value() == nil {
		delete(p.fields, key)
	}
}
