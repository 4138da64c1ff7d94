/* SPDX-License-Identifier: MIT */
/*
 * What happens in a world while it lives, and what is left when its maker is
 * killed.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../../xlat/base/rng.h"
#include "world_fixture.h"

static struct fixture f;

static void setup(void)
{
	fixture_init(&f);
	fixture_build(&f);
}

static void teardown(void)
{
	char id[5];

	memcpy(id, f.id, 5);
	fixture_fini(&f);
	ck_assert_str_eq(fixture_trace(id), "");
}

static struct mono patience(void)
{
	return mono_add(clock_now(), PATIENCE_NS);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* ---- processes -------------------------------------------------------------
 */

static int exits;

static void count_exit(void *arg, struct proc *p, int wstatus)
{
	ck_assert_ptr_eq(arg, &exits);
	ck_assert(!proc_running(p));
	ck_assert_int_eq(proc_status(p), wstatus);
	exits++;
}

static struct proc *start(int node, const char *const *argv)
{
	struct spawn s = {.node = node,
			  .argv = argv,
			  .log = "log",
			  .on_exit = count_exit,
			  .arg = &exits};
	struct err e = {""};
	struct proc *p;

	ck_assert_msg(!world_spawn(f.world, &s, &p, &e), "%s", e.text);
	ck_assert_int_eq(proc_status(p), -1);
	return p;
}

#define START(node, ...) start(node, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(test_exit_status)
{
	struct proc *p = START(LEFT, "sh", "-c", "exit 3");
	char text[64];

	exits = 0;
	ck_assert_int_eq(proc_wait(p, patience()), 0);
	ck_assert_int_eq(WEXITSTATUS(proc_status(p)), 3);
	ck_assert_str_eq(proc_describe_end(p, text, sizeof(text)),
			 "exited with status 3");
	ck_assert_int_eq(exits, 1);
	ck_assert_int_eq(proc_signal(p, SIGTERM), -ESRCH);
	proc_free(p);
	p = START(-1, "sh", "-c", "kill -9 $$");
	ck_assert_int_eq(proc_wait(p, patience()), 0);
	ck_assert_str_eq(proc_describe_end(p, text, sizeof(text)),
			 "killed by signal 9");
	proc_free(p);
}
END_TEST

START_TEST(test_log_and_out)
{
	struct spawn s = {
		.node = RIGHT,
		.argv = (const char *const[]){"sh", "-c",
					      "echo to-out; echo to-log >&2",
					      NULL},
		.log = "both.log",
		.out = "only.out"};
	struct err e = {""};
	char path[256];
	char *text;
	struct proc *p;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(world_spawn(f.world, &s, &p, &e), 0);
		ck_assert_int_eq(proc_wait(p, patience()), 0);
		proc_free(p);
	}
	snprintf(path, sizeof(path), "%s/nodes/right/only.out", f.dir);
	text = file_read(path, NULL, &e);
	ck_assert_str_eq(text, "to-out\n");
	free(text);
	snprintf(path, sizeof(path), "%s/nodes/right/both.log", f.dir);
	text = file_read(path, NULL, &e);
	ck_assert_str_eq(text, "to-log\nto-log\n");
	free(text);
}
END_TEST

START_TEST(test_spawn_errors)
{
	struct spawn s = {
		.node = LEFT,
		.argv = (const char *const[]){"no-such-program", NULL},
		.log = "log"};
	struct proc *p;
	struct err e = {""};

	ck_assert_int_eq(world_spawn(f.world, &s, &p, &e), -ENOENT);
	assert_has(e.text, "'no-such-program' is not installed");
	assert_has(e.text, "node left");
	ck_assert_ptr_null(p);
	s.argv = (const char *const[]){"/etc/passwd", NULL};
	ck_assert_int_eq(world_spawn(f.world, &s, &p, &e), -EACCES);
	assert_has(e.text, "/etc/passwd");
	s.argv = (const char *const[]){"true", NULL};
	s.log = "no/such/directory";
	ck_assert_int_eq(world_spawn(f.world, &s, &p, &e), -ENOENT);
	assert_has(e.text, "no/such/directory");
}
END_TEST

