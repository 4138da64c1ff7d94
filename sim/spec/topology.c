/* SPDX-License-Identifier: MIT */
#include "spec_internal.h"

#include <stddef.h>
#include <string.h>

#include "../../xlat/base/clock.h"

#define FIELD(word, kind, type_, member)                                       \
	{                                                                      \
		.key = word, .type = kind, .offset = offsetof(type_, member)   \
	}
#define NEEDED(word, kind, type_, member)                                      \
	{                                                                      \
		.key = word, .type = kind, .offset = offsetof(type_, member),  \
		.required = true                                               \
	}
#define RANGED(word, kind, type_, member, u, lo, hi)                           \
	{                                                                      \
		.key = word, .type = kind, .offset = offsetof(type_, member),  \
		.unit = u, .min = lo, .max = hi                                \
	}

/* The sections of the file, read one after the other. */
struct sections {
	struct ynode *prefixes, *plats, *dns64, *routing, *towers, *internet,
		*links, *impairments, *offloads, *hosts, *health;
	bool standby;
};

const struct yfield topology_fields[] = {
	NEEDED("prefixes", YF_NODE, struct sections, prefixes),
	NEEDED("plats", YF_NODE, struct sections, plats),
	NEEDED("dns64", YF_NODE, struct sections, dns64),
	FIELD("hosts", YF_NODE, struct sections, hosts),
	FIELD("routing", YF_NODE, struct sections, routing),
	FIELD("health-check", YF_NODE, struct sections, health),
	FIELD("standby", YF_BOOL, struct sections, standby),
	NEEDED("towers", YF_NODE, struct sections, towers),
	NEEDED("internet", YF_NODE, struct sections, internet),
	FIELD("links", YF_NODE, struct sections, links),
	FIELD("impairments", YF_NODE, struct sections, impairments),
	FIELD("offloads", YF_NODE, struct sections, offloads),
	{0},
};

const struct yfield prefix_fields[] = {
	FIELD("operator", YF_PREFIX6, struct topology, operator_prefix),
	FIELD("internet", YF_PREFIX6, struct topology, internet6),
	FIELD("pool6", YF_PREFIX6, struct topology, pool6),
	NEEDED("pool4", YF_PREFIX4, struct topology, pool4),
	FIELD("infra4", YF_PREFIX4, struct topology, infra4),
	FIELD("lan4", YF_PREFIX4, struct topology, lan4),
	{0},
};

#define TUNING(type_, member)                                                  \
	RANGED("mtu6", YF_INT, type_, member.mtu6, UNIT_NONE, 1280, 9000),     \
		RANGED("lowest-ipv6-mtu", YF_INT, type_, member.lowest_mtu6,   \
		       UNIT_NONE, 1280, 9000),                                 \
		FIELD("clamp-mss", YF_BOOL, type_, member.clamp_mss)

/* `spec` comes first, so the offsets of a struct plat_spec fit. */
struct raw_plat {
	struct plat_spec spec;
	struct ynode *statics;
};

const struct yfield static_fields[] = {
	NEEDED("home", YF_STRING, struct static_spec, home),
	NEEDED("address", YF_ADDR, struct static_spec, address),
	{.key = "port",
	 .type = YF_INT,
	 .offset = offsetof(struct static_spec, port),
	 .min = 1024,
	 .max = 65535,
	 .required = true},
	{0},
};

const struct yfield plat_fields[] = {
	FIELD("static", YF_NODE, struct raw_plat, statics),
	NEEDED("engine", YF_STRING, struct plat_spec, engine),
	FIELD("attach", YF_STRING, struct plat_spec, attach),
	RANGED("ospf-cost", YF_INT, struct plat_spec, ospf_cost, UNIT_NONE, 1,
	       65535),
	FIELD("host", YF_STRING, struct plat_spec, host),
	FIELD("pool4", YF_PREFIX4, struct plat_spec, pool4),
	RANGED("sessions", YF_INT, struct plat_spec, sessions, UNIT_NONE, 1,
	       1 << 26),
	RANGED("subscriber-sessions", YF_INT, struct plat_spec,
	       subscriber_sessions, UNIT_NONE, 1, 1 << 26),
	RANGED("subscriber-ports", YF_INT, struct plat_spec, subscriber_ports,
	       UNIT_NONE, 1, 65536),
	FIELD("guest-gro", YF_BOOL, struct plat_spec, guest_gro),
	TUNING(struct plat_spec, tuning),
	{0},
};

