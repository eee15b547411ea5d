package metrics

import (
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus"
)

// ha are the series about who is active, and how well this process keeps its place. They are told in standby too.
type ha struct {
	state, term, pair    *prometheus.GaugeVec
	takeovers            *prometheus.CounterVec
	takeover             *prometheus.HistogramVec
	registrations        *prometheus.CounterVec
	losses               *prometheus.CounterVec
	renewal, slack       *prometheus.HistogramVec
	missed               *prometheus.CounterVec
	renewalAge           *ages
	lastSlack            *prometheus.GaugeVec
	fenced               *prometheus.CounterVec
	paused               *prometheus.GaugeVec
	activeSilence        *ages
	activeConnected      *prometheus.GaugeVec
	tableLag, quarantine *prometheus.GaugeVec
	tableAge             *ages
}

func newHA(r prometheus.Registerer) ha {
	h := ha{
		state: gauges("milvus_coord_role_state", "1 for the state that a role is in, 0 for the others.", "role", "state"),
		term:  gauges("milvus_coord_term", "Number of the term that is served; 0 in standby.", "role"),
		pair:  gauges("milvus_coord_active_standby_enabled", "1 if active-standby is on for the role.", "role"),
		takeovers: counters("milvus_coord_takeovers_total", "Terms that this process began to serve, by why the role had been free.",
			"role", "cause"),
		takeover: histograms("milvus_coord_takeover_seconds", "How long the steps of taking a role over took, by its cause.",
			takeoverBuckets, "role", "cause", "step"),
		registrations: counters("milvus_coord_session_registrations_total", "How often the process put its session into etcd.", "role"),
		losses: counters("milvus_coord_session_losses_total", "Leases, active keys and terms that were lost without having been given up.",
			"role", "cause"),
		renewal: histograms("milvus_coord_lease_renewal_seconds", "How long a successful heartbeat took.", latencyBuckets, "role"),
		missed:  counters("milvus_coord_lease_renewal_failures_total", "Heartbeats that failed.", "role"),
		renewalAge: newAges("milvus_coord_lease_renewal_age_seconds",
			"Time since the beginning of the last heartbeat that succeeded."),
		slack: histograms("milvus_coord_serve_deadline_slack_seconds",
			"How far away the serving deadline still was when a heartbeat of the active one moved it on; 0 if it had passed.",
			slackBuckets, "role"),
		lastSlack: gauges("milvus_coord_serve_deadline_last_slack_seconds",
			"The same at the last heartbeat, below zero if the deadline had passed; absent in standby.", "role"),
		fenced: counters("milvus_coord_fenced_writes_total", "Writes of a term that was over, refused by etcd.", "role"),
		paused: gauges("milvus_coord_takeovers_paused", "1 while automatic takeovers of the role are paused, as the last heartbeat saw it.",
			"role"),
		activeSilence: newAges("milvus_coord_active_silence_seconds",
			"How long ago the active process renewed its lease, as this standby learns it from etcd; absent in the active one."),
		activeConnected: gauges("milvus_coord_active_connected",
			"1 while this standby holds a health stream to the active process; absent in the active one.", "role"),
		tableLag: gauges("milvus_coord_table_lag_revisions",
			"Revisions of etcd that the tables had not reached a moment after they were asked to.", "role"),
		tableAge: newAges("milvus_coord_table_progress_age_seconds",
			"Time since the tables were last known to be level with etcd; they are measured every few seconds."),
		quarantine: gauges("milvus_coord_quarantined_values", "Values in etcd that do not decode; their objects are not served.", "role"),
	}
	r.MustRegister(h.state, h.term, h.pair, h.takeovers, h.takeover, h.registrations, h.losses, h.renewal, h.missed, h.renewalAge, h.slack,
		h.lastSlack, h.fenced, h.paused, h.activeSilence, h.activeConnected, h.tableLag, h.tableAge, h.quarantine)
	return h
}

