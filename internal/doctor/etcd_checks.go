package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// From when a figure of etcd is worth a word. A heartbeat every second with four seconds of grace lives with far worse;
// DDL, which waits for a write each, does not.
const (
	slowRead     = 50 * time.Millisecond
	slowWrite    = 100 * time.Millisecond
	raftBehind   = 5000 // entries
	fullAt       = 0.8  // of the quota
	almostFullAt = 0.95
	defragAbove  = 256 << 20 // bytes that a defragmentation would give back
)

func etcdEndpoints(e *exam) []Finding {
	var all []Finding
	silent := 0
	for _, p := range e.endpoints {
		if p.err != nil {
			silent++
		}
	}
	for _, p := range e.endpoints {
		what := "etcd " + p.address
		if p.err == nil {
			all = append(all, one(OK, what, "", "version %s, answers in %s", p.status.Version, ms(median(p.reads)))...)
			continue
		}
		status := Warn // the others carry on
		if silent == len(e.endpoints) {
			status = Fail
		}
		all = append(all, one(status, what, p.do, "%s", p.detail)...)
	}
	return all
}

// reached tells whether etcd can be judged; what it cannot say is said by etcdEndpoints.
func (e *exam) reached() bool { return e.client() != nil }

func etcdMembers(e *exam) []Finding {
	const what = "etcd members"
	if !e.reached() {
		return nil
	}
	if e.cluster.err != nil {
		return one(Warn, what, "if etcd has users: these questions need the root role; the cluster works without", "cannot be asked: %v", e.cluster.err)
	}
	var all []Finding
	voters := 0
	for _, m := range e.cluster.members {
		switch {
		case m.IsLearner:
			all = append(all, one(Warn, what, "promote it, or remove it", "%s is a learner and does not vote", m.Name)...)
		case m.Name == "":
			voters++
			all = append(all, one(Warn, what, "start it, or remove it", "member %x was added and has never been started", m.ID)...)
		default:
			voters++
		}
	}
	if voters%2 == 0 {
		all = append(all, one(Warn, what, "add or remove one", "%d vote: no more of them may fail than of %d", voters, voters-1)...)
	}
	if unused := e.unlisted(); len(unused) > 0 {
		all = append(all, one(Warn, what, "add them, so that their death is not missed and their help is used",
			"etcd.endpoints does not name %s", strings.Join(unused, ", "))...)
	}
	if len(all) == 0 {
		all = one(OK, what, "", "%d, all have joined", voters)
	}
	return all
}

// unlisted are the members of which no client address is among the endpoints. It is asked only where endpoints and
// addresses are of one kind: a load balancer's name says nothing about who is behind it.
func (e *exam) unlisted() []string {
	var missing []string
	found := 0
	for _, m := range e.cluster.members {
		if slices.ContainsFunc(m.ClientURLs, func(url string) bool {
			_, address, _ := strings.Cut(url, "://")
			return slices.Contains(e.Etcd.Endpoints, address)
		}) {
			found++
		} else if m.Name != "" {
			missing = append(missing, m.Name)
		}
	}
	if found == 0 {
		return nil
	}
	return missing
}

func etcdLeader(e *exam) []Finding {
	const what = "etcd leader"
	leaders, clusters := map[uint64][]string{}, map[uint64]bool{}
	for _, p := range e.endpoints {
		if p.status != nil {
			leaders[p.status.Leader] = append(leaders[p.status.Leader], p.address)
			clusters[p.status.Header.ClusterId] = true
		}
	}
	switch {
	case len(leaders) == 0:
		return nil
	case len(clusters) > 1:
		return one(Fail, what, "correct etcd.endpoints: they must be members of one cluster", "the endpoints belong to %d different etcd clusters", len(clusters))
	case leaders[0] != nil:
		return one(Fail, what, "start the members that are missing: more than half must run", "%s know no leader", strings.Join(leaders[0], ", "))
	case len(leaders) > 1:
		return one(Warn, what, "ask again: an election may be under way; if it lasts, look at the network between the members", "the members name different leaders")
	}
	for id := range leaders {
		return one(OK, what, "", "all agree on %x", id)
	}
	return nil
}

func etcdRaft(e *exam) []Finding {
	const what = "etcd replication"
	most := uint64(0)
	for _, p := range e.endpoints {
		if p.status != nil {
			most = max(most, p.status.RaftIndex)
		}
	}
	var all []Finding
	seen := 0
	for _, p := range e.endpoints {
		if p.status == nil {
			continue
		}
		seen++
		if behind := most - min(p.status.RaftAppliedIndex, most); behind > raftBehind {
			all = append(all, one(Warn, what, "look at that member's disk and network", "%s is %d entries behind", p.address, behind)...)
		}
	}
	if len(all) == 0 && seen > 0 {
		return one(OK, what, "", "%d members are abreast", seen)
	}
	return all
}

