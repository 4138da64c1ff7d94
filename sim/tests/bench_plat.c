/* SPDX-License-Identifier: MIT */
/*
 * A stateful NAT64 from end to end, through its TUN device, in namespaces:
 *
 *	client --- engine --- server	IPv6 on the left, both on the right
 *
 *	2001:db8:64::198.51.100.2	xlatd plat
 *	2001:db8:66::198.51.100.2	xlatd siit: the same without sessions
 *	2001:db8:65::198.51.100.2	tayga, then nftables' masquerade
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
 * Latency: a stream of small packets, each with the time it was sent in it,
 * while a million sessions end by themselves; the server's kernel stamps
 * their arrival, so that neither end's reading is in the figure.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench_run.h"

enum way { PLAT, SIIT, TAYGA, N_WAYS };
enum load { TCP1, TCP4, UDP64, N_LOADS };

#define TOLD	      50000 /* new sessions a second */
#define LIFE_S	      15 /* of a UDP session: longer than it takes to open ENDING */
#define FLOWS	      (UINT32_C(1) << 22)
#define ENDING	      1000000
#define BATCH	      64
#define FRAME_BYTES   (14 + 40 + 8 + 16)
#define STREAM_PORT   7778
#define STREAM_NS     10000 /* 100 kpps */
#define QUIET_S	      2
#define ENDING_S      (LIFE_S + 2)
#define MOST_SAMPLES  (100000 * (ENDING_S + 1))
#define STREAM_BUFFER (64 << 20)

static const char *const way_names[] = {"plat", "siit", "tayga+nft"};
static const char *const load_names[] = {"1 TCP stream", "4 TCP streams",
					 "UDP 64 B"};
static const char *const targets[] = {"2001:db8:64::198.51.100.2",
				      "2001:db8:66::198.51.100.2",
				      "2001:db8:65::198.51.100.2"};
static const char told_target[] = "2001:db8:67::198.51.100.2";

static struct proc *engines[N_WAYS];
static double rate[N_LOADS][N_WAYS][BENCH_MAX_ROUNDS]; /* bit/s, packets/s */
static double opened[BENCH_MAX_ROUNDS];		       /* sessions/s */
static struct proc *telling;
static double alone_cpu[BENCH_MAX_ROUNDS], telling_cpu[BENCH_MAX_ROUNDS];
static const char *control, *telling_control, *xlatd;

/* ---- engines ---------------------------------------------------------------
 */

static void start_tayga(void)
{
	static const char rules[] =
		"table ip bench {\n\tchain post {\n"
		"\t\ttype nat hook postrouting priority 100;\n"
		"\t\tip saddr 10.1.0.0/24 oifname server masquerade\n\t}\n}\n";
	const char *argv[] = {"nft", "-f", bench_put("nft.rules", rules), NULL};

	if (access("/usr/sbin/nft", X_OK))
		return;
	engines[TAYGA] = bench_start_tayga(
		"tun-device tayga0\nipv4-addr 10.1.0.254\n"
		"ipv6-addr 2001:db8:ff::254\nprefix 2001:db8:65::/96\n"
		"map 10.1.0.2 2001:db8:1::2\n");
	if (!engines[TAYGA])
		return;
	bench_lead("tayga0", "2001:db8:65::", "10.1.0.0", 24);
	free(bench_output(ENGINE, argv));
}

static const char *put_pair_member(const char *dev, const char *socket,
				   const char *key, int listen, int peer)
{
	return arena_printf(
		bench.arena,
		"tun: {name: %s}\npool6: 2001:db8:67::/96\n"
		"pool4: [198.18.0.0/24]\nallow-private: true\n"
		"sessions: %u\nlowest-ipv6-mtu: 1500\nshort-timers: true\n"
		"timers: {udp: %ds, port-hold: 1s}\ncontrol: %s\n"
		"sync: {listen: \"[::1]:%d\", peer: \"[::1]:%d\", "
		"key-file: %s}\n",
		dev, FLOWS, LIFE_S, socket, listen, peer, key);
}

static bool is_connected(void *arg)
{
	const char *argv[] = {xlatd, "ctl", arg, "sync", NULL};
	char *text = bench_output(ENGINE, argv);
	json_t *o = json_loads(text, 0, NULL);
	bool yes = json_is_true(json_object_get(o, "connected"));

	json_decref(o);
	free(text);
	return yes;
}

