package sessionutil

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Record is a session as Milvus 2.5 writes it under <metaRoot>/session/: field order, names and omissions are Milvus',
// and nothing is added.
type Record struct {
	ServerID           int64              `json:"ServerID,omitempty"`
	ServerName         string             `json:"ServerName,omitempty"`
	Address            string             `json:"Address,omitempty"`
	Exclusive          bool               `json:"Exclusive,omitempty"`
	Stopping           bool               `json:"Stopping,omitempty"`
	TriggerKill        bool               `json:"TriggerKill"`
	Version            string             `json:"Version"`
	IndexEngineVersion IndexEngineVersion `json:"IndexEngineVersion"`
	LeaseID            *int64             `json:"LeaseID,omitempty"`
	HostName           string             `json:"HostName,omitempty"`
	EnableDisk         bool               `json:"EnableDisk,omitempty"`
	ServerLabels       map[string]string  `json:"ServerLabels,omitempty"`
}

// IndexEngineVersion is what query nodes say of themselves; empty in a coordinator's session.
type IndexEngineVersion struct {
	MinimalIndexVersion int32 `json:"MinimalIndexVersion,omitempty"`
	CurrentIndexVersion int32 `json:"CurrentIndexVersion,omitempty"`
}

// ParseRecord reads a session that any version of Milvus wrote. Unknown fields are ignored, as Milvus' readers do.
func ParseRecord(value []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(value, &r); err != nil {
		return Record{}, fmt.Errorf("session JSON: %w", err)
	}
	if r.ServerID == 0 && r.Address == "" {
		return Record{}, errors.New("session JSON names neither a ServerID nor an Address")
	}
	return r, nil
}

// encode cannot fail: the type holds nothing that JSON cannot say.
func (r Record) encode() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("sessionutil: encode a session: %v", err))
	}
	return string(b)
}

// termRecord is kept under <metaRoot>/ha/<role>/term, without a lease. It outlives its term, and so tells the next
// holder who was active before and whether that one is known to have stopped.
type termRecord struct {
	ServerID int64    `json:"ServerID"`
	Address  string   `json:"Address"`
	HostName string   `json:"HostName,omitempty"`
	Direct   []string `json:"Direct,omitempty"` // where the process itself listens
	PID      int      `json:"PID"`
	Since    string   `json:"Since"`           // RFC 3339
	Ended    string   `json:"Ended,omitempty"` // RFC 3339; set by the holder when it has answered its last call
	Reason   string   `json:"Reason,omitempty"`
}

// howEnded is the reason of the next term, when this one was ended by its holder.
func (r termRecord) howEnded() string {
	switch {
	case r.Reason == ReasonSwitched:
		return ReasonSwitched
	case strings.HasPrefix(r.Reason, failedPrefix):
		return ReasonFailed
	case strings.HasPrefix(r.Reason, errSilent.Error()):
		return ReasonSilent // it could not reach etcd, and found out before anybody else did
	}
	return ReasonStopped
}

func (r termRecord) encode() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("sessionutil: encode a term record: %v", err))
	}
	return string(b)
}

// Process is what a process says of itself beside its session, for operators.
type Process struct {
	ServerID int64     `json:"ServerID"`
	Binary   string    `json:"Binary"`         // version of this product
	HTTP     string    `json:"HTTP,omitempty"` // address of the port for operators
	PID      int       `json:"PID"`
	Since    time.Time `json:"Since"`   // of its registration
	Standby  bool      `json:"Standby"` // active-standby is on
}

func (p Process) encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("sessionutil: encode what a process says of itself: %v", err))
	}
	return string(b)
}

func parseTermRecord(value []byte) (termRecord, error) {
	var r termRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return termRecord{}, fmt.Errorf("term record: %w", err)
	}
	return r, nil
}
