package backup

import (
	"fmt"
	"time"
)

const (
	magic         = "MILVUSMB"
	formatVersion = 1

	recordMark = 1
	endMark    = 0

	// What a reader takes for possible; etcd's own limit of a request is 1.5 MiB unless it is told otherwise.
	maxKey   = 64 << 10
	maxValue = 256 << 20
	maxJSON  = 1 << 20
	// maxWindow bounds the memory of decompression.
	maxWindow = 32 << 20
)

// Header says what a backup is of.
type Header struct {
	Layout   `yaml:",inline"`
	Revision int64     `json:"revision" yaml:"revision"` // of etcd, that everything in it is of
	Taken    time.Time `json:"taken" yaml:"taken"`
	Cluster  string    `json:"etcdCluster" yaml:"etcdCluster"` // etcd's cluster id, in hexadecimal
	Product  string    `json:"product" yaml:"product"`         // version of this product that made it
}

// Trailer proves that a backup is whole.
type Trailer struct {
	Keys    int64  `json:"keys"`
	LeftOut int64  `json:"leftOut"` // keys on a lease, which are no metadata
	SHA256  string `json:"sha256"`
}

// DamagedError says that a file is no whole backup.
type DamagedError struct {
	Keys int64 // that were read before
	Err  error
}

// Error says what is wrong, and how far the file was right.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("damaged after %d keys: %v", e.Keys, e.Err)
}

// Unwrap gives the reason.
func (e *DamagedError) Unwrap() error { return e.Err }
