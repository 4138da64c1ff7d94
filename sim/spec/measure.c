/* SPDX-License-Identifier: MIT */
/* The sections `before:`, `measure:` and `after:` of a scenario. */
#include "spec_internal.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "../../xlat/base/clock.h"

const char *const dns_types[] = {"A",	"AAAA", "CNAME", "MX",	"NS",
				 "PTR", "SOA",	"SRV",	 "TXT", NULL};
static const char *const direction_words[] = {"down", "up", NULL};
static const char *const protocol_words[] = {"udp", "tcp", NULL};
static const char *const trace_words[] = {"udp", "icmp", NULL};
static const char *const family_words[] = {"4", "6", NULL};

/* What a measure_spec does not hold as the file says it. */
struct raw_measure {
	struct measure_spec m;
	const char *probe;
	int family, type; /* index of a word; -1: absent */
};

#define DNS	    (1U << PROBE_DNS)
#define PING	    (1U << PROBE_PING)
#define IPERF3	    (1U << PROBE_IPERF3)
#define THROUGHPUT  (1U << PROBE_THROUGHPUT)
#define STREAM	    (1U << PROBE_STREAM)
#define SESSIONS    (1U << PROBE_SESSIONS)
#define RESOLVER    (1U << PROBE_RESOLVER)
#define DIAGNOSIS   (1U << PROBE_DIAGNOSIS)
#define TLS	    (1U << PROBE_TLS)
#define FLOOD	    (1U << PROBE_FLOOD)
#define CONNECTIONS (1U << PROBE_CONNECTIONS)
#define TRACEROUTE  (1U << PROBE_TRACEROUTE)
#define NAMES	    (DNS | RESOLVER)
#define TRANSFER    (IPERF3 | THROUGHPUT | DIAGNOSIS)
#define ROUNDS	    (THROUGHPUT | CONNECTIONS)
#define ALL                                                                    \
	(NAMES | PING | TRANSFER | STREAM | SESSIONS | TLS | FLOOD |           \
	 CONNECTIONS | TRACEROUTE)

#define FIELD(word, type_, member, kinds_, required_)                          \
	{                                                                      \
		.f = {.key = word,                                             \
		      .type = type_,                                           \
		      .offset = offsetof(struct raw_measure, member)},         \
		.kinds = kinds_, .required = required_                         \
	}
#define RANGED(word, type_, member, u, lo, hi, kinds_)                         \
	{                                                                      \
		.f = {.key = word,                                             \
		      .type = type_,                                           \
		      .unit = u,                                               \
		      .min = lo,                                               \
		      .max = hi,                                               \
		      .offset = offsetof(struct raw_measure, member)},         \
		.kinds = kinds_                                                \
	}
#define WORD(word, member, words_, kinds_)                                     \
	{                                                                      \
		.f = {.key = word,                                             \
		      .type = YF_ENUM,                                         \
		      .words = words_,                                         \
		      .offset = offsetof(struct raw_measure, member)},         \
		.kinds = kinds_                                                \
	}

#define HOUR (3600.0 * NS_PER_S)

