/* SPDX-License-Identifier: MIT */
/*
 * Jool nodes without neighbours: they boot, translate, are killed, hang, halt;
 * and what is told where this host cannot run them. Needs root and what
 * `xlatsim prepare jool` builds; skips with a reason without.
 */
#include "../engine/engine.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../engine/guest.h"
#include "../engine/jool.h"
#include "../engine/jool_node.h"

#define PATIENCE_NS (30 * NS_PER_S)

enum { VNET, LOSSY };

static struct {
	struct topology topology;
	struct plan_node nodes[2];
	struct plan_daemon daemons[2];
	struct plan plan;
	struct loop *loop;
	struct world *world;
	struct engines *engines;
	char dir[64], id[5];
} t;

static const struct plat_spec plats[] = {
	{.name = "vnet", .engine = "jool", .attach = "vnet", .guest_gro = true},
	{.name = "lossy", .engine = "jool", .attach = "lossy-merge"},
};

static struct mono soon(void)
{
	return mono_add(clock_now(), PATIENCE_NS);
}

static void make_plan(void)
{
	static struct plan_step steps[] = {
		{STEP_NODE, 0}, {STEP_NODE, 1}, {STEP_LOOP, 0}, {STEP_LOOP, 1}};
	struct prefix6 loop6;
	struct prefix4 loop4;

	prefix6_parse("2001:db8::/64", &loop6);
	prefix4_parse("100.64.0.0/24", &loop4);
	prefix6_parse("64:ff9b::/96", &t.topology.pool6);
	prefix4_parse("192.0.2.0/28", &t.topology.pool4);
	for (int i = 0; i < 2; i++) {
		t.nodes[i] = (struct plan_node){.name = plats[i].name,
						.role = NODE_PLAT,
						.plat = &plats[i]};
		prefix6_host(&loop6, (uint64_t)i + 1, &t.nodes[i].loop6);
		prefix4_host(&loop4, (uint32_t)i + 1, &t.nodes[i].loop4);
		t.daemons[i] = (struct plan_daemon){
			.node = i, .role = DAEMON_PLAT, .engine = "jool"};
	}
	t.plan = (struct plan){.topology = &t.topology,
			       .nodes = t.nodes,
			       .n_nodes = 2,
			       .daemons = t.daemons,
			       .n_daemons = 2,
			       .steps = steps,
			       .n_steps = 4};
}

static void setup(void)
{
	struct world_opts o = {.run_id = t.id, .dir = t.dir};
	struct err e = {""};

	make_plan();
	t.loop = loop_new();
	o.loop = t.loop;
	strcpy(t.dir, "/tmp/check-jool-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t.dir));
	ck_assert_int_eq(world_new_run_id(t.id), 0);
	ck_assert_msg(!world_build(&t.plan, &o, &t.world, &e), "%s", e.text);
	ck_assert_msg(
		!engines_start(t.world, NULL, NULL, soon(), &t.engines, &e),
		"%s", e.text);
}

static void teardown(void)
{
	struct err e;

	engines_stop(t.engines);
	world_teardown(t.world);
	world_drop_run_id(t.id);
	ck_assert_int_eq(file_rmtree(t.dir, &e), 0);
	loop_free(t.loop);
}

static struct engine *engine_at(int node)
{
	return engines_get(t.engines, node, DAEMON_PLAT);
}

static json_int_t counter(json_t *o, const char *name)
{
	json_t *v = json_object_get(o, name);

	ck_assert_msg(json_is_integer(v), "no counter %s", name);
	return json_integer_value(v);
}

static const char *table(int node, const char *name)
{
	static char text[4096];
	char path[128], *got;
	struct err e = {""};

	snprintf(path, sizeof(path), "%s/jool-%s.csv",
		 world_node_dir(t.world, node), name);
	got = file_read(path, NULL, &e);
	ck_assert_msg(got != NULL, "%s", e.text);
	snprintf(text, sizeof(text), "%s", got);
	free(got);
	return text;
}

/* ---- it works --------------------------------------------------------------
 */

START_TEST(translates_and_counts)
{
	for (int i = 0; i < 2; i++) {
		json_t *o = engine_at(i)->ops->counters(engine_at(i));

		/* request and answer of the ping that made it ready */
		ck_assert_int_ge(counter(o, "JSTAT_SUCCESS"), 2);
		ck_assert_int_eq(counter(o, "JSTAT_SESSIONS"), 1);
		ck_assert_int_eq(counter(o, "JSTAT_BIB_ENTRIES"), 1);
		json_decref(o);
		engine_at(i)->ops->keep_tables(engine_at(i));
		ck_assert_ptr_nonnull(strstr(table(i, "bib-icmp"), "192.0.2."));
		ck_assert_ptr_nonnull(
			strstr(table(i, "session-icmp"), "64:ff9b::"));
	}
}
END_TEST

START_TEST(says_what_it_is)
{
	char version[128];
	struct err e;

	ck_assert_int_eq(
		engine_at(VNET)->ops->available(version, sizeof(version), &e),
		0);
	ck_assert_ptr_nonnull(strstr(version, "Jool 4."));
	ck_assert_ptr_nonnull(strstr(version, "User Mode Linux"));
}
END_TEST

/* ---- it is killed, hangs, halts --------------------------------------------
 */

static bool has_nat64(int node)
{
	return jool_net_has(t.world, node, ENGINE_PLAT_TUN);
}

static bool is_gone(void *arg)
{
	return !proc_running(((struct engine *)arg)->procs[0]) &&
	       !has_nat64(((struct engine *)arg)->daemon->node);
}

START_TEST(killed_takes_its_wire_and_comes_back)
{
	struct engine *en = engine_at(_i);
	struct err e = {""};

	ck_assert(has_nat64(_i));
	ck_assert_int_eq(engine_kill(en, &e), 0);
	/* helper threads of it close the tap a moment later */
	while (!is_gone(en))
		loop_run_until(t.loop, is_gone, en,
			       mono_add(clock_now(), NS_PER_MS));
	ck_assert_msg(!engine_restart(en, &e), "%s", e.text);
	ck_assert_msg(!en->ops->ready(en, soon(), &e), "%s", e.text);
	ck_assert(has_nat64(_i));
}
END_TEST

/* The channel of the one before must not be taken for the new one's. */
START_TEST(comes_back_again_and_again)
{
	struct engine *en = engine_at(VNET);
	struct err e = {""};

	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(engine_kill(en, &e), 0);
		while (!is_gone(en))
			loop_run_until(t.loop, is_gone, en,
				       mono_add(clock_now(), NS_PER_MS));
		ck_assert_msg(!engine_restart(en, &e), "%s", e.text);
		/* before the new process has done anything */
		en->step(en);
		ck_assert_msg(!en->ops->ready(en, soon(), &e), "%s", e.text);
	}
}
END_TEST

