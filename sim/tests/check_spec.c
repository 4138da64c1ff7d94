/* SPDX-License-Identifier: MIT */
/* Runs at the root of the source tree: it reads what is shipped there. */
#include "../spec/spec.h"
#include "../spec/spec_internal.h"

#include <check.h>
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/rng.h"

static struct arena *a;
static struct diags d;

static void setup(void)
{
	a = arena_new();
	diags_init(&d);
}

static void teardown(void)
{
	diags_fini(&d);
	arena_free(a);
}

static void assert_no_diags(void)
{
	if (d.n)
		diags_print(&d, stderr);
	ck_assert_uint_eq(d.n, 0);
}

static struct topology *topology(const char *path)
{
	struct topology *t = spec_load_topology(path, a, &d);

	assert_no_diags();
	ck_assert_ptr_nonnull(t);
	return t;
}

static struct scenario *scenario(const char *path)
{
	struct scenario *s = spec_load_scenario(path, a, &d);

	assert_no_diags();
	ck_assert_ptr_nonnull(s);
	return s;
}

/* A file of this test alone, gone when it ends. */
static const char *write_temp(const char *name, const char *text)
{
	static char path[2][128];
	static int next;
	struct err e;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "/tmp/check_spec.%d.%s",
		 (int)getpid(), name);
	ck_assert_int_eq(file_write(path[next], text, strlen(text), &e), 0);
	return path[next];
}

/* ---- what is shipped ---------------------------------------------------- */

START_TEST(topology_of_wisp_pair)
{
	const struct topology *t = topology("topologies/wisp-pair.yaml");
	char buf[ADDR_TEXT_LEN];

	ck_assert_str_eq(t->name, "wisp-pair");
	ck_assert_str_eq(prefix6_format(&t->operator_prefix, buf),
			 "2001:db8::/36");
	ck_assert_str_eq(prefix6_format(&t->internet6, buf),
			 "2001:db8:f000::/36");
	ck_assert_str_eq(prefix6_format(&t->pool6, buf), "64:ff9b::/96");
	ck_assert_str_eq(prefix4_format(&t->pool4, buf), "192.0.2.0/28");
	ck_assert_str_eq(prefix4_format(&t->infra4, buf), "100.64.0.0/16");
	ck_assert_str_eq(prefix4_format(&t->lan4, buf), "192.168.1.0/24");
	ck_assert_uint_eq(t->n_plats, 2);
	ck_assert_str_eq(t->plats[1].name, "plat2");
	ck_assert_str_eq(t->plats[1].engine, "xlatd");
	ck_assert_int_eq(t->plats[1].ospf_cost, 100);
	ck_assert_str_eq(t->plats[1].host, "pve2");
	ck_assert_uint_eq(t->plats[1].pos.line, 6);
	ck_assert_uint_eq(t->plats[1].pos.column, 3);
	ck_assert_uint_eq(t->dns64.n_on, 2);
	ck_assert_str_eq(t->dns64.on[0], "plat1");
	ck_assert(t->dns64.validation && t->internet.dnssec && t->internet.df);
	ck_assert(t->routing.hello_ns == 1e9 && t->routing.dead_ns == 4e9);
	ck_assert(t->routing.spf_delay_ns == 0);
	ck_assert(t->routing.spf_holdtime_ns == 50e6);
	ck_assert(t->routing.spf_max_ns == 5e9);
	ck_assert_uint_eq(t->n_towers, 1);
	ck_assert_str_eq(t->towers[0].name, "north");
	ck_assert(t->towers[0].radio.down.rate_bps == 150e6);
	ck_assert(t->towers[0].radio.up.delay_ns == 3e6);
	ck_assert(t->towers[0].radio.up.burst_bytes == 65536);
	ck_assert(t->towers[0].radio.down.queue_ns == 50e6);
	ck_assert_int_eq(t->towers[0].radio.mtu, 1500);
	ck_assert_int_eq(t->towers[0].homes.count, 2);
	ck_assert_str_eq(t->towers[0].homes.clat, "xlatd");
	ck_assert(t->towers[0].homes.plan_down_bps == 100e6);
	ck_assert(t->towers[0].homes.plan_up_bps == 20e6);
	ck_assert(t->internet.rtt_ns == 20e6);
	ck_assert_uint_eq(t->internet.n_names, 3);
	ck_assert_str_eq(t->internet.names[1].name, "both.example");
	ck_assert_str_eq(t->internet.names[1].node, "both");
	ck_assert(t->internet.names[1].has4 && t->internet.names[1].has6);
	ck_assert_str_eq(in6_format(&t->internet.names[1].v6, buf),
			 "2001:db8:f000::46");
	ck_assert(!t->internet.names[2].has4);
}
END_TEST

