/* SPDX-License-Identifier: MIT */
/* Runs from the top of the source tree. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../xlat/base/file.h"
#include "../plan/plan.h"

#define N(v) (sizeof(v) / sizeof(*(v)))

static struct arena *arena;
static struct err err;

static void setup(void)
{
	arena = arena_new();
	err.text[0] = '\0';
}

static void teardown(void)
{
	arena_free(arena);
}

/* ---- topologies -------------------------------------------------------------
 */

static struct topology *load(const char *path)
{
	struct diags d;
	struct topology *t;

	diags_init(&d);
	t = spec_load_topology(path, arena, &d);
	diags_print(&d, stderr);
	ck_assert_msg(t != NULL, "%s", path);
	diags_fini(&d);
	return t;
}

static const struct impairment plain = {.burst_bytes = 65536, .queue_ns = 50e6};

static struct link_profile no_profile(void)
{
	return (struct link_profile){.down = plain, .up = plain, .mtu = 1500};
}

/* @towers of @homes each, two PLATs, four servers; nothing shaped. */
static struct topology *make(size_t towers, int64_t homes)
{
	static struct plat_spec plats[] = {
		{.name = "plat1", .engine = "xlatd", .ospf_cost = 10},
		{.name = "plat2", .engine = "xlatd", .ospf_cost = 100},
	};
	static const char *on[] = {"plat1", "plat2"};
	struct topology *t = ARENA_NEW(arena, struct topology);
	struct name_spec *names;

	t->path = t->name = "made";
	prefix6_parse("2001:db8::/36", &t->operator_prefix);
	prefix6_parse("2001:db8:f000::/36", &t->internet6);
	prefix6_parse("64:ff9b::/96", &t->pool6);
	prefix4_parse("192.0.2.0/28", &t->pool4);
	prefix4_parse("100.64.0.0/16", &t->infra4);
	prefix4_parse("192.168.1.0/24", &t->lan4);
	t->plats = plats;
	t->n_plats = N(plats);
	t->dns64 =
		(struct dns64_spec){.engine = "bind9", .on = on, .n_on = N(on)};
	t->routing.engine = "frr";
	t->n_towers = towers;
	t->towers = arena_alloc(arena, towers * sizeof(*t->towers));
	for (size_t i = 0; i < towers; i++)
		t->towers[i] = (struct tower_spec){
			.name = arena_printf(arena, "tower%zu", i + 1),
			.radio = no_profile(),
			.homes = {.count = homes, .clat = "xlatd"},
		};
	names = arena_alloc(arena, 4 * sizeof(*names));
	for (size_t i = 0; i < 4; i++) {
		names[i].node = arena_printf(arena, "web%zu", i);
		names[i].name = arena_printf(arena, "web%zu.example", i);
		names[i].has4 = i != 2;
		names[i].has6 = i != 1;
		names[i].v4.s_addr = htonl(0xc6336400 + 10 + (uint32_t)i);
		prefix6_host(&t->internet6, 0x80 + i, &names[i].v6);
	}
	t->internet = (struct internet_spec){.names = names, .n_names = 4};
	return t;
}

static struct plan *plan_of(const struct topology *t)
{
	struct plan *p = plan_new(t, arena, &err);

	ck_assert_msg(p != NULL, "%s", err.text);
	return p;
}

static const struct plan_link *link_of(const struct plan *p, const char *a,
				       const char *b)
{
	int link = plan_find_link(p, a, b);

	ck_assert_msg(link >= 0, "%s-%s", a, b);
	return &p->links[link];
}

/* ---- golden text ------------------------------------------------------------
 */

static char *print(const struct plan *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	plan_print(p, f);
	fclose(f);
	return text;
}

static void assert_same_lines(const char *got, const char *want)
{
	int line = 1;

	while (*got && *want) {
		size_t g = strcspn(got, "\n"), w = strcspn(want, "\n");

		ck_assert_msg(g == w && !strncmp(got, want, g),
			      "line %d:\n got: %.*s\nwant: %.*s", line, (int)g,
			      got, (int)w, want);
		got += g + (got[g] == '\n');
		want += w + (want[w] == '\n');
		line++;
	}
	ck_assert_msg(!*got && !*want, "one ends at line %d", line);
}

