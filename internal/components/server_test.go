package components

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/config"
)

func TestServers(t *testing.T) {
	for _, name := range Servers() {
		s := mustServer(t, name)
		require.Equal(t, name, s.Name)
		require.NotEmpty(t, s.Roles)
	}
	require.Equal(t, Server{Name: "mixcoord", Type: "mixture", Roles: []string{"rootcoord", "datacoord", "querycoord"}}, mustServer(t, "mixcoord"))
	require.Equal(t, Server{Name: "mixcoord", Type: "mixture", Roles: []string{"rootcoord", "querycoord"}},
		mustServer(t, "mixture", "querycoord", "rootcoord"), "in the order of a start")
	require.Equal(t, "STANDALONE", mustServer(t, "standalone").deployMode())
	require.Equal(t, "DISTRIBUTED", mustServer(t, "mixcoord").deployMode())
	_, err := NewServer("mixture")
	require.ErrorContains(t, err, "a mixture needs roles")
	_, err = NewServer("proxy")
	require.ErrorContains(t, err, `unknown role "proxy"`)
}

func TestWhoEmbedsAnEtcd(t *testing.T) {
	etcd := func(use string, endpoints bool) config.Etcd {
		return config.Etcd{EndpointsSet: endpoints, Embed: config.EtcdEmbed{Use: use}}
	}
	for name, test := range map[string]struct {
		server string
		etcd   config.Etcd
		want   bool
	}{
		"standalone":              {"standalone", etcd("default", false), true},
		"standalone, told where":  {"standalone", etcd("default", true), false},
		"standalone, told not to": {"standalone", etcd("false", false), false},
		"standalone, told to":     {"standalone", etcd("true", false), true},
		"another one":             {"mixcoord", etcd("default", false), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := embeds(mustServer(t, test.server), test.etcd)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := embeds(mustServer(t, "rootcoord"), etcd("true", false))
	require.ErrorContains(t, err, "only standalone carries an etcd")
	require.True(t, isLoopback("localhost:2379"))
	require.True(t, isLoopback("[::1]:2379"))
	require.False(t, isLoopback("10.0.0.1:2379"))
	require.False(t, isLoopback("etcd:2379"))
}
