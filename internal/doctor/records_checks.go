package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

func roots(e *exam) []Finding {
	const what = "root path"
	r := e.records
	others := ""
	if len(r.others) > 0 {
		others = "; other clusters are under " + strings.Join(r.others, ", ")
	}
	switch {
	case e.recordErr != nil && !e.reached():
		return nil // said of etcd
	case e.recordErr != nil:
		return one(Fail, what, "see what is said about etcd", "the keys under %s cannot be read: %v", e.MetaRoot, e.recordErr)
	case r.keys == 0 && r.counter == nil && others != "":
		return one(Warn, what, "is etcd.rootPath right? A cluster that begins here is a new one", "nothing is under %s%s", e.MetaRoot, others)
	case r.keys == 0 && r.counter == nil:
		return one(OK, what, "", "nothing is under %s yet: the first RootCoord begins a new cluster", e.MetaRoot)
	}
	return one(OK, what, "", "%d keys of RootCoord under %s%s", r.keys, e.MetaRoot, others)
}

func restoring(e *exam) []Finding {
	if e.records.restoring == nil {
		return nil
	}
	return one(Fail, "metadata", "wait if it is under way; else 'milvus metadata restore --replace FILE' again",
		"not whole: a restore has not ended, and no role is claimed until one has (%s)", e.records.restoring.Value)
}

func oldLayouts(e *exam) []Finding {
	if e.records.old == 0 {
		return nil
	}
	return one(OK, "metadata", "", "%d records are of layouts from before databases; they are read, and moved when they are changed", e.records.old)
}

// ahead is from when timestamps that are ahead of the wall clock are worth a word; the bound itself is some seconds ahead.
const ahead = time.Minute

func allocators(e *exam) []Finding {
	var all []Finding
	for what, kv := range map[string]interface{ GetValue() []byte }{"timestamps": e.records.timestamps, "ids": e.records.ids} {
		if len(kv.GetValue()) == 0 {
			continue // none were given out yet
		}
		millis, err := tso.ParseBound(kv.GetValue())
		switch {
		case err != nil:
			all = append(all, one(Fail, what, "restore the metadata from a backup; no RootCoord starts on this", "their bound cannot be read: %v", err)...)
		case time.Until(time.UnixMilli(millis)) > ahead:
			all = append(all, one(Warn, what, "correct the clock of the host that was ahead; they go on from there, and follow the clock again when it has caught up",
				"they are %s ahead of this host's clock", time.Until(time.UnixMilli(millis)).Round(time.Second))...)
		default:
			all = append(all, one(OK, what, "", "bound at %s", time.UnixMilli(millis).Format(time.DateTime))...)
		}
	}
	slices.SortFunc(all, func(a, b Finding) int { return strings.Compare(b.What, a.What) })
	return all
}

// blocks tells whether a session keeps a role from being claimed.
func (e *exam) blocks(s session) bool {
	return slices.Contains(e.Roles, s.name)
}

func sessionLeases(e *exam) []Finding {
	const what = "session leases"
	if e.recordErr != nil {
		return nil
	}
	var all []Finding
	for _, s := range e.records.sessions {
		if s.lease != 0 {
			continue
		}
		status, means := Warn, "it is taken for a process that runs"
		if e.blocks(s) {
			status, means = Fail, "nobody can claim the role"
		}
		key := sessionutil.SessionRoot(e.MetaRoot) + s.name
		all = append(all, one(status, what, "if that process does not run: etcdctl del "+key, "%s is on no lease and never goes away: %s", key, means)...)
	}
	if len(all) == 0 {
		return one(OK, what, "", "%d sessions, all on a lease", len(e.records.sessions))
	}
	return all
}

func sessionRecords(e *exam) []Finding {
	const what = "session records"
	if e.recordErr != nil {
		return nil
	}
	var all []Finding
	lines := map[string]bool{}
	for _, s := range e.records.sessions {
		if s.err != nil {
			status := Warn
			if e.blocks(s) {
				status = Fail
			}
			all = append(all, one(status, what, "find out who wrote it; it goes with its lease, or by etcdctl del", "%s%s: %v", sessionutil.SessionRoot(e.MetaRoot), s.name, s.err)...)
			continue
		}
		if major, rest, ok := strings.Cut(s.record.Version, "."); ok {
			minor, _, _ := strings.Cut(rest, ".")
			lines[major+"."+minor] = true
		}
	}
	if len(lines) > 1 {
		all = append(all, one(Warn, what, "finish the upgrade", "processes of different Milvus lines: %s", strings.Join(slices.Sorted(maps.Keys(lines)), ", "))...)
	}
	if len(all) == 0 && len(e.records.sessions) > 0 {
		return one(OK, what, "", "all can be read, and are of one line of Milvus")
	}
	return all
}

