package proxies

import (
	"context"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/proxypb"
)

func (c *Caller) base() *commonpb.MsgBase { return &commonpb.MsgBase{SourceID: c.source} }

// UpdateCredential tells all proxies the hash that a user's password is compared with at log-in.
func (c *Caller) UpdateCredential(ctx context.Context, user, sha256 string) error {
	req := &proxypb.UpdateCredCacheRequest{Base: c.base(), Username: user, Password: sha256}
	return c.all(ctx, "UpdateCredentialCache", func(ctx context.Context, _ int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		return p.UpdateCredentialCache(ctx, req)
	})
}

// InvalidateCredential makes all proxies forget a user's password.
func (c *Caller) InvalidateCredential(ctx context.Context, user string) error {
	req := &proxypb.InvalidateCredCacheRequest{Base: c.base(), Username: user}
	return c.all(ctx, "InvalidateCredentialCache", func(ctx context.Context, _ int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		return p.InvalidateCredentialCache(ctx, req)
	})
}

// RefreshPolicy tells all proxies of one change of the grants, in Milvus' numbers and keys.
func (c *Caller) RefreshPolicy(ctx context.Context, opType int32, opKey string) error {
	req := &proxypb.RefreshPolicyInfoCacheRequest{Base: c.base(), OpType: opType, OpKey: opKey}
	return c.all(ctx, "RefreshPolicyInfoCache", func(ctx context.Context, _ int64, p proxypb.ProxyClient) (*commonpb.Status, error) {
		return p.RefreshPolicyInfoCache(ctx, req)
	})
}
