package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// ages are gauges, by role, of the time that has passed since something happened. They are computed when they are
// collected: an age that was stored, or a time that another clock is compared with, would be wrong by the time between
// two scrapes or by the difference of the clocks.
type ages struct {
	desc *prometheus.Desc

	mu    sync.Mutex
	since map[string]time.Time // by role; with the monotonic clock
}

func newAges(name, help string) *ages {
	return &ages{desc: prometheus.NewDesc(name, help, []string{"role"}, nil), since: map[string]time.Time{}}
}

func (a *ages) set(role string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since[role] = since
}

func (a *ages) forget(role string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.since, role)
}

// Describe implements prometheus.Collector.
func (a *ages) Describe(to chan<- *prometheus.Desc) { to <- a.desc }

// Collect implements prometheus.Collector.
func (a *ages) Collect(to chan<- prometheus.Metric) {
	a.mu.Lock()
	since := maps.Clone(a.since)
	a.mu.Unlock()
	for role, t := range since {
		to <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, max(time.Since(t), 0).Seconds(), role)
	}
}

// termly are collectors that are shown while their role is active: a gauge that nobody fills would say zero, or what was
// true in a term that is over.
type termly struct {
	shown      atomic.Bool
	collectors []prometheus.Collector
}

// Show begins or ends the showing.
func (t *termly) Show(on bool) { t.shown.Store(on) }

// Describe implements prometheus.Collector.
func (t *termly) Describe(to chan<- *prometheus.Desc) {
	for _, c := range t.collectors {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (t *termly) Collect(to chan<- prometheus.Metric) {
	if !t.shown.Load() {
		return
	}
	for _, c := range t.collectors {
		c.Collect(to)
	}
}