START_TEST(scenario_of_wisp_pair)
{
	const struct scenario *s = scenario("scenarios/wisp-pair.yaml");

	ck_assert_str_eq(s->name, "wisp-pair");
	ck_assert_str_eq(s->title, "The operator's own checks on two PLATs");
	ck_assert_str_eq(s->topology->path,
			 "scenarios/../topologies/wisp-pair.yaml");
	ck_assert_uint_eq(s->n_before, 6);
	ck_assert_str_eq(s->before[0].name, "v4-only-name");
	ck_assert_int_eq(s->before[0].kind, PROBE_DNS);
	ck_assert_str_eq(s->before[0].query, "slash.example");
	ck_assert_str_eq(s->before[0].type, "AAAA");
	ck_assert_ptr_null(s->before[0].server);
	ck_assert_int_eq(s->before[2].family, 6);
	ck_assert_int_eq(s->before[2].count, 4);
	ck_assert_int_eq(s->before[3].family, 0);
	ck_assert(s->before[3].size_bytes == 56);
	ck_assert_int_eq(s->before[4].kind, PROBE_THROUGHPUT);
	ck_assert_int_eq(s->before[4].direction, DIR_DOWN);
	ck_assert_int_eq(s->before[5].direction, DIR_UP);
	ck_assert_int_eq(s->before[4].rounds, 5);
	ck_assert_str_eq(s->before[4].native, "2001:db8:f000::46");
	ck_assert(s->before[4].for_ns == 2e9);
	ck_assert_int_eq(s->measure[0].kind, PROBE_STREAM);
	ck_assert(s->measure[0].rate_pps == 1000);
	ck_assert(s->measure[0].for_ns == 0);
	ck_assert_int_eq(s->measure[1].streams, 1);
	ck_assert(s->duration_ns == 16e9);
	ck_assert(s->max_late_ns == 50e6);
	ck_assert_uint_eq(s->n_events, 4);
	ck_assert_int_eq(s->events[0].kind, EVENT_ENGINE_KILL);
	ck_assert_str_eq(s->events[0].node, "plat1");
	ck_assert_ptr_null(s->events[0].role);
	ck_assert(!s->events[0].until && s->events[0].at_ns == 4e9);
	ck_assert_int_eq(s->events[1].kind, EVENT_AWAIT_ROUTE);
	ck_assert(s->events[1].until && s->events[1].at_ns == 8e9);
	ck_assert_str_eq(s->events[1].to, "pool6");
	ck_assert_str_eq(s->events[1].via, "plat2");
	ck_assert_str_eq(s->events[1].name, "moved");
	ck_assert_uint_eq(s->n_after, 1);
	ck_assert_uint_eq(s->n_expect, 10);
	ck_assert_str_eq(s->expect[0].measure, "v4-only-name");
	ck_assert_str_eq(s->expect[0].metric, "synthesised");
	ck_assert_int_eq(s->expect[0].op, EXPECT_IS);
	ck_assert_int_eq(s->expect[0].unit, UNIT_BOOL);
	ck_assert(s->expect[0].num == 1 && s->expect[1].num == 0);
	ck_assert_int_eq(s->expect[4].op, EXPECT_AT_LEAST);
	ck_assert_int_eq(s->expect[4].unit, UNIT_RATIO);
	ck_assert(s->expect[4].num == 0.9);
	ck_assert_int_eq(s->expect[6].op, EXPECT_AT_MOST);
	ck_assert(s->expect[6].num == 2e9);
}
END_TEST

