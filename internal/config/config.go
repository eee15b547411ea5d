package config

import (
	"path"
	"time"
)

// Config is the whole configuration of a process. Sizes are bytes. It is never changed after Load.
type Config struct {
	Etcd       Etcd
	MetaStore  MetaStore
	Session    Session
	RootCoord  Coord
	DataCoord  Coord
	QueryCoord Coord
	Cluster    string // msgChannel.chanNamePrefix.cluster: names the cluster to its clients and prefixes its channels
	Channels   Channels
	Limits     RootLimits
	Quota      Quota
	// ProxyCallTimeout bounds a call of RootCoord to a proxy.
	ProxyCallTimeout time.Duration
	Security         Security
	Log              Log
	HTTP             HTTP
	InternalTLS      TLS
	GRPC             GRPC
	MinIO            MinIO
	MQ               MQ
	Pulsar           Pulsar
	Kafka            Kafka
	TimeTick         TimeTick
	Trace            Trace
	Kubernetes       Kubernetes
}

// Etcd says how to reach etcd, and where in it the cluster's keys are.
type Etcd struct {
	// Endpoints are host:port, without scheme; at least one. EndpointsSet tells that they were chosen by hand, see Coord.
	// Else they follow Embed.Address, unless Embed.Use is false.
	Endpoints    []string
	EndpointsSet bool
	Embed        EtcdEmbed
	RootPath     string
	MetaSubPath  string
	KvSubPath    string
	SSL          EtcdSSL
	Auth         EtcdAuth
	// RequestTimeout bounds one request.
	RequestTimeout time.Duration
}

// MetaRoot is the path under which the metadata and the sessions are: by-dev/meta.
func (e Etcd) MetaRoot() string { return path.Join(e.RootPath, e.MetaSubPath) }

// KvRoot is the path under which the allocators' bounds are: by-dev/kv.
func (e Etcd) KvRoot() string { return path.Join(e.RootPath, e.KvSubPath) }

// EtcdSSL is TLS towards etcd. The three paths may be empty: without TLSCACert the system's roots are trusted, without
// TLSCert and TLSKey (both or none) no client certificate is shown.
type EtcdSSL struct {
	Enabled       bool
	TLSCert       string
	TLSKey        string
	TLSCACert     string
	TLSMinVersion string // 1.0, 1.1, 1.2 or 1.3
}

// EtcdAuth is etcd's login. UserName is not empty if it is enabled.
type EtcdAuth struct {
	Enabled  bool
	UserName string
	Password string
}

// EtcdEmbed is about the etcd inside a standalone process.
type EtcdEmbed struct {
	Use        string // EmbedDefault, "true" or "false"
	DataDir    string
	ConfigPath string // empty: none
	Address    string // host:port to listen on; port 0 is any free one
}

// EmbedDefault leaves it to the kind of process and to the endpoints whether an etcd is embedded.
const EmbedDefault = "default"

// MetaStore is where the metadata is. Only etcd is.
type MetaStore struct {
	Type string
	// SnapshotTTL and SnapshotReserveTime are how long Milvus keeps time-travel copies of metadata.
	SnapshotTTL         time.Duration
	SnapshotReserveTime time.Duration
}

// Session holds the times of the election. Heartbeat < ServeWindow < SilenceTimeout < TTL.
type Session struct {
	// TTL is the session lease's; whole seconds.
	TTL time.Duration
	// RetryTimes is how often registering is tried without active-standby.
	RetryTimes int
	// FastFailover lets a standby act on evidence of the active one's death, instead of waiting for the lease to expire.
	FastFailover bool
	// ServeWindow is how long after its last heartbeat an active coordinator may answer.
	ServeWindow time.Duration
	// SilenceTimeout is how long a lease must have gone without renewal to count as evidence.
	SilenceTimeout time.Duration
}

// Heartbeat is the time between two heartbeats of a session. It is no key: the other times are built on it.
const Heartbeat = time.Second

