/* SPDX-License-Identifier: MIT */
/* What no single value of a topology can show to be wrong. */
#include "spec_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "../../xlat/base/clock.h"

struct checker {
	struct spec_reader *r;
	const struct topology *t;
	const struct ynode *root, *prefixes;
};

/* Where key @key of section @m stands, or the section itself. */
static struct pos place_of(const struct checker *c, const struct ynode *m,
			   const char *key)
{
	const struct ynode *n = m ? yaml_get(m, key) : NULL;

	assert(c->root);
	return n ? n->pos : m ? m->pos : c->root->pos;
}

/* ---- prefixes ----------------------------------------------------------- */

static void check_overlaps6(const struct checker *c)
{
	const struct {
		const char *key;
		const struct prefix6 *p;
	} v[] = {{"operator", &c->t->operator_prefix},
		 {"internet", &c->t->internet6},
		 {"pool6", &c->t->pool6}};
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];

	for (size_t i = 1; i < sizeof(v) / sizeof(*v); i++)
		for (size_t k = 0; k < i; k++)
			if (prefix6_overlaps(v[i].p, v[k].p))
				diags_add(c->r->d,
					  place_of(c, c->prefixes, v[i].key),
					  "`%s` %s overlaps `%s` %s", v[i].key,
					  prefix6_format(v[i].p, a), v[k].key,
					  prefix6_format(v[k].p, b));
}

static void check_overlaps4(const struct checker *c)
{
	const struct {
		const char *key;
		const struct prefix4 *p;
	} v[] = {{"pool4", &c->t->pool4},
		 {"infra4", &c->t->infra4},
		 {"lan4", &c->t->lan4}};
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];

	for (size_t i = 1; i < sizeof(v) / sizeof(*v); i++)
		for (size_t k = 0; k < i; k++)
			if (prefix4_overlaps(v[i].p, v[k].p))
				diags_add(c->r->d,
					  place_of(c, c->prefixes, v[i].key),
					  "`%s` %s overlaps `%s` %s", v[i].key,
					  prefix4_format(v[i].p, a), v[k].key,
					  prefix4_format(v[k].p, b));
}

static void check_length(const struct checker *c, const char *key,
			 unsigned int len, unsigned int min, unsigned int max)
{
	if (len < min || len > max)
		diags_add(c->r->d, place_of(c, c->prefixes, key),
			  "`%s` is a /%u; /%u to /%u is supported", key, len,
			  min, max);
}

static void check_prefixes(const struct checker *c)
{
	const struct topology *t = c->t;

	if (t->pool6.len != 96)
		diags_add(c->r->d, place_of(c, c->prefixes, "pool6"),
			  "`pool6` is a /%u; only /96 is supported yet",
			  t->pool6.len);
	check_length(c, "operator", t->operator_prefix.len, 16, 48);
	check_length(c, "internet", t->internet6.len, 16, 64);
	check_length(c, "pool4", t->pool4.len, 8, 32);
	check_length(c, "infra4", t->infra4.len, 8, 24);
	check_length(c, "lan4", t->lan4.len, 8, 29);
	check_overlaps6(c);
	check_overlaps4(c);
}

/* ---- nodes -------------------------------------------------------------- */

struct used_name {
	const char *name, *what;
	struct pos pos;
};

struct used_names {
	struct used_name *v;
	size_t n;
};

static void use_name(const struct checker *c, struct used_names *used,
		     const char *name, const char *what, struct pos pos)
{
	if (!yaml_is_name(name, NODE_NAME_MAX)) {
		diags_add(
			c->r->d, pos,
			"`%s` is no name for %s; up to %d lower-case letters, "
			"digits and hyphens are expected, letter first",
			name, what, NODE_NAME_MAX);
		return;
	}
	if (name_is_reserved(name)) {
		diags_add(c->r->d, pos,
			  "%s cannot be called `%s`: that name "
			  "is reserved",
			  what, name);
		return;
	}
	for (size_t i = 0; i < used->n; i++)
		if (!strcmp(used->v[i].name, name)) {
			diags_add(c->r->d, pos,
				  "%s cannot be called `%s`: %s, line %u, is",
				  what, name, used->v[i].what,
				  used->v[i].pos.line);
			return;
		}
	*ARENA_APPEND(c->r->a, used->v, used->n) =
		(struct used_name){.name = name, .what = what, .pos = pos};
}

