package mq

import (
	"encoding/hex"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/schemapb"
	"github.com/stretchr/testify/require"
)

// The payloads, as Milvus' own protobuf code writes them: first of all the base, of which consumers read the type.
func TestPayloads(t *testing.T) {
	collection := Collection{
		ID: 7, Name: "c", PartitionIDs: []int64{65}, Schema: &schemapb.CollectionSchema{Name: "c"},
		VirtualChannels: []string{"v-0"}, PhysicalChannels: []string{"m"},
	}
	for name, tc := range map[string]struct {
		make func() (Message, error)
		want string
	}{
		"CreateCollection": {
			func() (Message, error) { return CreateCollection(collection, 1234) },
			"0a05" + "086418d209" + // type, time
				"3007" + "42030a0163" + "4a03762d30" + "52016d" + "5a0141", // id, schema, channels, partitions
		},
		"DropCollection": {
			func() (Message, error) { return DropCollection(7, "c", 1234, 5) },
			"0a07" + "086518d2092005" + // type, time, who
				"1a0163" + "2807",
		},
		"DropPartition": {
			func() (Message, error) { return DropPartition(7, 65, "p", 1234, 5) },
			"0a08" + "08c90118d2092005" + "220170" + "3007" + "3841",
		},
		"TimeTick": {
			func() (Message, error) { return TimeTick(1234, 5) },
			"0a08" + "08b00918d2092005",
		},
		"ReplicateEnd": {
			func() (Message, error) { return ReplicateEnd("d", "c", "r", 1234, 5) },
			"0a0f" + "08bc0918d2092005" + "3a050801" + "1a0172" + "1001" + "220164" + "2a0163",
		},
	} {
		m, err := tc.make()
		require.NoError(t, err)
		require.Equal(t, tc.want, hex.EncodeToString(m.Payload), name)
	}
}
