/* SPDX-License-Identifier: MIT */
/*
 * Probes in a world without daemons: what static routes reach is enough, that
 * is home1 to access over IPv6, and the nodes around inet over both families.
 * This program plays xlatsim's part inside nodes, and that of a name server.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <math.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../probe/probe_internal.h"
#include "../probe/transfer.h"

#define PATIENCE_NS (20 * NS_PER_S)

static struct arena *arena;
static struct loop *loop;
static struct world *world;
static struct plan *plan;
static char dir[64], run_id[5];
static struct err err;

/* ---- a name server for names that need no zone
 * --------------------------------
 */

/* big: truncated by UDP; slow: the first query is lost; else AAAA answers. */
static size_t respond(uint8_t *m, size_t n, bool tcp)
{
	static const uint8_t answer[] = {
		0xc0, 12,   0, 28, 0, 1, 0, 0, 0, 60, 0,    16,	  0,	0x64,
		0xff, 0x9b, 0, 0,  0, 0, 0, 0, 0, 0,  0xc6, 0x33, 0x64, 0x2d};
	static bool lost_one;

	if (m[13] == 's' && m[14] == 'l' && m[15] == 'o' && !lost_one) {
		lost_one = true;
		return 0;
	}
	m[2] = 0x81;
	m[3] = 0x80;
	if (m[13] == 'b' && !tcp) {
		m[2] |= 0x02;
		return n;
	}
	if (m[13] == 'n') { /* NXDOMAIN */
		m[3] |= 3;
		return n;
	}
	m[7] = 1;
	memcpy(m + n, answer, sizeof(answer));
	return n + sizeof(answer);
}

static void respond_tcp(int fd)
{
	uint8_t m[1024];
	size_t n = 0;
	int c = accept(fd, NULL, NULL);

	if (read(c, m, 2) == 2 && read(c, m + 2, sizeof(m) - 64) > 0) {
		n = respond(m + 2, (size_t)(m[0] << 8 | m[1]), true);
		m[0] = (uint8_t)(n >> 8);
		m[1] = (uint8_t)n;
		(void)!write(c, m, n + 2);
	}
	close(c);
}

static int name_server(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons(53)};
	struct pollfd v[2];

	for (int i = 0; i < 2; i++) {
		v[i].fd = socket(AF_INET6, i ? SOCK_STREAM : SOCK_DGRAM, 0);
		v[i].events = POLLIN;
		if (bind(v[i].fd, (struct sockaddr *)&any, sizeof(any)))
			return 1;
	}
	listen(v[1].fd, 8);
	while (poll(v, 2, -1) > 0) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof(from);
		uint8_t m[1024];
		ssize_t n;

		if (v[1].revents)
			respond_tcp(v[1].fd);
		if (!v[0].revents)
			continue;
		n = recvfrom(v[0].fd, m, sizeof(m) - 64, 0,
			     (struct sockaddr *)&from, &len);
		if (n < 12)
			continue;
		n = (ssize_t)respond(m, (size_t)n, false);
		sendto(v[0].fd, m, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	return 1;
}

/* ---- the world
 * ----------------------------------------------------------------
 */

static void setup(void)
{
	struct diags d;
	struct topology *t;
	struct world_opts o = {.run_id = run_id, .dir = dir, .seed = 1};

	arena = arena_new();
	loop = loop_new();
	diags_init(&d);
	t = spec_load_topology("topologies/wisp-bare.yaml", arena, &d);
	ck_assert_ptr_nonnull(t);
	diags_fini(&d);
	plan = plan_new(t, arena, &err);
	ck_assert_msg(plan != NULL, "%s", err.text);
	strcpy(dir, "/tmp/check-probe-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(world_new_run_id(run_id), 0);
	o.loop = loop;
	ck_assert_msg(!world_build(plan, &o, &world, &err), "%s", err.text);
}

static void teardown(void)
{
	world_teardown(world);
	world_drop_run_id(run_id);
	file_rmtree(dir, &err);
	loop_free(loop);
	arena_free(arena);
}

static bool is_done(void *arg)
{
	return probe_done(arg);
}

static struct probe *start(const struct measure_spec *m)
{
	struct probe *p = NULL;
	int ret = probe_start(world, m, mono_add(clock_now(), 2 * NS_PER_S),
			      dir, arena, &p, &err);

	ck_assert_msg(ret == 0, "%s", err.text);
	return p;
}

static struct measurement finish(struct probe *p)
{
	struct measurement m;

	loop_run_until(loop, is_done, p, probe_deadline(p));
	probe_finish(p, &m);
	ck_assert_ptr_nonnull(m.summary);
	return m;
}

static struct measurement measure(const struct measure_spec *m)
{
	return finish(start(m));
}

static const struct metric *metric(const struct measurement *m,
				   const char *name)
{
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, name))
			return &m->metrics[i];
	ck_abort_msg("no metric %s", name);
	return NULL;
}

