package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/coordclient"
	"github.com/milvus-coord/milvus/internal/rpc"
)

// bench is an etcd and the processes on it.
type bench struct {
	quick bool
	dir   string
	etcd  string // host:port
	db    *clientv3.Client
	procs []*proc
}

type proc struct {
	cmd *exec.Cmd
	out *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newBench(quick bool) (*bench, error) {
	dir, err := os.MkdirTemp("", "milvus-bench")
	if err != nil {
		return nil, err
	}
	b := &bench{quick: quick, dir: dir, etcd: "127.0.0.1:" + freePort()}
	peer := "http://127.0.0.1:" + freePort()
	_, err = b.start(nil, filepath.Join("bin", "etcd"), "--data-dir", filepath.Join(dir, "etcd"), "--log-level", "error",
		"--listen-client-urls", "http://"+b.etcd, "--advertise-client-urls", "http://"+b.etcd, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer, "--quota-backend-bytes", "8589934592")
	if err != nil {
		return nil, err
	}
	if b.db, err = clientv3.New(clientv3.Config{Endpoints: []string{b.etcd}, Logger: zap.NewNop()}); err != nil {
		return nil, err
	}
	for range 100 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err = b.db.Put(ctx, "bench", "x")
		cancel()
		if err == nil {
			return b, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("etcd does not start: %w", err)
}

func (b *bench) start(env []string, name string, args ...string) (*proc, error) {
	p := &proc{cmd: exec.Command(name, args...), out: &buffer{}} //nolint:gosec // our own programs
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	b.procs = append(b.procs, p)
	return p, nil
}

// coordinator starts a RootCoord, with further variables if given.
func (b *bench) coordinator(env ...string) (*proc, error) {
	dir, err := os.MkdirTemp(b.dir, "run")
	if err != nil {
		return nil, err
	}
	return b.start(append([]string{
		"ETCD_ENDPOINTS=" + b.etcd, "ROOT_COORD_PORT=0", "METRICS_PORT=0", "ROOT_COORD_ENABLE_ACTIVE_STANDBY=true", "LOG_LEVEL=info",
		"MILVUS_RUN_DIR=" + dir, "QUOTA_AND_LIMITS_LIMITS_MAX_COLLECTION_NUM=1000000", "ROOT_COORD_MAX_GENERAL_CAPACITY=10000000",
		"QUOTA_AND_LIMITS_LIMITS_MAX_COLLECTION_NUM_PER_DB=1000000",
	}, env...), filepath.Join("bin", "milvus"), "run", "rootcoord")
}

func (p *proc) await(ctx context.Context, pattern string) error {
	re := regexp.MustCompile(pattern)
	for !re.MatchString(p.out.String()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
	return nil
}

func (p *proc) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
}

func (b *bench) close() {
	if b.db != nil {
		_ = b.db.Close()
	}
	for _, p := range b.procs {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			p.end(syscall.SIGKILL)
		}
	}
	_ = os.RemoveAll(b.dir)
}

// follow is a client that finds the active RootCoord.
func (b *bench) follow(ctx context.Context) (rootcoordpb.RootCoordClient, func(), error) {
	c, err := coordclient.New(ctx, coordclient.Config{
		Etcd: b.db, MetaRoot: "by-dev/meta", Role: "rootcoord", Cluster: "by-dev", Dial: rpc.DialOptions(rpc.ClientConfig{}), Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, nil, err
	}
	return rootcoordpb.NewRootCoordClient(c), c.Close, nil
}

// address is where the active RootCoord listens.
func (b *bench) address(ctx context.Context) (string, error) {
	for {
		resp, err := b.db.Get(ctx, "by-dev/meta/session/rootcoord")
		if err != nil {
			return "", err
		}
		if len(resp.Kvs) == 1 {
			var s struct{ Address string }
			return s.Address, json.Unmarshal(resp.Kvs[0].Value, &s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// rss is the resident memory of a process in MB.
func (p *proc) rss() float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// cpu is the processor time a process has used.
func (p *proc) cpu() time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "0"
	}
	defer l.Close() //nolint:errcheck // only asked for the number
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
