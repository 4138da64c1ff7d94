/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * zebra, ospf6d and (where a link to another router has IPv4) ospfd. The
 * OSPF daemons start once zebra listens: one that comes too early tries again
 * only after ten seconds. FRR runs as its own user, which may not look into
 * the result directory: configurations are copied to the node's /run/frr.
 *
 * A link costs what the PLAT at one of its ends costs, on both sides, so that
 * both directions prefer the same PLAT. External routes carry metric type 1
 * (link costs count) and all the same metric: the links decide.
 *
 * Who announces what: the access router its towers' prefixes, a PLAT pool6
 * and pool4 as long as the kernel has them (see xlatd.c), the border the
 * default routes. Loopback addresses take part as they are.
 *
 * In OSPFv2 the PLATs are a stub area: pool4 is an attached network, the
 * default route the area border's summary. ospfd computes external routes only
 * one second after a change of topology, and FRR 8.4 was seen to lose the
 * default for good when a link came back within that second.
 *
 * Timers come from the topology. Three of FRR's own are in the way of a
 * second event soon after the first and are turned off: the 5 s between two
 * versions of an LSA (`throttle lsa`), the 1 s between two accepted ones
 * (`min-arrival`), and the 5 s before an unacknowledged one is repeated.
 *
 * With `bfd: true` both OSPFs have bfdd watch their neighbours. A routing
 * engine serves when all its sessions are up: they begin at one packet a
 * second, and until then only the dead interval detects anything.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine_internal.h"
#include "vty.h"

#define ZSERV_SOCKET  "/run/frr/zserv.api"
#define OSPF_COST     10 /* of links without a PLAT */
#define EXTERN_METRIC 1
#define WORST_METRIC  60000
#define BFD_PROFILE   "xlatsim"
#define BACKBONE      "0.0.0.0"
#define STUB	      "0.0.0.1"

enum { PROC_ZEBRA, PROC_OSPF6D, PROC_OSPFD };

static int frr_available(char *version, size_t len, struct err *why)
{
	static const char *const daemons[] = {"bfdd", "ospf6d", "ospfd",
					      "zebra"};
	char path[128], text[512];
	const char *argv[] = {path, "--version", NULL};

	for (size_t i = 0; i < sizeof(daemons) / sizeof(*daemons); i++)
		if (host_find(daemons[i], path, sizeof(path)))
			return err_set(why, ENOENT,
				       "%s not found: install Debian package "
				       "frr",
				       daemons[i]);
	if (host_read(argv, text, sizeof(text)) ||
	    sscanf(text, "zebra version %63s", path) != 1)
		return err_set(why, ENOEXEC,
			       "zebra --version does not tell a version");
	snprintf(version, len, "FRR %s", path);
	return 0;
}

/* ---- which links take part -------------------------------------------------
 */

struct ospf_link {
	const struct plan_iface *near, *far;
	bool has4;
	size_t index; /* in the plan */
};

/* What events changed: it outlives the daemons, as a saved configuration. */
struct frr {
	int64_t *cost4, *cost6; /* by link of the plan */
	bool spawned;		/* all daemons, by this start */
	int asked;		/* steps since */
};

static bool is_router(const struct plan *p, int node)
{
	return plan_find_daemon(p, node, DAEMON_ROUTING) >= 0;
}

static int64_t cost_of(const struct plan *p, const struct plan_link *l)
{
	const struct plat_spec *a = p->nodes[l->a.node].plat;
	const struct plat_spec *b = p->nodes[l->b.node].plat;

	if (a && b)
		return a->ospf_cost > b->ospf_cost ? a->ospf_cost
						   : b->ospf_cost;
	return a ? a->ospf_cost : b ? b->ospf_cost : OSPF_COST;
}

/* The @i-th link of the plan, if it leads from @node to another router. */
static bool get_link(const struct plan *p, int node, size_t i,
		     struct ospf_link *out)
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

static bool has_ospf4(const struct plan *p, int node)
{
	struct ospf_link l;

	for (size_t i = 0; i < p->n_links; i++)
		if (get_link(p, node, i, &l) && l.has4)
			return true;
	return false;
}

static bool has_bfd(const struct engine *en)
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
		if (get_link(p, en->daemon->node, i, &l))
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
		if (get_link(p, en->daemon->node, i, &l) && l.has4)
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

static bool has_static(const struct engine *en)
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

static void frr_fini(struct engine *en)
{
	struct frr *x = en->state;

	if (!x)
		return;
	free(x->cost4);
	free(x->cost6);
	free(x);
	en->state = NULL;
}

