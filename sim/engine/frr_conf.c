/* SPDX-License-Identifier: MIT */
/* What FRR's daemons are told at a node; see frr.c for the whole picture. */
#include "frr.h"

#include <arpa/inet.h>
#include <string.h>

#define OSPF_COST     10 /* of links without a PLAT */
#define EXTERN_METRIC 1
#define WORST_METRIC  60000
#define BFD_PROFILE   "xlatsim"
#define BACKBONE      "0.0.0.0"
#define STUB	      "0.0.0.1"

/* ---- which links take part -------------------------------------------------
 */

static bool is_router(const struct plan *p, int node)
{
	return plan_find_daemon(p, node, DAEMON_ROUTING) >= 0;
}

int64_t frr_cost_of(const struct plan *p, const struct plan_link *l)
{
	const struct plat_spec *a = p->nodes[l->a.node].plat;
	const struct plat_spec *b = p->nodes[l->b.node].plat;

	if (a && b)
		return a->ospf_cost > b->ospf_cost ? a->ospf_cost
						   : b->ospf_cost;
	return a ? a->ospf_cost : b ? b->ospf_cost : OSPF_COST;
}

/* The @i-th link of the plan, if it leads from @node to another router. */
bool frr_link(const struct plan *p, int node, size_t i, struct ospf_link *out)
{
	const struct plan_link *l = &p->links[i];

	if (l->standby || (l->a.node != node && l->b.node != node) ||
	    !is_router(p, l->a.node) || !is_router(p, l->b.node))
		return false;
	out->near = l->a.node == node ? &l->a : &l->b;
	out->far = l->a.node == node ? &l->b : &l->a;
	out->has4 = l->a.has4 && l->b.has4;
	out->index = i;
	return true;
}

bool frr_has_ospf4(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	struct ospf_link l;

	for (size_t i = 0; i < p->n_links; i++)
		if (frr_link(p, en->daemon->node, i, &l) && l.has4)
			return true;
	return false;
}

bool frr_has_bfd(const struct engine *en)
{
	return world_plan(en->world)->topology->routing.bfd;
}

static bool has_default(const struct plan *p, int node, int family)
{
	for (size_t i = 0; i < p->n_routes; i++)
		if (p->routes[i].node == node && !p->routes[i].len &&
		    p->routes[i].family == family)
			return true;
	return false;
}

/* ---- configuration ---------------------------------------------------------
 */

/* Both daemons have the same words, but for their first ones. */
static void put_iface(FILE *f, const char *ospf, const char *area,
		      const struct routing_spec *r, const struct ospf_link *l,
		      int64_t cost)
{
	fprintf(f,
		"interface %s\n"
		" %s area %s\n"
		" %s network point-to-point\n"
		" %s hello-interval %lld\n"
		" %s dead-interval %lld\n"
		" %s retransmit-interval 1\n"
		" %s cost %lld\n",
		l->near->name, ospf, area, ospf, ospf,
		(long long)(r->hello_ns / NS_PER_S), ospf,
		(long long)(r->dead_ns / NS_PER_S), ospf, ospf,
		(long long)cost);
	if (r->bfd)
		/* ospfd takes a profile only where bfd stands already */
		fprintf(f, " %s bfd\n %s bfd profile " BFD_PROFILE "\n", ospf,
			ospf);
	fputs("!\n", f);
}

static void put_router_head(FILE *f, const struct routing_spec *r,
			    const char *word, uint32_t id)
{
	fprintf(f,
		" %s router-id %u.%u.%u.%u\n"
		" timers throttle spf %lld %lld %lld\n"
		" timers lsa min-arrival 0\n",
		word, id >> 24, id >> 16 & 255, id >> 8 & 255, id & 255,
		(long long)(r->spf_delay_ns / NS_PER_MS),
		(long long)(r->spf_holdtime_ns / NS_PER_MS),
		(long long)(r->spf_max_ns / NS_PER_MS));
	if (r->grace_ns > 0)
		fprintf(f,
			" graceful-restart grace-period %lld\n"
			" graceful-restart helper enable\n",
			(long long)(r->grace_ns / NS_PER_S));
}

/* A number of its own, also for routers without an IPv4 address. */
static uint32_t router_id(const struct engine *en)
{
	const struct plan_node *n = engine_node(en);

	return n->loop4.s_addr ? ntohl(n->loop4.s_addr)
			       : (uint32_t)en->daemon->node + 1;
}

static void put_map(FILE *f, const char *name, int metric)
{
	fprintf(f,
		"route-map %s permit 10\n"
		" match ipv6 address prefix-list OWN\n"
		" set metric %d\n set metric-type type-1\n!\n",
		name, metric);
}

