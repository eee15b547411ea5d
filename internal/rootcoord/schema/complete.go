package schema

import (
	"errors"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"
)

// First ids of what the user named. The system fields are 0 and 1.
const (
	firstFieldID    = 100
	firstFunctionID = 100
	rowIDField      = 0
	timestampField  = 1
)

// Complete adds to a parsed schema what the system needs, in place: the dynamic field if it is switched on, ids in the
// order of the request, the functions' field ids, and the system fields at the end.
func Complete(s *schemapb.CollectionSchema) error {
	if s.GetEnableDynamicField() {
		s.Fields = append(s.Fields, &schemapb.FieldSchema{
			Name: DynamicName, Description: "dynamic schema", DataType: schemapb.DataType_JSON, IsDynamic: true,
		})
	}
	ids := make(map[string]int64, len(s.Fields))
	for i, f := range s.Fields {
		f.FieldID = firstFieldID + int64(i)
		f.State = schemapb.FieldState_FieldCreated // never stored
		ids[f.GetName()] = f.GetFieldID()
	}
	for i, f := range s.Functions {
		f.Id = firstFunctionID + int64(i)
		var err error
		if f.InputFieldIds, err = resolve(ids, f.GetInputFieldNames(), "input", f.GetName()); err != nil {
			return err
		}
		if f.OutputFieldIds, err = resolve(ids, f.GetOutputFieldNames(), "output", f.GetName()); err != nil {
			return err
		}
	}
	s.Fields = append(s.Fields,
		&schemapb.FieldSchema{
			FieldID: rowIDField, Name: RowIDName, Description: "row id", DataType: schemapb.DataType_Int64,
		},
		&schemapb.FieldSchema{
			FieldID: timestampField, Name: TimestampName, Description: "time stamp", DataType: schemapb.DataType_Int64,
		})
	return nil
}

func resolve(ids map[string]int64, names []string, side, function string) ([]int64, error) {
	out := make([]int64, len(names))
	for i, name := range names {
		id, ok := ids[name]
		if !ok {
			return nil, fmt.Errorf("%s field %s of function %s not found", side, name, function)
		}
		out[i] = id
	}
	return out, nil
}

// PartitionNames are the partitions that a new collection starts with: one of the default name, or, where a field is the
// partition key, the asked number of numbered ones and nothing else, because proxies index them by their suffix.
func PartitionNames(s *schemapb.CollectionSchema, asked, most int64, defaultName string) ([]string, error) {
	hasKey := slices.ContainsFunc(s.GetFields(), (*schemapb.FieldSchema).GetIsPartitionKey)
	if !hasKey {
		return []string{defaultName}, nil
	}
	if asked <= 0 {
		return nil, errors.New("the specified partitions should be greater than 0 if partition key is used")
	}
	if asked > most {
		return nil, fmt.Errorf("partition number (%d) exceeds max configuration (%d), collection: %s",
			asked, most, s.GetName())
	}
	names := make([]string, asked)
	for i := range names {
		names[i] = fmt.Sprintf("%s_%d", defaultName, i)
	}
	return names, nil
}

// SameFields tells whether two lists of fields are one by value: in order, with equal ids, the order of parameters and
// the state, which is never stored, aside.
func SameFields(a, b []*schemapb.FieldSchema) bool {
	return slices.EqualFunc(a, b, sameField)
}

func sameField(a, b *schemapb.FieldSchema) bool {
	if proto.Equal(a, b) {
		return true
	}
	if !SameParams(a.GetTypeParams(), b.GetTypeParams()) || !SameParams(a.GetIndexParams(), b.GetIndexParams()) {
		return false
	}
	return proto.Equal(withoutParams(a), withoutParams(b))
}

func withoutParams(f *schemapb.FieldSchema) *schemapb.FieldSchema {
	c, _ := proto.Clone(f).(*schemapb.FieldSchema)
	c.TypeParams, c.IndexParams, c.State = nil, nil, schemapb.FieldState_FieldCreated
	return c
}

// SameParams tells whether two lists of pairs say the same in whatever order. Of a repeated key the last pair counts.
func SameParams(a, b []*commonpb.KeyValuePair) bool {
	left, right := Params(a), Params(b)
	if len(left) != len(right) {
		return false
	}
	for k, v := range left {
		if other, ok := right[k]; !ok || other != v {
			return false
		}
	}
	return true
}

// Params is a list of pairs as a map. Of a repeated key the last pair counts.
func Params(pairs []*commonpb.KeyValuePair) map[string]string {
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		out[p.GetKey()] = p.GetValue()
	}
	return out
}