const struct yfield host_fields[] = {
	RANGED("restart-after", YF_QUANTITY, struct host_spec, restart_after_ns,
	       UNIT_TIME, 0, 3600.0 * NS_PER_S),
	FIELD("restart-on", YF_STRING, struct host_spec, restart_on),
	{0},
};

struct raw_dns64 {
	struct dns64_spec spec;
	struct ynode *on;
};

const struct yfield dns64_fields[] = {
	FIELD("engine", YF_STRING, struct raw_dns64, spec.engine),
	NEEDED("on", YF_NODE, struct raw_dns64, on),
	FIELD("validation", YF_BOOL, struct raw_dns64, spec.validation),
	{0},
};

/* A cluster's detection (about a minute) and the boot of a small machine. */
#define RESTART_AFTER_NS (90.0 * NS_PER_S)
#define SPF_MAX		 (600.0 * NS_PER_S)

const struct yfield routing_fields[] = {
	FIELD("engine", YF_STRING, struct routing_spec, engine),
	RANGED("hello", YF_QUANTITY, struct routing_spec, hello_ns, UNIT_TIME,
	       1.0 * NS_PER_S, 65535.0 * NS_PER_S),
	RANGED("dead", YF_QUANTITY, struct routing_spec, dead_ns, UNIT_TIME,
	       1.0 * NS_PER_S, 65535.0 * NS_PER_S),
	RANGED("spf-delay", YF_QUANTITY, struct routing_spec, spf_delay_ns,
	       UNIT_TIME, 0, SPF_MAX),
	RANGED("spf-holdtime", YF_QUANTITY, struct routing_spec,
	       spf_holdtime_ns, UNIT_TIME, 0, SPF_MAX),
	RANGED("spf-max", YF_QUANTITY, struct routing_spec, spf_max_ns,
	       UNIT_TIME, 0, SPF_MAX),
	FIELD("track", YF_BOOL, struct routing_spec, track),
	FIELD("bfd", YF_BOOL, struct routing_spec, bfd),
	RANGED("bfd-interval", YF_QUANTITY, struct routing_spec,
	       bfd_interval_ns, UNIT_TIME, 10.0 * NS_PER_MS, 60.0 * NS_PER_S),
	RANGED("bfd-multiplier", YF_INT, struct routing_spec, bfd_multiplier,
	       UNIT_NONE, 2, 255),
	RANGED("graceful-restart", YF_QUANTITY, struct routing_spec, grace_ns,
	       UNIT_TIME, 1.0 * NS_PER_S, 1800.0 * NS_PER_S),
	{0},
};

const struct yfield health_fields[] = {
	RANGED("interval", YF_QUANTITY, struct health_spec, interval_ns,
	       UNIT_TIME, 50.0 * NS_PER_MS, 600.0 * NS_PER_S),
	RANGED("fail-after", YF_INT, struct health_spec, fail_after, UNIT_NONE,
	       1, 100),
	RANGED("rise", YF_INT, struct health_spec, rise, UNIT_NONE, 1, 100),
	FIELD("dns", YF_BOOL, struct health_spec, dns),
	{0},
};

struct raw_tower {
	struct ynode *radio, *homes;
};

const struct yfield tower_fields[] = {
	FIELD("radio", YF_NODE, struct raw_tower, radio),
	NEEDED("homes", YF_NODE, struct raw_tower, homes),
	{0},
};

struct raw_homes {
	struct homes_spec spec;
	struct ynode *plan;
};

static const char *const clat_modes[] = {"prefix", "address", NULL};
static const char *const pref64_words[] = {"configured", "dns", "ra", NULL};

const struct yfield homes_fields[] = {
	RANGED("count", YF_INT, struct raw_homes, spec.count, UNIT_NONE, 1,
	       HOMES_MAX),
	NEEDED("clat", YF_STRING, struct raw_homes, spec.clat),
	FIELD("attach", YF_STRING, struct raw_homes, spec.attach),
	RANGED("cpu", YF_QUANTITY, struct raw_homes, spec.cpu, UNIT_RATIO, 0.05,
	       64),
	FIELD("plan", YF_NODE, struct raw_homes, plan),
	{.key = "clat-mode",
	 .type = YF_ENUM,
	 .offset = offsetof(struct raw_homes, spec.clat_mode),
	 .words = clat_modes},
	{.key = "pref64",
	 .type = YF_ENUM,
	 .offset = offsetof(struct raw_homes, spec.pref64),
	 .words = pref64_words},
	FIELD("icmp-pool4", YF_PREFIX4, struct raw_homes, spec.icmp.pool4),
	FIELD("icmp-name-source", YF_BOOL, struct raw_homes,
	      spec.icmp.name_source),
	TUNING(struct raw_homes, spec.tuning),
	{0},
};

