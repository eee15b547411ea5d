package mq

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
)

// Producer sends messages. Safe for concurrent use.
type Producer interface {
	// Send stores one message on a channel and returns its position there.
	Send(ctx context.Context, channel string, m Message) (position []byte, err error)
	// Close ends what is under way, with errors.
	Close()
}

// Message is one message as it is stored.
type Message struct {
	Payload    []byte
	Properties map[string]string
}

// Types of brokers.
const (
	None   = "none" // there is no data path: no broker, no nodes
	Kafka  = "kafka"
	Pulsar = "pulsar"
)

// Config says which broker, and how it is reached.
type Config struct {
	Type    string
	Timeout time.Duration // of one Send
	Kafka   KafkaConfig
	Pulsar  PulsarConfig
}

// Open makes a producer. It does no I/O: a broker that is away is an error of Send. For None there is none.
func Open(cfg Config, logger *zap.Logger) (Producer, error) {
	switch cfg.Type {
	case Kafka:
		return openKafka(cfg, logger)
	case Pulsar:
		return openPulsar(cfg, logger)
	}
	return nil, fmt.Errorf("mq: %q is no type of broker", cfg.Type)
}

// unavailable is the error of a Send that the broker did not answer.
func unavailable(broker, channel string, cause error) error {
	return errs.Unavailable.With(cause.Error(), errs.F("broker", broker), errs.F("channel", channel))
}

// refused is the error of a Send that the broker will never take.
func refused(broker, channel string, cause error) error {
	return errs.MqInternal.With(cause.Error(), errs.F("broker", broker), errs.F("channel", channel))
}