static int open_state(struct engine *en, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	struct frr *x = calloc(1, sizeof(*x));

	en->state = x;
	if (x) {
		x->cost4 = calloc(p->n_links + 1, sizeof(*x->cost4));
		x->cost6 = calloc(p->n_links + 1, sizeof(*x->cost6));
	}
	if (!x || !x->cost4 || !x->cost6) {
		frr_fini(en);
		return err_set(e, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < p->n_links; i++)
		x->cost4[i] = x->cost6[i] = cost_of(p, &p->links[i]);
	return 0;
}

static int write_all(struct engine *en, struct err *e)
{
	int ret = write_conf(en, "zebra.conf", put_zebra, e);

	if (!ret)
		ret = write_conf(en, "ospf6d.conf", put_ospf6, e);
	if (!ret && has_ospf4(world_plan(en->world), en->daemon->node))
		ret = write_conf(en, "ospfd.conf", put_ospf4, e);
	if (!ret && has_static(en))
		ret = write_conf(en, "staticd.conf", put_static, e);
	if (!ret && has_bfd(en))
		ret = write_conf(en, "bfdd.conf", put_bfd, e);
	return ret;
}

static int frr_configure(struct engine *en, struct err *e)
{
	int ret = open_state(en, e);

	return ret ? ret : write_all(en, e);
}

/* ---- life ------------------------------------------------------------------
 */

static int spawn_daemon(struct engine *en, const char *name, const char *conf,
			const char *extra, struct err *e)
{
	char log[32];
	const char *argv[] = {name,	"-P",	       "0",
			      "-f",	conf,	       "--log",
			      "stdout", "--log-level", "informational",
			      extra,	NULL};

	snprintf(log, sizeof(log), "%s.log", name);
	return engine_spawn(en, argv, log, e);
}

/* How many BFD sessions bfdd has to bring up. */
static size_t count_sessions(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	struct ospf_link l;
	size_t n = 0;

	for (size_t i = 0; i < p->n_links; i++)
		if (get_link(p, en->daemon->node, i, &l))
			n += l.has4 ? 2 : 1;
	return n;
}

static bool bfd_is_up(struct engine *en)
{
	int fd =
		engine_connect(en->procs[en->n_procs - 1], "/run/frr/bfdd.vty");
	size_t up = 0, i;
	char text[65536];
	json_t *list, *one;
	struct err e;

	if (fd < 0)
		return false;
	list = vty_run(fd, "enable", text, sizeof(text), &e) ||
			       vty_run(fd, "show bfd peers json", text,
				       sizeof(text), &e)
		       ? NULL
		       : json_loads(text, 0, NULL);
	close(fd);
	json_array_foreach(list, i, one)
	{
		const char *s =
			json_string_value(json_object_get(one, "status"));

		up += s && !strcmp(s, "up");
	}
	json_decref(list);
	return up >= count_sessions(en);
}

/*
 * A session takes its time, a packet a second, until it is up; only then does
 * it detect anything.
 */
static bool bfd_step(struct engine *en)
{
	struct frr *x = en->state;

	return !has_bfd(en) || (x->asked++ % 20 == 0 && bfd_is_up(en));
}

static bool frr_step(struct engine *en)
{
	struct frr *x = en->state;
	int fd = engine_connect(en->procs[PROC_ZEBRA], ZSERV_SOCKET);
	struct err e;
	int ret;

	if (fd < 0)
		return false;
	close(fd);
	if (x->spawned)
		return bfd_step(en);
	x->spawned = true;
	ret = spawn_daemon(en, "ospf6d", "/run/frr/ospf6d.conf", NULL, &e);
	if (!ret && has_ospf4(world_plan(en->world), en->daemon->node))
		ret = spawn_daemon(en, "ospfd", "/run/frr/ospfd.conf", NULL,
				   &e);
	if (!ret && has_static(en))
		ret = spawn_daemon(en, "staticd", "/run/frr/staticd.conf", NULL,
				   &e);
	if (!ret && has_bfd(en))
		ret = spawn_daemon(en, "bfdd", "/run/frr/bfdd.conf", NULL, &e);
	if (ret)
		snprintf(en->fault, sizeof(en->fault), "%.150s", e.text);
	return ret || !has_bfd(en);
}

static int frr_start(struct engine *en, struct err *e)
{
	struct frr *x = en->state;
	bool v4 = has_ospf4(world_plan(en->world), en->daemon->node);
	const char *argv[] = {
		"install",    "-o",	     "frr", "-g", "frr", "-m", "640",
		"zebra.conf", "ospf6d.conf", NULL,  NULL, NULL,	 NULL, NULL};
	size_t n = 9;
	int ret = write_all(en, e); /* costs may have changed meanwhile */

	x->spawned = false;
	if (v4)
		argv[n++] = "ospfd.conf";
	if (has_static(en))
		argv[n++] = "staticd.conf";
	if (has_bfd(en))
		argv[n++] = "bfdd.conf";
	argv[n] = "/run/frr";
	if (!ret)
		ret = engine_run(en->world, en->daemon->node, argv, NULL, e);
	/* a changed IPv6 route is replaced in one step, not deleted first */
	if (!ret)
		ret = spawn_daemon(en, "zebra", "/run/frr/zebra.conf",
				   "--v6-rr-semantics", e);
	return ret ? ret : engine_poll(en, frr_step, e);
}

static int await_neighbour(struct engine *en, const struct ospf_link *l,
			   struct mono deadline, struct err *e)
{
	const struct plan_node *far =
		&world_plan(en->world)->nodes[l->far->node];
	struct addr a6 = {.family = AF_INET6, .v6 = far->loop6};
	struct addr a4 = {.family = AF_INET, .v4 = far->loop4};
	int ret = world_await_route(en->world, en->daemon->node, &a6, 128, NULL,
				    deadline, e);

	if (!ret && l->has4 && far->loop4.s_addr)
		ret = world_await_route(en->world, en->daemon->node, &a4, 32,
					NULL, deadline, e);
	if (ret == -ETIMEDOUT)
		err_prefix(e, "OSPF does not reach %s", far->name);
	return ret;
}

/* Ready when every neighbour's own address has been learnt. */
static int frr_ready(struct engine *en, struct mono deadline, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	int ret = engine_await_serving(en, deadline, e);
	struct ospf_link l;

	for (size_t i = 0; i < p->n_links && !ret; i++)
		if (get_link(p, en->daemon->node, i, &l))
			ret = await_neighbour(en, &l, deadline, e);
	return en->fault[0] ? err_set(e, ECHILD, "%s", en->fault) : ret;
}

/* ---- changes ---------------------------------------------------------------
 */

static int vty_set_cost(struct engine *en, size_t proc, const char *socket,
			const char *iface, const char *command, struct err *e)
{
	char select[64];
	const char *lines[] = {select, command, NULL};
	int fd = proc < en->n_procs ? engine_connect(en->procs[proc], socket)
				    : -ESRCH;
	int ret;

	if (fd < 0)
		return err_set(e, -fd, "FRR at %s: %s: %s",
			       engine_node(en)->name, socket, strerror(-fd));
	snprintf(select, sizeof(select), "interface %s", iface);
	ret = vty_configure(fd, lines, e);
	close(fd);
	if (ret)
		err_prefix(e, "FRR at %s", engine_node(en)->name);
	return ret;
}

static int set_cost6(struct engine *en, const struct ospf_link *l, int64_t cost,
		     struct err *e)
{
	char command[64];

	snprintf(command, sizeof(command), "ipv6 ospf6 cost %lld",
		 (long long)cost);
	return vty_set_cost(en, PROC_OSPF6D, "/run/frr/ospf6d.vty",
			    l->near->name, command, e);
}

static int set_cost4(struct engine *en, const struct ospf_link *l, int64_t cost,
		     struct err *e)
{
	char command[64];

	snprintf(command, sizeof(command), "ip ospf cost %lld",
		 (long long)cost);
	return vty_set_cost(en, PROC_OSPFD, "/run/frr/ospfd.vty", l->near->name,
			    command, e);
}

static int frr_set_cost(struct engine *en, const char *iface, int family,
			int64_t cost, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	bool live = !en->expected_down, found = false;
	struct frr *x = en->state;
	struct ospf_link l = {0};
	int ret = 0;

	for (size_t i = 0; i < p->n_links && !found; i++)
		found = get_link(p, en->daemon->node, i, &l) &&
			!strcmp(l.near->name, iface);
	if (!found)
		return err_set(e, ENOENT, "%s:%s takes no part in OSPF",
			       engine_node(en)->name, iface);
	/* one that is down will begin with it */
	if (live && family != 4)
		ret = set_cost6(en, &l, cost, e);
	if (!ret && family != 4)
		x->cost6[l.index] = cost;
	if (!ret && live && family != 6 && l.has4)
		ret = set_cost4(en, &l, cost, e);
	if (!ret && family != 6)
		x->cost4[l.index] = cost;
	return ret;
}

const struct engine_ops frr_ops = {
	.name = "frr",
	.roles = 1u << DAEMON_ROUTING,
	.available = frr_available,
	.configure = frr_configure,
	.start = frr_start,
	.ready = frr_ready,
	.fini = frr_fini,
	.set_cost = frr_set_cost,
};
