/* SPDX-License-Identifier: MIT */
/*
 * A stateful NAT64 from end to end, through its TUN device, in namespaces:
 *
 *	client --- engine --- server	IPv6 on the left, both on the right
 *
 *	2001:db8:64::198.51.100.2	xlatd plat
 *	2001:db8:66::198.51.100.2	xlatd siit: the same without sessions
 *	2001:db8:65::198.51.100.2	tayga, then nftables' masquerade
 *	2001:db8:67::198.51.100.2	xlatd plat, which tells another one
 *	2001:db8:68::198.51.100.2	xlatd plat, `realtime: true`
 *	2001:db8:69::198.51.100.2	xlatd plat with its fast path (tc BPF)
 *	2001:db8:2::2			forwarded by the kernel
 *
 * Throughput: rounds are interleaved, each ratio compares neighbours in time,
 * and the median of the ratios is printed.
 *
 * New sessions: frames of which each is the first of its flow, from one core,
 * as fast as it sends; those that reach the server count. The PLAT's UDP
 * timer is LIFE_S, so that what was opened before ends meanwhile.
 *
 * Replication: as many new sessions a second as TOLD, through the PLAT that is
 * alone and through one that tells another of them; both of these beside each
 * other, so that nothing but the telling differs. What it costs is processor
 * time of the engine, of the one core that it has.
 *
 * Latency: a stream of small packets, while nothing else happens and while a
 * million sessions end by themselves, of a PLAT with and without `realtime`.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_flows.h"
#include "bench_run.h"
#include "bench_stream.h"

enum way { PLAIN, PLAT, SIIT, FAST, TAYGA, N_WAYS };
enum load { TCP1, TCP4, UDP64, N_LOADS };

#define TOLD	 50000 /* new sessions a second */
#define LIFE_S	 15 /* of a UDP session: longer than it takes to open ENDING */
#define FLOWS	 (UINT32_C(1) << 22)
#define ENDING	 1000000
#define QUIET_S	 2
#define ENDING_S (LIFE_S + 2)

static const char *const way_names[] = {"plain", "plat", "siit", "fast",
					"tayga+nft"};
static const char *const load_names[] = {"1 TCP stream", "4 TCP streams",
					 "UDP 64 B"};

/* An xlatd, and the way to it. */
struct plat {
	const char *dev, *net6, *net4, *target, *control;
	struct proc *proc;
};

static struct plat alone = {.dev = "xlatd0",
			    .net6 = "2001:db8:64::",
			    .net4 = "192.0.2.0",
			    .target = "2001:db8:64::198.51.100.2"};
static struct plat telling = {.dev = "xlatd2",
			      .net6 = "2001:db8:67::",
			      .net4 = "198.18.0.0",
			      .target = "2001:db8:67::198.51.100.2"};
/* has no traffic */
static struct plat told = {
	.dev = "xlatd3", .net6 = "2001:db8:67::", .net4 = "198.18.0.0"};
static struct plat realtime = {.dev = "xlatd4",
			       .net6 = "2001:db8:68::",
			       .net4 = "198.18.1.0",
			       .target = "2001:db8:68::198.51.100.2"};
static struct plat fast = {.dev = "xlatd5",
			   .net6 = "2001:db8:69::",
			   .net4 = "198.18.2.0",
			   .target = "2001:db8:69::198.51.100.2"};

static const char *targets[] = {
	[PLAIN] = "2001:db8:2::2",
	[PLAT] = "2001:db8:64::198.51.100.2",
	[SIIT] = "2001:db8:66::198.51.100.2",
	[FAST] = "2001:db8:69::198.51.100.2",
	[TAYGA] = "2001:db8:65::198.51.100.2",
};
static struct proc *engines[N_WAYS];
static double rate[N_LOADS][N_WAYS][BENCH_MAX_ROUNDS]; /* bit/s, packets/s */
static double opened[BENCH_MAX_ROUNDS];		       /* sessions/s */
static double alone_cpu[BENCH_MAX_ROUNDS], telling_cpu[BENCH_MAX_ROUNDS];
static const char *xlatd;

