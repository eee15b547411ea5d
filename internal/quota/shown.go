package quota

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
)

// shown is a denial as operators see it.
type shown struct {
	Where string // "cluster", or the name of the database that it is in
	State string
	Code  string
}

func (s shown) byForce() bool {
	return s.State == milvuspb.QuotaState_DenyToWrite.String() && s.Code == commonpb.ErrorCode_ForceDeny.String()
}

// denialsOf lists the denials of a tree, in order: those of the cluster, and those of each database with all in it.
func denialsOf(root *proxypb.LimiterNode, meta Meta) []shown {
	names := map[int64]string{}
	for _, db := range meta.Databases() {
		names[db.ID] = db.Name
	}
	all := collect(nil, root.GetLimiter(), "cluster")
	for id, db := range root.GetChildren() {
		all = subtree(all, db, cmp.Or(names[id], strconv.FormatInt(id, 10)))
	}
	slices.SortFunc(all, func(a, b shown) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.State, b.State), cmp.Compare(a.Code, b.Code))
	})
	return slices.Compact(all)
}

func subtree(all []shown, n *proxypb.LimiterNode, where string) []shown {
	all = collect(all, n.GetLimiter(), where)
	for _, child := range n.GetChildren() {
		all = subtree(all, child, where)
	}
	return all
}

func collect(all []shown, l *proxypb.Limiter, where string) []shown {
	for i, state := range l.GetStates() {
		all = append(all, shown{Where: where, State: state.String(), Code: l.GetCodes()[i].String()})
	}
	return all
}
