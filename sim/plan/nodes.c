/* SPDX-License-Identifier: MIT */
/* Every node of a topology, with the addresses that are its own. */
#include "plan_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static struct plan_node *add_node(struct planner *b, const char *name,
				  enum node_role role)
{
	struct plan_node *n = ARENA_APPEND(b->a, b->p->nodes, b->p->n_nodes);

	n->name = name;
	n->role = role;
	return n;
}

static int last_node(const struct planner *b)
{
	return (int)b->p->n_nodes - 1;
}

static int set_loop(struct planner *b, struct plan_node *n, bool has4)
{
	struct in_addr loop4;

	if (addrplan_next_loop(&b->ap, &n->loop6, &loop4))
		return err_set(b->e, ERANGE,
			       "%s: no loopback address is left for it",
			       n->name);
	if (has4)
		n->loop4 = loop4;
	return 0;
}

/* ---- subscribers ------------------------------------------------------------
 */

/* What a home has of IPv4, inside and towards its tower. */
static int number_home4(struct planner *b, struct prefix4 *wan4,
			struct prefix4 *lan4)
{
	struct prefix4 own;

	*wan4 = (struct prefix4){0};
	*lan4 = b->t->lan4;
	if (!b->t->plain4)
		return 0;
	if (addrplan_customers4(&b->ap, &b->p->customers4) ||
	    addrplan_next_home4(&b->ap, wan4, &own))
		return err_set(b->e, ERANGE,
			       "infra4 has no room for so many homes with "
			       "IPv4");
	if (!strcmp(b->t->plain4, "native"))
		*lan4 = own;
	return 0;
}

static int add_home(struct planner *b, size_t tower, int64_t k, int number)
{
	const struct tower_spec *t = &b->t->towers[tower];
	struct addrplan_home ah;
	struct plan_node *home, *cpe;
	struct prefix4 wan4, lan4;

	if (number_home4(b, &wan4, &lan4))
		return -ERANGE;
	if (addrplan_home(&b->ap, tower, (uint64_t)k, &ah)) {
		char text[ADDR_TEXT_LEN];

		return err_set(b->e, ERANGE,
			       "tower %s: operator prefix %s has no room for "
			       "its home %d of %d",
			       t->name,
			       prefix6_format(&b->t->operator_prefix, text),
			       (int)k, (int)t->homes.count);
	}
	home = add_node(b, arena_printf(b->a, "home%d", number), NODE_HOME);
	home->tower = t;
	home->lan6 = ah.lan;
	home->lan4 = lan4;
	if (prefix4_host(&lan4, 2, &home->host4) ||
	    prefix6_host(&ah.lan, 2, &home->host6))
		return err_set(b->e, ERANGE, "home %d: its LAN is too small",
			       number);
	cpe = add_node(b, arena_printf(b->a, "cpe%d", number), NODE_CPE);
	cpe->tower = t;
	cpe->cpu = t->homes.cpu;
	cpe->delegated = ah.delegated;
	cpe->lan6 = ah.lan;
	cpe->clat6 = ah.clat;
	cpe->lan4 = lan4;
	cpe->wan4 = wan4;
	return 0;
}

static int add_towers(struct planner *b)
{
	int number = 1;

	for (size_t i = 0; i < b->t->n_towers; i++) {
		const struct tower_spec *t = &b->t->towers[i];
		struct plan_node *n;

		for (int64_t k = 1; k <= t->homes.count; k++)
			if (add_home(b, i, k, number++))
				return -ERANGE;
		n = add_node(b, t->name, NODE_TOWER);
		n->tower = t;
		if (set_loop(b, n, false))
			return -ERANGE;
	}
	return 0;
}

/* ---- the operator's core ----------------------------------------------------
 */

static int add_core(struct planner *b)
{
	int ret = set_loop(b, add_node(b, "access", NODE_ACCESS), false);

	b->access = last_node(b);
	b->first_plat = b->access + 1;
	for (size_t i = 0; !ret && i < b->t->n_plats; i++) {
		struct plan_node *n =
			add_node(b, b->t->plats[i].name, NODE_PLAT);

		n->plat = &b->t->plats[i];
		ret = set_loop(b, n, true);
	}
	if (!ret)
		ret = set_loop(b, add_node(b, "border", NODE_BORDER), true);
	b->border = last_node(b);
	return ret;
}

