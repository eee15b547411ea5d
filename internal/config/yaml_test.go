package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnknownKeys(t *testing.T) {
	_, report := load(t, `rootCoord:
  prot: 53001
  activeStandby:
    enable: true
  grpc:
    serverMaxSendSizes: 1
etcd:
  endpoint: localhost:1
common:
  sessions: {ttl: 3}
  session:
    TLL: 30
proxy:
  maxTaskNum: 1
  http: {enablePproff: false}
queryNode: {port: x}
made: {up: 1}
log.levels: debug
dataCoord: {typo: }
`)
	require.Equal(t, []string{
		"milvus.yaml:2: rootCoord.prot: unknown key, ignored; the nearest known key is rootCoord.port",
		"milvus.yaml:4: rootCoord.activeStandby.enable: unknown key, ignored; the nearest known key is rootCoord.activeStandby.enabled",
		"milvus.yaml:6: rootCoord.grpc.serverMaxSendSizes: unknown key, ignored; the nearest known key is rootCoord.grpc.serverMaxSendSize",
		"milvus.yaml:8: etcd.endpoint: unknown key, ignored; the nearest known key is etcd.endpoints",
		"milvus.yaml:12: common.session.TLL: unknown key, ignored; the nearest known key is common.session.ttl",
		"milvus.yaml:15: proxy.http.enablePproff: unknown key, ignored; the nearest known key is proxy.http.enablePprof",
		"milvus.yaml:18: log.levels: unknown key, ignored; the nearest known key is log.level",
		"milvus.yaml:19: dataCoord.typo: unknown key, ignored; the nearest known key is " + newIndex(allSpecs()).nearest("dataCoord.typo"),
	}, warnings(report))
}

func TestUnknownVariables(t *testing.T) {
	_, report := load(t, "", "ROOT_COORD_ENABLE_ACTIVE_STANDY=true", "QUERY_COORD_AUTO_BALANCE=true", "DATA_COORD_SEGMENT_MAX_SIZE=1",
		"INDEX_COORD_ADDRESS=x:1", "HOME=/root", "ETCD_NAME=x", "ETCD_UNSUPPORTED_ARCH=arm64")
	require.Equal(t, []string{
		"env ROOT_COORD_ENABLE_ACTIVE_STANDY: unknown variable, ignored; the nearest known one is ROOT_COORD_ENABLE_ACTIVE_STANDBY",
	}, warnings(report))
}

// TestMilvusFiles has the sections that are ours as Milvus' own files of 2.2 and 2.5 lay them out.
func TestMilvusFiles(t *testing.T) {
	config, report := load(t, `
etcd:
  endpoints: localhost:2379
  log: {level: info, path: stdout}
  ssl: {enabled: false, tlsCert: /path/to/etcd-client.pem, tlsKey: /path/to/key.pem, tlsCACert: /path/to/ca.pem, tlsMinVersion: 1.3}
  use: {embed: false}
  data: {dir: default.etcd}
tikv: {endpoints: 127.0.0.1:2389}
minio: {address: localhost, port: 9000, accessKeyID: minioadmin, region: ''}
pulsar: {address: localhost, port: 6650, webport: 80}
rocksmq: {compressionTypes: [0, 0, 7, 7, 7]}
rootCoord:
  dmlChannelNum: 256
  maxPartitionNum: 4096
  minSegmentSizeToEnableIndex: 1024
  importTaskExpiration: 900
  importTaskRetention: 86400
  enableActiveStandby: false
  ip: # if not specify address, will use the first unicastable address as local ip
  port: 53100
proxy: {accessLog: {formatters: {base: {format: "[$x]"}}}, http: {enabled: true, debug_mode: false}, ip: }
queryCoord: {autoHandoff: true, balancer: ScoreBasedBalancer, taskMergeCap: 1, brokerTimeout: 5000, growingRowCountWeight: 4.0}
indexCoord: {enableActiveStandby: false}
dataCoord:
  channel: {watchTimeoutInterval: 300}
  segment: {maxSize: 1024}
  enableCompaction: true
  compaction: {levelzero: {forceTrigger: {minSize: 8388608}}}
  gc: {interval: 3600}
log: {level: info, file: {rootPath: , maxSize: 300}, format: text, stdout: true}
grpc:
  log: {level: WARNING, serverMaxSendSize: 536870912}
  serverMaxSendSize: 536870912
  client: {initialBackOff: 1.0, maxBackoff: 60.0, backoffMultiplier: 2.0, dialTimeout: 5000, keepAliveTime: 10000}
tls: {serverPemPath: configs/cert/server.pem}
common: {DiskIndex: {MaxDegree: 56}, session: {ttl: 20, retryTimes: 30}, preCreatedTopic: {names: ['topic1', 'topic2']}}
trace: {exporter: stdout, sampleFraction: 0.5}
`)
	require.Empty(t, warnings(report))
	require.Equal(t, 256, config.Limits.DmlChannelNum)
	require.Equal(t, "1s", config.GRPC.InitialBackoff.String())
	require.Equal(t, 0.5, config.Trace.SampleFraction)
}

