/* SPDX-License-Identifier: MIT */
/* Measure `flood`, the half in the orchestrator. */
#include "probe_internal.h"

#include <errno.h>
#include <string.h>

#define GRACE_NS (2 * NS_PER_S)

/* The IPv4 address that is flooded: a literal, or the first one of a name. */
static const char *find_address(struct probe *p, struct err *e)
{
	const struct internet_spec *net = &p->plan->topology->internet;
	struct addr a;
	char text[ADDR_TEXT_LEN];

	if (!addr_parse(p->target.text, &a) && a.family == AF_INET)
		return p->target.text;
	for (size_t i = 0; i < net->n_names; i++)
		if (!strcmp(net->names[i].name, p->target.text) &&
		    net->names[i].has4)
			return arena_strdup(p->arena,
					    in4_format(net->names[i].v4, text));
	err_set(e, EINVAL, "%s: a flood goes to an IPv4 address",
		p->target.text);
	return NULL;
}

static int start(struct probe *p, struct err *e)
{
	const struct measure_spec *m = p->m;
	int64_t *length = ARENA_NEW(p->arena, int64_t);
	bool inward = p->target.node < 0; /* to a pool: nobody has it */
	const char *to = find_address(p, e);
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"flood",
		"to",
		to,
		"tcp",
		m->protocol == FLOOD_TCP ? "1" : "0",
		"swap",
		inward ? "1" : "0",
		"rate",
		arena_printf(p->arena, "%.0f", m->rate_pps),
		"length-ns",
		arena_printf(p->arena, "%lld", (long long)probe_length_ns(p)),
		NULL,
	};

	*length = probe_length_ns(p);
	p->priv = length;
	p->deadline = mono_add(clock_now(), *length + GRACE_NS);
	if (!to)
		return -EINVAL;
	return probe_spawn(p, p->from, argv, "", NULL, e) ? 0 : -1;
}

static void finish(struct probe *p, struct measurement *m)
{
	double sent, refused, rate;
	json_t *j;

	if (!p->n_children)
		return;
	j = probe_take_result(p, &p->children[0], m);
	if (!j)
		return;
	sent = (double)json_integer_value(json_object_get(j, "sent"));
	refused = (double)json_integer_value(json_object_get(j, "refused"));
	rate = sent / ((double)*(const int64_t *)p->priv / 1e9);
	score_set_num(m, "sent", sent);
	score_set_num(m, "refused", refused);
	score_set_num(m, "rate", rate);
	m->summary = arena_printf(p->arena, "%.0f packets, each a new session",
				  sent);
	json_decref(j);
}

const struct probe_ops probe_flood_ops = {.start = start, .finish = finish};