/* ---- the internet -----------------------------------------------------------
 */

static bool server_has6(const struct topology *t, const struct in6_addr *v6)
{
	for (size_t i = 0; i < t->internet.n_names; i++)
		if (t->internet.names[i].has6 &&
		    !memcmp(&t->internet.names[i].v6, v6, sizeof(*v6)))
			return true;
	return false;
}

static bool taken4(const struct topology *t, struct in_addr v4)
{
	for (size_t i = 0; i < t->internet.n_names; i++)
		if (t->internet.names[i].has4 &&
		    t->internet.names[i].v4.s_addr == v4.s_addr)
			return true;
	return prefix4_contains(&t->pool4, v4) ||
	       prefix4_contains(&t->infra4, v4) ||
	       prefix4_contains(&t->lan4, v4);
}

/* The first address from number @from on that is no server's. */
static int free6(struct planner *b, const char *whose, uint64_t from,
		 struct in6_addr *out)
{
	do {
		if (prefix6_host(&b->t->internet6, from++, out))
			return err_set(b->e, ERANGE,
				       "%s: no IPv6 address of the internet "
				       "is left for it",
				       whose);
	} while (server_has6(b->t, out));
	return 0;
}

/* The name server's IPv4 address comes from the documentation prefixes. */
static int dns4(struct planner *b, struct in_addr *out)
{
	static const char *const prefixes[] = {
		"203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24"};
	struct prefix4 p;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		for (uint32_t n = 53; n < 255; n++)
			if (!prefix4_parse(prefixes[i], &p) &&
			    !prefix4_host(&p, n, out) && !taken4(b->t, *out))
				return 0;
	return err_set(b->e, ERANGE,
		       "dns: no documentation address is free for it");
}

static void add_servers(struct planner *b)
{
	b->first_server = last_node(b) + 1;
	for (size_t i = 0; i < b->t->internet.n_names; i++) {
		const struct name_spec *s = &b->t->internet.names[i];
		struct plan_node *n = add_node(b, s->node, NODE_SERVER);

		n->server = s;
		if (s->has4)
			n->host4 = s->v4;
		if (s->has6)
			n->host6 = s->v6;
	}
}

static int add_internet(struct planner *b)
{
	struct plan_node *inet = add_node(b, "inet", NODE_INET), *dns;
	int ret;

	b->inet = last_node(b);
	ret = set_loop(b, inet, true);
	/* it is not the operator's, so neither is its address */
	if (!ret)
		ret = free6(b, "inet", 1, &inet->loop6);
	if (ret)
		return ret;
	dns = add_node(b, "dns", NODE_DNS);
	b->dns = last_node(b);
	ret = free6(b, "dns", 0x53, &dns->host6);
	if (!ret)
		ret = dns4(b, &dns->host4);
	if (!ret)
		add_servers(b);
	return ret;
}

/* ---- all together -----------------------------------------------------------
 */

static int check_names(struct planner *b)
{
	const struct plan *p = b->p;

	for (size_t i = 0; i < p->n_nodes; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(p->nodes[i].name, p->nodes[k].name))
				return err_set(b->e, EEXIST,
					       "two nodes are called %s",
					       p->nodes[i].name);
	return 0;
}

/* Stub resolvers of the subscribers: the DNS64 servers in the order given. */
static void set_resolvers(struct planner *b)
{
	const char *conf = "";
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < b->t->dns64.n_on; i++) {
		int node = plan_find_node(b->p, b->t->dns64.on[i]);

		if (node >= 0)
			conf = arena_printf(
				b->a, "%snameserver %s\n", conf,
				in6_format(&b->p->nodes[node].loop6, text));
	}
	if (!*conf)
		return;
	conf = arena_printf(b->a, "%soptions timeout:1 attempts:2\n", conf);
	for (size_t i = 0; i < b->p->n_nodes; i++)
		if (b->p->nodes[i].role == NODE_HOME ||
		    b->p->nodes[i].role == NODE_CPE)
			b->p->nodes[i].resolv_conf = conf;
}

int plan_add_nodes(struct planner *b)
{
	int ret = add_towers(b);

	if (!ret)
		ret = add_core(b);
	if (!ret)
		ret = add_internet(b);
	if (!ret)
		ret = check_names(b);
	if (!ret)
		set_resolvers(b);
	return ret;
}
