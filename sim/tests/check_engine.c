/* SPDX-License-Identifier: MIT */
/*
 * Every engine at work in topologies/wisp-pair.yaml, in one world: names,
 * pings, the first PLAT's engine killed and started again, links cut, costs
 * changed. Needs root; skips with a reason where the host cannot.
 */
#include "../engine/engine.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../engine/engine_internal.h"
#include "../engine/vty.h"
#include "../plan/plan.h"
#include "../relay/relay.h"

#define TOPOLOGY    "topologies/wisp-pair.yaml"
#define CHECKED	    "sim/tests/data/bfd-health.yaml"
#define PATIENCE_NS (30 * NS_PER_S)

static struct {
	struct arena *arena;
	struct loop *loop;
	struct plan *plan;
	struct world *world;
	struct engines *engines;
	char dir[64], id[5];
	struct mono began;
} t;

static struct mono soon(void)
{
	return mono_add(clock_now(), PATIENCE_NS);
}

static void on_step(void *arg, const char *text)
{
	(void)arg;
	if (getenv("CHECK_VERBOSE"))
		printf("%6.3f s  %s\n",
		       (double)mono_sub(clock_now(), t.began) / NS_PER_S, text);
}

static void tell(const char *what, int64_t ns)
{
	printf("%-44s %7.1f ms\n", what, (double)ns / NS_PER_MS);
}

