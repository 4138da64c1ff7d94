/* SPDX-License-Identifier: MIT */
#include "bench_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../score/score.h"
#include "bench_cpu.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define GRAIN_NS    (2 * NS_PER_MS)
#define WARM_NS	    (300 * NS_PER_MS)
#define UDP_PORT    7777
#define UDP_BATCH   64

struct bench bench = {
	.rounds = 5, .seconds = 2, .offloads = true, .want_tayga = true};

static struct proc *server;
static char dir[] = "/tmp/xlatsim-bench-XXXXXX";
static char run_id[5];
static pid_t sender;
static int sink = -1;

/* ---- life ------------------------------------------------------------------
 */

static int kill_sender(void)
{
	int status = 0;

	if (sender <= 0)
		return 0;
	kill(sender, SIGKILL);
	waitpid(sender, &status, 0);
	sender = 0;
	return status;
}

void bench_close(void)
{
	struct err e;

	kill_sender();
	if (sink >= 0)
		close(sink);
	world_teardown(bench.world);
	if (run_id[0])
		world_drop_run_id(run_id);
	if (file_rmtree(dir, &e))
		fprintf(stderr, "%s\n", e.text);
	loop_free(bench.loop);
	arena_free(bench.arena);
}

void bench_die(const char *what, const struct err *e)
{
	fprintf(stderr, "%s: %s%s%s\n", bench.name, what, e ? ": " : "",
		e ? e->text : "");
	bench_close();
	exit(3);
}

static int usage(void)
{
	fprintf(stderr,
		"usage: %s [--rounds N] [--seconds N] [--no-offloads]"
		" [--no-tayga]"
		" XLATD\n"
		"At least 5 rounds, so that a median means something.\n",
		bench.name);
	return 2;
}

static bool number(const char *text, int low, int high, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	*out = (int)v;
	return *text && !*end && v >= low && v <= high;
}

const char *bench_parse(const char *name, int argc, char **argv)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"no-offloads", no_argument, NULL, 'o'},
		{"no-tayga", no_argument, NULL, 't'},
		{0}};
	bool good = true;
	int c;

	bench.name = name;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'o')
			bench.offloads = false;
		else if (c == 't')
			bench.want_tayga = false;
		else if (c == 'r')
			good &= number(optarg, 5, BENCH_MAX_ROUNDS,
				       &bench.rounds);
		else
			good &= c == 's' &&
				number(optarg, 1, 60, &bench.seconds);
	}
	if (good && optind == argc - 1)
		return argv[optind];
	usage();
	return NULL;
}

/* Every wait ends, and its caller cleans up. */
static void on_signal(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_stop(bench.loop);
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
	if (fd < 0 || !loop_add_fd(bench.loop, fd, EPOLLIN, on_signal, NULL))
		bench_die("signals", NULL);
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

static int open_end(int node, const char *target)
{
	struct udp_end u = {.target = target, .fd = -1};
	struct err e = {""};

	if (world_enter(bench.world, node, open_udp, &u, &e))
		bench_die("UDP socket", &e);
	return u.fd;
}

void bench_open(void)
{
	static const char *const argv[] = {"iperf3", "-s", "--forceflush",
					   NULL};
	struct world_opts o = {.run_id = run_id, .dir = dir, .seed = 1};
	struct err e = {""};

	log_init(bench.name, LOG_WARN);
	bench.arena = arena_new();
	bench.loop = loop_new();
	o.loop = bench.loop;
	catch_signals();
	if (!mkdtemp(dir) || world_new_run_id(run_id))
		bench_die("cannot make room for a run", NULL);
	if (world_build(make_plan(bench.arena, bench.offloads), &o,
			&bench.world, &e))
		bench_die("building", &e);
	server = bench_spawn(SERVER, "iperf3-server.log", argv, NULL);
	sink = open_end(SERVER, NULL);
}

/* ---- programs --------------------------------------------------------------
 */

struct proc *bench_spawn(int node, const char *name, const char *const *argv,
			 const char *out)
{
	struct spawn s = {.node = node, .argv = argv, .log = name, .out = out};
	struct err e = {""};
	struct proc *p;

	if (world_spawn(bench.world, &s, &p, &e))
		bench_die(argv[0], &e);
	return p;
}

char *bench_output(int node, const char *const *argv)
{
	struct proc *p = bench_spawn(node, "output.log", argv, "output");
	struct err e = {""};
	char *path = arena_printf(bench.arena, "%s/output",
				  world_node_dir(bench.world, node));
	char *text;
	size_t len;

	if (proc_wait(p, mono_add(clock_now(), PATIENCE_NS)) || proc_status(p))
		bench_die(argv[0], NULL);
	proc_free(p);
	text = file_read(path, &len, &e);
	if (!text)
		bench_die(argv[0], &e);
	return text;
}

const char *bench_put(const char *name, const char *text)
{
	char *path = arena_printf(bench.arena, "%s/%s",
				  world_node_dir(bench.world, ENGINE), name);
	struct err e = {""};

	if (file_write(path, text, strlen(text), &e))
		bench_die(name, &e);
	return path;
}

static bool device_exists(void *arg)
{
	return world_iface_exists(bench.world, ENGINE, arg);
}

static int read_flags(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	ret = ioctl(fd, SIOCGIFFLAGS, arg) ? -errno : 0;
	close(fd);
	return ret;
}

static bool device_is_up(void *arg)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", (const char *)arg);
	return !world_enter(bench.world, ENGINE, read_flags, &r, NULL) &&
	       r.ifr_flags & IFF_UP;
}

