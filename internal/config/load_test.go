package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files makes a directory with the given files; a single text without a name is milvus.yaml.
func files(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// load reads one milvus.yaml and an environment, and wants no error.
func load(t testing.TB, text string, environ ...string) (*Config, *Report) {
	t.Helper()
	config, report, err := Load(Source{Dir: files(t, map[string]string{"milvus.yaml": text}), Environ: environ})
	require.NoError(t, err)
	return config, report
}

// refused reads likewise, and wants errors. Paths in them are cut to the file's name.
func refused(t testing.TB, text string, environ ...string) []string {
	t.Helper()
	dir := files(t, map[string]string{"milvus.yaml": text})
	config, report, err := Load(Source{Dir: dir, Environ: environ})
	require.Error(t, err)
	require.Nil(t, config)
	require.NotNil(t, report)
	var all Errors
	require.ErrorAs(t, err, &all)
	var one *Error
	require.ErrorAs(t, err, &one)
	lines := make([]string, len(all))
	for i := range all {
		if all[i].Origin.File != "" {
			require.Equal(t, dir, filepath.Dir(all[i].Origin.File))
			all[i].Origin.File = filepath.Base(all[i].Origin.File)
		}
		lines[i] = all[i].Error()
	}
	return lines
}

func origin(t testing.TB, report *Report, key string) string {
	t.Helper()
	entry, found := report.Lookup(key)
	require.True(t, found, key)
	entry.Origin.File = filepath.Base(entry.Origin.File)
	return entry.Origin.String()
}

func warnings(report *Report) []string {
	texts := make([]string, len(report.Warnings))
	for i, warning := range report.Warnings {
		warning.Origin.File = filepath.Base(warning.Origin.File)
		texts[i] = warning.String()
	}
	return texts
}

func TestDefaults(t *testing.T) {
	config, report := load(t, "")
	require.Equal(t, Etcd{
		Endpoints: []string{"localhost:2379"}, RootPath: "by-dev", MetaSubPath: "meta", KvSubPath: "kv",
		SSL: EtcdSSL{TLSMinVersion: "1.3"}, RequestTimeout: 10 * time.Second,
		Embed: EtcdEmbed{Use: "default", DataDir: "/var/lib/milvus/etcd", Address: "localhost:2379"},
	}, config.Etcd)
	require.Equal(t, "by-dev/meta", config.Etcd.MetaRoot())
	require.Equal(t, "by-dev/kv", config.Etcd.KvRoot())
	require.Equal(t, Session{
		TTL: time.Minute, RetryTimes: 30, FastFailover: true, ServeWindow: 4 * time.Second, SilenceTimeout: 5 * time.Second,
	}, config.Session)
	require.Equal(t, Coord{
		Address: "localhost", Port: 53100, ListenPort: 53100, AdvertiseHost: "localhost", AdvertisePort: 53100,
		GracefulStopTimeout: 5 * time.Second, ServerMaxSendSize: 536870912, ServerMaxRecvSize: 268435456,
		ClientMaxSendSize: 268435456, ClientMaxRecvSize: 536870912,
	}, config.RootCoord)
	require.Equal(t, 19531, config.QueryCoord.ListenPort)
	require.Equal(t, 13333, config.DataCoord.ListenPort)
	require.Equal(t, "by-dev", config.Cluster)
	require.Equal(t, RootLimits{
		MaxDatabaseNum: 64, MaxCollectionNum: 65536, MaxCollectionNumPerDB: 65536, MaxPartitionNum: 1024,
		MaxGeneralCapacity: 65536, DmlChannelNum: 16, ChannelNames: []string{"topic1", "topic2"}, MaxShardNum: 16, MaxNameLength: 255, MaxFieldNum: 64,
		MaxVectorFieldNum: 4, DefaultPartitionName: "_default", DefaultIndexName: "_default_idx",
		DefaultDBProperties: map[string]string{},
	}, config.Limits)
	require.Equal(t, Log{Level: "info", Format: "text", Stdout: true, File: LogFile{"", 300, 10, 20}}, config.Log)
	require.Equal(t, HTTP{Port: 9091, EnablePprof: true, WebUI: true}, config.HTTP)
	require.Equal(t, 200*time.Millisecond, config.GRPC.InitialBackoff)
	require.Equal(t, 20*time.Second, config.GRPC.KeepAliveTimeout)
	require.Equal(t, "localhost:9000", config.MinIO.Address)
	require.Equal(t, "pulsar://localhost:6650", config.Pulsar.URL)
	require.Equal(t, "Milvus", config.Security.DefaultRootPassword)
	for _, entry := range report.Entries {
		require.Equal(t, "default", entry.Origin.String())
		require.Equal(t, entry.Default, entry.Value, entry.Key)
	}
	require.Empty(t, report.Warnings)
}

func TestFilesInOrderThenEnvironment(t *testing.T) {
	dir := files(t, map[string]string{
		"milvus.yaml":  "etcd:\n  rootPath: one\n  metaSubPath: one\n  kvSubPath: one\nlog:\n  level: debug\nrootCoord: {maxDatabaseNum: 1}\n",
		"_test.yaml":   "etcd: {metaSubPath: two, kvSubPath: two}\nlog: {level: warn}\nrootCoord: {maxDatabaseNum: 2}\n",
		"default.yaml": "etcd: {kvSubPath: three}\nlog: {level: error}\nrootCoord: {maxDatabaseNum: 3}\n",
		"user.yaml":    "log: {level: fatal}\nrootCoord: {maxDatabaseNum: 4}\n",
		"other.yaml":   "log: {level: nonsense}\n",
	})
	config, report, err := Load(Source{Dir: dir, Environ: []string{"ROOT_COORD_MAX_DATABASE_NUM=5"}})
	require.NoError(t, err)
	require.Equal(t, "one/two", config.Etcd.MetaRoot())
	require.Equal(t, "three", config.Etcd.KvSubPath)
	require.Equal(t, "fatal", config.Log.Level)
	require.Equal(t, 5, config.Limits.MaxDatabaseNum)

	require.Len(t, report.Files, 4)
	require.Equal(t, "milvus.yaml:2", origin(t, report, "etcd.rootPath"))
	require.Equal(t, "_test.yaml:1", origin(t, report, "etcd.metaSubPath"))
	require.Equal(t, "user.yaml:1", origin(t, report, "log.level"))
	require.Equal(t, "env ROOT_COORD_MAX_DATABASE_NUM", origin(t, report, "rootCoord.maxDatabaseNum"))
	require.Equal(t, "default", origin(t, report, "log.format"))
	_, found := report.Lookup("no.such")
	require.False(t, found)
}

func TestDirectory(t *testing.T) {
	dir := files(t, map[string]string{"milvus.yaml": "etcd: {rootPath: named}"})
	work := t.TempDir()
	t.Chdir(work)

	config, report, err := Load(Source{})
	require.NoError(t, err)
	require.Equal(t, "by-dev", config.Etcd.RootPath)
	require.Equal(t, "configs", report.Dir)
	require.Empty(t, report.Files)

	require.NoError(t, os.Mkdir("configs", 0o700))
	require.NoError(t, os.WriteFile("configs/user.yaml", []byte("etcd: {rootPath: here}"), 0o600))
	config, _, err = Load(Source{Environ: []string{"MILVUSCONF="}})
	require.NoError(t, err)
	require.Equal(t, "here", config.Etcd.RootPath)

	config, report, err = Load(Source{Environ: []string{"MILVUSCONF=" + dir}})
	require.NoError(t, err)
	require.Equal(t, "named", config.Etcd.RootPath)
	require.Equal(t, dir, report.Dir)

	config, _, err = Load(Source{Dir: "configs", Environ: []string{"MILVUSCONF=" + dir}})
	require.NoError(t, err)
	require.Equal(t, "here", config.Etcd.RootPath)

	_, _, err = Load(Source{Environ: []string{"MILVUSCONF=/no/such/place"}})
	require.EqualError(t, err, `env MILVUSCONF: configuration directory: "/no/such/place" does not exist`)
	_, _, err = Load(Source{Dir: "configs/user.yaml"})
	require.EqualError(t, err, `configuration directory: "configs/user.yaml" is not a directory`)
}

func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "milvus.yaml"), 0o700))
	_, _, err := Load(Source{Dir: dir})
	require.EqualError(t, err, filepath.Join(dir, "milvus.yaml")+": cannot be read: is a directory")
}