const struct kind_field probe_fields[] = {
	FIELD("probe", YF_STRING, probe, ALL, ALL),
	FIELD("from", YF_STRING, m.from, ALL, ALL),
	FIELD("to", YF_STRING, m.to, ALL & ~NAMES, ALL & ~NAMES),
	FIELD("query", YF_STRING, m.query, NAMES, NAMES),
	WORD("type", type, dns_types, NAMES),
	FIELD("server", YF_STRING, m.server, DNS, 0),
	FIELD("native", YF_STRING, m.native, ROUNDS | DIAGNOSIS, ROUNDS),
	WORD("direction", m.direction, direction_words, TRANSFER),
	WORD("protocol", m.protocol, protocol_words, FLOOD),
	WORD("protocol", m.trace, trace_words, TRACEROUTE),
	WORD("family", family, family_words,
	     ALL & ~(NAMES | FLOOD | CONNECTIONS)),
	RANGED("busy", YF_INT, m.busy, UNIT_NONE, 0, 5000, SESSIONS),
	RANGED("idle", YF_INT, m.idle, UNIT_NONE, 0, 5000, SESSIONS),
	RANGED("timeout", YF_QUANTITY, m.timeout_ns, UNIT_TIME,
	       100.0 * NS_PER_MS, 60.0 * NS_PER_S,
	       SESSIONS | RESOLVER | TLS | TRACEROUTE),
	RANGED("attempts", YF_INT, m.attempts, UNIT_NONE, 1, 5,
	       RESOLVER | TRACEROUTE),
	RANGED("hops", YF_INT, m.count, UNIT_NONE, 1, 64, TRACEROUTE),
	FIELD("rotate", YF_BOOL, m.rotate, RESOLVER, 0),
	RANGED("count", YF_INT, m.count, UNIT_NONE, 1, 100000, PING),
	RANGED("port", YF_INT, m.port, UNIT_NONE, 1, 65535, TLS),
	FIELD("dial", YF_ADDR, m.dial, TLS, 0),
	RANGED("exchanges", YF_INT, m.count, UNIT_NONE, 1, 1000, TLS),
	RANGED("answer", YF_QUANTITY, m.size_bytes, UNIT_SIZE, 1, 100e6, TLS),
	RANGED("interval", YF_QUANTITY, m.interval_ns, UNIT_TIME,
	       10.0 * NS_PER_MS, 60.0 * NS_PER_S, PING | SESSIONS),
	RANGED("rounds", YF_INT, m.rounds, UNIT_NONE, 1, 100, ROUNDS),
	RANGED("streams", YF_INT, m.streams, UNIT_NONE, 1, 64,
	       TRANSFER | CONNECTIONS),
	RANGED("rate", YF_QUANTITY, m.rate_pps, UNIT_PPS, 1, 100000,
	       STREAM | SESSIONS | RESOLVER | FLOOD),
	RANGED("size", YF_QUANTITY, m.size_bytes, UNIT_SIZE, 32, 1400,
	       PING | SESSIONS),
	RANGED("size", YF_QUANTITY, m.size_bytes, UNIT_SIZE, 32, 60000,
	       STREAM), /* above the MTU: in fragments */
	RANGED("at", YF_QUANTITY, m.at_ns, UNIT_TIME, 0, HOUR, ALL),
	RANGED("for", YF_QUANTITY, m.for_ns, UNIT_TIME, 100.0 * NS_PER_MS, HOUR,
	       TRANSFER | STREAM | SESSIONS | RESOLVER | FLOOD | CONNECTIONS),
	{.f = {0}},
};

static void set_defaults(struct raw_measure *raw)
{
	struct measure_spec *m = &raw->m;

	raw->family = -1;
	raw->type = 1; /* AAAA */
	m->count = 4;
	m->rounds = 5;
	m->streams = 1;
	m->rate_pps = 1000;
	m->size_bytes = m->kind == PROBE_PING ? 56 : 200;
	m->interval_ns = 200.0 * NS_PER_MS;
	if (m->kind == PROBE_SESSIONS) {
		m->busy = m->idle = 200;
		m->rate_pps = 5;
		m->size_bytes = 400;
		m->interval_ns = 100.0 * NS_PER_MS;
		m->timeout_ns = 5.0 * NS_PER_S;
	}
	if (m->kind == PROBE_RESOLVER)
		m->rate_pps = 10;
	if (m->kind == PROBE_TLS) {
		m->count = 1;
		m->size_bytes = 65536;
		m->timeout_ns = 5.0 * NS_PER_S;
	}
	if (m->kind == PROBE_TRACEROUTE) {
		m->count = 30;
		m->attempts = 3;
		m->timeout_ns = 1.0 * NS_PER_S;
	}
	if (m->kind == PROBE_THROUGHPUT)
		m->for_ns = 3.0 * NS_PER_S;
	if (m->kind == PROBE_CONNECTIONS) {
		m->streams = 32;
		m->for_ns = 1.0 * NS_PER_S;
	}
}

/* The kind that `probe:` says, or -1 with a complaint. */
static int read_kind(struct spec_reader *r, const struct ypair *p)
{
	const struct ynode *n;

	if (!spec_want(r, p->value, YNODE_MAP,
		       arena_printf(r->a, "measure %s", p->key)))
		return -1;
	n = yaml_get(p->value, "probe");
	if (!n) {
		diags_add(r->d, p->value->pos, "measure %s lacks `probe`",
			  p->key);
		return -1;
	}
	if (!spec_want(r, n, YNODE_SCALAR, "`probe`"))
		return -1;
	for (int i = 0; probe_words[i]; i++)
		if (!strcmp(probe_words[i], n->text))
			return i;
	yaml_unknown(r->d, n->pos, "probe", n->text, probe_words);
	return -1;
}

