/* SPDX-License-Identifier: MIT */
#include "spec_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../../xlat/base/clock.h"

/* A timeline that is not told its length goes on this long after the last. */
#define TAIL_NS		(5.0 * NS_PER_S)
#define OFF_TIMELINE_NS (10.0 * NS_PER_S)
#define MAX_LATE_NS	(50.0 * NS_PER_MS)
#define DURATION_MAX_NS (3600.0 * NS_PER_S)

struct raw_scenario {
	struct scenario s;
	const char *topology;
	struct ynode *about, *before, *measure, *after, *events, *expect,
		*capture;
};

#define FIELD(word, type_, member)                                             \
	{                                                                      \
		.key = word, .type = type_,                                    \
		.offset = offsetof(struct raw_scenario, member)                \
	}

const struct yfield scenario_fields[] = {
	FIELD("about", YF_NODE, about),
	{.key = "topology",
	 .type = YF_STRING,
	 .required = true,
	 .offset = offsetof(struct raw_scenario, topology)},
	FIELD("before", YF_NODE, before),
	FIELD("measure", YF_NODE, measure),
	FIELD("after", YF_NODE, after),
	FIELD("events", YF_NODE, events),
	FIELD("expect", YF_NODE, expect),
	FIELD("capture", YF_NODE, capture),
	{.key = "duration",
	 .type = YF_QUANTITY,
	 .unit = UNIT_TIME,
	 .min = 100.0 * NS_PER_MS,
	 .max = DURATION_MAX_NS,
	 .offset = offsetof(struct raw_scenario, s.duration_ns)},
	{.key = "max-late",
	 .type = YF_QUANTITY,
	 .unit = UNIT_TIME,
	 .min = 1.0 * NS_PER_MS,
	 .max = 60.0 * NS_PER_S,
	 .offset = offsetof(struct raw_scenario, s.max_late_ns)},
	{0},
};

struct raw_capture {
	const char *on, *filter;
};

const struct yfield capture_fields[] = {
	{.key = "on",
	 .type = YF_STRING,
	 .required = true,
	 .offset = offsetof(struct raw_capture, on)},
	{.key = "filter",
	 .type = YF_STRING,
	 .offset = offsetof(struct raw_capture, filter)},
	{0},
};

struct loading {
	struct spec_reader r;
	const struct ynode *root;
	struct scenario *s;
	const struct topology *t; /* NULL: it has errors of its own */
	const struct names *names;
	const struct overlays *overlays; /* or NULL */
};

/* ---- captures ----------------------------------------------------------- */

static void check_capture(struct loading *l, struct pos at,
			  const struct capture_spec *c)
{
	if (names_find(l->names, c->node) < 0) {
		yaml_unknown(l->r.d, at, "node", c->node, l->names->nodes);
		return;
	}
	if (strcmp(c->iface, "lo") != 0 &&
	    !names_linked(l->names, c->node, c->iface) &&
	    !names_engine_device(l->names, l->t, c->node, c->iface))
		yaml_unknown(l->r.d, at,
			     arena_printf(l->r.a, "interface of %s:", c->node),
			     c->iface,
			     names_neighbours(l->names, c->node, l->r.a));
}

/* NODE:INTERFACE, or {on: NODE:INTERFACE, filter: TEXT} */
static void read_capture(struct loading *l, const struct ynode *n)
{
	struct raw_capture raw = {0};
	struct capture_spec *c;
	char *node, *colon;

	if (n->kind == YNODE_SCALAR)
		raw.on = n->text;
	else
		yaml_read_map(n, "a capture", capture_fields, &raw, l->r.a,
			      l->r.d);
	if (!raw.on)
		return;
	node = arena_strdup(l->r.a, raw.on);
	colon = strchr(node, ':');
	if (!colon) {
		diags_add(l->r.d, n->pos,
			  "`%s`: NODE:INTERFACE such as "
			  "plat1:access is expected",
			  raw.on);
		return;
	}
	*colon = '\0';
	c = ARENA_APPEND(l->r.a, l->s->captures, l->s->n_captures);
	*c = (struct capture_spec){.pos = n->pos,
				   .node = node,
				   .iface = colon + 1,
				   .filter = raw.filter};
	if (l->t)
		check_capture(l, n->pos, c);
	for (const struct capture_spec *o = l->s->captures; o < c; o++)
		if (!strcmp(o->node, c->node) && !strcmp(o->iface, c->iface))
			diags_add(l->r.d, n->pos, "%s is captured twice",
				  raw.on);
}

