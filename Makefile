# Everything here needs Go and git alone. `make build` makes the programs, `make test` and `make e2e` use them.

VERSION ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
# The time that is stamped is the commit's and not the build's: the same source gives the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
BUILT   ?= $(shell f=+%Y-%m-%dT%H:%M:%SZ; date -u -d @$(SOURCE_DATE_EPOCH) $$f 2>/dev/null || date -u -r $(SOURCE_DATE_EPOCH) $$f)
# gRPC's own request tracing brings html/template, with which the linker keeps every exported method: docs/adr/0005.
TAGS     = grpcnotrace
MAXSIZE  = 40000000
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.built=$(BUILT)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -buildvcs=false
MILVUS   = $(GOBUILD) -tags $(TAGS) -ldflags "$(LDFLAGS)"
ETCD     = go.etcd.io/etcd
LINT     = bin/golangci-lint

.PHONY: build test e2e crash history webui-test check bench monitoring-test helm-test docker docker-test dist dist-check clean

build: bin/milvus bin/etcd bin/etcdctl ## the static binary, and etcd for machines that have none

.PHONY: bin/milvus
bin/milvus:
	$(MILVUS) -o $@ ./cmd/milvus

.PHONY: size
size: bin/milvus ## the binary stays small
	@size=$$(wc -c < $<); echo "$< has $$size bytes"; test $$size -le $(MAXSIZE)

bin/etcd: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/server/v3

bin/etcdctl: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/etcdctl/v3

test: bin/etcd ## unit, integration and command line tests, with the race detector
	go test -race -timeout 10m ./cmd/... ./internal/... ./test/history ./tools/archive

e2e: build ## real processes, killed, paused and cut off
	go test -timeout 30m -count 1 ./test/failover
	go test -count 1 -run Again ./internal/mq

crash: build ## a RootCoord is killed at every step of every DDL
	go test -timeout 30m -count 1 -v -run TestCrashAtEveryPoint ./test/crash

RUNS ?= 200
history: build ## concurrent calls across takeovers are checked to be linearizable; and builds without a guard are found out
	RUNS=$(RUNS) go test -timeout 5h -count 1 -parallel 4 -v ./test/history

webui-test: bin/etcd ## the status page in a real browser; skipped where there is no chromium
	cd test/webui && WEBUI_BINARY=$(WEBUI_BINARY) go test -timeout 20m -count 1 -v .

monitoring-test: bin/etcd bin/promtool ## the rules and the dashboard, against what running coordinators export
	cd test/monitoring && go vet ./... && go test -timeout 20m -count 1 ./...

bin/promtool: test/monitoring/go.mod
	cd test/monitoring && CGO_ENABLED=0 go build -tags remove_all_sd -trimpath -ldflags "-s -w" -o ../../$@ github.com/prometheus/prometheus/cmd/promtool

helm-test: bin/milvus bin/etcd ## the chart, rendered for every switch; against a real API server where bin/kube-apiserver is
	cd test/helm && go test -count 1 ./...

bin/kube-apiserver: tools/kube/go.mod # takes four minutes
	cd tools/kube && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ k8s.io/kubernetes/cmd/kube-apiserver

bench: build ## figures as ratios, measured side by side
	go run ./test/bench

.PHONY: docs
docs: ## docs/configuration.md, from the table of keys
	go test ./internal/config -count 1 -run TestReferenceDocument -update

CA_BUNDLE ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))

