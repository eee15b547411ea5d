package schema

import (
	"math"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pair(k, v string) *commonpb.KeyValuePair { return &commonpb.KeyValuePair{Key: k, Value: v} }

func field(name string, t schemapb.DataType, change ...func(*schemapb.FieldSchema)) *schemapb.FieldSchema {
	f := &schemapb.FieldSchema{Name: name, DataType: t}
	for _, c := range change {
		c(f)
	}
	return f
}

func primary(f *schemapb.FieldSchema)  { f.IsPrimaryKey = true }
func nullable(f *schemapb.FieldSchema) { f.Nullable = true }
func keyed(f *schemapb.FieldSchema)    { f.IsPartitionKey = true }

func maxLength(n string) func(*schemapb.FieldSchema) {
	return func(f *schemapb.FieldSchema) { f.TypeParams = append(f.TypeParams, pair("max_length", n)) }
}

func defaulted(v *schemapb.ValueField) func(*schemapb.FieldSchema) {
	return func(f *schemapb.FieldSchema) { f.DefaultValue = v }
}

func intValue(v int32) *schemapb.ValueField {
	return &schemapb.ValueField{Data: &schemapb.ValueField_IntData{IntData: v}}
}

func longValue(v int64) *schemapb.ValueField {
	return &schemapb.ValueField{Data: &schemapb.ValueField_LongData{LongData: v}}
}

func text(v string) *schemapb.ValueField {
	return &schemapb.ValueField{Data: &schemapb.ValueField_StringData{StringData: v}}
}

func encode(t testing.TB, s *schemapb.CollectionSchema) []byte {
	t.Helper()
	b, err := proto.Marshal(s)
	require.NoError(t, err)
	return b
}

func TestParseFields(t *testing.T) {
	floatValue := &schemapb.ValueField{Data: &schemapb.ValueField_FloatData{FloatData: 1}}
	doubleValue := &schemapb.ValueField{Data: &schemapb.ValueField_DoubleData{DoubleData: 1}}
	boolValue := &schemapb.ValueField{Data: &schemapb.ValueField_BoolData{BoolData: true}}
	bytesValue := &schemapb.ValueField{Data: &schemapb.ValueField_BytesData{BytesData: []byte("x")}}
	const (
		i8, i16, i32, i64 = schemapb.DataType_Int8, schemapb.DataType_Int16, schemapb.DataType_Int32, schemapb.DataType_Int64
		varchar, vector   = schemapb.DataType_VarChar, schemapb.DataType_FloatVector
	)
	tests := []struct {
		name  string
		field *schemapb.FieldSchema
		bad   string // part of the complaint, empty = fine
	}{
		{"plain", field("f", i64), ""},
		{"primary key", field("f", i64, primary), ""},
		{"nullable scalar", field("f", i64, nullable), ""},
		{"nullable vector", field("f", vector, nullable), "vector cannot be null"},
		{"nullable sparse vector", field("f", schemapb.DataType_SparseFloatVector, nullable), "vector cannot be null"},
		{"nullable primary key", field("f", i64, primary, nullable), "primary key cannot be null"},
		{"no type", field("f", schemapb.DataType_None), "not supported"},
		{"unknown type", field("f", schemapb.DataType(77)), "not supported"},
		{"type of a later line", field("f", schemapb.DataType_Geometry), "not supported"},
		{"RowID", field("RowID", i64), "belongs to the system"},
		{"Timestamp", field("Timestamp", i64), "belongs to the system"},
		{"$meta", field("$meta", schemapb.DataType_JSON), "belongs to the system"},

		{"default on primary key", field("f", i64, primary, defaulted(longValue(1))), "primary key cannot have a default"},
		{"default on vector", field("f", vector, defaulted(floatValue)), "cannot have a default"},
		{"default on JSON", field("f", schemapb.DataType_JSON, defaulted(text("{}"))), "cannot have a default"},
		{"default on array", field("f", schemapb.DataType_Array, defaulted(text(""))), "cannot have a default"},
		{"empty default", field("f", i64, defaulted(&schemapb.ValueField{})), "not equal to the type"},
		{"bytes default", field("f", i64, defaulted(bytesValue)), "not equal to the type"},
		{"bool", field("f", schemapb.DataType_Bool, defaulted(boolValue)), ""},
		{"bool for int", field("f", i32, defaulted(boolValue)), "not equal to the type"},
		{"int8", field("f", i8, defaulted(intValue(math.MinInt8))), ""},
		{"int8 too large", field("f", i8, defaulted(intValue(math.MaxInt8+1))), "out of"},
		{"int16", field("f", i16, defaulted(intValue(math.MaxInt16))), ""},
		{"int16 too small", field("f", i16, defaulted(intValue(math.MinInt16-1))), "out of"},
		{"int32", field("f", i32, defaulted(intValue(math.MaxInt32))), ""},
		{"int for int64", field("f", i64, defaulted(intValue(1))), "not equal to the type"},
		{"int64", field("f", i64, defaulted(longValue(math.MaxInt64))), ""},
		{"long for int32", field("f", i32, defaulted(longValue(1))), "not equal to the type"},
		{"float", field("f", schemapb.DataType_Float, defaulted(floatValue)), ""},
		{"float for double", field("f", schemapb.DataType_Double, defaulted(floatValue)), "not equal to the type"},
		{"double", field("f", schemapb.DataType_Double, defaulted(doubleValue)), ""},
		{"double for float", field("f", schemapb.DataType_Float, defaulted(doubleValue)), "not equal to the type"},
		{"text", field("f", varchar, maxLength("3"), defaulted(text("abc"))), ""},
		{"text too long", field("f", varchar, maxLength("2"), defaulted(text("abc"))), "exceeds max length"},
		{"text without max_length", field("f", varchar, defaulted(text("abc"))), "is not a number"},
		{"text with odd max_length", field("f", varchar, maxLength("many"), defaulted(text("abc"))), "is not a number"},
		{"text for int64", field("f", i64, defaulted(text("1"))), "not equal to the type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &schemapb.CollectionSchema{Name: "c", Fields: []*schemapb.FieldSchema{field("a", i64), tt.field}}
			got, err := Parse(encode(t, s), "c")
			if tt.bad == "" {
				require.NoError(t, err)
				require.True(t, proto.Equal(s, got))
				return
			}
			require.ErrorIs(t, err, errs.ParameterInvalid)
			require.ErrorContains(t, err, tt.bad)
		})
	}
}

