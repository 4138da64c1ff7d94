/* SPDX-License-Identifier: MIT */
/* Measure `traceroute`, the half in the orchestrator. */
#include "probe_internal.h"

#include <stdio.h>
#include <string.h>

/* Names to resolve: two servers, two tries, two types. */
#define GRACE_NS (12 * NS_PER_S)
#define PATH_LEN 8192

static int start(struct probe *p, struct err *e)
{
	const struct measure_spec *m = p->m;
	struct arena *a = p->arena;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"traceroute",
		"to",
		p->target.text,
		"family",
		probe_family_word(p),
		"icmp",
		m->trace == TRACE_ICMP ? "1" : "0",
		"hops",
		arena_printf(a, "%lld", (long long)m->count),
		"attempts",
		arena_printf(a, "%lld", (long long)m->attempts),
		"timeout-ns",
		arena_printf(a, "%.0f", m->timeout_ns),
		NULL,
	};

	p->deadline = mono_add(clock_now(),
			       m->count * m->attempts * (int64_t)m->timeout_ns +
				       GRACE_NS);
	return probe_spawn(p, p->from, argv, "", NULL, e) ? 0 : -1;
}

struct tally {
	size_t hops, answered, distinct, named;
	bool reached, right;
	char path[PATH_LEN];  /* "192.168.1.1 * 198.51.100.45" */
	char names[PATH_LEN]; /* the same, with what extensions say */
};

/* @name: in brackets, if there is one. PATH_LEN holds 64 hops of two. */
static void append(char *text, const char *address, const char *name)
{
	size_t n = strlen(text);

	snprintf(text + n, PATH_LEN - n, "%s%s%s%s%s", n ? " " : "",
		 address ? address : "*", name ? " (" : "", name ? name : "",
		 name ? ")" : "");
}

static bool seen_before(const json_t *hops, size_t i, const char *address)
{
	const char *other;

	for (size_t k = 0; k < i; k++) {
		other = json_string_value(
			json_object_get(json_array_get(hops, k), "address"));
		if (other && !strcmp(other, address))
			return true;
	}
	return false;
}

static void count_hop(struct tally *t, const json_t *hops, size_t i)
{
	const json_t *h = json_array_get(hops, i);
	const char *address = json_string_value(json_object_get(h, "address"));
	const char *name = json_string_value(json_object_get(h, "named"));

	t->hops++;
	append(t->path, address, NULL);
	append(t->names, address, name);
	if (!address)
		return;
	t->answered++;
	t->distinct += !seen_before(hops, i, address);
	t->named += name != NULL;
	t->reached |= json_is_true(json_object_get(h, "host"));
	t->right &= json_is_true(json_object_get(h, "right"));
}

static void finish(struct probe *p, struct measurement *m)
{
	struct tally t = {.right = true};
	const json_t *hops;
	const char *error;
	json_t *j;

	if (!p->n_children)
		return;
	j = probe_take_result(p, &p->children[0], m);
	if (!j)
		return;
	hops = json_object_get(j, "hops");
	for (size_t i = 0; i < json_array_size(hops); i++)
		count_hop(&t, hops, i);
	error = json_string_value(json_object_get(j, "error"));
	if (error && !p->why)
		p->why = arena_strdup(p->arena, error);
	if (t.hops) {
		score_set_num(m, "hops", (double)t.hops);
		score_set_num(m, "answered", (double)t.answered);
		score_set_num(m, "distinct", (double)t.distinct);
		score_set_num(m, "named", (double)t.named);
		score_set_num(m, "reached", t.reached);
		score_set_text(m, "path", arena_strdup(p->arena, t.path));
		m->summary = arena_strdup(p->arena, t.names);
	}
	if (t.answered)
		score_set_num(m, "right", t.right);
	json_decref(j);
}

const struct probe_ops probe_traceroute_ops = {
	.start = start,
	.finish = finish,
};
