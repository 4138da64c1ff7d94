/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One thread, one epoll: two receiving sockets a link, the control socket and
 * its connections, a signalfd. It sleeps until something arrives or the next
 * frame is due (epoll_pwait2, nanoseconds; timer slack is set to 1 ns), reads
 * at most one batch from each ready socket, and sends what is due after each
 * batch, so a busy link delays the others by one batch and no more.
 *
 * The scheduler: SCHED_FIFO at the lowest real-time priority. Measured with
 * two busy programs on two cores, 5 ms delay each way: 99 % of packets were at
 * most 0.12 ms late, against 5 ms with nice -20, which would show up as jitter
 * of the network under test. The price: it wakes for every frame and so reads
 * smaller batches; one unshaped TCP stream came to 11 Gbit/s through it, and to
 * 21 with nice -20. Links that are emulated are slower than either. That a
 * relay kept busy takes a core from the engines is the same for both (nice -20
 * has 87 times the weight of nice 0); relay-cpu tells, and makes such a run
 * invalid. Where real-time is not permitted it is nice -20, with a warning, and
 * "scheduler" in the statistics says which it was.
 *
 * Memory: MAX_FRAMES and MAX_TAILS bound what may be under way in all links
 * together: 100 ms at 1 Gbit/s is 12.5 MB, 8400 frames of 1500 bytes or 200
 * superpackets of 64 KiB.
 */
#include "relay_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../xlat/base/log.h"

#define MAX_FRAMES     65536
#define MAX_TAILS      4096
#define MAX_CONNS      8
#define LINE_BYTES     8192
#define MAX_EVENTS     64
#define SEND_TIMEOUT_S 1

struct conn {
	int fd; /* -1: free */
	size_t len;
	char line[LINE_BYTES];
};

/* What an epoll event is about. */
enum source { SRC_PATH, SRC_LISTEN, SRC_SIGNAL, SRC_NEWS, SRC_CONN };

struct server {
	struct relay relay;
	int epoll_fd, signal_fd, news_fd, listen_fd;
	struct sockaddr_un addr;
	struct conn conns[MAX_CONNS];
	bool stop;
};

static uint64_t tag(enum source src, size_t i, int dir)
{
	return (uint64_t)src << 32 | (uint64_t)i << 1 | (uint64_t)dir;
}

static int watch(struct server *s, int fd, uint64_t what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = what};

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

int64_t relay_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void relay_reset_stats(struct relay *r)
{
	for (size_t i = 0; i < r->n_links; i++)
		for (int d = 0; d < RELAY_N_DIRS; d++)
			path_reset_stats(&r->links[i].path[d]);
	hist_reset(&r->shared.late);
	slots_reset(&r->shared.slots);
	r->since_ns = clock_now().ns;
	r->cpu_base_ns = relay_cpu_ns();
}

/* ---- control connections ---------------------------------------------------
 */

static void conn_close(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static void accept_conn(struct server *s)
{
	/* Blocking for answers, which a stuck client cannot hold for long. */
	const struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	for (size_t i = 0; i < MAX_CONNS; i++) {
		struct conn *c = &s->conns[i];

		if (c->fd >= 0)
			continue;
		c->fd = fd;
		c->len = 0;
		if (watch(s, fd, tag(SRC_CONN, i, 0)))
			conn_close(c);
		return;
	}
	log_warn("control: more than %d connections", MAX_CONNS);
	close(fd);
}

static bool send_line(int fd, const char *text)
{
	size_t len = strlen(text);
	struct iovec iov[2] = {{(void *)(uintptr_t)text, len},
			       {(void *)(uintptr_t) "\n", 1}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)len + 1;
}

static bool answer_line(struct server *s, struct conn *c, const char *line)
{
	char *text = control_answer(&s->relay, line);
	bool ok = text && send_line(c->fd, text);

	free(text);
	return ok;
}

static void read_conn(struct server *s, struct conn *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - c->len,
			 MSG_DONTWAIT);
	char *end;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			conn_close(c);
		return;
	}
	c->len += (size_t)n;
	while ((end = memchr(c->line, '\n', c->len))) {
		size_t used = (size_t)(end - c->line) + 1;

		*end = '\0';
		if (!answer_line(s, c, c->line)) {
			conn_close(c);
			return;
		}
		c->len -= used;
		memmove(c->line, c->line + used, c->len);
	}
	if (c->len == sizeof(c->line)) {
		send_line(c->fd, "{\"ok\":false,\"error\":\"line too long\"}");
		conn_close(c);
	}
}

