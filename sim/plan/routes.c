/* SPDX-License-Identifier: MIT */
/*
 * The routes that stand still. What OSPF finds out, and what engines bring
 * with them (pool4, pool6, the CLAT's default route), is not among them.
 */
#include "plan_internal.h"

#include <string.h>
#include <sys/socket.h>

static const struct prefix4 default4;
static const struct prefix6 default6;

static struct plan_route *add_route(struct planner *b, int node)
{
	struct plan_route *r = ARENA_APPEND(b->a, b->p->routes, b->p->n_routes);

	r->node = node;
	return r;
}

static struct plan_route *add_route6(struct planner *b, int node,
				     const struct prefix6 *dst,
				     const struct in6_addr *via,
				     const char *dev)
{
	struct plan_route *r = add_route(b, node);

	r->family = AF_INET6;
	r->dst.family = AF_INET6;
	r->dst.v6 = dst->addr;
	r->len = dst->len;
	r->dev = dev;
	if (via) {
		r->has_via = true;
		r->via.family = AF_INET6;
		r->via.v6 = *via;
	}
	return r;
}

static struct plan_route *add_route4(struct planner *b, int node,
				     const struct prefix4 *dst,
				     const struct in_addr *via, const char *dev)
{
	struct plan_route *r = add_route(b, node);

	r->family = AF_INET;
	r->dst.family = AF_INET;
	r->dst.v4 = dst->addr;
	r->len = dst->len;
	r->dev = dev;
	if (via) {
		r->has_via = true;
		r->via.family = AF_INET;
		r->via.v4 = *via;
	}
	return r;
}

/*
 * What is delegated but not in use goes nowhere, rather than back to the
 * default route and round again (RFC 7084 WPD-5).
 */
static void add_discard6(struct planner *b, int node, const struct prefix6 *dst)
{
	add_route6(b, node, dst, NULL, NULL)->blackhole = true;
}

/* ---- by the link they go over
 * ------------------------------------------------
 */

static void route_home_link(struct planner *b, const struct plan_link *l)
{
	add_route4(b, l->a.node, &default4, &l->b.addr4, l->a.name);
	add_route6(b, l->a.node, &default6, &l->b.addr6, l->a.name);
}

/* Where access has IPv4: a home's link and LAN lie in one /28. */
static void route_cpe_link4(struct planner *b, const struct plan_link *l)
{
	const struct plan_node *cpe = &b->p->nodes[l->a.node];

	if (!b->t->plain4)
		return;
	add_route4(b, l->a.node, &default4, &l->b.addr4, l->a.name);
	if (!strcmp(b->t->plain4, "native"))
		add_route4(b, l->b.node, &cpe->lan4, &l->a.addr4, l->b.name);
}

static void route_cpe_link(struct planner *b, const struct plan_link *l)
{
	const struct prefix6 *home = &b->p->nodes[l->a.node].delegated;

	route_cpe_link4(b, l);

	add_route6(b, l->a.node, &default6, &l->b.addr6, l->a.name);
	add_discard6(b, l->a.node, home);
	add_route6(b, l->b.node, home, &l->a.addr6, l->b.name);
}

static void route_tower_link4(struct planner *b, const struct plan_link *l)
{
	const struct plan *p = b->p;

	if (!b->t->plain4)
		return;
	add_route4(b, l->a.node, &default4, &l->b.addr4, l->a.name);
	for (size_t i = 0; i < p->n_nodes; i++) {
		struct prefix4 slice = {.addr = p->nodes[i].wan4.addr,
					.len = 28};

		if (p->nodes[i].role == NODE_CPE &&
		    p->nodes[i].tower == p->nodes[l->a.node].tower)
			add_route4(b, l->b.node, &slice, &l->a.addr4,
				   l->b.name);
	}
}

static void route_tower_link(struct planner *b, const struct plan_link *l)
{
	const struct plan_node *tower = &b->p->nodes[l->a.node];
	struct prefix6 loop = {tower->loop6, 128}, block;
	size_t index = (size_t)(tower->tower - b->t->towers);

	route_tower_link4(b, l);
	add_route6(b, l->a.node, &default6, &l->b.addr6, l->a.name);
	add_route6(b, l->b.node, &loop, &l->a.addr6, l->b.name);
	if (addrplan_block(&b->ap, index + 1, &block))
		return; /* its homes would not have fitted either */
	add_discard6(b, l->a.node, &block);
	add_route6(b, l->b.node, &block, &l->a.addr6, l->b.name);
}

/*
 * With no PLAT to announce it, pool4 would go back to the internet by the
 * border's default route, and round until its TTL ends. The administrative
 * distance, which zebra reads from the metric's first byte, lets OSPF win.
 */
#define LAST_RESORT (254U << 24)

static void discard_pool4(struct planner *b, int node)
{
	struct plan_route *r = add_route4(b, node, &b->t->pool4, NULL, NULL);

	r->blackhole = true;
	r->metric = LAST_RESORT;
}

static void route_border_link(struct planner *b, const struct plan_link *l)
{
	discard_pool4(b, l->a.node);
	add_route4(b, l->a.node, &default4, &l->b.addr4, l->a.name);
	add_route6(b, l->a.node, &default6, &l->b.addr6, l->a.name);
	add_route4(b, l->b.node, &b->t->pool4, &l->a.addr4, l->b.name);
	add_route4(b, l->b.node, &b->t->infra4, &l->a.addr4, l->b.name);
	add_route6(b, l->b.node, &b->t->operator_prefix, &l->a.addr6,
		   l->b.name);
}

/*
 * Below what IPv6 carries, a server is one that does not know of the narrow
 * link: it announces the MSS of an ethernet, so that full segments are sent to
 * it.
 */
#define MTU_MIN6  1280
#define MSS_ETHER 1460

static void route_host_link(struct planner *b, const struct plan_link *l)
{
	struct prefix4 host4 = {l->b.addr4, 32};
	struct prefix6 host6 = {l->b.addr6, 128};
	struct plan_route *r;

	if (l->b.has4) {
		add_route4(b, l->a.node, &host4, NULL, l->a.name);
		r = add_route4(b, l->b.node, &default4, &l->a.addr4, l->b.name);
		r->onlink = true;
		if (l->profile.mtu < MTU_MIN6)
			r->advmss = MSS_ETHER;
	}
	if (l->b.has6) {
		add_route6(b, l->a.node, &host6, NULL, l->a.name);
		add_route6(b, l->b.node, &default6, &l->a.addr6, l->b.name)
			->onlink = true;
	}
}

void plan_add_routes(struct planner *b)
{
	for (size_t i = 0; i < b->p->n_links; i++) {
		const struct plan_link *l = &b->p->links[i];

		switch (b->p->nodes[l->a.node].role) {
		case NODE_HOME:
			route_home_link(b, l);
			break;
		case NODE_CPE:
			route_cpe_link(b, l);
			break;
		case NODE_TOWER:
			route_tower_link(b, l);
			break;
		case NODE_BORDER:
			route_border_link(b, l);
			break;
		case NODE_INET:
			route_host_link(b, l);
			break;
		case NODE_ACCESS:
			if (b->t->plain4)
				add_route4(b, l->b.node, &b->p->customers4,
					   &l->a.addr4, l->b.name);
			break;
		case NODE_PLAT:
			break; /* OSPF's */
		case NODE_DNS:
		case NODE_SERVER:
		case NODE_RELAY:
			break; /* never the nearer end */
		}
	}
}
