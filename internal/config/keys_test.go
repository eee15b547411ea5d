package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhichMessageQueue(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		env        []string
		want       string
	}{
		{"nothing is set", "", nil, "none"},
		{"the defaults spelt out are no choice", "pulsar: {address: localhost}\nkafka: {brokerList: 'localhost:9092'}", nil, "none"},
		{"Pulsar by variable", "", []string{"PULSAR_ADDRESS=pulsar://p:6650"}, "pulsar"},
		{"Kafka by variable", "", []string{"KAFKA_BROKER_LIST=k:9092"}, "kafka"},
		{"both", "pulsar: {address: p}\nkafka: {brokerList: 'k:1,l:2'}", nil, "pulsar"},
		{"said outright", "mq: {type: kafka}", []string{"PULSAR_ADDRESS=pulsar://p:6650"}, "kafka"},
		{"turned off", "mq: {type: none}", []string{"PULSAR_ADDRESS=pulsar://p:6650"}, "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config, _ := load(t, tc.yaml, tc.env...)
			require.Equal(t, tc.want, config.MQ.Type)
		})
	}
}

func TestMessageQueueKeys(t *testing.T) {
	config, report := load(t, `
kafka: {brokerList: "a:1, b:2", saslUsername: u, saslPassword: topsecret, saslMechanisms: scram-sha-512, ssl: {tlsKeyPassword: topsecret}}
pulsar: {authPlugin: token, authParams: "token:topsecret", tenant: t, namespace: n, requestTimeout: 5}
proxy: {timeTickInterval: 100}
common: {ttMsgEnabled: false}
`)
	require.Equal(t, []string{"a:1", "b:2"}, config.Kafka.Brokers)
	require.Equal(t, "SCRAM-SHA-512", config.Kafka.SaslMechanism)
	require.Equal(t, "topsecret", config.Kafka.SaslPassword)
	require.Equal(t, 5*time.Second, config.Pulsar.RequestTimeout)
	require.Equal(t, 2<<20, config.Pulsar.MaxMessageSize)
	require.Equal(t, TimeTick{Enabled: false, Interval: 100 * time.Millisecond}, config.TimeTick)
	var out bytes.Buffer
	require.NoError(t, report.Print(&out))
	require.NotContains(t, out.String(), "topsecret")
}

func TestStreamingIsRefused(t *testing.T) {
	got := refused(t, "", "MILVUS_STREAMING_SERVICE_ENABLED=1")
	require.Len(t, got, 1)
	require.Contains(t, got[0], "MILVUS_STREAMING_SERVICE_ENABLED")
	require.Contains(t, got[0], "not supported")
	load(t, "", "MILVUS_STREAMING_SERVICE_ENABLED=0")
}

func TestTopicsThatWereMadeBeforehand(t *testing.T) {
	config, _ := load(t, "")
	require.False(t, config.Limits.NamedChannels)
	config, _ = load(t, "common: {preCreatedTopic: {enabled: true, names: [a, ' b']}}")
	require.True(t, config.Limits.NamedChannels)
	require.Equal(t, []string{"a", "b"}, config.Limits.ChannelNames)
	for _, names := range []string{"[]", "[a, a]", "[a, '']", "['a b']"} {
		got := refused(t, "common: {preCreatedTopic: {names: "+names+"}}")
		require.Len(t, got, 1, names)
		require.Contains(t, got[0], "common.preCreatedTopic.names", names)
	}
}

func TestAKeyFileWithAPasswordIsRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "milvus.yaml"), []byte("kafka: {ssl: {enabled: true, tlsKeyPassword: topsecret}}"), 0o600))
	_, _, err := Load(Source{Dir: dir})
	require.ErrorContains(t, err, "kafka.ssl.tlsKeyPassword: is set, but a key file with a password cannot be read")
	require.NotContains(t, err.Error(), "topsecret")
}

func TestRolesAndGroups(t *testing.T) {
	config, _ := load(t, `
builtinRoles: {enable: true, roles: {reader: {privileges: [{object_type: Collection, object_name: "*", privilege: Query, db_name: d}]}}}
common: {security: {rbac: {overrideBuiltInPrivilegeGroups: {enabled: true}, cluster: {readonly: {privileges: "ListDatabases, SelectUser"}}}}}
proxy: {maxUserNum: 5}
`)
	require.Equal(t, map[string]DeclaredRole{"reader": {Privileges: []DeclaredGrant{
		{ObjectType: "Collection", ObjectName: "*", Privilege: "Query", Database: "d"},
	}}}, config.Security.Roles)
	require.Equal(t, map[string][]string{"ClusterReadOnly": {"ListDatabases", "SelectUser"}}, config.Security.Groups)
	require.Equal(t, 5, config.Security.MaxUsers)
	for _, roles := range []string{`[]`, `{r: {privileges: [{object_type: Collection}]}}`, `{r: {privilege: []}}`, `text`} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "milvus.yaml"), []byte("builtinRoles: {roles: "+roles+"}"), 0o600))
		_, _, err := Load(Source{Dir: dir})
		require.ErrorContains(t, err, "builtinRoles.roles", roles)
	}
}
