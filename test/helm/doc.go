// Package helm tries the chart in deployments/helm: it renders it with Helm's own library for every switch, decodes what
// comes out strictly into Kubernetes' types, and checks rules that no schema knows: that selectors find pods, that ports
// exist, that the configuration is one that `milvus config --check` accepts.
//
// It is a module of its own because the graphs of Helm and Kubernetes are wide; the product's binary carries neither.
//
//	go test ./...            needs ../../bin/milvus
//	go test ./... -update    writes testdata/golden and the table of values in docs/helm.md anew
//
// Where ../../bin/kube-apiserver is (make bin/kube-apiserver; four minutes of two cores), the manifests are also sent to a
// real API server, and the chart's Role is tried there.
package helm
