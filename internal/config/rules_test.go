package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestActiveStandbySwitch(t *testing.T) {
	for name, test := range map[string]struct {
		yaml    string
		environ []string
		want    bool
	}{
		"off":                       {"", nil, false},
		"documented":                {"rootCoord: {activeStandby: {enabled: true}}", nil, true},
		"Milvus":                    {"rootCoord: {enableActiveStandby: true}", nil, true},
		"Milvus' variable":          {"", []string{"ROOT_COORD_ENABLE_ACTIVE_STANDBY=true"}, true},
		"documented, as a variable": {"", []string{"ROOT_COORD_ACTIVE_STANDBY_ENABLED=T"}, true},
		"both agree":                {"rootCoord: {enableActiveStandby: true, activeStandby: {enabled: 1}}", nil, true},
		"variable over both": {"rootCoord: {enableActiveStandby: false, activeStandby: {enabled: true}}",
			[]string{"ROOT_COORD_ENABLE_ACTIVE_STANDBY=0"}, false},
		"variable over file": {"rootCoord: {activeStandby: {enabled: false}}", []string{"ROOT_COORD_ENABLE_ACTIVE_STANDBY=True"}, true},
		"quoted":             {`rootCoord: {enableActiveStandby: "true"}`, nil, true},
		"another role's":     {"", []string{"QUERY_COORD_ENABLE_ACTIVE_STANDBY=true"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := load(t, test.yaml, test.environ...)
			require.Equal(t, test.want, config.RootCoord.ActiveStandby)
		})
	}

	config, _ := load(t, "dataCoord: {enableActiveStandby: true}", "QUERY_COORD_ACTIVE_STANDBY_ENABLED=1")
	require.True(t, config.DataCoord.ActiveStandby)
	require.True(t, config.QueryCoord.ActiveStandby)
	require.False(t, config.RootCoord.ActiveStandby)

	// Helm writes Milvus' spelling into default.yaml, beside the shipped file.
	config, report, err := Load(Source{Dir: files(t, map[string]string{
		"milvus.yaml":  "rootCoord: {activeStandby: {enabled: false}}",
		"default.yaml": "rootCoord:\n  enableActiveStandby: true\n",
	})})
	require.NoError(t, err)
	require.True(t, config.RootCoord.ActiveStandby)
	require.Equal(t, "default.yaml:2 (as rootCoord.enableActiveStandby)", origin(t, report, "rootCoord.activeStandby.enabled"))
}

func TestActiveStandbyContradiction(t *testing.T) {
	got := refused(t, "rootCoord:\n  enableActiveStandby: false\n  activeStandby:\n    enabled: true\n")
	require.Len(t, got, 1)
	require.True(t, strings.HasPrefix(got[0], "milvus.yaml:2: rootCoord.activeStandby.enabled (as rootCoord.enableActiveStandby): "+
		`"false" differs from "true" in `), got[0])
	require.Contains(t, got[0], "milvus.yaml:4: rootCoord.activeStandby.enabled and rootCoord.enableActiveStandby are the same key")

	got = refused(t, "", "ROOT_COORD_ENABLE_ACTIVE_STANDBY=true", "ROOT_COORD_ACTIVE_STANDBY_ENABLED=false")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "ROOT_COORD_ENABLE_ACTIVE_STANDBY")
	require.Contains(t, got[0], "ROOT_COORD_ACTIVE_STANDBY_ENABLED")

	for _, value := range []string{"yes", "on", "enabled", "tRUE", "2"} {
		require.Len(t, refused(t, "", "ROOT_COORD_ENABLE_ACTIVE_STANDBY="+value), 1, value)
	}
	for _, value := range []string{"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"} {
		config, _ := load(t, "", "ROOT_COORD_ENABLE_ACTIVE_STANDBY="+value)
		require.Equal(t, strings.ContainsAny(value[:1], "1tT"), config.RootCoord.ActiveStandby)
	}
}