static double num(const struct measurement *m, const char *name)
{
	const struct metric *v = metric(m, name);

	ck_assert_msg(!v->absent, "%s is absent: %s", name,
		      m->why ? m->why : "?");
	return v->num;
}

static void assert_raw(const struct measurement *m)
{
	char path[200];

	ck_assert_ptr_nonnull(m->raw_file);
	snprintf(path, sizeof(path), "%s/%s", dir, m->raw_file);
	ck_assert_msg(!access(path, R_OK), "%s", path);
}

/* ---- ping
 * ---------------------------------------------------------------------
 */

static struct measure_spec ping_of(const char *from, const char *to)
{
	return (struct measure_spec){.name = "echo",
				     .kind = PROBE_PING,
				     .from = from,
				     .to = to,
				     .count = 3,
				     .size_bytes = 56,
				     .interval_ns = 20e6};
}

static void assert_pings(const char *from, const char *to, double size)
{
	struct measure_spec spec = ping_of(from, to);
	struct measurement m;

	spec.size_bytes = size;
	m = measure(&spec);
	ck_assert_msg(!m.why, "%s to %s: %s", from, to, m.why);
	ck_assert_double_eq(num(&m, "sent"), 3);
	ck_assert_msg(num(&m, "received") == 3, "%s to %s: %s", from, to,
		      m.summary);
	ck_assert_double_eq(num(&m, "lost"), 0);
	ck_assert_double_gt(num(&m, "rtt-min"), 0);
	ck_assert_double_lt(num(&m, "rtt-min"), 100e6);
	ck_assert_double_le(num(&m, "rtt-median"), num(&m, "rtt-max"));
	assert_raw(&m);
}

START_TEST(test_ping)
{
	assert_pings("home1", "access", 56);
	assert_pings("access", "home1", 56);
	assert_pings("dns", "198.51.100.46", 56);
	assert_pings("dns", "2001:db8:f000::46", 1400);
	assert_pings("both", "inet", 4000); /* in fragments */
}
END_TEST

/* Nobody there: every request lost, and the time after the last is waited. */
START_TEST(test_ping_lost)
{
	struct measure_spec spec = ping_of("home1", "2001:db8:800:7700::1");
	struct mono begun = clock_now();
	struct measurement m = measure(&spec);

	ck_assert_double_eq(num(&m, "sent"), 3);
	ck_assert_double_eq(num(&m, "lost"), 3);
	ck_assert_double_eq(num(&m, "loss"), 1);
	ck_assert(metric(&m, "rtt-min")->absent);
	ck_assert_int_ge(mono_sub(clock_now(), begun), NS_PER_S);
}
END_TEST

/* A router's refusal is told. inet has no route to the documentation net. */
START_TEST(test_ping_refused)
{
	struct measure_spec spec = ping_of("dns", "192.0.2.200");
	struct measurement m = measure(&spec);

	ck_assert_double_eq(num(&m, "lost"), 3);
	ck_assert_ptr_nonnull(m.why);
	ck_assert_msg(strstr(m.why, "ICMP type 3") != NULL, "%s", m.why);
	spec = ping_of("home1", "no.such.name.example");
	ck_assert_int_lt(probe_start(world, &spec, clock_now(), dir, arena,
				     &(struct probe *){NULL}, &err),
			 0);
}
END_TEST

/* ---- transfers
 * ----------------------------------------------------------------
 */

static struct measure_spec transfer_of(enum direction direction)
{
	return (struct measure_spec){.name = "web",
				     .kind = PROBE_IPERF3,
				     .from = "dns",
				     .to = "198.51.100.46",
				     .direction = direction,
				     .streams = 2,
				     .for_ns = 1e9};
}

