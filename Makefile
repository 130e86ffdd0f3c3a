# Coracle: `make run` tries it, `make test` tests it, `make help` lists the rest.
# All cores by itself; make -jN says otherwise.
MAKEFLAGS += --no-builtin-rules $(if $(filter 0,$(MAKELEVEL)),-j$(shell nproc))
.SUFFIXES:
.DEFAULT_GOAL := coracle
SHELL := /bin/bash

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
AR      := ar
SAN     ?=
DEV     ?= 0
# One build directory per flavour, so that switching never mixes objects.
BUILD   := build$(if $(SAN),-$(SAN))$(if $(filter clang%,$(CC)),-clang)
GEN     := build/gen

WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter -Wno-missing-field-initializers
ifeq ($(DEV),1)
WARN    += -Werror
endif
OPT     := $(if $(SAN),-O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all,-O2 -g)
CFLAGS  += -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -I. -I$(GEN) -I/usr/share/include/llhttp -fno-strict-aliasing -MMD -MP
LDFLAGS += $(if $(SAN),-fsanitize=$(SAN))
LIBS    := -luv -lssl -lcrypto -lnghttp2 -lz -lyaml -lm -lpthread -ldl
# Tests make archives too, with more of libarchive than the program loads (node/archive_lib.c).
TEST_LIBS := $(LIBS) -Wl,--as-needed -larchive

# The folders from the ground up: each may use only those before it (sched, ctrl and node: only api's client).
FOLDERS := net raft store api sched ctrl node
LLHTTP  := /usr/share/llhttp

srcs     = $(wildcard $(1)/*.c $(1)/*/*.c)
objs     = $(patsubst %.c,$(BUILD)/%.o,$(1))
LLHTTP_O := $(BUILD)/llhttp/api.o $(BUILD)/llhttp/http.o $(BUILD)/llhttp/llhttp.o

lib      = $(BUILD)/lib$(1).a
ALL_LIBS := $(foreach f,node ctrl sched api store raft net,$(call lib,$(f)))

# ---- the program ------------------------------------------------------------------------------------
coracle: $(BUILD)/coracle
	@cp -f $< $@.tmp && mv -f $@.tmp $@

