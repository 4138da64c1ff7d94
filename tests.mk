# Test programs. NAME_LIBS: the archives NAME links, most dependent first.
# XLAT_TESTS: xlat/tests/NAME.c; SIM_TESTS, NS_TESTS: sim/tests/NAME.c
# (NS_TESTS need root; they skip with a reason where the host cannot).

SIM_TESTS += check_base
check_base_LIBS := base

SIM_TESTS += check_timeline
check_timeline_LIBS := timeline score spec base

SIM_TESTS += check_score check_stats check_outage
check_score_LIBS := score base
check_stats_LIBS := score base
check_outage_LIBS := score base

# Scripts that end with "N passed, N failed, N skipped".
TEST_SCRIPTS :=

# libFuzzer targets: NAME_SRC, NAME_LIBS
FUZZERS :=
