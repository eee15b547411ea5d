package kubelabel

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// accountDir is where kubelet mounts a pod's service account.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

// Access is how to reach the API server.
type Access struct {
	Server    string // https://host:port
	CAFile    string // of the authority that signed its certificate
	TokenFile string // read for each request
}

// InCluster is the access that a pod has, from the variables and files that kubelet gives it.
func InCluster(getenv func(string) string) (Access, error) {
	host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return Access{}, errors.New("this process is in no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; " +
			"switch kubernetes.labelActive.enabled off")
	}
	return Access{
		Server: "https://" + net.JoinHostPort(host, port),
		CAFile: filepath.Join(accountDir, "ca.crt"), TokenFile: filepath.Join(accountDir, "token"),
	}, nil
}

// StatusError is an answer of the API server that is not 200.
type StatusError struct {
	Code    int // of HTTP
	Message string
}

// Error gives the API server's own words, which name what is not allowed.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the API server answers %d: %s", e.Code, e.Message)
}

// metadata is what is read and written of a pod.
type metadata struct {
	Name            string            `json:"name,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

type object struct {
	Metadata metadata `json:"metadata"`
}

// requestTimeout bounds one request: what has changed meanwhile waits as long.
const requestTimeout = 3 * time.Second

// maxAnswer bounds what is read of an answer. A pod is at most 1.5 MiB; only metadata is asked for.
const maxAnswer = 8 << 20

type api struct {
	access Access
	pods   string // URL of the namespace's pods
	client *http.Client
}

func newAPI(access Access, namespace string) (*api, error) {
	pem, err := os.ReadFile(access.CAFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the API server: %w (is the service account's token mounted?)", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("certificate of the API server: %s contains none", access.CAFile)
	}
	return &api{
		access: access,
		pods:   access.Server + "/api/v1/namespaces/" + url.PathEscape(namespace) + "/pods",
		client: &http.Client{
			Timeout: requestTimeout,
			// No proxy of the environment: it is for the outside.
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, IdleConnTimeout: 2 * resync,
			},
		},
	}, nil
}

func (a *api) close() { a.client.CloseIdleConnections() }

// patch sets the labels and annotations that are given, and leaves the others.
func (a *api) patch(ctx context.Context, pod string, m metadata) error {
	body, err := json.Marshal(object{m})
	if err != nil {
		return fmt.Errorf("encode the labels of pod %s: %w", pod, err)
	}
	if err := a.do(ctx, http.MethodPatch, a.pods+"/"+url.PathEscape(pod), body, nil); err != nil {
		return fmt.Errorf("label pod %s: %w", pod, err)
	}
	return nil
}

// list gives the pods that match a selector.
func (a *api) list(ctx context.Context, selector string) ([]metadata, error) {
	var answer struct {
		Items []object `json:"items"`
	}
	if err := a.do(ctx, http.MethodGet, a.pods+"?labelSelector="+url.QueryEscape(selector), nil, &answer); err != nil {
		return nil, fmt.Errorf("list the pods with %s: %w", selector, err)
	}
	pods := make([]metadata, len(answer.Items))
	for i, item := range answer.Items {
		pods[i] = item.Metadata
	}
	return pods, nil
}

// do sends a request, and decodes the answer unless into is nil.
func (a *api) do(ctx context.Context, method, target string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(a.access.TokenFile)
	if err != nil {
		return fmt.Errorf("token of the service account: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	// Metadata is enough: a pod's status is long.
	kind := "PartialObjectMetadata"
	if method == http.MethodGet {
		kind = "PartialObjectMetadataList"
	}
	req.Header.Set("Accept", "application/json;as="+kind+";g=meta.k8s.io;v=v1,application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return statusError(resp.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// statusError takes the message of a Kubernetes Status, or the text of whoever answered instead.
func statusError(code int, answer []byte) error {
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &status) != nil || status.Message == "" {
		status.Message = http.StatusText(code)
	}
	return &StatusError{Code: code, Message: status.Message}
}
