/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A PLAT announces pool6 (by having a route for it, which FRR redistributes)
 * and pool4 (by being attached to it) only while it can do its work: its engine
 * serves, and OSPF reaches the access router and the border over the links to
 * them. One that lost a side would still attract traffic from the other and
 * drop it: sessions that moved to the second PLAT would have their answers sent
 * to the first. Operators make the same check with a script beside the engine;
 * `track: false` in the topology leaves it out, but for the first time: ospfd
 * 8.4 overlooks a device that gets its address while ospfd starts.
 *
 * The device belongs to the engine's process: it vanishes when that ends,
 * however it ends, and the pools with it from OSPF.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

/* What must be reachable, and over which link, for a PLAT to be of use. */
struct side {
	struct addr router;
	uint8_t len;
	const char *dev;
};

struct announce {
	struct engine *en;
	struct nlroute *routes;
	struct addr via;
	uint32_t mtu4;
	struct side sides[2];
	size_t n_sides;
	bool announced;
	bool released; /* its sides no longer count: track is false */
};

static void add_side(struct announce *a, const struct plan_iface *near,
		     const struct plan_iface *far)
{
	const struct plan_node *n = &world_plan(a->en->world)->nodes[far->node];
	struct side *s;

	if (near->node != a->en->daemon->node || a->n_sides == 2)
		return;
	if (n->role != NODE_ACCESS && n->role != NODE_BORDER)
		return;
	s = &a->sides[a->n_sides++];
	s->dev = near->name;
	if (n->role == NODE_ACCESS) {
		s->router.family = AF_INET6;
		s->router.v6 = n->loop6;
		s->len = 128;
	} else {
		s->router.family = AF_INET;
		s->router.v4 = n->loop4;
		s->len = 32;
	}
}

static void on_routes(void *arg)
{
	announce_update(arg);
}

struct announce *announce_open(struct engine *en, const struct in6_addr *via,
			       uint32_t mtu4, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	struct announce *a = calloc(1, sizeof(*a));

	if (!a) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	a->en = en;
	a->mtu4 = mtu4;
	if (via)
		a->via = (struct addr){.family = AF_INET6, .v6 = *via};
	for (size_t i = 0; i < p->n_links; i++) {
		add_side(a, &p->links[i].a, &p->links[i].b);
		add_side(a, &p->links[i].b, &p->links[i].a);
	}
	a->routes = nlroute_open(en->world, en->daemon->node, e);
	if (a->routes && !nlroute_watch(a->routes, on_routes, a, e))
		return a;
	announce_close(a);
	return NULL;
}

void announce_close(struct announce *a)
{
	if (a)
		nlroute_close(a->routes);
	free(a);
}

static int set_routes(struct announce *a, bool add, struct err *e)
{
	const struct topology *t = world_plan(a->en->world)->topology;
	struct addr p6 = {.family = AF_INET6, .v6 = t->pool6.addr};
	const struct prefix4 *pool4 = &engine_node(a->en)->plat->pool4;
	struct addr p4 = {.family = AF_INET, .v4 = pool4->addr};
	const struct addr *via = a->via.family ? &a->via : NULL;
	int ret = nlroute_set_via(a->routes, add, &p6, t->pool6.len, via,
				  ENGINE_PLAT_TUN, 0, e);

	if (!ret)
		ret = nlroute_attach(a->routes, add, pool4, ENGINE_PLAT_TUN, e);
	return ret ? ret
		   : nlroute_set_via(a->routes, add, &p4, pool4->len, via,
				     ENGINE_PLAT_TUN, a->mtu4, e);
}

static bool is_of_use(struct announce *a)
{
	if (!a->en->serving)
		return false;
	if (a->released)
		return true;
	for (size_t i = 0; i < a->n_sides; i++)
		if (!nlroute_leads(a->routes, &a->sides[i].router,
				   a->sides[i].len, a->sides[i].dev))
			return false;
	return true;
}

void announce_update(struct announce *a)
{
	bool wanted = is_of_use(a);
	struct engine *en = a->en;
	struct err e;
	int ret;

	if (!en->serving)
		a->announced = false; /* gone with the device */
	if (wanted == a->announced)
		return;
	ret = set_routes(a, wanted, &e);
	if (!ret) {
		a->announced = wanted;
		a->released = !world_plan(en->world)->topology->routing.track;
	} else if (ret != -ENODEV) { /* it is just ending */
		engine_fault(en, "cannot announce its pools: %.100s", e.text);
	}
}
