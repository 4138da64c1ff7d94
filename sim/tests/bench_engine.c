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
 *	2001:db8:65::198.51.100.2	tayga, on its TUN device
 *
 * Rounds are interleaved and each ratio compares neighbours in time; what is
 * printed is the median of the ratios. CPU is what sender, receiver, engine
 * and the kernel's own softirq threads used, by their own accounts; softirq
 * work that runs in somebody else's time is not in it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../score/score.h"
#include "../world/world.h"
#include "bench_cpu.h"
#include "bench_world.h"

enum way { PLAIN, XLATD, TAYGA, N_WAYS };
enum load { TCP1, TCP4, UDP64, N_LOADS };

#define MAX_ROUNDS  51
#define PATIENCE_NS (10 * NS_PER_S)
#define UDP_PORT    7777
#define UDP_BATCH   64
#define GRAIN_NS    (2 * NS_PER_MS)

static const char *const way_names[] = {"plain", "xlatd", "tayga"};
static const char *const load_names[] = {"1 TCP stream", "4 TCP streams",
					 "UDP 64 B"};
static const char *const targets[] = {"2001:db8:2::2",
				      "2001:db8:64::198.51.100.2",
				      "2001:db8:65::198.51.100.2"};

struct sample {
	double rate;	   /* bit/s, or packets/s */
	double cpu_per_gb; /* s; NAN for UDP */
};

static struct arena *arena;
static struct loop *loop;
static struct world *world;
static struct proc *engines[N_WAYS], *server;
static struct sample samples[N_LOADS][N_WAYS][MAX_ROUNDS];
static int rounds = 5, seconds = 2;
static bool offloads = true, want_tayga = true;
static char dir[] = "/tmp/bench-engine-XXXXXX";
static char run_id[5];
static pid_t blaster;

static void stop_blaster(int *status)
{
	if (blaster <= 0)
		return;
	kill(blaster, SIGKILL);
	waitpid(blaster, status, 0);
	blaster = 0;
}

static void clean_up(void)
{
	struct err e;
	int status;

	stop_blaster(&status);
	world_teardown(world);
	if (run_id[0])
		world_drop_run_id(run_id);
	if (file_rmtree(dir, &e))
		fprintf(stderr, "%s\n", e.text);
	loop_free(loop);
	arena_free(arena);
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "bench-engine: %s%s%s\n", what, e ? ": " : "",
		e ? e->text : "");
	clean_up();
	exit(3);
}

/* ---- the world -------------------------------------------------------------
 */

/* Every wait ends, and its caller cleans up. */
static void on_signal(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_stop(loop);
}

static void catch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || !loop_add_fd(loop, fd, EPOLLIN, on_signal, NULL))
		die("signals", NULL);
}

static void build_world(void)
{
	struct world_opts o = {.run_id = run_id, .dir = dir, .seed = 1};
	struct err e = {""};

	arena = arena_new();
	loop = loop_new();
	o.loop = loop;
	catch_signals();
	if (!mkdtemp(dir) || world_new_run_id(run_id))
		die("cannot make room for a run", NULL);
	if (world_build(make_plan(arena, offloads), &o, &world, &e))
		die("building", &e);
}

/* ---- engines ---------------------------------------------------------------
 */

static struct proc *spawn(int node, const char *name, const char *const *argv,
			  const char *out)
{
	struct spawn s = {.node = node, .argv = argv, .log = name, .out = out};
	struct err e = {""};
	struct proc *p;

	if (world_spawn(world, &s, &p, &e))
		die(argv[0], &e);
	return p;
}

static const char *put_file(const char *name, const char *text)
{
	char *path = arena_printf(arena, "%s/%s", world_node_dir(world, ENGINE),
				  name);
	struct err e = {""};

	if (file_write(path, text, strlen(text), &e))
		die(name, &e);
	return path;
}

static bool device_exists(void *arg)
{
	return world_iface_exists(world, ENGINE, arg);
}

static void on_look(void *arg, struct mono due)
{
	(void)due;
	loop_add_timer(loop, mono_add(clock_now(), GRAIN_NS), on_look, arg);
}

