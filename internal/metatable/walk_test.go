package metatable

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestWalkGivesEveryKeyInOrder(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	client := etcd.Client(t)
	want := map[string]string{}
	var ops []clientv3.Op
	for i := range 9000 {
		key := fmt.Sprintf("p/part/%d/%d", 450000000000000000+i/3*7, i%3)
		if i%4 == 0 {
			key = fmt.Sprintf("p/raw/%d", i)
		}
		value := "small"
		if i%40 == 0 {
			value = strings.Repeat("large", 1000+i*5) // up to 230 kB: the pages must shrink
		}
		want[key] = value
		if ops = append(ops, clientv3.OpPut(key, value)); len(ops) == 20 {
			_, err := client.Txn(t.Context()).Then(ops...).Commit()
			require.NoError(t, err)
			ops = nil
		}
	}
	resp, err := client.Put(t.Context(), "p/zz", "")
	require.NoError(t, err)
	want["p/zz"] = ""
	put(t, client, "p/later", "not at that revision")
	put(t, client, "o", "outside")

	// A client that takes answers of half a megabyte: a page may be refused, and is asked for in parts.
	small, err := clientv3.New(clientv3.Config{Endpoints: etcd.Endpoints(), MaxCallSendMsgSize: 1 << 20, MaxCallRecvMsgSize: 2 << 20})
	require.NoError(t, err)
	defer small.Close()
	for _, c := range []*clientv3.Client{client, small} {
		got, largest := map[string]string{}, 0
		var order []string
		ranges := []Range{Under("p/part/"), {"p/part0", "p/s"}, Under("p/nothing/"), Under("p/z")}
		require.NoError(t, Walk(t.Context(), c, resp.Header.Revision, ranges, func(page []*mvccpb.KeyValue) error {
			size := 0
			for _, kv := range page {
				order = append(order, string(kv.Key))
				got[string(kv.Key)] = string(kv.Value)
				size += len(kv.Value)
			}
			largest = max(largest, size)
			return nil
		}))
		require.Equal(t, len(want), len(got))
		require.Equal(t, want, got)
		require.True(t, slices.IsSorted(order))
		require.Len(t, order, len(want), "none twice")
		require.Less(t, largest, 5*walkBudget)
	}

	stop := errors.New("enough")
	require.ErrorIs(t, Walk(t.Context(), client, resp.Header.Revision, []Range{Under("p/")}, func([]*mvccpb.KeyValue) error { return stop }), stop)
	_, err = client.Compact(t.Context(), resp.Header.Revision+1)
	require.NoError(t, err)
	err = Walk(t.Context(), client, resp.Header.Revision, []Range{Under("p/")}, func([]*mvccpb.KeyValue) error { return nil })
	require.ErrorIs(t, err, rpctypes.ErrCompacted)
}