func TestFolding(t *testing.T) {
	for name, test := range map[string]struct{ yaml, environ string }{
		"yaml, other case":      {"ROOTCOORD:\n  MaxDatabaseNum: 7\n", ""},
		"yaml, dotted":          {"rootCoord.maxDatabaseNum: 7\n", ""},
		"yaml, milvus prefix":   {"milvus:\n  rootCoord: {maxDatabaseNum: 7}\n", ""},
		"yaml, underscores":     {"root_coord:\n  max_database_num: 7\n", ""},
		"env":                   {"", "ROOT_COORD_MAX_DATABASE_NUM=7"},
		"env, without dashes":   {"", "rootcoordmaxdatabasenum=7"},
		"env, dotted":           {"", "rootCoord.maxDatabaseNum=7"},
		"env, slashes":          {"", "rootCoord/maxDatabaseNum=7"},
		"env, milvus with dot":  {"", "milvus.rootCoord.maxDatabaseNum=7"},
		"env, prefix":           {"", "MILVUS_CONF_ROOT_COORD_MAX_DATABASE_NUM=7"},
		"env over yaml":         {"rootCoord: {maxDatabaseNum: 3}", "ROOT_COORD_MAX_DATABASE_NUM=7"},
		"spaces around a value": {"", "ROOT_COORD_MAX_DATABASE_NUM= 7 "},
	} {
		t.Run(name, func(t *testing.T) {
			config, _ := load(t, test.yaml, test.environ)
			require.Equal(t, 7, config.Limits.MaxDatabaseNum)
		})
	}
	for _, environ := range []string{
		"MILVUS_ROOT_COORD_MAX_DATABASE_NUM=7", "ROOT-COORD-MAX-DATABASE-NUM=7", "ROOT_COORD_MAX_DATABASE_NUM=", "=7", "novalue",
	} {
		config, _ := load(t, "", environ)
		require.Equal(t, 64, config.Limits.MaxDatabaseNum, environ)
	}
}