docker: dist/docker/milvus dist/docker/etcd ## the images of the coordinators and of etcd, without a registry
	for image in coordinators:prebuilt etcd:etcd; do docker build -f deployments/docker/Dockerfile --target $${image#*:} \
		--build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg BUILT=$(BUILT) \
		-t milvus-$${image%:*}:$(VERSION) -t milvus-$${image%:*}:latest . || exit; done

.PHONY: dist/docker/milvus dist/docker/etcd
dist/docker/milvus: # the files of the image. Any user may write its pid file to /run and its data to /var/lib.
	@test -f "$(CA_BUNDLE)" || { echo "no CA certificates found on this machine: name a PEM file by CA_BUNDLE=file"; exit 1; }
	rm -rf $@ && mkdir -p $@/milvus/bin $@/milvus/configs $@/etc/ssl/certs $@/run/milvus $@/tmp $@/var/lib/milvus
	chmod 1777 $@/run/milvus $@/tmp $@/var/lib/milvus
	cp configs/milvus.yaml $@/milvus/configs/
	cp $(CA_BUNDLE) $@/etc/ssl/certs/ca-certificates.crt
	GOOS=linux $(MILVUS) -o $@/milvus/bin/milvus ./cmd/milvus

dist/docker/etcd: # the files of etcd's image
	rm -rf $@ && mkdir -p $@/usr/local/bin $@/etcd && chmod 1777 $@/etcd
	cd tools/etcd && GOOS=linux $(GOBUILD) -ldflags "-s -w" -o ../../$@/usr/local/bin/etcd $(ETCD)/server/v3
	cd tools/etcd && GOOS=linux $(GOBUILD) -ldflags "-s -w" -o ../../$@/usr/local/bin/etcdctl $(ETCD)/etcdctl/v3

docker-test: ## a cluster of containers: stopped, killed, paused, cut off its network; skipped where no engine answers
	if docker version > /dev/null 2>&1; then $(MAKE) docker; fi
	go test -timeout 20m -count 1 -v ./test/docker

PLATFORMS ?= linux-amd64 linux-arm64 darwin-amd64 darwin-arm64
SBOM      ?= bin/cyclonedx-gomod
RELEASE    = milvus-coordinators-$(VERSION)
ARCHIVES   = $(PLATFORMS:%=dist/release/$(RELEASE)-%.tar.gz)

dist: $(ARCHIVES) ## archives of a release, a bill of materials for each, checksums
	go run ./tools/archive sums dist/release

.PHONY: dist-begin $(ARCHIVES)
dist-begin:
	@git diff --quiet HEAD || { echo "a release is made of a commit: commit the changes first"; exit 1; }
	rm -rf dist/release dist/stage && mkdir -p dist/release
	git clone -q . dist/stage/source # the bill of materials asks it for the version, and cannot read a worktree

$(ARCHIVES): dist/release/$(RELEASE)-%.tar.gz: dist-begin $(SBOM)
	mkdir -p dist/stage/$(RELEASE)-$*/bin dist/stage/$(RELEASE)-$*/configs
	GOOS=$(firstword $(subst -, ,$*)) GOARCH=$(lastword $(subst -, ,$*)) \
		$(MILVUS) -o dist/stage/$(RELEASE)-$*/bin/milvus ./cmd/milvus
	cp LICENSE README.md dist/stage/$(RELEASE)-$*/
	cp configs/milvus.yaml dist/stage/$(RELEASE)-$*/configs/
	cp -R scripts dist/stage/$(RELEASE)-$*/
	case $* in linux-*) cp -R deployments/systemd dist/stage/$(RELEASE)-$*/ ;; esac
	cd dist/stage/source && GOOS=$(firstword $(subst -, ,$*)) GOARCH=$(lastword $(subst -, ,$*)) CGO_ENABLED=0 \
		GOFLAGS=-tags=$(TAGS) GOPROXY=off $(abspath $(SBOM)) app -json -noserial -notimestamp -licenses -assert-licenses -std \
		-main cmd/milvus -output $(abspath dist/release/$(RELEASE)-$*.cdx.json) .
	go run ./tools/archive pack dist/stage/$(RELEASE)-$* $@ $(SOURCE_DATE_EPOCH)

$(SBOM): tools/sbom/go.mod
	cd tools/sbom && $(GOBUILD) -o $(abspath $@) github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

dist-check: $(SBOM) ## two checkouts make the same bytes
	tools/dist-check.sh $(abspath $(SBOM))

check: $(LINT) ## format, vet, lint; import directions are a test
	@unformatted=$$(gofmt -l cmd internal test tools); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted"; exit 1; fi
	go vet ./...
	GOOS=darwin GOARCH=arm64 go vet ./...
	$(LINT) run --allow-parallel-runners ./...

$(LINT): tools/lint/go.mod
	cd tools/lint && CGO_ENABLED=0 go build -trimpath -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

clean:
	rm -rf bin dist
