package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATakenPortNamesTheSetting(t *testing.T) {
	first, err := TCP(context.Background(), "127.0.0.1", 0, Setting{Key: "rootCoord.port"})
	require.NoError(t, err)
	defer first.Close()
	port := first.Addr().(*net.TCPAddr).Port

	_, err = TCP(context.Background(), "127.0.0.1", port, Setting{Key: "rootCoord.port"})
	var refused *Error
	require.True(t, errors.As(err, &refused))
	require.True(t, refused.Taken())
	require.EqualError(t, err, fmt.Sprintf("127.0.0.1:%d is already in use by another process; stop it or choose another port with "+
		"rootCoord.port in milvus.yaml or ROOT_COORD_PORT in the environment", port))
}

func TestAnImpossibleAddressNamesTheSetting(t *testing.T) {
	_, err := TCP(context.Background(), "192.0.2.1", 1, Setting{Key: "common.metricsPort", Env: "METRICS_PORT"})
	var refused *Error
	require.True(t, errors.As(err, &refused))
	require.False(t, refused.Taken())
	require.ErrorContains(t, err, "cannot listen on 192.0.2.1:1 (")
	require.ErrorContains(t, err, "common.metricsPort in milvus.yaml or METRICS_PORT")
}

func TestEnvName(t *testing.T) {
	for key, want := range map[string]string{
		"rootCoord.port": "ROOT_COORD_PORT", "queryCoord.port": "QUERY_COORD_PORT", "common.metricsPort": "COMMON_METRICS_PORT", "": "",
	} {
		require.Equal(t, want, envName(key))
	}
}