static void put_ospf6(FILE *f, const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	const struct topology *t = p->topology;
	const struct plan_node *n = engine_node(en);
	bool access = n->role == NODE_ACCESS, plat = n->role == NODE_PLAT;
	const struct frr *x = en->state;
	struct ospf_link l;
	char text[ADDR_TEXT_LEN];

	fprintf(f,
		"hostname %s\ninterface lo\n ipv6 ospf6 area 0.0.0.0\n"
		" ipv6 ospf6 passive\n!\n",
		n->name);
	for (size_t i = 0; i < p->n_links; i++)
		if (frr_link(p, en->daemon->node, i, &l))
			put_iface(f, "ipv6 ospf6", BACKBONE, &t->routing, &l,
				  x->cost6[i]);
	if (access || plat) {
		fprintf(f, "ipv6 prefix-list OWN permit %s%s\n",
			prefix6_format(access ? &t->operator_prefix : &t->pool6,
				       text),
			access ? " le 128" : "");
		put_map(f, FRR_MAP_OWN, EXTERN_METRIC);
	}
	if (plat && t->health.on)
		put_map(f, FRR_MAP_WORST, WORST_METRIC);
	fprintf(f, "router ospf6\n");
	put_router_head(f, &t->routing, "ospf6", router_id(en));
	if (access || plat)
		fprintf(f, " redistribute kernel route-map OWN\n");
	if (access)
		fprintf(f, " redistribute connected route-map OWN\n");
	if (has_default(p, en->daemon->node, AF_INET6) && !access)
		fprintf(f,
			" default-information originate metric %d "
			"metric-type 1\n",
			EXTERN_METRIC);
}

static void put_ospf4(FILE *f, const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	const struct topology *t = p->topology;
	const struct plan_node *n = engine_node(en);
	bool plat = n->role == NODE_PLAT;
	bool border = has_default(p, en->daemon->node, AF_INET);
	const struct frr *x = en->state;
	struct ospf_link l;

	fprintf(f, "hostname %s\ninterface lo\n ip ospf area %s\n!\n", n->name,
		border ? BACKBONE : STUB);
	for (size_t i = 0; i < p->n_links; i++)
		if (frr_link(p, en->daemon->node, i, &l) && l.has4)
			put_iface(f, "ip ospf", STUB, &t->routing, &l,
				  x->cost4[i]);
	if (plat)
		fprintf(f,
			"interface " ENGINE_PLAT_TUN "\n"
			" ip ospf area " STUB "\n"
			" ip ospf network point-to-point\n"
			" ip ospf passive\n ip ospf cost %d\n!\n",
			EXTERN_METRIC);
	fprintf(f, "router ospf\n");
	put_router_head(f, &t->routing, "ospf", router_id(en));
	fprintf(f, " timers throttle lsa all 0\n");
	fprintf(f, " area " STUB " stub\n");
	if (t->routing.grace_ns > 0) /* neighbours are told by an opaque LSA */
		fprintf(f, " capability opaque\n");
}

static void put_bfd(FILE *f, const struct engine *en)
{
	const struct routing_spec *r =
		&world_plan(en->world)->topology->routing;
	long long ms = (long long)(r->bfd_interval_ns / NS_PER_MS);

	fprintf(f,
		"hostname %s\nbfd\n profile " BFD_PROFILE "\n"
		"  detect-multiplier %lld\n  transmit-interval %lld\n"
		"  receive-interval %lld\n exit\nexit\n",
		engine_node(en)->name, (long long)r->bfd_multiplier, ms, ms);
}

/* Routes as plain routes: next-hop objects would hide gateways from others. */
static void put_zebra(FILE *f, const struct engine *en)
{
	fprintf(f, "hostname %s\nno zebra nexthop kernel enable\n",
		engine_node(en)->name);
}

/*
 * Plain IPv4: the way to the internet, and for native also the way back, leads
 * by way of pool4, so that it follows the PLAT that announces it. Nobody has
 * that address; zebra only looks up where it would be.
 */
static void put_static(FILE *f, const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	struct in_addr via = p->topology->pool4.addr;
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];

	prefix4_host(&p->topology->pool4, p->topology->pool4.len < 31, &via);
	in4_format(via, a);
	if (engine_node(en)->role == NODE_ACCESS)
		fprintf(f, "ip route 0.0.0.0/0 %s\n", a);
	else
		fprintf(f, "ip route %s %s\n",
			prefix4_format(&p->customers4, b), a);
}

bool frr_has_static(const struct engine *en)
{
	const char *plain4 = world_plan(en->world)->topology->plain4;
	enum node_role role = engine_node(en)->role;

	return plain4 && (role == NODE_ACCESS ||
			  (role == NODE_BORDER && !strcmp(plain4, "native")));
}

static int write_conf(const struct engine *en, const char *name,
		      void (*put)(FILE *f, const struct engine *en),
		      struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		put(f, en);
	return engine_put(en, name, f, &text, &len, e);
}

int frr_write(struct engine *en, struct err *e)
{
	int ret = write_conf(en, "zebra.conf", put_zebra, e);

	if (!ret)
		ret = write_conf(en, "ospf6d.conf", put_ospf6, e);
	if (!ret && frr_has_ospf4(en))
		ret = write_conf(en, "ospfd.conf", put_ospf4, e);
	if (!ret && frr_has_static(en))
		ret = write_conf(en, "staticd.conf", put_static, e);
	if (!ret && frr_has_bfd(en))
		ret = write_conf(en, "bfdd.conf", put_bfd, e);
	return ret;
}