START_TEST(everything_shipped_loads)
{
	glob_t g;

	ck_assert_int_eq(glob("topologies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		ck_assert(!spec_is_scenario(g.gl_pathv[i]));
		topology(g.gl_pathv[i]);
	}
	globfree(&g);
	ck_assert_int_eq(glob("scenarios/*.yaml", 0, NULL, &g), 0);
	ck_assert_uint_ge(g.gl_pathc, 1);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		ck_assert(spec_is_scenario(g.gl_pathv[i]));
		ck_assert(spec_duration_ns(scenario(g.gl_pathv[i])) > 0);
	}
	globfree(&g);
	ck_assert(!spec_is_scenario("/nonexistent"));
	ck_assert(!spec_is_scenario("sim/tests/bad/junk.yaml"));
}
END_TEST

/* ---- what the shipped files do not use ---------------------------------- */

static const char full_topology[] =
	"prefixes:\n"
	"  operator: 2001:db8::/40\n"
	"  internet: 2001:db8:8000::/40\n"
	"  pool6: \"2001:db8:6464::/96\"\n"
	"  pool4: 203.0.113.0/29\n"
	"  infra4: 10.0.0.0/16\n"
	"  lan4: 192.168.88.0/24\n"
	"plats:\n"
	"  left: {engine: jool}\n"
	"dns64: {engine: unbound, on: [left], validation: false}\n"
	"routing: {engine: bird, hello: 2s, dead: 8s, spf-delay: 1ms,\n"
	"  spf-holdtime: 10ms, spf-max: 1s}\n"
	"offloads:\n"
	"  all-off: {tso: off, gso: off, gro: off, tx-checksum: off,\n"
	"    rx-checksum: on}\n"
	"impairments:\n"
	"  lte: {delay: 15ms, jitter: 5ms, loss: 0.1%, reorder: 1%,\n"
	"    duplicate: 0.01%, mtu: 1428, offloads: all-off,\n"
	"    down: {rate: 40mbit, queue: 200ms}, up: {rate: 8mbit,\n"
	"      burst: 16KiB, delay: 25ms, loss: 0}}\n"
	"towers:\n"
	"  north:\n"
	"    radio: lte\n"
	"    homes: {count: 2, clat: tayga}\n"
	"  south:\n"
	"    radio: {offloads: {gro: off}}\n"
	"    homes: {clat: xlatd}\n"
	"internet:\n"
	"  dnssec: false\n"
	"  df: false\n"
	"  names: {a.example: [\"2001:db8:8000::1\"]}\n"
	"links:\n"
	"  border-left: lte\n"
	"  home3-cpe3: {rate: 100mbit}\n";

START_TEST(topology_with_every_key)
{
	const struct topology *t = topology(write_temp("yaml", full_topology));
	const struct link_profile *p = &t->towers[0].radio;
	const struct names *n = names_new(t, a);

	unlink(t->path);
	ck_assert_int_eq(t->plats[0].ospf_cost, 10);
	ck_assert_ptr_null(t->plats[0].host);
	ck_assert(!t->dns64.validation && !t->internet.dnssec);
	ck_assert(!t->internet.df);
	ck_assert(t->routing.spf_delay_ns == 1e6);
	ck_assert(p->down.rate_bps == 40e6 && p->up.rate_bps == 8e6);
	ck_assert(p->down.queue_ns == 200e6 && p->up.queue_ns == 50e6);
	ck_assert(p->down.burst_bytes == 65536 && p->up.burst_bytes == 16384);
	ck_assert(p->down.delay_ns == 15e6 && p->up.delay_ns == 25e6);
	ck_assert(p->down.loss == 0.001 && p->up.loss == 0);
	ck_assert(p->up.jitter_ns == 5e6 && p->up.reorder == 0.01);
	ck_assert(p->down.duplicate == 0.0001);
	ck_assert_int_eq(p->mtu, 1428);
	ck_assert_int_eq(p->offloads.tso, OFFLOAD_OFF);
	ck_assert_int_eq(p->offloads.rx_checksum, OFFLOAD_ON);
	ck_assert_int_eq(t->towers[1].radio.offloads.gro, OFFLOAD_OFF);
	ck_assert_int_eq(t->towers[1].radio.offloads.tso, OFFLOAD_KEEP);
	ck_assert_int_eq(t->towers[1].homes.count, 1);
	ck_assert_uint_eq(t->n_links, 2);
	ck_assert_str_eq(t->links[0].a, "left");
	ck_assert_str_eq(t->links[0].b, "border");
	ck_assert(t->links[0].profile.up.delay_ns == 25e6);
	ck_assert_str_eq(t->links[1].b, "cpe3");
	/* homes are numbered through all towers */
	ck_assert(names_linked(n, "cpe3", "south"));
	ck_assert(!names_linked(n, "cpe3", "north"));
	ck_assert_int_ge(names_find(n, "home3"), 0);
	ck_assert_int_eq(names_find(n, "home4"), -1);
	ck_assert_str_eq(names_find_link(n, "south-cpe3")->text, "cpe3-south");
}
END_TEST