/* A program starts with nothing of ours: descriptors, masks, group. */
START_TEST(test_clean_start)
{
	char *text;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_ge(open("/dev/null", O_RDONLY), 0); /* leaks on exec */
	text = OUTPUT(&f, LEFT, "sh", "-c", "echo /proc/self/fd/*");
	ck_assert_str_eq(text, "/proc/self/fd/0 /proc/self/fd/1 "
			       "/proc/self/fd/2 /proc/self/fd/3\n");
	free(text);
	text = OUTPUT(&f, LEFT, "grep", "-E", "^Sig(Blk|Ign)",
		      "/proc/self/status");
	ck_assert_str_eq(text, "SigBlk:\t0000000000000000\n"
			       "SigIgn:\t0000000000000000\n");
	free(text);
}
END_TEST

START_TEST(test_stop)
{
	struct proc *p = START(LEFT, "sleep", "1000");
	char text[64];
	siginfo_t si;

	proc_stop(p, PATIENCE_NS);
	ck_assert_str_eq(proc_describe_end(p, text, sizeof(text)),
			 "killed by signal 15");
	proc_free(p);
	/* it stops itself once it ignores SIGTERM */
	p = START(LEFT, "sh", "-c",
		  "trap '' TERM; kill -STOP $$; exec sleep 1000");
	ck_assert_int_eq(waitid(P_PID, (id_t)proc_pid(p), &si, WSTOPPED), 0);
	ck_assert_int_eq(si.si_code, CLD_STOPPED);
	proc_stop(p, 0);
	ck_assert_str_eq(proc_describe_end(p, text, sizeof(text)),
			 "killed by signal 9");
	proc_free(p);
	/* interrupted: it is stopped all the same, and has its grace */
	p = START(LEFT, "sleep", "1000");
	loop_stop(f.loop);
	ck_assert_int_eq(proc_wait(p, patience()), -EINTR);
	proc_stop(p, PATIENCE_NS);
	ck_assert_str_eq(proc_describe_end(p, text, sizeof(text)),
			 "killed by signal 15");
	loop_resume(f.loop);
	proc_free(p);
	p = START(LEFT, "sleep", "1000");
	ck_assert_int_eq(proc_wait(p, clock_now()), -ETIMEDOUT);
	proc_free(p);
}
END_TEST

START_TEST(test_cpu_time)
{
	struct proc *p = START(LEFT, "sh", "-c",
			       "i=0; while [ $i -lt 200000 ]; do "
			       "i=$((i+1)); done");
	int64_t while_running, after;

	loop_run_until(f.loop, never, NULL,
		       mono_add(clock_now(), 30 * NS_PER_MS));
	while_running = proc_cpu_ns(p);
	ck_assert_int_gt(while_running, 0);
	ck_assert_int_eq(proc_wait(p, patience()), 0);
	after = proc_cpu_ns(p);
	/* microseconds after the end */
	ck_assert_int_ge(after, while_running - 1000);
	ck_assert_int_lt(after, PATIENCE_NS);
	proc_free(p);
}
END_TEST

/* Whoever runs in a node with a quota has no more than that, all together. */
START_TEST(test_cpu_quota)
{
	struct proc *p[2];
	int64_t began, passed, used;

	if (!f.plan->nodes[FAR].cpu) {
		fputs("SKIP: no cgroup with the cpu controller\n", stderr);
		return;
	}
	for (int i = 0; i < 2; i++)
		p[i] = START(FAR, "sh", "-c", "while :; do :; done");
	began = clock_now().ns;
	loop_run_until(f.loop, never, NULL, mono_add(clock_now(), NS_PER_S));
	passed = clock_now().ns - began;
	used = proc_cpu_ns(p[0]) + proc_cpu_ns(p[1]);
	ck_assert_int_lt(used, passed * 3 / 10);
	ck_assert_int_gt(used, passed / 50);
	for (int i = 0; i < 2; i++)
		proc_free(p[i]);
}
END_TEST

/* ---- links and nodes -------------------------------------------------------
 */

START_TEST(test_link_down_up)
{
	struct err e = {""};
	char *text;

	ck_assert_int_eq(world_link_set(f.world, LEFT_MID, false, &e), 0);
	ck_assert(!fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 50));
	text = OUTPUT(&f, MID, "ip", "route");
	assert_has_not(text, "10.9.0.0/16");
	free(text);
	ck_assert_int_eq(world_link_set(f.world, LEFT_MID, true, &e), 0);
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "2001:db8:2::2", 5000));
	text = OUTPUT(&f, MID, "ip", "route");
	assert_has(text, "10.9.0.0/16");
	free(text);
	/* again: nothing is there twice, nothing fails */
	ck_assert_int_eq(world_link_set(f.world, LEFT_MID, true, &e), 0);
}
END_TEST

