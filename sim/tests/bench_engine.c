/* SPDX-License-Identifier: MIT */
/*
 * xlatd against plain kernel forwarding and against TAYGA, in namespaces:
 *
 *	client --- engine --- server	IPv6 on the left, both on the right
 *
 * One world for all three ways through the node in the middle; which one a
 * packet takes is a matter of its destination:
 *
 *	2001:db8:2::2			forwarded by the kernel
 *	2001:db8:64::198.51.100.2	xlatd siit, on its TUN device
 *	2001:db8:66::198.51.100.2	another, with its fast path (tc BPF)
 *	2001:db8:65::198.51.100.2	tayga, on its TUN device
 *
 * Rounds are interleaved and each ratio compares neighbours in time; what is
 * printed is the median of the ratios. CPU is what sender, receiver, engine
 * and the kernel's own softirq threads used, by their own accounts; softirq
 * work that runs in somebody else's time is not in it.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench_run.h"

enum way { PLAIN, XLATD, FAST, TAYGA, N_WAYS };
enum load { TCP1_UP, TCP1_DOWN, TCP4_UP, TCP4_DOWN, UDP64, N_LOADS };

static const char *const way_names[] = {"plain", "xlatd", "fast", "tayga"};
static const char *const load_names[] = {"1 TCP stream up", "1 TCP stream down",
					 "4 TCP streams up",
					 "4 TCP streams down", "UDP 64 B"};
static const char *const targets[] = {
	"2001:db8:2::2", "2001:db8:64::198.51.100.2",
	"2001:db8:66::198.51.100.2", "2001:db8:65::198.51.100.2"};

static struct proc *engines[N_WAYS];
static double rate[N_LOADS][N_WAYS][BENCH_MAX_ROUNDS]; /* bit/s, packets/s */
static double cpu_per_gb[N_LOADS][N_WAYS][BENCH_MAX_ROUNDS];

static void start_engines(const char *program)
{
	engines[XLATD] = bench_start_xlatd(
		program, "siit", "xlatd0",
		"tun: {name: xlatd0}\npref64: 2001:db8:64::/96\n"
		"eam: [{ipv4: 10.0.0.2, ipv6: \"2001:db8:1::2\"}]\n"
		"lowest-ipv6-mtu: 1500\n");
	bench_lead("xlatd0", "2001:db8:64::", "10.0.0.2", 32);
	engines[FAST] = bench_start_xlatd(
		program, "siit", "xlatd1",
		"tun: {name: xlatd1}\npref64: 2001:db8:66::/96\n"
		"eam: [{ipv4: 10.2.0.2, ipv6: \"2001:db8:1::2\"}]\n"
		"lowest-ipv6-mtu: 1500\nfast-path: [client, server]\n");
	bench_lead("xlatd1", "2001:db8:66::", "10.2.0.2", 32);
	engines[TAYGA] = bench_start_tayga(
		"tun-device tayga0\nipv4-addr 10.1.0.254\n"
		"ipv6-addr 2001:db8:ff::254\nprefix 2001:db8:65::/96\n"
		"map 10.1.0.2 2001:db8:1::2\n");
	if (engines[TAYGA])
		bench_lead("tayga0", "2001:db8:65::", "10.1.0.2", 32);
}

static void run_load(enum load load, enum way way, int round)
{
	struct bench_tcp t;

	if (load == UDP64) {
		rate[load][way][round] = bench_run_udp(targets[way]);
		return;
	}
	t = bench_run_tcp(targets[way], load < TCP4_UP ? 1 : 4,
			  load == TCP1_DOWN || load == TCP4_DOWN, engines[way]);
	rate[load][way][round] = t.rate;
	cpu_per_gb[load][way][round] = t.cpu_per_gb;
}

static void measure(void)
{
	for (int round = 0; round < bench.rounds; round++)
		for (int load = 0; load < N_LOADS; load++)
			for (int way = 0; way < N_WAYS; way++) {
				if (way == TAYGA && !engines[TAYGA])
					continue;
				bench_show(round, load_names[load],
					   way_names[way]);
				run_load((enum load)load, (enum way)way, round);
			}
	bench_show(0, NULL, NULL);
}

/* What is asked of a way by load: through the TUN device, and beside it. */
static const struct goals {
	double of_plain[N_LOADS], of_tayga[N_LOADS];
	double cpu; /* of plain, at most */
} goals[N_WAYS] = {
	[XLATD] = {{0.8, 0.8, 0.4, 0.4, 0.6}, {6, 6, 8, 8, 1.2}, 2.5},
	[FAST] = {{0.85, 0.85, 0.85, 0.85, 0.9}, {5, 5, 12, 12, 1.7}, 1.2},
};

static void print_ratios(enum load load, enum way way)
{
	const struct goals *g = &goals[way];

	printf("  %-6s of plain", way_names[way]);
	bench_goal(bench_ratio(rate[load][way], rate[load][PLAIN]),
		   g->of_plain[load], false);
	if (engines[TAYGA]) {
		printf("\n         of tayga");
		bench_goal(bench_ratio(rate[load][way], rate[load][TAYGA]),
			   g->of_tayga[load], false);
	}
	if (load != UDP64) {
		printf("\n         CPU of plain");
		bench_goal(bench_ratio(cpu_per_gb[load][way],
				       cpu_per_gb[load][PLAIN]),
			   g->cpu, true);
	}
	printf("\n");
}

static void print_load(enum load load)
{
	printf("%s\n", load_names[load]);
	for (int way = 0; way < (engines[TAYGA] ? N_WAYS : TAYGA); way++) {
		double median = bench_median(rate[load][way]);

		printf("  %-6s %8.2f %s", way_names[way],
		       load == UDP64 ? median / 1e3 : median / 1e9,
		       load == UDP64 ? "kpps" : "Gbit/s");
		if (load != UDP64)
			printf("  %.2f CPU s/GB",
			       bench_median(cpu_per_gb[load][way]));
		printf("\n");
	}
	print_ratios(load, XLATD);
	print_ratios(load, FAST);
}

int main(int argc, char **argv)
{
	const char *program = bench_parse("bench-engine", argc, argv);

	if (!program)
		return 2;
	if (geteuid() != 0) {
		printf("SKIP: namespaces need root\n");
		return 77;
	}
	bench_open();
	start_engines(program);
	measure();
	printf("%d interleaved rounds of %d s, median; offloads %s\n",
	       bench.rounds, bench.seconds,
	       bench.offloads ? "as veth has them" : "off, GRO on");
	if (bench.want_tayga && !engines[TAYGA])
		printf("tayga is not installed: no comparison with it\n");
	for (int load = 0; load < N_LOADS; load++)
		print_load((enum load)load);
	bench_close();
	return 0;
}