static const char full_scenario[] =
	"about: |\n"
	"  A title\n"
	"  and more\n"
	"topology: %s\n"
	"before:\n"
	"  any: {probe: dns, from: home1, query: a.example, server: left}\n"
	"  echo: {probe: ping, from: home1, to: a, size: 1400B, count: 10,\n"
	"    interval: 100ms}\n"
	"  once: {probe: iperf3, from: home1, to: a.example, streams: 4}\n"
	"measure:\n"
	"  late: {probe: stream, from: home2, to: a.example, at: 2s, for: 3s,\n"
	"    rate: 2kpps, size: 1200B}\n"
	"events:\n"
	"  - {at: 1s, do: engine-stop, node: cpe2, role: clat}\n"
	"  - {at: 1s, do: engine-cont, node: left, role: dns64}\n"
	"  - {at: 2s, do: engine-start, node: access, role: routing}\n"
	"  - {at: 2s, do: link-up, link: access-south}\n"
	"  - {at: 3s, do: shape, link: access-north, shape: {loss: 10%%}}\n"
	"  - {at: 3s, do: shape, link: left-border, shape: lte}\n"
	"  - {at: 3s, do: shape, link: left-access, shape: {rate: 1mbit}}\n"
	"  - {until: 9s, await: ping, node: home1, to: a.example}\n"
	"  - {until: 9s, await: route, node: border, to: pool4}\n"
	"  - {at: 4s, do: node-up, node: left}\n"
	"  - {at: 5s, do: set-cost, node: left, cost: 65535}\n"
	"expect:\n"
	"  - {that: any.rcode, is: NXDOMAIN}\n"
	"  - {that: any.answers, is: 2}\n"
	"  - {that: await2.time, at-most: 3s}\n"
	"  - {that: late.up-loss, at-most: 5%%}\n"
	"  - {that: testbed.relay-cpu, at-most: 0.5}\n"
	"capture:\n"
	"  - left:access\n"
	"  - {on: \"access:north\", filter: icmp6}\n"
	"max-late: 20ms\n";