struct raw_internet {
	struct internet_spec spec;
	struct ynode *names;
};

const struct yfield internet_fields[] = {
	RANGED("rtt", YF_QUANTITY, struct raw_internet, spec.rtt_ns, UNIT_TIME,
	       0, 10.0 * NS_PER_S),
	FIELD("dnssec", YF_BOOL, struct raw_internet, spec.dnssec),
	FIELD("df", YF_BOOL, struct raw_internet, spec.df),
	NEEDED("names", YF_NODE, struct raw_internet, names),
	{0},
};

static void set_defaults(struct topology *t)
{
	prefix6_parse("2001:db8::/36", &t->operator_prefix);
	prefix6_parse("2001:db8:f000::/36", &t->internet6);
	prefix6_parse("64:ff9b::/96", &t->pool6);
	prefix4_parse("100.64.0.0/16", &t->infra4);
	prefix4_parse("192.168.1.0/24", &t->lan4);
	t->internet.dnssec = t->internet.df = true;
	t->dns64 = (struct dns64_spec){.engine = "bind9", .validation = true};
	/* FRR's own SPF throttle; hello and dead for failover in seconds */
	t->routing = (struct routing_spec){.engine = "frr",
					   .hello_ns = 1.0 * NS_PER_S,
					   .dead_ns = 4.0 * NS_PER_S,
					   .spf_delay_ns = 0,
					   .spf_holdtime_ns = 50.0 * NS_PER_MS,
					   .spf_max_ns = 5.0 * NS_PER_S,
					   .track = true,
					   .bfd_interval_ns = 100.0 * NS_PER_MS,
					   .bfd_multiplier = 3};
	t->health = (struct health_spec){.interval_ns = 500.0 * NS_PER_MS,
					 .fail_after = 3,
					 .rise = 3,
					 .dns = true};
}

/* A map of named things: at least one, at most @most. */
static bool want_named(struct spec_reader *r, const struct ynode *n,
		       const char *what, size_t most)
{
	if (!spec_want(r, n, YNODE_MAP, what))
		return false;
	if (n->n == 0)
		diags_add(r->d, n->pos, "%s is empty; at least one is needed",
			  what);
	if (n->n > most)
		diags_add(r->d, n->pos,
			  "%s has %zu entries; at most %zu are "
			  "supported",
			  what, n->n, most);
	return n->n > 0 && n->n <= most;
}

static void read_statics(struct spec_reader *r, const struct ynode *n,
			 struct plat_spec *v)
{
	if (!spec_want(r, n, YNODE_LIST, "`static`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		struct static_spec *x =
			ARENA_APPEND(r->a, v->statics, v->n_statics);

		*x = (struct static_spec){.pos = n->items[i]->pos};
		yaml_read_map(n->items[i], "an entry of `static`",
			      static_fields, x, r->a, r->d);
	}
}

static void read_plats(struct spec_reader *r, const struct ynode *n,
		       struct topology *t)
{
	if (!want_named(r, n, "`plats`", PLATS_MAX))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];
		struct plat_spec *v = ARENA_APPEND(r->a, t->plats, t->n_plats);

		struct raw_plat raw = {.spec = {.pos = p->key_pos,
						.name = p->key,
						.ospf_cost = 10,
						.guest_gro = true}};

		yaml_read_map(p->value, arena_printf(r->a, "plat %s", p->key),
			      plat_fields, &raw, r->a, r->d);
		if (raw.statics)
			read_statics(r, raw.statics, &raw.spec);
		*v = raw.spec;
	}
}

static bool has_host(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->n_hosts; i++)
		if (!strcmp(t->hosts[i].name, name))
			return true;
	return false;
}

static struct host_spec *add_host(struct spec_reader *r, struct topology *t,
				  const char *name, struct pos pos)
{
	struct host_spec *h = ARENA_APPEND(r->a, t->hosts, t->n_hosts);

	*h = (struct host_spec){
		.pos = pos, .name = name, .restart_after_ns = RESTART_AFTER_NS};
	return h;
}

