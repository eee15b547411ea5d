package rootcoord

import (
	"fmt"
	"math"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/model"
)

const (
	defaultDatabase   = model.DefaultDatabase
	defaultDatabaseID = int64(1)
	latest            = uint64(math.MaxUint64) // the timestamp that means "as of now"
)

// checkType refuses a request whose Base says that it is another one. Clients rely on nothing here; Milvus checks it, so
// a client that forgets it finds out on both.
func checkType(base *commonpb.MsgBase, want commonpb.MsgType) error {
	if got := base.GetMsgType(); got != want {
		return fmt.Errorf("msg type is %s, not %s", got, want)
	}
	return nil
}

// checkNamed refuses to make something that nobody could name. The form of names is the proxies' to judge otherwise.
func checkNamed(what, name string) error {
	if name == "" {
		return errs.ParameterInvalid.Withf("the %s has no name", what)
	}
	return nil
}

// databaseName is the database that a request names; none means the default one.
func databaseName(asked string) string {
	if asked == "" {
		return defaultDatabase
	}
	return asked
}

// asOf is the timestamp at which a request wants to look; 0 means now.
func asOf(asked uint64) uint64 {
	if asked == 0 {
		return latest
	}
	return asked
}

// physicalMillis is the wall-clock part of a hybrid timestamp, in milliseconds since 1970.
func physicalMillis(ts uint64) uint64 { return ts >> 18 }