START_TEST(test_golden)
{
	char *got = print(plan_of(load("topologies/wisp-pair.yaml")));
	char *want = file_read("sim/tests/golden/wisp-pair.plan", NULL, &err);

	ck_assert_msg(want != NULL, "%s", err.text);
	if (getenv("UPDATE_GOLDEN"))
		ck_assert(!file_write("sim/tests/golden/wisp-pair.plan", got,
				      strlen(got), &err));
	else
		assert_same_lines(got, want);
	free(got);
	free(want);
}
END_TEST

START_TEST(test_deterministic)
{
	char *one = print(plan_of(make(3, 5)));
	char *two = print(plan_of(make(3, 5)));

	ck_assert_str_eq(one, two);
	free(one);
	free(two);
}
END_TEST

/* ---- addresses --------------------------------------------------------------
 */

struct owned {
	struct addr addr;
	int node;
};

static int by_addr(const void *a, const void *b)
{
	return memcmp(&((const struct owned *)a)->addr,
		      &((const struct owned *)b)->addr, sizeof(struct addr));
}

struct owners {
	struct owned v[8192];
	size_t n;
};

static void own4(struct owners *o, int node, struct in_addr a)
{
	struct owned *w = &o->v[o->n++];

	memset(w, 0, sizeof(*w));
	w->addr.family = AF_INET;
	w->addr.v4 = a;
	w->node = node;
}

static void own6(struct owners *o, int node, const struct in6_addr *a)
{
	struct owned *w = &o->v[o->n++];

	memset(w, 0, sizeof(*w));
	w->addr.family = AF_INET6;
	w->addr.v6 = *a;
	w->node = node;
}

/* All but the homes' LANs, which repeat behind each CPE's translator. */
static void own_end(struct owners *o, const struct plan *p,
		    const struct plan_iface *i)
{
	if (i->has4 && !prefix4_contains(&p->topology->lan4, i->addr4))
		own4(o, i->node, i->addr4);
	if (i->has6)
		own6(o, i->node, &i->addr6);
}

static void assert_unique(const struct plan *p)
{
	struct owners *o = calloc(1, sizeof(*o));
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < p->n_links; i++) {
		own_end(o, p, &p->links[i].a);
		own_end(o, p, &p->links[i].b);
	}
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].loop4.s_addr)
			own4(o, (int)i, p->nodes[i].loop4);
		if (!IN6_IS_ADDR_UNSPECIFIED(&p->nodes[i].loop6))
			own6(o, (int)i, &p->nodes[i].loop6);
	}
	qsort(o->v, o->n, sizeof(*o->v), by_addr);
	for (size_t i = 1; i < o->n; i++)
		ck_assert_msg(o->v[i].node == o->v[i - 1].node ||
				      by_addr(&o->v[i], &o->v[i - 1]),
			      "%s is at %s and %s",
			      addr_format(&o->v[i].addr, text),
			      p->nodes[o->v[i].node].name,
			      p->nodes[o->v[i - 1].node].name);
	free(o);
}

static bool same_lan(const struct plan *p, const struct plan_link *a,
		     const struct plan_link *b)
{
	return prefix4_contains(&p->topology->lan4, a->a.addr4) &&
	       prefix4_contains(&p->topology->lan4, b->a.addr4);
}

static void assert_disjoint(const struct plan *p)
{
	for (size_t i = 0; i < p->n_links; i++)
		for (size_t k = 0; k < i; k++) {
			const struct plan_link *a = &p->links[i];
			const struct plan_link *b = &p->links[k];

			/* both ends of a link are in one subnet; hosts of the
			 * internet have none */
			if (a->a.has6 && b->a.has6)
				ck_assert_msg(!prefix6_overlaps(&a->b.net6,
								&b->b.net6),
					      "%s, %s", a->name, b->name);
			if (a->a.has4 && b->a.has4 && !same_lan(p, a, b))
				ck_assert_msg(!prefix4_overlaps(&a->b.net4,
								&b->b.net4),
					      "%s, %s", a->name, b->name);
		}
}

