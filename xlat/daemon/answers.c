/* SPDX-License-Identifier: MIT */
/* What the control socket answers, as JSON. Documented in xlatd(8). */
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "memory.h"

/* Further than any timer. */
#define MAX_ADVANCE_NS (1000.0 * 3600 * NS_PER_S)

static void put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *reasons_json(const struct reason_counters *c)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < REASON_COUNT; i++)
		if (c->n[i])
			put(o, reason_name(i), c->n[i]);
	return o;
}

static json_t *write_errors_json(const struct path_counters *c)
{
	json_t *o = json_object();

	for (int i = 0; i < PATH_ERRNOS; i++)
		if (c->write_errors[i]) {
			const char *name = strerrorname_np(i);

			put(o, name && i ? name : "other", c->write_errors[i]);
		}
	return o;
}

static json_t *packets_json(const struct path *p)
{
	const struct path_counters *c = &p->counters;
	json_t *o = json_object();

	put(o, "received", c->received4 + c->received6);
	put(o, "received4", c->received4);
	put(o, "received6", c->received6);
	put(o, "bytes4", c->bytes4);
	put(o, "bytes6", c->bytes6);
	put(o, "forwarded", c->forwarded);
	put(o, "hairpinned", c->hairpinned);
	put(o, "replied", c->replied);
	put(o, "dropped", c->dropped);
	put(o, "held", c->held);
	put(o, "held_all", c->held_all);
	put(o, "fragments", c->fragments);
	put(o, "superpackets", c->superpackets);
	put(o, "syn_errors", c->syn_errors);
	put(o, "tcp_probes", c->probes);
	put(o, "tcp_probes_rate_limited", c->probes_limited);
	put(o, "icmp_rate_limited", c->icmp_limited);
	put(o, "mss_clamped", c->mss_clamped);
	put(o, "udp_checksums_computed", p->out.udp_computed);
	return o;
}

static json_t *packet_socket_json(const struct io_packet_stats *io)
{
	json_t *o = json_object();

	put(o, "oversize", io->oversize);
	put(o, "largest_bytes", io->largest_bytes);
	put(o, "partial_checksums", io->partial_checksums);
	put(o, "queue_drops", io->queue_drops);
	return o;
}

static json_t *fast_path_json(const struct server *s)
{
	struct fastpath_stats st;
	json_t *o = json_object();

	fast_get_stats(s->fast, &st);
	put(o, "received4", st.v4.packets);
	put(o, "received6", st.v6.packets);
	put(o, "bytes4", st.v4.bytes);
	put(o, "bytes6", st.v6.bytes);
	put(o, "superpackets", st.v4.superpackets + st.v6.superpackets);
	put(o, "offered", st.offered);
	put(o, "rate_limited", st.limited);
	put(o, "flows", st.flows);
	put(o, "flows_full", st.full);
	put(o, "generations", st.generations);
	return o;
}

static json_t *nat64_json(const struct nat64 *n)
{
	struct nat64_stats st;
	json_t *o = json_object();

	nat64_get_stats(n, &st);
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		const struct nat64_proto_stats *p = &st.proto[k];
		json_t *x = json_object();

		put(x, "sessions", p->sessions);
		put(x, "bibs", p->bibs);
		put(x, "created", p->created);
		put(x, "expired", p->expired);
		put(x, "ports_free", p->ports_free);
		put(x, "ports_held", p->ports_held);
		put(x, "ports", p->ports_all);
		json_object_set_new(o, nat64_proto_name(k), x);
	}
	put(o, "max_sessions", st.max_sessions);
	put(o, "pool4_exhausted", st.no_port);
	put(o, "sessions_full", st.sessions_full);
	put(o, "bibs_full", st.bibs_full);
	put(o, "filtered", st.filtered);
	put(o, "limited_sessions", st.limited_sessions);
	put(o, "limited_ports", st.limited_ports);
	put(o, "limited_rate", st.limited_rate);
	put(o, "not_moved", st.not_moved);
	put(o, "subscribers", st.subscribers);
	put(o, "memory_bytes", st.memory_bytes);
	put(o, "memory_huge_bytes", memory_huge_bytes(n));
	return o;
}

