/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Three nodes in a row: six -- engine -- four. An engine with a TUN device is
 * met at that device: what is sent there by a packet socket is read by the
 * engine as it is, and what the engine writes is captured before the kernel
 * looks at it, so that neither the kernel's checks nor its hop counts come
 * between. Where the kernel is part of the engine, the ports are links; a hop
 * that the kernel takes there is given back by the bench.
 *
 * Silence is proven without waiting: engines deal with packets in the order in
 * which they come, so after each step a marker is sent, which surely passes.
 * When it has come out, all that was sent before has been dealt with.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../engine/engine.h"
#include "bench_internal.h"
#include "fields.h"

#define PATIENCE_NS	 (10 * NS_PER_S)
#define FENCE_NS	 (5 * NS_PER_S)
#define RETRY_NS	 (20 * NS_PER_MS)
#define MAX_REAL_WAIT_NS (3 * NS_PER_S)

/* ---- markers ---------------------------------------------------------------
 */

static size_t make_marker(struct bench *b, uint8_t *buf, size_t len)
{
	char src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN];
	struct arena *a = arena_new();
	struct text t;
	struct packet *p;
	struct diags d;
	size_t n = 0;

	diags_init(&d);
	t.s = arena_printf(a,
			   "ip6 src=%s dst=%s / udp sport=40001 dport=40002 / "
			   "text \"" MARKER_TEXT "%08llu\"",
			   in6_format(&b->setup->marker_src, src),
			   in6_format(&b->setup->marker_dst, dst),
			   (unsigned long long)b->marker);
	t.pos = arena_alloc(a, (strlen(t.s) + 1) * sizeof(*t.pos));
	p = packet_parse(&t, 0, false, NULL, a, &d);
	if (p)
		n = packet_build(p, NULL, NULL, 0, buf, len, NULL);
	diags_fini(&d);
	arena_free(a);
	return n;
}

/* Turn the marker that came out round: an answer to it. */
static void turn_marker(struct bench *b)
{
	uint8_t *v = b->marker_bytes, keep[4];
	size_t at = (size_t)(v[0] & 15) * 4;

	memcpy(keep, v + 12, 4);
	memcpy(v + 12, v + 16, 4);
	memcpy(v + 16, keep, 4);
	memcpy(keep, v + at, 2);
	memcpy(v + at, v + at + 2, 2);
	memcpy(v + at + 2, keep, 2);
	v[8] = 64;
	bits_put(v, 80, 16, 0);
	bits_put(v, 80, 16, (uint16_t)~sum_fold(sum16(0, v, at)));
}

static bool is_settled(void *arg)
{
	struct bench *b = arg;

	return b->marker_back || b->ended;
}

static int await_marker(struct bench *b, int64_t patience_ns, struct err *e)
{
	int ret = loop_run_until(b->loop, is_settled, b,
				 mono_add(clock_now(), patience_ns));

	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (b->ended && !b->marker_back)
		return err_set(e, ECHILD, "%s", b->fault);
	if (ret)
		return err_set(e, ETIMEDOUT,
			       "%s no longer passes packets: one that passed "
			       "before is lost on its way to side %d",
			       b->player->name, b->marker_side);
	return 0;
}

/* One from side 6 to side 4. */
static int marker_over(struct bench *b, int64_t patience_ns, struct err *e)
{
	uint8_t buf[256];
	size_t len;
	int ret;

	b->marker++;
	b->marker_oldest =
		patience_ns == RETRY_NS ? b->marker_first : b->marker;
	b->marker_back = false;
	b->marker_side = 4;
	len = make_marker(b, buf, sizeof(buf));
	ret = bench_send(b, 6, buf, len, e);
	return ret ? ret : await_marker(b, patience_ns, e);
}

static int marker_and_answer(struct bench *b, int64_t patience_ns,
			     struct err *e)
{
	int ret = marker_over(b, patience_ns, e);

	if (ret || b->attach != ATTACH_TUN_AND_LINK)
		return ret;
	b->marker_back = false;
	b->marker_side = 6;
	turn_marker(b);
	ret = bench_send(b, 4, b->marker_bytes, b->marker_len, e);
	return ret ? ret : await_marker(b, patience_ns, e);
}

