# Test programs. NAME_LIBS: the archives NAME links, most dependent first.
# XLAT_TESTS: xlat/tests/NAME.c; SIM_TESTS, NS_TESTS: sim/tests/NAME.c
# (NS_TESTS need root; they skip with a reason where the host cannot).

SIM_TESTS += check_base check_loop check_yaml
check_base_LIBS := base
check_loop_LIBS := base
check_yaml_LIBS := base

SIM_TESTS += check_spec
check_spec_LIBS := spec base

SIM_TESTS += check_timeline
check_timeline_LIBS := timeline score spec base

SIM_TESTS += check_testbed check_front
check_front_LIBS := cmd report score base
check_testbed_LIBS := cmd engine relay report score world plan spec base
SIM_TESTS += check_score check_stats check_outage
check_score_LIBS := score base
check_stats_LIBS := score base
check_outage_LIBS := score base
SIM_TESTS += check_comparison
check_comparison_LIBS := score spec base
SIM_TESTS += check_drill
check_drill_LIBS := score base
SIM_TESTS += check_diagnose
check_diagnose_LIBS := score base report

SIM_TESTS += check_matrix
check_matrix_LIBS := report score spec base
SIM_TESTS += check_advise
check_advise_LIBS := advise spec base

SIM_TESTS += check_report
check_report_LIBS := report score base

SIM_TESTS += check_addrplan check_plan
check_addrplan_LIBS := plan base
check_plan_LIBS := plan spec base

NS_TESTS += check_world check_world_life
check_world_LIBS := world plan spec base
check_world_life_LIBS := world plan spec base

XLAT_TESTS += check_core_vectors
check_core_vectors_LIBS := core base
XLAT_TESTS += check_core_hostile check_siit
check_siit_LIBS := daemon nat64 io bpf core base
check_core_hostile_LIBS := core base
XLAT_TESTS += check_core_property check_core_super
check_core_super_LIBS := core base
check_core_property_LIBS := core base
XLAT_TESTS += check_core_addr check_core_map check_core_misc
check_core_map_LIBS := core base
check_core_addr_LIBS := core base
check_core_misc_LIBS := core base

SIM_TESTS += check_relay
check_relay_LIBS := relay base
NS_TESTS += check_relay_ns
check_relay_ns_LIBS := relay world base

SIM_TESTS += check_probe
check_probe_LIBS := probe score world plan spec base
NS_TESTS += check_probe_ns
check_probe_ns_LIBS := probe score world plan spec base

SIM_TESTS += check_stream
check_stream_LIBS := probe score base
NS_TESTS += check_stream_ns
check_stream_ns_LIBS := probe score base

# Scripts that end with "N passed, N failed, N skipped".
TEST_SCRIPTS := sim/tests/harness.sh sim/tests/cli.sh sim/tests/robust.sh xlat/fuzz/replay.sh
TEST_SCRIPTS += sim/tests/verdicts.sh
TEST_SCRIPTS += sim/tests/prepare.sh sim/tests/engines.sh
TEST_SCRIPTS += sim/tests/conform.sh
TEST_SCRIPTS += sim/tests/matrix.sh
TEST_SCRIPTS += sim/tests/scenarios.sh

# libFuzzer targets: NAME_SRC, NAME_LIBS
FUZZERS := fuzz_spec fuzz_nat64
FUZZERS += fuzz_core_46 fuzz_core_64
fuzz_core_46_SRC := xlat/fuzz/fuzz_core_46.c
fuzz_core_46_LIBS := daemon nat64 io bpf core base
fuzz_core_64_SRC := xlat/fuzz/fuzz_core_64.c
fuzz_core_64_LIBS := daemon nat64 io bpf core base
FUZZERS += fuzz_config fuzz_ctl
fuzz_config_SRC := xlat/fuzz/fuzz_config.c
fuzz_config_LIBS := daemon nat64 io bpf core base
fuzz_ctl_SRC := xlat/fuzz/fuzz_ctl.c
fuzz_ctl_LIBS := daemon nat64 io bpf core base
fuzz_spec_SRC := sim/fuzz/fuzz_spec.c
fuzz_spec_LIBS := plan spec base
fuzz_nat64_SRC := xlat/fuzz/fuzz_nat64.c
fuzz_nat64_LIBS := daemon nat64 io bpf core base

XLAT_TESTS += check_nat64 check_held
check_held_LIBS := nat64 base
check_nat64_LIBS := nat64 core base
XLAT_TESTS += check_nat64_model
check_nat64_model_LIBS := nat64 core base
XLAT_TESTS += check_io check_daemon_config
check_io_LIBS := io core base
XLAT_TESTS += check_packet
check_packet_LIBS := io core base
check_daemon_config_LIBS := daemon nat64 io bpf core base
XLAT_TESTS += check_daemon_path
check_daemon_path_LIBS := daemon nat64 io bpf core base

NS_TESTS += check_engine
check_engine_LIBS := engine relay world plan spec base
XLAT_TESTS += check_xlatd_ns
check_xlatd_ns_LIBS := daemon nat64 io bpf core base

NS_TESTS += check_jool
check_jool_LIBS := engine relay world plan spec base

XLAT_TESTS += check_sync check_replica check_compare check_migrate
check_compare_LIBS := nat64 core base
check_replica_LIBS := nat64 core base
check_migrate_LIBS := nat64 core base
XLAT_TESTS += check_pcp
check_pcp_LIBS := nat64 core base
XLAT_TESTS += check_blocks
check_blocks_LIBS := nat64 core base
check_sync_LIBS := nat64 core base
TEST_SCRIPTS += xlat/tests/standby.sh xlat/tests/journal.sh
SIM_TESTS += check_conform
check_conform_LIBS := conform engine world plan spec base

XLAT_TESTS += check_pref64
check_pref64_LIBS := core base
XLAT_TESTS += check_discover
check_discover_LIBS := daemon nat64 io bpf core base
XLAT_TESTS += check_mss
check_mss_LIBS := core base
FUZZERS += fuzz_conform
fuzz_conform_SRC := sim/fuzz/fuzz_conform.c
fuzz_conform_LIBS := conform engine world plan spec base
XLAT_TESTS += check_ctl
check_ctl_LIBS := daemon nat64 io bpf core base
XLAT_TESTS += check_server
check_server_LIBS := daemon nat64 io bpf core base
FUZZERS += fuzz_pref64
fuzz_pref64_SRC := xlat/fuzz/fuzz_pref64.c
fuzz_pref64_LIBS := core base
FUZZERS += fuzz_pcp
fuzz_pcp_SRC := xlat/fuzz/fuzz_pcp.c
fuzz_pcp_LIBS := nat64 core base
FUZZERS += fuzz_sync
fuzz_sync_SRC := xlat/fuzz/fuzz_sync.c
fuzz_sync_LIBS := nat64 core base

XLAT_TESTS += check_fastpath
check_fastpath_LIBS := bpf core base
TEST_SCRIPTS += xlat/tests/fastpath.sh
