/* SPDX-License-Identifier: MIT */
/*
 * A stateful NAT64 in process: nanoseconds for one session and for a million
 * in random order, in the tables alone and as whole packets through the
 * daemon's path; new sessions a second; bytes a session; the longest step
 * while a million of them end. Goals are printed beside; a person judges.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/rng.h"
#include "../core/csum.h"
#include "../daemon/config.h"
#include "../daemon/memory.h"
#include "../daemon/setup.h"
#include "../io/io.h"

#define ROUNDS	   5
#define MILLION	   UINT32_C(1000000)
#define HOT	   (5 * MILLION)
#define MOST	   (4 * MILLION)
#define ADDRESSES  64
#define SWEEP	   1024 /* entries a step, as in the daemon */
#define SAMPLES	   MILLION
#define PACKET_LEN 128
#define ROOM	   (PKT_HEADROOM + PACKET_LEN + PKT_TAILROOM)
#define BURST	   16 /* as the daemon reads */

static struct nat64_cfg cfg;
static struct nat64_pool4 pool4[ADDRESSES];
static void *mem;
static size_t mem_bytes;
static struct mono now = {1000 * NS_PER_S};
static uint32_t *order; /* a million numbers, shuffled */
static uint64_t wrong;

static void die(const char *what)
{
	fprintf(stderr, "bench_nat64: %s\n", what);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

static void print(const char *what, double value, const char *unit,
		  const char *goal)
{
	printf("%-44s %9.2f %-6s goal %s\n", what, value, unit, goal);
}

/* ---- tables ---------------------------------------------------------------
 */

static void configure(uint32_t sessions)
{
	nat64_cfg_init(&cfg);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		pool4[i].addr.s_addr = htonl(0xc6336400u + i);
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			pool4[i].ports[k].lo = 1024;
			pool4[i].ports[k].hi = 65535;
		}
	}
	cfg.pool4 = pool4;
	cfg.n_pool4 = ADDRESSES;
	cfg.max_sessions = cfg.max_bibs = sessions;
	cfg.seed[0] = 1;
	cfg.seed[1] = 2;
}

static struct nat64 *make_table(uint32_t sessions)
{
	struct nat64 *n;

	configure(sessions);
	mem_bytes = nat64_memory(&cfg);
	mem = memory_map(mem_bytes, true);
	if (!mem)
		die("no memory for the tables");
	n = nat64_init(mem, &cfg, now);
	if (!n)
		die("the tables cannot be laid out");
	return n;
}

static void free_table(void)
{
	memory_unmap(mem, mem_bytes);
}

/* The i-th host's UDP flow; a port, a subscriber and a peer of its own. */
static struct nat64_flow flow_of(uint32_t i)
{
	struct nat64_flow f = {.proto = NAT64_UDP};

	f.src6.s6_addr[0] = 0x20;
	f.src6.s6_addr[1] = 0x01;
	memcpy(&f.src6.s6_addr[4], &i, 4);
	f.src6_port = (__be16)(i * 2654435761u >> 16);
	f.dst4.s_addr = htonl(0x08000000u + i % 1000);
	f.dst_port = htons(443);
	return f;
}

static void open_sessions(struct nat64 *n, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct nat64_flow f = flow_of(i);

		wrong += nat64_out(n, &f, now) != REASON_OK;
	}
}

static double hot_ns(struct nat64 *n, bool in)
{
	struct nat64_flow f = flow_of(0);
	double v[ROUNDS];

	wrong += nat64_out(n, &f, now) != REASON_OK;
	for (int r = 0; r < ROUNDS; r++) {
		struct mono start = clock_now();

		for (uint32_t i = 0; i < HOT; i++) {
			wrong += (in ? nat64_in : nat64_out)(n, &f, now) !=
				 REASON_OK;
			__asm__ volatile("" ::: "memory");
		}
		v[r] = (double)mono_sub(clock_now(), start) / HOT;
	}
	return median(v);
}

/* @burst: so many at a time, fetched ahead as the daemon does it; 1: none */
static double random_ns(struct nat64 *n, uint32_t burst)
{
	struct nat64_ahead ahead[NAT64_WARM_MAX];
	double v[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		struct mono start = clock_now();

		for (uint32_t i = 0; i < MILLION; i += burst) {
			for (uint32_t k = 0; k < burst; k++) {
				ahead[k].from6 = true;
				ahead[k].flow = flow_of(order[i + k]);
			}
			if (burst > 1)
				nat64_warm(n, ahead, burst);
			for (uint32_t k = 0; k < burst; k++)
				wrong += nat64_out(n, &ahead[k].flow, now) !=
					 REASON_OK;
		}
		v[r] = (double)mono_sub(clock_now(), start) / MILLION;
	}
	return median(v);
}

/*
 * What one access to the host's memory costs when the next address comes out
 * of it, over as much memory as the tables take: a random session needs three
 * in a row.
 */
