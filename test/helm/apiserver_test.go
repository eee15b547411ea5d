package helm

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// apiServer is a real one, on an etcd of its own. Nobody runs what it is given.
type apiServer struct {
	url    string
	client *http.Client
	etcd   string // host:port of its etcd
	certs  string // folder of its certificate
}

const admin = "token-of-admin"

// startAPIServer skips the test where the program has not been built.
func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	const program = "../../bin/kube-apiserver"
	if _, err := os.Stat(program); err != nil {
		t.Skipf("no API server to try it on: make bin/kube-apiserver builds one")
	}
	dir, client, peer, port := t.TempDir(), freePort(t), freePort(t), freePort(t)
	startProgram(t, "../../bin/etcd", "--data-dir="+dir, "--log-level=warn", "--listen-client-urls=http://127.0.0.1"+client,
		"--advertise-client-urls=http://127.0.0.1"+client, "--listen-peer-urls=http://127.0.0.1"+peer,
		"--initial-advertise-peer-urls=http://127.0.0.1"+peer, "--initial-cluster=default=http://127.0.0.1"+peer)
	certs := t.TempDir()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keyFile, tokenFile := filepath.Join(certs, "accounts.key"), filepath.Join(certs, "tokens.csv")
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	require.NoError(t, os.WriteFile(keyFile, pemKey, 0o600))
	require.NoError(t, os.WriteFile(tokenFile, []byte(admin+`,admin,1,"system:masters"`+"\n"), 0o600))
	startProgram(t, program, "--etcd-servers=http://127.0.0.1"+client, "--bind-address=127.0.0.1", "--secure-port="+port[1:], "--cert-dir="+certs,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+keyFile,
		"--service-account-signing-key-file="+keyFile, "--authorization-mode=RBAC", "--token-auth-file="+tokenFile,
		"--service-cluster-ip-range=10.0.0.0/24")
	s := &apiServer{url: "https://127.0.0.1" + port, etcd: "127.0.0.1" + client, certs: certs, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // its certificate was made a second ago
	}}
	t.Cleanup(s.client.CloseIdleConnections)
	require.Eventually(t, func() bool {
		code, _, err := s.do(admin, http.MethodGet, "/readyz", "", nil)
		return err == nil && code == http.StatusOK
	}, 2*time.Minute, 100*time.Millisecond)
	// What is not fit for the strictest of Kubernetes' rules for pods is warned of, and a pod that is not is refused.
	code, answer := s.must(t, admin, http.MethodPost, "/api/v1/namespaces", "", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: namespace, Labels: map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
		},
	}})
	require.Equal(t, http.StatusCreated, code, answer)
	return s
}

func (s *apiServer) do(token, method, path, kind string, body []byte) (code int, answer string, err error) {
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", kind)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	for _, warning := range resp.Header.Values("Warning") {
		return resp.StatusCode, string(text), fmt.Errorf("warned: %s", warning)
	}
	return resp.StatusCode, string(text), err
}

// must is do with an object as JSON, and without a warning.
func (s *apiServer) must(t *testing.T, token, method, path, kind string, body any) (code int, answer string) {
	t.Helper()
	if kind == "" {
		kind = "application/json"
	}
	encoded, err := json.Marshal(body)
	require.NoError(t, err)
	code, answer, err = s.do(token, method, path, kind, encoded)
	require.NoError(t, err, path)
	return code, answer
}

// resources are where objects are created.
var resources = map[string]string{
	"Deployment": "/apis/apps/v1/namespaces/%s/deployments", "StatefulSet": "/apis/apps/v1/namespaces/%s/statefulsets",
	"Service": "/api/v1/namespaces/%s/services", "ConfigMap": "/api/v1/namespaces/%s/configmaps",
	"ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts", "PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	"Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles", "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
	"NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
}

