// Package config turns milvus.yaml and the environment into one plain struct, once, when the process starts.
//
// [Load] reads the files of one directory (milvus.yaml, _test.yaml, default.yaml, user.yaml; a later one wins) and the
// environment, which wins over all files. Names are matched by Milvus' folding rule: letters are lower-cased and / _ .
// are deleted, so ROOT_COORD_PORT is rootCoord.port. Anything not set has its default.
//
// What it promises: every value of a returned [Config] is valid, alone and together with the others. Everything that
// is wrong is reported in one go, with file and line or the variable's name, the value, and what is allowed. The [Report]
// tells for each key what its value is and where it comes from. A misspelt key in a section that the coordinators own is
// a warning that names the key that was probably meant; the many Milvus keys that other components read are no news.
//
// What it does not do: it does not watch files, it does not read keys from etcd, it opens no certificate, and it does no
// network I/O. Nothing but package cmd and package components sees a Config; every other package gets its own few
// values.
//
// All keys are in one table (specs.go and keys_*.go). To add a key is to add a line there, the field that it sets, and a line
// in configs/milvus.yaml; then docs/configuration.md is made anew, from that table and from what stands above the sections of
// the file, by
//
//	go test ./internal/config -run TestReferenceDocument -update
package config