static uint64_t tx_pkts(int node, const char *iface)
{
	struct iface_stats s;
	struct err e = {""};

	ck_assert_msg(!world_iface_stats(f.world, node, iface, &s, &e), "%s",
		      e.text);
	return s.tx_pkts;
}

static void hole(int link, bool down, bool up)
{
	struct err e = {""};

	/* twice: the same again is no error */
	for (int i = 0; i < 2; i++)
		ck_assert_msg(!world_link_hole(f.world, link, down, up, &e),
			      "%s", e.text);
}

/* Carrier stays, nothing passes; what goes the other way arrives. */
START_TEST(test_black_hole)
{
	uint64_t sent;
	char *text;

	ck_assert(fixture_reaches(&f, LEFT, MID, "192.0.2.2", 5000));
	ck_assert(fixture_reaches(&f, MID, LEFT, "192.0.2.1", 5000));
	/* a hole takes neighbour discovery too: what is known stays known */
	free(OUTPUT(&f, LEFT, "ip", "neigh", "change", "192.0.2.2", "dev",
		    "mid", "nud", "permanent"));
	free(OUTPUT(&f, MID, "ip", "neigh", "change", "192.0.2.1", "dev",
		    "left", "nud", "permanent"));
	hole(LEFT_MID, true, true);
	text = OUTPUT(&f, LEFT, "ip", "-o", "link", "show", "mid");
	assert_has(text, "LOWER_UP");
	free(text);
	sent = tx_pkts(LEFT, "mid");
	ck_assert(!fixture_reaches(&f, LEFT, MID, "192.0.2.2", 50));
	ck_assert(!fixture_reaches(&f, LEFT, MID, "2001:db8:1::2", 50));
	ck_assert_uint_gt(tx_pkts(LEFT, "mid"), sent);
	/* only down: towards left, the end that is nearer to the homes */
	hole(LEFT_MID, true, false);
	ck_assert(fixture_reaches(&f, LEFT, MID, "192.0.2.2", 5000));
	sent = tx_pkts(MID, "left");
	ck_assert(!fixture_reaches(&f, MID, LEFT, "192.0.2.1", 50));
	ck_assert_uint_gt(tx_pkts(MID, "left"), sent);
	/* and only up */
	hole(LEFT_MID, false, true);
	ck_assert(!fixture_reaches(&f, LEFT, MID, "192.0.2.2", 50));
	ck_assert(fixture_reaches(&f, MID, LEFT, "192.0.2.1", 5000));
	hole(LEFT_MID, false, false);
	ck_assert(fixture_reaches(&f, LEFT, MID, "192.0.2.2", 5000));
	ck_assert(fixture_reaches(&f, LEFT, MID, "2001:db8:1::2", 5000));
	text = OUTPUT(&f, LEFT, "nft", "list", "ruleset");
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

/* A relayed link has its hole at the outer ends. */
START_TEST(test_black_hole_relayed)
{
	char *text;

	hole(LEFT_FAR, false, true);
	text = OUTPUT(&f, FAR, "nft", "list", "ruleset");
	assert_has(text, "policy drop");
	free(text);
	text = OUTPUT(&f, LEFT, "nft", "list", "ruleset");
	ck_assert_str_eq(text, "");
	free(text);
	hole(LEFT_FAR, false, false);
}
END_TEST

START_TEST(test_relayed_link)
{
	struct err e = {""};
	char *text;

	ck_assert_int_eq(world_link_set(f.world, LEFT_FAR, false, &e), 0);
	text = OUTPUT(&f, RELAY, "ip", "-o", "link");
	assert_has(text, "NO-CARRIER");
	free(text);
	text = OUTPUT(&f, FAR, "ip", "-o", "link", "show", "left");
	assert_has_not(text, ",UP");
	free(text);
	ck_assert_int_eq(world_link_set(f.world, LEFT_FAR, true, &e), 0);
	text = OUTPUT(&f, FAR, "ip", "-o", "link", "show", "left");
	assert_has(text, ",UP");
	free(text);
}
END_TEST

START_TEST(test_node_down_up)
{
	struct proc *p = START(MID, "sleep", "1000");
	struct spawn s = {.node = MID,
			  .argv = (const char *const[]){"true", NULL}};
	struct proc *none;
	struct err e = {""};
	char *text;

	exits = 0;
	/* as a routing daemon would */
	ck_assert_int_eq(RUN(&f, MID, "ip", "route", "add", "10.10.0.0/16",
			     "dev", "lo", "proto", "188"),
			 0);
	ck_assert_int_eq(world_node_down(f.world, MID, &e), 0);
	ck_assert(!world_node_alive(f.world, MID));
	ck_assert_int_eq(exits, 1);
	ck_assert(!proc_running(p));
	proc_free(p);
	ck_assert_int_eq(world_spawn(f.world, &s, &none, &e), -EHOSTDOWN);
	assert_has(e.text, "node mid is down");
	ck_assert_int_eq(world_freeze(f.world, MID, true, &e), -EHOSTDOWN);
	ck_assert_int_eq(world_node_down(f.world, MID, &e), -EALREADY);
	text = OUTPUT(&f, LEFT, "ip", "-o", "link", "show", "mid");
	assert_has(text, "NO-CARRIER");
	free(text);

	ck_assert_int_eq(world_node_up(f.world, MID, &e), 0);
	ck_assert_int_eq(world_node_up(f.world, MID, &e), -EALREADY);
	ck_assert(world_node_alive(f.world, MID));
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "2001:db8:2::2", 5000));
	text = OUTPUT(&f, MID, "ip", "route");
	assert_has(text, "10.9.0.0/16");
	assert_has_not(text, "10.10.0.0/16");
	free(text);
	text = OUTPUT(&f, MID, "cat", "/etc/hostname");
	ck_assert_str_eq(text, "mid\n");
	free(text);
}
END_TEST

