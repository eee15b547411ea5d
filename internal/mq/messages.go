package mq

import (
	"fmt"
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/msgpb"
	"google.golang.org/protobuf/proto"
)

// Names of properties, by which Milvus' consumers sort messages without decoding them. Of the releases of the line some
// need the first three and some all but the last; a message that lacks one is decoded by them to be sorted.
const (
	typeProperty       = "msg_type"
	timestampProperty  = "timestamp"
	channelProperty    = "vchannel" // empty: for all virtual channels
	idProperty         = "msg_id"
	collectionProperty = "collection_id" // 0: of none
	replicateProperty  = "replicate_id"  // only of what replays, or ends, a replication; it is not looked for in the payload
)

// body is a message of Milvus' wire format with a base.
type body interface {
	proto.Message
	GetBase() *commonpb.MsgBase
}

// encode makes a message as it is stored. No collection is the id 0.
func encode(m body, collectionID int64) (Message, error) {
	base := m.GetBase()
	payload, err := proto.Marshal(m)
	if err != nil {
		return Message{}, fmt.Errorf("encode a %s: %w", base.GetMsgType(), err)
	}
	properties := map[string]string{
		typeProperty:       base.GetMsgType().String(),
		timestampProperty:  strconv.FormatUint(base.GetTimestamp(), 10),
		channelProperty:    "",
		idProperty:         strconv.FormatInt(base.GetMsgID(), 10),
		collectionProperty: strconv.FormatInt(collectionID, 10),
	}
	if replicate := base.GetReplicateInfo(); replicate != nil {
		properties[replicateProperty] = replicate.GetReplicateID()
	}
	return Message{Payload: payload, Properties: properties}, nil
}

// Collection is what messages say of a collection.
type Collection struct {
	ID               int64
	Name             string
	PartitionIDs     []int64
	Schema           proto.Message // with the system fields
	VirtualChannels  []string
	PhysicalChannels []string
}

// CreateCollection says that a collection is created at ts.
func CreateCollection(c Collection, ts uint64) (Message, error) {
	schema, err := proto.Marshal(c.Schema)
	if err != nil {
		return Message{}, fmt.Errorf("encode the schema of collection %d: %w", c.ID, err)
	}
	return encode(&msgpb.CreateCollectionRequest{
		Base:         &commonpb.MsgBase{MsgType: commonpb.MsgType_CreateCollection, Timestamp: ts},
		CollectionID: c.ID, PartitionIDs: c.PartitionIDs, Schema: schema,
		VirtualChannelNames: c.VirtualChannels, PhysicalChannelNames: c.PhysicalChannels,
	}, c.ID)
}

// DropCollection says that a collection is dropped at ts.
func DropCollection(id int64, name string, ts uint64, serverID int64) (Message, error) {
	return encode(&msgpb.DropCollectionRequest{
		Base:         &commonpb.MsgBase{MsgType: commonpb.MsgType_DropCollection, Timestamp: ts, SourceID: serverID},
		CollectionID: id, CollectionName: name,
	}, id)
}

// DropPartition says that a partition is dropped at ts.
func DropPartition(collectionID, id int64, name string, ts uint64, serverID int64) (Message, error) {
	return encode(&msgpb.DropPartitionRequest{
		Base:         &commonpb.MsgBase{MsgType: commonpb.MsgType_DropPartition, Timestamp: ts, SourceID: serverID},
		CollectionID: collectionID, PartitionID: id, PartitionName: name,
	}, collectionID)
}

// ReplicateEnd says that what is named is no replica of another cluster's any more; no collection stands for a whole database.
func ReplicateEnd(database, collection, replicateID string, ts uint64, serverID int64) (Message, error) {
	return encode(&msgpb.ReplicateMsg{
		Base: &commonpb.MsgBase{
			MsgType: commonpb.MsgType_Replicate, Timestamp: ts, SourceID: serverID,
			ReplicateInfo: &commonpb.ReplicateInfo{IsReplicate: true, ReplicateID: replicateID},
		},
		IsEnd: true, Database: database, Collection: collection,
	}, 0)
}

// TimeTick says that nothing before or at ts comes any more.
func TimeTick(ts uint64, serverID int64) (Message, error) {
	return encode(&msgpb.TimeTickMsg{
		Base: &commonpb.MsgBase{MsgType: commonpb.MsgType_TimeTick, Timestamp: ts, SourceID: serverID},
	}, 0)
}
