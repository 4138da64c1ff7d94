/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A plan grows in stages, each of which only appends: nodes with their own
 * addresses, links with theirs, then routes, sysctls and daemons that refer to
 * both by index, at last the steps. Nothing is moved once it has an index, and
 * the order depends on the topology alone: the same file gives the same plan,
 * to the letter.
 */
#include "plan.h"

#include <string.h>

#include "plan_internal.h"

struct plan *plan_new(const struct topology *t, struct arena *a, struct err *e)
{
	struct planner b = {.t = t, .a = a, .e = e};

	b.p = ARENA_NEW(a, struct plan);
	b.p->topology = t;
	if (addrplan_init(&b.ap, &t->operator_prefix, &t->infra4, t->n_towers,
			  e))
		return NULL;
	if (plan_add_nodes(&b) || plan_add_links(&b))
		return NULL;
	plan_add_routes(&b);
	plan_add_sysctls(&b);
	plan_add_daemons(&b);
	plan_add_steps(&b);
	return b.p;
}

int plan_find_node(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (!strcmp(p->nodes[i].name, name))
			return (int)i;
	return -1;
}

int plan_node_of(const struct plan *p, enum node_role role)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].role == role)
			return (int)i;
	return -1;
}

int plan_find_link(const struct plan *p, const char *a, const char *b)
{
	int x = plan_find_node(p, a), y = plan_find_node(p, b);

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if ((l->a.node == x && l->b.node == y) ||
		    (l->a.node == y && l->b.node == x))
			return (int)i;
	}
	return -1;
}

const struct plan_iface *plan_find_iface(const struct plan *p, const char *node,
					 const char *iface)
{
	int link = plan_find_link(p, node, iface);

	if (link < 0)
		return NULL;
	return strcmp(p->links[link].a.name, iface) ? &p->links[link].b
						    : &p->links[link].a;
}

int plan_find_daemon(const struct plan *p, int node, enum daemon_role role)
{
	for (size_t i = 0; i < p->n_daemons; i++)
		if (p->daemons[i].node == node && p->daemons[i].role == role)
			return (int)i;
	return -1;
}

const char *plan_attach(const struct plan *p, const struct plan_daemon *d)
{
	const struct plan_node *n = &p->nodes[d->node];

	if (d->role == DAEMON_PLAT && n->plat)
		return n->plat->attach;
	if (d->role == DAEMON_CLAT && n->tower)
		return n->tower->homes.attach;
	return NULL;
}

const char *plan_role_word(enum daemon_role role)
{
	switch (role) {
	case DAEMON_AUTH_DNS:
		return "dns";
	case DAEMON_DNS64:
		return "dns64";
	case DAEMON_ROUTING:
		return "routing";
	case DAEMON_CLAT:
		return "clat";
	case DAEMON_PLAT:
		return "plat";
	case DAEMON_RELAY:
		return "relay";
	case DAEMON_HEALTH:
		return "health";
	case DAEMON_RADV:
		return "advertisements";
	case N_DAEMON_ROLES:
		break;
	}
	return "?";
}