/* A link that was taken down stays down when a node comes back. */
START_TEST(test_link_down_across_node_up)
{
	struct err e = {""};

	ck_assert_int_eq(world_node_down(f.world, MID, &e), 0);
	ck_assert_int_eq(world_link_set(f.world, LEFT_MID, false, &e), 0);
	ck_assert_int_eq(world_node_up(f.world, MID, &e), 0);
	ck_assert(!fixture_reaches(&f, LEFT, MID, "192.0.2.2", 50));
	ck_assert(fixture_reaches(&f, RIGHT, MID, "198.51.100.1", 5000));
	ck_assert_int_eq(world_link_set(f.world, LEFT_MID, true, &e), 0);
	ck_assert(fixture_reaches(&f, LEFT, MID, "192.0.2.2", 5000));
}
END_TEST

/* The pid, seen from here, of a node's PID 1. */
static pid_t supervisor_of(pid_t member)
{
	char path[64], want[64], have[64];
	DIR *d = opendir("/proc");
	struct dirent *de;
	pid_t first = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)member);
	n = readlink(path, want, sizeof(want));
	ck_assert_int_gt(n, 0);
	while ((de = readdir(d)) && !first) {
		snprintf(path, sizeof(path), "/proc/%d/ns/pid",
			 atoi(de->d_name));
		if (atoi(de->d_name) != member &&
		    readlink(path, have, sizeof(have)) == n &&
		    !memcmp(want, have, (size_t)n))
			first = atoi(de->d_name);
	}
	closedir(d);
	return first;
}

/* Someone kills the supervisor: the node is dead, and says so. */
START_TEST(test_supervisor_killed)
{
	struct proc *p = START(LEFT, "sleep", "1000");
	struct spawn s = {.node = LEFT,
			  .argv = (const char *const[]){"true", NULL}};
	pid_t first = supervisor_of(proc_pid(p));
	struct proc *none;
	struct err e = {""};

	ck_assert_int_gt(first, 1);
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	ck_assert_int_eq(proc_wait(p, patience()), 0);
	proc_free(p);
	/* its end is noticed once its last process has been reaped */
	ck_assert_int_eq(waitid(P_PID, (id_t)first, NULL, WEXITED | WNOWAIT),
			 0);
	ck_assert(!world_node_alive(f.world, LEFT));
	ck_assert_int_eq(world_spawn(f.world, &s, &none, &e), -EHOSTDOWN);
	assert_has(e.text, "node left is down");
}
END_TEST

