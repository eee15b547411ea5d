package config

import (
	"fmt"
	"strings"
	"time"
)

// finish fills what follows from several keys, and checks what they must be to each other. A rule about a key that is
// wrong by itself is not checked: one mistake, one error.
func (l *loader) finish() {
	c := l.config
	for section, coord := range map[string]*Coord{"rootCoord": &c.RootCoord, "dataCoord": &c.DataCoord, "queryCoord": &c.QueryCoord} {
		coord.PortSet = l.byHand(section + ".port")
		coord.place()
	}
	c.HTTP.PortSet = l.byHand("common.metricsPort")
	c.MinIO.Address = l.withPort(c.MinIO.Address, "", "minio.port")
	c.Pulsar.URL = l.withPort(c.Pulsar.URL, "pulsar://", "pulsar.port")

	l.chooseMQ()

	l.checkEtcd()
	l.checkSession()
	l.checkLevels("memProtection.queryNodeMemory", c.Quota.QueryMemory)
	l.checkLevels("memProtection.dataNodeMemory", c.Quota.DataMemory)
	l.checkLevels("growingSegmentsSizeProtection.", c.Quota.Growing)
	if kafka := c.Kafka.SSL; kafka.Enabled && kafka.KeyPassword != "" {
		l.refuseSecret("kafka.ssl.tlsKeyPassword", "is set, but a key file with a password cannot be read: give a file without one")
	}
	if c.Kubernetes.LabelActive {
		l.needs("kubernetes.podName", "kubernetes.labelActive.enabled")
		l.needs("kubernetes.podNamespace", "kubernetes.labelActive.enabled")
	}
	if c.InternalTLS.Enabled {
		for _, key := range []string{"internaltls.serverPemPath", "internaltls.serverKeyPath", "internaltls.caPemPath"} {
			l.needs(key, "common.security.internaltlsEnabled")
		}
	}
}

// byHand tells that somebody chose the value of a port. The shipped milvus.yaml spells out the defaults, so finding a
// default in it is not a choice.
func (l *loader) byHand(key string) bool {
	given := l.resolved[key]
	return given.level > levelShipped || given.level == levelShipped && given.raw != l.defaultOf(key)
}

func (l *loader) defaultOf(key string) string {
	for _, s := range l.index.specs {
		if s.key == key {
			return s.def
		}
	}
	return ""
}

// withPort completes an address as Milvus does: one with a colon is complete.
func (l *loader) withPort(address, scheme, portKey string) string {
	if strings.Contains(address, ":") {
		return address
	}
	return scheme + address + ":" + l.resolved[portKey].raw
}

func (l *loader) checkEtcd() {
	l.placeEtcd()
	etcd := l.config.Etcd
	if etcd.MetaSubPath == etcd.KvSubPath && etcd.MetaSubPath != "" {
		l.relation("etcd.kvSubPath", "must differ from etcd.metaSubPath")
	}
	if etcd.Auth.Enabled {
		l.needs("etcd.auth.userName", "etcd.auth.enabled")
	}
	if !etcd.SSL.Enabled {
		l.warnOfPlainEtcd()
		return
	}
	if etcd.SSL.TLSCert != "" {
		l.needs("etcd.ssl.tlsKey", "etcd.ssl.tlsCert")
	}
	if etcd.SSL.TLSKey != "" {
		l.needs("etcd.ssl.tlsCert", "etcd.ssl.tlsKey")
	}
}

// placeEtcd lets clients find an embedded etcd without being told twice.
func (l *loader) placeEtcd() {
	etcd := &l.config.Etcd
	etcd.EndpointsSet = l.byHand("etcd.endpoints")
	switch {
	case !etcd.EndpointsSet && etcd.Embed.Use != "false":
		etcd.Endpoints = []string{etcd.Embed.Address}
	case etcd.EndpointsSet && etcd.Embed.Use == "true":
		l.relation("etcd.use.embed", "contradicts etcd.endpoints, which names an etcd elsewhere: unset one of them")
	}
}

// warnOfPlainEtcd notes that a scheme alone turns nothing on: Milvus cuts it off too.
func (l *loader) warnOfPlainEtcd() {
	given, found := l.lookup("etcd.endpoints")
	if found && strings.Contains(strings.ToLower(given.raw), "https://") {
		l.report.Warnings = append(l.report.Warnings, Warning{given.origin,
			"etcd.endpoints: https:// alone does not turn on TLS; set etcd.ssl.enabled"})
	}
}

// checkSession keeps the order on which the election's safety rests: an active coordinator has stopped answering before
// anyone may call it dead, and evidence comes before the lease runs out.
func (l *loader) checkSession() {
	s := l.config.Session
	order := []struct {
		name  string
		value time.Duration
		skip  bool
	}{
		{"the heartbeat", Heartbeat, false},
		{"common.session.serveWindow", s.ServeWindow, false},
		{"common.session.silenceTimeout", s.SilenceTimeout, !s.FastFailover}, // then nobody looks at it
		{"common.session.ttl", s.TTL, false},
	}
	last := order[0]
	for _, next := range order[1:] {
		if next.skip || l.bad[next.name] {
			continue
		}
		if next.value <= last.value {
			l.relation(l.blame(next.name, last.name), fmt.Sprintf("must be: the heartbeat (%s) < common.session.serveWindow (%s) < "+
				"common.session.silenceTimeout (%s) < common.session.ttl (%s), but %s is not less than %s",
				Heartbeat, s.ServeWindow, s.SilenceTimeout, s.TTL, last.name, next.name))
		}
		last = next
	}
}

// blame picks, of two keys that do not fit together, the one that somebody set.
func (l *loader) blame(key, other string) string {
	if l.resolved[key].raw == l.defaultOf(key) && l.resolved[other].raw != l.defaultOf(other) {
		return other
	}
	return key
}

// needs is for a key that must not be empty because another is set.
func (l *loader) needs(key, because string) {
	if l.resolved[key].raw == "" && !l.bad[key] {
		given := l.resolved[because]
		l.errs = append(l.errs, &Error{Origin: given.origin, Key: key, Problem: "is empty, but needed with " + because})
	}
}

// relation is an error about a key that is fine by itself.
// checkLevels refuses levels between which there is nothing.
func (l *loader) checkLevels(of string, levels WaterLevels) {
	low, high := "quotaAndLimits.limitWriting."+of+"LowWaterLevel", "quotaAndLimits.limitWriting."+of+"HighWaterLevel"
	if strings.HasSuffix(of, ".") {
		low, high = "quotaAndLimits.limitWriting."+of+"lowWaterLevel", "quotaAndLimits.limitWriting."+of+"highWaterLevel"
	}
	if levels.Low >= levels.High && !l.bad[low] {
		l.relation(high, "must be more than "+low)
	}
}

// refuseSecret is relation for a value that is not shown.
func (l *loader) refuseSecret(key, problem string) {
	l.errs = append(l.errs, &Error{Origin: l.resolved[key].origin, Key: key, Problem: problem})
}

func (l *loader) relation(key, problem string) {
	if l.bad[key] {
		return
	}
	l.bad[key] = true
	given := l.resolved[key]
	l.errs = append(l.errs, &Error{Origin: given.origin, Key: key, Value: given.raw, HasValue: true, Problem: problem})
}
