# The commands of every day, over CMake. `make` alone lists them.

BUILD   ?= build
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc)
SECONDS ?= 60
SEED    ?= 1
COUNT   ?= 20000
KILLS   ?= 200
LISTEN  ?= 127.0.0.1:8180

# Debian packages, by what needs them. cmake brings what it needs itself; gcc
# brings the sanitizers; valgrind cannot start without libc's debug symbols.
DEPS          = gcc libc6-dev cmake luajit2 lua-argparse lua-dkjson lua-luaossl lua-cjson tzdata \
                libmaxminddb0 node-llhttp libssl-dev lua-luv lua-filesystem libluajit2-5.1-dev
NGINX_DEPS    = $(DEPS) nginx libnginx-mod-http-lua curl
PROXY_DEPS    = $(NGINX_DEPS) caddy haproxy
TEST_DEPS     = $(PROXY_DEPS) lua-busted lua-check lua-yaml libjansson-dev mmdb-bin openssl wrk \
                mandoc
VALGRIND_DEPS = $(TEST_DEPS) valgrind libc6-dbg
COVERAGE_DEPS = $(TEST_DEPS) gcovr
PEER_DEPS     = $(DEPS)
BENCH_DEPS    = $(NGINX_DEPS) libuv1-dev
PROFILE_DEPS  = $(DEPS) valgrind libc6-dbg
STRUCTURE_DEPS = $(DEPS) g++ pkgconf libpcre2-dev libre2-dev libhyperscan-dev libdpdk-dev
FUZZ_DEPS     = $(DEPS) clang libclang-rt-14-dev llvm

MAKEFLAGS += --no-print-directory
CONFIGURE  = cmake -S . -B
COMPILE    = cmake --build
SUITES     = JOBS=$(JOBS) tools/suites.sh

.PHONY: help deps nginx-deps proxy-deps test-deps valgrind-deps fuzz-deps build build-tests run \
        run-nginx run-auth_request run-forward_auth run-haproxy test test-c test-lua lint test-asan \
        test-valgrind fuzz-smoke differential coverage coverage-deps bench bench-structures \
        structure-deps bench-scripting bench-hostile bench-deps bench-nginx bench-server soak-nginx \
        soak-server store-kills install clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

deps: ## install the Debian packages that are missing to build and run
	@tools/deps.sh $(DEPS)

test-deps:
	@tools/deps.sh $(TEST_DEPS)

valgrind-deps:
	@tools/deps.sh $(VALGRIND_DEPS)

coverage-deps:
	@tools/deps.sh $(COVERAGE_DEPS)

fuzz-deps:
	@tools/deps.sh $(FUZZ_DEPS)

build: ## build the libraries and the command, build/postern
	@$(CONFIGURE) $(BUILD) >/dev/null
	@$(COMPILE) $(BUILD) -j $(JOBS) --target libraries

build-tests:
	@$(CONFIGURE) $(BUILD) >/dev/null
	@$(COMPILE) $(BUILD) -j $(JOBS)

run: deps ## install, build, decide the example's requests, and serve it at LISTEN=127.0.0.1:8180
	@$(MAKE) build
	@tools/run.sh $(BUILD) $(LISTEN)

nginx-deps: ## install those that nginx with Postern needs besides
	@tools/deps.sh $(NGINX_DEPS)

run-nginx: nginx-deps ## install, build, and ask a gateway in nginx: examples/nginx
	@$(MAKE) build
	@examples/nginx/run

proxy-deps:
	@tools/deps.sh $(PROXY_DEPS)

run-auth_request run-forward_auth run-haproxy: proxy-deps
	@$(MAKE) build
	@examples/$(@:run-%=%)/run

test: test-deps ## install, build, and run every test
	@$(MAKE) build-tests
	@$(SUITES) $(BUILD) c lua lint

test-c: build-tests ## the C tests alone
	@$(SUITES) $(BUILD) c

test-lua: build-tests ## the Lua specs alone
	@$(SUITES) $(BUILD) lua

lint: ## luacheck
	@mkdir -p $(BUILD)
	@$(SUITES) $(BUILD) lint

test-asan: test-deps ## C tests and Lua specs under ASan and UBSan
	@$(CONFIGURE) build-asan -DCMAKE_C_COMPILER=gcc \
	    -DPOSTERN_SANITIZE=address,undefined >/dev/null
	@$(COMPILE) build-asan -j $(JOBS)
	@PRELOAD=$$(gcc -print-file-name=libasan.so) $(SUITES) build-asan c lua

