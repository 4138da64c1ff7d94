/* SPDX-License-Identifier: MIT */
/*
 * Both sides of a stream as processes, over the loopback interface of a network
 * namespace of their own: nothing is lost, and an outage of known length is
 * measured as such.
 */
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"
#include "../../xlat/base/file.h"
#include "../probe/probe_internal.h"
#include "../probe/stream_internal.h"

static char dir[64];

static void set_loopback(bool up)
{
	struct ifreq req = {.ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	set_loopback(true);
	strcpy(dir, "/tmp/check_stream.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	struct err e;

	file_rmtree(dir, &e);
}

static const char *at(const char *name)
{
	static char paths[4][128];
	static int next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static pid_t start(const char *side, const char *count, const char *fifo)
{
	const char *argv[] = {"stream",	    side,     "--record",
			      at(side),	    "--port", "7500",
			      "--session",  "7",      "--rate",
			      "1000",	    "--size", "200",
			      "--count",    count,    "--patience",
			      "1000000000", "--to",   "127.0.0.1",
			      "--family",   "4",      fifo ? "--flow" : NULL,
			      fifo,	    NULL};
	int argc = 0;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	while (argv[argc])
		argc++;
	if (!freopen("/dev/null", "w", stdout))
		_exit(99);
	_exit(probe_stream_main(argc, (char **)(uintptr_t)argv));
}

static int wait_for(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void score(const char *receiver, const char *sender,
		  struct stream_score *out)
{
	const struct stream_record *in, *by;
	size_t n_in, n_by;
	struct err e = {""};
	char buf[160];
	const char *fault;

	in = stream_record_open(at(receiver), &n_in, &e);
	by = stream_record_open(at(sender), &n_by, &e);
	ck_assert_msg(in && by, "%s", e.text);
	fault = stream_sender_fault(by, sender, buf, sizeof(buf));
	ck_assert_msg(!fault, "%s", fault);
	ck_assert_uint_eq(by->over, 1);
	stream_analyse(in->arrivals, in->n, by->sent, by->rate_pps,
		       by->start_ns, out);
	stream_record_unmap(in, n_in);
	stream_record_unmap(by, n_by);
}

START_TEST(idle_link_loses_nothing)
{
	pid_t server = start("server", "500", NULL);
	pid_t client = start("client", "500", NULL);
	struct stream_score up, down;

	ck_assert_int_eq(wait_for(client), 0);
	ck_assert_int_eq(wait_for(server), 0);
	score("server", "client", &up);
	score("client", "server", &down);
	ck_assert_uint_eq(up.sent, 500);
	ck_assert_uint_eq(up.received, 500);
	ck_assert_uint_eq(down.received, 500);
	ck_assert_uint_eq(up.duplicated + down.duplicated, 0);
	ck_assert_uint_eq(up.reordered + down.reordered, 0);
	ck_assert(up.latency_p50_ns > 0 && up.latency_p50_ns < 1e6);
	ck_assert(down.latency_p50_ns > 0 && down.latency_p50_ns < 1e6);
}
END_TEST

/* Waits for the FIFO's line; returns the time that it tells. */
static int64_t await_flowing(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	long long ns;
	char line[64];
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	n = read(fd, line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	ck_assert_int_eq(sscanf(line, "flowing %lld", &ns), 1);
	return ns;
}

static void sleep_until(int64_t ns)
{
	struct timespec ts = {ns / NS_PER_S, ns % NS_PER_S};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

static void check_outage(const struct stream_score *s, int64_t start_ns,
			 int64_t down_ns, int64_t up_ns)
{
	double outage = (double)(up_ns - down_ns);

	/* 30 ms for the machine: setting flags takes some of it */
	ck_assert(s->longest_gap_ns > outage - 5e6);
	ck_assert(s->longest_gap_ns < outage + 30e6);
	ck_assert(s->lost >= 295 && s->lost <= 330);
	ck_assert(s->gap_start_ns > (double)(down_ns - start_ns) - 5e6);
	ck_assert(s->gap_start_ns < (double)(down_ns - start_ns) + 30e6);
	ck_assert(s->recovered_ns > (double)(up_ns - start_ns) - 5e6);
	ck_assert(s->recovered_ns < (double)(up_ns - start_ns) + 30e6);
}

START_TEST(outage_is_measured)
{
	pid_t server = start("server", "1000", NULL), client;
	struct stream_score up, down;
	int64_t start_ns, down_ns, up_ns;
	const char *fifo = at("flow");
	int fd;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	client = start("client", "1000", fifo);
	start_ns = await_flowing(fd);
	sleep_until(start_ns + 200 * NS_PER_MS);
	down_ns = clock_now().ns;
	set_loopback(false);
	sleep_until(start_ns + 500 * NS_PER_MS);
	set_loopback(true);
	up_ns = clock_now().ns;
	ck_assert_int_eq(wait_for(client), 0);
	ck_assert_int_eq(wait_for(server), 0);
	close(fd);
	score("server", "client", &up);
	score("client", "server", &down);
	check_outage(&up, start_ns, down_ns, up_ns);
	check_outage(&down, start_ns, down_ns, up_ns);
}
END_TEST

START_TEST(nobody_answers)
{
	pid_t client = start("client", "100", NULL);
	const struct stream_record *r;
	struct err e;
	size_t size;

	ck_assert_int_eq(wait_for(client), 1);
	r = stream_record_open(at("client"), &size, &e);
	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(r->start_ns, 0);
	ck_assert_uint_gt(r->refused, 10);
	ck_assert_msg(strstr(r->why, "nothing within 1 s") != NULL, "%s",
		      r->why);
}
END_TEST

/* Told to stop, it leaves what it has, and says that it is not all. */
START_TEST(stopped_early)
{
	pid_t server = start("server", "60000", NULL);
	const struct stream_record *r;
	const char *fifo = at("flow");
	struct err e;
	size_t size;
	pid_t client;
	int fd;

	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	client = start("client", "60000", fifo);
	sleep_until(await_flowing(fd) + 100 * NS_PER_MS);
	kill(client, SIGTERM);
	kill(server, SIGKILL);
	ck_assert_int_eq(wait_for(client), 0);
	ck_assert_int_eq(waitpid(server, NULL, 0), server);
	close(fd);
	r = stream_record_open(at("client"), &size, &e);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(r->over, 0);
	ck_assert_uint_gt(r->n, 50);
	r = stream_record_open(at("server"), &size, &e); /* even a killed one */
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_gt(r->n, 50);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream in a namespace");
	TCase *tc = tcase_create("ns");
	SRunner *sr;
	int failed;

	if (geteuid() != 0) {
		puts("SKIP: namespaces need root");
		return 77;
	}
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, idle_link_loses_nothing);
	tcase_add_test(tc, outage_is_measured);
	tcase_add_test(tc, nobody_answers);
	tcase_add_test(tc, stopped_early);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
