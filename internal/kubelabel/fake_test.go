package kubelabel

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// kube is as much of an API server as a labeller talks to: pods with metadata, merge patches, optimistic locking.
type kube struct {
	t      *testing.T
	server *httptest.Server
	access Access

	mu       sync.Mutex
	pods     map[string]*metadata
	revision int
	token    string // that is asked for
	refuse   int    // as many of the next requests fail
	requests []string
	before   func(method, pod string) // is called before a request is looked at, without the lock
}

func newKube(t *testing.T, pods ...string) *kube {
	k := &kube{t: t, pods: map[string]*metadata{}, token: "first"}
	for _, pod := range pods {
		k.pods[pod] = &metadata{Name: pod, ResourceVersion: "1", Labels: map[string]string{"app": "milvus"}, Annotations: map[string]string{}}
	}
	k.server = httptest.NewTLSServer(k)
	t.Cleanup(k.server.Close)
	dir := t.TempDir()
	k.access = Access{Server: k.server.URL, CAFile: filepath.Join(dir, "ca.crt"), TokenFile: filepath.Join(dir, "token")}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.server.Certificate().Raw})
	require.NoError(t, os.WriteFile(k.access.CAFile, ca, 0o600))
	k.writeToken("first")
	return k
}

func (k *kube) writeToken(token string) {
	require.NoError(k.t, os.WriteFile(k.access.TokenFile, []byte(token+"\n"), 0o600))
}

func (k *kube) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _ := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/ns/pods")
	name = strings.TrimPrefix(name, "/")
	if k.before != nil {
		k.before(r.Method, name)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.requests = append(k.requests, r.Method+" "+name)
	if k.refuse > 0 {
		k.refuse--
		fail(w, http.StatusServiceUnavailable, "try later")
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+k.token {
		fail(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	switch {
	case r.Method == http.MethodGet && name == "":
		k.list(w, r.URL.Query().Get("labelSelector"))
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "application/merge-patch+json":
		k.patch(w, r, name)
	default:
		fail(w, http.StatusMethodNotAllowed, r.Method)
	}
}

func fail(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","message":%q}`, message)
}

func (k *kube) list(w http.ResponseWriter, selector string) {
	answer := struct {
		Items []object `json:"items"`
	}{}
	for _, name := range slices.Sorted(maps.Keys(k.pods)) {
		matches := true
		for part := range strings.SplitSeq(selector, ",") {
			key, value, _ := strings.Cut(part, "=")
			matches = matches && k.pods[name].Labels[key] == value
		}
		if matches {
			answer.Items = append(answer.Items, object{*k.pods[name]})
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (k *kube) patch(w http.ResponseWriter, r *http.Request, name string) {
	var change object
	pod := k.pods[name]
	switch err := json.NewDecoder(r.Body).Decode(&change); {
	case err != nil:
		fail(w, http.StatusBadRequest, err.Error())
	case pod == nil:
		fail(w, http.StatusNotFound, "pods "+name+" not found")
	case change.Metadata.ResourceVersion != "" && change.Metadata.ResourceVersion != pod.ResourceVersion:
		fail(w, http.StatusConflict, "the object has been modified")
	default:
		maps.Copy(pod.Labels, change.Metadata.Labels)
		maps.Copy(pod.Annotations, change.Metadata.Annotations)
		k.touch(pod)
		_ = json.NewEncoder(w).Encode(object{*pod})
	}
}

func (k *kube) touch(pod *metadata) {
	k.revision++
	pod.ResourceVersion = "r" + strconv.Itoa(k.revision)
}

// set changes a pod behind everybody's back.
func (k *kube) set(name string, labels, annotations map[string]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.pods[name].Labels, labels)
	maps.Copy(k.pods[name].Annotations, annotations)
	k.touch(k.pods[name])
}

func (k *kube) state(pod, role string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pods[pod].Labels[stateLabel(role)]
}

func (k *kube) annotation(pod, key string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pods[pod].Annotations[key]
}

func (k *kube) asked(request string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, r := range k.requests {
		if r == request {
			n++
		}
	}
	return n
}