func TestVariablesThatAreTheSameKey(t *testing.T) {
	require.Equal(t, []string{`env log_level: log.level: "info" differs from "debug" in LOG_LEVEL, which is the same key`},
		refused(t, "", "log_level=info", "LOG_LEVEL=debug"))
	config, _ := load(t, "", "log_level=debug", "LOG_LEVEL=debug")
	require.Equal(t, "debug", config.Log.Level)
	config, report := load(t, "", "LOG_LEVEL=debug", "MILVUS_CONF_LOG_LEVEL=warn")
	require.Equal(t, "warn", config.Log.Level)
	require.Equal(t, "env MILVUS_CONF_LOG_LEVEL", origin(t, report, "log.level"))
}

func TestOlderKeys(t *testing.T) {
	config, report := load(t, "common:\n  chanNamePrefix:\n    cluster: prod\n")
	require.Equal(t, "prod", config.Cluster)
	require.Equal(t, "milvus.yaml:3 (as common.chanNamePrefix.cluster)", origin(t, report, "msgChannel.chanNamePrefix.cluster"))

	// The newer key at its default gives way, as in Milvus: the shipped file spells defaults out.
	config, _ = load(t, "msgChannel: {chanNamePrefix: {cluster: by-dev}}\ncommon: {chanNamePrefix: {cluster: prod}}\n")
	require.Equal(t, "prod", config.Cluster)
	config, _ = load(t, "msgChannel: {chanNamePrefix: {cluster: new}}\ncommon: {chanNamePrefix: {cluster: prod}}\n")
	require.Equal(t, "new", config.Cluster)
	config, _ = load(t, "common: {chanNamePrefix: {cluster: prod}}\n", "MSG_CHANNEL_CHAN_NAME_PREFIX_CLUSTER=new")
	require.Equal(t, "new", config.Cluster)

	config, report = load(t, "grpc: {serverMaxRecvSize: 1000}\nqueryCoord: {grpc: {serverMaxRecvSize: 2000}}\n", "GRPC_CLIENT_MAX_SEND_SIZE=3000")
	require.Equal(t, 1000, config.RootCoord.ServerMaxRecvSize)
	require.Equal(t, 2000, config.QueryCoord.ServerMaxRecvSize)
	require.Equal(t, 3000, config.DataCoord.ClientMaxSendSize)
	require.Equal(t, "env GRPC_CLIENT_MAX_SEND_SIZE", origin(t, report, "dataCoord.grpc.clientMaxSendSize"))
	require.Empty(t, report.Warnings)

	require.Equal(t, []string{`milvus.yaml:1: msgChannel.chanNamePrefix.cluster (as common.chanNamePrefix.cluster): "a b" is not allowed; ` +
		`allowed: a text that is not empty and has no spaces`}, refused(t, "common: {chanNamePrefix: {cluster: a b}}"))
}

