package rpc

import (
	"context"
	"strconv"
	"sync/atomic"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Names of the metadata that Milvus' components send with a call.
const (
	ClusterKey   = "cluster"           // the cluster that the caller means
	ServerIDKey  = "serverid"          // the id of the node that the caller means; in answers, of the node that gave it
	RoleKey      = "role"              // in answers, the role of the node
	LogLevelKey  = "log_level"         // level from which on this call is logged
	RequestIDKey = "client_request_id" // becomes the log field traceID
)

// border checks what comes in and signs what goes out.
type border struct {
	cluster   string
	component *Component
	logger    *zap.Logger
	signature atomic.Pointer[signature]
}

// signature is the header of every answer, made once for each server id.
type signature struct {
	id     int64
	header metadata.MD
}

// admit refuses a call that was meant for another cluster or node. Who says nothing is let in, and so is a server id that
// is no number: so does Milvus.
func (b *border) admit(ctx context.Context) error {
	if err := checkCluster(b.cluster, first(metadata.ValueFromIncomingContext(ctx, ClusterKey))); err != nil {
		return err
	}
	if sent := first(metadata.ValueFromIncomingContext(ctx, ServerIDKey)); sent != "" {
		return checkServerID(b.component.cfg.ServerID(), sent)
	}
	return nil
}

func checkCluster(own, sent string) error {
	if sent == "" || sent == own {
		return nil
	}
	err := errs.CrossClusterRouting.With("", errs.F("expectedCluster", own), errs.F("actualCluster", sent))
	return status.Error(codes.Unknown, err.Error())
}

// checkServerID takes the sent id for the expected one, as Milvus' text has it.
func checkServerID(own int64, sent string) error {
	id, err := strconv.ParseInt(sent, 10, 64)
	if err != nil || id == own {
		return nil
	}
	mismatch := errs.NodeNotMatch.With("", errs.F("expectedNodeID", id), errs.F("actualNodeID", own))
	return status.Error(codes.Unknown, mismatch.Error())
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// header says who answers. It must not be changed.
func (b *border) header() metadata.MD {
	id := b.component.cfg.ServerID()
	s := b.signature.Load()
	if s == nil || s.id != id {
		s = &signature{id: id, header: metadata.Pairs(RoleKey, b.component.Role())}
		if id > 0 {
			s.header.Set(ServerIDKey, strconv.FormatInt(id, 10))
		}
		b.signature.Store(s)
	}
	return s.header
}
