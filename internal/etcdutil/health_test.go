package etcdutil

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestHealth(t *testing.T) {
	etcd := clustertest.StartEtcdCluster(t, 3)
	m, err := DialEach(t.Context(), Config{Endpoints: etcd.Endpoints()})
	require.NoError(t, err)
	defer m.Close()
	leader := etcd.Leader()
	var h Health
	require.Eventually(t, func() bool {
		h = m.Health(t.Context(), 10*time.Second)
		return len(h.Problems()) == 0
	}, time.Minute, 50*time.Millisecond, "%+v", h)
	require.Len(t, h.Members, 3)
	for i, one := range h.Members {
		require.NoError(t, one.Err)
		require.Equal(t, etcd.Endpoints()[i], one.Endpoint)
		require.Equal(t, "m"+string(rune('0'+i)), one.Name)
		require.Equal(t, i == leader, one.Leader)
		require.Positive(t, one.DBSize)
		require.Positive(t, one.Quota)
		require.Positive(t, one.Took)
		require.NotEmpty(t, one.Version)
	}

	one, err := DialEach(t.Context(), Config{Endpoints: etcd.Endpoints()[:1]})
	require.NoError(t, err)
	defer one.Close()
	h = one.Health(t.Context(), 10*time.Second)
	require.Len(t, h.Members, 3, "those that are not configured are named")
	require.Empty(t, h.Members[2].Endpoint)
	require.Equal(t, "m2", h.Members[2].Name)
	require.Empty(t, h.Problems())

	etcd.Kill(1, 2)
	require.Eventually(t, func() bool {
		h = m.Health(t.Context(), time.Second)
		return h.Members[0].NoLeader
	}, time.Minute, 50*time.Millisecond, "one that answers needs no quorum for that: %+v", h)
	require.Equal(t, []string{"m0 knows of no leader: nothing can be written", etcd.Endpoints()[1] + " does not answer", etcd.Endpoints()[2] + " does not answer"}, h.Problems())
	require.Len(t, h.Members, 3)
}

func TestHealthOfAFullEtcd(t *testing.T) {
	etcd := clustertest.StartEtcd(t, "--quota-backend-bytes", "2000000")
	m, err := DialEach(t.Context(), Config{Endpoints: etcd.Endpoints()})
	require.NoError(t, err)
	defer m.Close()
	client := etcd.Client(t)
	value := string(make([]byte, 1<<18))
	require.Eventually(t, func() bool {
		_, err := client.Put(t.Context(), "k", value)
		return err != nil
	}, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool {
		h := m.Health(t.Context(), 10*time.Second)
		return len(h.Problems()) > 0 && h.Problems()[0] == "alarm NOSPACE: the database has reached its quota, nothing can be written"
	}, time.Minute, 10*time.Millisecond)
	_, err = client.AlarmDisarm(t.Context(), &clientv3.AlarmMember{})
	require.NoError(t, err)
}

func TestHealthInWords(t *testing.T) {
	h := Health{Members: []MemberHealth{
		{Endpoint: "a:1", Name: "a", InUse: 90, Quota: 100, Errors: []string{"memberID:1 alarm:CORRUPT "}},
		{Endpoint: "b:1", Err: errors.New("gone")},
		{Name: "c", NoLeader: true},
	}}
	require.Equal(t, []string{
		"alarm CORRUPT: the members' databases differ", "a: the database has 90 % of its quota in use", "b:1 does not answer",
	}, h.Problems())
}