/* ---- the loop
 * ---------------------------------------------------------------- */

static void read_offset(struct relay_shared *sh)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	sh->last_offset_ns = sh->realtime_offset_ns;
	sh->realtime_offset_ns =
		ts.tv_sec * NS_PER_S + ts.tv_nsec - clock_now().ns;
}

/* Send what is due everywhere; when to come back, INT64_MAX for never. */
static int64_t flush_all(struct relay *r)
{
	int64_t next = INT64_MAX, now_ns = clock_now().ns;

	for (size_t i = 0; i < r->n_links; i++) {
		for (int d = 0; d < RELAY_N_DIRS; d++) {
			struct path *p = &r->links[i].path[d];
			int64_t due = path_due_ns(p);

			if (due <= now_ns) {
				path_flush(p, &r->shared);
				due = path_due_ns(p);
			}
			next = due < next ? due : next;
		}
	}
	return next;
}

static void read_carriers(struct server *s)
{
	port_drain_news(s->news_fd);
	for (size_t i = 0; i < s->relay.n_links; i++) {
		port_read_carrier(&s->relay.links[i].port_a);
		port_read_carrier(&s->relay.links[i].port_b);
	}
}

static void dispatch(struct server *s, uint64_t what)
{
	size_t i = (what & UINT32_MAX) >> 1;

	switch ((enum source)(what >> 32)) {
	case SRC_PATH:
		path_receive(&s->relay.links[i].path[what & 1],
			     &s->relay.shared);
		flush_all(&s->relay);
		break;
	case SRC_LISTEN:
		accept_conn(s);
		break;
	case SRC_CONN:
		if (s->conns[i].fd >= 0)
			read_conn(s, &s->conns[i]);
		break;
	case SRC_NEWS:
		read_carriers(s);
		break;
	case SRC_SIGNAL:
		s->stop = true;
		break;
	}
}

static int run(struct server *s)
{
	struct epoll_event ev[MAX_EVENTS];

	while (!s->stop) {
		int64_t next = flush_all(&s->relay), wait;
		struct timespec ts, *timeout = NULL;
		int n;

		if (next != INT64_MAX) {
			wait = next - clock_now().ns;
			wait = wait > 0 ? wait : 0;
			ts = (struct timespec){wait / NS_PER_S,
					       wait % NS_PER_S};
			timeout = &ts;
		}
		n = epoll_pwait2(s->epoll_fd, ev, MAX_EVENTS, timeout, NULL);
		if (n < 0 && errno != EINTR)
			return -errno;
		read_offset(&s->relay.shared);
		for (int i = 0; i < n; i++)
			dispatch(s, ev[i].data.u64);
	}
	return 0;
}

/* ---- start and end ---------------------------------------------------------
 */

static int open_link(struct server *s, const struct relay_link_config *cfg,
		     uint64_t seed, struct err *e)
{
	struct relay *r = &s->relay;
	size_t i = r->n_links;
	struct link *l = &r->links[i];
	int ret;

	memcpy(l->name, cfg->name, sizeof(l->name));
	l->port_a.rx_fd = l->port_a.tx_fd = -1;
	l->port_b.rx_fd = l->port_b.tx_fd = -1;
	path_init(&l->path[RELAY_DOWN], &l->port_b, &l->port_a,
		  &cfg->impair[RELAY_DOWN],
		  impair_seed(seed, cfg->name, RELAY_DOWN));
	path_init(&l->path[RELAY_UP], &l->port_a, &l->port_b,
		  &cfg->impair[RELAY_UP],
		  impair_seed(seed, cfg->name, RELAY_UP));
	r->n_links++;
	ret = port_open(&l->port_a, cfg->a, e);
	if (!ret)
		ret = port_open(&l->port_b, cfg->b, e);
	if (!ret)
		ret = watch(s, l->port_b.rx_fd, tag(SRC_PATH, i, RELAY_DOWN));
	if (!ret)
		ret = watch(s, l->port_a.rx_fd, tag(SRC_PATH, i, RELAY_UP));
	if (ret)
		err_prefix(e, "link %s", cfg->name);
	return ret;
}

static int open_control(struct server *s, const char *path, struct err *e)
{
	s->addr.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(s->addr.sun_path))
		return err_set(e, ENAMETOOLONG,
			       "control socket '%s': longer than %zu", path,
			       sizeof(s->addr.sun_path) - 1);
	memcpy(s->addr.sun_path, path, strlen(path) + 1);
	s->listen_fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(path); /* of a process before us, which is gone */
	if (s->listen_fd < 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) ||
	    listen(s->listen_fd, MAX_CONNS))
		return err_set(e, errno, "control socket '%s': %s", path,
			       strerror(errno));
	return watch(s, s->listen_fd, tag(SRC_LISTEN, 0, 0));
}