START_TEST(test_addresses)
{
	const struct plan *p = plan_of(make(3, 7));

	assert_unique(p);
	assert_disjoint(p);
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].role == NODE_CPE) {
			const struct plan_node *n = &p->nodes[i];

			ck_assert_uint_eq(n->clat6.len, 96);
			ck_assert(prefix6_contains(&n->delegated,
						   &n->clat6.addr));
			ck_assert(!prefix6_overlaps(&n->lan6, &n->clat6));
		}
}
END_TEST

/* Both ends of every link agree, and lie in the operator's or their own. */
START_TEST(test_ends)
{
	const struct plan *p = plan_of(make(2, 2));

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		ck_assert(l->a.has4 == l->b.has4 && l->a.has6 == l->b.has6);
		ck_assert_str_eq(l->a.name, p->nodes[l->b.node].name);
		ck_assert_str_eq(l->b.name, p->nodes[l->a.node].name);
		if (l->a.has6 && l->a.net6.len != 128) {
			ck_assert(prefix6_contains(&l->a.net6, &l->a.addr6));
			ck_assert(prefix6_contains(&l->a.net6, &l->b.addr6));
		}
		if (l->a.has4 && l->a.net4.len != 32) {
			ck_assert(prefix4_contains(&l->a.net4, l->a.addr4));
			ck_assert(prefix4_contains(&l->a.net4, l->b.addr4));
		}
	}
	ck_assert(link_of(p, "home1", "cpe1")->a.has4);
	ck_assert(!link_of(p, "cpe1", "tower1")->a.has4);
	ck_assert(!link_of(p, "tower1", "access")->a.has4);
	ck_assert(!link_of(p, "access", "plat1")->a.has4);
	ck_assert(link_of(p, "plat1", "border")->a.has4);
	ck_assert(link_of(p, "border", "inet")->a.has4);
	ck_assert(!link_of(p, "inet", "web2")->a.has4);
	ck_assert(!link_of(p, "inet", "web1")->a.has6);
}
END_TEST

/* The name server and the internet's router keep clear of servers. */
START_TEST(test_clashes)
{
	struct topology *t = make(1, 1);
	const struct plan *p;
	const struct plan_node *dns;
	char text[ADDR_TEXT_LEN];

	t->internet.names[0].v4.s_addr = htonl(0xcb007135); /* 203.0.113.53 */
	prefix6_host(&t->internet6, 0x53, &t->internet.names[0].v6);
	prefix6_host(&t->internet6, 1, &t->internet.names[3].v6);
	p = plan_of(t);
	dns = &p->nodes[plan_find_node(p, "dns")];
	ck_assert_str_eq(in4_format(dns->host4, text), "203.0.113.54");
	ck_assert_str_eq(in6_format(&dns->host6, text), "2001:db8:f000::54");
	assert_unique(p);
	/* nor does it take an address out of the operator's pool */
	prefix4_parse("203.0.113.0/24", &t->pool4);
	p = plan_of(t);
	dns = &p->nodes[plan_find_node(p, "dns")];
	ck_assert_str_eq(in4_format(dns->host4, text), "198.51.100.53");
}
END_TEST

/* ---- links ------------------------------------------------------------------
 */