START_TEST(scenario_with_every_key)
{
	const char *topo = write_temp("yaml", full_topology);
	const struct scenario *s;
	char text[4000];

	snprintf(text, sizeof(text), full_scenario, topo);
	s = scenario(write_temp("run.yaml", text));
	unlink(topo);
	unlink(s->path);
	ck_assert_str_eq(s->title, "A title");
	ck_assert_str_eq(s->before[0].type, "AAAA");
	ck_assert_str_eq(s->before[0].server, "left");
	ck_assert(s->before[1].size_bytes == 1400);
	ck_assert_int_eq(s->before[2].streams, 4);
	ck_assert(s->measure[0].at_ns == 2e9 && s->measure[0].for_ns == 3e9);
	ck_assert(s->measure[0].rate_pps == 2000);
	ck_assert_uint_eq(s->n_events, 11);
	ck_assert_str_eq(s->events[0].role, "clat");
	ck_assert_str_eq(s->events[3].link_a, "south");
	ck_assert_str_eq(s->events[3].link_b, "access");
	ck_assert(s->events[4].shape.up.loss == 0.1);
	ck_assert(s->events[5].shape.down.rate_bps == 40e6);
	ck_assert_str_eq(s->events[6].link_a, "access");
	ck_assert_str_eq(s->events[7].name, "await1");
	ck_assert_str_eq(s->events[8].name, "await2");
	ck_assert_ptr_null(s->events[8].via);
	ck_assert_int_eq(s->events[10].cost, 65535);
	ck_assert_str_eq(s->expect[0].text, "NXDOMAIN");
	ck_assert(s->expect[1].num == 2 && s->expect[1].op == EXPECT_IS);
	ck_assert(s->expect[3].num == 0.05 && s->expect[4].num == 0.5);
	ck_assert_uint_eq(s->n_captures, 2);
	ck_assert_str_eq(s->captures[0].node, "left");
	ck_assert_str_eq(s->captures[0].iface, "access");
	ck_assert_ptr_null(s->captures[0].filter);
	ck_assert_str_eq(s->captures[1].filter, "icmp6");
	ck_assert(s->max_late_ns == 20e6);
	/* the last deadline and five seconds more */
	ck_assert(s->duration_ns == 14e9);
	/* dns 0.2 s, ping 10 * 100 ms, iperf3 10 s */
	ck_assert(spec_duration_ns(s) == 0.2e9 + 1e9 + 10e9 + 14e9);
}
END_TEST

START_TEST(durations_predicted)
{
	const struct scenario *s = scenario("scenarios/wisp-pair.yaml");
	double want = 2 * 0.2e9 + 2 * 4 * 0.2e9 + 2 * 5 * 2 * 2.35e9 + 16e9 +
		      4 * 0.2e9;
	double got = spec_duration_ns(s);

	ck_assert(got > want - 1 && got < want + 1);
	s = scenario("sim/tests/data/small-run.yaml");
	ck_assert(s->duration_ns == 0);
}
END_TEST

/* ---- the catalogue ------------------------------------------------------ */

static void check_metrics(const struct metric_def *defs)
{
	for (size_t i = 0; defs[i].name; i++) {
		ck_assert(yaml_is_name(defs[i].name, 32));
		ck_assert_uint_gt(strlen(defs[i].help), 5);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(defs[i].name, defs[k].name);
	}
}

START_TEST(catalogue_is_sound)
{
	for (int k = PROBE_DNS; k <= PROBE_RESOLVER; k++) {
		check_metrics(spec_metrics((enum probe_kind)k));
		ck_assert_str_eq(spec_probe_word((enum probe_kind)k),
				 probe_words[k]);
	}
	check_metrics(spec_await_metrics);
	check_metrics(spec_drill_metrics);
	check_metrics(spec_testbed_metrics);
	ck_assert_str_eq(event_words[EVENT_LINK_DOWN], "link-down");
	ck_assert_str_eq(event_words[EVENT_SET_COST], "set-cost");
	ck_assert_str_eq(event_words[EVENT_SHAPE], "shape");
	ck_assert_str_eq(event_words[EVENT_AWAIT_ROUTE], "route");
	ck_assert_str_eq(event_words[EVENT_AWAIT_PING], "ping");
	ck_assert_ptr_null(event_words[EVENT_AWAIT_PING + 1]);
}
END_TEST

/* ---- bad files ---------------------------------------------------------- */

static void load_any(const char *path)
{
	size_t before = d.n;
	void *got = spec_is_scenario(path)
			    ? (void *)spec_load_scenario(path, a, &d)
			    : (void *)spec_load_topology(path, a, &d);

	/* nothing comes back exactly when there is something to say */
	ck_assert_msg((got == NULL) == (d.n > before), "%s: %p, %zu", path, got,
		      d.n - before);
}

static char *print_diags(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	diags_print(&d, f);
	fclose(f);
	return text;
}

