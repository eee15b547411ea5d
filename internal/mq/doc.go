// Package mq sends messages to the broker from which data nodes and query nodes read: Kafka or Pulsar.
//
// A [Producer] promises that a message which it acknowledged is stored, that messages of one goroutine on one channel are
// stored in the order in which they were sent, and that Send has an end: a broker that is away makes it fail after
// [Config.Timeout] with an error of kind errs.Unavailable, which callers may answer with "try again". What the broker refuses
// for good, such as a message that is too large for it, is one of kind errs.MqInternal. The producer finds
// the broker again by itself. After an error the message may have been stored, or be stored later, but not after a message
// sent later on the same channel.
//
// Messages are what Milvus' consumers decode: a msgpb message as it is, and properties by which they are sorted before
// that. Positions are in the bytes that Milvus stores as start positions: a Kafka offset as eight bytes, little endian; a
// Pulsar message id in Pulsar's own serialization.
//
// Channels are topics of one partition. They are created by the broker when the first message comes, so its automatic
// creation of topics must be on, as Milvus needs it as well.
package mq