func TestParseRefusesOtherName(t *testing.T) {
	_, err := Parse(encode(t, &schemapb.CollectionSchema{Name: "c"}), "d")
	require.ErrorIs(t, err, errs.ParameterInvalid)
}

func TestParseRefusesStructs(t *testing.T) {
	s := &schemapb.CollectionSchema{Name: "c", StructArrayFields: []*schemapb.StructArrayFieldSchema{{Name: "s"}}}
	_, err := Parse(encode(t, s), "c")
	require.ErrorIs(t, err, errs.ParameterInvalid)
}

func TestParseRefusesGarbage(t *testing.T) {
	_, err := Parse([]byte{0xff, 0xff, 0xff}, "c")
	require.Equal(t, errs.Unexpected, errs.KindOf(err))
}

func TestComplete(t *testing.T) {
	s := &schemapb.CollectionSchema{
		Name: "c", EnableDynamicField: true,
		Fields: []*schemapb.FieldSchema{
			field("pk", schemapb.DataType_Int64, primary), field("doc", schemapb.DataType_VarChar),
			field("sparse", schemapb.DataType_SparseFloatVector),
		},
		Functions: []*schemapb.FunctionSchema{
			{Name: "bm25", InputFieldNames: []string{"doc"}, OutputFieldNames: []string{"sparse"}},
			{Name: "none"},
		},
	}
	s.Fields[1].State = schemapb.FieldState_FieldDropped
	require.NoError(t, Complete(s))
	names := map[string]int64{}
	var order []string
	for _, f := range s.Fields {
		names[f.Name] = f.FieldID
		order = append(order, f.Name)
		require.Zero(t, f.State)
	}
	require.Equal(t, []string{"pk", "doc", "sparse", "$meta", "RowID", "Timestamp"}, order)
	require.Equal(t, map[string]int64{"pk": 100, "doc": 101, "sparse": 102, "$meta": 103, "RowID": 0, "Timestamp": 1}, names)
	meta := s.Fields[3]
	require.True(t, meta.IsDynamic)
	require.Equal(t, schemapb.DataType_JSON, meta.DataType)
	require.Equal(t, int64(100), s.Functions[0].Id)
	require.Equal(t, []int64{101}, s.Functions[0].InputFieldIds)
	require.Equal(t, []int64{102}, s.Functions[0].OutputFieldIds)
	require.Equal(t, int64(101), s.Functions[1].Id)
}

func TestCompleteRefusesUnknownFunctionFields(t *testing.T) {
	for _, f := range []*schemapb.FunctionSchema{
		{Name: "f", InputFieldNames: []string{"nowhere"}}, {Name: "f", OutputFieldNames: []string{"nowhere"}},
	} {
		err := Complete(&schemapb.CollectionSchema{Functions: []*schemapb.FunctionSchema{f}})
		require.Equal(t, errs.Unexpected, errs.KindOf(err))
		require.ErrorContains(t, err, "nowhere")
	}
}

