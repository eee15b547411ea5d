package config

import (
	"errors"
	"slices"
	"strings"
	"time"
)

func etcdSpecs() []*spec {
	return []*spec{
		{key: "etcd.endpoints", def: "localhost:2379", list: true, doc: "Members of etcd.",
			allowed: "a comma list of host:port, each with an optional http:// or https://",
			set: func(c *Config, raw string) (string, error) {
				endpoints, err := parseEndpoints(raw)
				if err != nil {
					return "", err
				}
				c.Etcd.Endpoints = endpoints
				return strings.Join(endpoints, ","), nil
			}},
		{key: "etcd.use.embed", def: EmbedDefault, allowed: "default, true or false",
			doc: "Run an etcd inside the process, which standalone alone can; default: standalone does unless etcd.endpoints is set.",
			set: func(c *Config, raw string) (string, error) {
				value, err := parseEmbed(raw)
				c.Etcd.Embed.Use = value
				return value, err
			}},
		name("etcd.data.dir", "/var/lib/milvus/etcd", "Data directory of the embedded etcd.",
			func(c *Config) *string { return &c.Etcd.Embed.DataDir }),
		text("etcd.config.path", "", "File of etcd's own settings for the embedded etcd.",
			func(c *Config) *string { return &c.Etcd.Embed.ConfigPath }),
		{key: "etcd.embed.address", def: "localhost:2379", allowed: "host:port of this machine; port 0 is any free one",
			doc: "Where the embedded etcd takes clients; further coordinators find it there.",
			set: func(c *Config, raw string) (string, error) {
				err := checkListen(raw)
				c.Etcd.Embed.Address = raw
				return raw, err
			}},
		text("etcd.rootPath", "by-dev", "First part of every key of this cluster.", func(c *Config) *string { return &c.Etcd.RootPath }),
		name("etcd.metaSubPath", "meta", "Part of the keys of metadata and sessions, after the root path.",
			func(c *Config) *string { return &c.Etcd.MetaSubPath }),
		name("etcd.kvSubPath", "kv", "Part of the keys of the allocators, after the root path.",
			func(c *Config) *string { return &c.Etcd.KvSubPath }),
		boolean("etcd.ssl.enabled", "false", "Use TLS towards etcd.", func(c *Config) *bool { return &c.Etcd.SSL.Enabled }),
		text("etcd.ssl.tlsCert", "", "File with the client certificate.", func(c *Config) *string { return &c.Etcd.SSL.TLSCert }),
		text("etcd.ssl.tlsKey", "", "File with the client certificate's key.", func(c *Config) *string { return &c.Etcd.SSL.TLSKey }),
		text("etcd.ssl.tlsCACert", "", "File with the authorities to trust; without it, the system's.",
			func(c *Config) *string { return &c.Etcd.SSL.TLSCACert }),
		choice("etcd.ssl.tlsMinVersion", "1.3", []string{"1.0", "1.1", "1.2", "1.3"}, "Oldest TLS version that is accepted.",
			func(c *Config) *string { return &c.Etcd.SSL.TLSMinVersion }),
		millis("etcd.requestTimeout", "10000", "Milliseconds for one request to etcd.",
			func(c *Config) *time.Duration { return &c.Etcd.RequestTimeout }).withoutEffect(),
		boolean("etcd.auth.enabled", "false", "Log in to etcd.", func(c *Config) *bool { return &c.Etcd.Auth.Enabled }),
		text("etcd.auth.userName", "", "User to log in as.", func(c *Config) *string { return &c.Etcd.Auth.UserName }),
		text("etcd.auth.password", "", "The user's password.", func(c *Config) *string { return &c.Etcd.Auth.Password }).asSecret(),
	}
}

// storeSpecs are other stores. Of MinIO only the address is known so far.
func storeSpecs() []*spec {
	return []*spec{
		choice("metastore.type", "etcd", []string{"etcd"}, "Where metadata is kept.", func(c *Config) *string { return &c.MetaStore.Type }),
		duration("metastore.snapshot.ttl", "86400", time.Second, time.Second, 0, 365*24*time.Hour,
			"Seconds for which Milvus keeps time-travel copies of metadata.",
			func(c *Config) *time.Duration { return &c.MetaStore.SnapshotTTL }).withoutEffect(),
		duration("metastore.snapshot.reserveTime", "3600", time.Second, time.Second, 0, 365*24*time.Hour,
			"Seconds for which Milvus keeps the copies of dropped objects.",
			func(c *Config) *time.Duration { return &c.MetaStore.SnapshotReserveTime }).withoutEffect(),
		endpoint("minio.address", "localhost", "host or host:port", "Object store; without a port, minio.port is added.",
			func(c *Config) *string { return &c.MinIO.Address }).withoutEffect(),
		sparePort("minio.port", "9000", "Port of the object store, if its address has none.").withoutEffect(),
	}
}

