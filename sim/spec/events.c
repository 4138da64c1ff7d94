/* SPDX-License-Identifier: MIT */
/* The section `events:` of a scenario. */
#include "spec_internal.h"

#include <stddef.h>
#include <string.h>

#include "../../xlat/base/clock.h"

const char *const route_words[] = {"pool6", "pool4", "default6", "default4",
				   NULL};
static const char *const way_words[] = {"down", "up", NULL};
static const char *const family_words[] = {"4", "6", NULL};
const char *const role_words[] = {"plat",    "clat",   "dns64",
				  "routing", "health", NULL};

/* What an event_spec does not hold as the file says it. */
struct raw_event {
	struct event_spec ev;
	const char *word, *link;
	int role, way, family; /* index of a word; -1: absent */
	struct ynode *shape, *set, *prefix;
};

#define ONE(kind) (1U << (kind))
#define HOLE	  ONE(EVENT_BLACK_HOLE)
#define FLAP	  ONE(EVENT_FLAP)
#define HOST	  ONE(EVENT_HOST_DOWN)
#define LINKS                                                                  \
	(ONE(EVENT_LINK_DOWN) | ONE(EVENT_LINK_UP) | FLAP | HOLE |             \
	 ONE(EVENT_BLACK_HOLE_END))
#define ENGINES                                                                \
	(ONE(EVENT_ENGINE_KILL) | ONE(EVENT_ENGINE_START) |                    \
	 ONE(EVENT_ENGINE_STOP) | ONE(EVENT_ENGINE_CONT) |                     \
	 ONE(EVENT_ENGINE_END))
#define NODES                                                                  \
	(ONE(EVENT_NODE_DOWN) | ONE(EVENT_NODE_UP) | ONE(EVENT_NODE_FREEZE) |  \
	 ONE(EVENT_NODE_THAW))
#define COST	ONE(EVENT_SET_COST)
#define RENEW	ONE(EVENT_RENEW)
#define SHAPE	ONE(EVENT_SHAPE)
#define OFFLOAD ONE(EVENT_OFFLOAD)
#define ADVERT	ONE(EVENT_ADVERTISE)
#define ROUTE	ONE(EVENT_AWAIT_ROUTE)
#define AWAITS	(ROUTE | ONE(EVENT_AWAIT_PING))
#define ACTS                                                                   \
	(LINKS | ENGINES | NODES | COST | SHAPE | HOST | OFFLOAD | ADVERT |    \
	 RENEW)

#define FIELD(word, type_, member, kinds_, required_)                          \
	{                                                                      \
		.f = {.key = word,                                             \
		      .type = type_,                                           \
		      .offset = offsetof(struct raw_event, member)},           \
		.kinds = kinds_, .required = required_                         \
	}
#define TIME(word, kinds_)                                                     \
	{                                                                      \
		.f = {.key = word,                                             \
		      .type = YF_QUANTITY,                                     \
		      .unit = UNIT_TIME,                                       \
		      .min = 0,                                                \
		      .max = 3600.0 * NS_PER_S,                                \
		      .offset = offsetof(struct raw_event, ev.at_ns)},         \
		.kinds = kinds_, .required = kinds_                            \
	}

const struct kind_field event_fields[] = {
	TIME("at", ACTS),
	TIME("until", AWAITS),
	FIELD("do", YF_STRING, word, ACTS, ACTS),
	FIELD("await", YF_STRING, word, AWAITS, AWAITS),
	FIELD("link", YF_STRING, link, LINKS | SHAPE, LINKS | SHAPE),
	FIELD("node", YF_STRING, ev.node,
	      ENGINES | NODES | COST | OFFLOAD | ADVERT | RENEW | AWAITS,
	      ENGINES | NODES | COST | OFFLOAD | ADVERT | RENEW | AWAITS),
	FIELD("interface", YF_STRING, ev.iface, OFFLOAD, OFFLOAD),
	FIELD("set", YF_NODE, set, OFFLOAD, OFFLOAD),
	FIELD("prefix", YF_NODE, prefix, ADVERT, ADVERT),
	{.f = {.key = "role",
	       .type = YF_ENUM,
	       .words = role_words,
	       .offset = offsetof(struct raw_event, role)},
	 .kinds = ENGINES},
	{.f = {.key = "cost",
	       .type = YF_INT,
	       .min = 1,
	       .max = 65535,
	       .offset = offsetof(struct raw_event, ev.cost)},
	 .kinds = COST,
	 .required = COST},
	{.f = {.key = "family",
	       .type = YF_ENUM,
	       .words = family_words,
	       .offset = offsetof(struct raw_event, family)},
	 .kinds = COST},
	{.f = {.key = "direction",
	       .type = YF_ENUM,
	       .words = way_words,
	       .offset = offsetof(struct raw_event, way)},
	 .kinds = HOLE},
	FIELD("host", YF_STRING, ev.host, HOST, HOST),
	{.f = {.key = "times",
	       .type = YF_INT,
	       .min = 1,
	       .max = 100,
	       .offset = offsetof(struct raw_event, ev.times)},
	 .kinds = FLAP,
	 .required = FLAP},
	{.f = {.key = "period",
	       .type = YF_QUANTITY,
	       .unit = UNIT_TIME,
	       .min = 20.0 * NS_PER_MS,
	       .max = 600.0 * NS_PER_S,
	       .offset = offsetof(struct raw_event, ev.period_ns)},
	 .kinds = FLAP,
	 .required = FLAP},
	FIELD("shape", YF_NODE, shape, SHAPE, SHAPE),
	FIELD("to", YF_STRING, ev.to, AWAITS, AWAITS),
	FIELD("via", YF_STRING, ev.via, ROUTE, 0),
	FIELD("name", YF_STRING, ev.name, ACTS | AWAITS, 0),
	{.f = {0}},
};

