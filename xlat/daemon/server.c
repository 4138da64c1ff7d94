/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One thread, one loop. When the TUN is readable, up to SERVER_BATCH packets
 * are read, translated and written with one look at the clock; then the loop
 * looks at everything else, so that control requests and signals wait for at
 * most a batch. A PLAT reads some before it translates the first (burst.c
 * says why). Sessions are swept on a timer, in bounded steps.
 *
 * Once packets flow nothing is allocated for them; the sweep timer and control
 * answers take small pieces.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../base/log.h"

#define BURST	      16   /* read before the first is translated */
#define ASIDE_BYTES   2048 /* what is read on behind has at most so many */
#define ASIDE_ROOM    (PKT_HEADROOM + ASIDE_BYTES + PKT_TAILROOM)
#define SWEEP_ENTRIES 1024
#define SWEEP_IDLE_NS NAT64_TICK_NS
#define SWEEP_BUSY_NS NS_PER_MS

static int emit(void *arg, const struct pkt *pkt)
{
	return io_write(arg, pkt);
}

/* Addresses and ports, where the packet has any: RFC 7915 section 4.5. */
void server_tell_event(void *arg, enum reason r, const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;
	struct server *s = arg;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = info->v6 ? AF_INET6 : AF_INET;

	if (!ratelimit_allow(&s->events, s->setup.path.now.ns))
		return;
	inet_ntop(family, &ip->src, src, sizeof(src));
	inet_ntop(family, &ip->dst, dst, sizeof(dst));
	if (ip->has_ports)
		log_warn("dropped, %s: %s port %u to %s port %u",
			 reason_name(r), src, ntohs(ip->sport), dst,
			 ntohs(ip->dport));
	else
		log_warn("dropped, %s: %s to %s, protocol %u", reason_name(r),
			 src, dst, ip->proto);
}

struct mono server_now(const struct server *s)
{
	return mono_add(clock_now(), s->ahead_ns);
}

/*
 * Out of the way of the next read, which goes to the same place again: one
 * large buffer stays in the cache, BURST of them would not (4 TCP streams lost
 * an eighth to that). False: too large to be moved.
 */
static bool set_aside(struct server *s, struct pkt *pkt, unsigned int slot)
{
	uint8_t *room = s->buf + IO_BUFFER_BYTES + slot * (size_t)ASIDE_ROOM;

	if (pkt->len > ASIDE_BYTES)
		return false;
	memcpy(room + PKT_HEADROOM, pkt->data, pkt->len);
	pkt->data = room + PKT_HEADROOM;
	pkt->headroom = PKT_HEADROOM;
	pkt->tailroom = ASIDE_ROOM - PKT_HEADROOM - pkt->len;
	return true;
}

/* 0, or why there is no packet to read for the moment. @left: reads, also of
 * what turns out to be no packet. */
static int read_burst(struct server *s, struct pkt *pkts, unsigned int most,
		      unsigned int *n, unsigned int *left)
{
	for (*n = 0; *n < most && *left;) {
		int ret = io_read(s->io, s->buf, &pkts[*n]);

		--*left;
		if (ret == -EBADMSG) {
			path_count_unreadable(&s->setup.path);
			continue;
		}
		if (ret)
			return ret;
		if (++*n == most || !set_aside(s, &pkts[*n - 1], *n - 1))
			break;
	}
	return 0;
}

/* As much as is read at a time; false when nothing is left to read. @left:
 * packets that this turn of the loop may still take. */
static bool run_burst(struct server *s, struct mono now, unsigned int *left)
{
	unsigned int most = s->setup.path.nat64 ? BURST : 1, n;
	struct pkt pkts[BURST];
	int ret = read_burst(s, pkts, most, &n, left);

	s->reads += n;
	path_run_burst(&s->setup.path, pkts, n, now);
	if (!ret)
		return true;
	if (ret != -EAGAIN && ret != -EINTR) {
		log_err("%s: read: %s", s->config->tun_name, strerror(-ret));
		loop_stop(s->loop);
	}
	return false;
}

