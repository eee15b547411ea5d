package config

import (
	"math"
	"strings"
	"time"
)

// Kinds of message queue, as mq.type and MQ.Type name them.
const (
	mqDefault = "default"
	mqPulsar  = "pulsar"
	mqKafka   = "kafka"
	mqNone    = "none"
)

func mqSpecs() []*spec {
	return append([]*spec{
		choice("mq.type", mqDefault, []string{mqDefault, mqPulsar, mqKafka, mqNone},
			"Message queue of the DML channels; default is the one whose address is set, pulsar before kafka, else none.",
			func(c *Config) *string { return &c.MQ.Type }),
		endpoint("pulsar.address", "localhost", "host or a URL such as pulsar://host:port",
			"Pulsar; without a colon, pulsar:// and pulsar.port are added.",
			func(c *Config) *string { return &c.Pulsar.URL }),
		sparePort("pulsar.port", "6650", "Port of Pulsar, if its address has none."),
		text("pulsar.authPlugin", "", "Class name of Pulsar's way to log in, such as its AuthenticationToken; nothing is none.",
			func(c *Config) *string { return &c.Pulsar.AuthPlugin }),
		text("pulsar.authParams", "", "What the plugin needs, as name:value, separated by commas.",
			func(c *Config) *string { return &c.Pulsar.AuthParams }).asSecret(),
		name("pulsar.tenant", "public", "Pulsar tenant of the topics.", func(c *Config) *string { return &c.Pulsar.Tenant }),
		name("pulsar.namespace", "default", "Pulsar namespace of the topics.", func(c *Config) *string { return &c.Pulsar.Namespace }),
		number("pulsar.maxMessageSize", 2<<20, 1, math.MaxInt32, "Largest message, in bytes, that Pulsar takes.",
			func(c *Config) *int { return &c.Pulsar.MaxMessageSize }).withoutEffect(),
		seconds("pulsar.requestTimeout", "60", time.Millisecond, "Seconds for one request to Pulsar.",
			func(c *Config) *time.Duration { return &c.Pulsar.RequestTimeout }).withoutEffect(),
	}, kafkaSpecs()...)
}

func kafkaSpecs() []*spec {
	return []*spec{
		{key: "kafka.brokerList", def: "localhost:9092", list: true, doc: "Brokers of Kafka to start from.",
			allowed: "a comma list of host or host:port", set: setBrokers},
		text("kafka.saslUsername", "", "User to log in to Kafka as.", func(c *Config) *string { return &c.Kafka.SaslUsername }),
		text("kafka.saslPassword", "", "The user's password.", func(c *Config) *string { return &c.Kafka.SaslPassword }).asSecret(),
		choice("kafka.saslMechanisms", "", []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, "How to log in; nothing is PLAIN.",
			func(c *Config) *string { return &c.Kafka.SaslMechanism }),
		choice("kafka.securityProtocol", "", []string{"", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"},
			"Encryption and login; nothing is SASL_SSL with a user, SSL with kafka.ssl.enabled, else PLAINTEXT.",
			func(c *Config) *string { return &c.Kafka.SecurityProtocol }),
		boolean("kafka.ssl.enabled", "false", "Show the certificate and trust the authority of the keys below.",
			func(c *Config) *bool { return &c.Kafka.SSL.Enabled }),
		text("kafka.ssl.tlsCert", "", "File with the client certificate.", func(c *Config) *string { return &c.Kafka.SSL.TLSCert }),
		text("kafka.ssl.tlsKey", "", "File with the client certificate's key.", func(c *Config) *string { return &c.Kafka.SSL.TLSKey }),
		text("kafka.ssl.tlsCaCert", "", "File with the authorities to trust; without it, the system's.",
			func(c *Config) *string { return &c.Kafka.SSL.TLSCACert }),
		text("kafka.ssl.tlsKeyPassword", "", "Password of the key file, if it has one.",
			func(c *Config) *string { return &c.Kafka.SSL.KeyPassword }).asSecret(),
	}
}

func setBrokers(c *Config, raw string) (string, error) {
	var brokers []string
	for broker := range strings.SplitSeq(raw, ",") {
		broker = strings.TrimSpace(broker)
		if broker == "" || strings.ContainsAny(broker, " \t\r\n/") {
			return "", errNotAllowed
		}
		brokers = append(brokers, broker)
	}
	c.Kafka.Brokers = brokers
	return strings.Join(brokers, ","), nil
}

// chooseMQ resolves mq.type's default. milvus.yaml spells the addresses out as it is shipped, which is no choice.
func (l *loader) chooseMQ() {
	mq := &l.config.MQ
	if mq.Type == mqDefault || mq.Type == "" {
		switch {
		case l.byHand("pulsar.address"):
			mq.Type = mqPulsar
		case l.byHand("kafka.brokerList"):
			mq.Type = mqKafka
		default:
			mq.Type = mqNone
		}
	}
	if l.config.Kafka.SaslUsername != "" {
		l.needs("kafka.saslPassword", "kafka.saslUsername")
	}
	if l.config.Kafka.SaslPassword != "" {
		l.needs("kafka.saslUsername", "kafka.saslPassword")
	}
	if l.config.Kafka.SSL.TLSCert != "" {
		l.needs("kafka.ssl.tlsKey", "kafka.ssl.tlsCert")
	}
}