START_TEST(test_transfer)
{
	struct measure_spec spec = transfer_of(_i ? DIR_DOWN : DIR_UP);
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "survived"), 1);
	ck_assert_double_gt(num(&m, "rate"), 1e6);
	ck_assert_double_gt(num(&m, "bytes"), 1e5);
	ck_assert_double_lt(num(&m, "longest-stall"), 1e9);
	ck_assert_double_ge(num(&m, "retransmits"), 0);
	ck_assert_double_gt(num(&m, "cpu-sender"), 0);
	ck_assert_double_gt(num(&m, "cpu-receiver"), 0);
	ck_assert_uint_ge(m.n_series, 1);
	assert_raw(&m);
}
END_TEST

static bool flows(void *arg)
{
	return probe_flowing(arg);
}

/* The server's link goes away under it, and does not come back. */
START_TEST(test_transfer_dies)
{
	struct measure_spec spec = transfer_of(_i ? DIR_DOWN : DIR_UP);
	struct measurement m;
	struct probe *p;

	spec.for_ns = 2e9;
	p = start(&spec);
	ck_assert(!probe_flowing(p));
	ck_assert_int_eq(loop_run_until(loop, flows, p,
					mono_add(clock_now(), PATIENCE_NS)),
			 0);
	ck_assert(!world_link_set(world, plan_find_link(plan, "inet", "both"),
				  false, &err));
	m = finish(p);
	ck_assert(probe_done(p));
	ck_assert_double_eq(num(&m, "survived"), 0);
	ck_assert_msg(m.why && strstr(m.why, "iperf3"), "%s", m.why);
	ck_assert(metric(&m, "longest-stall")->absent ||
		  num(&m, "longest-stall") > 1e9);
}
END_TEST

/* Two at one server node at a time do not get in each other's way. */
START_TEST(test_transfers_together)
{
	struct measure_spec a = transfer_of(DIR_UP), b = transfer_of(DIR_DOWN);
	struct measurement m;
	struct probe *p, *q;

	b.name = "other";
	b.from = "inet";
	p = start(&a);
	q = start(&b);
	m = finish(p);
	ck_assert_double_eq(num(&m, "survived"), 1);
	m = finish(q);
	ck_assert_double_eq(num(&m, "survived"), 1);
}
END_TEST

START_TEST(test_throughput)
{
	struct measure_spec spec = {.name = "down",
				    .kind = PROBE_THROUGHPUT,
				    .from = "dns",
				    .to = "198.51.100.46",
				    .native = "2001:db8:f000::46",
				    .direction = DIR_DOWN,
				    .streams = 1,
				    .rounds = 2,
				    .for_ns = 1e9};
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "rounds"), 2);
	ck_assert_double_gt(num(&m, "ratio"), 0.1);
	ck_assert_double_lt(num(&m, "ratio"), 10);
	ck_assert_double_le(num(&m, "ratio-low"), num(&m, "ratio"));
	ck_assert_double_ge(num(&m, "ratio-high"), num(&m, "ratio"));
	ck_assert_double_gt(num(&m, "native-rate"), 1e6);
	ck_assert_double_gt(num(&m, "rate"), 1e6);
	assert_raw(&m);
}
END_TEST

/* A round that fails leaves no ratio behind. */
START_TEST(test_throughput_broken)
{
	struct measure_spec spec = {.name = "down",
				    .kind = PROBE_THROUGHPUT,
				    .from = "home1",
				    .to = "198.51.100.46",
				    .native = "2001:db8:f000::46",
				    .rounds = 2,
				    .for_ns = 1e9};
	struct measurement m = measure(&spec);

	ck_assert_ptr_nonnull(m.why);
	ck_assert_msg(strstr(m.why, "round 1, native") != NULL, "%s", m.why);
	ck_assert(!m.invalid); /* the network did it, not the testbed */
	ck_assert(metric(&m, "ratio")->absent);
	ck_assert_double_eq(num(&m, "rounds"), 0);
}
END_TEST

/* ---- DNS
 * ----------------------------------------------------------------------
 */

static struct proc *server;

/* ---- many sessions
 * ------------------------------------------------------------
 */

static struct measure_spec sessions_of(double for_ns)
{
	return (struct measure_spec){.name = "tcp",
				     .kind = PROBE_SESSIONS,
				     .from = "dns",
				     .to = "198.51.100.46",
				     .busy = 20,
				     .idle = 10,
				     .rate_pps = 20,
				     .size_bytes = 300,
				     .interval_ns = 50e6,
				     .timeout_ns = 1e9,
				     .for_ns = for_ns};
}