START_TEST(bad_files_and_their_answers)
{
	size_t n = 0;
	glob_t g;

	ck_assert_int_eq(chdir("sim/tests/bad"), 0);
	ck_assert_int_eq(glob("*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *path = g.gl_pathv[i];
		char *want, *got;
		struct err e;

		load_any(path);
		got = print_diags();
		want = file_read(arena_printf(a, "%.*s.expect",
					      (int)strlen(path) - 5, path),
				 NULL, &e);
		ck_assert_msg(want != NULL, "%s", e.text);
		ck_assert_str_eq(got, want);
		ck_assert_uint_gt(strlen(want), 10);
		free(want);
		free(got);
		diags_fini(&d);
		n++;
	}
	ck_assert_uint_ge(n, 40);
	globfree(&g);
}
END_TEST

START_TEST(things_that_are_no_files)
{
	static const struct {
		const char *path, *say;
	} cases[] = {{"/nonexistent.yaml", "No such file"},
		     {"/tmp", "is a directory"},
		     {"/dev/null", "not a regular file"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_ptr_null(spec_load_topology(cases[i].path, a, &d));
		ck_assert_ptr_null(spec_load_scenario(cases[i].path, a, &d));
		ck_assert_uint_eq(d.n, 2);
		ck_assert_ptr_nonnull(strstr(d.v[0].text, cases[i].say));
		ck_assert_ptr_nonnull(strstr(d.v[1].text, cases[i].say));
		diags_fini(&d);
	}
}
END_TEST

/* ---- damaged files ------------------------------------------------------ */

/* Cut, repeat, change or swap something; returns the new length. */
static size_t damage(struct rng *r, char *text, size_t len, size_t room)
{
	static const char spice[] = "{}[]:,-#&*!|>'\"%@` \n\t0129azZ.\x01\x80";
	size_t at = rng_below(r, len), n = rng_below(r, 24) + 1;

	if (at + n > len)
		n = len - at;
	switch (rng_below(r, 5)) {
	case 0:
		return at; /* cut off */
	case 1:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 2:
		if (len + n > room)
			return len;
		memmove(text + at + n, text + at, len - at);
		return len + n;
	case 3:
		text[at] = (char)rng_next(r);
		return len;
	default:
		text[at] = spice[rng_below(r, sizeof(spice) - 1)];
		return len;
	}
}

static void load_damaged(struct rng *r, const char *good, size_t len,
			 const char *path)
{
	size_t room = len + 200, n = len;
	char *text = malloc(room);
	struct err e;

	memcpy(text, good, len);
	for (uint64_t i = rng_below(r, 4) + 1; i && n; i--)
		n = damage(r, text, n, room);
	ck_assert_int_eq(file_write(path, text, n, &e), 0);
	free(text);
	teardown();
	setup();
	load_any(path);
}

START_TEST(damaged_files_do_not_crash)
{
	static const char *const files[] = {"topologies/wisp-pair.yaml",
					    "scenarios/wisp-pair.yaml"};
	char dir[] = "/tmp/check_spec.XXXXXX", path[64], *good[2];
	size_t len[2];
	struct rng r;
	struct err e;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		good[i] = file_read(files[i], &len[i], &e);
		ck_assert_ptr_nonnull(good[i]);
	}
	/* the good topology, where the damaged scenario looks for it */
	snprintf(path, sizeof(path), "%s/topologies", dir);
	ck_assert_int_eq(file_mkdirs(path, &e), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, files[0]);
	ck_assert_int_eq(file_write(path, good[0], len[0], &e), 0);
	snprintf(path, sizeof(path), "%s/scenarios", dir);
	ck_assert_int_eq(file_mkdirs(path, &e), 0);
	snprintf(path, sizeof(path), "%s/scenarios/bad.yaml", dir);
	rng_init(&r, (uint64_t)_i + 1);
	for (int i = 0; i < 250; i++)
		load_damaged(&r, good[i % 2], len[i % 2], path);
	free(good[0]);
	free(good[1]);
	ck_assert_int_eq(file_rmtree(dir, &e), 0);
}
END_TEST

/* The file of every key, too: it reaches more of the readers. */
START_TEST(damaged_full_files_do_not_crash)
{
	const char *topo = write_temp("yaml", full_topology);
	char text[4000], bad_path[128];
	struct rng r;

	snprintf(text, sizeof(text), full_scenario, topo);
	snprintf(bad_path, sizeof(bad_path), "/tmp/check_spec.%d.bad.yaml",
		 (int)getpid());
	rng_init(&r, (uint64_t)_i + 100);
	for (int i = 0; i < 250; i++)
		load_damaged(&r, i % 2 ? text : full_topology,
			     strlen(i % 2 ? text : full_topology), bad_path);
	unlink(bad_path);
	unlink(topo);
}
END_TEST

/* ---- the manual --------------------------------------------------------- */

static char *manual;

/* `.It Ic WORD` or the like: the word between what is no letter of a word. */
static void assert_documented(const char *word)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t len = strlen(word);

	for (const char *p = manual; (p = strstr(p, word)); p++)
		if ((p == manual || !strchr(inside, p[-1])) &&
		    (p[len] == '\0' || !strchr(inside, p[len])))
			return;
	ck_abort_msg("man/scenario.5 does not mention `%s`", word);
}

