package etcdutil

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestIsUnavailable(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"none":              {nil, false},
		"time ran out":      {fmt.Errorf("x: %w", context.DeadlineExceeded), true},
		"no leader":         {rpctypes.ErrNoLeader, true},
		"too many requests": {rpctypes.ErrTooManyRequests, true},
		"no such lease":     {rpctypes.ErrLeaseNotFound, false},
		"too large":         {rpctypes.ErrRequestTooLarge, false},
		"broken stream":     {status.Error(codes.Unknown, "closed"), true},
		"connection":        {status.Error(codes.Unavailable, "refused"), true},
		"our own":           {errors.New("not a number"), false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, IsUnavailable(tc.err)) })
	}
}

func TestMembersGoesOnWhereAMemberHangs(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	require.NoError(t, err)
	defer silent.Close()
	m, err := DialEach(t.Context(), Config{Endpoints: []string{silent.Addr().String(), etcd.Endpoints()[0]}})
	require.NoError(t, err)
	defer m.Close()
	put := func(ctx context.Context, c *clientv3.Client) error { _, err := c.Put(ctx, "k", "v"); return err }
	require.NoError(t, m.Do(t.Context(), 500*time.Millisecond, put))
	asked := 0
	require.NoError(t, m.Do(t.Context(), time.Minute, func(ctx context.Context, c *clientv3.Client) error {
		asked++
		return put(ctx, c)
	}))
	require.Equal(t, 1, asked, "the one that answered is asked first")
	// What etcd answers is an answer.
	err = m.Do(t.Context(), time.Minute, func(ctx context.Context, c *clientv3.Client) error { _, err := c.Revoke(ctx, 12345); return err })
	require.ErrorIs(t, err, rpctypes.ErrLeaseNotFound)
	etcd.Kill()
	err = m.Do(t.Context(), 200*time.Millisecond, put)
	require.ErrorContains(t, err, etcd.Endpoints()[0])
	require.ErrorContains(t, err, silent.Addr().String())
}

func TestConfigMistakesAreNamed(t *testing.T) {
	_, err := Dial(t.Context(), Config{Endpoints: []string{"a:1"}, TLS: TLSConfig{Enabled: true, CAFile: "/nowhere.pem"}})
	require.ErrorContains(t, err, "etcd.ssl.tlsCACert")
	_, err = Dial(t.Context(), Config{Endpoints: []string{"a:1"}, TLS: TLSConfig{Enabled: true, MinVersion: "2"}})
	require.ErrorContains(t, err, "etcd.ssl.tlsMinVersion")
	ip, err := LocalIP("http://127.0.0.1:2379")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", ip)
}

// etcd allows no ping without a stream (its --grpc-keepalive settings); to the third it answers "too_many_pings" and cuts the
// connection, which for the members that are asked of nothing was every half minute.
func TestIdleConnectionsAreNotPinged(t *testing.T) {
	settings := clientSettings(Config{}, []string{"127.0.0.1:1"})
	require.False(t, settings.PermitWithoutStream)
	require.Positive(t, settings.DialKeepAliveTime, "a watch on a dead connection must be noticed")
}