test-valgrind: valgrind-deps ## C tests under valgrind
	@$(CONFIGURE) build-valgrind >/dev/null \
	    '-DPOSTERN_TEST_LAUNCHER=valgrind;--quiet;--error-exitcode=1;--leak-check=full'
	@$(COMPILE) build-valgrind -j $(JOBS)
	@$(SUITES) build-valgrind c

fuzz-smoke: fuzz-deps ## run each fuzz target for SECONDS=60
	@$(CONFIGURE) build-fuzz -DCMAKE_C_COMPILER=clang -DPOSTERN_FUZZ=ON >/dev/null
	@$(COMPILE) build-fuzz -j $(JOBS)
	@JOBS=$(JOBS) tools/fuzz.sh build-fuzz $(SECONDS)

differential: build ## compare the core with the reference: SEED=1 COUNT=20000
	@luajit spec/differential.lua $(BUILD) $(SEED) $(COUNT)

# C throws nothing: branches that gcc adds for exceptions are none of ours.
coverage: coverage-deps ## line and branch coverage of the C code by all tests
	@$(CONFIGURE) build-coverage -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=--coverage >/dev/null
	@$(COMPILE) build-coverage -j $(JOBS)
	@find build-coverage -name '*.gcda' -delete
	@$(SUITES) build-coverage c lua
	@gcovr --root . --filter 'core/src/' --filter 'http/src/' --filter 'tls/src/' --exclude-throw-branches --print-summary build-coverage

bench: build ## what decisions, loading, estates and guard rails cost
	@$(COMPILE) $(BUILD) --target bench_decide --target bench_loading --target peer_postern
	@luajit spec/bench/decide.lua $(BUILD)
	@luajit spec/bench/entry.lua $(BUILD)
	@luajit spec/bench/loading.lua $(BUILD)
	@luajit spec/bench/core.lua $(BUILD)
	@luajit spec/bench/estate.lua $(BUILD)
	@luajit spec/bench/guards.lua

structure-deps:
	@tools/deps.sh $(STRUCTURE_DEPS) || true

bench-structures: structure-deps ## addresses beside DPDK; globs beside PCRE2, RE2 and Hyperscan
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target bench_cidr --target bench_glob
	@luajit spec/bench/structures.lua $(BUILD)

bench-scripting: build ## keys, hooks and 10,000 decisions that wait during a reload
	@luajit spec/bench/scripting.lua $(BUILD)

bench-deps:
	@tools/deps.sh $(BENCH_DEPS)

bench-nginx: bench-deps ## CPU time a request in nginx: no-op Lua, Postern, proxied
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target http_load
	@luajit spec/bench/nginx.lua $(BUILD)

bench-server: bench-deps ## CPU time a request of the decision server, beside an empty one
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target http_load --target empty_server
	@luajit spec/bench/server.lua $(BUILD)

soak-nginx: bench-deps ## policies change in nginx under load for SECONDS=60
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target http_load
	@luajit spec/bench/reload_under_load.lua $(BUILD) --seconds $(SECONDS)

soak-server: bench-deps ## the same for the decision server, then full load for SECONDS=60
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target http_load
	@luajit spec/bench/reload_under_load.lua $(BUILD) --server postern --seconds 60 \
	    --soak $(SECONDS)

bench-hostile: build ## how time grows with input made to be slow
	@luajit spec/bench/hostile.lua $(BUILD)

store-kills: build ## kill writers of the store KILLS=200 times, and at every operation
	@for spec in store_crash store_kill; do \
	    POSTERN_BUILD=$(BUILD) POSTERN_KILLS=$(KILLS) \
	    luajit "$$(command -v busted)" --ignore-lua -o plainTerminal spec/$${spec}_spec.lua || exit 1; done

.PHONY: peer-deps bench-peers profile-deps bench-profile bench-report

peer-deps:
	@tools/deps.sh $(PEER_DEPS)

# The peers themselves are built with cargo, go and npm, where those are; Debian's
# own compilers are too old for them.
bench-peers: peer-deps ## decisions beside Cedar, OPA, MinIO, Casbin and iam-simulate
	@$(MAKE) build
	@luajit spec/bench/peers.lua $(BUILD)

profile-deps:
	@tools/deps.sh $(PROFILE_DEPS) || true

bench-profile: profile-deps ## where the instructions go, by callgrind
	@$(MAKE) build
	@$(COMPILE) $(BUILD) --target bench_loading --target peer_postern --target profile_cidr
	@luajit spec/bench/profile.lua $(BUILD)

bench-report: ## docs/performance.md and its plots, from the results in build/bench
	@luajit spec/bench/report/write.lua $(BUILD)

install: build ## install below PREFIX=/usr/local; DESTDIR is honoured
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX)) --strip

clean: ## remove everything built
	rm -rf build build-*
