package components

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/kubelabel"
	"github.com/milvus-coord/milvus/internal/metrics"
)

// TestAPodIsActiveWhileItsRoleIsHealthy: Initializing and Stopping have a term, too, but do not serve.
func TestAPodIsActiveWhileItsRoleIsHealthy(t *testing.T) {
	patches := make(chan string, 100)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		patches <- string(body)
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	access := kubelabel.Access{Server: server.URL, CAFile: filepath.Join(t.TempDir(), "ca.crt"), TokenFile: os.DevNull}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(access.CAFile, ca, 0o600))
	labels, err := kubelabel.New(kubelabel.Config{Namespace: "ns", Pod: "a", Roles: []string{"rootcoord"}}, access, zaptest.NewLogger(t))
	require.NoError(t, err)
	done := make(chan struct{})
	go func() { defer close(done); labels.Run(t.Context()) }()
	t.Cleanup(func() { <-done })

	said := func() string {
		select {
		case p := <-patches:
			return p
		case <-time.After(time.Minute):
			t.Fatal("no patch")
			return ""
		}
	}
	o := observer{metrics.New(metrics.Build{}), 1, &atomic.Pointer[standing]{}, labels}
	require.Contains(t, said(), `"milvus.io/rootcoord-state":"standby"`)
	o.StateChanged("rootcoord", commonpb.StateCode_Initializing, 17)
	o.StateChanged("rootcoord", commonpb.StateCode_Healthy, 17)
	require.Contains(t, said(), `"milvus.io/rootcoord-state":"active"`)
	o.StateChanged("rootcoord", commonpb.StateCode_Stopping, 17)
	require.Contains(t, said(), `"milvus.io/rootcoord-state":"standby"`)
}

func TestLabelsAreForPods(t *testing.T) {
	p := &process{cfg: &config.Config{}, server: Server{Roles: []string{"rootcoord"}}}
	none, err := newLabeller(p)
	require.NoError(t, err)
	require.Nil(t, none)
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	p.cfg.Kubernetes.LabelActive = true
	_, err = newLabeller(p)
	require.ErrorContains(t, err, "this process is in no pod")
}