func TestAddresses(t *testing.T) {
	type place struct {
		listen    int
		host      string
		advertise int
		local     bool
	}
	for name, test := range map[string]struct {
		yaml    string
		environ []string
		want    place
	}{
		"default":                {"", nil, place{53100, "localhost", 53100, true}},
		"of the page":            {"rootCoord:\n  address: localhost\n  port: 53001\n", nil, place{53001, "localhost", 53001, true}},
		"compose":                {"", []string{"ROOT_COORD_ADDRESS=rootcoord-1:53100"}, place{53100, "rootcoord-1", 53100, false}},
		"compose, shipped file":  {"rootCoord: {address: localhost, port: 53100}", []string{"ROOT_COORD_ADDRESS=rootcoord:53001"}, place{53001, "rootcoord", 53001, false}},
		"host alone":             {"", []string{"ROOT_COORD_ADDRESS=rootcoord"}, place{53100, "rootcoord", 53100, false}},
		"host and port variable": {"", []string{"ROOT_COORD_ADDRESS=a_b", "ROOT_COORD_PORT=1"}, place{1, "a_b", 1, false}},
		"mapped port":            {"", []string{"ROOT_COORD_ADDRESS=nat:31000", "ROOT_COORD_PORT=53100"}, place{53100, "nat", 31000, false}},
		"mapped port, in a file": {"rootCoord: {address: 'nat:31000', port: 53001}", nil, place{53001, "nat", 31000, false}},
		"any port":               {"rootCoord: {port: 0}", nil, place{0, "localhost", 0, true}},
		"ip":                     {"rootCoord: {ip: 10.1.2.3, address: 'x:1'}", nil, place{1, "10.1.2.3", 1, false}},
		"ip, a name":             {"", []string{"ROOT_COORD_IP=host.example"}, place{53100, "host.example", 53100, false}},
		"ip, v6":                 {"rootCoord: {ip: '[fd00::1]'}", nil, place{53100, "fd00::1", 53100, false}},
		"ip, empty":              {"rootCoord: {ip: }", nil, place{53100, "localhost", 53100, true}},
		"v6 and port":            {"rootCoord: {address: '[fd00::1]:7'}", nil, place{7, "fd00::1", 7, false}},
		"v6":                     {"rootCoord: {address: 'fd00::1'}", nil, place{53100, "fd00::1", 53100, false}},
		"v6 in brackets":         {"rootCoord: {address: '[fd00::1]'}", nil, place{53100, "fd00::1", 53100, false}},
		"LocalHost":              {"rootCoord: {address: LocalHost}", nil, place{53100, "localhost", 53100, true}},
		"loopback is no secret":  {"rootCoord: {address: 127.0.0.1}", nil, place{53100, "127.0.0.1", 53100, false}},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := load(t, test.yaml, test.environ...)
			c := config.RootCoord
			require.Equal(t, test.want, place{c.ListenPort, c.AdvertiseHost, c.AdvertisePort, c.AdvertiseLocal()})
		})
	}
	for _, address := range []string{
		"host:", "host:0", "host:66000", "host:x", ":53100", "0.0.0.0", "[::]:53100", "224.0.0.1", "a b", "http://x:1", "x:1/", "a:b:c", "[::1", "-x", "x..y", "host:+1", "",
	} {
		require.Len(t, refused(t, "rootCoord: {address: '"+address+"'}"), 1, address)
	}
	for _, ip := range []string{"0.0.0.0", "ff02::1", "10.0.0.1:5", "a/b"} {
		require.Len(t, refused(t, "rootCoord: {ip: '"+ip+"'}"), 1, ip)
	}
}

func TestPortByHand(t *testing.T) {
	for name, test := range map[string]struct {
		files   map[string]string
		environ []string
		want    bool
	}{
		"default":                 {nil, nil, false},
		"default in shipped file": {map[string]string{"milvus.yaml": "rootCoord: {port: 53100}\ncommon: {metricsPort: 9091}"}, nil, false},
		"changed in shipped file": {map[string]string{"milvus.yaml": "rootCoord: {port: 53001}\ncommon: {metricsPort: 9092}"}, nil, true},
		"default in user's file":  {map[string]string{"user.yaml": "rootCoord: {port: 53100}\ncommon: {MetricsPort: 9091}"}, nil, true},
		"variable":                {nil, []string{"ROOT_COORD_PORT=53100", "METRICS_PORT=9091"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			config, _, err := Load(Source{Dir: files(t, test.files), Environ: test.environ})
			require.NoError(t, err)
			require.Equal(t, test.want, config.RootCoord.PortSet)
			require.Equal(t, test.want, config.HTTP.PortSet)
			require.False(t, config.DataCoord.PortSet)
		})
	}
}

func TestOtherAddresses(t *testing.T) {
	config, report := load(t, "", "MINIO_ADDRESS=minio:9000", "PULSAR_ADDRESS=pulsar://pulsar:6650")
	require.Equal(t, "minio:9000", config.MinIO.Address)
	require.Equal(t, "pulsar://pulsar:6650", config.Pulsar.URL)
	require.Equal(t, "env PULSAR_ADDRESS", origin(t, report, "pulsar.address"))
	config, _ = load(t, "minio: {port: 1}", "MINIO_ADDRESS=minio", "PULSAR_ADDRESS=pulsar", "PULSAR_PORT=2")
	require.Equal(t, "minio:1", config.MinIO.Address)
	require.Equal(t, "pulsar://pulsar:2", config.Pulsar.URL)
	require.Len(t, refused(t, "minio: {port: 0}"), 1)
}

