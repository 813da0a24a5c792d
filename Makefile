# Makefile - builds, tests and installs lua-resty-vaults.
#
# For:   naming what is built from what; each gate is one target, its work is in .ci/.
# Never: logic that needs a shell function (.ci/), machine paths.
#
# Useful settings: CC=clang, BUILD=folder, STATIC_CURL=1, LUA_INCDIR=folder, PREFIX, DESTDIR,
# TESTS="base64 ini" (which C test programs to run), FUZZ_SECONDS=60, MINUTES=30 (of longrun).

BUILD        ?= build
CC           ?= cc
PKG_CONFIG   ?= pkg-config
LUAJIT       ?= luajit
CLANG        ?= clang
FUZZ_SECONDS ?= 60
STATIC_CURL  ?= 0

PREFIX        ?= /usr/local
LUA_LIBDIR    ?= $(PREFIX)/lib/lua/5.1
LUA_MODULEDIR ?= $(PREFIX)/share/lua/5.1
BINDIR        ?= $(PREFIX)/bin

# The headers of LuaJIT or Lua 5.1: their C API and ABI are the same.
LUA_CFLAGS := $(if $(LUA_INCDIR),-I$(LUA_INCDIR),$(shell \
	$(PKG_CONFIG) --cflags luajit 2>/dev/null || $(PKG_CONFIG) --cflags lua5.1 2>/dev/null || \
	$(PKG_CONFIG) --cflags lua-5.1 2>/dev/null))

WARNINGS ?= -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes \
	-Wswitch-enum -Wformat=2 -Wvla $(WERROR)
# A later compiler or library warns of more than is known: -Werror is for .ci/run.
WERROR   ?=
OPTIMIZE ?= -O2 -g
CFLAGS   ?= $(OPTIMIZE)
# SANITIZE is for .ci/: -fsanitize=... or coverage flags, at compile and at link time.
BASE_CFLAGS  = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(WARNINGS) -Icsrc \
	$(shell $(PKG_CONFIG) --cflags libcurl libcrypto expat) $(CFLAGS) $(SANITIZE)
BASE_LDFLAGS = -pthread -Wl,-z,relro,-z,now $(LDFLAGS) $(SANITIZE)
SHARED_LIBS  = $(shell $(PKG_CONFIG) --libs libcurl libcrypto expat)
MODULE_LIBS  = $(SHARED_LIBS)
# nodelete: the I/O thread must not lose its code when the last Lua VM goes.
MODULE_LDFLAGS = -shared -Wl,-z,nodelete
ifeq ($(STATIC_CURL),1)
# The second way out of two OpenSSLs in one process, of which nginx's cannot serve libcurl: libcurl
# and OpenSSL static and unseen; what they use besides is linked as pkg-config names it. Best with a
# libcurl configured for little else than HTTP: Debian's brings ssh, LDAP and Kerberos, and wants
# their development packages.
STATIC_LIBS = $(shell $(PKG_CONFIG) --static --libs libcurl libssl libcrypto) \
	$(shell $(PKG_CONFIG) --libs expat)
MODULE_LIBS = $(patsubst -lcrypto,-l:libcrypto.a,$(patsubst -lssl,-l:libssl.a,$(patsubst \
	-lcurl,-l:libcurl.a,$(STATIC_LIBS))))
MODULE_LDFLAGS += -Wl,--exclude-libs,ALL -Wl,-Bsymbolic
BASE_CFLAGS    += -DVAULT_STATIC_CURL
endif