// Coord is what one coordinator needs to know about itself.
type Coord struct {
	// Address, IP and Port are as configured. PortSet tells that Port was chosen by hand: from the environment, a file
	// other than milvus.yaml, or with a value other than the default, which milvus.yaml spells out as it is shipped.
	Address string
	IP      string
	Port    int
	PortSet bool

	// ListenPort is the port to listen on; 0 is any free one.
	ListenPort int
	// AdvertiseHost is what is registered for others to dial: IP, else the host of Address, without brackets.
	// "localhost" stands for this host's own address, see AdvertiseLocal.
	AdvertiseHost string
	// AdvertisePort is the registered port; 0 is the one that is listened on.
	AdvertisePort int

	// ActiveStandby is the HA switch.
	ActiveStandby bool
	// GracefulStopTimeout bounds draining when the process is told to stop.
	GracefulStopTimeout time.Duration

	// Limits of one gRPC message.
	ServerMaxSendSize int
	ServerMaxRecvSize int
	ClientMaxSendSize int
	ClientMaxRecvSize int
}

// AdvertiseLocal tells that the address to register has to be found: it is the local address of the connection to etcd.
func (c Coord) AdvertiseLocal() bool { return c.AdvertiseHost == "" || c.AdvertiseHost == "localhost" }

// Channels are the names of message channels, without the cluster's prefix.
type Channels struct {
	RootCoordTimeTick    string
	RootCoordStatistics  string
	RootCoordDml         string
	ReplicateMsg         string
	QueryTimeTick        string
	DataCoordTimeTick    string
	DataCoordSegmentInfo string
}

// Quota is what the proxies are told to refuse, and from when the cluster counts as unhealthy. Disk sizes are bytes, 0 or
// less is no limit.
type Quota struct {
	Enabled            bool
	Interval           time.Duration
	DenyWriting        bool
	DenyReading        bool
	TimeTickProtection bool
	MaxTimeTickDelay   time.Duration
	DiskProtection     bool
	Disk               float64
	DiskPerDB          float64
	DiskPerCollection  float64
	DiskPerPartition   float64
	MemoryProtection   bool
	QueryMemory        WaterLevels
	DataMemory         WaterLevels
	GrowingProtection  bool
	Growing            WaterLevels
	GrowingFloor       float64
	LimitDML           bool
	InsertRate         RateLimit
	UpsertRate         RateLimit
	DeleteRate         RateLimit
}

// WaterLevels are shares of a node's memory between which writing is slowed down.
type WaterLevels struct{ Low, High float64 }

// RateLimit is of one collection, in bytes a second; a Max below 0 is no limit.
type RateLimit struct{ Max, Min float64 }

// RootLimits are what RootCoord allows, and the names it gives.
type RootLimits struct {
	MaxDatabaseNum        int // with the default one
	MaxCollectionNum      int
	MaxCollectionNumPerDB int
	MaxPartitionNum       int // of one collection
	MaxGeneralCapacity    int // sum of partitions x shards of all collections; at least 512
	DmlChannelNum         int
	NamedChannels         bool     // the DML channels have the names below, instead of numbers
	ChannelNames          []string // as configured, whether they are used or not
	MaxShardNum           int
	MaxNameLength         int
	MaxFieldNum           int
	MaxVectorFieldNum     int
	DefaultPartitionName  string
	DefaultIndexName      string
	DefaultDBProperties   map[string]string // of the default database, when it is made
}

// Security is about the cluster's own users.
type Security struct {
	AuthorizationEnabled bool
	DefaultRootPassword  string
	PublicGrants         bool // to everybody
	MaxUsers             int  // with root
	MaxRoles             int  // with admin and public
	// Groups are the privileges of the nine groups that every cluster has, by the group's name, as far as they are set;
	// they count if OverrideGroups is on.
	OverrideGroups bool
	Groups         map[string][]string
	// Roles are made at every activation if DeclareRoles is on.
	DeclareRoles bool
	Roles        map[string]DeclaredRole
}