/* ---- engines ---------------------------------------------------------------
 */

static void start_tayga(void)
{
	if (access("/usr/sbin/nft", X_OK))
		return;
	engines[TAYGA] = bench_start_tayga(
		"tun-device tayga0\nipv4-addr 10.1.0.254\n"
		"ipv6-addr 2001:db8:ff::254\nprefix 2001:db8:65::/96\n"
		"map 10.1.0.2 2001:db8:1::2\n");
	if (engines[TAYGA])
		bench_lead("tayga0", "2001:db8:65::", "10.1.0.0", 24);
}

/*
 * The masquerade is there while TAYGA is measured, and not otherwise: with it
 * the node tracks connections, and of xlatd's packets too, which costs half of
 * the new sessions a second.
 */
static void masquerade(bool on)
{
	static const char rules[] =
		"table ip bench {\n\tchain post {\n"
		"\t\ttype nat hook postrouting priority 100;\n"
		"\t\tip saddr 10.1.0.0/24 oifname server masquerade\n\t}\n}\n";
	const char *add[] = {"nft", "-f", bench_put("nft.rules", rules), NULL};
	const char *del[] = {"nft", "delete table ip bench", NULL};

	free(bench_output(ENGINE, on ? add : del));
}

/* @more: configuration that is its own */
static void start_plat(struct plat *p, const char *more)
{
	p->control = arena_printf(bench.arena, "%s/%s.sock",
				  world_node_dir(bench.world, ENGINE), p->dev);
	p->proc = bench_start_xlatd(
		xlatd, "plat", p->dev,
		arena_printf(bench.arena,
			     "tun: {name: %s}\npool6: \"%s/96\"\n"
			     "pool4: [%s/24]\nallow-private: true\n"
			     "sessions: %u\nlowest-ipv6-mtu: 1500\n"
			     "short-timers: true\n"
			     "timers: {udp: %ds, port-hold: 1s}\n"
			     "control: %s\n%s",
			     p->dev, p->net6, p->net4, FLOWS, LIFE_S,
			     p->control, more));
	if (p->target)
		bench_lead(p->dev, p->net6, p->net4, 24);
}

static bool is_connected(void *arg)
{
	const struct plat *p = arg;
	const char *argv[] = {xlatd, "ctl", p->control, "sync", NULL};
	char *text = bench_output(ENGINE, argv);
	json_t *o = json_loads(text, 0, NULL);
	bool yes = json_is_true(json_object_get(o, "connected"));

	json_decref(o);
	free(text);
	return yes;
}

static const char *sync_with(const char *key, int listen, int peer)
{
	return arena_printf(bench.arena,
			    "sync: {listen: \"[::1]:%d\", peer: \"[::1]:%d\", "
			    "key-file: %s}\n",
			    listen, peer, key);
}

static void start_pair(void)
{
	const char *key = bench_put(
		"sync.key", "what both know and nobody else has ever seen\n");

	if (chmod(key, 0600))
		bench_die("the key's file", NULL);
	start_plat(&told, sync_with(key, 6402, 6401));
	start_plat(&telling, sync_with(key, 6401, 6402));
	bench_await(is_connected, &telling, "both PLATs know each other");
}

static void start_engines(void)
{
	start_plat(&alone, "");
	engines[PLAT] = alone.proc;
	engines[SIIT] = bench_start_xlatd(
		xlatd, "siit", "xlatd1",
		"tun: {name: xlatd1}\npref64: 2001:db8:66::/96\n"
		"eam: [{ipv4: 10.0.0.2, ipv6: \"2001:db8:1::2\"}]\n"
		"lowest-ipv6-mtu: 1500\n");
	bench_lead("xlatd1", "2001:db8:66::", "10.0.0.2", 32);
	start_tayga();
	start_pair();
	start_plat(&realtime, "realtime: true\n");
	start_plat(&fast, "fast-path: [client, server]\n");
	engines[FAST] = fast.proc;
}