func sessionCounter(e *exam) []Finding {
	const what = "ServerIDs"
	if e.records.counter == nil {
		return nil
	}
	next, err := strconv.ParseInt(string(e.records.counter.Value), 10, 64)
	if err != nil || next < 1 {
		return one(Fail, what, "put a number there that is larger than every ServerID in use", "%s holds %q: no process starts on that", e.records.counter.Key, e.records.counter.Value)
	}
	for _, s := range e.records.sessions {
		if s.err == nil && s.record.ServerID >= next {
			return one(Fail, what, fmt.Sprintf("put a number above %d at %s", s.record.ServerID, e.records.counter.Key),
				"the next one is %d, but %s has %d: an id would be given twice", next, s.name, s.record.ServerID)
		}
	}
	return one(OK, what, "", "the next one is %d", next)
}

func sessionAddresses(e *exam) []Finding {
	const what = "addresses"
	var all []Finding
	for _, s := range e.records.sessions {
		err := e.reach[s.record.Address]
		if _, member := s.idOf(); err == nil || member == 0 && e.hasMember(s) {
			continue // well, or said of its member key
		}
		all = append(all, one(Warn, what, "if other hosts cannot reach it either: open the port, or correct what it registers (*.ip, *.address)",
			"%s registered %s, which cannot be reached from here: %v", s.name, s.record.Address, err)...)
	}
	if len(all) == 0 && len(e.reach) > 0 {
		return one(OK, what, "", "all %d can be reached from here", len(e.reach))
	}
	return all
}

func (e *exam) hasMember(active session) bool {
	return slices.ContainsFunc(e.records.sessions, func(s session) bool {
		role, id := s.idOf()
		return role == active.name && id != 0 && id == active.record.ServerID
	})
}

func (e *exam) named(name string) (session, bool) {
	for _, s := range e.records.sessions {
		if s.name == name {
			return s, true
		}
	}
	return session{}, false
}

// companions are sessions under other names that Milvus' processes look for.
func companions(e *exam) []Finding {
	var all []Finding
	for _, role := range e.Roles {
		active, serves := e.named(role)
		for _, name := range e.Companions[role] {
			beside, there := e.named(name)
			do := "restart the active " + role + ": it registers both"
			switch {
			case serves && !there:
				all = append(all, one(Warn, "companions", do, "%s is active, but not registered as %s, which Milvus' proxies ask for", role, name)...)
			case serves && beside.record.ServerID != active.record.ServerID:
				all = append(all, one(Warn, "companions", do, "%s is held by %d, and %s by %d", role, active.record.ServerID, name, beside.record.ServerID)...)
			case !serves && there:
				all = append(all, one(Warn, "companions", "it goes with its lease", "%s is registered, and no %s", name, role)...)
			}
		}
	}
	return all
}

func roleStates(e *exam) []Finding {
	if e.viewErr != nil {
		if !e.reached() {
			return one(Warn, "roles", "see what is said about etcd", "not looked at: %v", e.viewErr)
		}
		return one(Fail, "roles", "see what is said about etcd", "not looked at: %v", e.viewErr)
	}
	var all []Finding
	for _, r := range e.view.Roles {
		all = append(all, roleState(r)...)
	}
	return all
}

func roleState(r haview.Role) []Finding {
	if len(r.Problems) == 0 {
		return one(OK, r.Name, "", "%d active, with %d that stand by, caught up", r.Members[0].ServerID, len(r.Members)-1)
	}
	status, do := Warn, "see 'milvus status "+r.Name+"'"
	switch {
	case len(r.Members) == 0:
		do = "milvus run " + r.Name
	case r.Members[0].Kind != haview.Active || len(r.Members[0].Problems()) > 0:
		status, do = Fail, "see 'milvus status "+r.Name+"' and the logs of its processes"
	}
	return one(status, r.Name, do, "%s", strings.Join(r.Problems, "; "))
}

func pauses(e *exam) []Finding {
	var all []Finding
	for _, r := range e.view.Roles {
		if r.Paused == nil {
			continue
		}
		all = append(all, one(Warn, "pauses", "milvus resume "+r.Name, "%s: %s, since %s", r.Name, r.Paused, r.Paused.At.Local().Format(time.DateTime))...)
	}
	if len(all) == 0 && e.viewErr == nil {
		return one(OK, "pauses", "", "none")
	}
	return all
}
