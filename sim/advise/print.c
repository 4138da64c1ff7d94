/* SPDX-License-Identifier: MIT */
/* Advice for people, and the same for programs. */
#include "advise.h"

#include <string.h>

struct printing {
	FILE *out;
	const struct advise_input *in;
	const struct topology *t; /* or NULL */
	struct arena *a;
};

/* ---- engines of a topology -------------------------------------------------
 */

static const char *add_engine(const char *text, const char *engine,
			      struct arena *a)
{
	size_t len = strlen(engine);

	for (const char *p = text; (p = strstr(p, engine)); p += len)
		if ((p == text || p[-1] == '+') && (!p[len] || p[len] == '+'))
			return text;
	return arena_printf(a, "%s%s%s", text, *text ? "+" : "", engine);
}

const char *advise_plats(const struct topology *t, struct arena *a)
{
	const char *text = "";

	for (size_t i = 0; i < t->n_plats; i++)
		text = add_engine(text, t->plats[i].engine, a);
	return text;
}

const char *advise_clats(const struct topology *t, struct arena *a)
{
	const char *text = "";

	for (size_t i = 0; i < t->n_towers; i++)
		text = add_engine(text, t->towers[i].homes.clat, a);
	return text;
}

/* ---- what is so already ----------------------------------------------------
 */

/* A value that sets nothing is neither there nor not there. */
static enum setting_state value_in(const struct printing *p,
				   const struct advise_value *v)
{
	enum setting_state all = STATE_UNKNOWN, one;

	for (size_t i = 0; p->t && i < v->n_set; i++) {
		one = setting_in(&v->set[i], p->t);
		if (one == STATE_DIFFERS)
			return one;
		all = one == STATE_HOLDS ? one : all;
	}
	return all;
}

static bool matters(const struct printing *p, const struct advice_case *c)
{
	return c->when_axis == p->in->n_axes ||
	       value_in(p, &p->in->axes[c->when_axis].v[c->when_value]) !=
		       STATE_DIFFERS;
}

static bool is_asked(const struct printing *p, const struct advice_group *g)
{
	return !p->t || !strcmp(advise_plats(p->t, p->a), g->plats);
}

/* ---- for people ------------------------------------------------------------
 */

static const char *rate_text(double bps, struct arena *a)
{
	char buf[32];

	return arena_strdup(a, units_format(bps, UNIT_RATE, buf, sizeof(buf)));
}

static const char *state_text(enum setting_state s)
{
	switch (s) {
	case STATE_UNKNOWN:
		return "";
	case STATE_HOLDS:
		return "  [the topology has it so]";
	case STATE_DIFFERS:
		return "  [CHANGE: the topology has it otherwise]";
	}
	return "";
}

static void print_settings(const struct printing *p,
			   const struct advise_axis *x, size_t best)
{
	const struct advise_value *v = &x->v[best];

	for (size_t i = 0; i < v->n_set; i++)
		fprintf(p->out, "      %s%s\n", setting_do(&v->set[i], p->a),
			p->t ? state_text(setting_in(&v->set[i], p->t)) : "");
	if (v->n_set)
		return;
	fputs("      leave it as it comes; keep away from:\n", p->out);
	for (size_t k = 0; k < x->n; k++)
		for (size_t i = 0; i < x->v[k].n_set; i++)
			fprintf(p->out, "      - %s%s\n",
				setting_do(&x->v[k].set[i], p->a),
				p->t && setting_in(&x->v[k].set[i], p->t) ==
							STATE_HOLDS
					? "  [CHANGE: the topology has it so]"
					: "");
}

static const char *told(const char *diagnosis, struct arena *a)
{
	return diagnosis ? arena_printf(a, " (%s)", diagnosis) : "";
}

static void print_comparison(const struct printing *p,
			     const struct advise_axis *x, const char *word,
			     const struct comparison *c)
{
	const char *good = x->v[c->good->value[x - p->in->axes]].name;

	fprintf(p->out,
		"      %s %s was %s with `%s`%s, %s with `%s`%s\n"
		"        cells %s, %s\n",
		word, c->measure, rate_text(c->good_bps, p->a), good,
		told(c->good_diagnosis, p->a), rate_text(c->bad_bps, p->a),
		x->v[c->value].name, told(c->bad_diagnosis, p->a),
		c->good->name, c->bad->name);
}

static void print_case(const struct printing *p, const struct advise_axis *x,
		       const struct advice_case *c)
{
	const struct advise_axis *when = c->when_axis == p->in->n_axes
						 ? NULL
						 : &p->in->axes[c->when_axis];

	fprintf(p->out, "  %s: %s", x->name, x->v[c->best].name);
	if (when)
		fprintf(p->out, ", where %s is %s", when->name,
			when->v[c->when_value].name);
	if (when && !c->n_against) {
		fprintf(p->out, ": no difference above %.0f%%\n",
			100 * (1 - ADVISE_NOISE));
		return;
	}
	fputc('\n', p->out);
	print_settings(p, x, c->best);
	for (size_t i = 0; i < c->n_against; i++)
		print_comparison(p, x, "because", &c->against[i]);
	if (c->cost.good)
		print_comparison(p, x, "at a price:", &c->cost);
}