// endpoint is an address that is completed later by a port key of its own.
func endpoint(key, def, allowed, doc string, field func(*Config) *string) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: allowed, set: func(c *Config, raw string) (string, error) {
		if raw == "" || strings.ContainsAny(raw, " \t\r\n") {
			return "", errNotAllowed
		}
		*field(c) = raw
		return raw, nil
	}}
}

// sparePort is a port that only completes an address; it has no field.
func sparePort(key, def, doc string) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: "a port, 1 to 65535", port: true,
		set: func(_ *Config, raw string) (string, error) {
			if _, err := parsePort(raw); err != nil {
				return "", errors.New("is not a port")
			}
			return raw, nil
		}}
}

func logSpecs() []*spec {
	return []*spec{
		choice("log.level", "info", []string{"debug", "info", "warn", "error", "panic", "fatal"},
			"Lowest level that is logged; it can be changed on /log/level while running.",
			func(c *Config) *string { return &c.Log.Level }),
		text("log.file.rootPath", "", "Directory of the log file; nothing means no file.",
			func(c *Config) *string { return &c.Log.File.RootPath }),
		number("log.file.maxSize", 300, 1, 1<<20, "Size in MiB at which the log file is rotated.",
			func(c *Config) *int { return &c.Log.File.MaxSizeMB }),
		number("log.file.maxAge", 10, 0, 36500, "Days for which a rotated file is kept; 0 is for ever.",
			func(c *Config) *int { return &c.Log.File.MaxAgeDays }),
		number("log.file.maxBackups", 20, 0, 1<<20, "How many rotated files are kept; 0 is all.",
			func(c *Config) *int { return &c.Log.File.MaxBackups }),
		choice("log.format", "text", []string{"text", "json"}, "Format of a line.", func(c *Config) *string { return &c.Log.Format }),
		boolean("log.stdout", "true", "Log to standard output.", func(c *Config) *bool { return &c.Log.Stdout }),
	}
}

func grpcSpecs() []*spec {
	return []*spec{
		choice("grpc.log.level", "WARNING", []string{"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL"},
			"Lowest level that the gRPC library logs.", func(c *Config) *string { return &c.GRPC.LogLevel }).withoutEffect(),
		seconds("grpc.gracefulStopTimeout", "10", 0, "Seconds for draining a gRPC server.",
			func(c *Config) *time.Duration { return &c.GRPC.GracefulStopTimeout }).withoutEffect(),
		boolean("grpc.client.compressionEnabled", "false", "Compress what clients send.",
			func(c *Config) *bool { return &c.GRPC.CompressionEnabled }).withoutEffect(),
		millis("grpc.client.dialTimeout", "200", "Milliseconds for connecting.",
			func(c *Config) *time.Duration { return &c.GRPC.DialTimeout }).withoutEffect(),
		millis("grpc.client.keepAliveTime", "10000", "Milliseconds of silence after which a client pings.",
			func(c *Config) *time.Duration { return &c.GRPC.KeepAliveTime }),
		millis("grpc.client.keepAliveTimeout", "20000", "Milliseconds that a ping may take.",
			func(c *Config) *time.Duration { return &c.GRPC.KeepAliveTimeout }),
		number("grpc.client.maxMaxAttempts", 10, 1, 1000, "How often a call is tried.",
			func(c *Config) *int { return &c.GRPC.MaxAttempts }).withoutEffect(),
		seconds("grpc.client.initialBackoff", "0.2", time.Millisecond, "Seconds before the second try; doubled with each.",
			func(c *Config) *time.Duration { return &c.GRPC.InitialBackoff }).withoutEffect(),
		seconds("grpc.client.maxBackoff", "10", time.Millisecond, "Most seconds between two tries.",
			func(c *Config) *time.Duration { return &c.GRPC.MaxBackoff }).withoutEffect(),
		millis("grpc.client.minResetInterval", "1000", "Fewest milliseconds between two new connections.",
			func(c *Config) *time.Duration { return &c.GRPC.MinResetInterval }).withoutEffect(),
		number("grpc.client.maxCancelError", 32, 1, 100000, "Cancelled calls in a row after which a client connects anew.",
			func(c *Config) *int { return &c.GRPC.MaxCancelError }).withoutEffect(),
		millis("grpc.client.minSessionCheckInterval", "200", "Fewest milliseconds between two looks at a session.",
			func(c *Config) *time.Duration { return &c.GRPC.MinSessionCheckInterval }).withoutEffect(),
	}
}

func tlsSpecs() []*spec {
	return []*spec{
		text("internaltls.serverPemPath", "", "File with the certificate of this component.",
			func(c *Config) *string { return &c.InternalTLS.ServerPemPath }),
		text("internaltls.serverKeyPath", "", "File with the certificate's key.",
			func(c *Config) *string { return &c.InternalTLS.ServerKeyPath }),
		text("internaltls.caPemPath", "", "File with the authority that signed the other components' certificates.",
			func(c *Config) *string { return &c.InternalTLS.CaPemPath }),
		text("internaltls.sni", "", "Name that a client expects in a component's certificate.",
			func(c *Config) *string { return &c.InternalTLS.SNI }),
	}
}