static int open_signals(struct server *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return -errno;
	return watch(s, s->signal_fd, tag(SRC_SIGNAL, 0, 0));
}

static int open_memory(struct relay *r, size_t n_links)
{
	r->links = calloc(n_links, sizeof(*r->links));
	r->shared.pool = pool_new(MAX_FRAMES, MAX_TAILS);
	/* a superpacket, and the largest packet that may be cut from it */
	r->shared.scratch = malloc(2 * (FRAME_HEAD_BYTES + FRAME_TAIL_BYTES));
	return r->links && r->shared.pool && r->shared.scratch ? 0 : -ENOMEM;
}

static int server_open(struct server *s, const struct relay_config *cfg,
		       const char *control, struct err *e)
{
	int ret = open_memory(&s->relay, cfg->n_links);

	if (ret)
		return err_set(e, -ret, "no memory for packets under way");
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	ret = open_signals(s);
	if (ret)
		return err_set(e, -ret, "signalfd: %s", strerror(-ret));
	/* before the links, so that no change goes unseen */
	s->news_fd = port_open_news();
	ret = s->news_fd < 0 ? s->news_fd
			     : watch(s, s->news_fd, tag(SRC_NEWS, 0, 0));
	if (ret)
		return err_set(e, -ret, "netlink: %s", strerror(-ret));
	for (size_t i = 0; i < cfg->n_links; i++) {
		ret = open_link(s, &cfg->links[i], cfg->seed, e);
		if (ret)
			return ret;
	}
	relay_reset_stats(&s->relay);
	read_offset(&s->relay.shared);
	return open_control(s, control, e);
}

static void server_close(struct server *s)
{
	struct relay *r = &s->relay;

	for (size_t i = 0; i < r->n_links; i++) {
		struct link *l = &r->links[i];

		for (int d = 0; d < RELAY_N_DIRS; d++)
			path_fini(&l->path[d], &r->shared);
		port_close(&l->port_a);
		port_close(&l->port_b);
	}
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (s->conns[i].fd >= 0)
			conn_close(&s->conns[i]);
	if (s->listen_fd >= 0) {
		unlink(s->addr.sun_path);
		close(s->listen_fd);
	}
	if (s->news_fd >= 0)
		close(s->news_fd);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	pool_free(r->shared.pool);
	free(r->shared.scratch);
	free(r->links);
}

/* Wake up on time, and before those that are not in a hurry. */
static const char *hurry(void)
{
	const struct sched_param lowest = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	if (prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0))
		log_warn("relay: timer slack: %s", strerror(errno));
	if (!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
		return "fifo";
	log_warn("relay: no real-time scheduling: %s", strerror(errno));
	if (!setpriority(PRIO_PROCESS, 0, -20))
		return "nice";
	log_warn("relay: nice -20: %s", strerror(errno));
	return "normal";
}

static int serve(const char *config, const char *control)
{
	struct relay_config cfg;
	struct server *s;
	struct err e = {""};
	int ret;

	if (relay_config_load(config, &cfg, &e)) {
		log_err("relay: %s", e.text);
		return 2;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		relay_config_fini(&cfg);
		return 1;
	}
	s->epoll_fd = s->signal_fd = s->news_fd = s->listen_fd = -1;
	for (size_t i = 0; i < MAX_CONNS; i++)
		s->conns[i].fd = -1;
	s->relay.scheduler = hurry();
	ret = server_open(s, &cfg, control, &e);
	if (!ret)
		ret = run(s);
	if (ret)
		log_err("relay: %s", *e.text ? e.text : strerror(-ret));
	server_close(s);
	free(s);
	relay_config_fini(&cfg);
	return ret ? 1 : 0;
}

int relay_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'f'},
		{"control", required_argument, NULL, 'c'},
		{NULL, 0, NULL, 0},
	};
	const char *config = NULL, *control = NULL;
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'f')
			config = optarg;
		else if (opt == 'c')
			control = optarg;
		else
			return 2;
	}
	if (!config || !control || optind != argc) {
		fputs("usage: xlatsim relay --config FILE --control SOCKET\n",
		      stderr);
		return 2;
	}
	return serve(config, control);
}
