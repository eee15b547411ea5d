// Package opshttp is what operators and probes ask over HTTP: health, readiness, metrics, the log level, profiles.
//
//	/healthz                 Milvus' answer: 200 "OK" while every role is Healthy or StandBy and registered, else 500
//	/livez                   200 while the process runs
//	/readyz                  200 when every role has registered and loaded its tables and is Healthy or StandBy; JSON
//	/management/check/ready  ?role=r: 200 only when that role is Healthy, the probe for "the active one"
//	/metrics                 Milvus' series and ours
//	/metrics_default         the Go runtime's
//	/log/level               GET, PUT
//	/webui/                  the status page, if there is one (package webui)
//	/debug/pprof/            if enabled
//
// /livez is for a probe that kills: no state of etcd makes it fail. /readyz is for one that routes or that holds a rolling
// update: an active coordinator that is cut off from etcd, and so answers no call, is Abnormal there and in
// /management/check/ready. /healthz is kept as Milvus' charts and operators know it, and as they kill by it: there it is not.
//
// The package itself changes nothing but the log level, and asks for no password; the port is not for the public.
package opshttp
