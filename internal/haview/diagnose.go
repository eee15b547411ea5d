package haview

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// quiet is how many seconds a lease may go unrenewed before that is worth a word: heartbeats come every second, and
// etcd's count is in whole ones.
const quiet = 4

// diagnosed is the role with its problems in words.
func (r Role) diagnosed() Role {
	r.Problems = append(append([]string{}, r.found...), diagnose(r)...)
	return r
}

// diagnose says what is wrong with a role. A process that has not been asked is taken for well.
func diagnose(r Role) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	actives, standbys, fit := 0, 0, 0
	versions := map[string]bool{}
	for _, m := range r.Members {
		if m.Kind == Active {
			actives++
		} else {
			standbys++
			if !m.ours || !m.answer.asked || m.answer.reached && m.answer.loaded && m.Lag == 0 {
				fit++
			}
		}
		versions[m.Protocol+" "+m.Version] = true
		for _, problem := range m.Problems() {
			say("%s %d: %s", m.Kind, m.ServerID, problem)
		}
	}
	switch {
	case len(r.Members) == 0:
		say("nobody is registered")
	case actives == 0:
		say("nobody is active, of %d that stand by", standbys)
	case standbys == 0 && !r.Members[0].pair:
		say("no standby, and active-standby is off")
	case standbys == 0:
		say("no standby: if the active one fails, nobody takes over")
	case fit == 0:
		say("no standby is fit to take over at once")
	}
	if r.Paused != nil {
		say("%s", r.Paused)
	}
	if len(versions) > 1 {
		all := make([]string, 0, len(versions))
		for v := range versions {
			all = append(all, strings.TrimSpace(v))
		}
		slices.Sort(all)
		say("several versions: %s", strings.Join(all, ", "))
	}
	return wrong
}

// String says it in words.
func (p *Pause) String() string {
	until := "until somebody resumes them"
	if !p.Until.IsZero() {
		until = "until " + p.Until.Local().Format(time.DateTime)
	}
	return fmt.Sprintf("automatic takeovers are paused %s, by %s", until, p.By)
}

// Problems are those of one process, in words.
func (m Member) Problems() []string {
	var wrong []string
	if m.Lease >= 0 && m.Granted-m.Lease > quiet {
		wrong = append(wrong, fmt.Sprintf("has not renewed its lease for %.0f s, it expires in %.0f s", m.Granted-m.Lease, m.Lease))
	}
	want := map[string]string{Active: "Healthy", Standby: "StandBy"}[m.Kind]
	switch {
	case m.answer.failure != nil:
		wrong = append(wrong, "does not answer: "+m.answer.failure.Error())
	case !m.answer.reached:
	case !m.answer.loaded:
		wrong = append(wrong, "is still loading the metadata")
	case m.State != want:
		wrong = append(wrong, "says that it is "+m.State)
	case m.Lag > 0:
		wrong = append(wrong, fmt.Sprintf("is %d revisions behind etcd", m.Lag))
	}
	return wrong
}

// Fine tells whether nothing is wrong.
func (v View) Fine() bool {
	return len(v.Etcd) == 0 && !slices.ContainsFunc(v.Roles, func(r Role) bool { return len(r.Problems) > 0 })
}