/* The one that tells, and the one that is told, which has no traffic. */
static void start_pair(void)
{
	const char *dir = world_node_dir(bench.world, ENGINE);
	const char *key = bench_put(
		"sync.key", "what both know and nobody else has ever seen\n");
	char *there = arena_printf(bench.arena, "%s/told.sock", dir);
	char *here = arena_printf(bench.arena, "%s/telling.sock", dir);

	if (chmod(key, 0600))
		bench_die("the key's file", NULL);
	bench_start_xlatd(xlatd, "plat", "xlatd3",
			  put_pair_member("xlatd3", there, key, 6402, 6401));
	telling = bench_start_xlatd(
		xlatd, "plat", "xlatd2",
		put_pair_member("xlatd2", here, key, 6401, 6402));
	telling_control = here;
	bench_lead("xlatd2", "2001:db8:67::", "198.18.0.0", 24);
	bench_await(is_connected, here, "both PLATs know each other");
}

static void start_engines(void)
{
	char *text;

	control = arena_printf(bench.arena, "%s/plat.sock",
			       world_node_dir(bench.world, ENGINE));
	text = arena_printf(bench.arena,
			    "tun: {name: xlatd0}\npool6: 2001:db8:64::/96\n"
			    "pool4: [192.0.2.0/24]\nallow-private: true\n"
			    "sessions: %u\nlowest-ipv6-mtu: 1500\n"
			    "short-timers: true\n"
			    "timers: {udp: %ds, port-hold: 1s}\n"
			    "control: %s\n",
			    FLOWS, LIFE_S, control);
	engines[PLAT] = bench_start_xlatd(xlatd, "plat", "xlatd0", text);
	bench_lead("xlatd0", "2001:db8:64::", "192.0.2.0", 24);
	engines[SIIT] = bench_start_xlatd(
		xlatd, "siit", "xlatd1",
		"tun: {name: xlatd1}\npref64: 2001:db8:66::/96\n"
		"eam: [{ipv4: 10.0.0.2, ipv6: \"2001:db8:1::2\"}]\n"
		"lowest-ipv6-mtu: 1500\n");
	bench_lead("xlatd1", "2001:db8:66::", "10.0.0.2", 32);
	start_tayga();
	start_pair();
}