// DeclaredRole is one of builtinRoles.roles.
type DeclaredRole struct {
	Privileges []DeclaredGrant `json:"privileges"`
}

// DeclaredGrant is a privilege that such a role has.
type DeclaredGrant struct {
	ObjectType string `json:"object_type"`
	ObjectName string `json:"object_name"`
	Database   string `json:"db_name"`
	Privilege  string `json:"privilege"`
}

// Log is what package log needs.
type Log struct {
	Level  string // in lower case
	Format string // text or json
	Stdout bool
	File   LogFile
}

// LogFile is the rotated log file; none if RootPath is empty.
type LogFile struct {
	RootPath   string
	MaxSizeMB  int
	MaxAgeDays int
	MaxBackups int
}

// HTTP is the port of /metrics, /healthz and their kin.
type HTTP struct {
	Port int // 0 is any free one
	// PortSet tells that the port was chosen by hand, see Coord. Then no other is taken in its place.
	PortSet     bool
	EnablePprof bool
	WebUI       bool // the status page
	WebActions  bool // it may switch over, pause and resume
}

// TLS is the encryption of the calls between components.
type TLS struct {
	Enabled       bool
	ServerPemPath string
	ServerKeyPath string
	CaPemPath     string
	SNI           string // the name that a client checks
}

// GRPC holds what is common to all gRPC servers and clients.
type GRPC struct {
	LogLevel string // in upper case
	// GracefulStopTimeout bounds the draining of a gRPC server.
	GracefulStopTimeout time.Duration

	DialTimeout             time.Duration
	KeepAliveTime           time.Duration
	KeepAliveTimeout        time.Duration
	MaxAttempts             int
	InitialBackoff          time.Duration
	MaxBackoff              time.Duration
	MinResetInterval        time.Duration
	MaxCancelError          int
	MinSessionCheckInterval time.Duration
	CompressionEnabled      bool
}

// MinIO is the object store. Nothing reads it yet.
type MinIO struct {
	Address string // host:port
}

// MQ says which message queue carries the DML channels.
type MQ struct {
	// Type is pulsar, kafka or none. The key's "default" is resolved here: the one whose address was chosen by hand,
	// pulsar before kafka, else none.
	Type string
}

// Pulsar is how to reach Pulsar.
type Pulsar struct {
	URL            string // pulsar://host:port
	AuthPlugin     string
	AuthParams     string // name:value, separated by commas; a secret
	Tenant         string
	Namespace      string
	MaxMessageSize int
	RequestTimeout time.Duration
}

// Kafka is how to reach Kafka.
type Kafka struct {
	Brokers          []string
	SaslUsername     string // both or none of name and password
	SaslPassword     string
	SaslMechanism    string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or empty, which is PLAIN
	SecurityProtocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL or empty, which follows from the other keys
	SSL              KafkaSSL
}

// KafkaSSL is TLS towards Kafka.
type KafkaSSL struct {
	Enabled     bool
	TLSCert     string
	TLSKey      string
	TLSCACert   string
	KeyPassword string
}

// TimeTick is about the ticks on the DML channels.
type TimeTick struct {
	Enabled  bool
	Interval time.Duration
}

// Kubernetes is about the pod that this process runs in, if it does. Name and namespace are not empty if LabelActive is on.
type Kubernetes struct {
	LabelActive  bool
	Selector     string
	PodName      string
	PodNamespace string
}

// Trace says where spans go.
type Trace struct {
	Exporter       string // noop, stdout, jaeger or otlp
	SampleFraction float64
	JaegerURL      string
	OtlpEndpoint   string
	OtlpMethod     string // grpc, http or empty, which is grpc
	OtlpSecure     bool
	InitTimeout    time.Duration
}