static void read_hosts(struct spec_reader *r, const struct ynode *n,
		       struct topology *t)
{
	if (!spec_want(r, n, YNODE_MAP, "`hosts`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];

		yaml_read_map(p->value, arena_printf(r->a, "host %s", p->key),
			      host_fields, add_host(r, t, p->key, p->key_pos),
			      r->a, r->d);
	}
}

/* What a PLAT does not say, and the machines that only PLATs name. */
static void fill_plats(struct spec_reader *r, struct topology *t)
{
	for (size_t i = 0; i < t->n_plats; i++) {
		struct plat_spec *v = &t->plats[i];

		if (!v->pool4.len)
			v->pool4 = t->pool4;
		if (v->host && !has_host(t, v->host))
			add_host(r, t, v->host, v->pos);
	}
}

static void read_dns64(struct spec_reader *r, const struct ynode *n,
		       struct topology *t)
{
	struct raw_dns64 raw = {.spec = t->dns64};

	yaml_read_map(n, "`dns64`", dns64_fields, &raw, r->a, r->d);
	t->dns64 = raw.spec;
	if (!raw.on || !spec_want(r, raw.on, YNODE_LIST, "`on`"))
		return;
	if (raw.on->n == 0)
		diags_add(r->d, raw.on->pos,
			  "`on` is empty; at least one PLAT "
			  "is needed");
	for (size_t i = 0; i < raw.on->n; i++)
		if (spec_want(r, raw.on->items[i], YNODE_SCALAR,
			      "a PLAT in `on`"))
			*ARENA_APPEND(r->a, t->dns64.on, t->dns64.n_on) =
				raw.on->items[i]->text;
}

/* DOWN/UP, two rates */
static void read_plan(struct spec_reader *r, const struct ynode *n,
		      struct homes_spec *h)
{
	const char *slash;
	char *down;

	if (!spec_want(r, n, YNODE_SCALAR, "`plan`"))
		return;
	slash = strchr(n->text, '/');
	down = arena_strdup(r->a, n->text);
	if (slash)
		down[slash - n->text] = '\0';
	if (!slash || units_parse(down, UNIT_RATE, &h->plan_down_bps) ||
	    units_parse(slash + 1, UNIT_RATE, &h->plan_up_bps))
		diags_add(r->d, n->pos,
			  "`plan: %s`: rates down and up such as "
			  "100mbit/20mbit are expected",
			  n->text);
	else if ((h->plan_down_bps > 0 && h->plan_down_bps < 8000) ||
		 (h->plan_up_bps > 0 && h->plan_up_bps < 8000))
		diags_add(r->d, n->pos, "`plan: %s`: a rate below 8kbit",
			  n->text);
}

static void read_towers(struct spec_reader *r, const struct ynode *n,
			struct topology *t)
{
	if (!want_named(r, n, "`towers`", TOWERS_MAX))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];
		struct tower_spec *v =
			ARENA_APPEND(r->a, t->towers, t->n_towers);
		const char *what = arena_printf(r->a, "tower %s", p->key);
		struct raw_homes homes = {.spec.count = 1};
		struct raw_tower raw = {0};

		v->pos = p->key_pos;
		v->name = p->key;
		profile_defaults(&v->radio);
		yaml_read_map(p->value, what, tower_fields, &raw, r->a, r->d);
		if (raw.radio) {
			profile_read(r, t, raw.radio,
				     arena_printf(r->a, "radio of %s", what),
				     true, &v->radio);
			profile_check_mtu6(r, raw.radio, &v->radio);
		}
		if (!raw.homes)
			continue;
		yaml_read_map(raw.homes,
			      arena_printf(r->a, "homes of %s", what),
			      homes_fields, &homes, r->a, r->d);
		if (homes.plan)
			read_plan(r, homes.plan, &homes.spec);
		v->homes = homes.spec;
		v->homes.pos = raw.homes->pos;
	}
}

static void read_address(struct spec_reader *r, const struct ynode *n,
			 struct name_spec *v)
{
	struct addr a;

	if (!spec_want(r, n, YNODE_SCALAR, "an address"))
		return;
	if (addr_parse(n->text, &a))
		diags_add(r->d, n->pos,
			  "`%s`: an IPv4 or IPv6 address is "
			  "expected",
			  n->text);
	else if (a.family == AF_INET ? v->has4 : v->has6)
		diags_add(r->d, n->pos,
			  "a second %s address of %s; one of "
			  "each family is supported",
			  a.family == AF_INET ? "IPv4" : "IPv6", v->name);
	else if (a.family == AF_INET) {
		v->has4 = true;
		v->v4 = a.v4;
	} else {
		v->has6 = true;
		v->v6 = a.v6;
	}
}

static void read_names(struct spec_reader *r, const struct ynode *n,
		       struct topology *t)
{
	struct internet_spec *in = &t->internet;

