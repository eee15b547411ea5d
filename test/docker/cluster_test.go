package docker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/haview"
)

// patience is how long the tests wait for anything.
const patience = 2 * time.Minute

// cluster is the compose file, running as a project of its own.
type cluster struct {
	t       *testing.T
	project string
	compose []string // the tool and its arguments up to the command
	image   string
}

// newCluster starts nothing yet. It skips the test where there is nothing to start containers with.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if out, err := command("docker", "version", "--format", "{{.Server.Version}}"); err != nil {
		t.Skipf("no Docker engine answers: %v %s", err, out)
	}
	tool := []string{"docker", "compose"}
	if _, err := command("docker", "compose", "version"); err != nil {
		if _, err := command("docker-compose", "version"); err != nil {
			t.Skip("there is neither 'docker compose' nor 'docker-compose'")
		}
		tool = []string{"docker-compose"}
	}
	h := fnv.New32()
	_, _ = h.Write([]byte(clustertest.RepoRoot(t)))
	c := &cluster{t: t, project: fmt.Sprintf("milvus-test-%08x", h.Sum32()), image: imageName()}
	for _, image := range []string{c.image, etcdImageName()} {
		if _, err := command("docker", "image", "inspect", image); err != nil {
			t.Fatalf("there is no image %s: make docker makes it", image)
		}
	}
	c.compose = append(tool, "-p", c.project, "-f", c.fileOfItsOwn(), "-f", c.callerFile())
	c.remove() // of a run that was interrupted
	t.Cleanup(c.remove)
	return c
}

func imageName() string     { return fromEnv("MILVUS_IMAGE", "milvus-coordinators:latest") }
func etcdImageName() string { return fromEnv("ETCD_IMAGE", "milvus-etcd:latest") }

func fromEnv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// fileOfItsOwn is the shipped file, with names of containers that no other project of this machine has.
func (c *cluster) fileOfItsOwn() string {
	c.t.Helper()
	raw, err := os.ReadFile(shippedFile(c.t))
	require.NoError(c.t, err)
	var file map[string]any
	require.NoError(c.t, yaml.Unmarshal(raw, &file))
	for name, service := range file["services"].(map[string]any) {
		service.(map[string]any)["container_name"] = c.container(name)
	}
	return c.write("docker-compose.yml", file)
}

// callerFile adds the client that calls from inside.
func (c *cluster) callerFile() string {
	c.t.Helper()
	program := filepath.Join(c.t.TempDir(), "caller")
	arch, err := command("docker", "version", "--format", "{{.Server.Arch}}")
	require.NoError(c.t, err)
	build := exec.Command("go", "build", "-o", program, "./caller")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+strings.TrimSpace(arch))
	out, err := build.CombinedOutput()
	require.NoError(c.t, err, string(out))
	return c.write("caller.yml", map[string]any{"services": map[string]any{"caller": map[string]any{
		"container_name": c.container("caller"), "image": c.image, "command": []string{"/caller"},
		"environment": map[string]string{"ETCD_ENDPOINTS": "etcd:2379"},
		"volumes":     []string{program + ":/caller:ro"},
		"healthcheck": map[string]any{"disable": true},
	}}})
}

func (c *cluster) write(name string, v any) string {
	c.t.Helper()
	raw, err := yaml.Marshal(v)
	require.NoError(c.t, err)
	path := filepath.Join(c.t.TempDir(), name)
	require.NoError(c.t, os.WriteFile(path, raw, 0o600))
	return path
}

func (c *cluster) container(service string) string { return c.project + "-" + service }
func (c *cluster) network() string                 { return c.project + "_default" }

// remove takes everything away that bears the project's name.
func (c *cluster) remove() {
	running, _ := command("docker", "ps", "-aq", "--filter", "label=com.docker.compose.project="+c.project)
	for _, id := range strings.Fields(running) {
		if c.t.Failed() {
			out, _ := command("docker", "logs", "--tail", "40", id)
			c.t.Logf("container %s:\n%s", id, out)
		}
		_, _ = command("docker", "unpause", id) // a paused one cannot be stopped; the others refuse this
	}
	out, err := command(c.compose[0], append(c.compose[1:], "down", "--volumes", "--remove-orphans", "--timeout", "5")...)
	if err != nil {
		c.t.Errorf("remove project %s: %v\n%s", c.project, err, out)
	}
}

