/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Who had which address and port, and when (RFC 6888 section 4): a line of
 * JSON for each BIB entry, or each session as well, when it comes and when it
 * goes. `xlatd who` answers from these files (who.c). Where subscribers have
 * port blocks, one line that says how they are computed can stand for all.
 *
 * Packets never wait for the disk: lines go into a buffer, and the buffer to
 * the file by a timer. When it is full, lines are lost; that is counted, and a
 * line says how many as soon as there is room. A write that fails is tried
 * again with the next turn: what is in the buffer stays there.
 *
 * Each process begins with a line `start`: what an earlier one had open ended
 * with it, whether it could say so or not. A file that has grown to its size
 * becomes FILE.1, FILE.1 becomes FILE.2, and the last one goes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/log.h"
#include "server.h"

#define BUFFER_BYTES ((size_t)4 << 20)
#define LINE_BYTES   512
#define TURN_NS	     (100 * NS_PER_MS)
#define LIST_MAX     256

struct journal {
	struct server *server;
	const struct config *config; /* log_* of the first one: they stay */
	char *path;
	int fd;
	uint64_t bytes; /* in the file */
	char *buf;
	size_t len;
	uint64_t lost_untold;
	struct loop_source *timer;
	struct ratelimit complaints;
	struct journal_stats stats;
};

/* ---- lines -----------------------------------------------------------------
 */

static void put_line(struct journal *j, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put_line(struct journal *j, const char *fmt, ...)
{
	struct timespec t;
	va_list ap;
	int64_t ms;
	int n;

	if (j->len + LINE_BYTES > BUFFER_BYTES) {
		j->stats.lost++;
		j->lost_untold++;
		return;
	}
	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / NS_PER_MS +
	     j->server->ahead_ns / NS_PER_MS;
	n = snprintf(j->buf + j->len, LINE_BYTES, "{\"t\":%lld.%03lld,",
		     (long long)(ms / 1000), (long long)(ms % 1000));
	va_start(ap, fmt);
	n += vsnprintf(j->buf + j->len + n, (size_t)(LINE_BYTES - n), fmt, ap);
	va_end(ap);
	j->len += (size_t)n;
	j->stats.lines++;
}

static void put_flow(struct journal *j, const char *event,
		     const struct nat64_flow *f, bool whole)
{
	char src6[INET6_ADDRSTRLEN], src4[INET_ADDRSTRLEN];
	char dst4[INET_ADDRSTRLEN], rest[80] = "";

	inet_ntop(AF_INET6, &f->src6, src6, sizeof(src6));
	inet_ntop(AF_INET, &f->src4, src4, sizeof(src4));
	if (whole)
		snprintf(rest, sizeof(rest), ",\"dst4\":\"%s\",\"dport\":%u",
			 inet_ntop(AF_INET, &f->dst4, dst4, sizeof(dst4)),
			 ntohs(f->dst_port));
	put_line(j,
		 "\"ev\":\"%s\",\"proto\":\"%s\",\"src6\":\"%s\","
		 "\"sport6\":%u,\"src4\":\"%s\",\"sport4\":%u%s}\n",
		 event, nat64_proto_name(f->proto), src6, ntohs(f->src6_port),
		 src4, ntohs(f->src4_port), rest);
}

/* A BIB entry; none that the arithmetic of blocks knows by itself. */
static void put_bib(struct journal *j, const char *event,
		    const struct nat64_flow *f)
{
	if (!j->config->log_blocks ||
	    !nat64_in_block(j->server->setup.path.nat64, f))
		put_flow(j, event, f, false);
}

/*
 * How blocks are given: a line for each run of addresses; `index` is the
 * number of its first one.
 */
static void put_blocks(struct journal *j)
{
	const struct nat64_blocks *b = &j->config->blocks;
	char prefix[ADDR_TEXT_LEN], first[ADDR_TEXT_LEN];
	uint32_t n, run;
	const struct in_addr *a = nat64_pool4(j->server->setup.path.nat64, &n);

	for (uint32_t i = 0; i < n; i += run) {
		run = 1;
		while (i + run < n &&
		       ntohl(a[i + run].s_addr) == ntohl(a[i].s_addr) + run)
			run++;
		put_line(j,
			 "\"ev\":\"blocks\",\"subscribers\":\"%s\","
			 "\"subscriber-length\":%u,\"size\":%u,\"low\":%u,"
			 "\"high\":%u,\"src4\":\"%s\",\"addresses\":%u,"
			 "\"index\":%u}\n",
			 prefix6_format(&b->subscribers, prefix),
			 b->subscriber_len, b->size, b->low, b->high,
			 in4_format(a[i], first), run, i);
	}
}

static void on_event(void *arg, enum nat64_event ev,
		     const struct nat64_session_info *s)
{
	struct journal *j = arg;

	switch (ev) {
	case NAT64_BIB_NEW:
		put_bib(j, "bib", &s->flow);
		break;
	case NAT64_BIB_END:
		put_bib(j, "bib-end", &s->flow);
		break;
	case NAT64_SESSION_NEW:
		if (j->config->log_sessions)
			put_flow(j, "session", &s->flow, true);
		break;
	case NAT64_SESSION_END:
		if (j->config->log_sessions)
			put_flow(j, "session-end", &s->flow, true);
		break;
	case NAT64_SESSION_STATE:
		break;
	}
}

/* What was there before anyone watched: static entries. */
static void put_present(struct journal *j)
{
	struct nat64_bib_info v[LIST_MAX];
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		size_t n = nat64_list_bibs(j->server->setup.path.nat64, &cursor,
					   65536, v, LIST_MAX);

		for (size_t i = 0; i < n; i++)
			put_bib(j, "bib", &v[i].flow);
	}
}

