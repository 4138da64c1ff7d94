/* SPDX-License-Identifier: MIT */
/* Measure `dns`, the half in the orchestrator. */
#include "dns.h"

#include <math.h>
#include <string.h>

/* Three servers, each asked twice, 5 s each unless resolv.conf says less */
#define MAX_NS (31 * NS_PER_S)

struct found {
	size_t n;
	const char *first;
	double ttl_s;
	bool synthesised;
};

static const char *text_of(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

static struct found look_for(const json_t *j, const char *type,
			     const struct prefix6 *pool6)
{
	struct found f = {.ttl_s = NAN};
	const json_t *answers = json_object_get(j, "answers"), *one;
	size_t i;

	json_array_foreach(answers, i, one)
	{
		const char *data = text_of(one, "data");
		const char *t = text_of(one, "type");
		double ttl = json_number_value(json_object_get(one, "ttl_s"));
		struct addr a;

		if (!data || !t || strcmp(t, type))
			continue;
		if (!f.n++)
			f.first = data;
		if (!(ttl >= f.ttl_s))
			f.ttl_s = ttl;
		if (!addr_parse(data, &a) && a.family == AF_INET6 &&
		    prefix6_contains(pool6, &a.v6))
			f.synthesised = true;
	}
	return f;
}

static void classify_reply(const json_t *j, const char *type,
			   const struct prefix6 *pool6, struct measurement *m,
			   struct arena *a)
{
	struct found f = look_for(j, type, pool6);
	const char *rcode = text_of(j, "rcode");
	const char *query = text_of(j, "query");
	double ns = json_number_value(json_object_get(j, "time_ns"));
	size_t tries = json_array_size(json_object_get(j, "tries"));
	char took[32];

	score_set_text(m, "rcode", rcode ? arena_strdup(a, rcode) : NULL);
	score_set_num(m, "answers", (double)f.n);
	score_set_text(m, "answer", f.first ? arena_strdup(a, f.first) : NULL);
	score_set_num(m, "ttl", f.ttl_s * 1e9);
	score_set_num(m, "time", ns);
	score_set_num(m, "ad", json_is_true(json_object_get(j, "ad")));
	if (!strcmp(type, "AAAA"))
		score_set_num(m, "synthesised", f.synthesised);
	units_format(ns, UNIT_TIME, took, sizeof(took));
	m->summary = arena_printf(
		a, "%s of %s is %s%s, %s%s%s", type, query ? query : "?",
		f.first				    ? f.first
		: rcode && strcmp(rcode, "NOERROR") ? rcode
						    : "empty",
		f.synthesised ? " (synthesised)" : "", took,
		tries > 1 ? ", tries: " : "",
		tries > 1 ? arena_printf(a, "%zu", tries) : "");
}

void dns_classify(const json_t *j, const struct prefix6 *pool6,
		  struct measurement *m, struct arena *a)
{
	const char *type = text_of(j, "type");
	const char *error = text_of(j, "error");
	bool answered = json_is_true(json_object_get(j, "answered"));

	score_set_num(m, "answered", answered);
	if (answered && type) {
		classify_reply(j, type, pool6, m, a);
		return;
	}
	m->why = error ? arena_strdup(a, error)
		       : arena_printf(
				 a, "no reply to %zu tries",
				 json_array_size(json_object_get(j, "tries")));
}

/* A server is a node or an address. */
static const char *server_of(struct probe *p, struct err *e)
{
	struct probe_target t;

	if (probe_resolve_family(p->plan, p->m->server, 6, &t, e) == 0)
		return t.text;
	if (probe_resolve_family(p->plan, p->m->server, 4, &t, e) == 0)
		return t.text;
	return NULL;
}

static int start(struct probe *p, struct err *e)
{
	const char *argv[12] = {PROBE_SELF,  "probe", "dns",	 "query",
				p->m->query, "type",  p->m->type};

	if (p->m->server) {
		argv[7] = "server";
		argv[8] = server_of(p, e);
		if (!argv[8])
			return -1;
	}
	p->deadline = mono_add(clock_now(), MAX_NS);
	return probe_spawn(p, p->from, argv, "", NULL, e) ? 0 : -1;
}

static void finish(struct probe *p, struct measurement *m)
{
	json_t *j;

	if (!p->n_children)
		return;
	j = probe_take_result(p, &p->children[0], m);
	if (j)
		dns_classify(j, &p->plan->topology->pool6, m, p->arena);
	json_decref(j);
}

const struct probe_ops probe_dns_ops = {
	.start = start,
	.finish = finish,
};