/* One of nat64.udp's counters. */
static double counter(const struct plat *p, const char *key)
{
	const char *argv[] = {xlatd, "ctl", p->control, "stats", NULL};
	char *text = bench_output(ENGINE, argv);
	json_t *o = json_loads(text, 0, NULL);
	json_t *n = json_object_get(json_object_get(o, "nat64"), "udp");
	json_t *x = json_object_get(n, key);
	double v = json_number_value(x);

	if (!x)
		bench_die("the PLAT does not tell its counters", NULL);
	json_decref(o);
	free(text);
	return v;
}

/* ---- new sessions ----------------------------------------------------------
 */

static void run_opening(int round)
{
	double before = counter(&alone, "created"), made;
	uint64_t first = bench_server_packets();
	int fd = bench_flows_open(alone.target, 0);

	opened[round] = bench_run_sender(bench_flows_send, fd);
	close(fd);
	made = counter(&alone, "created") - before;
	if (made < (double)(bench_server_packets() - first) * 0.99)
		bench_die("packets came through without new sessions", NULL);
}

/* ---- what telling costs ----------------------------------------------------
 */

/* Share of a core that an engine takes for TOLD new sessions a second: about
 * as many are sent, and the time is that of those that were made. */
static double run_paced(const struct plat *p)
{
	double before = counter(p, "created"), made;
	int fd = bench_flows_open(p->target, TOLD);
	int64_t cpu, start, took;

	start = clock_now().ns;
	cpu = proc_cpu_ns(p->proc);
	bench_start_sender(bench_flows_send, fd);
	bench_pause(bench.seconds * NS_PER_S);
	bench_stop_sender();
	cpu = proc_cpu_ns(p->proc) - cpu;
	took = clock_now().ns - start;
	close(fd);
	made = counter(p, "created") - before;
	if (made < 0.7 * TOLD * (double)took / NS_PER_S)
		bench_die("fewer new sessions than were to be made", NULL);
	return (double)cpu / NS_PER_S * TOLD / made;
}

/* How many sessions the other one was told of so far. */
static double told_so_far(void)
{
	const char *argv[] = {xlatd, "ctl", telling.control, "sync", NULL};
	char *text = bench_output(ENGINE, argv);
	json_t *o = json_loads(text, 0, NULL);
	double n = json_number_value(json_object_get(o, "sessions_sent"));

	json_decref(o);
	free(text);
	return n;
}

static void run_telling(int round)
{
	double before = told_so_far();

	alone_cpu[round] = run_paced(&alone);
	telling_cpu[round] = run_paced(&telling);
	if (told_so_far() - before < 0.7 * TOLD * bench.seconds)
		bench_die("the other PLAT was not told of the sessions", NULL);
}

static void print_telling(void)
{
	double cost[BENCH_MAX_ROUNDS];

	for (int i = 0; i < bench.rounds; i++)
		cost[i] = 100 * (telling_cpu[i] - alone_cpu[i]);
	printf("%d new sessions a second, share of a core\n"
	       "  alone     %8.1f %%\n  replicated%8.1f %%\n  replication, %%",
	       TOLD, 100 * bench_median(alone_cpu),
	       100 * bench_median(telling_cpu));
	bench_goal(bench_median(cost), 10, true);
	printf("\n");
}

/* ---- a stream while sessions end -------------------------------------------
 */

static void await_sessions(const struct plat *p, double least, double most)
{
	int64_t until = clock_now().ns + 4 * LIFE_S * NS_PER_S;
	double n;

	do {
		if (clock_now().ns > until)
			bench_die("the sessions are not as many as they should "
				  "be by now",
				  NULL);
		bench_pause(20 * NS_PER_MS);
		n = counter(p, "sessions");
	} while (n < least || n > most);
}

static void print_stream(const char *when, const struct bench_stream *s)
{
	printf("  %-28s %5.1f kpps arrived; median %.3f ms, longest %5.2f ms, "
	       "p99.9 in ms",
	       when, s->rate / 1e3, s->median_ms, s->longest_ms);
	bench_goal(s->p999_ms, 1, true);
	printf("\n");
}