void server_take_packets(struct server *s)
{
	struct mono now = server_now(s);
	unsigned int left = SERVER_BATCH;

	s->batches++;
	while (left && run_burst(s, now, &left))
		;
}

static void on_packets(void *arg, uint32_t events)
{
	(void)events;
	server_take_packets(arg);
}

/* Some of what is due; returns whether there is more. */
static bool sweep(struct server *s)
{
	path_expire(&s->setup.path, server_now(s));
	return nat64_expire(s->setup.path.nat64, server_now(s), SWEEP_ENTRIES);
}

void server_advance(struct server *s, int64_t ns)
{
	s->ahead_ns += ns;
	while (s->setup.path.nat64 && sweep(s))
		;
	if (s->pcp)
		pcp_advance(s->pcp);
}

static void on_sweep(void *arg, struct mono due)
{
	struct server *s = arg;
	bool more = sweep(s);

	(void)due;
	if (!loop_add_timer(
		    s->loop,
		    mono_add(clock_now(), more ? SWEEP_BUSY_NS : SWEEP_IDLE_NS),
		    on_sweep, s)) {
		log_err("timer: %s", strerror(errno));
		loop_stop(s->loop);
	}
}

static void on_signal(void *arg, uint32_t events)
{
	struct server *s = arg;

	(void)events;
	loop_stop(s->loop);
}

/* ---- configuration --------------------------------------------------------
 */

/* On failure the diagnostics stay in @d. */
static struct config *load(const char *path, enum role role, struct arena **a,
			   struct diags *d)
{
	struct config *c;

	*a = arena_new();
	c = config_load(path, role, *a, d);
	if (!c) {
		arena_free(*a);
		*a = NULL;
	}
	return c;
}

static void print_diags(struct diags *d, char *text, size_t len)
{
	FILE *f = fmemopen(text, len, "w");

	text[0] = '\0';
	if (!f)
		return;
	diags_print(d, f);
	fclose(f);
	text[len - 1] = '\0';
}

int server_reload(struct server *s, char *text, size_t len)
{
	struct arena *a;
	struct config *c;
	struct diags d;
	struct err e;
	const char *what;

	diags_init(&d);
	c = load(s->config_path, s->config->role, &a, &d);
	if (!c)
		print_diags(&d, text, len);
	diags_fini(&d);
	if (!c)
		goto refused;
	if (!config_same_shape(s->config, c, &what)) {
		snprintf(text, len, "`%s` cannot change without a restart",
			 what);
		goto refused;
	}
	if (s->discover)
		discover_apply(s->discover, c);
	if (setup_apply(&s->setup, s->config, c, server_now(s), &e)) {
		snprintf(text, len, "%s", e.text);
		goto refused;
	}
	if (s->journal)
		journal_reload(s->journal, c);
	arena_free(s->arena);
	s->arena = a;
	s->config = c;
	if (s->discover)
		discover_update(s->discover);
	if (s->pcp)
		pcp_tables_changed(s->pcp);
	free(s->eams);
	s->eams = NULL;
	log_info("configuration reloaded");
	return 0;
refused:
	if (a)
		arena_free(a);
	log_warn("reload refused: %s", text);
	return -EINVAL;
}

/* ---- life -----------------------------------------------------------------
 */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct io *open_io(const struct config *c, struct err *e)
{
	struct io_tun_cfg tun = {.name = c->tun_name,
				 .mtu = (uint32_t)c->tun_mtu,
				 .queue = (uint32_t)c->tun_queue};
	struct io_packet_cfg packet = {.name = c->tun_name,
				       .vnet = c->io == CONFIG_IO_PACKET_VNET,
				       .mtu = (uint32_t)c->tun_mtu};

	return c->io == CONFIG_IO_TUN ? io_open_tun(&tun, e)
				      : io_open_packet(&packet, e);
}