static json_t *pref64_json(const struct server *s)
{
	static const char *const by[] = {"configuration", "dns", "ra", "auto"};
	const struct config *c = s->config;
	struct discover_stats st = {.known = c->has_pref64,
				    .prefix = c->pref64};
	char text[ADDR_TEXT_LEN];
	json_t *o = json_object();

	if (s->discover)
		discover_get_stats(s->discover, &st);
	json_object_set_new(
		o, "prefix",
		st.known ? json_string(prefix6_format(&st.prefix, text))
			 : json_null());
	json_object_set_new(o, "from", json_string(by[c->pref64_by]));
	if (!s->discover)
		return o;
	json_object_set_new(o, "source",
			    st.source ? json_string(st.source) : json_null());
	if (st.known && !st.forever)
		put(o, "left_s", (uint64_t)st.left_s);
	put(o, "known", st.prefixes);
	put(o, "sent", st.sent);
	put(o, "answers", st.answers);
	put(o, "negative", st.negative);
	put(o, "ignored", st.ignored);
	put(o, "timeouts", st.timeouts);
	put(o, "changes", st.changes);
	return o;
}

static json_t *stats(struct server *s)
{
	const struct path_counters *c = &s->setup.path.counters;
	struct io_packet_stats io;
	json_t *o = json_object();

	json_object_set_new(o, "role", json_string(role_name(s->config->role)));
	json_object_set_new(o, "version", json_string(XLATSIM_VERSION));
	json_object_set_new(o, "tun", json_string(s->config->tun_name));
	json_object_set_new(
		o, "uptime_s",
		json_real((double)mono_sub(clock_now(), s->started) /
			  NS_PER_S));
	json_object_set_new(o, "uso", json_boolean(io_has_uso(s->io)));
	put(o, "wakeups", s->batches);
	json_object_set_new(o, "packets", packets_json(&s->setup.path));
	json_object_set_new(o, "reasons", reasons_json(&c->reasons));
	json_object_set_new(o, "write_errors", write_errors_json(c));
	if (io_get_packet_stats(s->io, &io))
		json_object_set_new(o, "packet_socket",
				    packet_socket_json(&io));
	if (s->fast)
		json_object_set_new(o, "fast_path", fast_path_json(s));
	if (s->config->role != ROLE_PLAT)
		json_object_set_new(o, "pref64", pref64_json(s));
	if (s->setup.path.nat64)
		json_object_set_new(o, "nat64",
				    nat64_json(s->setup.path.nat64));
	return o;
}

static json_t *journal_json(const struct journal *j)
{
	struct journal_stats st;
	json_t *o = json_object();

	journal_get_stats(j, &st);
	put(o, "lines", st.lines);
	put(o, "bytes", st.bytes);
	put(o, "waiting_bytes", st.waiting_bytes);
	put(o, "lost", st.lost);
	put(o, "write_errors", st.write_errors);
	put(o, "rotations", st.rotations);
	return o;
}

static json_t *rotate(struct server *s)
{
	journal_rotate(s->journal);
	return journal_json(s->journal);
}

json_t *answer_refusal(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static json_t *reload(struct server *s)
{
	char text[4096];

	if (server_reload(s, text, sizeof(text)))
		return answer_refusal(text);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *advance(struct server *s, const char *text)
{
	double ns;

	if (!s->config->test_clock)
		return answer_refusal("only with `test-clock: true`");
	if (units_parse(text, UNIT_TIME, &ns) || ns > MAX_ADVANCE_NS)
		return answer_refusal(
			"advance: expected a time such as 5s, up to "
			"1000h");
	server_advance(s, (int64_t)ns);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *answer(struct server *s, const char *request)
{
	json_t *o;

	if (!strcmp(request, "stats"))
		return stats(s);
	if (!strcmp(request, "log") || !strcmp(request, "rotate"))
		return !s->journal ? answer_refusal("no `log` is configured")
		       : !strcmp(request, "log") ? journal_json(s->journal)
						 : rotate(s);
	if (!strcmp(request, "reload"))
		return reload(s);
	if (!strcmp(request, "eam") || !strncmp(request, "eam ", 4))
		return answer_eam(s, request);
	if (!strncmp(request, "advance ", 8))
		return advance(s, request + 8);
	o = answer_sync(s, request);
	if (!o)
		o = answer_pcp(s, request);
	if (!o)
		o = answer_plat(s, request);
	if (o)
		return o;
	return answer_refusal(
		"unknown request; expected stats, bib [CURSOR] "
		"[FILTER...], sessions [CURSOR] [FILTER...], static add|del "
		"PROTO ADDRESS6 PORT ADDRESS4 PORT, eam [CURSOR], eam add "
		"PREFIX4 PREFIX6, "
		"eam del PREFIX4, sync, compare [start|list [CURSOR]], pcp, "
		"pcp list [CURSOR], log, "
		"rotate, advance TIME or reload");
}

char *answer_request(struct server *s, const char *request)
{
	json_t *o = answer(s, request);
	char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
	char *line = NULL;

	json_decref(o);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}