/* Open @ENDING sessions, and look on while they end. */
static void run_ending(const struct plat *p, const char *what)
{
	struct bench_stream s;
	double before, ended;
	int fd;

	printf("100 kpps, %s\n", what);
	await_sessions(p, 0, 10);
	s = bench_stream_run(p->target, QUIET_S);
	print_stream("nothing else", &s);
	before = counter(p, "expired");
	fd = bench_flows_open(p->target, 0);
	bench_start_sender(bench_flows_send, fd);
	await_sessions(p, ENDING, FLOWS);
	bench_stop_sender();
	close(fd);
	s = bench_stream_run(p->target, ENDING_S);
	ended = counter(p, "expired") - before;
	print_stream(arena_printf(bench.arena, "while %.2f M sessions end",
				  ended / 1e6),
		     &s);
	if (ended < ENDING * 0.9)
		bench_die("sessions did not end while the stream ran", NULL);
}

/* ---- rounds ----------------------------------------------------------------
 */

static bool is_there(enum way way)
{
	return way == PLAIN || engines[way];
}

static void run_load(enum load load, enum way way, int round)
{
	int streams = load == TCP1 ? 1 : 4;

	if (way == TAYGA)
		masquerade(true);
	rate[load][way][round] = load == UDP64
					 ? bench_run_udp(targets[way])
					 : bench_run_tcp(targets[way], streams,
							 false, engines[way])
						   .rate;
	if (way == TAYGA)
		masquerade(false);
}

static void measure(void)
{
	/* first: nothing else ends meanwhile */
	for (int round = 0; round < bench.rounds; round++) {
		bench_show(round, "replication", "plat");
		run_telling(round);
	}
	for (int round = 0; round < bench.rounds; round++) {
		for (int load = 0; load < N_LOADS; load++)
			for (int way = 0; way < N_WAYS; way++) {
				if (!is_there((enum way)way))
					continue;
				bench_show(round, load_names[load],
					   way_names[way]);
				run_load((enum load)load, (enum way)way, round);
			}
		bench_show(round, "new sessions", "plat");
		run_opening(round);
	}
	bench_show(0, NULL, NULL);
}

static void print_load(enum load load)
{
	static const double of_tayga[] = {6, 6, 1.3};
	static const double of_plain[] = {0.85, 0.85, 0.9};

	printf("%s\n", load_names[load]);
	for (int way = 0; way < N_WAYS; way++)
		if (is_there((enum way)way))
			printf("  %-9s %8.2f %s\n", way_names[way],
			       bench_median(rate[load][way]) /
				       (load == UDP64 ? 1e3 : 1e9),
			       load == UDP64 ? "kpps" : "Gbit/s");
	printf("  plat of siit");
	bench_goal(bench_ratio(rate[load][PLAT], rate[load][SIIT]), 0.95,
		   false);
	if (engines[TAYGA]) {
		printf("\n  plat of tayga with masquerade");
		bench_goal(bench_ratio(rate[load][PLAT], rate[load][TAYGA]),
			   of_tayga[load], false);
	}
	printf("\n  fast of plain");
	bench_goal(bench_ratio(rate[load][FAST], rate[load][PLAIN]),
		   of_plain[load], false);
	printf("\n");
}

int main(int argc, char **argv)
{
	xlatd = bench_parse("bench-plat", argc, argv);
	if (!xlatd)
		return 2;
	if (geteuid() != 0) {
		printf("SKIP: namespaces need root\n");
		return 77;
	}
	bench_open();
	start_engines();
	measure();
	printf("%d interleaved rounds of %d s, median\n", bench.rounds,
	       bench.seconds);
	if (bench.want_tayga && !engines[TAYGA])
		printf("tayga or nft is not installed: no comparison\n");
	for (int load = 0; load < N_LOADS; load++)
		print_load((enum load)load);
	printf("new sessions, M/s, others ending meanwhile\n ");
	bench_goal(bench_median(opened) / 1e6, 0.4, false);
	printf("\n");
	print_telling();
	run_ending(&alone, "plat");
	run_ending(&realtime, "plat with realtime: true");
	bench_close();
	return 0;
}
