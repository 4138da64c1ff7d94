/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The path tells of every packet that the kernel could have translated by
 * itself, and it is offered the pair of addresses; whatever changes how
 * packets are translated makes it forget all pairs. bpf/fastpath.c does the
 * rest.
 *
 * The names of the interfaces are copied: they outlive the configuration that
 * a reload replaces.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "../base/log.h"
#include "../bpf/fastpath.h"
#include "server.h"

struct fast {
	struct server *server;
	struct fastpath *kernel;
	char **names;
	size_t n;
};

static void on_flow(void *arg, const struct pkt_info *info,
		    const struct xlat_map *map, struct mono now)
{
	const struct pkt_ip *ip = &info->outer;
	const struct xlat_ends *to = &map->outer;
	struct fast *x = arg;

	if (info->v6)
		fastpath_offer64(x->kernel, &ip->src.v6, &ip->dst.v6,
				 to->src.v4, to->dst.v4, now);
	else
		fastpath_offer46(x->kernel, ip->src.v4, ip->dst.v4, &to->src.v6,
				 &to->dst.v6, now);
}

static void on_change(void *arg)
{
	struct fast *x = arg;
	const struct xlat_cfg *c = &x->server->setup.path.xlat;

	fastpath_change(x->kernel,
			&(struct fastpath_rules){.mtu4 = c->mtu4,
						 .mtu6 = c->mtu6,
						 .lowest_mtu6 = c->lowest_mtu6,
						 .set_tos = c->set_tos,
						 .tos = c->tos,
						 .zero_tc = c->zero_tc});
}

static void on_news(void *arg, uint32_t events)
{
	struct fast *x = arg;

	(void)events;
	fastpath_look(x->kernel, server_now(x->server));
}

/* Whoever stops this timer stops the fast path. */
static void on_tend(void *arg, struct mono due)
{
	struct fast *x = arg;

	(void)due;
	fastpath_tend(x->kernel, clock_now());
	if (!loop_add_timer(x->server->loop,
			    mono_add(clock_now(), FASTPATH_TEND_NS), on_tend,
			    x)) {
		log_err("timer: %s", strerror(errno));
		loop_stop(x->server->loop);
	}
}

static bool copy_names(struct fast *x, const struct config *c)
{
	x->names = calloc(c->n_fast_interfaces, sizeof(*x->names));
	for (; x->names && x->n < c->n_fast_interfaces; x->n++) {
		x->names[x->n] = strdup(c->fast_interfaces[x->n]);
		if (!x->names[x->n])
			return false;
	}
	return x->names;
}

struct fast *fast_open(struct server *s, struct err *e)
{
	struct fast *x = calloc(1, sizeof(*x));

	if (!x || !copy_names(x, s->config)) {
		err_set(e, ENOMEM, "out of memory");
		goto failed;
	}
	x->server = s;
	x->kernel = fastpath_open(s->config->tun_name,
				  (const char *const *)x->names, x->n,
				  server_now(s), e);
	if (!x->kernel)
		goto failed;
	if (!loop_add_fd(s->loop, fastpath_fd(x->kernel), EPOLLIN, on_news,
			 x)) {
		err_set(e, errno, "event loop: %s", strerror(errno));
		goto failed;
	}
	s->setup.path.flow = on_flow;
	s->setup.path.flow_arg = x;
	s->setup.changed = on_change;
	s->setup.changed_arg = x;
	on_change(x);
	on_tend(x, s->started);
	return x;
failed:
	fast_close(x);
	return NULL;
}

void fast_close(struct fast *x)
{
	if (!x)
		return;
	fastpath_close(x->kernel);
	for (size_t i = 0; i < x->n; i++)
		free(x->names[i]);
	free(x->names);
	free(x);
}

void fast_get_stats(const struct fast *x, struct fastpath_stats *st)
{
	fastpath_get_stats(x->kernel, st);
}