/* Until @ready, or the end of patience. */
static void await(bool (*ready)(void *arg), void *arg, const char *what)
{
	static bool ticking;

	if (!ticking)
		on_look(NULL, clock_now());
	ticking = true;
	if (loop_run_until(loop, ready, arg,
			   mono_add(clock_now(), PATIENCE_NS)))
		die(what, NULL);
}

/* MTU and queue as xlatd's device has them. */
static int raise_tayga(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;
	struct ifreq r = {.ifr_name = "tayga0"};

	(void)arg;
	r.ifr_qlen = 1000;
	ret |= ioctl(fd, SIOCSIFTXQLEN, &r);
	r.ifr_mtu = 1500;
	ret |= ioctl(fd, SIOCSIFMTU, &r);
	ret |= ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	ret |= ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return ret ? -errno : 0;
}

static void lead_to(const char *dev, const char *pref64, const char *client4)
{
	struct plan_route r6 = route(ENGINE, pref64, 96, NULL, dev);
	struct plan_route r4 = route(ENGINE, client4, 32, NULL, dev);
	struct err e = {""};

	if (world_route_add(world, &r6, &e) || world_route_add(world, &r4, &e))
		die(dev, &e);
}

static void start_xlatd(const char *program)
{
	const char *file = put_file(
		"xlatd.yaml", "tun: {name: xlatd0}\npref64: 2001:db8:64::/96\n"
			      "eam: [{ipv4: 10.0.0.2, ipv6: \"2001:db8:1::2\"}]"
			      "\nlowest-ipv6-mtu: 1500\n");
	const char *argv[] = {program, "siit", "--config", file, NULL};

	engines[XLATD] = spawn(ENGINE, "xlatd.log", argv, NULL);
	await(device_exists, (char[]){"xlatd0"}, "xlatd does not start");
	lead_to("xlatd0", "2001:db8:64::", "10.0.0.2");
}

static bool start_tayga(void)
{
	const char *file =
		put_file("tayga.conf",
			 "tun-device tayga0\nipv4-addr 10.1.0.254\n"
			 "ipv6-addr 2001:db8:ff::254\nprefix 2001:db8:65::/96\n"
			 "map 10.1.0.2 2001:db8:1::2\n");
	const char *argv[] = {"tayga", "--nodetach", "-c", file, NULL};
	struct err e = {""};

	if (access("/usr/sbin/tayga", X_OK))
		return false;
	engines[TAYGA] = spawn(ENGINE, "tayga.log", argv, NULL);
	await(device_exists, (char[]){"tayga0"}, "tayga does not start");
	if (world_enter(world, ENGINE, raise_tayga, NULL, &e))
		die("tayga0", &e);
	lead_to("tayga0", "2001:db8:65::", "10.1.0.2");
	return true;
}

/* ---- CPU -------------------------------------------------------------------
 */

static int64_t standing_ns(enum way way)
{
	return proc_cpu_ns(server) + softirq_ns() +
	       (engines[way] ? proc_cpu_ns(engines[way]) : 0);
}

/* ---- loads -----------------------------------------------------------------
 */

static void start_server(void)
{
	static const char *const argv[] = {"iperf3", "-s", "--forceflush",
					   NULL};

	server = spawn(SERVER, "iperf3-server.log", argv, NULL);
}

static double bits_received(const char *file, double *bytes)
{
	json_t *o = json_load_file(file, 0, NULL);
	json_t *sum =
		json_object_get(json_object_get(o, "end"), "sum_received");
	double rate =
		json_number_value(json_object_get(sum, "bits_per_second"));

	*bytes = json_number_value(json_object_get(sum, "bytes"));
	json_decref(o);
	return rate;
}

static struct sample run_tcp(enum way way, int streams)
{
	char time[16], n[16], out[256];
	const char *argv[] = {"iperf3", "-c",	 targets[way], "-6",
			      "-t",	time,	 "-P",	       n,
			      "-C",	"cubic", "-J",	       NULL};
	int64_t cpu = standing_ns(way);
	struct proc *client;
	struct sample s;
	double bytes;