static void check_names(const struct checker *c)
{
	const struct topology *t = c->t;
	struct used_names used = {0};

	for (size_t i = 0; i < t->n_plats; i++)
		use_name(c, &used, t->plats[i].name, "a PLAT", t->plats[i].pos);
	for (size_t i = 0; i < t->n_towers; i++)
		use_name(c, &used, t->towers[i].name, "a tower",
			 t->towers[i].pos);
	for (size_t i = 0; i < t->internet.n_names; i++) {
		const struct name_spec *n = &t->internet.names[i];

		if (!name_is_dns(n->name) || !strchr(n->name, '.'))
			diags_add(c->r->d, n->pos,
				  "`%s` is no name; lower-case labels such as "
				  "slash.example, no final dot, are expected",
				  n->name);
		else
			use_name(c, &used, n->node,
				 arena_printf(c->r->a, "the server of %s",
					      n->name),
				 n->pos);
	}
}

static void check_dns64(const struct checker *c)
{
	const struct ynode *dns64 = yaml_get(c->root, "dns64");
	const struct ynode *on = dns64 ? yaml_get(dns64, "on") : NULL;
	const char **plats = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->t->n_plats; i++)
		*ARENA_APPEND(c->r->a, plats, n) = c->t->plats[i].name;
	*ARENA_APPEND(c->r->a, plats, n) = NULL;
	for (size_t i = 0; on && on->kind == YNODE_LIST && i < on->n; i++) {
		const struct ynode *item = on->items[i];
		bool found = false;

		if (item->kind != YNODE_SCALAR)
			continue;
		for (size_t k = 0; plats[k]; k++)
			found |= !strcmp(plats[k], item->text);
		if (!found)
			yaml_unknown(c->r->d, item->pos, "PLAT", item->text,
				     plats);
		for (size_t k = 0; k < i; k++)
			if (on->items[k]->kind == YNODE_SCALAR &&
			    !strcmp(on->items[k]->text, item->text))
				diags_add(c->r->d, item->pos,
					  "`%s` is named twice", item->text);
	}
}

/* ---- engines ------------------------------------------------------------ */

static void check_attach(const struct checker *c, const struct ynode *m,
			 const char *engine, const char *attach)
{
	const char *const *words = engine ? spec_attach_words(engine) : NULL;

	if (!attach || !engine)
		return;
	if (!words) {
		diags_add(c->r->d, place_of(c, m, "attach"),
			  "engine %s is attached in one way only; leave "
			  "`attach` out",
			  engine);
		return;
	}
	for (size_t i = 0; words[i]; i++)
		if (!strcmp(words[i], attach))
			return;
	yaml_unknown(c->r->d, place_of(c, m, "attach"),
		     arena_printf(c->r->a, "attachment of engine %s", engine),
		     attach, words);
}

/* What only one engine understands. */
static void check_engine_keys(const struct checker *c, const struct ynode *m,
			      const char *engine)
{
	static const char *const keys[] = {
		"mtu6",
		"lowest-ipv6-mtu",
		"clamp-mss",
		"clat-mode",
		"pref64",
		"icmp-pool4",
		"icmp-name-source",
		"sessions",
		"subscriber-sessions",
		"subscriber-ports",
		"static",
	};

	if (engine && strcmp(engine, "jool") != 0 && yaml_get(m, "guest-gro"))
		diags_add(c->r->d, place_of(c, m, "guest-gro"),
			  "`guest-gro` is for engine jool, not %s", engine);
	if (!engine || !strcmp(engine, "xlatd"))
		return;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (yaml_get(m, keys[i]))
			diags_add(c->r->d, place_of(c, m, keys[i]),
				  "`%s` is for engine xlatd, not %s", keys[i],
				  engine);
}