struct reading {
	struct spec_reader *r;
	const struct topology *t; /* NULL: references are not checked */
	const struct names *names;
	struct scenario *s;
	size_t n_awaits;
	double last_at_ns;
};

/* ---- which kind --------------------------------------------------------- */

static int find_word(struct reading *x, const struct ynode *n, const char *what,
		     int first, int last)
{
	const char *words[EVENT_AWAIT_PING + 2] = {NULL};

	if (!spec_want(x->r, n, YNODE_SCALAR, what))
		return -1;
	for (int i = first; i <= last; i++) {
		words[i - first] = event_words[i];
		if (!strcmp(event_words[i], n->text))
			return i;
	}
	yaml_unknown(x->r->d, n->pos, what, n->text, words);
	return -1;
}

static int read_kind(struct reading *x, const struct ynode *n)
{
	const struct ynode *act, *await;

	if (!spec_want(x->r, n, YNODE_MAP, "an event"))
		return -1;
	act = yaml_get(n, "do");
	await = yaml_get(n, "await");
	if (!act == !await) {
		diags_add(x->r->d, n->pos,
			  "an event has either `at` and `do`, or `until` and "
			  "`await`");
		return -1;
	}
	if (act)
		return find_word(x, act, "event", EVENT_LINK_DOWN, EVENT_FLAP);
	return find_word(x, await, "await", EVENT_AWAIT_ROUTE,
			 EVENT_AWAIT_PING);
}

/* ---- references --------------------------------------------------------- */

static struct pos place_of(const struct ynode *m, const char *key)
{
	const struct ynode *n = yaml_get(m, key);

	return n ? n->pos : m->pos;
}

static bool is_dns64_node(const struct topology *t, const char *node)
{
	for (size_t i = 0; i < t->dns64.n_on; i++)
		if (!strcmp(t->dns64.on[i], node))
			return true;
	return false;
}

static bool plays(const struct topology *t, const char *node,
		  enum known_kind kind, const char *role)
{
	if (!strcmp(role, "plat"))
		return kind == KNOWN_PLAT;
	if (!strcmp(role, "clat"))
		return kind == KNOWN_CPE;
	if (!strcmp(role, "dns64"))
		return is_dns64_node(t, node);
	if (!strcmp(role, "health"))
		return kind == KNOWN_PLAT && t->health.on;
	return kind == KNOWN_ACCESS || kind == KNOWN_PLAT ||
	       kind == KNOWN_BORDER;
}

static void check_role(struct reading *x, const struct ynode *n,
		       const struct event_spec *ev, enum known_kind kind)
{
	bool cost = ONE(ev->kind) & (COST | RENEW);
	const char *role = cost ? "routing" : ev->role ? ev->role : "plat";

	if (!(ONE(ev->kind) & ENGINES) && !cost)
		return;
	if (plays(x->t, ev->node, kind, role))
		return;
	diags_add(x->r->d, place_of(n, "node"), "no %s engine runs on %s%s",
		  role, ev->node,
		  !cost && !ev->role ? " (`role` is plat when not given)" : "");
}

static void check_renew(struct reading *x, const struct ynode *n)
{
	if (x->t->routing.grace_ns <= 0)
		diags_add(x->r->d, place_of(n, "do"),
			  "`graceful-restart` needs routers that help: "
			  "`routing: {graceful-restart: 60s}` in the topology");
}

