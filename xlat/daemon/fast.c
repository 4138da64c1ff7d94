/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The path tells of every packet that the kernel could have translated by
 * itself, and it is offered the pair of addresses; whatever changes how
 * packets are translated makes it forget all pairs. bpf/fastpath.c does the
 * rest.
 *
 * A PLAT offers its sessions: of UDP, and of TCP while they are established
 * and nothing in them opens, closes or resets a connection; those segments
 * come here always. A session that ends, or TCP that leaves that state, is
 * withdrawn before the next packet is read. What the kernel has used is
 * prolonged by a walk, each within a second: no timer of RFC 6146 is as short,
 * and a configured one that is ends a session early, never late.
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

/* A stateless translator's. */
static void on_pair(void *arg, const struct pkt_info *info,
		    const struct xlat_map *map, bool bulk, struct mono now)
{
	const struct pkt_ip *ip = &info->outer;
	const struct xlat_ends *to = &map->outer;
	struct fast *x = arg;

	(void)bulk;
	if (info->v6)
		fastpath_offer64(x->kernel, &ip->src.v6, &ip->dst.v6,
				 to->src.v4, to->dst.v4, now);
	else
		fastpath_offer46(x->kernel, ip->src.v4, ip->dst.v4, &to->src.v6,
				 &to->dst.v6, now);
}

/* ---- sessions --------------------------------------------------------------
 */

static struct fastpath_flow flow_of(const struct pkt_info *info,
				    const struct xlat_map *map)
{
	const struct pkt_ip *ip = &info->outer;
	const struct xlat_ends *to = &map->outer;

	if (info->v6)
		return (struct fastpath_flow){
			ip->src.v6, ip->dst.v6, to->src.v4, to->dst.v4,
			ip->sport,  to->sport,	ip->dport,  ip->proto};
	return (struct fastpath_flow){to->dst.v6, to->src.v6, ip->dst.v4,
				      ip->src.v4, to->dport,  ip->dport,
				      ip->sport,  ip->proto};
}

static struct nat64_flow session_of(const struct fastpath_flow *f)
{
	return (struct nat64_flow){.proto = f->proto == IPPROTO_TCP ? NAT64_TCP
								    : NAT64_UDP,
				   .tcp_flags = NAT64_ACK,
				   .src6 = f->src6,
				   .dst6 = f->dst6,
				   .src4 = f->src4,
				   .dst4 = f->dst4,
				   .src6_port = f->src6_port,
				   .src4_port = f->src4_port,
				   .dst_port = f->dst_port};
}

/* Is there such a session, whose packets change nothing about it? */
static bool is_steady(const struct fast *x, const struct nat64_flow *f)
{
	struct nat64_session_info s;

	return nat64_find_session(x->server->setup.path.nat64, f,
				  server_now(x->server), &s) &&
	       (f->proto != NAT64_TCP || s.state == NAT64_ESTABLISHED);
}

static void on_flow(void *arg, const struct pkt_info *info,
		    const struct xlat_map *map, bool bulk, struct mono now)
{
	struct fastpath_flow f = flow_of(info, map);
	struct nat64_flow session;
	struct fast *x = arg;

	if (info->outer.tcp_flags & (NAT64_SYN | NAT64_FIN | NAT64_RST) ||
	    !fastpath_wants_flow(x->kernel, &f, info->v6, bulk, now))
		return;
	session = session_of(&f);
	if (is_steady(x, &session))
		fastpath_tell_flow(x->kernel, &f, info->v6, now);
}

/* As the packets that the kernel has translated would have done. */
static bool prolong(void *arg, const struct fastpath_flow *f, bool from6)
{
	struct fast *x = arg;
	struct nat64 *n = x->server->setup.path.nat64;
	struct nat64_flow session = session_of(f);

	if (!is_steady(x, &session))
		return false;
	return !(from6 ? nat64_out(n, &session, server_now(x->server))
		       : nat64_in(n, &session, server_now(x->server)));
}

static void on_session(void *arg, enum nat64_event ev,
		       const struct nat64_session_info *s)
{
	const struct nat64_flow *f = &s->flow;
	struct fast *x = arg;

	if (f->proto == NAT64_ICMP ||
	    (ev != NAT64_SESSION_END &&
	     (ev != NAT64_SESSION_STATE || s->state == NAT64_ESTABLISHED)))
		return;
	fastpath_withdraw_flow(
		x->kernel,
		&(struct fastpath_flow){f->src6, f->dst6, f->src4, f->dst4,
					f->src6_port, f->src4_port, f->dst_port,
					f->proto == NAT64_TCP ? IPPROTO_TCP
							      : IPPROTO_UDP});
}

/* ---- life ------------------------------------------------------------------
 */

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
	if (x->server->setup.path.nat64)
		fastpath_walk(x->kernel, server_now(x->server), prolong, x);
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
				  s->setup.path.nat64, server_now(s), e);
	if (!x->kernel)
		goto failed;
	if (!loop_add_fd(s->loop, fastpath_fd(x->kernel), EPOLLIN, on_news,
			 x)) {
		err_set(e, errno, "event loop: %s", strerror(errno));
		goto failed;
	}
	if (s->setup.path.nat64 &&
	    !nat64_watch(s->setup.path.nat64, on_session, x)) {
		err_set(e, ENOSPC, "fast path: too many watch the sessions");
		goto failed;
	}
	s->setup.path.flow = s->setup.path.nat64 ? on_flow : on_pair;
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
	if (x->server && x->server->setup.path.nat64)
		nat64_unwatch(x->server->setup.path.nat64, on_session, x);
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
