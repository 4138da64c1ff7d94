# xlatsim: build, test, install.  `make help` lists the targets.
# One non-recursive makefile, explicit lists, one archive per folder.

# A build from the repository says which commit it is of; one from a tarball,
# also where that was unpacked inside another repository, does not.
RELEASE := 0.1.0
COMMIT := $(if $(wildcard .git),$(shell git describe --always --dirty --abbrev=8 --exclude='*' 2>/dev/null))
VERSION := $(RELEASE)$(addprefix +g,$(COMMIT))
CC ?= gcc
BUILD ?= build
DESTDIR ?=
prefix ?= /usr/local
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

PKGS := libnl-3.0 libnl-route-3.0 libnl-genl-3.0 yaml-0.1 jansson libpcap libbpf
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 \
	-Wimplicit-fallthrough
OPT ?= -O2 -g
HARDEN := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -DXLATSIM_VERSION='"$(VERSION)"' \
	$(WARN) $(if $(CI)$(WERROR),-Werror) $(OPT) $(HARDEN) $(PKG_CFLAGS) \
	$(SAN) $(CFLAGS) -MMD -MP
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)
PURE_CFLAGS := -Wconversion

# ---- folders: sources and the libraries a program linking them needs --------

base_SRCS := addr arena clock diag err file log loop rng units yaml yaml_read
core_SRCS := addrmap csum eam frag gso header icmp icmp_map icmp_xlat lpm \
	mss parse pref64 pref64_dns ratelimit reason rfc6052 xlat xlat46 xlat64
nat64_SRCS := nat64 table syn watch subscriber pool4 inspect frag held standby \
	sync replica compare migrate blocks idle binding pcp gather
io_SRCS := io tun packet memory vnet
bpf_SRCS := fastpath flows
daemon_SRCS := path burst plat memory config config_lists config_clat config_sync \
	config_log config_pcp sync pcp journal who setup server control answers answers_plat answers_pcp answers_sync answers_eam ctl discover \
	discover_dns discover_ra fast config_fast
spec_SRCS := catalogue names kinds profile topology topology_check measure \
	events expect scenario matrix
plan_SRCS := addrplan links nodes plan print routes steps
world_SRCS := quota world names node mounts proc netlink link addr route verify \
	offload tbf hole watch clean procnet
engine_SRCS := engine start util ask nlroute announce relay bind9 bind9_auth bind9_dns64 \
	frr frr_conf vty health health_main radv radv_main xlatd
engine_SRCS += jool jool_host jool_net pair jool_node jool_vm guest jool_module jool_sync jool_bench
engine_SRCS += unbound nft_nat44 hold tayga
relay_SRCS := relay config control path port pool impair segment hist \
	slots
probe_SRCS := capture capture_node dns dns_msg dns_node iperf3 node_args ping \
	ping_node probe flood flood_node rounds connections connections_node flow resolv_conf resolver resolver_node sessions \
	sessions_node sessions_server stream stream_main stream_node stream_record \
	throughput tls tls_node tls_server traceroute traceroute_node transfer \
	transfer_score
timeline_SRCS := timeline events await drill census diagnosis superpackets
score_SRCS := outage drill score stats diagnose compare
conform_SRCS := fields packet_value packet_parse packet_build packet_match packet_print suite \
	suite_case knobs bench bench_port bench_world players player_xlatd player_tayga \
	player_jool run table record
report_SRCS := cards compare facts html json junit matrix progress style svg table text
advise_SRCS := derive print read setting
cmd_SRCS := advise compare front usage run session matrix resdir testbed host plan clean doctor \
	prepare engines conform

XLAT_FOLDERS := base core nat64 io bpf daemon
SIM_FOLDERS := spec plan world engine relay probe timeline score report conform \
	advise cmd
PURE_FOLDERS := core nat64 plan score

XLATD_LIBS := daemon nat64 io bpf core base
XLATSIM_LIBS := cmd advise conform timeline probe engine relay report score world plan spec base

