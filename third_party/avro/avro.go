// Package avro stands in for github.com/hamba/avro/v2; see third_party/README.md.
package avro

import "errors"

var errAbsent = errors.New("avro schemas are not built in")

// Schema is never made.
type Schema interface{ String() string }

// Parse fails.
func Parse(string) (Schema, error) { return nil, errAbsent }

// Marshal fails.
func Marshal(Schema, any) ([]byte, error) { return nil, errAbsent }

// Unmarshal fails.
func Unmarshal(Schema, []byte, any) error { return errAbsent }