static void hole(bool open)
{
	int link = plan_find_link(plan, "inet", "both");

	ck_assert(!world_link_hole(world, link, open, open, &err));
}

static void end_hole(void *arg, struct mono due)
{
	(void)arg;
	(void)due;
	hole(false);
}

START_TEST(test_sessions)
{
	struct measure_spec spec = sessions_of(1e9);
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "busy"), 20);
	ck_assert_double_eq(num(&m, "busy-survived"), 20);
	ck_assert_double_eq(num(&m, "idle-survived"), 10);
	ck_assert_double_eq(num(&m, "survival"), 1);
	ck_assert_double_lt(num(&m, "longest-stall"), 0.5e9);
	ck_assert_double_ge(num(&m, "connects"), 15);
	ck_assert_double_eq(num(&m, "connects-failed"), 0);
	assert_raw(&m);
}
END_TEST

/* More than a process may usually open. */
START_TEST(test_many_sessions)
{
	struct measure_spec spec = sessions_of(0.5e9);
	struct rlimit usual, few;
	struct measurement m;
	struct probe *p;

	ck_assert(!getrlimit(RLIMIT_NOFILE, &usual));
	few = (struct rlimit){.rlim_cur = 400, .rlim_max = usual.rlim_max};
	ck_assert(!setrlimit(RLIMIT_NOFILE, &few));
	spec.busy = 0;
	spec.idle = 600;
	p = start(&spec);
	ck_assert(!setrlimit(RLIMIT_NOFILE, &usual));
	m = finish(p);
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "idle-survived"), 600);
}
END_TEST

/* A hole of half a second costs time and no session. */
START_TEST(test_sessions_stall)
{
	struct measure_spec spec = sessions_of(2e9);
	struct probe *p = start(&spec);
	struct measurement m;

	ck_assert(!loop_run_until(loop, flows, p,
				  mono_add(clock_now(), PATIENCE_NS)));
	hole(true);
	loop_add_timer(loop, mono_add(clock_now(), NS_PER_S / 2), end_hole,
		       NULL);
	m = finish(p);
	ck_assert_double_eq(num(&m, "survival"), 1);
	ck_assert_double_ge(num(&m, "longest-stall"), 0.4e9);
	ck_assert_double_ge(num(&m, "connect-slowest"), 0.4e9);
}
END_TEST

/* A hole without an end leaves none of them, whatever the sockets believe. */
START_TEST(test_sessions_lost)
{
	struct measure_spec spec = sessions_of(0.5e9);
	struct probe *p = start(&spec);
	struct measurement m;

	ck_assert(!loop_run_until(loop, flows, p,
				  mono_add(clock_now(), PATIENCE_NS)));
	hole(true);
	m = finish(p);
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "survival"), 0);
	ck_assert_double_ge(num(&m, "connects-failed"), 5);
	hole(false);
}
END_TEST

static struct measure_spec tls_of(void)
{
	return (struct measure_spec){.name = "page",
				     .kind = PROBE_TLS,
				     .from = "dns",
				     .to = "198.51.100.46",
				     .count = 3,
				     .size_bytes = 100000,
				     .timeout_ns = 1e9};
}

START_TEST(test_tls)
{
	struct measure_spec spec = tls_of();
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "exchanges"), 3);
	ck_assert_double_eq(num(&m, "completed"), 3);
	ck_assert_double_eq(num(&m, "failed"), 0);
	ck_assert_double_gt(num(&m, "handshake-median"), 0);
	ck_assert_double_ge(num(&m, "total-slowest"),
			    num(&m, "handshake-median"));
	ck_assert_double_eq(num(&m, "mss"), 1448);
	ck_assert_double_eq(num(&m, "server-mss"), 1448);
	ck_assert_double_eq(num(&m, "lost"), 0);
	ck_assert_double_eq(num(&m, "server-lost"), 0);
	assert_raw(&m);
}
END_TEST

/* A server that starts and cannot be reached: each try ends by its time. */
START_TEST(test_tls_lost)
{
	struct measure_spec spec = tls_of();
	struct measurement m;

	spec.timeout_ns = 0.3e9;
	hole(true);
	m = measure(&spec);
	hole(false);
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "completed"), 0);
	ck_assert_double_eq(num(&m, "failed"), 3);
	ck_assert_ptr_nonnull(strstr(m.summary, "connecting"));
}
END_TEST