/* nft-nat44 and native: everywhere or nowhere. */
static void check_like(const struct checker *c, struct pos at, const char *what,
		       const char *engine)
{
	const struct topology *t = c->t;
	const char *first = t->n_towers ? t->towers[0].homes.clat : NULL;

	if (!engine || !first || !strcmp(engine, first) ||
	    (!spec_is_plain4(engine) && !spec_is_plain4(first)))
		return;
	diags_add(c->r->d, at,
		  "%s is %s, but the homes of tower %s have %s: `nft-nat44` "
		  "and `native` must be chosen for all homes and PLATs",
		  what, engine, t->towers[0].name, first);
}

static void check_plain4(const struct checker *c, const struct ynode *plats,
			 const struct ynode *towers)
{
	for (size_t i = 0; i < c->t->n_plats; i++) {
		const struct plat_spec *v = &c->t->plats[i];

		check_like(c, place_of(c, yaml_get(plats, v->name), "engine"),
			   "this PLAT", v->engine);
	}
	for (size_t i = 1; i < c->t->n_towers; i++) {
		const struct tower_spec *v = &c->t->towers[i];
		const struct ynode *n = yaml_get(towers, v->name);

		check_like(c, place_of(c, yaml_get(n, "homes"), "clat"),
			   "this CLAT", v->homes.clat);
	}
}

/* Which can, and in one language: xlatd with its own sync, Jool with joold. */
static void check_standby(const struct checker *c)
{
	const struct ynode *plats = yaml_get(c->root, "plats");

	if (!c->t->standby)
		return;
	if (c->t->n_plats != 2)
		diags_add(c->r->d, place_of(c, c->root, "standby"),
			  "a warm standby takes two PLATs, not %zu",
			  c->t->n_plats);
	for (size_t i = 0; i < c->t->n_plats; i++) {
		const struct plat_spec *v = &c->t->plats[i];
		struct pos at = place_of(c, yaml_get(plats, v->name), "engine");

		if (strcmp(v->engine, "xlatd") != 0 &&
		    strcmp(v->engine, "jool") != 0)
			diags_add(c->r->d, at,
				  "`standby` needs xlatd or (with joold) jool: "
				  "%s can't tell another PLAT of its sessions",
				  v->engine);
		else if (strcmp(v->engine, c->t->plats[0].engine) != 0)
			diags_add(c->r->d, at,
				  "`standby` needs one engine on both PLATs: "
				  "%s and %s tell sessions differently",
				  c->t->plats[0].engine, v->engine);
	}
}

static void check_engines(const struct checker *c)
{
	const struct ynode *plats = yaml_get(c->root, "plats");
	const struct ynode *towers = yaml_get(c->root, "towers");

	check_plain4(c, plats, towers);
	check_standby(c);
	if (c->t->plain4 && c->t->health.on)
		diags_add(c->r->d, place_of(c, c->root, "health-check"),
			  "a health check asks through NAT64, which %s is not",
			  c->t->plain4);
	for (size_t i = 0; i < c->t->n_plats; i++) {
		const struct plat_spec *v = &c->t->plats[i];

		check_attach(c, yaml_get(plats, v->name), v->engine, v->attach);
		check_engine_keys(c, yaml_get(plats, v->name), v->engine);
	}
	for (size_t i = 0; i < c->t->n_towers; i++) {
		const struct tower_spec *v = &c->t->towers[i];
		const struct ynode *n = yaml_get(towers, v->name);

		if (yaml_get(n, "homes"))
			check_engine_keys(c, yaml_get(n, "homes"),
					  v->homes.clat);
		if (v->homes.attach)
			check_attach(c, yaml_get(n, "homes"), v->homes.clat,
				     v->homes.attach);
	}
}

/* ---- machines ----------------------------------------------------------- */

/* A pool4 of its own may be wrong, but not somebody else's network. */
static void check_pools(const struct checker *c)
{
	const struct ynode *plats = yaml_get(c->root, "plats");
	const struct topology *t = c->t;

	for (size_t i = 0; i < t->n_plats; i++) {
		const struct plat_spec *v = &t->plats[i];
		const struct ynode *n = yaml_get(plats, v->name);

		if (!n || n->kind != YNODE_MAP || !yaml_get(n, "pool4"))
			continue; /* the topology's, checked already */
		if (v->pool4.len && v->pool4.len < 8)
			diags_add(c->r->d, place_of(c, n, "pool4"),
				  "`pool4` is a /%u; /8 to /32 is supported",
				  v->pool4.len);
		if (prefix4_overlaps(&v->pool4, &t->infra4) ||
		    prefix4_overlaps(&v->pool4, &t->lan4))
			diags_add(c->r->d, place_of(c, n, "pool4"),
				  "`pool4` of %s overlaps `infra4` or `lan4`",
				  v->name);
	}
}