static void check_node(struct reading *x, const struct ynode *n,
		       const struct event_spec *ev)
{
	int i = names_find(x->names, ev->node);

	if (i < 0)
		yaml_unknown(x->r->d, place_of(n, "node"), "node", ev->node,
			     x->names->nodes);
	else
		check_role(x, n, ev, x->names->kinds[i]);
	if (i < 0 || !ev->via)
		return;
	if (!names_linked(x->names, ev->node, ev->via))
		yaml_unknown(
			x->r->d, place_of(n, "via"),
			arena_printf(x->r->a, "neighbour of %s:", ev->node),
			ev->via, names_neighbours(x->names, ev->node, x->r->a));
}

/* Whether packets on the link go through the relay, which can do it all. */
static bool is_relayed(const struct topology *t, const struct event_spec *ev)
{
	if (!strcmp(ev->link_a, "border") && !strcmp(ev->link_b, "inet") &&
	    t->internet.rtt_ns > 0)
		return true;
	for (size_t i = 0; i < t->n_towers; i++)
		if (!strcmp(ev->link_a, t->towers[i].name) &&
		    !strcmp(ev->link_b, "access") &&
		    profile_needs_relay(&t->towers[i].radio))
			return true;
	for (size_t i = 0; i < t->n_links; i++)
		if (!strcmp(ev->link_a, t->links[i].a) &&
		    !strcmp(ev->link_b, t->links[i].b) &&
		    profile_needs_relay(&t->links[i].profile))
			return true;
	return false;
}

static void check_link(struct reading *x, const struct ynode *n,
		       const char *text, struct event_spec *ev)
{
	const struct known_link *l = names_find_link(x->names, text);

	if (!l) {
		yaml_unknown(x->r->d, place_of(n, "link"), "link", text,
			     x->names->link_words);
		return;
	}
	ev->link_a = l->a;
	ev->link_b = l->b;
	if (ev->kind == EVENT_SHAPE && profile_needs_relay(&ev->shape) &&
	    !is_relayed(x->t, ev))
		diags_add(x->r->d, place_of(n, "shape"),
			  "only a `rate` can be set on %s-%s: it has no delay, "
			  "jitter, loss, reorder or duplicate in the topology, "
			  "so no relay carries it",
			  l->a, l->b);
}

static void check_host(struct reading *x, const struct ynode *n,
		       const struct event_spec *ev)
{
	const char **hosts = NULL;
	size_t count = 0;

	for (size_t i = 0; i < x->t->n_hosts; i++) {
		if (!strcmp(x->t->hosts[i].name, ev->host))
			return;
		*ARENA_APPEND(x->r->a, hosts, count) = x->t->hosts[i].name;
	}
	*ARENA_APPEND(x->r->a, hosts, count) = NULL;
	yaml_unknown(x->r->d, place_of(n, "host"), "host", ev->host, hosts);
}

static void check_iface(struct reading *x, const struct ynode *n,
			const struct event_spec *ev)
{
	if (names_find(x->names, ev->node) < 0 ||
	    names_linked(x->names, ev->node, ev->iface) ||
	    names_engine_device(x->names, x->t, ev->node, ev->iface))
		return;
	yaml_unknown(x->r->d, place_of(n, "interface"),
		     arena_printf(x->r->a, "interface of %s:", ev->node),
		     ev->iface, names_neighbours(x->names, ev->node, x->r->a));
}

static void check_to(struct reading *x, const struct ynode *n,
		     const struct event_spec *ev)
{
	if (ev->kind == EVENT_AWAIT_PING && x->t)
		check_target(x->r, x->t, x->names, place_of(n, "to"), "to",
			     ev->to);
	if (ev->kind != EVENT_AWAIT_ROUTE)
		return;
	for (size_t i = 0; route_words[i]; i++)
		if (!strcmp(route_words[i], ev->to))
			return;
	yaml_unknown(x->r->d, place_of(n, "to"), "route", ev->to, route_words);
}

/* ---- one event ---------------------------------------------------------- */

static void read_shape(struct reading *x, const struct ynode *n,
		       struct event_spec *ev)
{
	static const char *const fixed[] = {"mtu", "offloads", "block-icmp"};

	profile_read(x->r, x->t, n, "`shape`", true, &ev->shape);
	for (size_t i = 0; i < 3; i++)
		if (yaml_get(n, fixed[i]))
			diags_add(x->r->d, place_of(n, fixed[i]),
				  "`%s` cannot be changed on the time line",
				  fixed[i]);
}

static bool can_advertise(uint8_t len)
{
	return len == 96 || (len >= 32 && len <= 64 && len % 8 == 0);
}