	snprintf(time, sizeof(time), "%d", seconds);
	snprintf(n, sizeof(n), "%d", streams);
	snprintf(out, sizeof(out), "%s/iperf3.json",
		 world_node_dir(world, CLIENT));
	client = spawn(CLIENT, "iperf3.log", argv, "iperf3.json");
	if (proc_wait(client, mono_add(clock_now(), (seconds + 20) * NS_PER_S)))
		die("iperf3 did not end by itself", NULL);
	cpu = standing_ns(way) - cpu + proc_cpu_ns(client);
	proc_free(client);
	s.rate = bits_received(out, &bytes);
	if (!(s.rate > 0))
		die("iperf3 measured nothing", NULL);
	s.cpu_per_gb = (double)cpu / 1e9 / (bytes / 1e9);
	return s;
}

struct udp_end {
	const char *target; /* NULL: receive */
	int fd;
};

static int open_udp(void *arg)
{
	struct udp_end *u = arg;
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(UDP_PORT)};
	int small = 1;

	u->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (u->fd < 0)
		return -errno;
	if (!u->target) {
		/* full at once: the rest is counted and dropped in softirq */
		setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		return bind(u->fd, (struct sockaddr *)&a, sizeof(a)) ? -errno
								     : 0;
	}
	inet_pton(AF_INET6, u->target, &a.sin6_addr);
	return connect(u->fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

/* In a process of its own, on the first core, until it is killed. */
static _Noreturn void blast(int fd)
{
	static char payload[64];
	struct iovec v = {payload, sizeof(payload)};
	struct mmsghdr m[UDP_BATCH];
	cpu_set_t one;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (int i = 0; i < UDP_BATCH; i++)
		m[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
	for (;;)
		if (sendmmsg(fd, m, UDP_BATCH, 0) < 0 && errno != ENOBUFS &&
		    errno != ECONNREFUSED)
			_exit(1);
}

static uint64_t server_packets(void)
{
	struct iface_stats s;
	struct err e = {""};

	if (world_iface_stats(world, SERVER, "engine", &s, &e))
		die("counters", &e);
	return s.rx_pkts;
}

static bool is_over(void *arg)
{
	return clock_now().ns >= *(int64_t *)arg;
}

static struct sample run_udp(enum way way)
{
	struct udp_end tx = {.target = targets[way], .fd = -1};
	struct err e = {""};
	int64_t start, until;
	uint64_t first;
	struct sample s;
	int status = 0;

	if (world_enter(world, CLIENT, open_udp, &tx, &e))
		die("UDP socket", &e);
	blaster = fork();
	if (!blaster)
		blast(tx.fd);
	close(tx.fd);
	until = clock_now().ns + 300 * NS_PER_MS; /* neighbours, warm caches */
	await(is_over, &until, "waiting");
	first = server_packets();
	start = clock_now().ns;
	until = start + seconds * NS_PER_S;
	if (loop_run_until(loop, is_over, &until,
			   mono_add(clock_now(), (seconds + 5) * NS_PER_S)))
		die("measuring", NULL);
	s.rate = (double)(server_packets() - first) /
		 ((double)(clock_now().ns - start) / 1e9);
	s.cpu_per_gb = NAN;
	stop_blaster(&status);
	if (!WIFSIGNALED(status))
		die("the UDP sender gave up", NULL);
	return s;
}

static struct sample run_load(enum load load, enum way way)
{
	switch (load) {
	case TCP1:
		return run_tcp(way, 1);
	case TCP4:
		return run_tcp(way, 4);
	case UDP64:
	case N_LOADS:
		break;
	}
	return run_udp(way);
}

/* ---- results ---------------------------------------------------------------
 */

static double median_of(enum load load, enum way way, bool cpu)
{
	double v[MAX_ROUNDS];

	for (int i = 0; i < rounds; i++)
		v[i] = cpu ? samples[load][way][i].cpu_per_gb
			   : samples[load][way][i].rate;
	return stats_median(v, (size_t)rounds);
}

/* Median of the rounds' own ratios. */
static double ratio(enum load load, enum way a, enum way b, bool cpu)
{
	double v[MAX_ROUNDS];

	for (int i = 0; i < rounds; i++) {
		const struct sample *x = &samples[load][a][i];
		const struct sample *y = &samples[load][b][i];

		v[i] = cpu ? x->cpu_per_gb / y->cpu_per_gb : x->rate / y->rate;
	}
	return stats_median(v, (size_t)rounds);
}

static void goal(double value, double want, bool at_most)
{
	bool met = at_most ? value <= want : value >= want;

	printf("  %5.2f (goal %s %.1f: %s)", value, at_most ? "<=" : ">=", want,
	       met ? "met" : "NOT met");
}

static void print_load(enum load load, bool with_tayga)
{
	static const double of_plain[] = {0.8, 0.4, 0.6};
	static const double of_tayga[] = {6, 8, 1.2};

	printf("%s\n", load_names[load]);
	for (int way = 0; way < (with_tayga ? N_WAYS : TAYGA); way++) {
		double rate = median_of(load, (enum way)way, false);

		printf("  %-6s %8.2f %s", way_names[way],
		       load == UDP64 ? rate / 1e3 : rate / 1e9,
		       load == UDP64 ? "kpps" : "Gbit/s");
		if (load != UDP64)
			printf("  %.2f CPU s/GB",
			       median_of(load, (enum way)way, true));
		printf("\n");
	}
	printf("  of plain");
	goal(ratio(load, XLATD, PLAIN, false), of_plain[load], false);
	if (with_tayga) {
		printf("\n  of tayga");
		goal(ratio(load, XLATD, TAYGA, false), of_tayga[load], false);
	}
	if (load != UDP64) {
		printf("\n  CPU of plain");
		goal(ratio(load, XLATD, PLAIN, true), 2.5, true);
	}
	printf("\n");
}

/* On a terminal, what is being measured. */
static void show(int round, enum load load, enum way way)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rround %d of %d, %-14s %s ", round + 1,
			rounds, load_names[load], way_names[way]);
}

