package failover

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The checker must find what it is there for.
func TestDisorderIsFound(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(0, 0).Add(time.Duration(ms) * time.Millisecond) }
	ordered := []grant{{at(0), at(1), 10, 5}, {at(2), at(3), 15, 1}, {at(2), at(4), 16, 1}}
	require.Empty(t, disorder("timestamp", ordered))
	require.Empty(t, disorder("timestamp", []grant{{at(0), at(9), 20, 1}, {at(1), at(2), 10, 1}}), "concurrent calls have no order")
	require.Len(t, disorder("timestamp", append(ordered, grant{at(9), at(10), 17, 1}, grant{at(9), at(10), 17, 1})), 1, "twice")
	require.Len(t, disorder("timestamp", append(ordered, grant{at(9), at(10), 3, 1})), 1, "backwards")
}
