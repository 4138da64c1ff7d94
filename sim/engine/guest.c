/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two FIFOs in the node's /run, opened from outside by way of /proc/PID/root:
 * commands go in one at a time, answers come out in the same order. A question
 * that was given up leaves its answer to come: `owed` counts those, and they
 * are thrown away before the next answer is believed.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK_NS	   (2 * NS_PER_S)
#define BUFFER_LEN (1 << 20)

struct guest {
	int in, out;
	unsigned int owed; /* answers to commands that nobody waits for */
	bool waiting;	   /* one was sent and is waited for */
	size_t len, used;  /* of buf; used: the answer given last */
	char saved;	   /* what stood behind that answer */
	char buf[BUFFER_LEN + 1];
};

struct guest *guest_new(void)
{
	struct guest *g = malloc(sizeof(*g));

	if (g) {
		g->in = g->out = -1;
		guest_close(g);
	}
	return g;
}

void guest_free(struct guest *g)
{
	if (g)
		guest_close(g);
	free(g);
}

void guest_close(struct guest *g)
{
	if (g->in >= 0)
		close(g->in);
	if (g->out >= 0)
		close(g->out);
	g->in = g->out = -1;
	g->owed = 0;
	g->len = g->used = 0;
	/* it speaks first */
	g->waiting = true;
}

static int open_end(const struct proc *p, const char *name, const char *end)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root" GUEST_CHANNEL ".%s",
		 (int)proc_pid(p), name, end);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int guest_open(struct guest *g, const struct proc *p, const char *name)
{
	if (g->in >= 0)
		return -EALREADY;
	if (!proc_running(p))
		return -ESRCH;
	/* `in` is made first: where the second is, the first is */
	g->out = open_end(p, name, "out");
	g->in = g->out < 0 ? g->out : open_end(p, name, "in");
	if (g->in >= 0)
		return 0;
	if (g->out >= 0)
		close(g->out);
	g->out = -1;
	return g->in == -ENOENT ? -EAGAIN : g->in;
}

int guest_send(struct guest *g, const char *line)
{
	char text[4096]; /* PIPE_BUF: whole or not at all */
	size_t n = (size_t)snprintf(text, sizeof(text), "%s\n", line);

	if (g->in < 0)
		return -ENOTCONN;
	if (n >= sizeof(text))
		return -E2BIG;
	if (g->waiting)
		g->owed++;
	g->waiting = true;
	return write(g->in, text, n) == (ssize_t)n ? 0 : -errno;
}

/* Give back the room of the answer before. */
static void consume(struct guest *g)
{
	if (!g->used)
		return;
	g->buf[g->used] = g->saved;
	g->len -= g->used;
	memmove(g->buf, g->buf + g->used, g->len + 1);
	g->used = 0;
}

/* "= STATUS LENGTH\n" and so many bytes. */
static int parse(struct guest *g, int *status, const char **text)
{
	char *end = memchr(g->buf, '\n', g->len);
	size_t n, head;

	if (!end)
		return g->len < 64 ? 0 : -EPROTO;
	head = (size_t)(end + 1 - g->buf);
	if (sscanf(g->buf, "= %d %zu", status, &n) != 2 || n > BUFFER_LEN - 64)
		return -EPROTO;
	if (g->len < head + n)
		return 0;
	g->used = head + n;
	g->saved = g->buf[g->used];
	g->buf[g->used] = '\0';
	*text = g->buf + head;
	return 1;
}

int guest_poll(struct guest *g, int *status, const char **text)
{
	ssize_t n;
	int ret;

	if (g->out < 0)
		return -ENOTCONN;
	for (;;) {
		consume(g);
		ret = parse(g, status, text);
		if (ret > 0 && g->owed) {
			g->owed--;
			continue;
		}
		if (ret) {
			g->waiting = false;
			return ret;
		}
		n = read(g->out, g->buf + g->len, BUFFER_LEN - g->len);
		if (n <= 0)
			return n && errno != EAGAIN && errno != EINTR ? -errno
								      : 0;
		g->len += (size_t)n;
		g->buf[g->len] = '\0';
	}
}

const char *guest_ask(struct guest *g, const char *line, struct err *e)
{
	struct mono deadline = mono_add(clock_now(), ASK_NS);
	const char *text = NULL;
	int status = 0, ret = guest_send(g, line);
	int64_t left;

	while (!ret) {
		ret = guest_poll(g, &status, &text);
		if (ret)
			break;
		left = mono_sub(deadline, clock_now());
		if (left <= 0) {
			err_set(e, ETIMEDOUT,
				"the guest does not answer to '%s': it hangs",
				line);
			return NULL;
		}
		poll(&(struct pollfd){.fd = g->out, .events = POLLIN}, 1,
		     (int)(left / NS_PER_MS) + 1);
	}
	if (ret < 0)
		err_set(e, -ret, "guest: '%s': %s", line, strerror(-ret));
	else if (status)
		err_set(e, EIO, "guest: '%s': %.200s", line, text);
	return ret > 0 && !status ? text : NULL;
}