func TestEtcdEndpoints(t *testing.T) {
	for raw, want := range map[string][]string{
		"etcd:2379":                          {"etcd:2379"},
		" a:1 , b:2,":                        {"a:1", "b:2"},
		"http://a:1,https://b:2/,HTTP://c:3": {"a:1", "b:2", "c:3"},
		"[::1]:2379":                         {"[::1]:2379"},
	} {
		config, _ := load(t, "", "ETCD_ENDPOINTS="+raw)
		require.Equal(t, want, config.Etcd.Endpoints)
	}
	config, _ := load(t, "etcd:\n  endpoints:\n  - a:1\n  - b:2\n")
	require.Equal(t, []string{"a:1", "b:2"}, config.Etcd.Endpoints)
	for _, raw := range []string{",", " ", "a", "a:b", "a:0", "a:70000", ":1", "a b:1", "ftp://a:1", "0.0.0.0:1", "a:1;b:2"} {
		require.Len(t, refused(t, "etcd: {endpoints: '"+raw+"'}"), 1, raw)
	}
	_, report := load(t, "etcd: {endpoints: 'https://a:1'}")
	require.Equal(t, []string{"milvus.yaml:1: etcd.endpoints: https:// alone does not turn on TLS; set etcd.ssl.enabled"}, warnings(report))
	_, report = load(t, "etcd: {endpoints: 'https://a:1', ssl: {enabled: true}}")
	require.Empty(t, report.Warnings)
}

func TestEmbeddedEtcd(t *testing.T) {
	for name, test := range map[string]struct {
		yaml    string
		environ []string
		use     string
		set     bool
		at      string
	}{
		"nothing said":          {"", nil, "default", false, "localhost:2379"},
		"on":                    {"etcd: {use: {embed: true}}", nil, "true", false, "localhost:2379"},
		"as a variable":         {"", []string{"ETCD_USE_EMBED=1"}, "true", false, "localhost:2379"},
		"clients find it":       {"etcd: {embed: {address: 127.0.0.1:3379}}", nil, "default", false, "127.0.0.1:3379"},
		"unless it is off":      {"etcd: {use: {embed: false}, embed: {address: 127.0.0.1:3379}}", nil, "false", false, "localhost:2379"},
		"or another was chosen": {"", []string{"ETCD_ENDPOINTS=etcd:2379"}, "default", true, "etcd:2379"},
		"Milvus' file":          {"etcd: {endpoints: localhost:2379, use: {embed: true}}", nil, "true", false, "localhost:2379"},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := load(t, test.yaml, test.environ...)
			require.Equal(t, test.use, config.Etcd.Embed.Use)
			require.Equal(t, test.set, config.Etcd.EndpointsSet)
			require.Equal(t, []string{test.at}, config.Etcd.Endpoints)
		})
	}
	require.Contains(t, refused(t, "etcd: {use: {embed: true}}", "ETCD_ENDPOINTS=etcd:2379")[0],
		`contradicts etcd.endpoints, which names an etcd elsewhere`)
	require.Contains(t, refused(t, "etcd: {use: {embed: maybe}}")[0], "default, true or false")
	require.Contains(t, refused(t, "etcd: {embed: {address: 0.0.0.0:2379}}")[0], "means every interface")
	require.Contains(t, refused(t, "etcd: {embed: {address: localhost}}")[0], "is not a host and a port")
}

func TestSessionTimes(t *testing.T) {
	config, _ := load(t, "common: {session: {ttl: 3, serveWindow: 1.5, silenceTimeout: 2.25}}")
	require.Equal(t, []time.Duration{3 * time.Second, 1500 * time.Millisecond, 2250 * time.Millisecond},
		[]time.Duration{config.Session.TTL, config.Session.ServeWindow, config.Session.SilenceTimeout})
	// Without fast failover nobody looks at the silence timeout.
	_, _ = load(t, "common: {session: {ttl: 5, fastFailover: {enabled: false}}}")

	for yaml, want := range map[string]string{
		"{serveWindow: 1}":                         "the heartbeat is not less than common.session.serveWindow",
		"{serveWindow: 5}":                         "common.session.serveWindow is not less than common.session.silenceTimeout",
		"{silenceTimeout: 3}":                      "common.session.serveWindow is not less than common.session.silenceTimeout",
		"{ttl: 5}":                                 "common.session.silenceTimeout is not less than common.session.ttl",
		"{silenceTimeout: 60}":                     "common.session.silenceTimeout is not less than common.session.ttl",
		"{ttl: 4, fastFailover: {enabled: false}}": "common.session.serveWindow is not less than common.session.ttl",
	} {
		got := refused(t, "common:\n  session: "+yaml)
		require.Len(t, got, 1, got)
		require.Contains(t, got[0], want)
		require.True(t, strings.HasPrefix(got[0], "milvus.yaml:2: common.session."), got[0])
	}
	require.Equal(t, []string{`env COMMON_SESSION_SERVE_WINDOW: common.session.serveWindow: "6" must be: the heartbeat (1s) < ` +
		`common.session.serveWindow (6s) < common.session.silenceTimeout (5s) < common.session.ttl (1m0s), but common.session.serveWindow is ` +
		`not less than common.session.silenceTimeout`}, refused(t, "", "COMMON_SESSION_SERVE_WINDOW=6"))
	for _, ttl := range []string{"1", "2.5", "-3", "100000", "1e3", "0x10", "NaN", "inf", "60s", "''"} {
		require.Len(t, refused(t, "common: {session: {ttl: "+ttl+"}}"), 1, ttl)
	}
}