/* Two routers and the host, by both protocols and both families. */
START_TEST(test_traceroute)
{
	static const struct {
		const char *to, *path;
	} v[] = {
		{"198.51.100.46", "100.64.0.6 198.51.100.46"},
		{"2001:db8:f000::46", "2001:db8:f000::1 2001:db8:f000::46"},
	};

	for (int i = 0; i < 4; i++) {
		struct measure_spec spec = {.name = "way",
					    .kind = PROBE_TRACEROUTE,
					    .from = "dns",
					    .to = v[i / 2].to,
					    .trace = i % 2 ? TRACE_ICMP
							   : TRACE_UDP,
					    .count = 5,
					    .attempts = 3,
					    .timeout_ns = 1e9};
		struct measurement m = measure(&spec);

		ck_assert_msg(!m.why, "%s", m.why);
		ck_assert_str_eq(m.summary, v[i / 2].path);
		ck_assert_double_eq(num(&m, "hops"), 2);
		ck_assert_double_eq(num(&m, "distinct"), 2);
		ck_assert_double_eq(num(&m, "named"), 0);
		ck_assert_double_eq(num(&m, "reached"), 1);
		ck_assert_double_eq(num(&m, "right"), 1);
		assert_raw(&m);
	}
}
END_TEST

/* The host is silent: its hop and those behind it stay empty. */
START_TEST(test_traceroute_lost)
{
	struct measure_spec spec = {.name = "way",
				    .kind = PROBE_TRACEROUTE,
				    .from = "dns",
				    .to = "198.51.100.46",
				    .count = 3,
				    .attempts = 2,
				    .timeout_ns = 0.1e9};
	struct measurement m;

	hole(true);
	m = measure(&spec);
	hole(false);
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "hops"), 3);
	ck_assert_double_eq(num(&m, "answered"), 1);
	ck_assert_double_eq(num(&m, "reached"), 0);
	ck_assert_ptr_nonnull(strstr(m.summary, " * *"));
}
END_TEST

/* As many as were asked for, to a pool that nobody here has. */
START_TEST(test_flood)
{
	struct measure_spec spec = {.name = "flood",
				    .kind = PROBE_FLOOD,
				    .from = "dns",
				    .to = "198.51.100.46",
				    .protocol = FLOOD_TCP,
				    .rate_pps = 2000,
				    .for_ns = 0.5e9};
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_ge(num(&m, "sent") + num(&m, "refused"), 990);
	ck_assert_double_gt(num(&m, "sent"), 900);
	ck_assert_double_le(num(&m, "rate"), 2200);
	assert_raw(&m);
}
END_TEST

static struct measure_spec connections_from(const char *node)
{
	return (struct measure_spec){.name = "new",
				     .kind = PROBE_CONNECTIONS,
				     .from = node,
				     .to = "198.51.100.46",
				     .native = "2001:db8:f000::46",
				     .streams = 8,
				     .rounds = 3,
				     .for_ns = 0.2e9};
}

/* One way to one server: hundreds in 200 ms, none of which fails. */
START_TEST(test_connections)
{
	struct measure_spec spec = connections_from("dns");
	struct measurement m = measure(&spec);

	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "rounds"), 3);
	ck_assert_double_gt(num(&m, "rate"), 200);
	ck_assert_double_gt(num(&m, "native-rate"), 200);
	ck_assert_double_gt(num(&m, "ratio"), 0.1);
	ck_assert_double_lt(num(&m, "ratio"), 10);
	ck_assert_double_eq(num(&m, "failed"), 0);
	ck_assert_double_eq(num(&m, "native-failed"), 0);
	ck_assert_uint_eq(m.n_series, 2);
	assert_raw(&m);
}
END_TEST

START_TEST(test_connections_that_fail)
{
	struct measure_spec spec = connections_from("home1");
	struct measurement m = measure(&spec);

	ck_assert_msg(m.why && strstr(m.why, "round 1, native: no connection"),
		      "%s", m.why);
	ck_assert(!m.invalid);
	ck_assert(metric(&m, "ratio")->absent);
	ck_assert_double_eq(num(&m, "rounds"), 0);
}
END_TEST

