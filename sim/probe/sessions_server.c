/* SPDX-License-Identifier: MIT */
/*
 * The server of a `sessions` measure: a slow download on request, and an echo
 * of every number.
 *
 * Theory of operation
 *
 * One epoll over the listener and all clients. A client begins with a hello;
 * if that asks for chunks, it gets one each interval, by one timer that walks
 * over all. What a full socket does not take is kept back, one frame at most;
 * chunks that are due meanwhile are left out, echoes are not asked for twice.
 * Left out, too, is a chunk while those of UNACKED_NS are not acknowledged:
 * hundreds of sessions come back to life in the same moment, and what each had
 * to catch up would be a flood that measures the machine, not the network.
 * It ends by a signal.
 */
#include "sessions_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"

#define TICK_NS	    (5 * NS_PER_MS)
#define MAX_CLIENTS 16384
#define UNACKED_NS  (500 * NS_PER_MS) /* more than a round trip */
#define MIN_UNACKED 2		      /* chunks */

struct client {
	int fd;
	struct sessions_hello hello; /* host order once it is whole */
	uint8_t in[16];
	size_t n_in;
	bool greeted;
	uint32_t chunks;
	int64_t due_ns;
	uint8_t out[2 * (sizeof(struct sessions_head) + SESSIONS_MAX_BYTES)];
	size_t n_out;
};

struct server {
	int epoll_fd, listen_fd;
	struct client *v[MAX_CLIENTS];
	size_t n;
};

static void drop(struct server *s, size_t i)
{
	close(s->v[i]->fd);
	free(s->v[i]);
	s->v[i] = s->v[--s->n];
}

/* False when the connection has ended. */
static bool flush_out(struct client *c)
{
	ssize_t n;

	if (!c->n_out)
		return true;
	n = send(c->fd, c->out, c->n_out, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->n_out -= (size_t)n;
	memmove(c->out, c->out + n, c->n_out);
	return true;
}

static bool put_frame(struct client *c, enum sessions_frame type,
		      uint32_t number, size_t bytes)
{
	struct sessions_head h = {.type = htons((uint16_t)type),
				  .bytes = htons((uint16_t)bytes),
				  .number = htonl(number)};

	if (c->n_out + sizeof(h) + bytes > sizeof(c->out))
		return true; /* no room: left out */
	memcpy(c->out + c->n_out, &h, sizeof(h));
	memset(c->out + c->n_out + sizeof(h), (int)(number & 255), bytes);
	c->n_out += sizeof(h) + bytes;
	return flush_out(c);
}

static bool greet(struct client *c, int64_t now_ns)
{
	struct sessions_hello *h = &c->hello;

	memcpy(h, c->in, sizeof(*h));
	h->interval_us = ntohl(h->interval_us);
	h->bytes = ntohl(h->bytes);
	if (ntohl(h->magic) != SESSIONS_MAGIC || h->bytes > SESSIONS_MAX_BYTES)
		return false;
	c->greeted = true;
	c->due_ns = h->interval_us ? now_ns : INT64_MAX;
	return true;
}

/* Take what is whole from the input: a hello, then numbers. */
static bool digest(struct client *c, int64_t now_ns)
{
	for (;;) {
		size_t want = c->greeted ? sizeof(uint32_t)
					 : sizeof(struct sessions_hello);
		uint32_t number;

		if (c->n_in < want)
			return true;
		if (!c->greeted) {
			if (!greet(c, now_ns))
				return false;
		} else {
			memcpy(&number, c->in, sizeof(number));
			if (!put_frame(c, SESSIONS_ECHO, ntohl(number), 0))
				return false;
		}
		c->n_in -= want;
		memmove(c->in, c->in + want, c->n_in);
	}
}

static bool read_client(struct client *c, int64_t now_ns)
{
	ssize_t n;

	while ((n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in,
			 MSG_DONTWAIT)) > 0) {
		c->n_in += (size_t)n;
		if (!digest(c, now_ns))
			return false;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What stays in the queue would wake us for ever if it cannot be taken. */
static int accept_all(struct server *s)
{
	int fd, one = 1;

	while ((fd = accept4(s->listen_fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *c =
			s->n < MAX_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

		if (!c || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
			free(c);
			close(fd);
			continue;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		c->due_ns = INT64_MAX;
		s->v[s->n++] = c;
	}
	return errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			       errno == ENOMEM
		       ? -1
		       : 0;
}

static bool has_room(const struct client *c)
{
	size_t chunk = sizeof(struct sessions_head) + c->hello.bytes;
	uint32_t us = c->hello.interval_us;
	size_t most = us ? UNACKED_NS / NS_PER_US / us : 0;
	int unacked = 0;

	most = most > MIN_UNACKED ? most : MIN_UNACKED;
	return !c->n_out && !ioctl(c->fd, SIOCOUTQ, &unacked) &&
	       (size_t)unacked < most * chunk;
}

static void serve_due(struct server *s, int64_t now_ns)
{
	for (size_t i = s->n; i-- > 0;) {
		struct client *c = s->v[i];
		bool alive = flush_out(c);

		if (alive && c->due_ns <= now_ns) {
			if (has_room(c))
				alive = put_frame(c, SESSIONS_CHUNK,
						  c->chunks++, c->hello.bytes);
			c->due_ns += (int64_t)c->hello.interval_us * 1000;
			if (c->due_ns < now_ns)
				c->due_ns = now_ns;
		}
		if (!alive)
			drop(s, i);
	}
}

static int serve_ready(struct server *s, struct client *c, int64_t now_ns)
{
	if (!c)
		return accept_all(s);
	if (read_client(c, now_ns))
		return 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == c) {
			drop(s, i);
			break;
		}
	return 0;
}

static int open_listener(int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)port)};
	int fd =
		socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int zero = 0, one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1024))
		return -1;
	return fd;
}

int sessions_raise_files(size_t least, size_t most)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return -errno;
	if (r.rlim_cur >= most)
		return 0;
	r.rlim_cur = most;
	if (r.rlim_max < most) {
		struct rlimit raised = {most, most};

		if (!setrlimit(RLIMIT_NOFILE, &raised))
			return 0;
		r.rlim_cur = r.rlim_max; /* what is allowed will have to do */
	}
	if (setrlimit(RLIMIT_NOFILE, &r))
		return -errno;
	return r.rlim_cur < least ? -EMFILE : 0;
}

int sessions_serve(int port)
{
	static struct server s;
	struct epoll_event ev = {.events = EPOLLIN}, ready[64];
	int64_t due_ns = 0;

	/* how many will come is not known here: accept() tells of too many */
	(void)sessions_raise_files(0, MAX_CLIENTS + 64);
	s.listen_fd = open_listener(port);
	s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s.listen_fd < 0 || s.epoll_fd < 0 ||
	    epoll_ctl(s.epoll_fd, EPOLL_CTL_ADD, s.listen_fd, &ev)) {
		perror("sessions: server");
		return 1;
	}
	for (;;) {
		int n = epoll_wait(s.epoll_fd, ready, 64,
				   (int)(TICK_NS / NS_PER_MS));
		int64_t now_ns = clock_now().ns;

		if (n < 0 && errno != EINTR)
			return 1;
		/* one at a time: a client that goes may stand further on */
		for (int i = 0; i < n; i++)
			if (serve_ready(&s, ready[i].data.ptr, now_ns)) {
				perror("sessions: accept");
				return 2;
			}
		if (now_ns < due_ns)
			continue;
		due_ns = now_ns + TICK_NS;
		serve_due(&s, now_ns);
	}
}