/* ---- static entries ----------------------------------------------------- */

/* The homes that @name is one of, by its number; NULL: it is none. */
static const struct homes_spec *homes_of(const struct topology *t,
					 const char *name)
{
	int64_t number = 0;
	char same[32];

	sscanf(name, "home%" SCNd64, &number);
	snprintf(same, sizeof(same), "home%" PRId64, number);
	if (number < 1 || strcmp(same, name) != 0)
		return NULL;
	for (size_t i = 0; i < t->n_towers; i++) {
		if (number <= t->towers[i].homes.count)
			return &t->towers[i].homes;
		number -= t->towers[i].homes.count;
	}
	return NULL;
}

static void check_static(const struct checker *c, const struct plat_spec *v,
			 const struct static_spec *x)
{
	const struct homes_spec *h = x->home ? homes_of(c->t, x->home) : NULL;
	char text[ADDR_TEXT_LEN];

	if (x->home && !h)
		diags_add(c->r->d, x->pos, "`static`: %s is no home", x->home);
	else if (h && (h->clat_mode == CLAT_MODE_ADDRESS || !h->clat ||
		       strcmp(h->clat, "xlatd") != 0))
		diags_add(c->r->d, x->pos,
			  "`static`: %s has no address of its own behind the "
			  "PLAT; xlatd with `clat-mode: prefix` gives it one",
			  x->home);
	if (x->address.family == AF_INET6 ||
	    (x->address.family == AF_INET &&
	     !prefix4_contains(&v->pool4, x->address.v4)))
		diags_add(c->r->d, x->pos,
			  "`static`: %s is no address of `pool4`",
			  addr_format(&x->address, text));
}

static void check_statics(const struct checker *c)
{
	for (size_t i = 0; i < c->t->n_plats; i++)
		for (size_t k = 0; k < c->t->plats[i].n_statics; k++)
			check_static(c, &c->t->plats[i],
				     &c->t->plats[i].statics[k]);
}

static void check_restart_on(const struct checker *c, const struct host_spec *h)
{
	const struct ynode *hosts = yaml_get(c->root, "hosts");
	const char **others = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->t->n_hosts; i++) {
		const char *name = c->t->hosts[i].name;

		if (!strcmp(name, h->name))
			continue;
		if (!strcmp(name, h->restart_on))
			return;
		*ARENA_APPEND(c->r->a, others, n) = name;
	}
	*ARENA_APPEND(c->r->a, others, n) = NULL;
	yaml_unknown(c->r->d,
		     place_of(c, yaml_get(hosts, h->name), "restart-on"),
		     "host to restart on:", h->restart_on, others);
}

static void check_hosts(const struct checker *c)
{
	for (size_t i = 0; i < c->t->n_hosts; i++) {
		const struct host_spec *h = &c->t->hosts[i];

		if (!yaml_is_name(h->name, NODE_NAME_MAX))
			diags_add(c->r->d, h->pos,
				  "`%s` is no name for a host; up to %d "
				  "lower-case letters, digits and hyphens are "
				  "expected, letter first",
				  h->name, NODE_NAME_MAX);
		if (h->restart_on)
			check_restart_on(c, h);
	}
}

/* ---- routing ------------------------------------------------------------ */

static void check_whole(const struct checker *c, const struct ynode *routing,
			const char *key, double ns)
{
	if ((int64_t)ns % NS_PER_S)
		diags_add(c->r->d, place_of(c, routing, key),
			  "`%s` must be whole seconds (OSPF counts in them)",
			  key);
}

