package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// CoordOptions say how a coordinator is started. Ports are the kernel's choice; active-standby is on.
type CoordOptions struct {
	Role      string   // rootcoord, or what else `milvus run` takes, such as mixcoord
	Endpoints []string // none: the process has an etcd of its own
	Env       []string // further variables, NAME=value
}

// Coord is a coordinator process.
type Coord struct {
	*process
	t    testing.TB
	role string
	name string
	out  *output
}

// Binary builds bin/milvus as it is now, with build tags if any are given, and returns its path.
func Binary(t testing.TB, tags ...string) string {
	t.Helper()
	root := RepoRoot(t)
	target := filepath.Join(root, "bin", strings.Join(append([]string{"milvus-test"}, tags...), "-"))
	build(t, root, target, true, "-race", "-tags", strings.Join(tags, ","), "./cmd/milvus")
	return target
}

// StartCoord runs a coordinator until the end of the test. bin is what [Binary] returned.
func StartCoord(t testing.TB, bin, name string, o CoordOptions) *Coord {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(bin, "run", o.Role)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"LOG_LEVEL=debug", "METRICS_PORT=0", "MILVUS_RUN_DIR="+dir, "ETCD_EMBED_ADDRESS=127.0.0.1:0", "ETCD_DATA_DIR="+dir+"/etcd")
	if len(o.Endpoints) > 0 {
		cmd.Env = append(cmd.Env, "ETCD_ENDPOINTS="+strings.Join(o.Endpoints, ","))
	}
	for _, prefix := range []string{"ROOT_COORD_", "DATA_COORD_", "QUERY_COORD_"} {
		cmd.Env = append(cmd.Env, prefix+"PORT=0", prefix+"ENABLE_ACTIVE_STANDBY=true")
	}
	cmd.Env = append(cmd.Env, o.Env...)
	c := &Coord{t: t, role: o.Role, name: name, out: &output{}}
	p, err := startProcess(cmd, c.out)
	if err != nil {
		t.Fatal(err)
	}
	c.process = p
	t.Cleanup(func() {
		if c.running() {
			_ = c.signal(syscall.SIGCONT)
			c.kill()
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, c.out)
		}
		if strings.Contains(c.out.String(), "DATA RACE") {
			t.Errorf("%s has a data race:\n%s", name, c.out)
		}
	})
	return c
}

// Name is what the test calls the process.
func (c *Coord) Name() string { return c.name }

// PID is the process id.
func (c *Coord) PID() int { return c.cmd.Process.Pid }

// Kill ends the process with SIGKILL and waits until it is gone.
func (c *Coord) Kill() { c.kill() }

// Pause stops the process with SIGSTOP. It stands when it returns.
func (c *Coord) Pause() { c.pause() }

// Resume continues it.
func (c *Coord) Resume() { _ = c.signal(syscall.SIGCONT) }

// Terminate asks the process to stop, waits for it and returns its exit code.
func (c *Coord) Terminate() int {
	c.t.Helper()
	_ = c.signal(syscall.SIGTERM)
	return c.Wait()
}

// Wait returns the exit code of a process that ends by itself.
func (c *Coord) Wait() int {
	c.t.Helper()
	select {
	case <-c.exited:
		return c.cmd.ProcessState.ExitCode()
	case <-time.After(time.Minute):
		c.t.Fatalf("%s did not end within a minute; it printed:\n%s", c.name, c.out)
		return -1
	}
}

// Running tells whether the process is there.
func (c *Coord) Running() bool { return c.running() }

// Log is what the process has printed.
func (c *Coord) Log() string { return c.out.String() }

// WaitLog waits until a line matches, at most two minutes.
func (c *Coord) WaitLog(pattern string) {
	c.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if re.MatchString(c.out.String()) {
			return
		}
	}
	c.t.Fatalf("%s never logged %q; it printed:\n%s", c.name, pattern, c.out)
}

// HTTP is the address of the process' HTTP port.
func (c *Coord) HTTP() string {
	c.t.Helper()
	c.WaitLog(`\[listening\]`)
	m := regexp.MustCompile(`\[http="?[^"\]]*\]?:(\d+)"?\]`).FindStringSubmatch(c.out.String())
	if m == nil {
		c.t.Fatalf("%s says no HTTP port:\n%s", c.name, c.out)
	}
	return "127.0.0.1:" + m[1]
}

// Active is the session under a role's active key.
type Active struct {
	ServerID int64
	Address  string
	Term     int64 // CreateRevision of the key
}

// ActiveOf reads the active key of a role; ok is false if there is none.
func ActiveOf(ctx context.Context, client *clientv3.Client, role string) (a Active, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	resp, err := client.Get(ctx, "by-dev/meta/session/"+role)
	if err != nil || len(resp.Kvs) != 1 || json.Unmarshal(resp.Kvs[0].Value, &a) != nil {
		return Active{}, false
	}
	a.Term = resp.Kvs[0].CreateRevision
	return a, true
}

// WaitActive waits until one of the processes holds the role of their kind in a term after the given one, and serves.
func WaitActive(t testing.TB, client *clientv3.Client, after int64, among ...*Coord) (*Coord, Active) {
	t.Helper()
	return WaitActiveRole(t, client, among[0].role, after, among...)
}

// WaitActiveRole does so for a role that processes of several have.
func WaitActiveRole(t testing.TB, client *clientv3.Client, role string, after int64, among ...*Coord) (*Coord, Active) {
	t.Helper()
	var holder *Coord
	var active Active
	deadline := time.Now().Add(3 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		a, ok := ActiveOf(t.Context(), client, role)
		if !ok || a.Term <= after {
			continue
		}
		serving := fmt.Sprintf("[\"takeover finished\"] [role=%s] [term=%d]", role, a.Term)
		for _, c := range among {
			if c.running() && bytes.Contains([]byte(c.Log()), []byte(serving)) {
				holder, active = c, a
			}
		}
		if holder != nil {
			return holder, active
		}
	}
	t.Fatalf("no active %s in a term after %d within three minutes", role, after)
	return nil, Active{}
}