static void bench_host(bool huge)
{
	size_t bytes = 124 * (size_t)MILLION, lines = bytes / 64;
	double v[ROUNDS];
	struct rng r;
	uint32_t at = 0, *next;

	next = memory_map(bytes, huge);
	if (!next)
		die("no memory");
	rng_init(&r, 2);
	for (size_t i = 0; i < lines; i++)
		next[i * 16] = (uint32_t)i;
	/* Sattolo: one cycle through all */
	for (size_t i = lines - 1; i; i--) {
		size_t k = rng_next(&r) % i;
		uint32_t x = next[i * 16];

		next[i * 16] = next[k * 16];
		next[k * 16] = x;
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct mono start = clock_now();

		for (uint32_t i = 0; i < MILLION; i++)
			at = next[(size_t)at * 16];
		v[round] = (double)mono_sub(clock_now(), start) / MILLION;
	}
	wrong += at >= lines;
	print(huge ? "this host, one random access, huge pages"
		   : "this host, one random access, small pages",
	      median(v), "ns", "-");
	print("of this memory in huge pages",
	      100 * (double)memory_huge_bytes(next) / (double)bytes, "%", "-");
	memory_unmap(next, bytes);
}

static void bench_lookup(void)
{
	struct nat64 *n = make_table(MILLION);

	print("tables, one session, from IPv6", hot_ns(n, false), "ns",
	      "<= 60");
	print("tables, one session, from IPv4", hot_ns(n, true), "ns", "<= 60");
	open_sessions(n, MILLION);
	print("tables, 1 M random, bursts of 16", random_ns(n, BURST), "ns",
	      "<= 200");
	print("tables, 1 M random, one by one", random_ns(n, 1), "ns",
	      "<= 200");
	free_table();
}

/* New sessions in a table whose memory the system has given already, as it
 * is in service, then their end in steps. */
static void bench_life(void)
{
	struct nat64 *n = make_table(MILLION);
	double rate[ROUNDS], longest[ROUNDS], whole[ROUNDS];

	for (int r = -1; r < ROUNDS; r++) {
		struct mono start = clock_now(), step;
		int64_t took, most = 0;
		bool more = true;

		open_sessions(n, MILLION);
		took = mono_sub(clock_now(), start);
		now = mono_add(now, 400 * NS_PER_S);
		start = clock_now();
		while (more) {
			int64_t t;

			step = clock_now();
			more = nat64_expire(n, now, SWEEP);
			t = mono_sub(clock_now(), step);
			most = t > most ? t : most;
		}
		if (r < 0)
			continue;
		rate[r] = MILLION / ((double)took / NS_PER_S) / 1e6;
		longest[r] = (double)most / 1e6;
		whole[r] = (double)mono_sub(clock_now(), start) / 1e6;
	}
	print("new sessions", median(rate), "M/s", ">= 2");
	print("1 M sessions end, all steps together", median(whole), "ms", "-");
	print("1 M sessions end, longest step", median(longest), "ms", "< 1");
	free_table();
}

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long size, resident = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
		die("/proc/self/statm cannot be read");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void bench_memory(void)
{
	double before = resident_bytes();
	struct nat64 *n = make_table(MOST);
	struct nat64_stats st;

	open_sessions(n, MOST);
	nat64_get_stats(n, &st);
	print("sessions open at a time",
	      st.proto[NAT64_UDP].sessions / (double)MILLION, "M", ">= 4");
	print("memory a session, as laid out", (double)mem_bytes / MOST, "B",
	      "<= 128");
	print("memory a session, resident", (resident_bytes() - before) / MOST,
	      "B", "<= 128");
	free_table();
}

/* ---- whole packets --------------------------------------------------------
 */

static struct setup su;
static struct arena *arena;
static uint8_t packet[PACKET_LEN];

static int count_out(void *arg, const struct pkt *pkt)
{
	(void)pkt;
	++*(uint64_t *)arg;
	return 0;
}

static void start_plat(uint64_t *sent)
{
	static const char text[] =
		"tun: {name: bench}\npool6: 64:ff9b::/96\n"
		"pool4: [198.51.100.0/26]\nallow-private: true\n"
		"sessions: 1000000\nseed: 1\n";
	struct diags d;
	struct config *c;
	struct err e;

	diags_init(&d);
	arena = arena_new();
	c = config_load_text("bench", text, strlen(text), ROLE_PLAT, arena, &d);
	diags_print(&d, stderr);
	if (!c || setup_init(&su, c, now, &e))
		die("the PLAT cannot be set up");
	diags_fini(&d);
	su.path.emit = count_out;
	su.path.emit_arg = sent;
}