func TestMalformedYAML(t *testing.T) {
	for name, test := range map[string]struct{ yaml, want string }{
		"syntax":         {"a: b: c\n", "milvus.yaml:1: is not valid YAML: mapping values are not allowed in this context"},
		"tab":            {"a:\n\tb: 1\n", "milvus.yaml:2: is not valid YAML: found character that cannot start any token"},
		"block":          {"a: 1\nb:\n  c: 1\n d: 2\n", "milvus.yaml:4: is not valid YAML: did not find expected key, here or in what begins here"},
		"not closed":     {"a: 1\nb:\n  c: [1,\nd: 2\n", "milvus.yaml:3: is not valid YAML: did not find expected ',' or ']', here or in what begins here"},
		"open quote":     {"a: 1\nb: \"x\n", "milvus.yaml:2: is not valid YAML: found unexpected end of stream"},
		"list":           {"- a\n", "milvus.yaml:1: is not a mapping of keys to values"},
		"text":           {"hello\n", "milvus.yaml:1: is not a mapping of keys to values"},
		"two documents":  {"a: 1\n---\nb: 2\n", "milvus.yaml:2: is not valid YAML: it has a second document, and only one is read"},
		"unknown anchor": {"a: 1\nb: *b\n", "milvus.yaml:2: is not valid YAML: unknown anchor 'b' referenced"},
		"duplicate":      {"log:\n  level: info\n  format: text\n  level: warn\n", "milvus.yaml:4: log.level: is a duplicate: it is set in line 2 too"},
		"duplicate foreign": {"queryNode: {a: 1}\nqueryNode: {b: 1}\n",
			"milvus.yaml:2: queryNode: is a duplicate: it is set in line 1 too"},
		"duplicate folded": {"log:\n  level: info\n  Level: warn\n", "milvus.yaml:3: log.level: is a duplicate: it is set in line 2 too"},
		"duplicate dotted": {"log:\n  level: info\nlog.level: info\n", "milvus.yaml:3: log.level: is a duplicate: it is set in line 2 too"},
		"value of section": {"log: debug\n", "milvus.yaml:1: log: is a section: it has keys below it and no value of its own"},
		"list of section":  {"log: [a]\n", "milvus.yaml:1: log: is a section: it has keys below it and no value of its own"},
		"section of value": {"log: {level: {x: 1}}\n", "milvus.yaml:1: log.level: is a section with keys below it; allowed: debug, info, warn, error, panic, fatal"},
		"list of value":    {"log: {level: [x]}\n", "milvus.yaml:1: log.level: is a list; allowed: debug, info, warn, error, panic, fatal"},
		"list of lists":    {"etcd: {endpoints: [[a]]}\n", "milvus.yaml:1: etcd.endpoints: is a list; allowed: a comma list of host:port, each with an optional http:// or https://"},
		"key is a mapping": {"? {a: 1}\n: b\n", "milvus.yaml:1: has a key that is not a plain word"},
		"merge of a value": {"<<: 3\n", "milvus.yaml:1: merges something that is not a mapping"},
		"too large":        {strings.Repeat("# comment\n", maxFileBytes/10+1), "milvus.yaml: is larger than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, []string{test.want}, refused(t, test.yaml)) })
	}
}

func TestHarmlessYAML(t *testing.T) {
	for name, yaml := range map[string]string{
		"empty": "", "comment": "# nothing\n", "null": "~\n", "document": "---\nlog:\n...\n", "sections without keys": "log:\netcd: {}\nrootCoord: ~\n",
		"byte order mark": "\ufefflog: {level: info}\n", "carriage returns": "log:\r\n  level: info\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, report := load(t, yaml)
			require.Empty(t, report.Warnings)
		})
	}
}

func TestAnchorsAndMerges(t *testing.T) {
	config, _ := load(t, `
limits: &limits {serverMaxSendSize: 1, serverMaxRecvSize: 2}
more: &more {serverMaxSendSize: 3, clientMaxSendSize: 4}
rootCoord: {grpc: *limits}
queryCoord: {grpc: {<<: *limits, serverMaxRecvSize: 5}}
dataCoord: {grpc: {<<: [*limits, *more]}}
`)
	require.Equal(t, []int{1, 2}, []int{config.RootCoord.ServerMaxSendSize, config.RootCoord.ServerMaxRecvSize})
	require.Equal(t, []int{1, 5}, []int{config.QueryCoord.ServerMaxSendSize, config.QueryCoord.ServerMaxRecvSize})
	require.Equal(t, []int{1, 2, 4}, []int{config.DataCoord.ServerMaxSendSize, config.DataCoord.ServerMaxRecvSize, config.DataCoord.ClientMaxSendSize})
}