/* ---- the file --------------------------------------------------------------
 */

/* A line that a crash has cut must not take the next one with it. */
static int open_file(struct journal *j)
{
	struct stat st = {0};
	char last;

	j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (j->fd < 0)
		return -errno;
	if (!fstat(j->fd, &st) && st.st_size > 0 &&
	    pread(j->fd, &last, 1, st.st_size - 1) == 1 && last != '\n' &&
	    write(j->fd, "\n", 1) == 1)
		st.st_size++;
	j->bytes = (uint64_t)st.st_size;
	return 0;
}

static void complain(struct journal *j, const char *what)
{
	j->stats.write_errors++;
	if (ratelimit_allow(&j->complaints, clock_now().ns))
		log_err("log: %s: %s: %s", j->path, what, strerror(errno));
}

static void rotate(struct journal *j)
{
	size_t room = strlen(j->path) + 8;
	char *from = malloc(room), *to = malloc(room);

	for (int64_t i = j->config->log_keep; from && to && i > 0; i--) {
		snprintf(to, room, "%s.%lld", j->path, (long long)i);
		if (i > 1)
			snprintf(from, room, "%s.%lld", j->path,
				 (long long)(i - 1));
		else
			snprintf(from, room, "%s", j->path);
		if (rename(from, to) && errno != ENOENT)
			complain(j, "cannot be renamed");
	}
	free(from);
	free(to);
	if (j->fd >= 0)
		close(j->fd);
	if (open_file(j))
		complain(j, "cannot be opened");
	else
		j->stats.rotations++;
}

static void write_out(struct journal *j)
{
	ssize_t n;

	if (j->fd < 0 && open_file(j)) {
		complain(j, "cannot be opened");
		return;
	}
	while (j->len) {
		n = write(j->fd, j->buf, j->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain(j, "cannot be written");
			return;
		}
		j->len -= (size_t)n;
		memmove(j->buf, j->buf + n, j->len);
		j->bytes += (uint64_t)n;
		j->stats.bytes += (uint64_t)n;
	}
	if (j->lost_untold) {
		put_line(j, "\"ev\":\"lost\",\"lines\":%llu}\n",
			 (unsigned long long)j->lost_untold);
		j->lost_untold = 0;
	}
	if (j->bytes >= (uint64_t)j->config->log_rotate_bytes)
		rotate(j);
}

static void on_turn(void *arg, struct mono due)
{
	struct journal *j = arg;

	(void)due;
	write_out(j);
	j->timer = loop_add_timer(j->server->loop,
				  mono_add(clock_now(), TURN_NS), on_turn, j);
	if (!j->timer) {
		log_err("log: timer: %s", strerror(errno));
		loop_stop(j->server->loop);
	}
}

/* ---- life ------------------------------------------------------------------
 */

struct journal *journal_open(struct server *s, struct err *e)
{
	struct journal *j = calloc(1, sizeof(*j));
	int ret;

	if (!j || !(j->buf = malloc(BUFFER_BYTES)) ||
	    !(j->path = strdup(s->config->log_file))) {
		if (j)
			free(j->buf);
		free(j);
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	j->server = s;
	j->config = s->config;
	ratelimit_init(&j->complaints, 1, 3, clock_now().ns);
	ret = open_file(j);
	if (ret)
		err_set(e, -ret, "log: %s: %s", j->path, strerror(-ret));
	else if (!nat64_watch(s->setup.path.nat64, on_event, j))
		err_set(e, EBUSY, "too many watch the sessions");
	else
		j->timer = loop_add_timer(s->loop, clock_now(), on_turn, j);
	if (!j->timer) {
		journal_close(j);
		return NULL;
	}
	put_line(j, "\"ev\":\"start\"}\n");
	if (j->config->log_blocks)
		put_blocks(j);
	put_present(j);
	return j;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	nat64_unwatch(j->server->setup.path.nat64, on_event, j);
	if (j->timer) {
		put_line(j, "\"ev\":\"stop\"}\n");
		write_out(j);
		if (j->len)
			log_err("log: %s: %zu bytes could not be written",
				j->path, j->len);
	}
	loop_del(j->server->loop, j->timer);
	if (j->fd >= 0)
		close(j->fd);
	free(j->path);
	free(j->buf);
	free(j);
}

void journal_reload(struct journal *j, const struct config *c)
{
	j->config = c;
}

void journal_rotate(struct journal *j)
{
	write_out(j);
	rotate(j);
}

void journal_get_stats(const struct journal *j, struct journal_stats *out)
{
	*out = j->stats;
	out->waiting_bytes = j->len;
}