/* A program can't kill the supervisor from inside. */
START_TEST(test_supervisor_immune)
{
	ck_assert_int_eq(RUN(&f, LEFT, "sh", "-c", "kill -9 1; kill -TERM 1"),
			 0);
	ck_assert(world_node_alive(f.world, LEFT));
	ck_assert_int_eq(RUN(&f, LEFT, "true"), 0);
}
END_TEST

START_TEST(test_freeze)
{
	struct proc *a = START(LEFT, "sleep", "1000");
	struct proc *b = START(LEFT, "sleep", "1000");
	struct proc *other = START(MID, "sleep", "1000");
	struct err e = {""};
	siginfo_t si;

	ck_assert_int_eq(world_freeze(f.world, LEFT, true, &e), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)proc_pid(a), &si, WSTOPPED), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)proc_pid(b), &si, WSTOPPED), 0);
	si.si_pid = 0;
	ck_assert_int_eq(
		waitid(P_PID, (id_t)proc_pid(other), &si, WSTOPPED | WNOHANG),
		0);
	ck_assert_int_eq(si.si_pid, 0);
	ck_assert_int_eq(world_freeze(f.world, LEFT, false, &e), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)proc_pid(a), &si, WCONTINUED), 0);
	ck_assert(proc_running(a));
	/* a frozen node can still be taken down */
	ck_assert_int_eq(world_freeze(f.world, LEFT, true, &e), 0);
	ck_assert_int_eq(world_node_down(f.world, LEFT, &e), 0);
	ck_assert(!proc_running(a) && !proc_running(b));
}
END_TEST

/* ---- routes ----------------------------------------------------------------
 */

struct seen {
	int n;
	struct route_news last;
	char dev[32];
};

static void see_route(void *arg, const struct route_news *n)
{
	struct seen *s = arg;

	s->n++;
	s->last = *n;
	snprintf(s->dev, sizeof(s->dev), "%s", n->dev);
}

static bool seen_one(void *arg)
{
	return ((struct seen *)arg)->n > 0;
}

START_TEST(test_watch_routes)
{
	struct plan_route r = fixture_route(MID, "2001:db8:77::", 48,
					    "2001:db8:2::2", "right");
	struct seen s = {0};
	struct mono before = clock_now();
	struct err e = {""};

	ck_assert_int_eq(world_watch_routes(f.world, MID, see_route, &s, &e),
			 0);
	ck_assert_int_eq(world_route_add(f.world, &r, &e), 0);
	ck_assert_int_eq(loop_run_until(f.loop, seen_one, &s, patience()), 0);
	ck_assert(s.last.added);
	ck_assert(addr_equal(&s.last.dst, &r.dst));
	ck_assert(addr_equal(&s.last.via, &r.via));
	ck_assert_int_eq(s.last.len, 48);
	ck_assert_str_eq(s.dev, "right");
	ck_assert_int_eq(s.last.node, MID);
	ck_assert(!mono_before(s.last.when, before));
	s.n = 0;
	ck_assert_int_eq(RUN(&f, MID, "ip", "route", "del", "2001:db8:77::/48"),
			 0);
	ck_assert_int_eq(loop_run_until(f.loop, seen_one, &s, patience()), 0);
	ck_assert(!s.last.added);
	/* what was added at run time comes back with its link, too */
	ck_assert_int_eq(world_route_add(f.world, &r, &e), 0);
	ck_assert_int_eq(world_link_set(f.world, MID_RIGHT, false, &e), 0);
	ck_assert_int_eq(world_link_set(f.world, MID_RIGHT, true, &e), 0);
	ck_assert_int_eq(world_await_route(f.world, MID, &r.dst, 48, "right",
					   patience(), &e),
			 0);
}
END_TEST

static void add_later(void *arg, struct mono due)
{
	struct err e = {""};

	(void)due;
	ck_assert_int_eq(world_route_add(f.world, arg, &e), 0);
}