// bomb is nine levels of nine aliases each.
func bomb() string {
	var text strings.Builder
	text.WriteString("x0: &x0 {a: 1, b: 2}\n")
	for i := range 9 {
		fmt.Fprintf(&text, "x%d: &x%d {", i+1, i+1)
		for j := range 9 {
			fmt.Fprintf(&text, "k%d: *x%d, ", j, i)
		}
		text.WriteString("}\n")
	}
	return text.String()
}

func TestBombs(t *testing.T) {
	require.Equal(t, []string{"has more than 200000 values, aliases counted as often as they are used"}, problems(refused(t, bomb())))
	require.Contains(t, refused(t, "log: &a\n  x: *a\n")[0], "refers to itself")
	require.NotEmpty(t, refused(t, strings.Repeat("{a: ", 100)+"1"+strings.Repeat("}", 100)))
	require.NotEmpty(t, refused(t, "a: &a\n  <<: *a\n"))
}

// problems cuts file and line off.
func problems(lines []string) []string {
	var cut []string
	for _, line := range lines {
		_, after, _ := strings.Cut(line, ": ")
		cut = append(cut, after)
	}
	return cut
}

func TestReportPrints(t *testing.T) {
	_, report := load(t, "log: {level: debug}", "ETCD_ENDPOINTS=a:1")
	var out bytes.Buffer
	require.NoError(t, report.Print(&out))
	require.Regexp(t, `(?m)^etcd\.endpoints +a:1 +env ETCD_ENDPOINTS$`, out.String())
	require.Regexp(t, `(?m)^log\.level +debug +\S+milvus\.yaml:1$`, out.String())
	require.Regexp(t, `(?m)^rootCoord\.ip +"" +default$`, out.String())
	require.Equal(t, len(allSpecs()), strings.Count(out.String(), "\n"))
	require.ErrorContains(t, report.Print(brokenWriter{}), "no more")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no more") }

func TestTable(t *testing.T) {
	seen := map[string]string{}
	for _, s := range allSpecs() {
		canonical, err := s.canonical(s.def)
		require.NoError(t, err, s.key)
		require.Equal(t, s.def, canonical, s.key)
		require.NotEmpty(t, s.doc, s.key)
		require.NotEmpty(t, s.allowed, s.key)
		for _, spelling := range s.names() {
			require.Empty(t, seen[fold(spelling)], spelling)
			seen[fold(spelling)] = s.key
			require.Equal(t, fold(spelling), fold(envName(spelling)), spelling)
		}
	}
	for _, doc := range Reference() {
		require.NotEmpty(t, doc.Env)
	}
	require.Equal(t, "ROOT_COORD_ENABLE_ACTIVE_STANDBY", envName("rootCoord.enableActiveStandby"))
	require.Equal(t, "METRICS_PORT", envName("metrics.port"))
	require.Equal(t, "ROOT_COORD_IP", envName("rootCoord.ip"))
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"port", "prot", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"ca", "abc", 3}} {
		require.Equal(t, test.want, distance(test.a, test.b), test)
	}
}

// FuzzLoad reads anything as a file and as a variable: no panic, and a Config exactly if there is no error.
func FuzzLoad(f *testing.F) {
	f.Add("log: {level: debug}", "LOG_LEVEL=info")
	f.Add("a: &a [*a]\nb: {<<: *a}", "ROOT_COORD_ADDRESS=[::1]:3")
	f.Add("rootCoord: {defaultDBProperties: {a: &x b, c: *x}, enableActiveStandby: t, activeStandby: {enabled: f}}", "=")
	f.Add("? a\n: b\n", "METRICS_PORT=tcp://1.2.3.4:5")
	f.Add("!!binary a: !!int x\n<<: !!map [~]\n", "ETCD_ENDPOINTS=http://")
	f.Add("common: {session: {ttl: 1e309, serveWindow: -0, silenceTimeout: .}}", "COMMON_SESSION_TTL=99999999999999999999")
	f.Add("x0: &x0 {a: 1}\nx1: &x1 {<<: [*x0, *x0]}\nx2: {<<: [*x1, *x1]}\n", "MILVUS_CONF_=1")
	f.Fuzz(func(t *testing.T, text, variable string) {
		l := newLoader()
		l.addFile("milvus.yaml", levelShipped, []byte(text))
		l.addEnviron([]string{variable})
		config, report, err := l.result()
		require.Equal(t, err == nil, config != nil)
		require.NotNil(t, report)
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}