// RoleKnown says that the process has a role, and whether active-standby is on for it. The role's counters begin at zero then,
// so that the first event is an increase; takeovers and losses are the causes that they may have.
func (m *Metrics) RoleKnown(role string, standby bool, takeovers, losses []string) {
	m.ha.pair.WithLabelValues(role).Set(flag(standby))
	for _, cause := range takeovers {
		m.ha.takeovers.WithLabelValues(role, cause)
	}
	for _, cause := range losses {
		m.ha.losses.WithLabelValues(role, cause)
	}
	for _, c := range []*prometheus.CounterVec{m.ha.registrations, m.ha.missed, m.ha.fenced} {
		c.WithLabelValues(role)
	}
}

// states are the ones that milvus_coord_role_state always shows.
var states = []commonpb.StateCode{
	commonpb.StateCode_Initializing, commonpb.StateCode_Healthy, commonpb.StateCode_Abnormal,
	commonpb.StateCode_StandBy, commonpb.StateCode_Stopping,
}

// StateChanged says in which state the role is now and which term it serves, 0 for none.
func (m *Metrics) StateChanged(role string, state commonpb.StateCode, term int64) {
	for _, s := range states {
		m.ha.state.WithLabelValues(role, s.String()).Set(flag(s == state))
	}
	m.ha.term.WithLabelValues(role).Set(float64(term))
	if term == 0 {
		m.ha.lastSlack.DeleteLabelValues(role)
	}
}

// TookOver counts a takeover.
func (m *Metrics) TookOver(role, cause string) { m.ha.takeovers.WithLabelValues(role, cause).Inc() }

// TakeoverStep says how long one step of a takeover took.
func (m *Metrics) TakeoverStep(role, cause, step string, took time.Duration) {
	m.ha.takeover.WithLabelValues(role, cause, step).Observe(took.Seconds())
}

// Registered says that the process' session is in etcd. No heartbeat of the session before it is under way any more, which
// might have told of slack after the end of its term.
func (m *Metrics) Registered(role string) {
	m.ha.registrations.WithLabelValues(role).Inc()
	m.ha.lastSlack.DeleteLabelValues(role)
}

// Lost says that a lease, an active key or a term was lost.
func (m *Metrics) Lost(role, cause string) { m.ha.losses.WithLabelValues(role, cause).Inc() }

// Renewed says that a heartbeat has just succeeded, how long it took, and whether takeovers were paused.
func (m *Metrics) Renewed(role string, took time.Duration, paused bool) {
	m.ha.renewal.WithLabelValues(role).Observe(took.Seconds())
	m.ha.renewalAge.set(role, time.Now().Add(-took))
	m.ha.paused.WithLabelValues(role).Set(flag(paused))
}

// Slack says how far away the serving deadline was when a heartbeat moved it on; below zero if it had passed.
func (m *Metrics) Slack(role string, left time.Duration) {
	m.ha.slack.WithLabelValues(role).Observe(max(left, 0).Seconds())
	m.ha.lastSlack.WithLabelValues(role).Set(left.Seconds())
}

// Missed says that a heartbeat failed.
func (m *Metrics) Missed(role string) { m.ha.missed.WithLabelValues(role).Inc() }

// FencedOff says that etcd refused a write of a deposed term.
func (m *Metrics) FencedOff(role string) { m.ha.fenced.WithLabelValues(role).Inc() }

// ActiveSeen says how long ago the active process renewed its lease, and whether it is connected to.
func (m *Metrics) ActiveSeen(role string, silence time.Duration, connected bool) {
	m.ha.activeSilence.set(role, time.Now().Add(-silence))
	m.ha.activeConnected.WithLabelValues(role).Set(flag(connected))
}

// ActiveForgotten says that nobody is being watched any more.
func (m *Metrics) ActiveForgotten(role string) {
	m.ha.activeSilence.forget(role)
	m.ha.activeConnected.DeleteLabelValues(role)
}

// TablesMeasured says since when a role's tables are known to be level with etcd, by how many revisions they are behind,
// below zero if etcd was not there to tell, and how many values do not decode.
func (m *Metrics) TablesMeasured(role string, levelAt time.Time, behind int64, quarantined int) {
	m.ha.tableAge.set(role, levelAt)
	if behind >= 0 {
		m.ha.tableLag.WithLabelValues(role).Set(float64(behind))
	}
	m.ha.quarantine.WithLabelValues(role).Set(float64(quarantined))
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