START_TEST(test_profiles)
{
	struct topology *t = make(1, 1);
	struct link_spec links[] = {
		{.a = "tower1", .b = "access", .profile = no_profile()},
		{.a = "plat1", .b = "border", .profile = no_profile()},
	};
	const struct plan_link *l;
	const struct plan *p;

	t->towers[0].radio.down.rate_bps = 150e6;
	t->towers[0].radio.down.burst_bytes = 1e5;
	t->towers[0].radio.up.rate_bps = 50e6;
	t->towers[0].homes.plan_down_bps = 100e6;
	t->towers[0].homes.plan_up_bps = 20e6;
	links[0].profile.up.rate_bps = 60e6;
	links[0].profile.mtu = 1600;
	links[0].profile.offloads.gro = OFFLOAD_OFF;
	links[1].profile.down.loss = 0.01;
	t->links = links;
	t->n_links = N(links);
	p = plan_of(t);

	l = link_of(p, "access", "tower1");
	ck_assert_double_eq(l->profile.down.rate_bps, 150e6);
	ck_assert_double_eq(l->profile.down.burst_bytes, 1e5);
	ck_assert_double_eq(l->profile.up.rate_bps, 60e6);
	ck_assert_double_eq(l->profile.up.burst_bytes, 65536);
	ck_assert_int_eq(l->profile.mtu, 1600);
	ck_assert_int_eq(l->profile.offloads.gro, OFFLOAD_OFF);
	ck_assert(!l->relayed);
	l = link_of(p, "cpe1", "tower1");
	ck_assert_double_eq(l->profile.down.rate_bps, 100e6);
	ck_assert_double_eq(l->profile.up.rate_bps, 20e6);
	l = link_of(p, "plat1", "border");
	ck_assert(l->relayed && l->relay_a && l->relay_b);
	ck_assert(strlen(l->relay_a) < 16);
	ck_assert_str_ne(l->relay_a, l->relay_b);
	ck_assert(!link_of(p, "plat2", "border")->relayed);
	ck_assert_int_ge(plan_find_node(p, "relay"), 0);
}
END_TEST

/* No impairment, no relay; a round-trip time alone makes one. */
START_TEST(test_relay_only_if_needed)
{
	struct topology *t = make(1, 1);
	const struct plan *p = plan_of(t);

	ck_assert_int_eq(plan_find_node(p, "relay"), -1);
	ck_assert_int_eq(p->daemons[0].role, DAEMON_AUTH_DNS);
	t->internet.rtt_ns = 20e6;
	p = plan_of(t);
	ck_assert(link_of(p, "border", "inet")->relayed);
	ck_assert_double_eq(link_of(p, "border", "inet")->profile.up.delay_ns,
			    10e6);
	ck_assert_int_eq(p->daemons[0].role, DAEMON_RELAY);
	ck_assert_int_eq(p->nodes[p->daemons[0].node].role, NODE_RELAY);
}
END_TEST

/* ---- routes -----------------------------------------------------------------
 */

/* The next hop of every route is the other end of the link it goes over. */
START_TEST(test_next_hops)
{
	const struct plan *p = plan_of(make(2, 3));

	for (size_t i = 0; i < p->n_routes; i++) {
		const struct plan_route *r = &p->routes[i];
		const struct plan_iface *own, *peer;

		ck_assert(r->blackhole == !r->dev);
		if (r->blackhole)
			continue;
		own = plan_find_iface(p, p->nodes[r->node].name, r->dev);
		ck_assert_ptr_nonnull(own);
		ck_assert_int_eq(own->node, r->node);
		peer = plan_find_iface(p, r->dev, p->nodes[r->node].name);
		ck_assert_ptr_nonnull(peer);
		if (!r->has_via)
			continue;
		ck_assert_int_eq(r->via.family, r->family);
		if (r->family == AF_INET)
			ck_assert_uint_eq(r->via.v4.s_addr, peer->addr4.s_addr);
		else
			ck_assert_mem_eq(&r->via.v6, &peer->addr6, 16);
	}
}
END_TEST

static const struct plan_route *lookup6(const struct plan *p, int node,
					const struct in6_addr *dst)
{
	const struct plan_route *best = NULL;

	for (size_t i = 0; i < p->n_routes; i++) {
		const struct plan_route *r = &p->routes[i];
		struct prefix6 net = {r->dst.v6, r->len};

		if (r->node == node && r->family == AF_INET6 &&
		    prefix6_contains(&net, dst) &&
		    (!best || r->len > best->len))
			best = r;
	}
	return best;
}

static bool connected6(const struct plan *p, int node,
		       const struct in6_addr *dst)
{
	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (l->a.node == node && l->a.has6 &&
		    prefix6_contains(&l->a.net6, dst))
			return true;
		if (l->b.node == node && l->b.has6 &&
		    prefix6_contains(&l->b.net6, dst))
			return true;
	}
	return false;
}

/* From access, by static routes alone, to @dst; the node where it ends. */
static int walk6(const struct plan *p, const struct in6_addr *dst)
{
	int node = plan_find_node(p, "access");

	for (int hops = 0; hops < 8; hops++) {
		const struct plan_route *r;

		if (connected6(p, node, dst))
			return node;
		r = lookup6(p, node, dst);
		if (!r || r->blackhole)
			return -1;
		node = plan_find_node(p, r->dev);
	}
	return -2; /* goes round */
}

