# xlatsim: build, test, install.  `make help` lists the targets.
# One non-recursive makefile, explicit lists, one archive per folder.

VERSION := 0.1.0
CC ?= gcc
BUILD ?= build
DESTDIR ?=
prefix ?= /usr/local
V ?= 0
Q := $(if $(filter 1,$(V)),,@)

PKGS := libnl-3.0 libnl-route-3.0 libnl-genl-3.0 yaml-0.1 jansson libpcap
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

base_SRCS := addr arena clock diag err file log loop rng units yaml
core_SRCS :=
nat64_SRCS :=
io_SRCS :=
daemon_SRCS :=
spec_SRCS :=
plan_SRCS :=
world_SRCS :=
engine_SRCS :=
relay_SRCS :=
probe_SRCS :=
timeline_SRCS :=
score_SRCS :=
report_SRCS :=
cmd_SRCS :=

XLAT_FOLDERS := base core nat64 io daemon
SIM_FOLDERS := spec plan world engine relay probe timeline score report cmd
PURE_FOLDERS := core nat64 plan score

XLATD_LIBS := daemon nat64 io core base
XLATSIM_LIBS := cmd timeline probe engine relay report score world plan spec base

base_LDLIBS := -lyaml
world_LDLIBS := -lnl-route-3 -lnl-genl-3 -lnl-3
engine_LDLIBS := -ljansson
relay_LDLIBS := -ljansson
probe_LDLIBS := -ljansson -lpcap -lresolv
report_LDLIBS := -ljansson -lm
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
TEST_PROGRAMS := $(addprefix $(BUILD)/tests/,$(XLAT_TESTS) $(SIM_TESTS) $(NS_TESTS))

.PHONY: all
all: $(PROGRAMS)

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

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
