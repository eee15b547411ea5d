package rootcoord

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/stretchr/testify/require"
)

// eightFields is the schema that the project's figures are about.
func eightFields(name string) *schemapb.CollectionSchema {
	return vectorSchema(name, func(s *schemapb.CollectionSchema) {
		for i := range 6 {
			s.Fields = append(s.Fields, &schemapb.FieldSchema{Name: fmt.Sprintf("f%d", i), DataType: schemapb.DataType_Int64})
		}
	})
}

const callers = 64

// BenchmarkCreateCollection is without gRPC: locks, decisions, one shared etcd transaction, and its coming back.
func BenchmarkCreateCollection(b *testing.B) {
	s := newCluster(b).start(b)
	var n atomic.Int64
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.CreateCollection(b.Context(), createWith(eightFields(fmt.Sprintf("c%d", n.Add(1))))); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkDescribeCollection is without gRPC.
func BenchmarkDescribeCollection(b *testing.B) {
	s := newCluster(b).start(b)
	_, err := s.CreateCollection(b.Context(), createWith(eightFields("c")))
	require.NoError(b, err)
	req := &milvuspb.DescribeCollectionRequest{Base: base(commonpb.MsgType_DescribeCollection), CollectionName: "c"}
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.DescribeCollection(b.Context(), req); err != nil {
				b.Error(err)
			}
		}
	})
}