func TestAllErrorsAtOnce(t *testing.T) {
	got := refused(t, `etcd:
  endpoints: localhost
  requestTimeout: soon
rootCoord:
  port: 66000
  maxDatabaseNum: 1.5
  activeStandby:
    enabled: yes
log:
  level: loud
common:
  session:
    ttl: 1d
metastore:
  type: tikv
`, "ROOT_COORD_ADDRESS=http://x", "METRICS_PORT=many")
	require.Equal(t, []string{
		`milvus.yaml:2: etcd.endpoints: "localhost" has "localhost", which is not host:port; allowed: a comma list of host:port, each with an optional http:// or https://`,
		`milvus.yaml:3: etcd.requestTimeout: "soon" is not a number; allowed: a whole number of milliseconds, 1 to 86400000`,
		`milvus.yaml:15: metastore.type: "tikv" is not allowed; allowed: etcd`,
		`milvus.yaml:8: rootCoord.activeStandby.enabled: "yes" is neither true nor false; allowed: true or false (also 1, t, T, TRUE, True and 0, f, F, FALSE, False)`,
		`env ROOT_COORD_ADDRESS: rootCoord.address: "http://x" is a URL; allowed: host, host:port or [IPv6]:port that others can dial`,
		`milvus.yaml:5: rootCoord.port: "66000" is out of range; allowed: a port, 1 to 65535, or 0 for any free one`,
		`milvus.yaml:6: rootCoord.maxDatabaseNum: "1.5" is not a whole number; allowed: a whole number, 1 to 2147483647`,
		`milvus.yaml:10: log.level: "loud" is not allowed; allowed: debug, info, warn, error, panic, fatal`,
		`env METRICS_PORT: common.metricsPort: "many" is not a whole number; allowed: a port, 1 to 65535, or 0 for any free one`,
		`milvus.yaml:13: common.session.ttl: "1d" is not a number; allowed: a whole number of seconds, 2 to 86400`,
	}, got)
}

func TestSecretsAreMasked(t *testing.T) {
	config, report := load(t, "etcd: {auth: {enabled: true, userName: me, password: ' hunter2'}}\n")
	require.Equal(t, EtcdAuth{true, "me", " hunter2"}, config.Etcd.Auth)
	entry, _ := report.Lookup("etcd.auth.password")
	require.Equal(t, "******", entry.Value)
	entry, _ = report.Lookup("common.security.defaultRootPassword")
	require.Equal(t, "******", entry.Default)
	got := refused(t, "", "ETCD_AUTH_PASSWORD=one", "etcd_auth_password=two")
	require.Equal(t, []string{`env etcd_auth_password: etcd.auth.password: "******" differs from "******" in ETCD_AUTH_PASSWORD, which is the same key`}, got)
}

func TestErrorsAreAList(t *testing.T) {
	_, _, err := Load(Source{Dir: files(t, map[string]string{"milvus.yaml": "log: {level: a, format: b}"})})
	var first *Error
	require.True(t, errors.As(err, &first))
	require.Equal(t, "log.level", first.Key)
	require.Equal(t, 1, first.Origin.Line)
	var all Errors
	require.True(t, errors.As(err, &all))
	require.Len(t, all, 2)
}
