/* SPDX-License-Identifier: MIT */
/* Kernel settings and daemons of each node, and the order of everything. */
#include "plan_internal.h"

/* ---- sysctls
 * ------------------------------------------------------------------
 *
 * Set before a node has interfaces, so `default` decides for all of them.
 * Rate limits of ICMP stay as the kernel has them: echo replies and "packet
 * too big" are not subject to them (net/ipv4/icmp_ratemask,
 * net/ipv6/icmp/ratemask), and what is, is limited in a real router too.
 */

struct setting {
	const char *key, *value;
};

static const struct setting for_all[] = {
	/* a host may have IPv6 off, or advertisements on, for new namespaces */
	{"net/ipv6/conf/all/disable_ipv6", "0"},
	{"net/ipv6/conf/default/disable_ipv6", "0"},
	{"net/ipv6/conf/all/accept_ra", "0"},
	{"net/ipv6/conf/default/accept_ra", "0"},
	/* the plan has no duplicates, and nobody can wait a second */
	{"net/ipv6/conf/all/accept_dad", "0"},
	{"net/ipv6/conf/default/accept_dad", "0"},
	/* link-down and link-up give an interface back as it was */
	{"net/ipv6/conf/all/keep_addr_on_down", "1"},
	{"net/ipv6/conf/default/keep_addr_on_down", "1"},
	/* paths may be asymmetric while OSPF converges */
	{"net/ipv4/conf/all/rp_filter", "0"},
	{"net/ipv4/conf/default/rp_filter", "0"},
	{"net/ipv4/ping_group_range", "0 2147483647"},
	/* iperf3 3.12 pins cubic on a connection that is there already. On a
	 * host whose default is bbr the kernel went on pacing it: four streams
	 * through a translator took half as much CPU again, and read as a
	 * slow translator. reno paces nothing, and any namespace may have it.
	 */
	{"net/ipv4/tcp_congestion_control", "reno"},
};

static const struct setting for_routers6[] = {
	{"net/ipv6/conf/all/forwarding", "1"},
	{"net/ipv6/conf/default/forwarding", "1"},
};

static const struct setting for_routers4[] = {
	{"net/ipv4/ip_forward", "1"},
	{"net/ipv4/conf/default/forwarding", "1"},
};

/* IPv4 without DF: whoever is on the way may fragment. */
static const struct setting for_servers_without_df[] = {
	{"net/ipv4/ip_no_pmtu_disc", "1"},
};

/* The kernel must not put packets of its own on an emulated link. */
static const struct setting for_relay[] = {
	{"net/ipv6/conf/all/disable_ipv6", "1"},
	{"net/ipv6/conf/default/disable_ipv6", "1"},
};

static void add_settings(struct planner *b, int node, const struct setting *v,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		*ARENA_APPEND(b->a, b->p->sysctls,
			      b->p->n_sysctls) = (struct plan_sysctl){
			.node = node, .key = v[i].key, .value = v[i].value};
}

#define ADD_SETTINGS(b, node, v)                                               \
	add_settings(b, node, v, sizeof(v) / sizeof(*(v)))

static bool routes6(enum node_role role)
{
	return role == NODE_CPE || role == NODE_TOWER || role == NODE_ACCESS ||
	       role == NODE_PLAT || role == NODE_BORDER || role == NODE_INET;
}

static bool routes4(enum node_role role, bool plain4)
{
	if (role == NODE_TOWER || role == NODE_ACCESS)
		return plain4;
	return role == NODE_CPE || role == NODE_PLAT || role == NODE_BORDER ||
	       role == NODE_INET;
}

void plan_add_sysctls(struct planner *b)
{
	for (int i = 0; i < (int)b->p->n_nodes; i++) {
		enum node_role role = b->p->nodes[i].role;

		if (role == NODE_RELAY) {
			ADD_SETTINGS(b, i, for_relay);
			continue;
		}
		/* forwarding first: it sets others back to their defaults */
		if (routes4(role, b->t->plain4 != NULL))
			ADD_SETTINGS(b, i, for_routers4);
		if (routes6(role))
			ADD_SETTINGS(b, i, for_routers6);
		if (role == NODE_SERVER && !b->t->internet.df)
			ADD_SETTINGS(b, i, for_servers_without_df);
		ADD_SETTINGS(b, i, for_all);
	}
}