static void read_prefix(struct reading *x, const struct ynode *n,
			struct event_spec *ev)
{
	struct prefix6 *p = &ev->prefix;

	if (n->kind == YNODE_SCALAR && !strcmp(n->text, "none"))
		return;
	if (n->kind != YNODE_SCALAR || prefix6_parse(n->text, p) ||
	    !can_advertise(p->len))
		diags_add(x->r->d, n->pos,
			  "`prefix`: none, or a NAT64 prefix such as "
			  "64:ff9b::/96 is expected");
}

/* Only towers whose homes listen have who advertises. */
static void check_advertises(struct reading *x, const struct ynode *n,
			     const struct event_spec *ev)
{
	for (size_t i = 0; i < x->t->n_towers; i++)
		if (!strcmp(x->t->towers[i].name, ev->node) &&
		    x->t->towers[i].homes.pref64 == PREF64_RA)
			return;
	diags_add(x->r->d, place_of(n, "node"),
		  "%s is no tower with `pref64: ra`, so it does not advertise",
		  ev->node);
}

/* Times never go back, so that the file reads as it will be played. */
static void check_time(struct reading *x, const struct ynode *n,
		       const struct event_spec *ev)
{
	if (ev->until && ev->at_ns <= x->last_at_ns)
		diags_add(x->r->d, place_of(n, "until"),
			  "`until` is the "
			  "deadline: it must be later than the event before");
	else if (!ev->until && ev->at_ns < x->last_at_ns)
		diags_add(x->r->d, place_of(n, "at"),
			  "events must be in order of time; the one before "
			  "is later");
	if (!ev->until && ev->at_ns > x->last_at_ns)
		x->last_at_ns = ev->at_ns;
}

static void read_event(struct reading *x, const struct ynode *n)
{
	struct event_spec *ev =
		ARENA_APPEND(x->r->a, x->s->events, x->s->n_events);
	struct raw_event raw = {.role = -1, .way = -1, .family = -1};
	int kind = read_kind(x, n);

	ev->pos = n->pos;
	if (kind < 0)
		return;
	raw.ev.pos = n->pos;
	raw.ev.kind = (enum event_kind)kind;
	raw.ev.at_ns = -1;
	raw.ev.until = ONE(kind) & AWAITS;
	kind_read_map(x->r, n, "the event", event_fields, (unsigned int)kind,
		      event_words, &raw);
	if (raw.role >= 0)
		raw.ev.role = role_words[raw.role];
	raw.ev.family = raw.family < 0 ? 0 : raw.family ? 6 : 4;
	raw.ev.hole_down = ONE(kind) & HOLE && raw.way != DIR_UP;
	raw.ev.hole_up = ONE(kind) & HOLE && raw.way != DIR_DOWN;
	if (raw.ev.until && !raw.ev.name)
		raw.ev.name =
			arena_printf(x->r->a, "await%zu", x->n_awaits + 1);
	x->n_awaits += raw.ev.until;
	if (raw.shape)
		read_shape(x, raw.shape, &raw.ev);
	if (raw.ev.at_ns >= 0)
		check_time(x, n, &raw.ev);
	if (raw.ev.node && x->t)
		check_node(x, n, &raw.ev);
	if (raw.ev.kind == EVENT_RENEW && x->t)
		check_renew(x, n);
	if (raw.prefix)
		read_prefix(x, raw.prefix, &raw.ev);
	if (raw.ev.kind == EVENT_ADVERTISE && raw.ev.node && x->t)
		check_advertises(x, n, &raw.ev);
	if (raw.set)
		offloads_read(x->r, x->t, raw.set, &raw.ev.offloads);
	if (raw.ev.iface && raw.ev.node && x->t)
		check_iface(x, n, &raw.ev);
	if (raw.ev.host && x->t)
		check_host(x, n, &raw.ev);
	if (raw.link && x->t)
		check_link(x, n, raw.link, &raw.ev);
	if (raw.ev.to)
		check_to(x, n, &raw.ev);
	if (raw.ev.name && !yaml_is_name(raw.ev.name, MEASURE_NAME_MAX))
		diags_add(x->r->d, place_of(n, "name"),
			  "`name: %s`: up to %d lower-case letters, digits "
			  "and hyphens are expected, letter first",
			  raw.ev.name, MEASURE_NAME_MAX);
	*ev = raw.ev;
}

void events_read(struct spec_reader *r, const struct topology *t,
		 const struct names *names, const struct ynode *n,
		 struct scenario *s)
{
	struct reading x = {.r = r, .t = t, .names = names, .s = s};

	if (!spec_want(r, n, YNODE_LIST, "`events`"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_event(&x, n->items[i]);
}