static void assert_fields(const struct yfield *f)
{
	for (; f->key; f++) {
		assert_documented(f->key);
		for (size_t i = 0; f->type == YF_ENUM && f->words[i]; i++)
			assert_documented(f->words[i]);
	}
}

static void assert_words(const char *const *words)
{
	for (; *words; words++)
		assert_documented(*words);
}

static void assert_metrics(const struct metric_def *m)
{
	for (; m->name; m++)
		/* up-lost and down-lost are explained together */
		assert_documented(!strncmp(m->name, "up-", 3)	  ? m->name + 3
				  : !strncmp(m->name, "down-", 5) ? m->name + 5
								  : m->name);
}

START_TEST(the_manual_knows_every_word)
{
	static const struct yfield *const tables[] = {
		topology_fields, prefix_fields,
		plat_fields,	 dns64_fields,
		routing_fields,	 tower_fields,
		homes_fields,	 internet_fields,
		profile_fields,	 offload_fields,
		scenario_fields, expect_fields,
		capture_fields,	 host_fields,
		health_fields,	 NULL};
	struct err e;

	manual = file_read("man/scenario.5", NULL, &e);
	ck_assert_msg(manual != NULL, "%s", e.text);
	for (size_t i = 0; tables[i]; i++)
		assert_fields(tables[i]);
	for (const struct kind_field *f = probe_fields; f->f.key; f++)
		assert_fields((struct yfield[]){f->f, {0}});
	for (const struct kind_field *f = event_fields; f->f.key; f++)
		assert_fields((struct yfield[]){f->f, {0}});
	assert_words(probe_words);
	assert_words(event_words);
	assert_words(route_words);
	assert_words(role_words);
	assert_words(dns_types);
	for (int k = PROBE_DNS; k <= PROBE_RESOLVER; k++)
		assert_metrics(spec_metrics((enum probe_kind)k));
	assert_metrics(spec_await_metrics);
	assert_metrics(spec_drill_metrics);
	assert_metrics(spec_testbed_metrics);
	free(manual);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spec");
	TCase *good = tcase_create("good"), *bad = tcase_create("bad");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(good, setup, teardown);
	tcase_add_test(good, topology_of_wisp_pair);
	tcase_add_test(good, scenario_of_wisp_pair);
	tcase_add_test(good, everything_shipped_loads);
	tcase_add_test(good, topology_with_every_key);
	tcase_add_test(good, scenario_with_every_key);
	tcase_add_test(good, durations_predicted);
	tcase_add_test(good, catalogue_is_sound);
	tcase_add_test(good, the_manual_knows_every_word);
	suite_add_tcase(s, good);
	tcase_add_checked_fixture(bad, setup, teardown);
	tcase_set_timeout(bad, 60);
	tcase_add_test(bad, bad_files_and_their_answers);
	tcase_add_test(bad, things_that_are_no_files);
	tcase_add_loop_test(bad, damaged_files_do_not_crash, 0, 8);
	tcase_add_loop_test(bad, damaged_full_files_do_not_crash, 0, 4);
	suite_add_tcase(s, bad);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