/* Whoever shares our core waits: else a packet may wait for the whole of his
 * turn, which is milliseconds. What we start is not in that hurry. */
static int take_precedence(struct err *e)
{
	const struct sched_param lowest = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	if (!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
		return 0;
	return err_set(
		e, errno,
		"`realtime: true`: %s; it takes CAP_SYS_NICE, or a limit "
		"of real-time priority (ulimit -r) of 1",
		strerror(errno));
}

static int start(struct server *s, int signals, struct err *e)
{
	const struct config *c = s->config;

	if (c->realtime && take_precedence(e))
		return -1;

	s->io = open_io(c, e);
	if (!s->io)
		return -1;
	s->setup.path.emit = emit;
	s->setup.path.emit_arg = s->io;
	s->setup.path.event = server_tell_event;
	s->setup.path.event_arg = s;
	ratelimit_init(&s->events, SERVER_EVENT_RATE, SERVER_EVENT_BURST,
		       s->started.ns);
	s->loop = loop_new();
	if (!s->loop || !loop_add_fd(s->loop, signals, EPOLLIN, on_signal, s) ||
	    !loop_add_fd(s->loop, io_fd(s->io), EPOLLIN, on_packets, s))
		return err_set(e, errno, "event loop: %s", strerror(errno));
	if (s->setup.path.nat64)
		on_sweep(s, s->started);
	if (c->n_fast_interfaces) {
		s->fast = fast_open(s, e);
		if (!s->fast)
			return -1;
	}
	if (c->sync_key) {
		s->sync = sync_open(s, e);
		if (!s->sync)
			return -1;
	}
	if (c->has_pcp) {
		s->pcp = pcp_open(s, e);
		if (!s->pcp)
			return -1;
	}
	if (c->log_file) {
		s->journal = journal_open(s, e);
		if (!s->journal)
			return -1;
	}
	if (c->pref64_by != CONFIG_PREF64_GIVEN) {
		s->discover = discover_open(s, e);
		if (!s->discover)
			return -1;
	}
	if (c->control) {
		s->control = control_open(s, c->control, e);
		if (!s->control)
			return -1;
	}
	return 0;
}

static void stop(struct server *s)
{
	control_close(s->control);
	fast_close(s->fast);
	sync_close(s->sync);
	pcp_close(s->pcp);
	journal_close(s->journal);
	discover_close(s->discover);
	loop_free(s->loop);
	io_close(s->io);
	setup_fini(&s->setup);
	free(s->buf);
	free(s->eams);
	arena_free(s->arena);
}

static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	if (write(fd, "\n", 1) != 1)
		log_warn("ready descriptor %d: %s", fd, strerror(errno));
	close(fd);
}

static int serve(struct server *s, int ready_fd)
{
	int signals = open_signals(), status = 1;
	struct err e = {""};

	s->started = clock_now();
	s->buf = malloc(IO_BUFFER_BYTES + BURST * (size_t)ASIDE_ROOM);
	if (signals < 0 || !s->buf) {
		log_err("cannot start: %s", strerror(errno));
		goto out;
	}
	if (setup_init(&s->setup, s->config, s->started, &e) ||
	    start(s, signals, &e)) {
		log_err("%s", e.text);
		goto out;
	}
	log_info("%s on %s, MTU %lld%s", role_name(s->config->role),
		 s->config->tun_name, (long long)s->config->tun_mtu,
		 io_has_uso(s->io) ? "" : ", no UDP segmentation offload");
	tell_ready(ready_fd);
	loop_run(s->loop);
	log_info("stopped");
	status = 0;
out:
	stop(s);
	if (signals >= 0)
		close(signals);
	return status;
}

int server_run(const char *config_path, enum role role, int ready_fd)
{
	struct server s = {.config_path = config_path};
	struct diags d;

	diags_init(&d);
	s.config = load(config_path, role, &s.arena, &d);
	if (!s.config)
		diags_print(&d, stderr);
	diags_fini(&d);
	return s.config ? serve(&s, ready_fd) : 2;
}