func commonSpecs() []*spec {
	return []*spec{
		name("common.defaultPartitionName", "_default", "Name of the partition that every collection has.",
			func(c *Config) *string { return &c.Limits.DefaultPartitionName }),
		name("common.defaultIndexName", "_default_idx", "Name of an index that is given none.",
			func(c *Config) *string { return &c.Limits.DefaultIndexName }).withoutEffect(),
		boolean("common.ttMsgEnabled", "true", "Send time ticks and DDL messages on the DML channels.",
			func(c *Config) *bool { return &c.TimeTick.Enabled }),
		boolean("common.preCreatedTopic.enabled", "false", "Use topics that were made beforehand as DML channels, instead of numbered ones.",
			func(c *Config) *bool { return &c.Limits.NamedChannels }),
		{key: "common.preCreatedTopic.names", def: "topic1,topic2", list: true, doc: "Those topics, all different.",
			allowed: "a comma list of names", set: setChannelNames},
		boolean("common.security.internaltlsEnabled", "false", "Use TLS between components.",
			func(c *Config) *bool { return &c.InternalTLS.Enabled }),
		portNumber("common.metricsPort", 9091, "Port of /metrics, /healthz and their kin; if it is taken and not set by hand, the next free one.",
			func(c *Config) *int { return &c.HTTP.Port }).
			withAlso("metrics.port"), // so that the variable METRICS_PORT is read
		boolean("webui.enabled", "true", "Serve the status page, /webui/ on the metrics port.",
			func(c *Config) *bool { return &c.HTTP.WebUI }),
		boolean("webui.actions", "false", "Let whoever opens the status page switch over, pause and resume takeovers.",
			func(c *Config) *bool { return &c.HTTP.WebActions }),
	}
}

func setChannelNames(c *Config, raw string) (string, error) {
	var names []string
	for name := range strings.SplitSeq(raw, ",") {
		name = strings.TrimSpace(name)
		if name == "" || strings.ContainsAny(name, " \t\r\n/") || slices.Contains(names, name) {
			return "", errNotAllowed
		}
		names = append(names, name)
	}
	c.Limits.ChannelNames = names
	return strings.Join(names, ","), nil
}

func sessionSpecs() []*spec {
	return []*spec{
		duration("common.session.ttl", "60", time.Second, time.Second, 2*time.Second, maxDuration,
			"Seconds that a session outlives its process if nothing better is known.",
			func(c *Config) *time.Duration { return &c.Session.TTL }),
		number("common.session.retryTimes", 30, 1, 1_000_000, "How often registering is tried without active-standby.",
			func(c *Config) *int { return &c.Session.RetryTimes }),
		boolean("common.session.fastFailover.enabled", "true",
			"Let a standby take over on evidence of the active one's death, instead of when the session expires.",
			func(c *Config) *bool { return &c.Session.FastFailover }),
		seconds("common.session.serveWindow", "4", time.Millisecond,
			"Seconds after its last heartbeat up to which an active coordinator answers.",
			func(c *Config) *time.Duration { return &c.Session.ServeWindow }),
		seconds("common.session.silenceTimeout", "5", time.Millisecond,
			"Seconds without a heartbeat after which a standby takes over.",
			func(c *Config) *time.Duration { return &c.Session.SilenceTimeout }),
	}
}

func traceSpecs() []*spec {
	return []*spec{
		choice("trace.exporter", "noop", []string{"noop", "stdout", "jaeger", "otlp"}, "Where spans go.",
			func(c *Config) *string { return &c.Trace.Exporter }).withoutEffect(),
		fraction("trace.sampleFraction", "0", "Share of calls that are traced.",
			func(c *Config) *float64 { return &c.Trace.SampleFraction }).withoutEffect(),
		text("trace.jaeger.url", "", "Collector of jaeger.", func(c *Config) *string { return &c.Trace.JaegerURL }).withoutEffect(),
		text("trace.otlp.endpoint", "", "Collector of otlp.", func(c *Config) *string { return &c.Trace.OtlpEndpoint }).withoutEffect(),
		choice("trace.otlp.method", "", []string{"", "grpc", "http"}, "Protocol of otlp; nothing is grpc.",
			func(c *Config) *string { return &c.Trace.OtlpMethod }).withoutEffect(),
		boolean("trace.otlp.secure", "true", "Use TLS towards otlp.", func(c *Config) *bool { return &c.Trace.OtlpSecure }).withoutEffect(),
		seconds("trace.initTimeoutSeconds", "10", time.Millisecond, "Seconds for reaching the collector at start.",
			func(c *Config) *time.Duration { return &c.Trace.InitTimeout }).withoutEffect(),
	}
}