static void measure(bool with_tayga)
{
	for (int round = 0; round < rounds; round++)
		for (int load = 0; load < N_LOADS; load++)
			for (int way = 0; way < N_WAYS; way++) {
				if (way == TAYGA && !with_tayga)
					continue;
				show(round, (enum load)load, (enum way)way);
				samples[load][way][round] = run_load(
					(enum load)load, (enum way)way);
			}
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%60s\r", "");
}

static int usage(void)
{
	fprintf(stderr,
		"usage: bench_engine [--rounds N] [--seconds N] [--no-offloads]"
		" [--no-tayga]"
		" XLATD\n"
		"At least 5 rounds, so that a median means something.\n");
	return 2;
}

static bool number(const char *text, int low, int high, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	*out = (int)v;
	return *text && !*end && v >= low && v <= high;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"no-offloads", no_argument, NULL, 'o'},
		{"no-tayga", no_argument, NULL, 't'},
		{0}};
	struct udp_end rx = {.fd = -1};
	struct err e = {""};
	bool with_tayga;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o')
			offloads = false;
		else if (c == 't')
			want_tayga = false;
		else if (c == 'r'
				 ? !number(optarg, 5, MAX_ROUNDS, &rounds)
				 : c != 's' || !number(optarg, 1, 60, &seconds))
			return usage();
	}
	if (optind != argc - 1)
		return usage();
	if (geteuid() != 0) {
		printf("SKIP: namespaces need root\n");
		return 77;
	}
	log_init("bench-engine", LOG_WARN);
	build_world();
	start_xlatd(argv[optind]);
	with_tayga = want_tayga && start_tayga();
	start_server();
	if (world_enter(world, SERVER, open_udp, &rx, &e))
		die("UDP socket", &e);
	measure(with_tayga);
	printf("%d interleaved rounds of %d s, median; offloads %s\n", rounds,
	       seconds, offloads ? "as veth has them" : "off, GRO on");
	if (want_tayga && !with_tayga)
		printf("tayga is not installed: no comparison with it\n");
	for (int load = 0; load < N_LOADS; load++)
		print_load((enum load)load, with_tayga);
	close(rx.fd);
	clean_up();
	return 0;
}
