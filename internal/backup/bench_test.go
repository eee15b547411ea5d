package backup

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/tso"
)

var benchKeys = flag.Int("keys", 20_000, "keys of the cluster that is backed up by the benchmark")

// BenchmarkCluster restores, backs up and verifies a cluster of -keys keys, each once, and reports the seconds of each and
// the largest heap meanwhile.
func BenchmarkCluster(b *testing.B) {
	client := clustertest.StartEtcd(b).Client(b)
	made := filepath.Join(b.TempDir(), "made")
	makeFile(b, made, *benchKeys)
	path := filepath.Join(b.TempDir(), "backup")
	for b.Loop() {
		measure(b, "restore", func() {
			f, err := os.Open(made)
			require.NoError(b, err)
			defer f.Close()
			_, err = Restore(b.Context(), Destination{Client: client, Layout: layout, Roles: roles, Replace: true}, f)
			require.NoError(b, err)
		})
		measure(b, "backup", func() {
			report, err := TakeFile(b.Context(), Source{Client: client, Layout: layout}, path, true)
			require.NoError(b, err)
			require.Equal(b, int64(*benchKeys), report.Keys-3)
			b.ReportMetric(float64(report.Bytes)/(1<<20), "file-MB")
		})
		measure(b, "verify", func() {
			f, err := os.Open(path)
			require.NoError(b, err)
			defer f.Close()
			_, err = Verify(f, nil)
			require.NoError(b, err)
		})
	}
}

// makeFile writes a backup whose records are of the size of Milvus' and do not compress better than they.
func makeFile(b *testing.B, path string, keys int) {
	b.Helper()
	f, err := os.Create(path)
	require.NoError(b, err)
	defer f.Close()
	w, err := newWriter(f, Header{Layout: layout})
	require.NoError(b, err)
	require.NoError(b, w.add(layout.idKey(), tso.FormatBound(1)))
	require.NoError(b, w.add(layout.timestampKey(), tso.FormatBound(1)))
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	for i := range keys {
		value := fmt.Appendf(nil, "field %d of a collection, with a type, parameters and a description: %x", i, random.Uint64())
		for range 6 {
			value = append(value, byte(random.Uint32()))
		}
		require.NoError(b, w.add(fmt.Sprintf("by-dev/meta/root-coord/fields/%d/%d", 450000000000000000+i/10*317, 100+i%10), value))
	}
	require.NoError(b, w.add(layout.counterKey(), []byte("5")))
	require.NoError(b, w.close(0))
}

func measure(b *testing.B, what string, work func()) {
	b.Helper()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var peak uint64
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	work()
	took := time.Since(began)
	close(stop)
	b.ReportMetric(took.Seconds(), what+"-s")
	b.ReportMetric(float64(<-most)/(1<<20), what+"-peak-MB")
}