static void on_look(void *arg, struct mono due)
{
	(void)due;
	loop_add_timer(bench.loop, mono_add(clock_now(), GRAIN_NS), on_look,
		       arg);
}

void bench_await(bool (*ready)(void *arg), void *arg, const char *what)
{
	static bool ticking;

	if (!ticking)
		on_look(NULL, clock_now());
	ticking = true;
	if (loop_run_until(bench.loop, ready, arg,
			   mono_add(clock_now(),
				    PATIENCE_NS + bench.seconds * NS_PER_S)))
		bench_die(what, NULL);
}

static bool is_over(void *arg)
{
	return clock_now().ns >= *(int64_t *)arg;
}

void bench_pause(int64_t ns)
{
	int64_t until = clock_now().ns + ns;

	bench_await(is_over, &until, "waiting");
}

void bench_lead(const char *dev, const char *net6, const char *net4,
		uint8_t len4)
{
	struct err e = {""};
	struct plan_route r;

	if (net6) {
		r = route(ENGINE, net6, 96, NULL, dev);
		if (world_route_add(bench.world, &r, &e))
			bench_die(dev, &e);
	}
	if (net4) {
		r = route(ENGINE, net4, len4, NULL, dev);
		if (world_route_add(bench.world, &r, &e))
			bench_die(dev, &e);
	}
}

