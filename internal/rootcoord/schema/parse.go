package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Names that belong to the system. A request may not use them.
const (
	RowIDName     = "RowID"
	TimestampName = "Timestamp"
	DynamicName   = "$meta"
)

const maxLengthKey = "max_length"

// Parse decodes the schema of a request to create the collection of that name and checks it. Bytes that are no schema
// are a plain error, every other complaint is an [errs.ParameterInvalid].
func Parse(encoded []byte, collection string) (*schemapb.CollectionSchema, error) {
	s := &schemapb.CollectionSchema{}
	if err := proto.Unmarshal(encoded, s); err != nil {
		return nil, fmt.Errorf("decode the schema of collection %s: %w", collection, err)
	}
	if s.GetName() != collection {
		return nil, errs.ParameterInvalid.Withf("schema is of collection %q, the request of %q", s.GetName(), collection)
	}
	if len(s.GetStructArrayFields()) > 0 {
		return nil, errs.ParameterInvalid.Withf("struct fields are not supported, collection: %s", collection)
	}
	for _, f := range s.GetFields() {
		if err := checkField(f); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func checkField(f *schemapb.FieldSchema) error {
	switch f.GetName() {
	case RowIDName, TimestampName, DynamicName:
		return errs.ParameterInvalid.Withf("field name %s belongs to the system", f.GetName())
	}
	if !supported(f.GetDataType()) {
		return errs.ParameterInvalid.Withf("field %s: data type %s is not supported", f.GetName(), f.GetDataType())
	}
	if f.GetNullable() && isVector(f.GetDataType()) {
		return errs.ParameterInvalid.Withf("field %s: a vector cannot be null", f.GetName())
	}
	if f.GetNullable() && f.GetIsPrimaryKey() {
		return errs.ParameterInvalid.Withf("field %s: a primary key cannot be null", f.GetName())
	}
	if f.GetDefaultValue() != nil {
		return checkDefault(f)
	}
	return nil
}

// checkDefault tells whether the field can hold its default value.
func checkDefault(f *schemapb.FieldSchema) error {
	if f.GetIsPrimaryKey() {
		return errs.ParameterInvalid.Withf("field %s: a primary key cannot have a default value", f.GetName())
	}
	t := f.GetDataType()
	if t == schemapb.DataType_Array || t == schemapb.DataType_JSON || isVector(t) {
		return errs.ParameterInvalid.Withf("field %s: type %s cannot have a default value", f.GetName(), t)
	}
	fits := false
	var given string
	switch v := f.GetDefaultValue().GetData().(type) {
	case *schemapb.ValueField_BoolData:
		given, fits = "Bool", t == schemapb.DataType_Bool
	case *schemapb.ValueField_IntData:
		given = "Int"
		switch t {
		case schemapb.DataType_Int8:
			return checkRange(f, v.IntData, math.MinInt8, math.MaxInt8)
		case schemapb.DataType_Int16:
			return checkRange(f, v.IntData, math.MinInt16, math.MaxInt16)
		case schemapb.DataType_Int32:
			fits = true
		}
	case *schemapb.ValueField_LongData:
		given, fits = "Long", t == schemapb.DataType_Int64
	case *schemapb.ValueField_FloatData:
		given, fits = "Float", t == schemapb.DataType_Float
	case *schemapb.ValueField_DoubleData:
		given, fits = "Double", t == schemapb.DataType_Double
	case *schemapb.ValueField_StringData:
		given = "String"
		if t == schemapb.DataType_VarChar {
			return checkLength(f, len(v.StringData))
		}
	default:
		given = fmt.Sprintf("%T", v)
	}
	if !fits {
		return errs.ParameterInvalid.Withf("type (%s) of field (%s) is not equal to the type (%s) of default_value",
			t, f.GetName(), given)
	}
	return nil
}

func checkRange(f *schemapb.FieldSchema, v, low, high int32) error {
	if v < low || v > high {
		return errs.ParameterInvalid.Withf("default value %d of field %s is out of [%d, %d]", v, f.GetName(), low, high)
	}
	return nil
}

// checkLength compares a default value's length in bytes with the field's max_length.
func checkLength(f *schemapb.FieldSchema, length int) error {
	declared := ""
	for _, p := range slices.Concat(f.GetIndexParams(), f.GetTypeParams()) {
		if p.GetKey() == maxLengthKey {
			declared = p.GetValue()
		}
	}
	longest, err := strconv.ParseInt(declared, 10, 64)
	if err != nil {
		return errs.ParameterInvalid.Withf("field %s: max_length %q is not a number", f.GetName(), declared)
	}
	if int64(length) > longest {
		return errs.ParameterInvalid.Withf("field %s: the length (%d) of the default value exceeds max length (%d)",
			f.GetName(), length, longest)
	}
	return nil
}

// supported tells whether a field may have type t. The wire package knows types of later Milvus lines, which the nodes
// of a 2.5 cluster cannot read.
func supported(t schemapb.DataType) bool {
	switch t {
	case schemapb.DataType_Bool, schemapb.DataType_Int8, schemapb.DataType_Int16, schemapb.DataType_Int32,
		schemapb.DataType_Int64, schemapb.DataType_Float, schemapb.DataType_Double,
		schemapb.DataType_String, schemapb.DataType_VarChar, schemapb.DataType_Array, schemapb.DataType_JSON:
		return true
	}
	return isVector(t)
}

func isVector(t schemapb.DataType) bool {
	switch t {
	case schemapb.DataType_BinaryVector, schemapb.DataType_FloatVector, schemapb.DataType_Float16Vector,
		schemapb.DataType_BFloat16Vector, schemapb.DataType_SparseFloatVector, schemapb.DataType_Int8Vector:
		return true
	}
	return false
}
