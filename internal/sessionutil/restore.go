package sessionutil

import "time"

// Restoring says that the metadata is being restored, or that a restore died before its end. While it lies in etcd nobody
// claims a role: what is there is not a whole cluster's.
type Restoring struct {
	By string    `json:"By"`
	At time.Time `json:"At"`
}

// RestoringKey is where a [Restoring] lies.
func RestoringKey(metaRoot string) string { return metaRoot + "/ha/restoring" }

// HARoot is the range of what this product keeps beside Milvus' keys: who was active and why not any more, pauses, wishes,
// and what processes say of themselves. It is about one etcd and its processes, not about the cluster's data.
func HARoot(metaRoot string) string { return metaRoot + "/ha/" }

// SessionRoot is the range of the sessions of all processes of a cluster, and of their counter.
func SessionRoot(metaRoot string) string { return sessionPrefix(metaRoot) }

// CounterKey holds the next ServerID.
func CounterKey(metaRoot string) string { return sessionPrefix(metaRoot) + "id" }