START_TEST(test_await_route)
{
	struct plan_route r =
		fixture_route(MID, "10.20.0.0", 16, "198.51.100.2", "right");
	struct mono soon = mono_add(clock_now(), 20 * NS_PER_MS);
	struct err e = {""};

	/* there already */
	ck_assert_int_eq(world_await_route(f.world, MID, &f.plan->routes[5].dst,
					   16, NULL, patience(), &e),
			 0);
	ck_assert_int_eq(
		world_await_route(f.world, MID, &r.dst, 16, NULL, soon, &e),
		-ETIMEDOUT);
	assert_has(e.text, "10.20.0.0/16");
	loop_add_timer(f.loop, mono_add(clock_now(), 20 * NS_PER_MS), add_later,
		       &r);
	ck_assert_int_eq(world_await_route(f.world, MID, &r.dst, 16, "right",
					   patience(), &e),
			 0);
	/* not out of that one, and not that length */
	soon = mono_add(clock_now(), 20 * NS_PER_MS);
	ck_assert_int_eq(
		world_await_route(f.world, MID, &r.dst, 16, "left", soon, &e),
		-ETIMEDOUT);
	ck_assert_int_eq(
		world_await_route(f.world, MID, &r.dst, 17, NULL, soon, &e),
		-ETIMEDOUT);
	loop_stop(f.loop);
	ck_assert_int_eq(world_await_route(f.world, MID, &r.dst, 17, NULL,
					   patience(), &e),
			 -EINTR);
}
END_TEST

/* ---- killed ----------------------------------------------------------------
 */

struct report {
	char id[5], dir[64];
};

/* Build worlds with a process in each node until killed. */
static void __attribute__((noreturn)) build_until_killed(int fd)
{
	struct fixture g;
	struct report r;
	struct spawn s = {.argv = (const char *const[]){"sleep", "1000", NULL}};
	struct err e;
	struct proc *p;

	fixture_init(&g);
	memcpy(r.id, g.id, sizeof(r.id));
	memcpy(r.dir, g.dir, sizeof(r.dir));
	if (write(fd, &r, sizeof(r)) != sizeof(r))
		_exit(1);
	if (fixture_try(&g, &e))
		_exit(2);
	for (s.node = -1; s.node < N_NODES; s.node++)
		if (world_spawn(g.world, &s, &p, &e))
			_exit(3);
	loop_run(g.loop);
	_exit(4);
}

