package etcdutil

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Health is how etcd is, as its members say themselves. That takes no quorum.
type Health struct {
	At      time.Time
	Members []MemberHealth // those of the configured endpoints in their order, then the others by name
}

// MemberHealth is one member. What it did not say is zero.
type MemberHealth struct {
	Endpoint string // by which it was asked; empty: it is not among the configured ones, and was not
	Name     string
	ID       uint64
	Version  string
	Leader   bool
	Learner  bool
	NoLeader bool // it knows of none
	RaftTerm uint64
	DBSize   int64         // bytes of its database file
	InUse    int64         // bytes of it that hold something; the rest is free to be used again
	Quota    int64         // bytes at which it takes no writes any more; 0: it does not say
	Took     time.Duration // its answer
	Errors   []string      // alarms among them, as etcd words them
	Err      error         // why it did not answer
}

// fullness is the share of the quota from which a database is worth a word.
const fullness = 0.8

// Health asks every configured member at once, over the connections that are there, each at most timeout long.
func (m *Members) Health(ctx context.Context, timeout time.Duration) Health {
	h := Health{At: time.Now(), Members: make([]MemberHealth, len(m.clients))}
	lists := make([][]*pb.Member, len(m.clients))
	var asked sync.WaitGroup
	for i, c := range m.clients {
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			h.Members[i] = memberHealth(ctx, c)
			lists[i] = memberList(ctx, c)
		})
	}
	asked.Wait()
	h.name(lists)
	return h
}

// memberHealth does not use the client library's method, which would dial anew for every question.
func memberHealth(ctx context.Context, c *clientv3.Client) MemberHealth {
	one := MemberHealth{Endpoint: strings.Join(c.Endpoints(), ",")}
	began := time.Now()
	st, err := pb.NewMaintenanceClient(c.ActiveConnection()).Status(ctx, &pb.StatusRequest{})
	if err != nil {
		one.Err = err
		return one
	}
	one.Took = time.Since(began)
	one.ID, one.Version, one.RaftTerm = st.GetHeader().GetMemberId(), st.GetVersion(), st.GetRaftTerm()
	one.Leader, one.NoLeader, one.Learner = st.GetLeader() == one.ID, st.GetLeader() == 0, st.GetIsLearner()
	one.DBSize, one.InUse, one.Quota = st.GetDbSize(), st.GetDbSizeInUse(), st.GetDbSizeQuota()
	for _, e := range st.GetErrors() {
		if !strings.Contains(e, "no leader") { // said already
			one.Errors = append(one.Errors, strings.TrimSpace(e))
		}
	}
	return one
}

// memberList is what one member knows by itself; nil if it does not answer.
func memberList(ctx context.Context, c *clientv3.Client) []*pb.Member {
	resp, err := pb.NewClusterClient(c.ActiveConnection()).MemberList(ctx, &pb.MemberListRequest{Linearizable: false})
	if err != nil {
		return nil
	}
	return resp.GetMembers()
}

// name gives the members that were asked their names, and adds those that were not.
func (h *Health) name(lists [][]*pb.Member) {
	asked := map[uint64][]int{}
	for i, one := range h.Members {
		asked[one.ID] = append(asked[one.ID], i)
	}
	var others []MemberHealth
	for _, list := range lists {
		for _, member := range list {
			for _, i := range asked[member.GetID()] {
				h.Members[i].Name = member.GetName()
			}
			if asked[member.GetID()] == nil {
				others = append(others, MemberHealth{ID: member.GetID(), Name: member.GetName(), Learner: member.GetIsLearner()})
				asked[member.GetID()] = []int{}
			}
		}
	}
	if slices.ContainsFunc(h.Members, func(one MemberHealth) bool { return one.Err != nil }) {
		// A member that is listed and was not heard may be one of the endpoints that did not answer.
		others = nil
	}
	slices.SortFunc(others, func(a, b MemberHealth) int { return cmp.Compare(a.Name, b.Name) })
	h.Members = append(h.Members, others...)
}

// Problems says what is wrong with etcd, in words; it is empty if nothing is.
func (h Health) Problems() []string {
	var wrong []string
	say := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(wrong, text) {
			wrong = append(wrong, text)
		}
	}
	for _, m := range h.Members {
		name := cmp.Or(m.Name, m.Endpoint)
		switch {
		case m.Err != nil:
			say("%s does not answer", m.Endpoint)
		case m.NoLeader && m.Endpoint != "":
			say("%s knows of no leader: nothing can be written", name)
		}
		for _, e := range m.Errors {
			say("%s", alarm(e))
		}
		if m.Quota > 0 && float64(m.InUse) > fullness*float64(m.Quota) {
			say("%s: the database has %d %% of its quota in use", name, 100*m.InUse/m.Quota)
		}
	}
	return wrong
}

// alarm says in words what etcd's alarms mean.
func alarm(text string) string {
	switch {
	case strings.Contains(text, "alarm:NOSPACE"):
		return "alarm NOSPACE: the database has reached its quota, nothing can be written"
	case strings.Contains(text, "alarm:CORRUPT"):
		return "alarm CORRUPT: the members' databases differ"
	}
	return text
}
