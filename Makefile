# Faxbot. The targets for people: build, demo, test, lint, chaos, fuzz, bench.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LINTER  := v2.15.0
lint    := bin/golangci-lint-$(LINTER)/golangci-lint

.PHONY: build demo test lint lint-tool vet chaos chaos-fleet cockroach fuzz bench scale clean simulate packages packages-test upgrade-test
.DEFAULT_GOAL := build

# One static binary. The go command knows best whether it is out of date.
build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.buildVersion=$(VERSION)" -o bin/faxbot ./cmd/faxbot

# A fax through a simulated FreeSWITCH; ARGS=--once ends after it.
demo: build
	@.ci/deps demo
	@bin/faxbot demo $(ARGS)

# All tests, with the race detector and in random order. PACKAGES and ARGS
# narrow them: make test PACKAGES=./events ARGS='-run Hook'.
PACKAGES ?= ./...
test:
	@.ci/deps test
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 15m $(ARGS) $(PACKAGES)

# The planner's rules beside those of others, on a population of machines with
# known ailments. ARGS='-seed 2' makes another one.
simulate:
	go test -count=1 -run TestPolicies -v ./controller/plan/simulate -args -machines 500 -faxes 5000 $(ARGS)

lint: lint-tool
	$(lint) run ./...

lint-tool: $(lint)
$(lint):
	GOFLAGS= GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER)

# What can be checked without the linter.
vet:
	@test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)" || { echo 'run gofmt -w on these files' >&2; exit 1; }
	go vet ./...

# Break everything that can break while faxes are sent; see controller/chaos.
# ROUNDS=1000 SEED=7 for more or the same again, ROUND=41 for one of them.
ROUNDS ?= 312
chaos:
	@.ci/deps demo
	FAXBOT_CHAOS_ROUNDS=$(ROUNDS) FAXBOT_CHAOS_SEED=$(SEED) FAXBOT_CHAOS_ROUND=$(ROUND) \
		go test -count=1 -v -timeout 2h -run '^TestChaos$$' ./controller/chaos

# The same with three daemons, two switches, PostgreSQL and S3, each a process
# that is killed and stands still; then a database that is away or hangs for longer
# than anybody waits. About nine minutes. ROUNDS=36 SEED=7.
chaos-fleet: ROUNDS = 117
chaos-fleet:
	@.ci/deps test
	FAXBOT_CHAOS_FLEET=$(ROUNDS) FAXBOT_CHAOS_SEED=$(SEED) FAXBOT_CHAOS_ROUND=$(ROUND) \
		go test -count=1 -v -timeout 1h -run '^Test(Fleet|DatabaseIsAway|DatabaseHangs|StandbyTakesOver)$$' ./controller/chaos ./cmd/faxbot

# Every fuzz test for FUZZTIME, one after the other.
FUZZTIME ?= 1m
fuzz:
	@set -e; git grep -oE 'func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's,/[^/]*:func , ,' | while read -r folder name; do \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x ./$$folder; done

# Every figure beside what it is compared with, in one run; the RATIO and FIGURE
# lines once more at the end. Quiet machine, please: about ten minutes.
bench:
	@.ci/deps demo
	@mkdir -p bin && go test -p 1 -run '^$$' -bench . -benchmem $(ARGS) $(PACKAGES) | tee bin/bench.txt
	@grep -E '^(RATIO|FIGURE) ' bin/bench.txt

# What a database costs when it has become large, and what it takes from several
# hosts. FAXES=1000000 is faster than five million, which take about ten minutes
# and 10 GB.
FAXES ?= 5000000
scale:
	@.ci/deps test
	FAXBOT_SCALE=$(FAXES) go test -count=1 -v -timeout 2h -run '^Test(Scale|Hosts)$$' ./controller/store

# Whether CockroachDB's own parser takes every statement that the store's tests
# send to PostgreSQL. The parser is a module of its own, some minutes to compile.
cockroach:
	@.ci/deps test
	@mkdir -p bin && rm -f bin/statements.log
	FAXBOT_TEST_LOG=$(CURDIR)/bin/statements.log go test -count=1 ./controller/store
	cd contrib/cockroach && go run . ../../bin/statements.log

# deb and rpm for this commit; the same commit gives the same bytes. Where git
# describe says v1.2.0-3-gabc the version is 1.2.0+3.gabc.
NFPM    := v2.43.0
RELEASE ?= $(shell git describe --tags --match 'v[0-9]*' --dirty=+dirty 2>/dev/null | sed 's/^v//; s/-/+/; s/-/./g')
RELEASE := $(or $(RELEASE),0.0.0+$(shell git rev-list --count HEAD 2>/dev/null).g$(VERSION:-dirty=.dirty))
packages: build
	@cd contrib/package && for kind in deb rpm; do \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) RELEASE=$(RELEASE) ARCH=$$(go env GOARCH) GOFLAGS= \
			go run github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM) package --packager $$kind --target ../../bin/ || exit 1; done

# The packages for real: installed, started, faxing through the simulator,
# upgraded, removed and purged, on systems in folders of their own. As root.
packages-test:
	@.ci/deps packages
	contrib/package/try.sh

# The last release, or OLD=COMMIT, beside this one over one database.
upgrade-test:
	@.ci/deps test
	contrib/upgrade/try.sh $(OLD)

clean:
	rm -rf bin