/* ---- references --------------------------------------------------------- */

void check_target(struct spec_reader *r, const struct topology *t,
		  const struct names *names, struct pos at, const char *key,
		  const char *word)
{
	struct addr a;

	if (addr_parse(word, &a) == 0 || name_find(t, word) ||
	    names_find(names, word) >= 0)
		return;
	yaml_unknown(r->d, at,
		     arena_printf(r->a, "address, name or node in `%s`:", key),
		     word, names->targets);
}

/* A family that the destination cannot be reached by. */
static void check_family(struct spec_reader *r, const struct topology *t,
			 const struct measure_spec *m, struct pos at)
{
	const struct name_spec *name = name_find(t, m->to);
	struct addr a;

	if (m->family == 0 || m->dial.family)
		return;
	if (addr_parse(m->to, &a) == 0 &&
	    a.family != (m->family == 4 ? AF_INET : AF_INET6))
		diags_add(r->d, at, "`to: %s` is no IPv%d address", m->to,
			  m->family);
	if (name && m->family == 4 && !name->has4)
		diags_add(r->d, at, "`to: %s` has no IPv4 address", m->to);
}

/* @n: the map that @m was read from */
static void check_measure(struct spec_reader *r, const struct topology *t,
			  const struct names *names, const struct ynode *n,
			  const struct measure_spec *m)
{
	struct addr a;

	if (m->from && names_find(names, m->from) < 0)
		yaml_unknown(r->d, yaml_get(n, "from")->pos,
			     "node in `from`:", m->from, names->nodes);
	if (m->to) {
		struct pos at = yaml_get(n, "to")->pos;

		check_target(r, t, names, at, "to", m->to);
		check_family(r, t, m, at);
		if (m->from && !strcmp(m->to, m->from))
			diags_add(r->d, at, "`to` and `from` are both %s",
				  m->to);
	}
	if (m->native)
		check_target(r, t, names, yaml_get(n, "native")->pos, "native",
			     m->native);
	if (m->server && addr_parse(m->server, &a) &&
	    names_find(names, m->server) < 0)
		yaml_unknown(r->d, yaml_get(n, "server")->pos,
			     "node in `server`:", m->server, names->nodes);
}

/* ---- reading ------------------------------------------------------------ */

static void read_measure(struct spec_reader *r, const struct topology *t,
			 const struct names *names, const struct ypair *p,
			 bool on_timeline, struct measure_spec *out)
{
	struct raw_measure raw = {.m = {.pos = p->key_pos, .name = p->key}};
	const char *what = arena_printf(r->a, "measure %s", p->key);
	int kind = read_kind(r, p);
	const struct ynode *at;

	if (!yaml_is_name(p->key, MEASURE_NAME_MAX))
		diags_add(r->d, p->key_pos,
			  "bad name of a measure: `%s`; up to %d lower-case "
			  "letters, digits and hyphens are expected, letter "
			  "first",
			  p->key, MEASURE_NAME_MAX);
	*out = raw.m;
	if (kind < 0)
		return;
	raw.m.kind = (enum probe_kind)kind;
	set_defaults(&raw);
	kind_read_map(r, p->value, what, probe_fields, (unsigned int)kind,
		      probe_words, &raw);
	at = yaml_get(p->value, "at");
	if (at && !on_timeline)
		diags_add(r->d, at->pos,
			  "`at` is for the section `measure`; "
			  "what comes before and after has no time line");
	if (raw.family >= 0)
		raw.m.family = raw.family == 0 ? 4 : 6;
	raw.m.type = 1U << kind & NAMES ? dns_types[raw.type] : NULL;
	if (raw.m.query && !name_is_dns(raw.m.query))
		diags_add(r->d, yaml_get(p->value, "query")->pos,
			  "`query: %s` is no name (lower-case labels, no final "
			  "dot)",
			  raw.m.query);
	if (names)
		check_measure(r, t, names, p->value, &raw.m);
	*out = raw.m;
}

void measures_read(struct spec_reader *r, const struct topology *t,
		   const struct names *names, const struct ynode *n,
		   bool on_timeline, struct measure_spec **v, size_t *count)
{
	if (!spec_want(r, n, YNODE_MAP, "a section of measures"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		struct measure_spec *m = ARENA_APPEND(r->a, *v, *count);

		read_measure(r, t, names, &n->pairs[i], on_timeline, m);
	}
}