func TestKeysThatNeedOthers(t *testing.T) {
	require.Equal(t, []string{"milvus.yaml:1: etcd.auth.userName: is empty, but needed with etcd.auth.enabled"},
		refused(t, "etcd: {auth: {enabled: true}}"))
	require.Equal(t, []string{"milvus.yaml:1: etcd.ssl.tlsKey: is empty, but needed with etcd.ssl.tlsCert"},
		refused(t, "etcd: {ssl: {enabled: true, tlsCert: c}}"))
	require.Equal(t, []string{"milvus.yaml:1: kubernetes.podNamespace: is empty, but needed with kubernetes.labelActive.enabled"},
		refused(t, "kubernetes: {labelActive: {enabled: true}}", "POD_NAME=milvus-rootcoord-0"))
	require.Equal(t, []string{"milvus.yaml:1: etcd.ssl.tlsCert: is empty, but needed with etcd.ssl.tlsKey"},
		refused(t, "etcd: {ssl: {enabled: true, tlsKey: c}}"))
	require.Len(t, refused(t, "common: {security: {internaltlsEnabled: true}}"), 3)
	require.Equal(t, []string{`milvus.yaml:1: etcd.kvSubPath: "meta" must differ from etcd.metaSubPath`}, refused(t, "etcd: {kvSubPath: meta}"))
	config, _ := load(t, "internaltls: {serverPemPath: a, serverKeyPath: b, caPemPath: c, sni: d}", "COMMON_SECURITY_INTERNALTLS_ENABLED=1")
	require.Equal(t, TLS{true, "a", "b", "c", "d"}, config.InternalTLS)
}

func TestLimits(t *testing.T) {
	config, report := load(t, "rootCoord: {maxGeneralCapacity: 3}")
	require.Equal(t, 512, config.Limits.MaxGeneralCapacity)
	_ = report
	for _, yaml := range []string{
		"{}", `'{"a": "1"}'`, "{a: 1}", "\n    a: 1\n",
	} {
		config, _ := load(t, "rootCoord:\n  defaultDBProperties: "+yaml)
		if yaml == "{}" {
			require.Empty(t, config.Limits.DefaultDBProperties)
		} else {
			require.Equal(t, map[string]string{"a": "1"}, config.Limits.DefaultDBProperties)
		}
	}
	config, _ = load(t, "", `ROOT_COORD_DEFAULT_DB_PROPERTIES={"database.max.collections": "10"}`)
	require.Equal(t, map[string]string{"database.max.collections": "10"}, config.Limits.DefaultDBProperties)
	for _, yaml := range []string{"'[1]'", "'{\"a\": 1}'", "[1]", "{a: {b: c}}", "x"} {
		require.Len(t, refused(t, "rootCoord: {defaultDBProperties: "+yaml+"}"), 1, yaml)
	}
}

func TestKubernetesServiceLinks(t *testing.T) {
	config, report := load(t, "", "ROOTCOORD_PORT=tcp://10.3.240.10:53100", "ROOT_COORD_PORT_53100_TCP_ADDR=10.3.240.10",
		"ROOT_COORD_SERVICE_HOST=10.3.240.10", "ROOT_COORD_SERVICE_PORT=53100", "ROOT_COORD_SERVICE_PORT_GRPC=53100", "ROOT_COORD_PORT_53100_TCP=tcp://10.3.240.10:53100")
	require.Equal(t, 53100, config.RootCoord.Port)
	require.False(t, config.RootCoord.PortSet)
	require.Len(t, report.Warnings, 1)
	require.Contains(t, report.Warnings[0].String(), "env ROOTCOORD_PORT: ignored: ")
}