static void make_packet(void)
{
	uint16_t payload = PACKET_LEN - 40, check;

	packet[0] = 0x60;
	packet[5] = (uint8_t)payload;
	packet[6] = 17;
	packet[7] = 64;
	inet_pton(AF_INET6, "64:ff9b::808:808", packet + 24);
	packet[42] = 1;
	packet[43] = 187;
	packet[45] = (uint8_t)payload;
	check = (uint16_t)~csum_fold(
		csum_add(csum_pseudo6(packet + 8, packet + 24, payload, 17),
			 packet + 40, payload));
	memcpy(packet + 46, &check, 2);
}

/* The packet of host @i; its checksum is carried through, not looked at. */
static struct pkt packet_of(uint8_t *buf, uint32_t i)
{
	struct nat64_flow f = flow_of(i);
	struct pkt p = {.data = buf + PKT_HEADROOM,
			.len = PACKET_LEN,
			.headroom = PKT_HEADROOM,
			.tailroom = PKT_TAILROOM};

	memcpy(p.data, packet, PACKET_LEN);
	memcpy(p.data + 8, &f.src6, 16);
	memcpy(p.data + 40, &f.src6_port, 2);
	return p;
}

static void send_packet(uint8_t *buf, uint32_t i)
{
	struct pkt p = packet_of(buf, i);

	wrong += path_run(&su.path, &p, now) != VERDICT_FORWARD;
}

/* All hosts in random order, or one of them always. */
static double packets_ns(uint8_t *buf, bool spread, uint32_t burst)
{
	uint64_t before = su.path.counters.forwarded;
	struct pkt pkts[BURST];
	double v[ROUNDS];

	for (int r = 0; r < ROUNDS; r++) {
		struct mono start = clock_now();

		for (uint32_t i = 0; i < MILLION; i += burst) {
			for (uint32_t k = 0; k < burst; k++)
				pkts[k] = packet_of(buf + k * ROOM,
						    spread ? order[i + k] : 0);
			path_run_burst(&su.path, pkts, burst, now);
		}
		v[r] = (double)mono_sub(clock_now(), start) / MILLION;
	}
	wrong += su.path.counters.forwarded - before != ROUNDS * MILLION;
	return median(v);
}

/*
 * A packet each 10 microseconds while a million sessions end, the daemon's
 * steps in between: a packet that arrives during one waits for its end.
 * Nanoseconds from its due time until it is translated.
 */
static void bench_stream(uint8_t *buf)
{
	double *late = malloc(SAMPLES * sizeof(*late));
	struct mono start, sweep;
	uint32_t n = 0;
	bool more = true;

	if (!late)
		die("out of memory");
	now = mono_add(now, 400 * NS_PER_S);
	start = sweep = clock_now();
	while (more && n < SAMPLES) {
		struct mono due = mono_add(start, (int64_t)n * 10000);

		if (mono_sub(clock_now(), sweep) >= 0) {
			more = nat64_expire(su.path.nat64, now, SWEEP);
			sweep = mono_add(clock_now(), NS_PER_MS);
		}
		if (mono_sub(clock_now(), due) < 0)
			continue;
		send_packet(buf, 0);
		late[n++] = (double)mono_sub(clock_now(), due) / 1e6;
	}
	if (more)
		die("a million sessions did not end in ten seconds");
	qsort(late, n, sizeof(*late), compare);
	print("100 kpps while 1 M sessions end, p99.9", late[n * 999ull / 1000],
	      "ms", "< 1");
	print("the same, longest", late[n - 1], "ms", "-");
	free(late);
}

static void bench_packets(void)
{
	static uint8_t buf[BURST * ROOM];
	uint64_t sent = 0;

	start_plat(&sent);
	make_packet();
	print("packet of 128 bytes, one session", packets_ns(buf, false, 1),
	      "ns", "-");
	/* entries lie in the order of the first packets: not in this one */
	for (uint32_t i = 0; i < MILLION; i++)
		send_packet(buf, i);
	print("packet of 128 bytes, 1 M random, in bursts",
	      packets_ns(buf, true, BURST), "ns", "-");
	print("packet of 128 bytes, 1 M random, one by one",
	      packets_ns(buf, true, 1), "ns", "-");
	bench_stream(buf);
	wrong += sent != su.path.counters.forwarded;
	setup_fini(&su);
	arena_free(arena);
}

static void shuffle(void)
{
	struct rng r;

	order = malloc(MILLION * sizeof(*order));
	if (!order)
		die("out of memory");
	rng_init(&r, 1);
	for (uint32_t i = 0; i < MILLION; i++)
		order[i] = i;
	for (uint32_t i = MILLION - 1; i; i--) {
		uint32_t k = (uint32_t)(rng_next(&r) % (i + 1)), x = order[i];

		order[i] = order[k];
		order[k] = x;
	}
}

int main(void)
{
	shuffle();
	bench_host(false);
	bench_host(true);
	bench_lookup();
	bench_life();
	bench_memory();
	bench_packets();
	free(order);
	if (wrong)
		die("packets were refused");
	return 0;
}