struct proc *bench_start_xlatd(const char *program, const char *role,
			       const char *dev, const char *text)
{
	const char *file =
		bench_put(arena_printf(bench.arena, "%s.yaml", dev), text);
	const char *argv[] = {program, role, "--config", file, NULL};
	const char *log = arena_printf(bench.arena, "%s.log", dev);
	char *name = arena_printf(bench.arena, "%s", dev);
	struct proc *p = bench_spawn(ENGINE, log, argv, NULL);

	bench_await(device_is_up, name, "xlatd does not start");
	return p;
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

struct proc *bench_start_tayga(const char *text)
{
	const char *file = bench_put("tayga.conf", text);
	const char *argv[] = {"tayga", "--nodetach", "-c", file, NULL};
	struct err e = {""};
	struct proc *p;

	if (!bench.want_tayga || access("/usr/sbin/tayga", X_OK))
		return NULL;
	p = bench_spawn(ENGINE, "tayga.log", argv, NULL);
	bench_await(device_exists, (char[]){"tayga0"}, "tayga does not start");
	if (world_enter(bench.world, ENGINE, raise_tayga, NULL, &e))
		bench_die("tayga0", &e);
	return p;
}

/* ---- loads -----------------------------------------------------------------
 */

static int64_t standing_ns(const struct proc *engine)
{
	return proc_cpu_ns(server) + softirq_ns() +
	       (engine ? proc_cpu_ns(engine) : 0);
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

struct bench_tcp bench_run_tcp(const char *target, int streams, bool down,
			       const struct proc *engine)
{
	char time[16], n[16], out[256];
	const char *argv[] = {"iperf3", "-c",	 target, "-6",
			      "-t",	time,	 "-P",	 n,
			      "-C",	"cubic", "-J",	 down ? "-R" : NULL,
			      NULL};
	int64_t cpu = standing_ns(engine);
	struct proc *client;
	struct bench_tcp s;
	double bytes;

	snprintf(time, sizeof(time), "%d", bench.seconds);
	snprintf(n, sizeof(n), "%d", streams);
	snprintf(out, sizeof(out), "%s/iperf3.json",
		 world_node_dir(bench.world, CLIENT));
	client = bench_spawn(CLIENT, "iperf3.log", argv, "iperf3.json");
	if (proc_wait(client,
		      mono_add(clock_now(), (bench.seconds + 20) * NS_PER_S)))
		bench_die("iperf3 did not end by itself", NULL);
	cpu = standing_ns(engine) - cpu + proc_cpu_ns(client);
	proc_free(client);
	s.rate = bits_received(out, &bytes);
	if (!(s.rate > 0))
		bench_die("iperf3 measured nothing", NULL);
	s.cpu_per_gb = (double)cpu / 1e9 / (bytes / 1e9);
	return s;
}

uint64_t bench_server_packets(void)
{
	struct iface_stats s;
	struct err e = {""};

	if (world_iface_stats(bench.world, SERVER, "engine", &s, &e))
		bench_die("counters", &e);
	return s.rx_pkts;
}

void bench_start_sender(void (*send)(int fd), int fd)
{
	cpu_set_t one;

	sender = fork();
	if (sender)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	send(fd);
}

void bench_stop_sender(void)
{
	if (!WIFSIGNALED(kill_sender()))
		bench_die("the sender gave up", NULL);
}

double bench_run_sender(void (*send)(int fd), int fd)
{
	uint64_t first, sent;
	int64_t start, took;

	bench_start_sender(send, fd);
	bench_pause(WARM_NS); /* neighbours, warm caches */
	first = bench_server_packets();
	start = clock_now().ns;
	bench_pause(bench.seconds * NS_PER_S);
	sent = bench_server_packets() - first;
	took = clock_now().ns - start;
	bench_stop_sender();
	return (double)sent / ((double)took / 1e9);
}

/* Until it is killed. */
static _Noreturn void blast(int fd)
{
	static char payload[64];
	struct iovec v = {payload, sizeof(payload)};
	struct mmsghdr m[UDP_BATCH];

	for (int i = 0; i < UDP_BATCH; i++)
		m[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
	for (;;)
		if (sendmmsg(fd, m, UDP_BATCH, 0) < 0 && errno != ENOBUFS &&
		    errno != ECONNREFUSED)
			_exit(1);
}

double bench_run_udp(const char *target)
{
	int fd = open_end(CLIENT, target);
	double rate = bench_run_sender(blast, fd);

	close(fd);
	return rate;
}

/* ---- results ---------------------------------------------------------------
 */

void bench_goal(double value, double want, bool at_most)
{
	bool met = at_most ? value <= want : value >= want;

	printf("  %5.2f (goal %s %.4g: %s)", value, at_most ? "<=" : ">=", want,
	       met ? "met" : "NOT met");
}

double bench_median(const double *v)
{
	return stats_median(v, (size_t)bench.rounds);
}

double bench_ratio(const double *a, const double *b)
{
	double v[BENCH_MAX_ROUNDS];

	for (int i = 0; i < bench.rounds; i++)
		v[i] = a[i] / b[i];
	return stats_median(v, (size_t)bench.rounds);
}

void bench_show(int round, const char *what, const char *way)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (what)
		fprintf(stderr, "\rround %d of %d, %-14s %s ", round + 1,
			bench.rounds, what, way);
	else
		fprintf(stderr, "\r%60s\r", "");
}