/* Both servers of resolv.conf are silent: two rounds of 100 ms each. */
START_TEST(test_resolver_silent)
{
	struct measure_spec spec = {.name = "names",
				    .kind = PROBE_RESOLVER,
				    .from = "home1",
				    .query = "slash.example",
				    .type = "AAAA",
				    .rate_pps = 20,
				    .timeout_ns = 100e6,
				    .for_ns = 0.5e9};
	int link = plan_find_link(plan, "home1", "cpe1");
	struct measurement m;

	ck_assert(!world_link_hole(world, link, true, true, &err));
	m = measure(&spec);
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "queries"), 10);
	ck_assert_double_eq(num(&m, "failed"), 10);
	ck_assert_double_eq(num(&m, "retried"), 10);
	ck_assert_double_ge(num(&m, "slowest"), 0.4e9);
	ck_assert_double_lt(num(&m, "median"), 1e9);
	ck_assert(!world_link_hole(world, link, false, false, &err));
}
END_TEST

static bool answers(void *arg)
{
	unsigned int established = 0;
	char path[64];
	bool up;
	char *text;

	(void)arg;
	snprintf(path, sizeof(path), "/proc/%d/net/tcp6",
		 (int)proc_pid(server));
	text = file_read(path, NULL, &err);
	up = text && transfer_listens(text, 53, &established);
	free(text);
	return up || !proc_running(server);
}

static void wake(void *arg, struct mono due)
{
	bool *wanted = arg;

	if (*wanted)
		loop_add_timer(loop, mono_add(due, 5 * NS_PER_MS), wake, arg);
}

static void start_name_server(void)
{
	const char *argv[] = {PROBE_SELF, "name-server", NULL};
	struct spawn s = {.node = plan_find_node(plan, "dns"), .argv = argv};
	static bool wanted;

	wanted = true;
	ck_assert_msg(!world_spawn(world, &s, &server, &err), "%s", err.text);
	wake(&wanted, clock_now());
	ck_assert_int_eq(loop_run_until(loop, answers, NULL,
					mono_add(clock_now(), PATIENCE_NS)),
			 0);
	ck_assert(proc_running(server));
	wanted = false;
}

static struct measurement ask(const char *name, const char *from)
{
	struct measure_spec spec = {
		.name = name,
		.kind = PROBE_DNS,
		.from = from,
		.query = arena_printf(arena, "%s.example", name),
		.type = "AAAA",
		.server = "dns"};

	return measure(&spec);
}

START_TEST(test_dns)
{
	struct measurement m;

	start_name_server();
	m = ask("slash", "both");
	ck_assert_msg(!m.why, "%s", m.why);
	ck_assert_double_eq(num(&m, "answered"), 1);
	ck_assert_double_eq(num(&m, "synthesised"), 1);
	ck_assert_str_eq(metric(&m, "answer")->text, "64:ff9b::c633:642d");
	ck_assert_double_eq(num(&m, "ttl"), 60e9);
	ck_assert_double_lt(num(&m, "time"), 1e9);
	assert_raw(&m);
	/* cut short by UDP, whole by TCP */
	m = ask("big", "both");
	ck_assert_str_eq(metric(&m, "answer")->text, "64:ff9b::c633:642d");
	m = ask("none", "both");
	ck_assert_str_eq(metric(&m, "rcode")->text, "NXDOMAIN");
	ck_assert_double_eq(num(&m, "answers"), 0);
}
END_TEST

/* A lost query costs the time-out of the C library. */
START_TEST(test_dns_retry)
{
	struct measurement m;

	start_name_server();
	m = ask("slow", "both");
	ck_assert_double_eq(num(&m, "answered"), 1);
	ck_assert_double_ge(num(&m, "time"), 1e9);
}
END_TEST

/* The DNS64 servers of resolv.conf cannot be reached: nothing converges here */
START_TEST(test_dns_nobody)
{
	struct measure_spec spec = {.name = "nobody",
				    .kind = PROBE_DNS,
				    .from = "home1",
				    .query = "slash.example",
				    .type = "AAAA"};
	struct measurement m = measure(&spec);

	ck_assert_double_eq(num(&m, "answered"), 0);
	ck_assert_msg(m.why && strstr(m.why, "no reply to 4 tries"), "%s",
		      m.why);
	ck_assert(!m.invalid);
}
END_TEST