func etcdAlarms(e *exam) []Finding {
	const what = "etcd alarms"
	if !e.reached() || e.cluster.err != nil {
		return nil
	}
	var all []Finding
	for _, a := range e.cluster.alarms {
		switch a.Alarm {
		case etcdserverpb.AlarmType_NOSPACE:
			all = append(all, one(Fail, what, "compact, 'etcdctl defrag' each member, raise --quota-backend-bytes if it is needed, then 'etcdctl alarm disarm'",
				"NOSPACE at member %x: the quota is used up, every write is refused", a.MemberID)...)
		case etcdserverpb.AlarmType_CORRUPT:
			all = append(all, one(Fail, what, "stop that member, remove it, and add it again empty; see etcd's guide to data corruption",
				"CORRUPT at member %x: its data differ from the others'", a.MemberID)...)
		case etcdserverpb.AlarmType_NONE:
		}
	}
	if len(all) == 0 {
		return one(OK, what, "", "none")
	}
	return all
}

func etcdSpace(e *exam) []Finding {
	const what = "etcd space"
	var all []Finding
	for _, p := range e.endpoints {
		if p.status == nil {
			continue
		}
		size, used, quota := p.status.DbSize, p.status.DbSizeInUse, p.status.DbSizeQuota
		share := 0.0
		if quota > 0 {
			share = float64(size) / float64(quota)
		}
		detail := fmt.Sprintf("%s: %s in use of a file of %s, quota %s", p.address, mb(used), mb(size), orUnknown(quota))
		do := "compact and 'etcdctl defrag' the member, or raise --quota-backend-bytes; at the quota every write is refused"
		switch {
		case share >= almostFullAt:
			all = append(all, one(Fail, what, do, "%s", detail)...)
		case share >= fullAt:
			all = append(all, one(Warn, what, do, "%s", detail)...)
		case size-used > defragAbove && used*2 < size:
			all = append(all, one(Warn, what, "'etcdctl defrag' the member, at a quiet hour", "%s", detail)...)
		default:
			all = append(all, one(OK, what, "", "%s", detail)...)
		}
	}
	return all
}

func etcdLatency(e *exam) []Finding {
	if !e.reached() {
		return nil
	}
	var all []Finding
	for _, p := range e.endpoints {
		if p.err == nil && median(p.reads) > slowRead {
			all = append(all, one(Warn, "etcd latency", "look at the network to it, and at the load of its machine",
				"reads at %s take %s, the slowest %s", p.address, ms(median(p.reads)), ms(last(p.reads)))...)
		}
	}
	c := e.cluster
	switch {
	case c.err != nil:
	case c.writeErr != nil:
		do := "see what else is said about etcd here"
		if rpctypes.ErrPermissionDenied.Error() == c.writeErr.Error() {
			do = "grant the user of etcd.auth.userName read and write on etcd.rootPath"
		}
		all = append(all, one(Fail, "etcd latency", do, "a write is refused: %v", c.writeErr)...)
	case median(c.writes) > slowWrite:
		all = append(all, one(Warn, "etcd latency", "give etcd a disk of its own that syncs in a few milliseconds",
			"writes take %s, the slowest %s", ms(median(c.writes)), ms(last(c.writes)))...)
	default:
		all = append(all, one(OK, "etcd latency", "", "writes, synced to disk, take %s, the slowest %s", ms(median(c.writes)), ms(last(c.writes)))...)
	}
	return all
}

func etcdVersions(e *exam) []Finding {
	versions := map[string]bool{}
	var all []Finding
	for _, p := range e.endpoints {
		if p.status == nil || versions[p.status.Version] {
			continue
		}
		versions[p.status.Version] = true
		if overtakes(p.status.Version) {
			all = append(all, one(Warn, "etcd version", "upgrade to 3.4.25, 3.5.8 or later",
				"%s may tell a watcher of its progress before it tells of the events (etcd issue 15220): a new active coordinator may miss the last write for a moment", p.status.Version)...)
		}
	}
	if len(versions) > 1 {
		all = append(all, one(Warn, "etcd version", "finish the upgrade", "the members run %d different versions", len(versions))...)
	}
	return all
}

// overtakes tells whether watch progress may come before events in a version of etcd.
func overtakes(version string) bool {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return false
	}
	return major == 3 && (minor < 4 || minor == 4 && patch < 25 || minor == 5 && patch < 8)
}

func median(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

func last(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)-1]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func mb(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
}

func orUnknown(bytes int64) string {
	if bytes <= 0 {
		return "unknown"
	}
	return mb(bytes)
}
