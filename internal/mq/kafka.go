package mq

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"go.uber.org/zap"
)

// KafkaConfig says how Kafka is reached; the fields are Milvus' kafka.* keys.
type KafkaConfig struct {
	Brokers          []string
	SaslUsername     string
	SaslPassword     string
	SaslMechanisms   string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	SecurityProtocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL; empty: SASL_SSL with a user, SSL with TLS, else PLAINTEXT
	TLS              bool
	TLSCACert        string // file with the authorities to trust; without it, the system's
	TLSCert          string
	TLSKey           string
}

// kafkaLongest is the longest message that is sent, as in Milvus.
const kafkaLongest = 10 << 20

type kafka struct {
	client  *kgo.Client
	timeout time.Duration
}

func openKafka(cfg Config, logger *zap.Logger) (Producer, error) {
	k := cfg.Kafka
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.AllowAutoTopicCreation(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(0),                   // a DDL waits for each of these
		kgo.ProducerBatchMaxBytes(kafkaLongest), // the broker may take less, and says so then
		// Channels have one partition. A topic that was made with more is written to its first, as Milvus reads it.
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(cfg.Timeout),
		kgo.MetadataMinAge(100 * time.Millisecond), // a topic that is being created is there in a moment
		kgo.UnknownTopicRetries(-1),                // until the time is up
		kgo.WithLogger(kafkaLogger{logger}),
	}
	protocol := k.protocol()
	if protocol == "SSL" || protocol == "SASL_SSL" {
		config, err := k.tls()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if strings.HasPrefix(protocol, "SASL") {
		mechanism, err := k.sasl()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("mq: kafka: %w", err)
	}
	return &kafka{client: client, timeout: cfg.Timeout}, nil
}

func (k KafkaConfig) protocol() string {
	switch {
	case k.SecurityProtocol != "":
		return strings.ToUpper(k.SecurityProtocol)
	case k.SaslUsername != "":
		return "SASL_SSL"
	case k.TLS:
		return "SSL"
	}
	return "PLAINTEXT"
}

func (k KafkaConfig) sasl() (sasl.Mechanism, error) {
	scramAuth := scram.Auth{User: k.SaslUsername, Pass: k.SaslPassword}
	switch strings.ToUpper(k.SaslMechanisms) {
	case "", "PLAIN":
		return plain.Auth{User: k.SaslUsername, Pass: k.SaslPassword}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scramAuth.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scramAuth.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka.saslMechanisms: %q is not known, allowed: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", k.SaslMechanisms)
}

func (k KafkaConfig) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.TLSCACert != "" {
		pem, err := os.ReadFile(k.TLSCACert)
		if err != nil {
			return nil, fmt.Errorf("kafka.ssl.tlsCaCert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.ssl.tlsCaCert: no certificate in %s", k.TLSCACert)
		}
	}
	if k.TLSCert != "" || k.TLSKey != "" {
		pair, err := tls.LoadX509KeyPair(k.TLSCert, k.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("kafka.ssl.tlsCert, kafka.ssl.tlsKey: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// Send implements Producer.
func (k *kafka) Send(ctx context.Context, channel string, m Message) ([]byte, error) {
	bound, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	record := &kgo.Record{Topic: channel, Value: m.Payload}
	for _, key := range sortedKeys(m.Properties) {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: key, Value: []byte(m.Properties[key])})
	}
	stored, err := k.client.ProduceSync(bound, record).First()
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("send to %s: %w", channel, errors.Join(context.Cause(ctx), err))
		}
		if said := (*kerr.Error)(nil); errors.As(err, &said) && !said.Retriable {
			return nil, refused(Kafka, channel, err)
		}
		return nil, unavailable(Kafka, channel, err)
	}
	return kafkaPosition(stored.Offset), nil
}

// kafkaPosition is an offset as Milvus stores it.
func kafkaPosition(offset int64) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(offset)) //nolint:gosec // offsets are not negative
}

// Close implements Producer.
func (k *kafka) Close() { k.client.Close() }

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// kafkaLogger passes on what the client has to say about brokers that are away.
type kafkaLogger struct{ logger *zap.Logger }

// Level implements kgo.Logger.
func (kafkaLogger) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements kgo.Logger.
func (l kafkaLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	fields := make([]zap.Field, 0, len(keyvals)/2)
	for i := 0; i+1 < len(keyvals); i += 2 {
		fields = append(fields, zap.Any(fmt.Sprint(keyvals[i]), keyvals[i+1]))
	}
	if level <= kgo.LogLevelWarn && level != kgo.LogLevelNone {
		l.logger.Warn("kafka: "+msg, fields...)
	}
}