START_TEST(unexpected_end_is_a_sentence)
{
	struct engine *en = engine_at(VNET);

	ck_assert_int_eq(proc_signal(en->procs[0], SIGKILL), 0);
	while (!is_gone(en))
		loop_run_until(t.loop, is_gone, en,
			       mono_add(clock_now(), NS_PER_MS));
	ck_assert_ptr_nonnull(strstr(en->fault, "killed by signal 9"));
}
END_TEST

START_TEST(hung_is_told_within_its_time)
{
	struct engine *en = engine_at(VNET);
	struct mono began;
	struct err e;
	json_t *o;

	ck_assert_int_eq(engine_freeze(en, true, &e), 0);
	began = clock_now();
	o = en->ops->counters(en);
	ck_assert_ptr_nonnull(strstr(
		json_string_value(json_object_get(o, "unavailable")), "hangs"));
	ck_assert_int_le(mono_sub(clock_now(), began), 3 * NS_PER_S);
	json_decref(o);
	/* the late answer is not taken for the next one */
	ck_assert_int_eq(engine_freeze(en, false, &e), 0);
	for (int i = 0; i < 3; i++) {
		o = en->ops->counters(en);
		ck_assert_int_ge(counter(o, "JSTAT_SUCCESS"), 2);
		ck_assert_int_eq(counter(o, "JSTAT_SESSIONS"), 1);
		json_decref(o);
	}
}
END_TEST

START_TEST(hung_at_start_is_told)
{
	struct engine *en = engine_at(VNET);
	struct err e = {""};
	int ret;

	ck_assert_int_eq(engine_kill(en, &e), 0);
	while (!is_gone(en))
		loop_run_until(t.loop, is_gone, en,
			       mono_add(clock_now(), NS_PER_MS));
	ck_assert_msg(!engine_restart(en, &e), "%s", e.text);
	ck_assert_int_eq(engine_freeze(en, true, &e), 0);
	ret = en->ops->ready(en, mono_add(clock_now(), NS_PER_S / 2), &e);
	ck_assert_int_eq(ret, -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(e.text, "does not boot"));
}
END_TEST

START_TEST(halts_when_asked)
{
	char path[128], *log;
	struct err e;

	engines_stop(t.engines);
	t.engines = NULL;
	for (int i = 0; i < 2; i++) {
		ck_assert(!has_nat64(i));
		snprintf(path, sizeof(path), "%s/jool-plat.log",
			 world_node_dir(t.world, i));
		log = file_read(path, NULL, &e);
		ck_assert_ptr_nonnull(log);
		ck_assert_ptr_nonnull(strstr(log, "System halted"));
		free(log);
	}
}
END_TEST

START_TEST(bad_command_is_an_error)
{
	struct jool *j = engine_at(VNET)->state;
	struct err e = {""};

	ck_assert_ptr_null(guest_ask(j->guest, "juggle", &e));
	ck_assert_ptr_nonnull(strstr(e.text, "juggle"));
	ck_assert_ptr_null(guest_ask(j->guest, "run /bin/false", &e));
	ck_assert_ptr_null(guest_ask(j->guest, "up nosuch0", &e));
	ck_assert_ptr_nonnull(strstr(e.text, "No such device"));
	/* and it goes on */
	ck_assert_str_eq(guest_ask(j->guest, "run /bin/echo a b", &e), "a b\n");
}
END_TEST

