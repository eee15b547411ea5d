package rpc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestInternalTLS(t *testing.T) {
	certPath, keyPath := selfSigned(t, "milvus.internal")
	serverTLS, err := ServerTLS(certPath, keyPath)
	require.NoError(t, err)
	f := newFixture(t, RootCoord, func(_ *ComponentConfig, s *ServerConfig) { s.TLS = serverTLS })
	ask := func(cfg ClientConfig) error {
		_, err := rootcoordpb.NewRootCoordClient(dial(t, f.address, cfg)).
			GetComponentStates(testContext(t), &milvuspb.GetComponentStatesRequest{})
		return err
	}
	right, err := ClientTLS(certPath, "milvus.internal")
	require.NoError(t, err)
	require.NoError(t, ask(ClientConfig{TLS: right}))
	wrong, err := ClientTLS(certPath, "somebody.else")
	require.NoError(t, err)
	require.Equal(t, codes.Unavailable, status.Code(ask(ClientConfig{TLS: wrong})))
	require.Equal(t, codes.Unavailable, status.Code(ask(ClientConfig{})), "plain text")
}

func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	certPath, keyPath := selfSigned(t, "x")
	_, err := ServerTLS(certPath, filepath.Join(t.TempDir(), "absent"))
	require.ErrorContains(t, err, "internaltls.serverKeyPath")
	_, err = ClientTLS(filepath.Join(t.TempDir(), "absent"), "x")
	require.ErrorContains(t, err, "internaltls.caPemPath")
	_, err = ClientTLS(keyPath, "x")
	require.ErrorContains(t, err, "it holds no certificate")
}

func selfSigned(t *testing.T, name string) (certPath, keyPath string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	certPath, keyPath = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	require.NoError(t, os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certPath, keyPath
}