/* Who waits for the first reply hears of it before any patience is over. */
START_TEST(test_first_reply)
{
	struct measure_spec spec = ping_of("dns", "198.51.100.46");
	int link = plan_find_link(plan, "inet", "both");
	struct measurement m;
	struct mono opened;
	struct probe *p;

	measure(&spec); /* all neighbours know each other */
	spec.first = true;
	spec.count = 200;
	ck_assert(!world_link_hole(world, link, true, true, &err));
	p = start(&spec);
	ck_assert_int_eq(loop_run_until(loop, is_done, p,
					mono_add(clock_now(), NS_PER_S / 2)),
			 -ETIMEDOUT);
	ck_assert(!world_link_hole(world, link, false, false, &err));
	opened = clock_now();
	m = finish(p);
	ck_assert_int_lt(mono_sub(clock_now(), opened), NS_PER_S / 2);
	ck_assert_double_eq(num(&m, "received"), 1);
	ck_assert_double_ge(num(&m, "sent"), 2);
}
END_TEST

/* ---- nodes that are down
 * ------------------------------------------------------
 */

START_TEST(test_node_down)
{
	struct measure_spec spec = transfer_of(DIR_UP);
	struct measurement m;

	ck_assert(!world_node_down(world, plan_find_node(plan, "both"), &err));
	m = measure(&spec);
	ck_assert_msg(m.why && strstr(m.why, "both is down"), "%s", m.why);
	spec.from = "both";
	spec.to = "dns";
	m = measure(&spec);
	ck_assert_msg(m.why && strstr(m.why, "both is down"), "%s", m.why);
	ck_assert(metric(&m, "rate")->absent);
	ck_assert(!m.invalid);
}
END_TEST

static const struct measure_spec helped[] = {
	{.name = "echo",
	 .kind = PROBE_PING,
	 .from = "dns",
	 .to = "198.51.100.46",
	 .count = 1000,
	 .size_bytes = 56,
	 .interval_ns = 20e6},
	{.name = "up",
	 .kind = PROBE_IPERF3,
	 .from = "dns",
	 .to = "198.51.100.46",
	 .streams = 1,
	 .for_ns = 2e9},
	{.name = "down",
	 .kind = PROBE_THROUGHPUT,
	 .from = "dns",
	 .to = "198.51.100.46",
	 .native = "2001:db8:f000::46",
	 .streams = 1,
	 .rounds = 2,
	 .for_ns = 2e9},
	{.name = "new",
	 .kind = PROBE_CONNECTIONS,
	 .from = "dns",
	 .to = "198.51.100.46",
	 .native = "2001:db8:f000::46",
	 .streams = 8,
	 .rounds = 3,
	 .for_ns = 2e9},
	{.name = "gap",
	 .kind = PROBE_STREAM,
	 .from = "dns",
	 .to = "198.51.100.46",
	 .rate_pps = 100,
	 .size_bytes = 64,
	 .for_ns = 2e9},
};

static struct probe *start_helped(int i)
{
	struct probe *p = start(&helped[i]);

	ck_assert_int_eq(loop_run_until(loop, flows, p,
					mono_add(clock_now(), PATIENCE_NS)),
			 0);
	ck_assert(!probe_done(p));
	return p;
}

/* A helper that somebody killed: nothing is known of the network. */
START_TEST(test_helper_dies)
{
	struct probe *p = start_helped(_i);
	struct measurement m;

	for (size_t i = 0; i < p->n_children; i++)
		if (p->children[i].proc)
			proc_signal(p->children[i].proc, SIGKILL);
	m = finish(p);
	ck_assert_ptr_nonnull(m.why);
	ck_assert_msg(m.invalid, "%s", m.why);
	ck_assert_ptr_null(strstr(m.why, "not over by its deadline"));
}
END_TEST

/* The same, but an event did it. */
START_TEST(test_helper_goes_with_its_node)
{
	struct probe *p = start_helped(_i);
	int node = plan_find_node(plan, "dns");
	struct measurement m;

	ck_assert(!world_node_down(world, node, &err));
	ck_assert(!world_node_up(world, node, &err));
	m = finish(p);
	ck_assert_msg(!m.invalid, "%s", m.why);
}
END_TEST

/* Not a packet was sent. */
START_TEST(test_measure_does_not_begin)
{
	struct measure_spec spec = helped[1];
	struct measurement m;

	spec.to = "192.168.1.2"; /* nobody's: there is no node to serve in */
	m = measure(&spec);
	ck_assert_ptr_nonnull(m.why);
	ck_assert_msg(m.invalid, "%s", m.why);
}
END_TEST