/* ---- daemons
 * ------------------------------------------------------------------
 */

static void add_daemon(struct planner *b, int node, enum daemon_role role,
		       const char *engine)
{
	*ARENA_APPEND(b->a, b->p->daemons, b->p->n_daemons) =
		(struct plan_daemon){
			.node = node, .role = role, .engine = engine};
}

/* From the wires up: a daemon finds running what it needs. */
void plan_add_daemons(struct planner *b)
{
	const char *routing = b->t->routing.engine;
	const int n_plats = (int)b->t->n_plats;

	if (b->relay >= 0)
		add_daemon(b, b->relay, DAEMON_RELAY, "relay");
	add_daemon(b, b->dns, DAEMON_AUTH_DNS, "bind9");
	add_daemon(b, b->access, DAEMON_ROUTING, routing);
	for (int i = 0; i < n_plats; i++)
		add_daemon(b, b->first_plat + i, DAEMON_ROUTING, routing);
	add_daemon(b, b->border, DAEMON_ROUTING, routing);
	for (int i = 0; i < (int)b->p->n_nodes; i++)
		if (b->p->nodes[i].role == NODE_TOWER &&
		    b->p->nodes[i].tower->homes.pref64 == PREF64_RA)
			add_daemon(b, i, DAEMON_RADV, "radv");
	for (int i = 0; i < (int)b->p->n_nodes; i++)
		if (b->p->nodes[i].role == NODE_CPE)
			add_daemon(b, i, DAEMON_CLAT,
				   b->p->nodes[i].tower->homes.clat);
	for (int i = 0; i < n_plats; i++)
		add_daemon(b, b->first_plat + i, DAEMON_PLAT,
			   b->t->plats[i].engine);
	for (size_t i = 0; i < b->t->dns64.n_on; i++) {
		int node = plan_find_node(b->p, b->t->dns64.on[i]);

		if (node >= 0)
			add_daemon(b, node, DAEMON_DNS64, b->t->dns64.engine);
	}
	for (int i = 0; i < n_plats && b->t->health.on; i++)
		add_daemon(b, b->first_plat + i, DAEMON_HEALTH, "health-check");
}

/* ---- steps
 * ----------------------------------------------------------------------
 */

static void add_step(struct planner *b, enum plan_step_kind kind, size_t index)
{
	*ARENA_APPEND(b->a, b->p->steps, b->p->n_steps) =
		(struct plan_step){.kind = kind, .index = (int)index};
}

static void add_steps(struct planner *b, enum plan_step_kind kind, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_step(b, kind, i);
}

static bool sets_offloads(const struct offloads *o)
{
	return o->tso != OFFLOAD_KEEP || o->gso != OFFLOAD_KEEP ||
	       o->gro != OFFLOAD_KEEP || o->tx_checksum != OFFLOAD_KEEP ||
	       o->rx_checksum != OFFLOAD_KEEP;
}

static bool wants_tbf(const struct plan_link *l)
{
	return !l->relayed &&
	       (l->profile.down.rate_bps > 0 || l->profile.up.rate_bps > 0);
}

void plan_add_steps(struct planner *b)
{
	const struct plan *p = b->p;

	add_steps(b, STEP_NODE, p->n_nodes);
	add_steps(b, STEP_SYSCTL, p->n_sysctls);
	add_steps(b, STEP_LINK, p->n_links);
	for (size_t i = 0; i < p->n_links; i++)
		if (sets_offloads(&p->links[i].profile.offloads))
			add_step(b, STEP_OFFLOAD, i);
	add_steps(b, STEP_LOOP, p->n_nodes);
	add_steps(b, STEP_ADDR, p->n_links);
	add_steps(b, STEP_UP, p->n_links);
	for (size_t i = 0; i < p->n_links; i++)
		if (wants_tbf(&p->links[i]))
			add_step(b, STEP_TBF, i);
	add_steps(b, STEP_ROUTE, p->n_routes);
	add_steps(b, STEP_FILE, p->n_nodes);
	add_steps(b, STEP_DAEMON, p->n_daemons);
}
