package sessionutil

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/clock"
	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// sessionPrefix is where Milvus keeps the sessions of a cluster.
func sessionPrefix(metaRoot string) string { return metaRoot + "/session/" }

// ActiveKey is the key that the active coordinator of a role holds.
func ActiveKey(metaRoot, role string) string { return sessionPrefix(metaRoot) + role }

// memberKey is the key of one process of a role.
func memberKey(metaRoot, role string, serverID int64) string {
	return ActiveKey(metaRoot, role) + "-" + strconv.FormatInt(serverID, 10)
}

// termKey holds the [termRecord] of a role.
func termKey(metaRoot, role string) string { return metaRoot + "/ha/" + role + "/term" }

// processPrefix is where the processes of a role say more about themselves than a session does, on the session's lease.
func processPrefix(metaRoot, role string) string { return metaRoot + "/ha/" + role + "/process/" }

// HistoryKey is where the takeover that began a term is recorded; the keys sort by term.
func HistoryKey(metaRoot, role string, term int64) string {
	return fmt.Sprintf("%s/ha/%s/history/%020d", metaRoot, role, term)
}

// AllocServerID takes the next ServerID of the cluster from <metaRoot>/session/id, the counter that all Milvus processes
// share. An id is never given twice; one may be lost when a reply is. It returns only when it has one, or when ctx ends,
// or when the counter holds something that is not a number. That it waits for etcd, and why, goes to log.
func AllocServerID(ctx context.Context, client *clientv3.Client, metaRoot string, log *zap.Logger) (int64, error) {
	key := sessionPrefix(metaRoot) + "id"
	for try := 0; ; try++ {
		id, err := tryServerID(ctx, client, key)
		if err == nil {
			return id, nil
		}
		if !errors.Is(err, errRaced) && !etcdutil.IsUnavailable(err) {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("take a ServerID from %s: %w", key, err)
		}
		if !errors.Is(err, errRaced) {
			if try%20 == 0 { // about once a minute
				log.Warn("etcd does not answer, waiting for it", zap.Strings("endpoints", client.Endpoints()), zap.Error(err))
			}
			if err := clock.Sleep(ctx, retryPause(try)); err != nil {
				return 0, err
			}
		}
	}
}

var errRaced = errors.New("another process took this id")

func tryServerID(ctx context.Context, client *clientv3.Client, key string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	// Milvus makes the counter as 1 and uses the value it read, so 1 is the first id.
	resp, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.Version(key), "=", 0)).
		Then(clientv3.OpPut(key, "2")).
		Else(clientv3.OpGet(key)).Commit()
	if err != nil {
		return 0, err
	}
	if resp.Succeeded {
		return 1, nil
	}
	stored := string(resp.Responses[0].GetResponseRange().Kvs[0].Value)
	id, err := strconv.ParseInt(stored, 10, 64)
	if err != nil || id < 1 {
		return 0, fmt.Errorf("%s holds %q, not a positive number: put one there that is larger than every ServerID in use", key, stored)
	}
	swap, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value(key), "=", stored)).
		Then(clientv3.OpPut(key, strconv.FormatInt(id+1, 10))).Commit()
	if err != nil {
		return 0, err
	}
	if !swap.Succeeded {
		return 0, errRaced
	}
	return id, nil
}