START_TEST(test_homes_are_reached)
{
	struct topology *t = make(3, 4);
	const struct plan *p = plan_of(t);
	struct in6_addr spare;

	for (size_t i = 0; i < p->n_nodes; i++) {
		if (p->nodes[i].role != NODE_HOME)
			continue;
		ck_assert_int_eq(walk6(p, &p->nodes[i].host6), (int)i + 1);
	}
	/* what nobody was given is discarded, not sent back up */
	inet_pton(AF_INET6, "2001:db8:800:1ff::1", &spare);
	ck_assert_int_eq(walk6(p, &spare), -1);
	inet_pton(AF_INET6, "2001:db8:800:7700::1", &spare);
	ck_assert_int_eq(walk6(p, &spare), -1);
}
END_TEST

START_TEST(test_resolvers)
{
	struct topology *t = make(1, 1);
	const struct plan *p = plan_of(t);
	const char *conf = p->nodes[plan_find_node(p, "home1")].resolv_conf;

	ck_assert_str_eq(conf, "nameserver 2001:db8::3\n"
			       "nameserver 2001:db8::4\n"
			       "options timeout:1 attempts:2\n");
	ck_assert_ptr_null(p->nodes[plan_find_node(p, "web1")].resolv_conf);
	t->dns64.n_on = 0;
	p = plan_of(t);
	ck_assert_ptr_null(p->nodes[plan_find_node(p, "home1")].resolv_conf);
}
END_TEST

/* ---- steps ------------------------------------------------------------------
 */

struct made {
	bool *nodes, *links, *addrs, *ups, *loops;
};

static bool both(const bool *v, const struct plan_link *l)
{
	return v[l->a.node] && v[l->b.node];
}

/* Whether all that a step stands on has been made before it. */
static bool may_come(const struct plan *p, const struct plan_step *s,
		     const struct made *m)
{
	const struct plan_iface *i;

	switch (s->kind) {
	case STEP_NODE:
		return true;
	case STEP_SYSCTL:
		return m->nodes[p->sysctls[s->index].node];
	case STEP_LINK:
		return both(m->nodes, &p->links[s->index]);
	case STEP_OFFLOAD:
	case STEP_ADDR:
		return m->links[s->index];
	case STEP_UP:
	case STEP_TBF:
		return m->addrs[s->index];
	case STEP_LOOP:
	case STEP_FILE:
		return m->nodes[s->index];
	case STEP_ROUTE:
		if (p->routes[s->index].blackhole)
			return m->loops[p->routes[s->index].node];
		i = plan_find_iface(p, p->nodes[p->routes[s->index].node].name,
				    p->routes[s->index].dev);
		for (size_t k = 0; k < p->n_links; k++)
			if (&p->links[k].a == i || &p->links[k].b == i)
				return m->ups[k];
		return false;
	case STEP_DAEMON:
		return m->nodes[p->daemons[s->index].node];
	}
	return false;
}

static void note(const struct plan_step *s, const struct made *m)
{
	if (s->kind == STEP_NODE)
		m->nodes[s->index] = true;
	if (s->kind == STEP_LINK)
		m->links[s->index] = true;
	if (s->kind == STEP_ADDR)
		m->addrs[s->index] = true;
	if (s->kind == STEP_UP)
		m->ups[s->index] = true;
	if (s->kind == STEP_LOOP)
		m->loops[s->index] = true;
}

/*
 * Each step stands on earlier ones alone, so undoing in reverse never takes
 * away what a step not yet undone stands on.
 */
