package sessionutil

import (
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/milvus-coord/milvus/internal/etcdutil"
)

// Config describes one process of one role. It does not change while the session runs.
type Config struct {
	MetaRoot   string   // <etcd.rootPath>/<etcd.metaSubPath>
	Role       string   // "rootcoord"
	Companions []string // further active keys that Milvus expects beside the role's, such as "indexcoord"

	ServerID int64
	Address  string // what others dial, host:port
	HostName string
	Version  string   // of the Milvus line whose protocol is spoken, without "v"
	Binary   string   // version of this product
	HTTP     string   // address of the port for operators
	Direct   []string // addresses at which this process itself listens, without proxies or service names between

	Standby    bool          // active-standby; without it a taken role is an error
	TTL        time.Duration // of the lease, whole seconds
	RetryTimes int           // tries to get the role without Standby

	FastFailover   bool          // find death by evidence instead of waiting for the lease to expire
	Heartbeat      time.Duration // how often the lease is renewed
	ServeWindow    time.Duration // how long answers are given after the beginning of a successful heartbeat
	SilenceTimeout time.Duration // without renewal for this long, the holder of the active key is taken for dead
}

// Deps are what a session works with. All are owned by the caller.
type Deps struct {
	Client  *clientv3.Client
	Members *etcdutil.Members // the same etcd, one client a member, for the heartbeat
	Dial    []grpc.DialOption // how coordinators of this cluster are dialled
	Logger  *zap.Logger
	Metrics Metrics
}

// Metrics receives what a session measures. Calls must not block.
type Metrics interface {
	// Registered is called when the process' session has been put into etcd: at first, and whenever it was lost.
	Registered(role string)
	// Renewed is called after each successful heartbeat: how long it took, and whether it found takeovers paused.
	Renewed(role string, took time.Duration, paused bool)
	// Slack is called likewise for the active one: how far away the local deadline was when the heartbeat moved it on; below
	// zero if it had passed.
	Slack(role string, left time.Duration)
	// Missed is called for each heartbeat that failed.
	Missed(role string)
	// Lost is called when a lease, an active key or a term was lost without having been given up; see [Losses].
	Lost(role, cause string)
	// FencedOff is called for each write of a deposed term that etcd has refused.
	FencedOff(role string)
	// ActiveSeen is called while the process stands by: how long ago the holder of the role renewed its lease, by etcd's count
	// in whole seconds, and whether a health stream to it stands.
	ActiveSeen(role string, silence time.Duration, connected bool)
	// ActiveForgotten is called when the process has stopped watching the holder.
	ActiveForgotten(role string)
}

// Why a lease, an active key or a term was lost, as metrics say it. A process that is taken for dead loses all that hangs
// on its lease, so one event may be counted under two of them.
const (
	LossLease  = "lease gone" // it ran out, or somebody revoked it
	LossKey    = "key gone"   // the active key was deleted, or is another process' now
	LossSilent = "silent"     // heartbeats came through again after so long that the term had to be given up
)

// Losses lists the causes of [Metrics.Lost].
func Losses() []string { return []string{LossLease, LossKey, LossSilent} }

// TakenError is returned by [Session.Run] without Standby when another process holds the role.
type TakenError struct {
	Role   string
	Key    string
	Holder string // who, where, since when
}

// Error says who holds the role and how to become its standby.
func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is already served: %s holds %s; to run this process as its standby set %s.activeStandby.enabled: true for both",
		e.Role, e.Holder, e.Key, configSection(e.Role))
}

func configSection(role string) string {
	switch role {
	case "rootcoord":
		return "rootCoord"
	case "datacoord":
		return "dataCoord"
	case "querycoord":
		return "queryCoord"
	}
	return role
}

// validate refuses what would make the protocol unsound; see doc.go for why the order of the durations matters.
func (c Config) validate() error {
	switch {
	case c.MetaRoot == "" || c.Role == "" || c.Address == "":
		return errors.New("sessionutil: MetaRoot, Role and Address are required")
	case c.ServerID <= 0:
		return errors.New("sessionutil: a session needs a ServerID")
	case c.TTL < time.Second || c.TTL%time.Second != 0:
		return fmt.Errorf("common.session.ttl: %v is not a whole number of seconds above zero", c.TTL)
	case c.Heartbeat <= 0 || 2*c.Heartbeat >= c.ServeWindow:
		return fmt.Errorf("common.session.serveWindow: %v must be longer than two heartbeats of %v", c.ServeWindow, c.Heartbeat)
	case c.ServeWindow >= c.SilenceTimeout:
		return fmt.Errorf("common.session.silenceTimeout: %v must be longer than common.session.serveWindow, %v", c.SilenceTimeout, c.ServeWindow)
	case c.SilenceTimeout >= c.TTL:
		return fmt.Errorf("common.session.ttl: %v must be longer than common.session.silenceTimeout, %v", c.TTL, c.SilenceTimeout)
	}
	return nil
}
