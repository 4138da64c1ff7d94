# Test programs. NAME_LIBS: the archives NAME links, most dependent first.
# XLAT_TESTS: xlat/tests/NAME.c; SIM_TESTS, NS_TESTS: sim/tests/NAME.c
# (NS_TESTS need root; they skip with a reason where the host cannot).

SIM_TESTS += check_base
check_base_LIBS := base

# Scripts that end with "N passed, N failed, N skipped".
TEST_SCRIPTS :=

# libFuzzer targets: NAME_SRC, NAME_LIBS
FUZZERS :=