START_TEST(test_order)
{
	const struct plan *p = plan_of(load("topologies/wisp-pair.yaml"));
	struct made m = {calloc(p->n_nodes, 1), calloc(p->n_links, 1),
			 calloc(p->n_links, 1), calloc(p->n_links, 1),
			 calloc(p->n_nodes, 1)};
	char text[240], undo[240];

	for (size_t i = 0; i < p->n_steps; i++) {
		ck_assert_msg(may_come(p, &p->steps[i], &m), "too early: %s",
			      plan_step_text(p, i, text, sizeof(text)));
		note(&p->steps[i], &m);
		ck_assert_str_ne(plan_undo_text(p, i, undo, sizeof(undo)), "");
	}
	for (size_t i = 0; i < p->n_links; i++)
		ck_assert(m.links[i] && m.addrs[i] && m.ups[i]);
	for (size_t i = 0; i < p->n_nodes; i++)
		ck_assert(m.nodes[i] && m.loops[i]);
	free(m.nodes);
	free(m.links);
	free(m.addrs);
	free(m.ups);
	free(m.loops);
}
END_TEST

/* Every sysctl, route and daemon has exactly one step. */
START_TEST(test_complete)
{
	const struct plan *p = plan_of(load("topologies/wisp-pair.yaml"));
	size_t n[STEP_DAEMON + 1] = {0};
	size_t tbf = 0;

	for (size_t i = 0; i < p->n_steps; i++) {
		size_t seen = n[p->steps[i].kind]++;

		if (p->steps[i].kind != STEP_TBF &&
		    p->steps[i].kind != STEP_OFFLOAD)
			ck_assert_uint_eq((size_t)p->steps[i].index, seen);
	}
	for (size_t i = 0; i < p->n_links; i++)
		tbf += !p->links[i].relayed &&
		       p->links[i].profile.up.rate_bps > 0;
	ck_assert_uint_eq(n[STEP_NODE], p->n_nodes);
	ck_assert_uint_eq(n[STEP_SYSCTL], p->n_sysctls);
	ck_assert_uint_eq(n[STEP_LINK], p->n_links);
	ck_assert_uint_eq(n[STEP_ROUTE], p->n_routes);
	ck_assert_uint_eq(n[STEP_DAEMON], p->n_daemons);
	ck_assert_uint_eq(n[STEP_TBF], tbf);
	ck_assert_uint_eq(tbf, 2); /* the homes' plans */
}
END_TEST

/* A buffer that is too small is filled, ended and not overrun. */
START_TEST(test_text_is_cut)
{
	const struct plan *p = plan_of(make(1, 1));
	char buf[8];

	for (size_t i = 0; i < p->n_steps; i++) {
		memset(buf, 'x', sizeof(buf));
		plan_step_text(p, i, buf, 6);
		ck_assert_uint_le(strlen(buf), 5);
		ck_assert_int_eq(buf[6], 'x');
		plan_undo_text(p, i, buf, 6);
		ck_assert_uint_le(strlen(buf), 5);
		ck_assert_int_eq(buf[6], 'x');
	}
}
END_TEST

START_TEST(test_daemons)
{
	const struct plan *p = plan_of(load("topologies/wisp-pair.yaml"));
	static const enum daemon_role order[] = {
		DAEMON_RELAY,	DAEMON_AUTH_DNS, DAEMON_ROUTING, DAEMON_ROUTING,
		DAEMON_ROUTING, DAEMON_ROUTING,	 DAEMON_CLAT,	 DAEMON_CLAT,
		DAEMON_PLAT,	DAEMON_PLAT,	 DAEMON_DNS64,	 DAEMON_DNS64,
	};
	int plat2 = plan_find_node(p, "plat2");

	ck_assert_uint_eq(p->n_daemons, N(order));
	for (size_t i = 0; i < N(order); i++)
		ck_assert_int_eq(p->daemons[i].role, order[i]);
	ck_assert_int_eq(plan_find_daemon(p, plat2, DAEMON_PLAT), 9);
	ck_assert_int_eq(plan_find_daemon(p, plat2, DAEMON_CLAT), -1);
}
END_TEST