// create sends the documents of a rendered chart of which want is true.
func (s *apiServer) create(t *testing.T, text, options string, want func(kind string) bool) {
	t.Helper()
	for _, document := range separator.Split(text, -1) {
		var o map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(document), &o))
		kind, _ := o["kind"].(string)
		if !want(kind) {
			continue
		}
		code, answer := s.must(t, admin, http.MethodPost, fmt.Sprintf(resources[kind], namespace)+"?fieldValidation=Strict"+options, "", o)
		require.Equal(t, http.StatusCreated, code, "%s\n%s", document, answer)
	}
}

// TestTheAPIServerTakesIt: every manifest of every case passes validation and admission.
func TestTheAPIServerTakesIt(t *testing.T) {
	s := startAPIServer(t)
	for name, text := range cases(t) {
		t.Run(name, func(t *testing.T) {
			s.create(t, mustRender(t, text).text, "&dryRun=All", func(kind string) bool { return resources[kind] != "" })
		})
	}
}

const podsPath = "/api/v1/namespaces/" + namespace + "/pods"

// createPods makes pods of RootCoord's Deployment and what they may, and gives the token that kubelet would mount.
func (s *apiServer) createPods(t *testing.T, m *manifests, names ...string) (token string) {
	t.Helper()
	s.create(t, m.text, "", func(kind string) bool { return kind == "ServiceAccount" || strings.HasPrefix(kind, "Role") })
	template := named(t, m.deployments, "my-milvus-coordinators-rootcoord").Spec.Template
	for _, name := range names {
		pod := corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
		pod.Name, pod.Namespace = name, namespace
		code, answer := s.must(t, admin, http.MethodPost, podsPath, "", pod)
		require.Equal(t, http.StatusCreated, code, answer)
	}
	path := "/api/v1/namespaces/" + namespace + "/serviceaccounts/" + template.Spec.ServiceAccountName + "/token"
	_, answer := s.must(t, admin, http.MethodPost, path, "", map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": map[string]any{"audiences": []string{}},
	})
	var granted struct{ Status struct{ Token string } }
	require.NoError(t, json.Unmarshal([]byte(answer), &granted))
	require.NotEmpty(t, granted.Status.Token, answer)
	return granted.Status.Token
}

// TestTheRoleIsEnoughAndNoMore does what a pod does to label itself and to take the label from another, and what it has no
// business to do.
func TestTheRoleIsEnoughAndNoMore(t *testing.T) {
	s := startAPIServer(t)
	m := mustRender(t, ha("rootCoordinator"))
	token := s.createPods(t, m, "a", "b")
	pods := podsPath
	label := func(pod, state, revision string) (int, string) {
		return s.must(t, token, http.MethodPatch, pods+"/"+pod, "application/merge-patch+json", map[string]any{"metadata": map[string]any{
			"resourceVersion": revision, "labels": map[string]string{"milvus.io/rootcoord-state": state},
		}})
	}
	code, answer := label("a", "active", "")
	require.Equal(t, http.StatusOK, code, answer)
	selector := "?labelSelector=app.kubernetes.io/name%3Dmilvus-coordinators,app.kubernetes.io/instance%3Dmy,milvus.io/rootcoord-state%3Dactive"
	code, answer = s.must(t, token, http.MethodGet, pods+selector, "", nil)
	require.Equal(t, http.StatusOK, code, answer)
	var found corev1.PodList
	require.NoError(t, json.Unmarshal([]byte(answer), &found))
	require.Len(t, found.Items, 1)
	require.Equal(t, "a", found.Items[0].Name)
	revision := found.Items[0].ResourceVersion
	code, answer = label("a", "standby", revision)
	require.Equal(t, http.StatusOK, code, answer)
	code, answer = label("a", "active", revision)
	require.Equal(t, http.StatusConflict, code, answer)

	for what, path := range map[string]string{
		http.MethodDelete: pods + "/a", http.MethodGet: pods + "/a", http.MethodPost: pods, http.MethodPut: pods + "/a",
		http.MethodHead: "/api/v1/namespaces/" + namespace + "/secrets", http.MethodPatch: "/api/v1/namespaces/default/pods/a",
	} {
		code, answer = s.must(t, token, what, path, "application/merge-patch+json", map[string]any{})
		require.Equal(t, http.StatusForbidden, code, "%s %s: %s", what, path, answer)
	}
}