base_LDLIBS := -lyaml
daemon_LDLIBS := -ljansson -lcrypto
bpf_LDLIBS := -lbpf
world_LDLIBS := -lnl-route-3 -lnl-genl-3 -lnl-3
engine_LDLIBS := -ljansson -lnl-3
relay_LDLIBS := -ljansson -lm
probe_LDLIBS := -ljansson -lpcap -lresolv -lssl -lcrypto -lpthread
conform_LDLIBS := -ljansson
report_LDLIBS := -ljansson -lm
advise_LDLIBS := -ljansson -lm
timeline_LDLIBS := -ljansson -lm
score_LDLIBS := -lm

# ---- tests: one program a module; NAME_LIBS lists the archives it links -----
# unit tests need no root; namespace tests make (and remove) their own world

XLAT_TESTS :=
SIM_TESTS :=
NS_TESTS :=

include tests.mk

# ------------------------------------------------------------------------------

srcdir = $(if $(filter $(1),$(XLAT_FOLDERS)),xlat/$(1),sim/$(1))
lib = $(BUILD)/lib/$(1).a
libs = $(foreach l,$(1),$(call lib,$(l)))
ldlibs = $(foreach l,$(1),$($(l)_LDLIBS))

PROGRAMS := $(if $(daemon_SRCS),$(BUILD)/xlatd) $(if $(cmd_SRCS),$(BUILD)/xlatsim)
# what a Jool node boots, and what is preloaded into its kernel
UML_PROGRAMS := $(BUILD)/xlatsim-guest $(BUILD)/xlatsim-uml.so
TEST_PROGRAMS := $(addprefix $(BUILD)/tests/,$(XLAT_TESTS) $(SIM_TESTS) $(NS_TESTS))

.PHONY: all
all: $(PROGRAMS) $(UML_PROGRAMS)

define folder_rules
$(1)_OBJS := $(patsubst %,$(BUILD)/obj/$(1)/%.o,$($(1)_SRCS))
$(call lib,$(1)): $$($(1)_OBJS)
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && $(AR) rcs $$@ $$^
$(BUILD)/obj/$(1)/%.o: $(call srcdir,$(1))/%.c | deps-hint
	@mkdir -p $$(@D)
	$(if $(filter 0,$(V)),@echo "  CC    $$<")
	$(Q)$(CC) $$(CFLAGS_ALL) $(if $(filter $(1),$(PURE_FOLDERS)),$(PURE_CFLAGS)) -c -o $$@ $$<
endef
$(foreach f,$(XLAT_FOLDERS) $(SIM_FOLDERS),$(eval $(call folder_rules,$(f))))

# What bears the version is built again when that changes, and nothing else.
VERSION_SRCS := $(shell grep -rl --include='*.c' XLATSIM_VERSION xlat sim)
version_obj = $(if $(filter %/main.c,$(1)),$(if $(filter xlat/%,$(1)),xlatd,xlatsim),$(patsubst xlat/%.c,%,$(patsubst sim/%.c,%,$(1))))
$(foreach s,$(VERSION_SRCS),$(BUILD)/obj/$(call version_obj,$(s)).o): $(BUILD)/version
.PHONY: version-now
$(BUILD)/version: version-now
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

# The kernel's half of the fast path is linked in as bytes. Without clang they
# are none, and xlatd says so to whoever wants it.
BPF_CLANG := $(shell command -v clang)
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Wextra $(if $(CI)$(WERROR),-Werror) \
	-I/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
$(call lib,bpf): $(BUILD)/obj/bpf/fast_object.o
$(BUILD)/obj/bpf/fast.bpf.o: xlat/bpf/fast.bpf.c xlat/bpf/fast.h | deps-hint
	@mkdir -p $(@D)
	$(if $(filter 0,$(V)),@echo "  BPF   $<")
	$(Q)$(if $(BPF_CLANG),$(BPF_CLANG) $(BPF_CFLAGS) -c -o $@ $<,: >$@)
$(BUILD)/obj/bpf/fast_object.o: $(BUILD)/obj/bpf/fast.bpf.o
	$(Q)cd $(@D) && $(LD) -r -b binary -z noexecstack -o $(@F) $(<F)

.PHONY: deps-hint
deps-hint:
	@pkg-config --exists $(PKGS) check || { echo "Libraries are missing: run 'sudo tools/deps.sh' (it lists them)" >&2; exit 1; }

$(BUILD)/obj/xlatd.o: xlat/daemon/main.c | deps-hint
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<
$(BUILD)/obj/xlatsim.o: sim/main.c | deps-hint
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/xlatd: $(BUILD)/obj/xlatd.o $(call libs,$(XLATD_LIBS))
	$(if $(filter 0,$(V)),@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call ldlibs,$(XLATD_LIBS)) -ljansson
