package clock

import (
	"testing"
	"time"
)

func TestNowCountsRealTime(t *testing.T) {
	before, wall := Now(), time.Now()
	time.Sleep(20 * time.Millisecond)
	got, want := time.Duration(Now()-before), time.Since(wall)
	if got < 20*time.Millisecond || got > want+time.Second {
		t.Fatalf("counted %v over %v", got, want)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}