/* A link of its own that changes nobody else's addresses. */
START_TEST(test_standby)
{
	const struct plan *p = plan_of(load("topologies/wisp-standby.yaml"));
	const struct plan *q = plan_of(load("topologies/wisp-pair.yaml"));
	int link = plan_find_link(p, "plat1", "plat2");

	ck_assert_int_ge(link, 0);
	ck_assert(p->links[link].standby);
	ck_assert(p->links[link].a.has6 && !p->links[link].a.has4);
	ck_assert_int_eq(plan_find_link(q, "plat1", "plat2"), -1);
	ck_assert_uint_eq(p->n_links, q->n_links + 1);
	for (size_t i = 0; i < q->n_links; i++) {
		const struct plan_link *l = &q->links[i];
		const struct plan_iface *a =
			plan_find_iface(p, q->nodes[l->a.node].name, l->a.name);

		ck_assert_ptr_nonnull(a);
		ck_assert_mem_eq(&a->addr6, &l->a.addr6, sizeof(a->addr6));
	}
}
END_TEST

/* ---- size and errors --------------------------------------------------------
 */

START_TEST(test_scale)
{
	clock_t start = clock();
	const struct plan *p = plan_of(make(5, 50));

	ck_assert_msg(clock() - start < CLOCKS_PER_SEC / 2,
		      "planning 250 homes took %ld ms",
		      (long)((clock() - start) / (CLOCKS_PER_SEC / 1000)));
	ck_assert_uint_eq(p->n_nodes, 2 * 250 + 5 + 4 + 2 + 4);
	ck_assert_uint_eq(p->n_links, 2 * 250 + 5 + 4 + 1 + 5);
	assert_unique(p);
	assert_disjoint(p);
	plan_of(make(1, 250));
}
END_TEST

static void assert_refused(const struct topology *t, const char *word)
{
	err.text[0] = '\0';
	ck_assert_ptr_null(plan_new(t, arena, &err));
	ck_assert_msg(strstr(err.text, word) != NULL, "'%s' lacks '%s'",
		      err.text, word);
}

START_TEST(test_errors)
{
	struct topology *t = make(1, 256);
	struct link_spec link = {
		.a = "plat1", .b = "tower1", .profile = no_profile()};

	assert_refused(t, "tower1");
	t = make(1, 1);
	t->operator_prefix.len = 48;
	assert_refused(t, "2001:db8::/48");
	t = make(2, 1);
	t->towers[1].name = "tower1";
	assert_refused(t, "tower1");
	t = make(1, 1);
	t->internet.names[1].node = "web0"; /* same first label */
	assert_refused(t, "web0");
	t = make(1, 1);
	t->links = &link;
	t->n_links = 1;
	assert_refused(t, "plat1-tower1");
	t = make(1, 1);
	prefix4_parse("100.64.0.0/30", &t->infra4);
	assert_refused(t, "loopback");
	t = make(1, 1);
	prefix4_parse("100.64.0.0/28", &t->infra4);
	assert_refused(t, "link");
	t = make(1, 1);
	prefix4_parse("192.168.1.0/31", &t->lan4);
	assert_refused(t, "LAN");
}
END_TEST

START_TEST(test_lookups)
{
	const struct plan *p = plan_of(make(1, 2));
	const struct plan_iface *i = plan_find_iface(p, "plat1", "access");

	ck_assert_ptr_nonnull(i);
	ck_assert_int_eq(i->node, plan_find_node(p, "plat1"));
	ck_assert_ptr_null(plan_find_iface(p, "plat1", "plat2"));
	ck_assert_ptr_null(plan_find_iface(p, "nobody", "plat2"));
	ck_assert_int_eq(plan_find_link(p, "access", "plat1"),
			 plan_find_link(p, "plat1", "access"));
	ck_assert_int_eq(plan_find_link(p, "access", "border"), -1);
	ck_assert_int_eq(plan_find_link(p, "nobody", "noone"), -1);
	ck_assert_int_eq(plan_find_node(p, "cpe3"), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_golden);
	tcase_add_test(t, test_deterministic);
	tcase_add_test(t, test_addresses);
	tcase_add_test(t, test_ends);
	tcase_add_test(t, test_clashes);
	tcase_add_test(t, test_profiles);
	tcase_add_test(t, test_relay_only_if_needed);
	tcase_add_test(t, test_next_hops);
	tcase_add_test(t, test_homes_are_reached);
	tcase_add_test(t, test_resolvers);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_complete);
	tcase_add_test(t, test_text_is_cut);
	tcase_add_test(t, test_daemons);
	tcase_add_test(t, test_standby);
	tcase_add_test(t, test_scale);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_lookups);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