START_TEST(programs_run_on)
{
	struct guest *g = ((struct jool *)engine_at(VNET)->state)->guest;
	struct err e = {""};

	ck_assert_ptr_nonnull(guest_ask(g, "file /run/note a  b {\"c\"}", &e));
	ck_assert_str_eq(guest_ask(g, "run /bin/cat /run/note", &e),
			 "a  b {\"c\"}\n");
	ck_assert_ptr_null(guest_ask(g, "file /nowhere/note a", &e));
	/* ended before it had begun: with its own words */
	ck_assert_ptr_null(guest_ask(g, "spawn 2 /bin/cat /nosuch", &e));
	ck_assert_msg(strstr(e.text, "/nosuch: No such file") != NULL, "%s",
		      e.text);
	ck_assert_ptr_nonnull(guest_ask(g, "spawned", &e));
	ck_assert_ptr_nonnull(guest_ask(g, "spawn 1 /bin/sleep 1000", &e));
	ck_assert_ptr_nonnull(guest_ask(g, "spawned", &e));
	ck_assert_ptr_nonnull(guest_ask(g, "run /bin/pkill -x sleep", &e));
	while (guest_ask(g, "spawned", &e)) /* it ends by the signal */
		;
	ck_assert_ptr_nonnull(strstr(e.text, "/nosuch"));
}
END_TEST

/* ---- this host cannot ------------------------------------------------------
 */

/* A cache of this test, removed again; "": none. */
static char cache[64];

static bool has_reason(const char *words)
{
	struct jool_host h;
	struct err e = {""};
	int ret = jool_host_find("jool", &h, &e);

	if (ret && strstr(e.text, words) && h.backend == JOOL_NONE)
		return true;
	fprintf(stderr, "'%s' instead of '%s'\n", e.text, words);
	return false;
}

/* In a child, since it changes what the process may do. */
static void expect_reason(void (*spoil)(void), const char *words)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct err e;
		bool good;

		spoil();
		good = has_reason(words);
		if (cache[0])
			file_rmtree(cache, &e);
		_exit(!good);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void forbid_ptrace(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {.len = sizeof(f) / sizeof(*f), .filter = f};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		_exit(2);
}

static void hide_tun(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/dev/net", "tmpfs", 0, NULL))
		_exit(2);
}

static void hide_tool(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("/dev/null", "/usr/bin/jool", NULL, MS_BIND, NULL))
		_exit(2);
}

static void use_cache(const char *manifest)
{
	char path[128];
	struct err e;

	strcpy(cache, "/tmp/check-jool-XXXXXX");
	if (!mkdtemp(cache))
		_exit(2);
	snprintf(path, sizeof(path), "%s/current", cache);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/current/manifest.json", cache);
	if (manifest && file_write(path, manifest, strlen(manifest), &e))
		_exit(2);
	setenv("XLATSIM_JOOL_CACHE", cache, 1);
}

static void no_cache(void)
{
	use_cache(NULL);
}

static void damaged_cache(void)
{
	use_cache("{");
}

static void older_cache(void)
{
	use_cache("{\"recipe\": 1, \"kernel\": \"6.1.1\", \"own_kernel\": "
		  "false, \"jool\": \"4.1.9-1\"}");
}

static void other_recipe(void)
{
	use_cache("{\"recipe\": 0, \"kernel\": \"6.1.1\", \"own_kernel\": "
		  "false, \"jool\": \"4.1.9-1\"}");
}

START_TEST(reasons)
{
	expect_reason(forbid_ptrace, "does not allow ptrace");
	expect_reason(hide_tun, "/dev/net/tun");
	expect_reason(hide_tool, "install Debian package jool-tools");
	expect_reason(no_cache, "xlatsim prepare jool");
	expect_reason(damaged_cache, "is damaged");
	expect_reason(older_cache, "prepared for User Mode Linux 6.1.1");
	expect_reason(other_recipe, "another version");
}
END_TEST

static const char *why_not(void)
{
	static struct err e;
	struct jool_host h;

	if (geteuid() != 0)
		return "needs root";
	if (jool_host_find("jool", &h, &e))
		return e.text;
	if (h.backend != JOOL_UML)
		return "the host's own module is used here";
	return NULL;
}

int main(void)
{
	const char *why = why_not();
	Suite *s = suite_create("jool");
	TCase *tc = tcase_create("node");
	SRunner *sr;
	int failed;

	if (why) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, translates_and_counts);
	tcase_add_test(tc, says_what_it_is);
	tcase_add_loop_test(tc, killed_takes_its_wire_and_comes_back, VNET,
			    LOSSY + 1);
	tcase_add_test(tc, comes_back_again_and_again);
	tcase_add_test(tc, unexpected_end_is_a_sentence);
	tcase_add_test(tc, hung_is_told_within_its_time);
	tcase_add_test(tc, hung_at_start_is_told);
	tcase_add_test(tc, halts_when_asked);
	tcase_add_test(tc, bad_command_is_an_error);
	tcase_add_test(tc, programs_run_on);
	suite_add_tcase(s, tc);
	tc = tcase_create("reasons");
	tcase_add_test(tc, reasons);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
