/* SPDX-License-Identifier: MIT */
/*
 * Short TCP connections, one after another and some at a time, from inside a
 * node: how many a second the network lets through (the maximum TCP connection
 * establishment rate of RFC 8219 section 8.2, in a closed loop).
 *
 * Theory of operation
 *
 * Each slot opens a connection to the server of `sessions`, says hello and a
 * number, waits for that number and resets the connection: no TIME_WAIT, so
 * that ports do not run out here. It counts when the number has come back. What
 * fails is counted and begun again; what is under way at the end counts as
 * failed when it is older than OLD_NS, since a handshake that was lost is sent
 * again after that time. Until the first answer a refusal is a server that is
 * just starting: the clock begins there.
 */
#include "sessions_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_args.h"
#include "probe_internal.h"

#define START_NS  (5 * NS_PER_S)
#define AGAIN_NS  (20 * NS_PER_MS)
#define OLD_NS	  NS_PER_S
#define MAX_SLOTS 64

struct slot {
	int fd;
	bool greeted;
	int64_t began_ns;
	struct sessions_head head;
	size_t n_head;
};

struct connections {
	struct sockaddr_in6 to; /* IPv4: mapped, as the server's are */
	int epoll_fd;
	struct slot v[MAX_SLOTS];
	size_t n;
	int64_t begin_ns, end_ns; /* begin: of the first answer; 0: none yet */
	int64_t done, failed;
	int error; /* of the first that failed */
};

static void begin(struct connections *c, size_t i);

static void end(struct slot *x)
{
	const struct linger reset = {.l_onoff = 1};

	setsockopt(x->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(x->fd);
	x->fd = -1;
}

static void fail(struct connections *c, size_t i, int error)
{
	end(&c->v[i]);
	if (!c->begin_ns && error == ECONNREFUSED)
		return; /* turn() begins it again */
	c->failed++;
	if (!c->error)
		c->error = error;
}

static void begin(struct connections *c, size_t i)
{
	struct slot *x = &c->v[i];
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u64 = i};
	int one = 1;

	*x = (struct slot){.began_ns = clock_now().ns};
	x->fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return;
	setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, x->fd, &ev) ||
	    (connect(x->fd, (struct sockaddr *)&c->to, sizeof(c->to)) &&
	     errno != EINPROGRESS))
		fail(c, i, errno);
}

static void greet(struct connections *c, size_t i)
{
	struct {
		struct sessions_hello hello;
		uint32_t number;
	} m = {.hello = {.magic = htonl(SESSIONS_MAGIC)},
	       .number = htonl((uint32_t)i)};
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};
	struct slot *x = &c->v[i];
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (!error && send(x->fd, &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m))
		error = errno;
	if (error) {
		fail(c, i, error);
		return;
	}
	x->greeted = true;
	epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, x->fd, &ev);
}

static void listen_to(struct connections *c, size_t i, int64_t now_ns)
{
	struct slot *x = &c->v[i];
	ssize_t n = recv(x->fd, (uint8_t *)&x->head + x->n_head,
			 sizeof(x->head) - x->n_head, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(c, i, n ? errno : ECONNRESET);
		return;
	}
	x->n_head += (size_t)n;
	if (x->n_head < sizeof(x->head))
		return;
	if (ntohs(x->head.type) != SESSIONS_ECHO ||
	    ntohl(x->head.number) != i) {
		fail(c, i, EBADMSG);
		return;
	}
	end(x);
	if (!c->begin_ns)
		c->begin_ns = now_ns;
	else
		c->done++;
}

static void turn(struct connections *c)
{
	struct epoll_event ready[MAX_SLOTS];
	int n = epoll_wait(c->epoll_fd, ready, MAX_SLOTS, 1);
	int64_t now_ns = clock_now().ns;

	for (int k = 0; k < n; k++) {
		size_t i = (size_t)ready[k].data.u64;

		if (c->v[i].greeted)
			listen_to(c, i, now_ns);
		else
			greet(c, i);
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].fd < 0 &&
		    (c->begin_ns || now_ns - c->v[i].began_ns > AGAIN_NS))
			begin(c, i);
}

static int play(struct connections *c, int64_t length_ns)
{
	int64_t start_ns = clock_now().ns;
	json_t *o;
	int ret;

	for (size_t i = 0; i < c->n; i++)
		begin(c, i);
	while (clock_now().ns <
	       (c->begin_ns ? c->begin_ns + length_ns : start_ns + START_NS))
		turn(c);
	c->end_ns = clock_now().ns;
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].fd >= 0 && c->end_ns - c->v[i].began_ns > OLD_NS)
			fail(c, i, ETIMEDOUT);
	o = json_pack("{s:I, s:I, s:I}", "done", (json_int_t)c->done, "failed",
		      (json_int_t)c->failed, "took_ns",
		      (json_int_t)(c->begin_ns ? c->end_ns - c->begin_ns : 0));
	if (c->error)
		json_object_set_new(o, "why", json_string(strerror(c->error)));
	ret = json_dumpf(o, stdout, JSON_COMPACT) || fflush(stdout);
	json_decref(o);
	return ret ? 1 : 0;
}

static int read_target(struct connections *c, const char *to, int64_t port)
{
	struct addr a;

	if (!to || addr_parse(to, &a))
		return -1;
	c->to = (struct sockaddr_in6){.sin6_family = AF_INET6,
				      .sin6_port = htons((uint16_t)port),
				      .sin6_addr = a.v6};
	if (a.family == AF_INET) {
		c->to.sin6_addr = (struct in6_addr){
			.s6_addr32 = {0, 0, htonl(0xffff), a.v4.s_addr}};
	}
	return 0;
}

int probe_connections_main(int argc, char **argv)
{
	struct connections c = {0};
	const char *to = NULL;
	int64_t port = 0, slots = 0, length_ns = 0;
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "port", .number = &port},
		{.key = "slots", .number = &slots},
		{.key = "length-ns", .number = &length_ns},
		{0},
	};

	if (node_args_read(argc, argv, args))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (!to)
		return sessions_serve((int)port);
	if (read_target(&c, to, port) || slots < 1 || slots > MAX_SLOTS ||
	    length_ns < 1)
		return 2;
	c.n = (size_t)slots;
	c.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return c.epoll_fd < 0 ? 1 : play(&c, length_ns);
}
