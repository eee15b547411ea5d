package rootcoord

import (
	"context"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/errs"
)

// GetPChannelInfo lists the collections, in any state, that have a shard on a physical channel, with all their partitions
// and the virtual channel that stands for that shard.
func (h *collectionHandlers) GetPChannelInfo(
	_ context.Context, req *rootcoordpb.GetPChannelInfoRequest,
) (*rootcoordpb.GetPChannelInfoResponse, error) {
	resp := &rootcoordpb.GetPChannelInfoResponse{Status: errs.Success()}
	h.meta.view.Read(func(r catalog.Reader) {
		for c := range r.AllCollections() {
			virtual := c.Info.GetVirtualChannelNames()
			for i, physical := range c.Info.GetPhysicalChannelNames() {
				if physical != req.GetPchannel() || i >= len(virtual) {
					continue
				}
				on := &rootcoordpb.CollectionInfoOnPChannel{CollectionId: c.ID(), Vchannel: virtual[i]}
				for _, p := range c.Partitions {
					on.Partitions = append(on.Partitions, &rootcoordpb.PartitionInfoOnPChannel{PartitionId: p.ID()})
				}
				resp.Collections = append(resp.Collections, on)
			}
		}
	})
	return resp, nil
}