// up starts services, all of the shipped file if none is named.
func (c *cluster) up(services ...string) {
	c.t.Helper()
	out, err := command(c.compose[0], append(append(c.compose[1:], "up", "-d", "--no-build"), services...)...)
	require.NoError(c.t, err, out)
}

// docker runs a command that must succeed.
func (c *cluster) docker(args ...string) string {
	c.t.Helper()
	out, err := command("docker", args...)
	require.NoError(c.t, err, "docker %s: %s", strings.Join(args, " "), out)
	return out
}

// view is what `milvus status` says in the container of a service.
func (c *cluster) view(service string) (v haview.View, err error) {
	out, err := command("docker", "exec", c.container(service), "milvus", "status", "-o", "json")
	var code *exec.ExitError
	if err != nil && !(errors.As(err, &code) && code.ExitCode() == 3) { // 3: something is wrong, and it is said what
		return v, fmt.Errorf("%w: %s", err, out)
	}
	return v, json.NewDecoder(strings.NewReader(out)).Decode(&v)
}

// awaitWell waits until all pairs are whole, as a service's container sees it.
func (c *cluster) awaitWell(service string) haview.View {
	c.t.Helper()
	var v haview.View
	var err error
	c.await(func() bool {
		v, err = c.view(service)
		return err == nil && v.Fine() && whole(v)
	}, func() string { return fmt.Sprintf("not well: %v, %+v", err, v.Roles) })
	return v
}

func whole(v haview.View) bool {
	for _, r := range v.Roles {
		if len(r.Members) != 2 || r.Members[0].State != "Healthy" || r.Members[1].State != "StandBy" {
			return false
		}
	}
	return len(v.Roles) == 3
}

func (c *cluster) await(ok func() bool, otherwise func() string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal(otherwise())
		}
	}
}

// serviceOf is the service whose member it is: the host of its address.
func serviceOf(m haview.Member) string {
	host, _, _ := strings.Cut(m.Address, ":")
	return host
}

// pair is who is active in a role, who stands by, and the term.
func pair(t *testing.T, v haview.View, role string) (active, standby string, term int64) {
	t.Helper()
	for _, r := range v.Roles {
		if r.Name == role {
			require.Len(t, r.Members, 2)
			return serviceOf(r.Members[0]), serviceOf(r.Members[1]), r.Members[0].Term
		}
	}
	t.Fatalf("no role %s in %+v", role, v)
	return "", "", 0
}

// takeover waits for a term of role after the given one and returns how it began, as a service's container tells.
func (c *cluster) takeover(service, role string, after int64) coord.Takeover {
	c.t.Helper()
	var found coord.Takeover
	var last string
	c.await(func() bool {
		out, err := command("docker", "exec", c.container(service), "milvus", "history", role, "-o", "json")
		last = out
		var all []coord.Takeover
		if err != nil || json.Unmarshal([]byte(out), &all) != nil || len(all) == 0 {
			return false
		}
		found = all[len(all)-1]
		return found.Term > after
	}, func() string { return "nobody took over: " + last })
	return found
}

// reports are the caller's lines from a moment on.
func (c *cluster) reports(since time.Time) []Report {
	c.t.Helper()
	var all []Report
	lines := bufio.NewScanner(strings.NewReader(c.docker("logs", "--since", since.UTC().Format(time.RFC3339Nano), c.container("caller"))))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Report
		require.NoError(c.t, json.Unmarshal(lines.Bytes(), &r), lines.Text())
		all = append(all, r)
	}
	require.NoError(c.t, lines.Err())
	return all
}

// pauseSince waits until the caller was answered in a term that serves from a moment on, and returns its longest time without
// an answer.
func (c *cluster) pauseSince(began, served time.Time) time.Duration {
	c.t.Helper()
	var longest time.Duration
	c.await(func() bool {
		longest = 0
		for _, r := range c.reports(began) {
			longest = max(longest, r.Pause)
			if r.At.Add(-r.Pause).After(served) { // all of this line is after it
				return true
			}
		}
		return false
	}, func() string { return "the caller was not answered again" })
	return longest
}

// command runs a program for at most some minutes and returns what it printed; what it said on the side only if it failed.
func command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}