	if (!want_named(r, n, "`names`", 1000))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];
		const struct ynode *list = p->value;
		struct name_spec *v =
			ARENA_APPEND(r->a, in->names, in->n_names);
		char *node = arena_strdup(r->a, p->key);

		node[strcspn(node, ".")] = '\0';
		*v = (struct name_spec){
			.pos = p->key_pos, .name = p->key, .node = node};
		if (!spec_want(
			    r, list, YNODE_LIST,
			    arena_printf(r->a, "the addresses of %s", p->key)))
			continue;
		if (list->n == 0)
			diags_add(r->d, list->pos, "%s has no address", p->key);
		for (size_t k = 0; k < list->n; k++)
			read_address(r, list->items[k], v);
	}
}

static void read_internet(struct spec_reader *r, const struct ynode *n,
			  struct topology *t)
{
	struct raw_internet raw = {.spec = t->internet};

	yaml_read_map(n, "`internet`", internet_fields, &raw, r->a, r->d);
	t->internet = raw.spec;
	if (raw.names)
		read_names(r, raw.names, t);
}

/* The link of a server that has no IPv6 address. */
static bool is_ipv4_only(const struct topology *t, const struct known_link *k)
{
	for (size_t i = 0; i < t->internet.n_names; i++)
		if (!strcmp(t->internet.names[i].node, k->b))
			return !t->internet.names[i].has6;
	return false;
}

static void read_links(struct spec_reader *r, const struct ynode *n,
		       struct topology *t)
{
	const struct names *names = names_new(t, r->a);

	if (!spec_want(r, n, YNODE_MAP, "`links`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];
		const struct known_link *k = names_find_link(names, p->key);
		struct link_spec v = {.pos = p->key_pos};

		profile_read(r, t, p->value,
			     arena_printf(r->a, "link %s", p->key), true,
			     &v.profile);
		if (!k) {
			yaml_unknown(r->d, p->key_pos, "link", p->key,
				     names->link_words);
			continue;
		}
		v.a = k->a;
		v.b = k->b;
		if (!is_ipv4_only(t, k))
			profile_check_mtu6(r, p->value, &v.profile);
		*ARENA_APPEND(r->a, t->links, t->n_links) = v;
	}
}

/* Returns whether the prefixes are good enough to be compared. */
static bool read_sections(struct spec_reader *r, const struct ynode *root,
			  struct topology *t)
{
	struct sections s = {0};
	size_t prefix_faults = 1;

	yaml_read_map(root, "the topology", topology_fields, &s, r->a, r->d);
	t->standby = s.standby;
	profiles_read(r, s.impairments, s.offloads, t);
	if (s.prefixes)
		prefix_faults = yaml_read_map(s.prefixes, "`prefixes`",
					      prefix_fields, t, r->a, r->d);
	if (s.plats)
		read_plats(r, s.plats, t);
	if (s.hosts)
		read_hosts(r, s.hosts, t);
	fill_plats(r, t);
	if (s.dns64)
		read_dns64(r, s.dns64, t);
	if (s.routing)
		yaml_read_map(s.routing, "`routing`", routing_fields,
			      &t->routing, r->a, r->d);
	if (s.health) {
		t->health.on = true;
		yaml_read_map(s.health, "`health-check`", health_fields,
			      &t->health, r->a, r->d);
	}
	if (s.towers)
		read_towers(r, s.towers, t);
	if (s.internet)
		read_internet(r, s.internet, t);
	if (s.links)
		read_links(r, s.links, t);
	return prefix_faults == 0;
}

struct topology *topology_load(const char *path, const struct overlays *o,
			       struct arena *a, struct diags *d)
{
	struct spec_reader r = {.a = a, .d = d};
	struct topology *t = ARENA_NEW(a, struct topology);
	size_t before = d->n;
	const struct ynode *root = yaml_load_file(path, a, d);
	bool prefixes_good;

	if (!root)
		return NULL;
	for (size_t i = 0; o && i < o->n; i++)
		root = yaml_overlay(root, o->topology[i], a);
	t->path = arena_strdup(a, path);
	t->name = name_of_file(a, path);
	set_defaults(t);
	if (root->kind != YNODE_MAP) {
		diags_add(d, root->pos, "a topology is a map of keys");
		return NULL;
	}
	prefixes_good = read_sections(&r, root, t);
	if (t->n_towers && t->towers[0].homes.clat &&
	    spec_is_plain4(t->towers[0].homes.clat))
		t->plain4 = t->towers[0].homes.clat;
	topology_check(&r, t, root, prefixes_good);
	return d->n == before ? t : NULL;
}

struct topology *spec_load_topology(const char *path, struct arena *a,
				    struct diags *d)
{
	return topology_load(path, NULL, a, d);
}
