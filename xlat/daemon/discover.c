/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A CLAT without a configured prefix knows a set of prefixes (core/pref64.h),
 * filled by one source: DNS or router advertisements. Whenever the set
 * changes, or the time of one of them is over, the best one becomes
 * config->pref64 and the tables are built anew, exactly as on a reload; with
 * none, every packet is answered with an ICMP error. Sessions are the PLAT's:
 * nothing is kept here that a change of prefix could break.
 */
#include "discover_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "../base/log.h"

static void on_end(void *arg, struct mono due)
{
	struct discover *d = arg;

	(void)due;
	d->end = NULL;
	pref64_expire(&d->set, clock_now());
	discover_update(d);
	if (!d->set.n && d->server->config->pref64_by == CONFIG_PREF64_RA)
		discover_ra_lost(d);
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

static void use(struct discover *d, const struct prefix6 *p)
{
	struct server *s = d->server;
	char text[ADDR_TEXT_LEN];
	struct err e;

	if (!config_set_pref64(s->config, p)) {
		log_err("prefix %s: only /32 and /96 allow checksum-neutral "
			"addresses; it is not used",
			prefix6_format(p, text));
		p = NULL;
	}
	if (setup_apply(&s->setup, NULL, s->config, server_now(s), &e)) {
		log_err("prefix not used: %s", e.text);
		/* never translate by one that is no longer valid */
		s->setup.path.map.has_pref64 = false;
		s->config->has_pref64 = false;
		p = NULL;
	}
	if (p)
		log_info("prefix of the PLAT: %s", prefix6_format(p, text));
	else
		log_warn("no prefix of a PLAT is known");
}

void discover_update(struct discover *d)
{
	const struct pref64_known *best = pref64_best(&d->set);
	struct discover_stats *st = &d->stats;
	bool same = best ? st->known && st->prefix.len == best->p.len &&
				    !memcmp(&st->prefix.addr, &best->p.addr,
					    sizeof(best->p.addr))
			 : !st->known;

	arm_end(d);
	if (same)
		return;
	st->changes++;
	st->known = best != NULL;
	if (best)
		st->prefix = best->p;
	use(d, best ? &best->p : NULL);
}

void discover_retry(struct discover *d, int64_t ns, loop_timer_fn *fn)
{
	struct loop *l = d->server->loop;

	loop_del(l, d->retry);
	d->retry = loop_add_timer(l, mono_add(clock_now(), ns), fn, d);
	if (!d->retry) {
		log_err("timer: %s", strerror(errno));
		loop_stop(l);
	}
}

int discover_watch(struct discover *d, int fd, loop_fd_fn *fn)
{
	d->fd = fd;
	d->source = loop_add_fd(d->server->loop, fd, EPOLLIN, fn, d);
	if (d->source)
		return 0;
	discover_unwatch(d);
	return -ENOMEM;
}

void discover_unwatch(struct discover *d)
{
	if (d->fd < 0)
		return;
	loop_del(d->server->loop, d->source);
	close(d->fd);
	d->source = NULL;
	d->fd = -1;
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
	d->fd = -1;
	rng_init(&d->rng, seed);
	if (s->config->pref64_by == CONFIG_PREF64_DNS) {
		discover_dns_start(d);
	} else if (discover_ra_open(d, e)) {
		discover_close(d);
		return NULL;
	}
	return d;
}

void discover_close(struct discover *d)
{
	if (!d)
		return;
	discover_unwatch(d);
	loop_del(d->server->loop, d->retry);
	loop_del(d->server->loop, d->end);
	free(d);
}

void discover_apply(const struct discover *d, struct config *c)
{
	char text[ADDR_TEXT_LEN];

	if (!config_set_pref64(c, d->stats.known ? &d->stats.prefix : NULL))
		log_err("prefix %s: only /32 and /96 allow checksum-neutral "
			"addresses; it is not used",
			prefix6_format(&d->stats.prefix, text));
}

void discover_get_stats(const struct discover *d, struct discover_stats *out)
{
	const struct pref64_known *best = pref64_best(&d->set);

	*out = d->stats;
	out->known = d->server->config->has_pref64;
	out->prefixes = d->set.n;
	out->forever = d->server->config->pref64_by == CONFIG_PREF64_DNS;
	if (best)
		out->left_s = mono_sub(best->until, clock_now()) / NS_PER_S;
}