/* Whatever becomes of the killed one's children, it ends up here. */
static void reap_everything(pid_t killed)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) > 0)
		if (pid == killed)
			ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(test_killed)
{
	struct rng rng;
	struct err e = {""};

	rng_init(&rng, 464);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (int i = 0; i < 20; i++) {
		int64_t moment = (int64_t)rng_below(&rng, 60 * NS_PER_MS);
		struct timespec ts = {0, moment};
		struct report r;
		int fds[2];
		pid_t pid;

		ck_assert_int_eq(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			build_until_killed(fds[1]);
		close(fds[1]);
		ck_assert_int_eq(read(fds[0], &r, sizeof(r)), sizeof(r));
		close(fds[0]);
		ppoll(NULL, 0, &ts, NULL); /* the moment of death */
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		reap_everything(pid);
		ck_assert_int_ge(world_clean(false, NULL, NULL, &e), 1);
		ck_assert_str_eq(fixture_trace(r.id), "");
		ck_assert_int_eq(fixture_processes(r.dir), 0);
		ck_assert_int_eq(file_rmtree(r.dir, &e), 0);
	}
}
END_TEST

static void find_own(void *arg, const char *what)
{
	if (strstr(what, arg))
		ck_abort_msg("a live run was taken for dead: %s", what);
}

/* Live runs are left alone; a dry run touches nothing. */
START_TEST(test_clean_spares)
{
	struct err e = {""};
	struct report r;
	int fds[2], n;
	pid_t pid;

	setup();
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		build_until_killed(fds[1]);
	ck_assert_int_eq(read(fds[0], &r, sizeof(r)), sizeof(r));
	ck_assert_int_ge(world_clean(false, find_own, r.id, &e), 0);
	ck_assert_int_ge(world_clean(false, find_own, f.id, &e), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	n = world_clean(true, NULL, NULL, &e);
	ck_assert_int_ge(n, 1);
	ck_assert_str_ne(fixture_trace(r.id), "");
	ck_assert_int_ge(world_clean(false, find_own, f.id, &e), 1);
	ck_assert_str_eq(fixture_trace(r.id), "");
	ck_assert_int_eq(file_rmtree(r.dir, &e), 0);
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	teardown();
}
END_TEST

/* Someone has a shell in a namespace of a run that was killed. */
START_TEST(test_clean_kills)
{
	struct err e = {""};
	struct report r;
	char path[64];
	int fds[2], ns, status;
	pid_t maker, guest;

	ck_assert_int_eq(pipe(fds), 0);
	maker = fork();
	if (maker == 0) {
		fixture_init(&f);
		memcpy(r.id, f.id, sizeof(r.id));
		memcpy(r.dir, f.dir, sizeof(r.dir));
		fixture_build(&f);
		_exit(write(fds[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
	}
	ck_assert_int_eq(read(fds[0], &r, sizeof(r)), sizeof(r));
	snprintf(path, sizeof(path), "/run/netns/xs-%s-left", r.id);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(ns, 0);
	guest = fork();
	if (guest == 0) {
		if (setns(ns, CLONE_NEWNET))
			_exit(1);
		raise(SIGSTOP);
		pause();
	}
	ck_assert_int_eq(waitpid(guest, &status, WUNTRACED), guest);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(waitpid(maker, &status, 0), maker);
	ck_assert_int_ge(world_clean(false, NULL, NULL, &e), 2);
	ck_assert_int_eq(waitpid(guest, &status, 0), guest);
	ck_assert(WIFSIGNALED(status));
	ck_assert_str_eq(fixture_trace(r.id), "");
	ck_assert_int_eq(file_rmtree(r.dir, &e), 0);
	close(ns);
}
END_TEST

/* ---- hosts that are not like this one --------------------------------------
 */

/* In a mount namespace of our own /etc has a changed resolv.conf. */
static void with_etc(const char *link_to)
{
	char *text;

	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", "/mnt", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(mkdir("/mnt/u", 0755) | mkdir("/mnt/w", 0755), 0);
	ck_assert_int_eq(mount("overlay", "/etc", "overlay", 0,
			       "lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w"),
			 0);
	ck_assert_int_eq(unlink("/etc/resolv.conf"), 0);
	if (link_to)
		ck_assert_int_eq(symlink(link_to, "/etc/resolv.conf"), 0);
	setup();
	text = OUTPUT(&f, LEFT, "cat", "/etc/resolv.conf");
	ck_assert_str_eq(text, "nameserver 198.51.100.2\n");
	free(text);
	text = OUTPUT(&f, LEFT, "cat", "/etc/hostname", "/etc/passwd");
	assert_has(text, "left\nroot:");
	free(text);
	/* and nothing was made on the host */
	ck_assert_int_ne(access("/etc/resolv.conf", F_OK), 0);
	teardown();
}

START_TEST(test_resolv_conf_missing)
{
	with_etc(NULL);
}
END_TEST

START_TEST(test_resolv_conf_in_run)
{
	with_etc("../run/systemd/resolve/stub-resolv.conf");
}
END_TEST

START_TEST(test_resolv_conf_dangling)
{
	with_etc("/nowhere/resolv.conf");
}
END_TEST

static TCase *life_tests(void)
{
	TCase *t = tcase_create("life");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_exit_status);
	tcase_add_test(t, test_log_and_out);
	tcase_add_test(t, test_spawn_errors);
	tcase_add_test(t, test_clean_start);
	tcase_add_test(t, test_stop);
	tcase_add_test(t, test_cpu_time);
	tcase_add_test(t, test_cpu_quota);
	tcase_add_test(t, test_link_down_up);
	tcase_add_test(t, test_black_hole);
	tcase_add_test(t, test_black_hole_relayed);
	tcase_add_test(t, test_relayed_link);
	tcase_add_test(t, test_node_down_up);
	tcase_add_test(t, test_link_down_across_node_up);
	tcase_add_test(t, test_supervisor_killed);
	tcase_add_test(t, test_supervisor_immune);
	tcase_add_test(t, test_freeze);
	tcase_add_test(t, test_watch_routes);
	tcase_add_test(t, test_await_route);
	return t;
}

static TCase *other_tests(void)
{
	TCase *t = tcase_create("other");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_killed);
	tcase_add_test(t, test_clean_spares);
	tcase_add_test(t, test_clean_kills);
	tcase_add_test(t, test_resolv_conf_missing);
	tcase_add_test(t, test_resolv_conf_in_run);
	tcase_add_test(t, test_resolv_conf_dangling);
	return t;
}

int main(void)
{
	const char *why = fixture_skip();
	Suite *s = suite_create("world_life");
	SRunner *r = srunner_create(s);
	int failed;

	if (why) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	log_init("check_world_life", LOG_WARN);
	suite_add_tcase(s, life_tests());
	suite_add_tcase(s, other_tests());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