$(BUILD)/xlatsim: $(BUILD)/obj/xlatsim.o $(call libs,$(XLATSIM_LIBS))
	$(if $(filter 0,$(V)),@echo "  LD    $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call ldlibs,$(XLATSIM_LIBS))

# Neither sanitizers nor hardening: the one is no ordinary process, the other
# lives inside somebody else's.
$(BUILD)/xlatsim-guest: sim/engine/uml/guest_init.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) $(if $(CI)$(WERROR),-Werror) -O2 -static -o $@ $<
$(BUILD)/xlatsim-uml.so: sim/engine/uml/shim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(WARN) $(if $(CI)$(WERROR),-Werror) -O2 -shared -fPIC -o $@ $<

define test_rule
$(BUILD)/obj/tests/$(1).o: $(2)/tests/$(1).c | deps-hint
	@mkdir -p $$(@D)
	$(if $(filter 0,$(V)),@echo "  CC    $$<")
	$(Q)$(CC) $$(CFLAGS_ALL) -c -o $$@ $$<
$(BUILD)/tests/$(1): $(BUILD)/obj/tests/$(1).o $(call libs,$($(1)_LIBS))
	@mkdir -p $$(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $$@ $$^ $(call ldlibs,$($(1)_LIBS)) -lcheck -lsubunit -lrt -lm -lpthread
endef
$(foreach t,$(XLAT_TESTS),$(eval $(call test_rule,$(t),xlat)))
$(foreach t,$(SIM_TESTS) $(NS_TESTS),$(eval $(call test_rule,$(t),sim)))

# ---- what people type ---------------------------------------------------------

.PHONY: tests deps check check-built demo sanitize lint format fuzz coverage \
	install uninstall clean help

tests: $(TEST_PROGRAMS) $(UML_PROGRAMS) replay-programs

# DEPS=no: the machine has no apt, and someone has installed what is needed.
deps:
	@$(if $(filter no,$(DEPS)),true,tools/deps.sh $(DEPS_FLAGS))

JOBS := $(shell nproc 2>/dev/null || echo 1)

demo: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(BUILD)/xlatsim run $(DEMO_FLAGS) scenarios/wisp-pair.yaml

check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all tests
	@$(MAKE) --no-print-directory check-built

check-built:
	@BUILD=$(BUILD) tools/run-tests.sh $(TEST_PROGRAMS) $(TEST_SCRIPTS)

# The same tests under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/sanitize OPT="-O1 -g" \
		HARDEN=-fPIE SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" all tests
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/sanitize check-built

SOURCES = $(shell git ls-files '*.c' '*.h')

format:
	clang-format -i $(SOURCES)

lint: DEPS_FLAGS := --lint
lint: deps
	@clang-format --dry-run -Werror $(SOURCES) && echo "format: ok"
	@tools/check-arrows.sh
	@tools/check-matrices.sh
	@CC=$(CC) CFLAGS="$(filter-out -MMD -MP,$(CFLAGS_ALL))" tools/check-headers.sh
	@$(MAKE) --no-print-directory -j$(JOBS) WERROR=1 all tests
	@tools/check-purity.sh $(BUILD)
	@cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr \
		--enable=warning,portability -j $(JOBS) -D_GNU_SOURCE \
		--suppress=unknownMacro xlat/*/ sim/ && echo "cppcheck: ok"
	@clang-tidy --quiet $(filter-out %.bpf.c xlat/fuzz/% sim/fuzz/% xlat/tests/% sim/tests/%,$(filter %.c,$(SOURCES))) -- -std=gnu17 -D_GNU_SOURCE \
		-DXLATSIM_VERSION='"$(VERSION)"' $(PKG_CFLAGS) && echo "clang-tidy: ok"

# FUZZ_SECONDS each; a crash is written to the current folder.
FUZZ_SECONDS ?= 60
FUZZ_SAN := -fsanitize=fuzzer-no-link,address,undefined
fuzz: DEPS_FLAGS := --lint
fuzz: deps
	@$(MAKE) --no-print-directory -j$(JOBS) CC=clang BUILD=$(BUILD)/fuzz OPT="-O1 -g" \
		HARDEN=-fPIE SAN="$(FUZZ_SAN)" fuzz-programs
	@for f in $(FUZZERS); do echo "  FUZZ  $$f"; \
		mkdir -p $(BUILD)/fuzz/corpus/$$f; \
		$(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 \
			-print_final_stats=1 $(BUILD)/fuzz/corpus/$$f \
			$$(ls -d xlat/fuzz/corpus/$$f sim/fuzz/corpus/$$f 2>/dev/null) || exit 1; \
	done

# With AFL++: FUZZ_SECONDS each, from the kept corpus, findings under
# $(BUILD)/afl/out. What the CPU's governor does is not its business here.
.PHONY: fuzz-afl
fuzz-afl: DEPS_FLAGS := --lint
fuzz-afl: deps
	@AFL_USE_ASAN=1 AFL_USE_UBSAN=1 $(MAKE) --no-print-directory -j$(JOBS) CC=afl-clang-fast \
		BUILD=$(BUILD)/afl OPT="-O1 -g" HARDEN=-fPIE replay-programs
	@for f in $(FUZZERS); do echo "  AFL   $$f"; \
		in=$$(ls -d xlat/fuzz/corpus/$$f sim/fuzz/corpus/$$f 2>/dev/null | head -n 1); \
		if [ -z "$$in" ]; then in=$(BUILD)/afl/seed/$$f; mkdir -p $$in; echo a >$$in/a; fi; \
		mkdir -p $(BUILD)/afl/out; \
		AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
		afl-fuzz -m none -V $(FUZZ_SECONDS) -i $$in -o $(BUILD)/afl/out/$$f \
			$(BUILD)/afl/replay/$$f >$(BUILD)/afl/$$f.log 2>&1 || { tail -n 20 $(BUILD)/afl/$$f.log; exit 1; }; \
		grep -E 'execs_done|saved_crashes|saved_hangs' $(BUILD)/afl/out/$$f/default/fuzzer_stats; \
		! ls $(BUILD)/afl/out/$$f/default/crashes/id* 2>/dev/null || exit 1; \
	done

# The same targets with a main of their own: for AFL++, and for the replay of
# the kept corpora that `make check` does.
define replay_rule
$(BUILD)/replay/$(1): $($(1)_SRC) xlat/fuzz/standalone.c $(call libs,$($(1)_LIBS)) | deps-hint
	@mkdir -p $$(@D)
	$(if $(filter 0,$(V)),@echo "  LD    $$@")
	$(Q)$(CC) $(filter-out -MMD -MP,$(CFLAGS_ALL)) $(LDFLAGS_ALL) -o $$@ $$(filter %.c %.a,$$^) $(call ldlibs,$($(1)_LIBS))
endef
$(foreach f,$(FUZZERS),$(eval $(call replay_rule,$(f))))

.PHONY: replay-programs fuzz-programs
replay-programs: $(addprefix $(BUILD)/replay/,$(FUZZERS))
fuzz-programs: $(addprefix $(BUILD)/,$(FUZZERS))

define fuzz_rule
$(BUILD)/$(1): $($(1)_SRC) $(call libs,$($(1)_LIBS))
	$(Q)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer $(LDFLAGS) -pie -o $$@ $$^ $(call ldlibs,$($(1)_LIBS))
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rule,$(f))))

# The core in process: nanoseconds a packet, beside a memcpy. Then, as root,
# xlatd in namespaces beside plain forwarding and TAYGA: ratios and goals.
.PHONY: bench-engine
BENCH_LIBS := world plan spec score base
$(BUILD)/bench_core: xlat/tests/bench_core.c $(call libs,core base) | deps-hint
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.c %.a,$^)
$(BUILD)/bench_plat: sim/tests/bench_flows.c sim/tests/bench_stream.c
$(BUILD)/bench_engine $(BUILD)/bench_plat: $(BUILD)/bench_%: sim/tests/bench_%.c \
		sim/tests/bench_run.c $(wildcard sim/tests/bench_*.h) $(call libs,$(BENCH_LIBS)) | deps-hint
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(call ldlibs,$(BENCH_LIBS)) -ljansson
# The tables and the path of a NAT64 in process, beside their goals.
.PHONY: bench-nat64
$(BUILD)/bench_nat64: xlat/tests/bench_nat64.c $(call libs,daemon nat64 io bpf core base) | deps-hint
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(call ldlibs,daemon nat64 io bpf core base)
bench-nat64: deps
	@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/bench_nat64
	@$(BUILD)/bench_nat64
bench-engine: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BUILD)/bench_core $(BUILD)/bench_engine
	@$(BUILD)/bench_core
	@$(BUILD)/bench_engine $(BENCH_FLAGS) $(abspath $(BUILD)/xlatd) || [ $$? = 77 ]
# A stateful NAT64 from end to end, through its TUN device (root).
.PHONY: bench-plat
bench-plat: deps
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BUILD)/bench_plat
	@$(BUILD)/bench_plat $(BENCH_FLAGS) $(abspath $(BUILD)/xlatd) || [ $$? = 77 ]

coverage: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/coverage OPT="-O0 -g" \
		HARDEN=-fPIE SAN=--coverage all tests
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/coverage check-built
	@for f in $(XLAT_FOLDERS) $(SIM_FOLDERS); do \
		gcov -n $(BUILD)/coverage/obj/$$f/*.o 2>/dev/null | \
		awk -v f=$$f '/^Lines/ {split($$0, a, /[:% ]+/); l += a[5]; c += a[5] * a[3] / 100} \
		END {if (l) printf "%-10s %5.1f%% of %d lines\n", f, 100 * c / l, l}'; done

MAN1 := man/xlatsim.1
MAN5 := man/scenario.5 man/xlatsim-conform.5 man/xlatsim-result.5
MAN8 := man/xlatd.8

install: all
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/share/man/man1 \
		$(DESTDIR)$(prefix)/share/man/man5 $(DESTDIR)$(prefix)/share/man/man8 \
		$(DESTDIR)$(prefix)/share/bash-completion/completions \
		$(DESTDIR)$(prefix)/share/xlatsim
	install -m 755 $(BUILD)/xlatsim $(BUILD)/xlatd $(DESTDIR)$(prefix)/bin
	install -d $(DESTDIR)$(prefix)/lib/xlatsim
	install -m 755 $(UML_PROGRAMS) tools/prepare-jool.sh \
		$(DESTDIR)$(prefix)/lib/xlatsim
	install -m 644 $(MAN1) $(DESTDIR)$(prefix)/share/man/man1
	install -m 644 $(MAN5) $(DESTDIR)$(prefix)/share/man/man5
	install -m 644 $(MAN8) $(DESTDIR)$(prefix)/share/man/man8
	install -m 644 tools/completions/xlatsim.bash \
		$(DESTDIR)$(prefix)/share/bash-completion/completions/xlatsim
	cp -R topologies scenarios conform $(DESTDIR)$(prefix)/share/xlatsim

uninstall:
	cd $(DESTDIR)$(prefix) && rm -rf bin/xlatsim bin/xlatd lib/xlatsim share/xlatsim \
		$(addprefix share/man/man1/,$(notdir $(MAN1))) \
		$(addprefix share/man/man5/,$(notdir $(MAN5))) \
		$(addprefix share/man/man8/,$(notdir $(MAN8))) \
		share/bash-completion/completions/xlatsim

clean:
	rm -rf $(BUILD)

help:
	@echo "demo       install what is missing, build, run scenarios/wisp-pair.yaml (root)"
	@echo "check      install what is missing, build, run every test (root)"
	@echo "all        build $(BUILD)/xlatsim and $(BUILD)/xlatd"
	@echo "tests      build the test programs; check-built runs them"
	@echo "sanitize   the tests under ASan and UBSan     lint      style, arrows, purity, analysers"
	@echo "fuzz       FUZZ_SECONDS=60 for each target     coverage  lines reached by the tests"
	@echo "fuzz-afl   the same under AFL++"
	@echo "format     clang-format the sources            bench-engine  xlatd: ns a packet; beside TAYGA (root)"
	@echo "bench-nat64  sessions of a NAT64 in process    bench-plat  the same through its TUN (root)"
	@echo "install    to DESTDIR and prefix               uninstall, clean"
	@echo "Variables: V=1 shows commands, BUILD=, CC=, CFLAGS=, DEPS=no, FUZZ_SECONDS=, TEST_SECONDS=, BENCH_FLAGS="

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