static void print_advice(const struct printing *p, const struct advice *v)
{
	const struct advise_axis *x = &p->in->axes[v->axis];

	switch (v->kind) {
	case ADVICE_SAME:
		fprintf(p->out,
			"  %s: no difference above %.0f%%; leave it as it is\n",
			x->name, 100 * (1 - ADVISE_NOISE));
		return;
	case ADVICE_UNPLAYED:
		fprintf(p->out,
			"  %s: no two cells differ in it alone; play more of "
			"the matrix\n",
			x->name);
		return;
	case ADVICE_CLEAR:
	case ADVICE_CASES:
	case ADVICE_TRADE:
		break;
	}
	for (size_t i = 0; i < v->n_cases; i++)
		if (matters(p, &v->cases[i]))
			print_case(p, x, &v->cases[i]);
}

static void print_group(const struct printing *p, const struct advice_group *g)
{
	fprintf(p->out, "%s as PLAT, %s as CLAT (%zu cells)\n", g->plats,
		g->clats, g->n_cells);
	if (p->t && strcmp(advise_clats(p->t, p->a), g->clats) != 0)
		fprintf(p->out, "  measured with another CLAT than %s\n",
			advise_clats(p->t, p->a));
	if (!g->n_advice)
		fputs("  no axis of this matrix is a setting\n", p->out);
	for (size_t i = 0; i < g->n_advice; i++)
		print_advice(p, &g->advice[i]);
	fputc('\n', p->out);
}

size_t advise_print(FILE *out, const struct advise_input *in,
		    const struct advice_group *g, size_t n,
		    const struct topology *t, struct arena *a)
{
	const struct printing p = {out, in, t, a};
	size_t printed = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_asked(&p, &g[i]))
			continue;
		if (!printed++)
			fprintf(out, "%s of %s, %s, %d cores\n%s\n\n", in->name,
				in->started, in->kernel, in->cores, in->path);
		print_group(&p, &g[i]);
	}
	return printed;
}

/* ---- for programs ----------------------------------------------------------
 */

static const char *kind_word(enum advice_kind k)
{
	switch (k) {
	case ADVICE_CLEAR:
		return "clear";
	case ADVICE_CASES:
		return "cases";
	case ADVICE_TRADE:
		return "trade-off";
	case ADVICE_SAME:
		return "no-difference";
	case ADVICE_UNPLAYED:
		return "unplayed";
	}
	return "?";
}

static json_t *comparison_json(const struct advise_axis *x,
			       const struct comparison *c)
{
	return json_pack("{s:s, s:s, s:f, s:f, s:s, s:s, s:s?, s:s?}",
			 "against", x->v[c->value].name, "measure", c->measure,
			 "rate_bps", c->good_bps, "against_rate_bps",
			 c->bad_bps, "cell", c->good->name, "against_cell",
			 c->bad->name, "diagnosis", c->bad_diagnosis, "cure",
			 c->cure);
}

static json_t *case_json(const struct printing *p, const struct advise_axis *x,
			 const struct advice_case *c)
{
	const struct advise_value *v = &x->v[c->best];
	json_t *set = json_array(), *against = json_array(),
	       *when = json_null();
	const struct advise_axis *w;

	if (c->when_axis < p->in->n_axes) {
		w = &p->in->axes[c->when_axis];
		when = json_pack("{s:s, s:s}", "axis", w->name, "value",
				 w->v[c->when_value].name);
	}
	for (size_t i = 0; i < v->n_set; i++)
		json_array_append_new(
			set, json_string(setting_do(&v->set[i], p->a)));
	for (size_t i = 0; i < c->n_against; i++)
		json_array_append_new(against,
				      comparison_json(x, &c->against[i]));
	return json_pack("{s:o, s:s, s:f, s:o, s:o, s:o}", "when", when,
			 "value", v->name, "worst_ratio", c->worst, "set", set,
			 "because", against, "price",
			 c->cost.good ? comparison_json(x, &c->cost)
				      : json_null());
}

static json_t *group_json(const struct printing *p,
			  const struct advice_group *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->n_advice; i++) {
		const struct advice *v = &g->advice[i];
		const struct advise_axis *x = &p->in->axes[v->axis];
		json_t *cases = json_array();

		for (size_t k = 0; k < v->n_cases; k++)
			if (matters(p, &v->cases[k]))
				json_array_append_new(
					cases, case_json(p, x, &v->cases[k]));
		json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "axis",
						      x->name, "kind",
						      kind_word(v->kind),
						      "cases", cases));
	}
	return json_pack("{s:s, s:s, s:I, s:o}", "plat", g->plats, "clat",
			 g->clats, "cells", (json_int_t)g->n_cells, "advice",
			 list);
}

json_t *advise_json(const struct advise_input *in, const struct advice_group *g,
		    size_t n, const struct topology *t, struct arena *a)
{
	const struct printing p = {NULL, in, t, a};
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (is_asked(&p, &g[i]))
			json_array_append_new(list, group_json(&p, &g[i]));
	return json_pack("{s:s, s:s, s:s, s:o}", "matrix", in->name, "file",
			 in->path, "started", in->started, "engines", list);
}