func TestPartitionNames(t *testing.T) {
	plain := &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{field("a", schemapb.DataType_Int64)}}
	byKey := &schemapb.CollectionSchema{Fields: []*schemapb.FieldSchema{field("a", schemapb.DataType_Int64, keyed)}}
	got, err := PartitionNames(plain, 7, 4, "_default")
	require.NoError(t, err, "the number means nothing without a key")
	require.Equal(t, []string{"_default"}, got)

	got, err = PartitionNames(byKey, 3, 4, "_default")
	require.NoError(t, err)
	require.Equal(t, []string{"_default_0", "_default_1", "_default_2"}, got)

	for _, n := range []int64{0, -1, 5} {
		_, err = PartitionNames(byKey, n, 4, "_default")
		require.Equal(t, errs.Unexpected, errs.KindOf(err), n)
	}
}

func TestSameFields(t *testing.T) {
	base := func() *schemapb.FieldSchema {
		return field("f", schemapb.DataType_VarChar, maxLength("10"), defaulted(text("x")), func(f *schemapb.FieldSchema) {
			f.FieldID, f.TypeParams = 100, append(f.TypeParams, pair("mmap.enabled", "true"))
		})
	}
	same := map[string]func(*schemapb.FieldSchema){
		"itself":                           func(*schemapb.FieldSchema) {},
		"order of pairs":                   func(f *schemapb.FieldSchema) { f.TypeParams[0], f.TypeParams[1] = f.TypeParams[1], f.TypeParams[0] },
		"default value at another address": func(f *schemapb.FieldSchema) { f.DefaultValue = text("x") },
	}
	for name, change := range same {
		other := base()
		change(other)
		require.True(t, SameFields([]*schemapb.FieldSchema{base()}, []*schemapb.FieldSchema{other}), name)
	}
	different := map[string]func(*schemapb.FieldSchema){
		"id":            func(f *schemapb.FieldSchema) { f.FieldID++ },
		"name":          func(f *schemapb.FieldSchema) { f.Name = "g" },
		"type":          func(f *schemapb.FieldSchema) { f.DataType = schemapb.DataType_String },
		"value of pair": func(f *schemapb.FieldSchema) { f.TypeParams[0] = pair("max_length", "11") },
		"fewer pairs":   func(f *schemapb.FieldSchema) { f.TypeParams = f.TypeParams[:1] },
		"another pair":  func(f *schemapb.FieldSchema) { f.TypeParams[1] = pair("other", "true") },
		"index pair":    func(f *schemapb.FieldSchema) { f.IndexParams = append(f.IndexParams, pair("a", "b")) },
		"default value": func(f *schemapb.FieldSchema) { f.DefaultValue = text("y") },
		"nullable":      nullable,
		"partition key": keyed,
	}
	for name, change := range different {
		other := base()
		change(other)
		require.False(t, SameFields([]*schemapb.FieldSchema{base()}, []*schemapb.FieldSchema{other}), name)
	}
	require.False(t, SameFields(nil, []*schemapb.FieldSchema{base()}))
}

// Whatever a client sends, the answer is a schema or an error of a known kind, and a schema can be completed.
func FuzzParse(f *testing.F) {
	f.Add(encode(f, &schemapb.CollectionSchema{Name: "c", Fields: []*schemapb.FieldSchema{
		field("pk", schemapb.DataType_Int64, primary), field("v", schemapb.DataType_FloatVector),
		field("s", schemapb.DataType_VarChar, maxLength("3"), defaulted(text("abc"))),
	}, Functions: []*schemapb.FunctionSchema{{Name: "f", InputFieldNames: []string{"s"}, OutputFieldNames: []string{"v"}}}}), int64(3))
	f.Add([]byte(strings.Repeat("\xff", 20)), int64(-1))
	f.Fuzz(func(t *testing.T, encoded []byte, partitions int64) {
		s, err := Parse(encoded, "c")
		if err != nil {
			if k := errs.KindOf(err); k != errs.Unexpected && k != errs.ParameterInvalid {
				t.Fatalf("kind %v", k)
			}
			return
		}
		if _, err := PartitionNames(s, partitions, 64, "_default"); err != nil && errs.KindOf(err) != errs.Unexpected {
			t.Fatal(err)
		}
		user := len(s.Fields)
		if err := Complete(s); err != nil {
			return
		}
		if len(s.Fields) < user+2 || s.Fields[len(s.Fields)-1].FieldID != 1 {
			t.Fatalf("completed to %v", s)
		}
		if !SameFields(s.Fields, s.Fields) {
			t.Fatal("not equal to itself")
		}
	})
}
