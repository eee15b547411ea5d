package quota

import (
	"slices"
	"time"
)

// longestPause is the longest that a failing proxy is left alone. What it missed is sent anew then, and holds.
const longestPause = 30 * time.Second

// schedule says which proxies are to be told, and when.
type schedule struct {
	interval time.Duration
	proxies  map[int64]*appointment
}

type appointment struct {
	next     time.Time
	failures int
}

func newSchedule(interval time.Duration) *schedule {
	return &schedule{interval: interval, proxies: map[int64]*appointment{}}
}

// due are those of ids that are to be told now: all of them if there is news.
func (s *schedule) due(now time.Time, ids []int64, news bool) []int64 {
	for id := range s.proxies {
		if !slices.Contains(ids, id) {
			delete(s.proxies, id)
		}
	}
	var due []int64
	for _, id := range ids {
		a := s.proxies[id]
		if a == nil {
			a = &appointment{}
			s.proxies[id] = a
		}
		if news || !now.Before(a.next) {
			due = append(due, id)
		}
	}
	return due
}

// told says that the ids have been told, but for those that failed. It tells which of them fail for the first time.
func (s *schedule) told(now time.Time, ids, failed []int64) (fresh bool) {
	for _, id := range ids {
		a := s.proxies[id]
		if !slices.Contains(failed, id) {
			a.failures, a.next = 0, now.Add(s.interval)
			continue
		}
		fresh = fresh || a.failures == 0
		a.failures++
		a.next = now.Add(max(s.interval, min(s.interval<<min(a.failures, 10), longestPause)))
	}
	return fresh
}
