package failover

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/haview"
)

// reader looks at the stage as an operator's command does.
func (s *stage) reader() *haview.Reader {
	return &haview.Reader{Client: s.client, MetaRoot: "by-dev/meta", Roles: []string{"rootcoord"}, HTTP: http.DefaultClient, Patience: time.Minute}
}

func TestSwitchoverLosesNoCall(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for range 10 {
		holder, term := s.active()
		require.Eventually(t, func() bool {
			view, err := s.reader().Read(t.Context())
			return err == nil && view.Fine()
		}, 3*time.Minute, 10*time.Millisecond)
		done, err := s.reader().Switch(t.Context(), "rootcoord", 0)
		require.NoError(t, err)
		heir, next := s.next(term)
		require.NotEqual(t, holder.Name(), heir.Name())
		require.Equal(t, next.ServerID, done.To)
		heir.WaitLog(`"takeover finished".*\[reason=switched\]`)
		t.Logf("nobody served for %v", done.Gap)
		s.settle()
	}
	s.finish()
	s.noFailedCalls()
}

func TestSwitchoverIsRefusedWithoutAFitStandby(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	holder, _ := s.active()
	s.other(holder).Pause()
	reader := s.reader()
	reader.Patience = 500 * time.Millisecond
	_, err := reader.Switch(t.Context(), "rootcoord", 0)
	var refused *haview.RefusedError
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "does not answer")
	s.other(holder).Resume()
	_, err = s.reader().Switch(t.Context(), "rootcoord", 4711)
	require.ErrorContains(t, err, "there is no standby 4711")
	s.finish()
	s.noFailedCalls()
}