static void read_captures(struct loading *l, const struct ynode *n)
{
	if (!spec_want(&l->r, n, YNODE_LIST, "`capture`"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_capture(l, n->items[i]);
}

/* ---- names of measures are used once ------------------------------------ */

struct use {
	const char *name;
	struct pos pos;
};

struct uses {
	struct use *v;
	size_t n;
};

static void use_name(struct loading *l, struct uses *u, const char *name,
		     struct pos pos)
{
	if (!strcmp(name, "testbed"))
		diags_add(l->r.d, pos,
			  "`testbed` is the name of the testbed's "
			  "own metrics; choose another");
	for (size_t i = 0; i < u->n; i++)
		if (!strcmp(u->v[i].name, name)) {
			diags_add(l->r.d, pos,
				  "the name `%s` is used at line "
				  "%u already; each result needs its own",
				  name, u->v[i].pos.line);
			return;
		}
	*ARENA_APPEND(l->r.a, u->v, u->n) =
		(struct use){.name = name, .pos = pos};
}

static void check_unique(struct loading *l)
{
	const struct scenario *s = l->s;
	struct uses u = {0};

	for (size_t i = 0; i < s->n_before; i++)
		use_name(l, &u, s->before[i].name, s->before[i].pos);
	for (size_t i = 0; i < s->n_measure; i++)
		use_name(l, &u, s->measure[i].name, s->measure[i].pos);
	for (size_t i = 0; i < s->n_after; i++)
		use_name(l, &u, s->after[i].name, s->after[i].pos);
	for (size_t i = 0; i < s->n_events; i++)
		if (s->events[i].name)
			use_name(l, &u, s->events[i].name, s->events[i].pos);
}

/* ---- the timeline's length ---------------------------------------------- */

/* How long a measure takes by itself; 0: to the end of the timeline. */
static double own_length(const struct measure_spec *m)
{
	switch (m->kind) {
	case PROBE_DNS:
		return 0.2 * NS_PER_S;
	case PROBE_PING:
		return (double)m->count * m->interval_ns;
	case PROBE_TLS:
		return (double)m->count * 0.2 * NS_PER_S;
	case PROBE_TRACEROUTE: /* most say something at once */
		return m->timeout_ns;
	case PROBE_THROUGHPUT:
	case PROBE_CONNECTIONS:
		return (double)m->rounds * 2 * (m->for_ns + 0.35 * NS_PER_S);
	case PROBE_DIAGNOSIS:
		return m->native ? 2 * (m->for_ns + 0.35 * NS_PER_S)
				 : m->for_ns;
	case PROBE_IPERF3:
	case PROBE_STREAM:
	case PROBE_SESSIONS:
	case PROBE_RESOLVER:
	case PROBE_FLOOD:
		break;
	}
	return m->for_ns;
}

/* The last that it does. */
static double event_end_ns(const struct event_spec *ev)
{
	if (ev->kind != EVENT_FLAP)
		return ev->at_ns;
	return ev->at_ns + ((double)ev->times - 0.5) * ev->period_ns;
}

static void set_duration(struct loading *l)
{
	struct scenario *s = l->s;
	double end = 0;

	if (yaml_get(l->root, "duration") || (!s->n_measure && !s->n_events))
		return;
	for (size_t i = 0; i < s->n_measure; i++) {
		double e = s->measure[i].at_ns + own_length(&s->measure[i]);

		end = e > end ? e : end;
	}
	for (size_t i = 0; i < s->n_events; i++) {
		double e = event_end_ns(&s->events[i]);

		end = e > end ? e : end;
	}
	s->duration_ns = end + TAIL_NS;
}

static void check_duration(struct loading *l)
{
	const struct ynode *n = yaml_get(l->root, "duration");
	const struct scenario *s = l->s;

	if (!n || s->duration_ns == 0)
		return;
	if (!s->n_measure && !s->n_events)
		diags_add(l->r.d, n->pos,
			  "`duration` without `measure` and "
			  "`events`: there is no time line");
	for (size_t i = 0; i < s->n_events; i++)
		if (event_end_ns(&s->events[i]) > s->duration_ns)
			diags_add(l->r.d, s->events[i].pos,
				  "the event is later than `duration` allows");
	for (size_t i = 0; i < s->n_measure; i++) {
		const struct measure_spec *m = &s->measure[i];

		if (m->at_ns >= s->duration_ns ||
		    m->at_ns + own_length(m) > s->duration_ns)
			diags_add(l->r.d, m->pos,
				  "measure %s ends later than "
				  "`duration` allows",
				  m->name);
	}
}

static double off_timeline(const struct measure_spec *v, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		double length = own_length(&v[i]);

		sum += length > 0 ? length : OFF_TIMELINE_NS;
	}
	return sum;
}

double spec_duration_ns(const struct scenario *s)
{
	return off_timeline(s->before, s->n_before) + s->duration_ns +
	       off_timeline(s->after, s->n_after);
}

/* ---- loading ------------------------------------------------------------ */

static void read_topology(struct loading *l, const char *topology)
{
	const char *slash = strrchr(l->s->path, '/');
	int folder = slash ? (int)(slash + 1 - l->s->path) : 0;
	const struct ynode *n = yaml_get(l->root, "topology");
	FILE *f;

	if (topology[0] == '/')
		folder = 0;
	topology = arena_printf(l->r.a, "%.*s%s", folder, l->s->path, topology);
	f = fopen(topology, "re");
	if (!f) {
		diags_add(l->r.d, n->pos,
			  "there is no topology %s (its path "
			  "counts from the scenario's folder)",
			  topology);
		return;
	}
	fclose(f);
	l->s->topology = topology_load(topology, l->overlays, l->r.a, l->r.d);
	l->t = l->s->topology;
	if (l->t)
		l->names = names_new(l->t, l->r.a);
}

static void read_about(struct loading *l, const struct ynode *n)
{
	char *title;

	if (!spec_want(&l->r, n, YNODE_SCALAR, "`about`"))
		return;
	title = arena_strdup(l->r.a, n->text);
	title[strcspn(title, "\n")] = '\0';
	for (char *p = title; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (title[0])
		l->s->title = title;
}

static void read_measures(struct loading *l, const struct raw_scenario *raw)
{
	struct scenario *s = l->s;

	if (raw->before)
		measures_read(&l->r, l->t, l->names, raw->before, false,
			      &s->before, &s->n_before);
	if (raw->measure)
		measures_read(&l->r, l->t, l->names, raw->measure, true,
			      &s->measure, &s->n_measure);
	if (raw->after)
		measures_read(&l->r, l->t, l->names, raw->after, false,
			      &s->after, &s->n_after);
}

static void read_sections(struct loading *l, const struct raw_scenario *raw)
{
	if (raw->about)
		read_about(l, raw->about);
	if (raw->topology)
		read_topology(l, raw->topology);
	read_measures(l, raw);
	if (raw->events)
		events_read(&l->r, l->t, l->names, raw->events, l->s);
	check_unique(l);
	set_duration(l);
	check_duration(l);
	if (raw->expect)
		expects_read(&l->r, raw->expect, l->s);
	if (raw->capture)
		read_captures(l, raw->capture);
	if (!raw->before && !raw->measure && !raw->after && !raw->events)
		diags_add(l->r.d, l->root->pos,
			  "nothing happens: at least one "
			  "of `before`, `measure`, `after` and `events` is "
			  "needed");
}

struct scenario *scenario_load(const char *path, const struct overlays *o,
			       struct arena *a, struct diags *d)
{
	struct raw_scenario *raw = ARENA_NEW(a, struct raw_scenario);
	struct loading l = {.r = {.a = a, .d = d}, .s = &raw->s, .overlays = o};
	size_t before = d->n;

	l.root = yaml_load_file(path, a, d);
	if (!l.root)
		return NULL;
	for (size_t i = 0; o && i < o->n; i++)
		l.root = yaml_overlay(l.root, o->scenario[i], a);
	if (l.root->kind != YNODE_MAP) {
		diags_add(d, l.root->pos, "a scenario is a map of keys");
		return NULL;
	}
	raw->s.path = arena_strdup(a, path);
	raw->s.name = raw->s.title = name_of_file(a, path);
	raw->s.max_late_ns = MAX_LATE_NS;
	yaml_read_map(l.root, "the scenario", scenario_fields, raw, a, d);
	read_sections(&l, raw);
	return d->n == before ? l.s : NULL;
}

struct scenario *spec_load_scenario(const char *path, struct arena *a,
				    struct diags *d)
{
	return scenario_load(path, NULL, a, d);
}

bool spec_is_scenario(const char *path)
{
	static const char *const keys[] = {"topology", "measure", "before",
					   "after",    "events",  "expect"};
	struct arena *a = arena_new();
	struct diags d;
	struct ynode *root;
	bool found = false;

	diags_init(&d);
	root = yaml_load_file(path, a, &d);
	for (size_t i = 0; root && i < sizeof(keys) / sizeof(*keys); i++)
		found |= yaml_get(root, keys[i]) != NULL;
	diags_fini(&d);
	arena_free(a);
	return found;
}