static void setup(const char *path)
{
	struct world_opts o;
	struct diags d;
	struct topology *topology;
	struct err e = {""};
	int ret;

	t.arena = arena_new();
	t.loop = loop_new();
	diags_init(&d);
	topology = spec_load_topology(path, t.arena, &d);
	if (!topology)
		diags_print(&d, stderr);
	ck_assert_ptr_nonnull(topology);
	diags_fini(&d);
	t.plan = plan_new(topology, t.arena, &e);
	ck_assert_msg(t.plan != NULL, "%s", e.text);
	strcpy(t.dir, "/tmp/check-engine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t.dir));
	ck_assert_int_eq(world_new_run_id(t.id), 0);
	o = (struct world_opts){
		.run_id = t.id, .dir = t.dir, .seed = 1, .loop = t.loop};
	ret = world_build(t.plan, &o, &t.world, &e);
	ck_assert_msg(ret == 0, "%d: %s", ret, e.text);
	t.began = clock_now();
	ret = engines_start(t.world, on_step, NULL, soon(), &t.engines, &e);
	if (ret) {
		fprintf(stderr, "%s\nlogs: %s\n", e.text, t.dir);
		world_teardown(t.world);
	}
	ck_assert_int_eq(ret, 0);
	printf("engines started and converged in %.2f s\n",
	       (double)mono_sub(clock_now(), t.began) / NS_PER_S);
}

static void teardown(void)
{
	struct mono since;
	struct err e;

	for (size_t i = 0; i < engines_count(t.engines); i++)
		ck_assert_str_eq(engines_at(t.engines, i)->fault, "");
	since = clock_now();
	engines_stop(t.engines);
	tell("engines stopped in", mono_sub(clock_now(), since));
	world_teardown(t.world);
	world_drop_run_id(t.id);
	ck_assert_int_eq(file_rmtree(t.dir, &e), 0);
	loop_free(t.loop);
	arena_free(t.arena);
}

/* ---- helpers ---------------------------------------------------------------
 */

static int node(const char *name)
{
	int n = plan_find_node(t.plan, name);

	ck_assert_int_ge(n, 0);
	return n;
}

static char *output(const char *where, const char *const *argv)
{
	struct spawn s = {
		.node = node(where), .argv = argv, .log = "log", .out = "out"};
	char path[256];
	struct proc *p;
	struct err e = {""};
	char *text;

	ck_assert_msg(!world_spawn(t.world, &s, &p, &e), "%s", e.text);
	ck_assert_int_eq(proc_wait(p, soon()), 0);
	proc_free(p);
	snprintf(path, sizeof(path), "%s/out", world_node_dir(t.world, s.node));
	text = file_read(path, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	return text;
}

#define OUTPUT(where, ...)                                                     \
	output(where, (const char *const[]){__VA_ARGS__, NULL})

static void expect_in(char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
	free(text);
}

static struct engine *engine(const char *where, enum daemon_role role)
{
	struct engine *en = engines_get(t.engines, node(where), role);

	ck_assert_ptr_nonnull(en);
	return en;
}

/* Wait until both pools lead to @plat. Returns the time that took, in ns. */
static int64_t await_pools(const char *plat, struct mono since)
{
	const struct topology *tp = t.plan->topology;
	struct addr p6 = {.family = AF_INET6, .v6 = tp->pool6.addr};
	struct addr p4 = {.family = AF_INET, .v4 = tp->pool4.addr};
	struct err e = {""};
	int ret = world_await_route(t.world, node("access"), &p6, tp->pool6.len,
				    plat, soon(), &e);

	if (!ret)
		ret = world_await_route(t.world, node("border"), &p4,
					tp->pool4.len, plat, soon(), &e);
	ck_assert_msg(ret == 0, "%s", e.text);
	return mono_sub(clock_now(), since);
}

static void expect_ping(const char *from, const char *to)
{
	struct addr dst;
	struct err e = {""};

	ck_assert_int_eq(addr_parse(to, &dst), 0);
	ck_assert_msg(
		!ask_echo(t.world, (int[]){node(from)}, 1, &dst, soon(), &e),
		"%s", e.text);
}

/* ---- tests -----------------------------------------------------------------
 */

/*
 * tools/deps.sh installs all engines but Jool, which only --jool asks for: it
 * alone may be missing, and then says which package it wants.
 */
START_TEST(test_available)
{
	for (const struct engine_ops *const *ops = engine_all(); *ops; ops++) {
		char version[128] = "";
		struct err why = {""};

		if (!(*ops)->available(version, sizeof(version), &why)) {
			ck_assert_str_ne(version, "");
			continue;
		}
		ck_assert_msg(!strcmp((*ops)->name, "jool"), "%s", why.text);
		ck_assert_msg(strstr(why.text, "tools/deps.sh --jool") ||
				      strstr(why.text, "xlatsim prepare jool"),
			      "%s", why.text);
	}
	ck_assert_ptr_null(engine_find("frr", DAEMON_PLAT));
	ck_assert_ptr_null(engine_find("nonesuch", DAEMON_PLAT));
}
END_TEST

/* RFC 6147: synthesised where there is no AAAA, else left alone. */
static void check_names(void)
{
	expect_in(OUTPUT("home1", "dig", "+short", "AAAA", "slash.example"),
		  "64:ff9b::c633:642d\n");
	expect_in(OUTPUT("home1", "dig", "+short", "AAAA", "both.example"),
		  "2001:db8:f000::46\n");
	expect_in(OUTPUT("home2", "dig", "+short", "AAAA", "ipv4only.arpa"),
		  "64:ff9b::c000:aa\n");
	expect_in(OUTPUT("home1", "dig", "+dnssec", "A", "slash.example"),
		  "flags: qr rd ra ad;");
	expect_in(OUTPUT("home1", "dig", "AAAA", "nosuch.example"),
		  "status: NXDOMAIN");
	expect_in(OUTPUT("home1", "dig", "@2001:db8::4", "+short", "AAAA",
			 "slash.example"),
		  "64:ff9b::c633:642d\n");
	expect_in(OUTPUT("both", "dig", "@2001:db8::3", "A", "slash.example"),
		  "status: REFUSED");
}

static void check_pings(void)
{
	expect_ping("home1", "198.51.100.45");
	expect_ping("home2", "198.51.100.46");
	expect_ping("home1", "64:ff9b::c633:642d");
	expect_ping("home1", "2001:db8:f000::46");
}

static void check_counters(void)
{
	struct engine *clat = engine("cpe1", DAEMON_CLAT);
	struct engine *relay = engine("relay", DAEMON_RELAY);
	json_t *o = clat->ops->counters(clat), *packets;

	ck_assert_ptr_nonnull(o);
	packets = json_object_get(o, "packets");
	ck_assert_int_ge(
		json_integer_value(json_object_get(packets, "forwarded")), 4);
	json_decref(o);
	o = relay->ops->counters(relay);
	ck_assert_ptr_nonnull(o);
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
}

static void check_kill(void)
{
	struct engine *en = engine("plat1", DAEMON_PLAT);
	struct mono since;
	struct err e = {""};

	ck_assert_int_eq(engine_restart(en, &e), -EALREADY);
	for (int i = 0; i < 2; i++) {
		since = clock_now();
		ck_assert_int_eq(engine_kill(en, &e), 0);
		tell("xlatd killed: pools moved after",
		     await_pools("plat2", since));
		expect_ping("home1", "198.51.100.45");
		since = clock_now();
		ck_assert_msg(!engine_restart(en, &e), "%s", e.text);
		tell("xlatd started: pools back after",
		     await_pools("plat1", since));
		expect_ping("home1", "198.51.100.45");
	}
	ck_assert_str_eq(en->fault, "");
	ck_assert_str_eq(en->first_fault, "");
}

static void check_link(const char *a, const char *b)
{
	int link = plan_find_link(t.plan, a, b);
	struct mono since;
	struct err e = {""};
	char text[80];

	ck_assert_int_ge(link, 0);
	since = clock_now();
	ck_assert_msg(!world_link_set(t.world, link, false, &e), "%s", e.text);
	snprintf(text, sizeof(text), "%s-%s down: pools moved after", a, b);
	tell(text, await_pools("plat2", since));
	expect_ping("home1", "198.51.100.45");
	since = clock_now();
	ck_assert_msg(!world_link_set(t.world, link, true, &e), "%s", e.text);
	snprintf(text, sizeof(text), "%s-%s up: pools back after", a, b);
	tell(text, await_pools("plat1", since));
	expect_ping("home1", "198.51.100.45");
}

static void set_cost(const char *where, const char *iface, int64_t cost)
{
	struct engine *en = engine(where, DAEMON_ROUTING);
	struct err e = {""};

	ck_assert_msg(!en->ops->set_cost(en, iface, 0, cost, &e), "%s", e.text);
}

static void set_plat1_cost(int64_t cost)
{
	set_cost("access", "plat1", cost);
	set_cost("plat1", "access", cost);
	set_cost("plat1", "border", cost);
	set_cost("border", "plat1", cost);
}

static void check_cost(void)
{
	struct engine *en = engine("access", DAEMON_ROUTING);
	struct mono since = clock_now();
	struct err e;

	set_plat1_cost(1000);
	tell("costs raised: pools moved after", await_pools("plat2", since));
	expect_ping("home1", "198.51.100.45");
	since = clock_now();
	set_plat1_cost(10);
	tell("costs lowered: pools back after", await_pools("plat1", since));
	ck_assert_int_ne(en->ops->set_cost(en, "plat1", 0, 1 << 20, &e), 0);
	ck_assert_int_eq(en->ops->set_cost(en, "north", 0, 10, &e), -ENOENT);
}

static void set_node(const char *name, bool up)
{
	struct err e = {""};
	int ret;

	for (size_t i = 0; i < engines_count(t.engines) && !up; i++)
		if (engines_at(t.engines, i)->daemon->node == node(name))
			engines_at(t.engines, i)->expected_down = true;
	ret = up ? world_node_up(t.world, node(name), &e)
		 : world_node_down(t.world, node(name), &e);
	if (!ret && up)
		ret = engines_restart_node(t.engines, node(name), &e);
	ck_assert_msg(!ret, "%s", e.text);
}

static void check_node(void)
{
	struct mono since = clock_now();

	set_node("plat1", false);
	tell("plat1 down: pools moved after", await_pools("plat2", since));
	expect_ping("home1", "198.51.100.45");
	since = clock_now();
	set_node("plat1", true);
	tell("plat1 up: pools back after", await_pools("plat1", since));
	expect_ping("home1", "198.51.100.45");
}

/* A primary whose cost was raised while it was away does not preempt. */
static void check_return_without_preemption(void)
{
	struct addr loop4 = {.family = AF_INET,
			     .v4 = t.plan->nodes[node("plat1")].loop4};
	struct engine *en = engine("plat1", DAEMON_PLAT);
	struct err e = {""};

	set_node("plat1", false);
	await_pools("plat2", clock_now());
	set_plat1_cost(1000);
	set_node("plat1", true);
	ck_assert_int_eq(engine_await_serving(en, soon(), &e), 0);
	ck_assert_int_eq(world_await_route(t.world, node("border"), &loop4, 32,
					   "plat1", soon(), &e),
			 0);
	await_pools("plat2", clock_now());
	expect_ping("home1", "198.51.100.45");
	set_plat1_cost(10);
	await_pools("plat1", clock_now());
	expect_ping("home1", "198.51.100.45");
}

/* One family by the other PLAT: what went out is not known where it returns. */
static void check_asymmetric_cost(void)
{
	struct engine *en = engine("access", DAEMON_ROUTING);
	const struct topology *tp = t.plan->topology;
	struct addr p6 = {.family = AF_INET6, .v6 = tp->pool6.addr};
	struct addr p4 = {.family = AF_INET, .v4 = tp->pool4.addr};
	struct err e = {""};

	ck_assert_msg(!en->ops->set_cost(en, "plat1", 6, 1000, &e), "%s",
		      e.text);
	ck_assert_int_eq(world_await_route(t.world, node("access"), &p6,
					   tp->pool6.len, "plat2", soon(), &e),
			 0);
	ck_assert_int_eq(world_await_route(t.world, node("border"), &p4,
					   tp->pool4.len, "plat1", soon(), &e),
			 0);
	ck_assert_msg(!en->ops->set_cost(en, "plat1", 6, 10, &e), "%s", e.text);
	await_pools("plat1", clock_now());
}

/* Carrier up, nothing passes: OSPF finds out by its dead interval. */
static void check_hole(void)
{
	int link = plan_find_link(t.plan, "access", "plat1");
	struct mono since = clock_now();
	struct err e = {""};

	ck_assert_msg(!world_link_hole(t.world, link, true, true, &e), "%s",
		      e.text);
	tell("access-plat1 black hole: pools moved after",
	     await_pools("plat2", since));
	ck_assert_int_ge(mono_sub(clock_now(), since), NS_PER_S);
	expect_ping("home1", "198.51.100.45");
	since = clock_now();
	ck_assert_msg(!world_link_hole(t.world, link, false, false, &e), "%s",
		      e.text);
	tell("black hole ends: pools back after", await_pools("plat1", since));
	expect_ping("home1", "198.51.100.45");
}

static void check_shape(void)
{
	struct link_profile p = {.down.delay_ns = 30e6, .up.delay_ns = 30e6};
	int link = plan_find_link(t.plan, "border", "inet");
	struct mono since;
	struct err e = {""};

	ck_assert_msg(!engine_shape(t.engines, link, &p, &e), "%s", e.text);
	since = clock_now();
	expect_ping("home1", "198.51.100.45");
	ck_assert_int_ge(mono_sub(clock_now(), since), 60 * NS_PER_MS);
	link = plan_find_link(t.plan, "access", "plat1");
	ck_assert_int_eq(engine_shape(t.engines, link, &p, &e), -EINVAL);
}

static bool has_fault(void *arg)
{
	return ((struct engine *)arg)->fault[0] != '\0';
}

/* What nobody ordered is a fault, and says what ended. */
static void check_fault(void)
{
	struct engine *en = engine("cpe2", DAEMON_CLAT);
	struct err e = {""};

	proc_signal(en->procs[0], SIGKILL);
	ck_assert_int_eq(loop_run_until(t.loop, has_fault, en, soon()), 0);
	ck_assert_msg(strstr(en->fault, "xlatd killed by signal 9") != NULL,
		      "%s", en->fault);
	ck_assert_int_eq(engine_kill(en, &e), -ESRCH);
	ck_assert_int_eq(engine_freeze(en, true, &e), -ESRCH);
	ck_assert_msg(!engine_restart(en, &e), "%s", e.text);
	ck_assert_str_eq(en->fault, "");
	ck_assert_ptr_nonnull(strstr(en->first_fault, "killed by signal 9"));
	expect_ping("home2", "198.51.100.46");
}

/* A hung PLAT keeps its routes: nothing but its own process notices. */
static void check_freeze(void)
{
	struct engine *en = engine("plat1", DAEMON_PLAT);
	struct addr dst;
	struct err e = {""};

	addr_parse("198.51.100.45", &dst);
	ck_assert_msg(!engine_freeze(en, true, &e), "%s", e.text);
	ck_assert_int_eq(ask_echo(t.world, (int[]){node("home1")}, 1, &dst,
				  mono_add(clock_now(), NS_PER_S / 2), &e),
			 -ETIMEDOUT);
	ck_assert_msg(!engine_freeze(en, false, &e), "%s", e.text);
	expect_ping("home1", "198.51.100.45");
}

START_TEST(test_world)
{
	setup(TOPOLOGY);
	check_names();
	check_pings();
	check_counters();
	check_kill();
	check_link("access", "plat1");
	check_link("plat1", "border");
	check_cost();
	check_node();
	check_return_without_preemption();
	check_asymmetric_cost();
	check_hole();
	check_shape();
	check_freeze();
	check_fault();
	teardown();
}
END_TEST

static int64_t failures(void)
{
	struct engine *en = engine("plat1", DAEMON_HEALTH);
	json_t *o = en->ops->counters(en);
	int64_t n = json_integer_value(json_object_get(o, "failed"));

	ck_assert_ptr_nonnull(o);
	json_decref(o);
	return n;
}

/* BFD finds a black hole long before the dead interval of 4 s. */
static void check_bfd(void)
{
	int link = plan_find_link(t.plan, "access", "plat1");
	struct mono since = clock_now();
	struct err e = {""};
	int64_t took;

	ck_assert_msg(!world_link_hole(t.world, link, true, false, &e), "%s",
		      e.text);
	took = await_pools("plat2", since);
	tell("one-way black hole, BFD: pools moved after", took);
	ck_assert_int_lt(took, 2 * NS_PER_S);
	expect_ping("home1", "198.51.100.45");
	ck_assert_msg(!world_link_hole(t.world, link, false, false, &e), "%s",
		      e.text);
	await_pools("plat1", clock_now());
}

/* Nothing in the network notices a frozen engine, but what goes through it. */
static void check_health(void)
{
	struct engine *en = engine("plat1", DAEMON_PLAT);
	int64_t before = failures();
	struct mono since = clock_now();
	struct err e = {""};

	ck_assert_msg(!engine_freeze(en, true, &e), "%s", e.text);
	tell("engine hangs, health check: pools moved after",
	     await_pools("plat2", since));
	ck_assert_int_ge(failures() - before, 3);
	expect_ping("home1", "198.51.100.45");
	since = clock_now();
	ck_assert_msg(!engine_freeze(en, false, &e), "%s", e.text);
	tell("engine goes on: pools back after", await_pools("plat1", since));
	expect_ping("home1", "198.51.100.45");
}

/* Routing that was started again is told again. */
static void check_health_tells_again(void)
{
	struct engine *en = engine("plat1", DAEMON_PLAT);
	struct engine *routing = engine("plat1", DAEMON_ROUTING);
	struct addr loop4 = {.family = AF_INET,
			     .v4 = t.plan->nodes[node("plat1")].loop4};
	struct err e = {""};

	ck_assert_msg(!engine_freeze(en, true, &e), "%s", e.text);
	await_pools("plat2", clock_now());
	ck_assert_msg(!engine_kill(routing, &e), "%s", e.text);
	ck_assert_msg(!engine_restart(routing, &e), "%s", e.text);
	ck_assert_int_eq(engine_await_serving(routing, soon(), &e), 0);
	ck_assert_int_eq(world_await_route(t.world, node("border"), &loop4, 32,
					   "plat1", soon(), &e),
			 0);
	await_pools("plat2", clock_now());
	expect_ping("home1", "198.51.100.45");
	ck_assert_msg(!engine_freeze(en, false, &e), "%s", e.text);
	await_pools("plat1", clock_now());
}

/* A checker that was started again takes back what the one before it said. */
static void check_health_takes_back(void)
{
	struct engine *en = engine("plat1", DAEMON_PLAT);
	struct engine *health = engine("plat1", DAEMON_HEALTH);
	struct err e = {""};

	ck_assert_msg(!engine_freeze(en, true, &e), "%s", e.text);
	await_pools("plat2", clock_now());
	ck_assert_msg(!engine_kill(health, &e), "%s", e.text);
	ck_assert_msg(!engine_freeze(en, false, &e), "%s", e.text);
	ck_assert_msg(!engine_restart(health, &e), "%s", e.text);
	ck_assert_int_eq(engine_await_serving(health, soon(), &e), 0);
	await_pools("plat1", clock_now());
}

/* Blocks by their indent, as FRR prints them. */
START_TEST(test_running_config)
{
	static const char text[] = "!\n"
				   "interface access\n"
				   " ip ospf cost 60000\n"
				   "exit\n"
				   "!\n"
				   "interface nat64\n"
				   " ip ospf cost 1\n"
				   "exit\n"
				   "router ospf6\n"
				   " redistribute kernel route-map WORST\n"
				   "exit\n";
	static const struct {
		const char *lines[3];
		bool there;
	} v[] = {
		{{"interface nat64", "ip ospf cost 60000"}, false},
		{{"interface nat64", "ip ospf cost 1"}, true},
		{{"interface access", "ip ospf cost 60000"}, true},
		{{"interface access", "ip ospf cost 6"}, false},
		{{"router ospf6", "redistribute kernel route-map WORST"}, true},
		{{"router ospf6", "redistribute kernel route-map OWN"}, false},
		{{"ip ospf cost 1"}, false},
		{{"router ospf"}, false},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		ck_assert_msg(vty_config_has(text, v[i].lines) == v[i].there,
			      "%s", v[i].lines[0]);
	ck_assert(!vty_config_has("", v[0].lines));
}
END_TEST

START_TEST(test_bfd_and_health_check)
{
	setup(CHECKED);
	check_bfd();
	check_health();
	check_health_tells_again();
	check_health_takes_back();
	teardown();
}
END_TEST

/* Why this host can't run these tests; NULL if it can. */
static const char *skip(void)
{
	static struct err e;
	struct arena *a = arena_new();
	struct diags d;
	struct topology *topology;
	struct plan *p = NULL;
	const char *why = NULL;

	if (geteuid() != 0)
		why = "namespaces need root";
	diags_init(&d);
	topology = spec_load_topology(TOPOLOGY, a, &d);
	if (topology)
		p = plan_new(topology, a, &e);
	/* a bad file is for the tests to complain about */
	if (!why && p && engine_check_host(p, &e))
		why = e.text;
	diags_fini(&d);
	arena_free(a);
	return why;
}

int main(int argc, char **argv)
{
	Suite *s = suite_create("engine");
	TCase *tc = tcase_create("wisp-pair");
	SRunner *sr = srunner_create(s);
	int failed;

	/* engines of our own start this very program */
	if (argc > 1 && !strcmp(argv[1], "health"))
		return health_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "relay"))
		return relay_main(argc - 1, argv + 1);
	if (skip()) {
		printf("SKIP: %s\n", skip());
		srunner_free(sr);
		return 77;
	}
	log_init("check_engine", LOG_WARN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	tcase_set_timeout(tc, 150);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, test_available);
	tcase_add_test(tc, test_running_config);
	tcase_add_test(tc, test_world);
	tcase_add_test(tc, test_bfd_and_health_check);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