SOURCES      := $(sort $(wildcard csrc/*.c))
CORE_SOURCES := $(filter-out csrc/module%.c,$(SOURCES))
OBJECTS      := $(SOURCES:csrc/%.c=$(BUILD)/obj/%.o)
TEST_LIB     := $(BUILD)/test/libvault.a
TEST_OBJECTS := $(CORE_SOURCES:csrc/%.c=$(BUILD)/test/obj/%.o)
TESTS        ?= $(patsubst spec/c/test_%.c,%,$(sort $(wildcard spec/c/test_*.c)))
TEST_BINS    := $(TESTS:%=$(BUILD)/test/test_%)
CORE         := $(BUILD)/vault/core.so

.PHONY: all
all: $(CORE)

$(CORE): $(OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(BASE_LDFLAGS) $(MODULE_LDFLAGS) -o $@ $^ $(MODULE_LIBS)

$(BUILD)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(LUA_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/test/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) -DVAULT_TEST_ALLOC -MMD -MP -c -o $@ $<

# An archive, so that a program links what it uses and no more.
$(TEST_LIB): $(TEST_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

# cmocka's macros convert integers as they like.
TEST_CFLAGS = $(BASE_CFLAGS) -Wno-conversion -DVAULT_TEST_ALLOC -Ispec/c -MMD -MP $(BASE_LDFLAGS)
TEST_LIBS   = $(TEST_LIB) -lcmocka $(SHARED_LIBS) -ldl
FILTER      = spec/support/filter.c

$(BUILD)/test/test_%: spec/c/test_%.c $(FILTER) $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $< $(FILTER) $(TEST_LIBS)

-include $(wildcard $(BUILD)/obj/*.d $(BUILD)/test/obj/*.d $(BUILD)/test/*.d)

.PHONY: ctest programs
programs: $(TEST_BINS)
ctest: $(TEST_BINS) venv
	@VAULT_VENV=$(VENV) .ci/ctest.sh $(TEST_BINS)

# Python for the tests and the demonstration: Debian's own, which deps.sh gives its venv module.
VENV   ?= $(BUILD)/venv
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

.PHONY: venv
venv: $(VENV)/.made
$(VENV)/.made: spec/support/requirements.txt
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

# Instance metadata as Amazon mocks it, a second opinion beside the tests' own. A Go that is not the
# system's goes first, then Ubuntu's second one, which is the newer.
GO        ?= $(firstword $(wildcard /usr/local/go/bin/go /usr/lib/go-1.2[3-9]/bin/go) go)
IMDS_MOCK ?= $(BUILD)/imds_mock/ec2-metadata-mock

.PHONY: imds-mock
imds-mock: $(IMDS_MOCK)
$(IMDS_MOCK): spec/support/imds_mock/go.mod spec/support/imds_mock/go.sum
	@mkdir -p $(@D)
	cp $^ $(@D)/
	cd $(@D) && $(GO) build -mod=mod -ldflags="-s -w" -o $(@F) \
		github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock
	@touch $@

.PHONY: deps
deps:
	@.ci/deps.sh

# SPECS: which specs to run; all of spec/ by default.
.PHONY: busted
busted: $(CORE) venv imds-mock
	@VAULT_BUILD=$(BUILD) VAULT_VENV=$(VENV) VAULT_IMDS_MOCK=$(IMDS_MOCK) \
		.ci/busted.sh $(BUILD) $(SPECS)

# A second make: what deps installs decides about flags that this one has read already.
.PHONY: test
test: deps
	@$(MAKE) --no-print-directory -k all ctest busted

# The gates. Each proves first that it finds what it is for: spec/controls/ has the planted faults.
# A control is built like a test program, but for the sanitizer.
$(BUILD)/control/%: spec/controls/%.c $(FILTER) $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $< $(FILTER) $(TEST_LIBS)

.PHONY: lint layers asan tsan chaos fuzz coverage bench symbols longrun
lint:
	@.ci/lint.sh
layers:
	@.ci/layers.sh
asan: $(CORE) # which some specs start as a user does, without the sanitizer
	@.ci/asan.sh
tsan:
	@.ci/tsan.sh
chaos:
	@.ci/chaos.sh
fuzz:
	@FUZZ_SECONDS=$(FUZZ_SECONDS) .ci/fuzz.sh
coverage:
	@.ci/coverage.sh
symbols: $(CORE)
	@.ci/symbols.sh $(CORE)

# MINUTES=30, or LONGRUN_SECONDS; LONGRUN_SEED repeats a run.
MINUTES         ?= 30
LONGRUN_SECONDS ?= $(shell echo $$(($(MINUTES) * 60)))
longrun: $(CORE) venv
	@VAULT_BUILD=$(BUILD) VAULT_VENV=$(VENV) LONGRUN_SECONDS=$(LONGRUN_SECONDS) .ci/longrun.sh

# What the module itself is made of, without the test switch.
BENCH_BINS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard bench/*.c)))
$(BUILD)/bench/fetch: $(wildcard bench/support/*.c)
$(BUILD)/bench/sign: bench/support/round.c
$(BUILD)/bench/%: bench/%.c $(CORE_SOURCES:csrc/%.c=$(BUILD)/obj/%.o)
	@mkdir -p $(@D)
	$(CC) $(BASE_CFLAGS) $(BASE_LDFLAGS) -o $@ $^ $(SHARED_LIBS) -ldl
bench: $(CORE) $(BENCH_BINS)
	@VAULT_BUILD=$(BUILD) VAULT_VENV=$(VENV) .ci/bench.sh $(BUILD) $(LUAJIT)

# A fuzz target: `make BUILD=build/fuzz CC=clang` with the flags of .ci/fuzz.sh.
FUZZ_BINS := $(patsubst spec/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard spec/fuzz/fuzz_*.c)))
.PHONY: fuzzers
fuzzers: $(FUZZ_BINS)
$(BUILD)/fuzz/%: spec/fuzz/%.c $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -fsanitize=fuzzer -o $@ $< $(TEST_LIB) $(SHARED_LIBS) -ldl
$(BUILD)/control/fuzz_%: spec/controls/fuzz_%.c $(TEST_LIB)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -fsanitize=fuzzer -o $@ $< $(TEST_LIB) $(SHARED_LIBS) -ldl

.PHONY: install
install: $(CORE)
	install -d $(DESTDIR)$(LUA_LIBDIR)/vault $(DESTDIR)$(LUA_MODULEDIR)/vault $(DESTDIR)$(BINDIR)
	install -m 755 $(CORE) $(DESTDIR)$(LUA_LIBDIR)/vault/core.so
	install -m 644 lua/vault/*.lua $(DESTDIR)$(LUA_MODULEDIR)/vault/
	install -m 755 bin/vaults $(DESTDIR)$(BINDIR)/vaults

# The adapters are apart: each refuses to go over a file of somebody else's.
.PHONY: install-kong install-apisix
install-kong:
	@DESTDIR="$(DESTDIR)" .ci/install_adapter.sh "$(LUA_MODULEDIR)" \
		lua/kong/vaults/aws/init.lua lua/kong/vaults/aws/schema.lua
install-apisix:
	@DESTDIR="$(DESTDIR)" .ci/install_adapter.sh "$(LUA_MODULEDIR)" lua/apisix/secret/awssm.lua

.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory all venv
	@VAULT_BUILD=$(BUILD) VAULT_VENV=$(VENV) examples/demo.sh

.PHONY: clean
clean:
	rm -rf $(BUILD)

.DELETE_ON_ERROR:
.SECONDARY:
