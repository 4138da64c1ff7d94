/* SPDX-License-Identifier: MIT */
/* Every link of a topology: its two ends, their addresses, its profile. */
#include "plan_internal.h"

#include <errno.h>
#include <string.h>

#define MTU_DEFAULT   1500
#define BURST_DEFAULT 65536.0
#define QUEUE_DEFAULT 50e6

static struct plan_link *add_link(struct planner *b, int a, int z)
{
	static const struct impairment none = {.burst_bytes = BURST_DEFAULT,
					       .queue_ns = QUEUE_DEFAULT};
	struct plan_link *l = ARENA_APPEND(b->a, b->p->links, b->p->n_links);
	const char *x = b->p->nodes[a].name, *y = b->p->nodes[z].name;

	l->name = arena_printf(b->a, "%s-%s", x, y);
	/* Link-local addresses everywhere: without one a router cannot ask
	 * for the neighbour of a packet that it forwards. */
	l->a = (struct plan_iface){.node = a, .name = y, .linklocal = true};
	l->b = (struct plan_iface){.node = z, .name = x, .linklocal = true};
	l->profile = (struct link_profile){
		.down = none, .up = none, .mtu = MTU_DEFAULT};
	return l;
}

/* ---- addresses --------------------------------------------------------------
 */

/* Number 1 is the end farther from the homes, number 2 the nearer one. */
static int set_net6(struct plan_link *l, const struct prefix6 *net)
{
	l->a.has6 = l->b.has6 = true;
	l->a.net6 = l->b.net6 = *net;
	return prefix6_host(net, 1, &l->b.addr6) ||
			       prefix6_host(net, 2, &l->a.addr6)
		       ? -ERANGE
		       : 0;
}

static int set_net4(struct plan_link *l, const struct prefix4 *net)
{
	l->a.has4 = l->b.has4 = true;
	l->a.net4 = l->b.net4 = *net;
	return prefix4_host(net, 1, &l->b.addr4) ||
			       prefix4_host(net, 2, &l->a.addr4)
		       ? -ERANGE
		       : 0;
}

/* A link between routers, numbered from the infrastructure's prefixes. */
static int set_infra(struct planner *b, struct plan_link *l, bool has4)
{
	struct prefix6 net6;
	struct prefix4 net4;
	int ret = addrplan_next_link6(&b->ap, &net6);

	if (!ret)
		ret = set_net6(l, &net6);
	if (!ret && has4)
		ret = addrplan_next_link4(&b->ap, &net4);
	if (!ret && has4)
		ret = set_net4(l, &net4);
	if (ret)
		return err_set(b->e, -ret, "link %s: no subnet is left for it",
			       l->name);
	return 0;
}

/*
 * A host of the internet has its own address and nothing around it; inet
 * repeats its own on each such link, to be found as their gateway.
 */
static void set_unnumbered(struct planner *b, struct plan_link *l)
{
	const struct plan_node *inet = &b->p->nodes[b->inet];
	const struct plan_node *host = &b->p->nodes[l->b.node];
	const bool has4 = !host->server || host->server->has4;
	const bool has6 = !host->server || host->server->has6;

	if (has4) {
		l->a.has4 = l->b.has4 = true;
		l->a.addr4 = inet->loop4;
		l->b.addr4 = host->host4;
		l->a.net4 = (struct prefix4){inet->loop4, 32};
		l->b.net4 = (struct prefix4){host->host4, 32};
	}
	if (has6) {
		l->a.has6 = l->b.has6 = true;
		l->a.addr6 = inet->loop6;
		l->b.addr6 = host->host6;
		l->a.net6 = (struct prefix6){inet->loop6, 128};
		l->b.net6 = (struct prefix6){host->host6, 128};
	}
}

/* ---- profiles ---------------------------------------------------------------
 */

static void overlay_impairment(struct impairment *to,
			       const struct impairment *from)
{
	const struct {
		double *to, from, unset;
	} v[] = {
		{&to->rate_bps, from->rate_bps, 0},
		{&to->burst_bytes, from->burst_bytes, BURST_DEFAULT},
		{&to->queue_ns, from->queue_ns, QUEUE_DEFAULT},
		{&to->delay_ns, from->delay_ns, 0},
		{&to->jitter_ns, from->jitter_ns, 0},
		{&to->loss, from->loss, 0},
		{&to->reorder, from->reorder, 0},
		{&to->duplicate, from->duplicate, 0},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (v[i].from > 0 &&
		    (v[i].from < v[i].unset || v[i].from > v[i].unset))
			*v[i].to = v[i].from;
}

static void overlay_offload(enum offload_state *to, enum offload_state from)
{
	if (from != OFFLOAD_KEEP)
		*to = from;
}

/* What @from sets wins; what it leaves at the default stays as it was. */
static void overlay(struct link_profile *to, const struct link_profile *from)
{
	overlay_impairment(&to->down, &from->down);
	overlay_impairment(&to->up, &from->up);
	if (from->mtu && from->mtu != MTU_DEFAULT)
		to->mtu = from->mtu;
	to->block_icmp |= from->block_icmp;
	overlay_offload(&to->offloads.tso, from->offloads.tso);
	overlay_offload(&to->offloads.gso, from->offloads.gso);
	overlay_offload(&to->offloads.gro, from->offloads.gro);
	overlay_offload(&to->offloads.tx_checksum, from->offloads.tx_checksum);
	overlay_offload(&to->offloads.rx_checksum, from->offloads.rx_checksum);
}

/* More than a rate is nothing that tbf could do. */
static bool wants_relay(const struct impairment *i)
{
	return i->delay_ns > 0 || i->jitter_ns > 0 || i->loss > 0 ||
	       i->reorder > 0 || i->duplicate > 0;
}

static int set_profiles(struct planner *b)
{
	for (size_t i = 0; i < b->t->n_links; i++) {
		const struct link_spec *s = &b->t->links[i];
		int link = plan_find_link(b->p, s->a, s->b);

		if (link < 0)
			return err_set(b->e, ENOENT, "there is no link %s-%s",
				       s->a, s->b);
		overlay(&b->p->links[link].profile, &s->profile);
	}
	return 0;
}

static void set_relays(struct planner *b)
{
	struct plan_node *relay;
	bool any = false;

	for (size_t i = 0; i < b->p->n_links; i++) {
		struct plan_link *l = &b->p->links[i];

		if (!wants_relay(&l->profile.down) &&
		    !wants_relay(&l->profile.up))
			continue;
		any = l->relayed = true;
		/* names of links are too long for interfaces */
		l->relay_a = arena_printf(b->a, "link%zua", i);
		l->relay_b = arena_printf(b->a, "link%zub", i);
	}
	b->relay = -1;
	if (!any)
		return;
	relay = ARENA_APPEND(b->a, b->p->nodes, b->p->n_nodes);
	relay->name = "relay";
	relay->role = NODE_RELAY;
	b->relay = (int)b->p->n_nodes - 1;
}

/* ---- all together -----------------------------------------------------------
 */

static int link_home(struct planner *b, int home, int tower, size_t t,
		     uint64_t k)
{
	const struct homes_spec *h = &b->t->towers[t].homes;
	struct addrplan_home ah;
	struct plan_link *l = add_link(b, home, home + 1);

	if (set_net4(l, &b->p->nodes[home].lan4) ||
	    set_net6(l, &b->p->nodes[home].lan6) ||
	    addrplan_home(&b->ap, t, k, &ah))
		return err_set(b->e, ERANGE, "link %s: its LAN is too small",
			       l->name);
	l = add_link(b, home + 1, tower);
	l->profile.down.rate_bps = h->plan_down_bps;
	l->profile.up.rate_bps = h->plan_up_bps;
	if (b->t->plain4 && set_net4(l, &b->p->nodes[home + 1].wan4))
		return err_set(b->e, ERANGE, "link %s: no IPv4 is left for it",
			       l->name);
	return set_net6(l, &ah.wan);
}

/* Nodes stand in the order home, CPE, home, CPE, ..., tower. */
static int link_towers(struct planner *b)
{
	int node = 0;

	for (size_t i = 0; i < b->t->n_towers; i++) {
		int64_t count = b->t->towers[i].homes.count;
		int tower = node + 2 * (int)count, ret;
		struct plan_link *l;

		for (int64_t k = 1; k <= count; k++, node += 2) {
			ret = link_home(b, node, tower, i, (uint64_t)k);
			if (ret)
				return ret;
		}
		l = add_link(b, tower, b->access);
		overlay(&l->profile, &b->t->towers[i].radio);
		ret = set_infra(b, l, b->t->plain4 != NULL);
		if (ret)
			return ret;
		node = tower + 1;
	}
	return 0;
}

static int link_standby(struct planner *b)
{
	struct plan_link *l = add_link(b, b->first_plat, b->first_plat + 1);

	l->standby = true;
	return set_infra(b, l, false);
}

static int link_core(struct planner *b)
{
	struct plan_link *l;
	int ret = 0;

	for (size_t i = 0; !ret && i < b->t->n_plats; i++)
		ret = set_infra(b,
				add_link(b, b->access, b->first_plat + (int)i),
				b->t->plain4 != NULL);
	for (size_t i = 0; !ret && i < b->t->n_plats; i++)
		ret = set_infra(b,
				add_link(b, b->first_plat + (int)i, b->border),
				true);
	if (ret)
		return ret;
	l = add_link(b, b->border, b->inet);
	l->profile.down.delay_ns = b->t->internet.rtt_ns / 2;
	l->profile.up.delay_ns = b->t->internet.rtt_ns / 2;
	ret = set_infra(b, l, true);
	return ret || !b->t->standby ? ret : link_standby(b);
}

static void link_internet(struct planner *b)
{
	set_unnumbered(b, add_link(b, b->inet, b->dns));
	for (size_t i = 0; i < b->t->internet.n_names; i++)
		set_unnumbered(b,
			       add_link(b, b->inet, b->first_server + (int)i));
}

int plan_add_links(struct planner *b)
{
	int ret = link_towers(b);

	if (!ret)
		ret = link_core(b);
	if (ret)
		return ret;
	link_internet(b);
	ret = set_profiles(b);
	if (!ret)
		set_relays(b);
	return ret;
}
