# Everything here needs Go and git alone. `make build` makes the programs, `make test` and `make e2e` use them.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
# Stamped is the time of the commit and not of the build: the same source gives the same bytes.
BUILT   ?= $(shell TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.built=$(BUILT)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -buildvcs=false
ETCD     = go.etcd.io/etcd
LINT     = bin/golangci-lint

.PHONY: build test e2e crash history check bench docker docker-test clean

build: bin/milvus bin/etcd bin/etcdctl ## the static binary, and etcd for machines that have none

.PHONY: bin/milvus
bin/milvus:
	$(GOBUILD) -ldflags "$(LDFLAGS)" -o $@ ./cmd/milvus

bin/etcd: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/server/v3

bin/etcdctl: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/etcdctl/v3

test: bin/etcd ## unit, integration and command line tests, with the race detector
	go test -race -timeout 10m ./cmd/... ./internal/... ./test/history

e2e: build ## real processes, killed, paused and cut off
	go test -timeout 30m -count 1 ./test/failover

crash: build ## a RootCoord is killed at every step of every DDL
	go test -timeout 30m -count 1 -v -run TestCrashAtEveryPoint ./test/crash

RUNS ?= 200
history: build ## concurrent calls across takeovers are checked to be linearizable; and builds without a guard are found out
	RUNS=$(RUNS) go test -timeout 5h -count 1 -parallel 4 -v ./test/history

bench: build ## figures as ratios, measured side by side
	go run ./test/bench

DOCKER    ?= docker
CA_BUNDLE ?= $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))

docker: dist/docker/milvus dist/docker/etcd ## the images of the coordinators and of etcd, without a registry
	for image in coordinators:prebuilt etcd:etcd; do $(DOCKER) build -f deployments/docker/Dockerfile --target $${image#*:} \
		--build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg BUILT=$(BUILT) \
		-t milvus-$${image%:*}:$(VERSION) -t milvus-$${image%:*}:latest . || exit; done

.PHONY: dist/docker/milvus dist/docker/etcd
dist/docker/milvus: # the files of the image. Any user may write its pid file to /run and its data to /var/lib.
	@test -f "$(CA_BUNDLE)" || { echo "no CA certificates found on this machine: name a PEM file by CA_BUNDLE=file"; exit 1; }
	rm -rf $@ && mkdir -p $@/milvus/bin $@/milvus/configs $@/etc/ssl/certs $@/run/milvus $@/tmp $@/var/lib/milvus
	chmod 1777 $@/run/milvus $@/tmp $@/var/lib/milvus
	cp configs/milvus.yaml $@/milvus/configs/
	cp $(CA_BUNDLE) $@/etc/ssl/certs/ca-certificates.crt
	GOOS=linux $(GOBUILD) -ldflags "$(LDFLAGS)" -o $@/milvus/bin/milvus ./cmd/milvus

dist/docker/etcd: # the files of etcd's image
	rm -rf $@ && mkdir -p $@/usr/local/bin $@/etcd && chmod 1777 $@/etcd
	cd tools/etcd && GOOS=linux $(GOBUILD) -ldflags "-s -w" -o ../../$@/usr/local/bin/etcd $(ETCD)/server/v3
	cd tools/etcd && GOOS=linux $(GOBUILD) -ldflags "-s -w" -o ../../$@/usr/local/bin/etcdctl $(ETCD)/etcdctl/v3

docker-test: docker ## a cluster of containers: stopped, killed, paused, cut off its network
	go test -timeout 20m -count 1 -v ./test/docker

check: $(LINT) ## format, vet, lint; import directions are a test
	@unformatted=$$(gofmt -l cmd internal test); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted"; exit 1; fi
	go vet ./...
	$(LINT) run ./...

$(LINT): tools/lint/go.mod
	cd tools/lint && CGO_ENABLED=0 go build -trimpath -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

clean:
	rm -rf bin dist