int bench_fence(struct bench *b, const struct captured **v, size_t *n,
		struct err *e)
{
	int ret = marker_and_answer(b, FENCE_NS, e);

	*v = b->captured;
	*n = b->n_captured;
	return ret;
}

void bench_forget(struct bench *b)
{
	arena_free(b->packets);
	b->packets = arena_new();
	b->captured = NULL;
	b->n_captured = 0;
}

int bench_wait(struct bench *b, int64_t ns, struct err *e)
{
	int ret;

	if (b->player->advance) {
		ret = b->player->advance(b, ns, e);
		return ret ? bench_blame(b, ret, e) : 0;
	}
	if (ns > MAX_REAL_WAIT_NS)
		return err_set(e, ENOTSUP,
			       "%s has no clock that can be advanced, and the "
			       "case waits longer than %d s",
			       b->player->name,
			       (int)(MAX_REAL_WAIT_NS / NS_PER_S));
	ret = loop_run_until(b->loop, bench_ended, b,
			     mono_add(clock_now(), ns));
	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	return b->ended ? err_set(e, ECHILD, "%s", b->fault) : 0;
}

/* ---- the engine's process --------------------------------------------------
 */

/* What a program said last, behind @buf: often the reason. */
static void append_last_words(struct bench *b, const char *log, char *buf,
			      size_t len)
{
	char path[512], *text, *end, *line;
	size_t n = strlen(buf);
	struct err e;

	bench_file(b, log, path, sizeof(path));
	text = file_read(path, NULL, &e);
	if (!text)
		return;
	end = text + strlen(text);
	while (end > text && end[-1] == '\n')
		*--end = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (*line)
		snprintf(buf + n, len - n, "; its last words: %s", line);
	free(text);
}

static void on_exit_of_engine(void *arg, struct proc *p, int wstatus)
{
	struct bench *b = arg;
	char how[64];

	(void)wstatus;
	if (b->stopping)
		return;
	b->ended = true;
	snprintf(b->fault, sizeof(b->fault), "%s %s", b->player->name,
		 proc_describe_end(p, how, sizeof(how)));
	append_last_words(b, "engine.log", b->fault, sizeof(b->fault));
}

int bench_spawn(struct bench *b, const char *const *argv, struct err *e)
{
	struct spawn s = {.node = BENCH_ENGINE,
			  .argv = argv,
			  .log = "engine.log",
			  .on_exit = on_exit_of_engine,
			  .arg = b};

	return world_spawn(b->world, &s, &b->proc, e);
}

int bench_run(struct bench *b, const char *const *argv, struct err *e)
{
	struct spawn s = {
		.node = BENCH_ENGINE, .argv = argv, .log = "helper.log"};
	struct proc *p;
	char how[64];
	int ret = world_spawn(b->world, &s, &p, e);

	if (ret)
		return ret;
	ret = proc_wait(p, mono_add(clock_now(), PATIENCE_NS));
	if (ret) {
		err_set(e, -ret, "%s: %s", argv[0], strerror(-ret));
	} else if (proc_status(p)) {
		ret = err_set(e, EIO, "%s %s", argv[0],
			      proc_describe_end(p, how, sizeof(how)));
		append_last_words(b, "helper.log", e->text, sizeof(e->text));
	}
	proc_free(p);
	return ret;
}

struct device {
	struct bench *b;
	bool up;
};

static int look_up(void *arg)
{
	struct device *dev = arg;
	struct ifreq r = {.ifr_name = BENCH_TUN};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!ioctl(fd, SIOCGIFFLAGS, &r))
		dev->up = r.ifr_flags & IFF_UP;
	close(fd);
	return 0;
}

static bool tun_is_up(void *arg)
{
	struct bench *b = arg;
	struct device dev = {.b = b};

	if (world_iface_exists(b->world, BENCH_ENGINE, BENCH_TUN))
		world_enter(b->world, BENCH_ENGINE, look_up, &dev, NULL);
	return dev.up || b->ended;
}

static bool tun_exists(void *arg)
{
	struct bench *b = arg;

	return world_iface_exists(b->world, BENCH_ENGINE, BENCH_TUN) ||
	       b->ended;
}

