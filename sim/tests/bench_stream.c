/* SPDX-License-Identifier: MIT */
#include "bench_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_run.h"

#define STREAM_PORT   7778
#define STREAM_NS     10000 /* 100 kpps */
#define STREAM_BUFFER (64 << 20)

static struct sockaddr_in6 stream_to;
static double *late_ms;
static size_t n_late, most;

static int open_stream(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*(int *)arg = fd;
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
		if (n_late < most)
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

struct bench_stream bench_stream_run(const char *target, int seconds)
{
	int64_t until = clock_now().ns + seconds * NS_PER_S;
	struct bench_stream r;
	struct err e = {""};
	int tx = -1, rx = -1;

	most = (size_t)(seconds + 1) * (NS_PER_S / STREAM_NS);
	late_ms = malloc(most * sizeof(*late_ms));
	if (!late_ms)
		bench_die("out of memory", NULL);
	stream_to = (struct sockaddr_in6){.sin6_family = AF_INET6,
					  .sin6_port = htons(STREAM_PORT)};
	inet_pton(AF_INET6, target, &stream_to.sin6_addr);
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
	r = (struct bench_stream){
		.rate = (double)n_late / seconds,
		.median_ms = late_ms[n_late / 2],
		.p999_ms = late_ms[n_late * 999 / 1000],
		.longest_ms = late_ms[n_late - 1],
	};
	free(late_ms);
	return r;
}
