/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each connection reads until a newline, gets one answer and is closed. All
 * descriptors are non-blocking: a peer that does not read its answer holds a
 * connection, never the packets. There are MAX_PEERS of them; the next one
 * replaces the oldest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server.h"

#define MAX_PEERS   16
#define MAX_REQUEST 512

struct peer {
	struct control *control;
	int fd;
	uint64_t serial;
	struct loop_source *source;
	char request[MAX_REQUEST];
	size_t got;
	char *answer;
	size_t len, sent;
};

struct control {
	struct server *server;
	int fd;
	struct loop_source *source;
	struct sockaddr_un addr;
	uint64_t serial;
	struct peer peers[MAX_PEERS]; /* fd < 0: not in use */
};

static void peer_close(struct peer *p)
{
	if (p->fd < 0)
		return;
	loop_del(p->control->server->loop, p->source);
	close(p->fd);
	free(p->answer);
	p->answer = NULL;
	p->fd = -1;
}

static void on_writable(void *arg, uint32_t events)
{
	struct peer *p = arg;
	ssize_t n = send(p->fd, p->answer + p->sent, p->len - p->sent,
			 MSG_NOSIGNAL);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (p->sent += (size_t)n) == p->len)
		peer_close(p);
}

static void peer_answer(struct peer *p)
{
	struct loop *l = p->control->server->loop;

	p->answer = answer_request(p->control->server, p->request);
	if (!p->answer) {
		peer_close(p);
		return;
	}
	p->len = strlen(p->answer);
	p->sent = 0;
	loop_del(l, p->source);
	p->source = loop_add_fd(l, p->fd, EPOLLOUT, on_writable, p);
	if (!p->source)
		peer_close(p);
}

static void on_readable(void *arg, uint32_t events)
{
	struct peer *p = arg;
	ssize_t n =
		recv(p->fd, p->request + p->got, MAX_REQUEST - 1 - p->got, 0);
	char *end;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		peer_close(p);
		return;
	}
	p->got += (size_t)n;
	p->request[p->got] = '\0';
	end = strchr(p->request, '\n');
	if (end) {
		*end = '\0';
		peer_answer(p);
	} else if (p->got == MAX_REQUEST - 1) {
		peer_answer(p); /* which refuses it */
	}
}

static struct peer *pick_peer(struct control *c)
{
	struct peer *oldest = &c->peers[0];

	for (unsigned int i = 0; i < MAX_PEERS; i++) {
		if (c->peers[i].fd < 0)
			return &c->peers[i];
		if (c->peers[i].serial < oldest->serial)
			oldest = &c->peers[i];
	}
	peer_close(oldest);
	return oldest;
}

static void on_connection(void *arg, uint32_t events)
{
	struct control *c = arg;
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct peer *p;

	(void)events;
	if (fd < 0)
		return;
	p = pick_peer(c);
	*p = (struct peer){.control = c, .fd = fd, .serial = c->serial++};
	p->source = loop_add_fd(c->server->loop, fd, EPOLLIN, on_readable, p);
	if (!p->source)
		peer_close(p);
}

/* Remove the file of a process that is gone; keep that of a living one. */
static int clear_stale(const struct sockaddr_un *addr, struct err *e)
{
	int fd, ret;
	struct stat st;

	if (lstat(addr->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, EEXIST, "%s exists and is no socket",
			       addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	close(fd);
	if (!ret)
		return err_set(e, EADDRINUSE, "%s: somebody answers there",
			       addr->sun_path);
	unlink(addr->sun_path);
	return 0;
}

static int listen_at(struct control *c, const char *path, struct err *e)
{
	int ret;

	if (strlen(path) >= sizeof(c->addr.sun_path))
		return err_set(e, ENAMETOOLONG, "control socket %s: too long",
			       path);
	c->addr.sun_family = AF_UNIX;
	strcpy(c->addr.sun_path, path);
	ret = clear_stale(&c->addr, e);
	if (ret)
		return ret;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 ||
	    bind(c->fd, (struct sockaddr *)&c->addr, sizeof(c->addr)) ||
	    chmod(path, 0600) || listen(c->fd, MAX_PEERS))
		return err_set(e, errno, "control socket %s: %s", path,
			       strerror(errno));
	return 0;
}

struct control *control_open(struct server *s, const char *path, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	c->server = s;
	c->fd = -1;
	for (unsigned int i = 0; i < MAX_PEERS; i++)
		c->peers[i].fd = -1;
	if (listen_at(c, path, e))
		goto failed;
	c->source = loop_add_fd(s->loop, c->fd, EPOLLIN, on_connection, c);
	if (c->source)
		return c;
	err_set(e, errno, "control socket %s: %s", path, strerror(errno));
failed:
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (unsigned int i = 0; i < MAX_PEERS; i++)
		peer_close(&c->peers[i]);
	loop_del(c->server->loop, c->source);
	close(c->fd);
	unlink(c->addr.sun_path);
	free(c);
}
