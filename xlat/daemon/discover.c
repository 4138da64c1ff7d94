/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A CLAT without a configured prefix knows a set of prefixes (core/pref64.h),
 * filled by DNS, by router advertisements or by both. Routers know better (RFC
 * 8781 section 5.1): what they say is used as soon as it is heard, and DNS is
 * asked all the same, for the time when they say nothing any more. Whenever the
 * set changes, or the time of one of them is over, the first one that can be
 * used becomes config->pref64 and the tables are built anew, exactly as on a
 * reload; with none, every packet is answered with an ICMP error. What is in
 * use is config->pref64 and nothing else. Sessions are the PLAT's: nothing is
 * kept here that a change of prefix could break.
 */
#include "discover_internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/log.h"

static void on_end(void *arg, struct mono due)
{
	struct discover *d = arg;
	bool had = pref64_by_router(&d->set);

	(void)due;
	d->end = NULL;
	pref64_expire(&d->set, clock_now());
	discover_update(d);
	discover_ra_check(d, had);
}

static void arm_end(struct discover *d)
{
	struct mono when;

	loop_del(d->server->loop, d->end);
	d->end = NULL;
	if (!pref64_next_end(&d->set, &when))
		return;
	d->end = loop_add_timer(d->server->loop, when, on_end, d);
	if (!d->end)
		log_err("timer: %s", strerror(errno));
}

/* Translate by @p from now on. On failure nothing has changed. */
static int use(struct discover *d, const struct prefix6 *p, struct err *e)
{
	struct server *s = d->server;
	struct prefix6 was = s->config->pref64;
	bool had = s->config->has_pref64;
	int ret;

	if (!config_set_pref64(s->config, p))
		return err_set(e, EINVAL,
			       "only /32 and /96 allow checksum-neutral "
			       "addresses");
	ret = setup_apply(&s->setup, NULL, s->config, server_now(s), e);
	if (ret)
		config_set_pref64(s->config, had ? &was : NULL);
	return ret;
}

/* Never translate by a prefix that is no longer valid. */
static void use_none(struct discover *d)
{
	struct server *s = d->server;
	struct err e;

	config_set_pref64(s->config, NULL);
	if (setup_apply(&s->setup, NULL, s->config, server_now(s), &e)) {
		log_err("without a prefix: %s", e.text);
		s->setup.path.map.has_pref64 = false;
		if (s->setup.changed)
			s->setup.changed(s->setup.changed_arg);
	}
	d->stats.changes++;
	log_warn("no prefix of a PLAT is known%s",
		 d->set.n ? " that is of use" : "");
}

/* Said once of each, however often it is announced. */
static void refuse(struct pref64_known *k, const struct err *e)
{
	char text[ADDR_TEXT_LEN];

	if (!k->refused)
		log_err("prefix %s is not used: %s",
			prefix6_format(&k->p, text), e->text);
	k->refused = true;
}

/*
 * The first that can be used. What was refused is tried again when there is
 * no other, for the reason may have gone.
 */
void discover_update(struct discover *d)
{
	const struct config *c = d->server->config;
	const struct pref64_known *now =
		c->has_pref64 ? pref64_find(&d->set, &c->pref64) : NULL;
	char text[ADDR_TEXT_LEN];
	struct err e;

	arm_end(d);
	for (unsigned int i = 0; i < d->set.n; i++) {
		struct pref64_known *k = &d->set.v[i];

		if (k == now)
			return;
		/* what is as good as the one in use is no reason to change */
		if (now &&
		    (k->refused || pref64_by_dns(k) == pref64_by_dns(now)))
			continue;
		if (use(d, &k->p, &e)) {
			refuse(k, &e);
			continue;
		}
		k->refused = false;
		d->stats.changes++;
		log_info("prefix of the PLAT: %s", prefix6_format(&k->p, text));
		return;
	}
	if (c->has_pref64)
		use_none(d);
}

void discover_in(struct discover *d, struct discover_feed *f, int64_t ns,
		 loop_timer_fn *fn)
{
	struct loop *l = d->server->loop;

	loop_del(l, f->timer);
	f->timer = loop_add_timer(l, mono_add(clock_now(), ns), fn, d);
	if (!f->timer) {
		log_err("timer: %s", strerror(errno));
		loop_stop(l);
	}
}

int discover_watch(struct discover *d, struct discover_feed *f, int fd,
		   uint32_t events, loop_fd_fn *fn)
{
	f->fd = fd;
	f->source = loop_add_fd(d->server->loop, fd, events, fn, d);
	if (f->source)
		return 0;
	discover_unwatch(d, f);
	return -ENOMEM;
}

void discover_unwatch(struct discover *d, struct discover_feed *f)
{
	if (f->fd < 0)
		return;
	loop_del(d->server->loop, f->source);
	close(f->fd);
	f->source = NULL;
	f->fd = -1;
}

static void close_feed(struct discover *d, struct discover_feed *f)
{
	discover_unwatch(d, f);
	loop_del(d->server->loop, f->timer);
}

/* What has changed does not matter, nor whether some of it was lost. */
static void on_links(void *arg, uint32_t events)
{
	struct discover *d = arg;
	char buf[4096];

	(void)events;
	while (recv(d->links.fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 ||
	       errno == ENOBUFS)
		;
	if (config_asks_dns(d->server->config))
		discover_dns_hurry(d);
	if (config_hears_routers(d->server->config))
		discover_ra_follow(d);
}

static int watch_links(struct discover *d, struct err *e)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK,
				.nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a))) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		return err_set(e, code, "news of interfaces: %s",
			       strerror(code));
	}
	if (discover_watch(d, &d->links, fd, EPOLLIN, on_links))
		return err_set(e, ENOMEM, "news of interfaces: out of memory");
	return 0;
}

static int start(struct discover *d, struct err *e)
{
	const struct config *c = d->server->config;
	int ret = watch_links(d, e);

	if (ret)
		return ret;
	if (config_asks_dns(c))
		discover_dns_start(d);
	return config_hears_routers(c) ? discover_ra_open(d, e) : 0;
}

struct discover *discover_open(struct server *s, struct err *e)
{
	struct discover *d = calloc(1, sizeof(*d));
	uint64_t seed;

	if (!d || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		err_set(e, d ? errno : ENOMEM, "discovery: %s",
			strerror(d ? errno : ENOMEM));
		free(d);
		return NULL;
	}
	d->server = s;
	d->query.fd = d->routers.fd = d->links.fd = -1;
	rng_init(&d->rng, seed);
	if (start(d, e)) {
		discover_close(d);
		return NULL;
	}
	return d;
}

void discover_close(struct discover *d)
{
	if (!d)
		return;
	close_feed(d, &d->query);
	close_feed(d, &d->routers);
	close_feed(d, &d->links);
	loop_del(d->server->loop, d->end);
	free(d);
}

void discover_apply(const struct discover *d, struct config *c)
{
	const struct config *was = d->server->config;

	if (was->has_pref64)
		config_set_pref64(c, &was->pref64);
}

void discover_get_stats(const struct discover *d, struct discover_stats *out)
{
	const struct config *c = d->server->config;
	const struct pref64_known *now = pref64_find(&d->set, &c->pref64);

	*out = d->stats;
	out->prefixes = d->set.n;
	out->known = c->has_pref64;
	out->source = NULL;
	out->prefix = c->pref64;
	if (!c->has_pref64 || !now)
		return;
	out->source = pref64_by_dns(now) ? "dns" : "ra";
	out->forever = pref64_by_dns(now);
	out->left_s = mono_sub(now->until, clock_now()) / NS_PER_S;
}