/* ---- captures
 * -----------------------------------------------------------------
 */

static void count(u_char *user, const struct pcap_pkthdr *h,
		  const u_char *bytes)
{
	(void)bytes;
	ck_assert_uint_eq(h->len, 14 + 20 + 8 + 56);
	++*(unsigned int *)(void *)user;
}

START_TEST(test_capture)
{
	struct capture_spec spec = {
		.node = "both", .iface = "inet", .filter = "icmp"};
	struct measure_spec ping = ping_of("dns", "198.51.100.46");
	char path[200], why[PCAP_ERRBUF_SIZE];
	struct capture *c;
	unsigned int n = 0;
	pcap_t *file;

	ck_assert_msg(!capture_start(world, &spec, dir, arena, &c, &err), "%s",
		      err.text);
	measure(&ping);
	ping.to = "2001:db8:f000::46"; /* not for the filter */
	measure(&ping);
	ck_assert_uint_eq(capture_stop(c), 6);
	snprintf(path, sizeof(path), "%s/both_inet.pcap", dir);
	file = pcap_open_offline_with_tstamp_precision(
		path, PCAP_TSTAMP_PRECISION_NANO, why);
	ck_assert_msg(file != NULL, "%s", why);
	ck_assert_int_eq(pcap_loop(file, -1, count, (u_char *)&n), 0);
	ck_assert_uint_eq(n, 6);
	pcap_close(file);
}
END_TEST

START_TEST(test_capture_refused)
{
	static const struct capture_spec v[] = {
		{.node = "both", .iface = "nothing"},
		{.node = "both", .iface = "inet", .filter = "no filter at all"},
		{.node = "nobody", .iface = "inet"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct capture *c;

		err.text[0] = '\0';
		ck_assert_int_lt(
			capture_start(world, &v[i], dir, arena, &c, &err), 0);
		ck_assert_str_ne(err.text, "");
	}
}
END_TEST

/* ------------------------------------------------------------------------------
 */

static int run_tests(void)
{
	Suite *s = suite_create("probe_ns");
	TCase *t = tcase_create("probe_ns");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_ping);
	tcase_add_test(t, test_ping_lost);
	tcase_add_test(t, test_ping_refused);
	tcase_add_loop_test(t, test_transfer, 0, 2);
	tcase_add_loop_test(t, test_transfer_dies, 0, 2);
	tcase_add_test(t, test_transfers_together);
	tcase_add_test(t, test_throughput);
	tcase_add_test(t, test_throughput_broken);
	tcase_add_test(t, test_dns);
	tcase_add_test(t, test_dns_retry);
	tcase_add_test(t, test_dns_nobody);
	tcase_add_test(t, test_sessions);
	tcase_add_test(t, test_many_sessions);
	tcase_add_test(t, test_sessions_stall);
	tcase_add_test(t, test_sessions_lost);
	tcase_add_test(t, test_tls);
	tcase_add_test(t, test_tls_lost);
	tcase_add_test(t, test_traceroute);
	tcase_add_test(t, test_traceroute_lost);
	tcase_add_test(t, test_flood);
	tcase_add_test(t, test_connections);
	tcase_add_test(t, test_connections_that_fail);
	tcase_add_test(t, test_resolver_silent);
	tcase_add_test(t, test_first_reply);
	tcase_add_test(t, test_node_down);
	tcase_add_loop_test(t, test_helper_dies, 0,
			    sizeof(helped) / sizeof(*helped));
	tcase_add_loop_test(t, test_helper_goes_with_its_node, 0,
			    sizeof(helped) / sizeof(*helped));
	tcase_add_test(t, test_measure_does_not_begin);
	tcase_add_test(t, test_capture);
	tcase_add_test(t, test_capture_refused);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int ret;

	if (argc > 1 && !strcmp(argv[1], "probe"))
		return probe_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "name-server"))
		return name_server();
	log_init("check_probe_ns", LOG_ERR);
	if (geteuid() != 0) {
		puts("SKIP: namespaces need root");
		return 77;
	}
	ret = world_new_run_id(run_id);
	if (ret) {
		printf("SKIP: /run/xlatsim: %s\n", strerror(-ret));
		return 77;
	}
	world_drop_run_id(run_id);
	return run_tests();
}