static void on_look(void *arg, struct mono due)
{
	struct bench *b = arg;

	(void)due;
	b->looker = loop_add_timer(
		b->loop, mono_add(clock_now(), 2 * NS_PER_MS), on_look, b);
}

int bench_await(struct bench *b, bool (*done)(void *arg), void *arg,
		int64_t patience_ns)
{
	int ret;

	on_look(b, clock_now());
	ret = loop_run_until(b->loop, done, arg,
			     mono_add(clock_now(), patience_ns));
	loop_del(b->loop, b->looker);
	b->looker = NULL;
	return ret;
}

/* Until @done, or the engine has ended. */
static int await(struct bench *b, bool (*done)(void *arg), struct err *e)
{
	int ret = bench_await(b, done, b, PATIENCE_NS);

	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (b->ended)
		return err_set(e, ECHILD, "%s", b->fault);
	if (ret)
		return err_set(e, ETIMEDOUT,
			       "%s was started, but its device "
			       "does not appear",
			       b->player->name);
	return 0;
}

int bench_raise_tun(struct bench *b, struct err *e)
{
	int ret = await(b, tun_exists, e);

	return ret ? ret
		   : engine_raise_tun(b->world, BENCH_ENGINE, BENCH_TUN, e);
}

/* ---- start and stop --------------------------------------------------------
 */

static int attach_ports(struct bench *b, struct err *e)
{
	bool both = b->attach != ATTACH_TUN_AND_LINK;
	int ret = await(b, tun_is_up, e);

	if (!ret)
		ret = bench_port_attach(b, &b->ports[0], both ? 0 : 6,
					BENCH_ENGINE, BENCH_TUN, 0, e);
	b->ports[0].learns = b->ports[0].wire = b->attach == ATTACH_TAP;
	if (!ret && !both)
		ret = bench_attach_four(b, e);
	return ret;
}

/* Until a marker has come through, both ways. */
static int await_passing(struct bench *b, struct err *e)
{
	struct mono deadline = mono_add(clock_now(), PATIENCE_NS);
	int ret;

	b->marker_first = b->marker + 1;
	do {
		if (b->attach == ATTACH_TAP && !b->ports[0].has_mac)
			bench_poke_guest(b);
		ret = marker_and_answer(b, RETRY_NS, e);
	} while (ret == -ETIMEDOUT && mono_before(clock_now(), deadline));
	if (ret == -ETIMEDOUT)
		err_set(e, ETIMEDOUT,
			"%s was started, but the packet of `marker` does not "
			"pass (%s)",
			b->player->name, b->setup->name);
	return ret;
}

static int configure(struct bench *b, const char *path, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	ret = b->player->configure(b->setup, f, e);
	fclose(f);
	if (!ret)
		ret = file_write(path, text, len, e);
	free(text);
	return ret;
}

int bench_start(struct bench *b, const struct player *p, const struct setup *s,
		struct err *e)
{
	char path[512];
	int ret;

	bench_stop(b);
	b->player = p;
	b->setup = s;
	b->attach = p->attach(s->role);
	b->ended = b->stopping = false;
	snprintf(path, sizeof(path), "%s/engine.conf",
		 world_node_dir(b->world, BENCH_ENGINE));
	ret = configure(b, path, e);
	if (!ret)
		ret = p->start(b, s, path, e);
	if (!ret)
		ret = attach_ports(b, e);
	if (!ret)
		ret = await_passing(b, e);
	if (ret)
		bench_stop(b);
	else
		bench_forget(b);
	return ret;
}

const char *bench_engine(const struct bench *b)
{
	return b->player->name;
}

static bool tun_gone(void *arg)
{
	return !world_iface_exists(((struct bench *)arg)->world, BENCH_ENGINE,
				   BENCH_TUN);
}

void bench_stop(struct bench *b)
{
	struct err e;

	b->stopping = true;
	for (int i = 0; i < 2; i++)
		bench_port_close(b, &b->ports[i]);
	if (!b->proc)
		return;
	proc_stop(b->proc, NS_PER_S);
	proc_free(b->proc);
	b->proc = NULL;
	b->ended = false;
	if (b->player->stop)
		b->player->stop(b, b->setup);
	await(b, tun_gone, &e);
	bench_forget(b);
}