/* One of nat64.udp's counters. */
static double counter_at(const char *socket, const char *key)
{
	const char *argv[] = {xlatd, "ctl", socket, "stats", NULL};
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

static double udp_counter(const char *key)
{
	return counter_at(control, key);
}

/* ---- frames, each of a new flow --------------------------------------------
 */

static uint8_t frame[FRAME_BYTES];
static uint32_t next_flow;
static int64_t batch_ns; /* from one to the next; 0: as fast as can be */

static int read_mac(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq r = {.ifr_name = "client"};

	ret = ioctl(fd, SIOCGIFHWADDR, &r) ? -errno : 0;
	close(fd);
	memcpy(arg, r.ifr_hwaddr.sa_data, 6);
	return ret;
}

static int open_frames(void *arg)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_ifindex = (int)if_nametoindex("engine")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	*(int *)arg = fd;
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static void make_frame(void)
{
	struct err e = {""};

	memset(frame, 0, sizeof(frame));
	if (world_enter(bench.world, ENGINE, read_mac, frame, &e))
		bench_die("the engine's address", &e);
	frame[6] = 2; /* locally administered */
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[14 + 5] = FRAME_BYTES - 54;
	frame[14 + 6] = IPPROTO_UDP;
	frame[14 + 7] = 64;
	inet_pton(AF_INET6, "2001:db8::5", frame + 22);
	inet_pton(AF_INET6, targets[PLAT], frame + 38);
	frame[56] = 7777 >> 8;
	frame[57] = 7777 & 0xff;
	frame[59] = FRAME_BYTES - 54;
}

static uint32_t sum16(const uint8_t *p, int bytes)
{
	uint32_t sum = 0;

	for (int i = 0; i < bytes; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

/* A host in a network of its own, its port, and the checksum. */
static void fill_frame(uint8_t *f, uint32_t flow)
{
	uint32_t sum;

	memcpy(f, frame, FRAME_BYTES);
	for (int i = 0; i < 4; i++)
		f[26 + i] = (uint8_t)(flow >> (24 - 8 * i));
	f[54] = (uint8_t)(4 + flow % 251);
	f[55] = (uint8_t)flow;
	sum = sum16(f + 22, 32) + IPPROTO_UDP + FRAME_BYTES - 54 +
	      sum16(f + 54, FRAME_BYTES - 54);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	f[60] = (uint8_t)(sum >> 8);
	f[61] = (uint8_t)(sum ? sum : 0xff);
	if (!sum)
		f[60] = 0xff;
}

static void sleep_until(int64_t ns)
{
	struct timespec t = {ns / NS_PER_S, ns % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void send_frames(int fd)
{
	static uint8_t room[BATCH][FRAME_BYTES];
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];

	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){room[i], FRAME_BYTES};
		m[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	}
	for (int64_t due = clock_now().ns;; due += batch_ns) {
		for (int i = 0; i < BATCH; i++)
			fill_frame(room[i], next_flow++);
		if (batch_ns)
			sleep_until(due);
		if (sendmmsg(fd, m, BATCH, 0) < 0 && errno != ENOBUFS)
			_exit(1);
	}
}

static void run_opening(int round)
{
	struct err e = {""};
	double before = udp_counter("created"), made;
	uint64_t first = bench_server_packets();
	int fd = -1;

	if (world_enter(bench.world, CLIENT, open_frames, &fd, &e))
		bench_die("packet socket", &e);
	next_flow += UINT32_C(1) << 26; /* none of an earlier round's */
	opened[round] = bench_run_sender(send_frames, fd);
	close(fd);
	made = udp_counter("created") - before;
	if (made < (double)(bench_server_packets() - first) * 0.99)
		bench_die("packets came through without new sessions", NULL);
}

/* ---- what telling costs ----------------------------------------------------
 */

/* Share of a core that @engine takes for TOLD new sessions a second: about as
 * many are sent, and the time is that of those that were made. */
static double run_paced(const struct proc *engine, const char *socket,
			const char *target)
{
	struct err e = {""};
	double before = counter_at(socket, "created"), made;
	int64_t cpu, start, took;
	int fd = -1;

	if (world_enter(bench.world, CLIENT, open_frames, &fd, &e))
		bench_die("packet socket", &e);
	inet_pton(AF_INET6, target, frame + 38);
	next_flow += UINT32_C(1) << 26;
	batch_ns = NS_PER_S * BATCH / TOLD;
	start = clock_now().ns;
	cpu = proc_cpu_ns(engine);
	bench_start_sender(send_frames, fd);
	bench_pause(bench.seconds * NS_PER_S);
	bench_stop_sender();
	cpu = proc_cpu_ns(engine) - cpu;
	took = clock_now().ns - start;
	batch_ns = 0;
	inet_pton(AF_INET6, targets[PLAT], frame + 38);
	close(fd);
	made = counter_at(socket, "created") - before;
	if (made < 0.7 * TOLD * (double)took / NS_PER_S)
		bench_die("fewer new sessions than were to be made", NULL);
	return (double)cpu / NS_PER_S * TOLD / made;
}

/* How many sessions the other one was told of so far. */
static double told_so_far(void)
{
	const char *argv[] = {xlatd, "ctl", telling_control, "sync", NULL};
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

	alone_cpu[round] = run_paced(engines[PLAT], control, targets[PLAT]);
	telling_cpu[round] = run_paced(telling, telling_control, told_target);
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

static struct sockaddr_in6 stream_to;
static double *late_ms;
static size_t n_late;

static int open_stream(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*(int *)arg = fd;
	stream_to = (struct sockaddr_in6){.sin6_family = AF_INET6,
					  .sin6_port = htons(STREAM_PORT)};
	inet_pton(AF_INET6, targets[PLAT], &stream_to.sin6_addr);
	return fd < 0 || connect(fd, (struct sockaddr *)&stream_to,
				 sizeof(stream_to))
		       ? -errno
		       : 0;
}

static int open_stream_sink(void *arg)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(STREAM_PORT)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1, size = STREAM_BUFFER;

	*(int *)arg = fd;
	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		return -errno;
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static int64_t real_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void send_stream(int fd)
{
	int64_t due = real_ns(), t;

	for (;; due += STREAM_NS) {
		while ((t = real_ns()) < due)
			;
		if (t - due > NS_PER_MS) /* we were not on the core */
			due = t;
		if (send(fd, &t, sizeof(t), 0) < 0 && errno != ENOBUFS &&
		    errno != ECONNREFUSED)
			_exit(1);
	}
}

static void take_stream(int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(struct timespec))];
	} c;
	int64_t sent;
	struct iovec v = {&sent, sizeof(sent)};

	for (;;) {
		struct msghdr m = {.msg_iov = &v,
				   .msg_iovlen = 1,
				   .msg_control = &c,
				   .msg_controllen = sizeof(c)};
		struct timespec t;

		if (recvmsg(fd, &m, 0) != sizeof(sent))
			return;
		memcpy(&t, CMSG_DATA(&c.h), sizeof(t));
		if (n_late < MOST_SAMPLES)
			late_ms[n_late++] = (double)(t.tv_sec * NS_PER_S +
						     t.tv_nsec - sent) /
					    1e6;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run_stream(int seconds, const char *what, bool judged)
{
	int64_t until = clock_now().ns + seconds * NS_PER_S;
	struct err e = {""};
	int tx = -1, rx = -1;

	if (world_enter(bench.world, CLIENT, open_stream, &tx, &e) ||
	    world_enter(bench.world, SERVER, open_stream_sink, &rx, &e))
		bench_die("stream", &e);
	n_late = 0;
	bench_start_sender(send_stream, tx);
	while (clock_now().ns < until) {
		bench_pause(5 * NS_PER_MS);
		take_stream(rx);
	}
	bench_stop_sender();
	take_stream(rx);
	close(tx);
	close(rx);
	if (n_late < 1000)
		bench_die("hardly a packet of the stream arrived", NULL);
	qsort(late_ms, n_late, sizeof(*late_ms), compare);
	printf("%s\n  %.1f kpps arrived; median %.3f ms, longest %.2f ms\n"
	       "  p99.9 in ms",
	       what, (double)n_late / seconds / 1e3, late_ms[n_late / 2],
	       late_ms[n_late - 1]);
	bench_goal(late_ms[n_late * 999 / 1000], 1, true);
	printf("%s\n", judged ? "" : " for comparison");
}

static void await_sessions(double least, double most)
{
	int64_t until = clock_now().ns + 4 * LIFE_S * NS_PER_S;
	double n;

	do {
		if (clock_now().ns > until)
			bench_die("the sessions are not as many as they should "
				  "be by now",
				  NULL);
		bench_pause(20 * NS_PER_MS);
		n = udp_counter("sessions");
	} while (n < least || n > most);
}

/* Open @ENDING sessions, and look on while they end. */
static void run_ending(void)
{
	double before = udp_counter("expired"), ended;
	struct err e = {""};
	int fd = -1;

	late_ms = malloc(MOST_SAMPLES * sizeof(*late_ms));
	if (!late_ms)
		bench_die("out of memory", NULL);
	await_sessions(0, 10);
	run_stream(QUIET_S, "100 kpps, nothing else", false);
	if (world_enter(bench.world, CLIENT, open_frames, &fd, &e))
		bench_die("packet socket", &e);
	before = udp_counter("expired");
	next_flow += UINT32_C(1) << 26;
	bench_start_sender(send_frames, fd);
	await_sessions(ENDING, FLOWS);
	bench_stop_sender();
	close(fd);
	run_stream(ENDING_S, "100 kpps while 1 M sessions end", true);
	ended = udp_counter("expired") - before;
	printf("  %.2f M sessions ended meanwhile\n", ended / 1e6);
	if (ended < ENDING * 0.9)
		bench_die("sessions did not end while the stream ran", NULL);
	free(late_ms);
}

/* ---- rounds ----------------------------------------------------------------
 */

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
				if (!engines[way])
					continue;
				bench_show(round, load_names[load],
					   way_names[way]);
				rate[load][way][round] =
					load == UDP64
						? bench_run_udp(targets[way])
						: bench_run_tcp(
							  targets[way],
							  load == TCP1 ? 1 : 4,
							  engines[way])
							  .rate;
			}
		bench_show(round, "new sessions", "plat");
		run_opening(round);
	}
	bench_show(0, NULL, NULL);
}

static void print_load(enum load load)
{
	static const double of_tayga[] = {6, 6, 1.3};

	printf("%s\n", load_names[load]);
	for (int way = 0; way < N_WAYS; way++)
		if (engines[way])
			printf("  %-9s %8.2f %s\n", way_names[way],
			       bench_median(rate[load][way]) /
				       (load == UDP64 ? 1e3 : 1e9),
			       load == UDP64 ? "kpps" : "Gbit/s");
	printf("  of siit");
	bench_goal(bench_ratio(rate[load][PLAT], rate[load][SIIT]), 0.95,
		   false);
	if (engines[TAYGA]) {
		printf("\n  of tayga with masquerade");
		bench_goal(bench_ratio(rate[load][PLAT], rate[load][TAYGA]),
			   of_tayga[load], false);
	}
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
	make_frame();
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
	run_ending();
	bench_close();
	return 0;
}