static void check_routing(const struct checker *c)
{
	const struct routing_spec *v = &c->t->routing;
	const struct ynode *routing = yaml_get(c->root, "routing");

	check_whole(c, routing, "hello", v->hello_ns);
	check_whole(c, routing, "dead", v->dead_ns);
	if (v->dead_ns <= v->hello_ns)
		diags_add(c->r->d, place_of(c, routing, "dead"),
			  "`dead` must be longer than `hello`");
	if (v->spf_max_ns < v->spf_holdtime_ns)
		diags_add(c->r->d, place_of(c, routing, "spf-max"),
			  "`spf-max` must not be below `spf-holdtime`");
}

/* ---- servers ------------------------------------------------------------ */

static bool is_unicast4(struct in_addr a)
{
	uint32_t first = ntohl(a.s_addr) >> 24;

	return first != 0 && first != 127 && first < 224;
}

static void check_server4(const struct checker *c, const struct name_spec *n)
{
	const struct topology *t = c->t;
	const struct {
		const char *key;
		const struct prefix4 *p;
	} v[] = {{"pool4", &t->pool4},
		 {"infra4", &t->infra4},
		 {"lan4", &t->lan4}};
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];

	in4_format(n->v4, a);
	if (!is_unicast4(n->v4))
		diags_add(c->r->d, n->pos, "%s: %s is not a host's address",
			  n->name, a);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (v[i].p->addr.s_addr && prefix4_contains(v[i].p, n->v4))
			diags_add(c->r->d, n->pos,
				  "%s: %s lies inside `%s` %s; a server is on "
				  "the internet",
				  n->name, a, v[i].key,
				  prefix4_format(v[i].p, b));
}

static void check_server(const struct checker *c, const struct name_spec *n)
{
	const struct topology *t = c->t;
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN];

	if (n->has4)
		check_server4(c, n);
	if (n->has6 && !prefix6_contains(&t->internet6, &n->v6))
		diags_add(c->r->d, n->pos, "%s: %s lies outside `internet` %s",
			  n->name, in6_format(&n->v6, a),
			  prefix6_format(&t->internet6, b));
	for (const struct name_spec *o = t->internet.names; o < n; o++) {
		if (n->has4 && o->has4 && n->v4.s_addr == o->v4.s_addr)
			diags_add(c->r->d, n->pos,
				  "%s: %s is the address of "
				  "%s already",
				  n->name, in4_format(n->v4, a), o->name);
		if (n->has6 && o->has6 &&
		    !memcmp(&n->v6, &o->v6, sizeof(n->v6)))
			diags_add(c->r->d, n->pos,
				  "%s: %s is the address of "
				  "%s already",
				  n->name, in6_format(&n->v6, a), o->name);
	}
}

/* ---- links -------------------------------------------------------------- */

static void check_link(const struct checker *c, const struct link_spec *l)
{
	for (const struct link_spec *o = c->t->links; o < l; o++)
		if (!strcmp(o->a, l->a) && !strcmp(o->b, l->b))
			diags_add(c->r->d, l->pos,
				  "link %s-%s is given twice; "
				  "first at line %u",
				  l->a, l->b, o->pos.line);
	for (size_t i = 0; i < c->t->n_towers; i++) {
		const struct tower_spec *t = &c->t->towers[i];
		const struct ynode *towers = yaml_get(c->root, "towers");
		const struct ynode *n = yaml_get(towers, t->name);

		if (!strcmp(l->a, t->name) && !strcmp(l->b, "access") && n &&
		    yaml_get(n, "radio"))
			diags_add(c->r->d, l->pos,
				  "link %s-%s carries the "
				  "`radio` of tower %s; set it there",
				  l->a, l->b, t->name);
	}
}

void topology_check(struct spec_reader *r, const struct topology *t,
		    const struct ynode *root, bool prefixes_good)
{
	struct checker c = {.r = r,
			    .t = t,
			    .root = root,
			    .prefixes = yaml_get(root, "prefixes")};

	if (prefixes_good)
		check_prefixes(&c);
	check_names(&c);
	check_dns64(&c);
	check_hosts(&c);
	if (prefixes_good) {
		check_pools(&c);
		check_statics(&c);
	}
	check_routing(&c);
	check_engines(&c);
	for (size_t i = 0; prefixes_good && i < t->internet.n_names; i++)
		check_server(&c, &t->internet.names[i]);
	for (size_t i = 0; i < t->n_links; i++)
		check_link(&c, &t->links[i]);
}