$(BUILD)/coracle: $(call objs,$(wildcard tools/*.c)) $(ALL_LIBS)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(LIBS)

define folder_rules
$(call lib,$(1)): $(call objs,$(filter-out api/gen/%,$(call srcs,$(1)))) $(if $(filter net,$(1)),$(LLHTTP_O)) $(if $(filter api,$(1)),$$(SCHEMA_O))
	@echo "  AR      $$@"
	@rm -f $$@ && $(AR) rcs $$@ $$^
endef

# The schema: declarative files become tables (see api/schema/README in their heads).
SCHEMA_SRC := $(sort $(wildcard api/schema/*.schema))
SCHEMA_O   := $(if $(SCHEMA_SRC),$(BUILD)/gen/schema_tables.o)
GENERATED  := $(if $(SCHEMA_SRC),$(GEN)/schema_tables.c)

$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

build/schemagen: $(wildcard api/gen/*.c) $(wildcard api/gen/*.h) api/schema_hash.h
	@mkdir -p build
	@echo "  HOSTCC  $@"
	@gcc -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) -I. -o $@ $(filter %.c,$^)

$(GEN)/schema_tables.c: build/schemagen $(SCHEMA_SRC)
	@mkdir -p $(GEN)
	@echo "  SCHEMA  $@"
	@build/schemagen $(GEN) $(SCHEMA_SRC)

$(BUILD)/gen/schema_tables.o: $(GEN)/schema_tables.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/llhttp/%.o: $(LLHTTP)/%.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(filter-out -Wmissing-prototypes -Wshadow,$(CFLAGS)) -w -c -o $@ $<

$(BUILD)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) -c -o $@ $<

# ---- tests: test/FOLDER/x_test.c is a program linked with FOLDER and what lies below it -------------
TESTS    := $(wildcard $(foreach f,$(FOLDERS) tools sim,test/$(f)/*_test.c))
TEST_BIN := $(patsubst test/%.c,$(BUILD)/test/%,$(TESTS))

$(BUILD)/test/%_test: $(BUILD)/test/%_test.o $(BUILD)/test/test.o
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

below_net   := net
below_raft  := raft net
below_store := store raft net
below_api   := api store raft net
below_sched := sched api store raft net
below_ctrl  := ctrl api store raft net
below_node  := node api store raft net
$(foreach f,$(FOLDERS),$(eval $(filter $(BUILD)/test/$(f)/%,$(TEST_BIN)): $(foreach l,$(below_$(f)),$(call lib,$(l)))))

# The tools are no library: all but the main program's file.
$(filter $(BUILD)/test/tools/%,$(TEST_BIN)): $(call objs,$(filter-out tools/main.c,$(wildcard tools/*.c))) $(ALL_LIBS)

# ---- what the steps of a write cost ------------------------------------------------------------------
$(BUILD)/test/bench/api_bench: $(BUILD)/test/bench/api_bench.o $(foreach l,$(below_ctrl),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

$(BUILD)/test/bench/auth_bench: $(BUILD)/test/bench/auth_bench.o $(foreach l,$(below_api),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

$(BUILD)/test/bench/store_bench: $(BUILD)/test/bench/store_bench.o $(foreach l,$(below_store),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

# ---- the simulated cluster: `make sim`, `make sim SEED=n` (one, with a trace), `make sim SEEDS=n` ----
# Beside it: a judge of recorded histories (test/sim/history.h), and its test.
LINEAR_O := $(call objs,$(addprefix test/sim/,linear.c linear_search.c history.c))
$(BUILD)/test/sim/linear_test: $(LINEAR_O) $(call lib,net)
$(BUILD)/test/sim/lincheck: $(BUILD)/test/sim/lincheck.o $(LINEAR_O) $(call lib,net)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(TEST_LIBS)

SIM_SRC := $(filter-out %_test.c test/sim/lincheck.c test/sim/history.c,$(wildcard test/sim/*.c))
$(BUILD)/test/sim/sim: $(call objs,$(SIM_SRC)) $(foreach l,$(below_store),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

# The same with the API and HTTP clients: fewer seeds, as each costs more.
$(BUILD)/test/sim/simapi: $(call objs,$(wildcard test/sim/api/*.c) test/sim/bugs.c test/sim/hash.c) $(LINEAR_O) $(foreach l,$(below_api),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

# Random requests to two servers of etcd's API, whose answers must be the same (test/e2e/etcd_diff_test.sh).
ETCDDIFF := $(BUILD)/test/etcddiff/etcddiff
$(ETCDDIFF): $(call objs,$(wildcard test/etcddiff/*.c)) $(foreach l,$(below_store),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

# Clients that record what they are told by a cluster under faults (test/e2e/chaos_test.sh).
CHAOS := $(BUILD)/test/chaos/chaos $(BUILD)/test/sim/lincheck
$(BUILD)/test/chaos/chaos: $(call objs,$(wildcard test/chaos/*.c)) $(foreach l,$(below_node),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

.PHONY: sim
sim: $(BUILD)/test/sim/sim $(BUILD)/test/sim/simapi
	@$(if $(API_SEED),,$< $(if $(SEED),seed $(SEED),$(SEEDS)))
	@$(if $(SEED),,$(BUILD)/test/sim/simapi $(if $(API_SEED),seed $(API_SEED),$(API_SEEDS)))

# Errors planted in the heads (raft/core_impl.h) must be found by the simulation's checks.
.PHONY: sim-bugs
sim-bugs:
	@CFLAGS=-DRAFT_BUGS $(MAKE) --no-print-directory BUILD=build-bugs build-bugs/test/sim/sim build-bugs/test/sim/simapi
	@build-bugs/test/sim/sim bugs $(or $(SEEDS),2000)
	@build-bugs/test/sim/simapi bugs $(or $(SEEDS),200)

# ---- fuzzing: every test/fuzz/fuzz_X.c with clang's libFuzzer, for FUZZ_SECONDS each ------------------
FUZZ_SECONDS ?= 20
FUZZ_SAN     := address,undefined
FUZZ_BIN     := $(patsubst test/fuzz/%.c,build-fuzz/test/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))

build-fuzz/test/fuzz/%: build-fuzz/test/fuzz/%.o $(foreach l,$(below_node),$(call lib,$(l)))
	@echo "  LINK    $@"
	@$(CC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(TEST_LIBS)

.PHONY: fuzz
fuzz:
	@$(call install,$(DEPS) $(DEPS_FUZZ))
	+@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang $(FUZZ_BIN) \
	    OPT="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -fno-sanitize-recover=all"
	@test/run_fuzz.sh $(FUZZ_SECONDS) $(FUZZ_BIN)

# ---- what Debian has to provide: installed where missing, quietly -------------------------------------
DEPS      := gcc libc6-dev libuv1-dev libssl-dev libnghttp2-dev zlib1g-dev libyaml-dev libarchive-dev node-llhttp \
             crun conmon containernetworking-plugins nftables iproute2 util-linux busybox-static
DEPS_TEST := curl procps bsdutils git openssl etcd-client $(if $(shell command -v kubectl),,kubernetes-client)
DEPS_FUZZ := clang $(if $(wildcard /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a),,libclang-rt-dev)

install = test/install.sh $(1)

.PHONY: deps deps-test
deps:
	@$(call install,$(DEPS))
deps-test:
	@$(call install,$(DEPS) $(DEPS_TEST))

# ---- for people -----------------------------------------------------------------------------------------
# What has just been installed is seen by a make of its own.
AGAIN := +@$(MAKE) --no-print-directory

.PHONY: all run test unit e2e bench tidy clean help
all: coracle $(TEST_BIN)

run: deps
	$(AGAIN) coracle
	@./coracle up

test: deps-test
	$(AGAIN) all $(BUILD)/test/sim/sim $(BUILD)/test/sim/simapi $(CHAOS) $(ETCDDIFF)
	@test/run_all.sh $(BUILD)

# Unit tests only; the closing line counts all of them.
unit: $(TEST_BIN)
	@test/run_unit.sh $(TEST_BIN)

# Tests of whole clusters with kubectl; needs root.  E2E=faults: only test/e2e/faults_test.sh.
e2e: coracle $(CHAOS) $(ETCDDIFF)
	@test/run_e2e.sh $(E2E)

# The README's figures on this machine, as a table; needs root.  BENCH_ONLY="get watch", BENCH_SECONDS=3.
bench: coracle $(BUILD)/test/bench/store_bench $(BUILD)/test/bench/api_bench $(BUILD)/test/bench/auth_bench
	@test/bench/run.sh

tidy:
	@test/tidy.sh

clean:
	rm -rf build build-* coracle

help:
	@echo 'make                 build ./coracle'
	@echo 'make run             install what is missing, build, start a cluster here with a sample'
	@echo 'make test            install what is missing, build, run every test'
	@echo 'make unit            only the unit tests;  SAN=address|undefined: with a sanitizer;  CC=clang'
	@echo 'make e2e             only the tests of whole clusters;  E2E=faults: only that file'
	@echo 'make sim             the simulated cluster;  SEED=n: one life, with a trace;  SEEDS=n: so many'
	@echo '                     API_SEED=n, API_SEEDS=n: the same over HTTP'
	@echo 'make fuzz            every parser under libFuzzer;  FUZZ_SECONDS=n for each'
	@echo 'make bench           figures of this machine'
	@echo 'make tidy            layers, lengths, banned calls'
	@echo 'make deps            only install what is missing'
	@echo 'make clean           remove everything built'

# Objects that only lead to something else stay; a failed recipe leaves no half of a file.
.SECONDARY:
.DELETE_ON_ERROR:

-include $(shell find $(wildcard build build-*) -name '*.d' 2>/dev/null)
