/* SPDX-License-Identifier: MIT */
#include "matrix.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "spec_internal.h"

#define AXIS_NAME_MAX 32

struct raw_matrix {
	struct ynode *scenarios, *axes, *skip, *full, *show;
};

#define FIELD(word, member)                                                    \
	{                                                                      \
		.key = word, .type = YF_NODE,                                  \
		.offset = offsetof(struct raw_matrix, member)                  \
	}

static const struct yfield matrix_fields[] = {
	{.key = "scenarios",
	 .type = YF_NODE,
	 .required = true,
	 .offset = offsetof(struct raw_matrix, scenarios)},
	FIELD("axes", axes),
	FIELD("skip", skip),
	FIELD("full", full),
	FIELD("show", show),
	{0},
};

struct raw_file {
	const char *about;
	struct ynode *matrix;
};

static const struct yfield file_fields[] = {
	{.key = "about",
	 .type = YF_STRING,
	 .offset = offsetof(struct raw_file, about)},
	{.key = "matrix",
	 .type = YF_NODE,
	 .required = true,
	 .offset = offsetof(struct raw_file, matrix)},
	{0},
};

struct raw_value {
	struct ynode *topology, *scenario;
	bool full;
};

static const struct yfield value_fields[] = {
	{.key = "topology",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_value, topology)},
	{.key = "scenario",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_value, scenario)},
	{.key = "full",
	 .type = YF_BOOL,
	 .offset = offsetof(struct raw_value, full)},
	{0},
};

struct raw_rule {
	struct ynode *where;
	const char *why;
};

static const struct yfield skip_fields[] = {
	{.key = "where",
	 .type = YF_NODE,
	 .required = true,
	 .offset = offsetof(struct raw_rule, where)},
	{.key = "why",
	 .type = YF_STRING,
	 .required = true,
	 .offset = offsetof(struct raw_rule, why)},
	{0},
};

static const struct yfield full_fields[] = {
	{.key = "where",
	 .type = YF_NODE,
	 .required = true,
	 .offset = offsetof(struct raw_rule, where)},
	{0},
};

/* Which cells a rule is about: by axis, by value. */
struct rule {
	bool **named; /* NULL for an axis that it does not name */
	const char *why;
};

struct loader {
	struct spec_reader r;
	struct matrix *m;
	struct rule *skips, *fulls;
	size_t n_skips, n_fulls;
};

/* ---- axes ---------------------------------------------------------------- */

static bool has_value(const struct matrix_axis *x, const char *name)
{
	for (size_t i = 0; i < x->n; i++)
		if (!strcmp(x->v[i].name, name))
			return true;
	return false;
}

/* Paths count from the folder of the matrix. */
static void read_scenarios(struct loader *l, const struct ynode *n)
{
	struct matrix_axis *x = ARENA_APPEND(l->r.a, l->m->axes, l->m->n_axes);
	const char *slash = strrchr(l->m->path, '/');
	int folder = slash ? (int)(slash + 1 - l->m->path) : 0;

	x->name = "scenario";
	if (!spec_want(&l->r, n, YNODE_LIST, "`scenarios`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *one = n->items[i];
		const char *name;

		if (!spec_want(&l->r, one, YNODE_SCALAR, "a scenario's path"))
			continue;
		name = name_of_file(l->r.a, one->text);
		if (has_value(x, name)) {
			diags_add(l->r.d, one->pos, "scenario %s comes twice",
				  name);
			continue;
		}
		*ARENA_APPEND(l->r.a, x->v, x->n) = (struct matrix_value){
			.name = name,
			.path = one->text[0] == '/'
					? one->text
					: arena_printf(l->r.a, "%.*s%s", folder,
						       l->m->path, one->text)};
	}
	if (!n->n)
		diags_add(l->r.d, n->pos, "`scenarios` names none");
}

/* An overlay that is no map would replace the whole file. */
static void check_overlay(struct loader *l, const struct ynode *n,
			  const char *what)
{
	if (n)
		spec_want(&l->r, n, YNODE_MAP, what);
}

static void read_value(struct loader *l, struct matrix_axis *x,
		       const struct ypair *p)
{
	struct raw_value raw = {NULL, NULL, false};

	if (!yaml_is_name(p->key, AXIS_NAME_MAX))
		diags_add(l->r.d, p->key_pos,
			  "a value is named by lower-case letters, digits and "
			  "hyphens, %d at most",
			  AXIS_NAME_MAX);
	yaml_read_map(p->value, "a value of an axis", value_fields, &raw,
		      l->r.a, l->r.d);
	check_overlay(l, raw.topology, "what is laid over the topology");
	check_overlay(l, raw.scenario, "what is laid over the scenario");
	*ARENA_APPEND(l->r.a, x->v, x->n) =
		(struct matrix_value){.name = p->key,
				      .topology = raw.topology,
				      .scenario = raw.scenario,
				      .full = raw.full};
}

static void read_axes(struct loader *l, const struct ynode *n)
{
	if (!spec_want(&l->r, n, YNODE_MAP, "`axes`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ypair *p = &n->pairs[i];
		struct matrix_axis *x;

		if (!yaml_is_name(p->key, AXIS_NAME_MAX) ||
		    !strcmp(p->key, "scenario")) {
			diags_add(l->r.d, p->key_pos,
				  "an axis is named by lower-case letters, "
				  "digits and hyphens, and not `scenario`");
			continue;
		}
		if (!spec_want(&l->r, p->value, YNODE_MAP, "an axis"))
			continue;
		if (!p->value->n)
			diags_add(l->r.d, p->value->pos, "axis %s has no value",
				  p->key);
		x = ARENA_APPEND(l->r.a, l->m->axes, l->m->n_axes);
		x->name = p->key;
		for (size_t k = 0; k < p->value->n; k++)
			read_value(l, x, &p->value->pairs[k]);
	}
}

/* ---- rules --------------------------------------------------------------- */

static size_t find_value(const struct matrix_axis *x, const char *word)
{
	size_t i = 0;

	while (i < x->n && strcmp(x->v[i].name, word) != 0)
		i++;
	return i;
}

static size_t find_axis(const struct matrix *m, const char *word)
{
	size_t i = 0;

	while (i < m->n_axes && strcmp(m->axes[i].name, word) != 0)
		i++;
	return i;
}

static const char **axis_words(const struct matrix *m, struct arena *a)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < m->n_axes; i++)
		*ARENA_APPEND(a, v, n) = m->axes[i].name;
	*ARENA_APPEND(a, v, n) = NULL;
	return v;
}

static const char **value_words(const struct matrix_axis *x, struct arena *a)
{
	const char **v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		*ARENA_APPEND(a, v, n) = x->v[i].name;
	*ARENA_APPEND(a, v, n) = NULL;
	return v;
}

static void name_value(struct loader *l, const struct matrix_axis *x,
		       const struct ynode *n, bool *named)
{
	size_t i;

	if (!spec_want(&l->r, n, YNODE_SCALAR, "a value"))
		return;
	i = find_value(x, n->text);
	if (i < x->n)
		named[i] = true;
	else
		yaml_unknown(l->r.d, n->pos,
			     arena_printf(l->r.a, "value of axis %s:", x->name),
			     n->text, value_words(x, l->r.a));
}

static void read_where(struct loader *l, const struct ynode *n, struct rule *u)
{
	const struct matrix *m = l->m;

	u->named = arena_alloc(l->r.a, (m->n_axes + 1) * sizeof(*u->named));
	memset(u->named, 0, (m->n_axes + 1) * sizeof(*u->named));
	if (!n || !spec_want(&l->r, n, YNODE_MAP, "`where`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *v = n->pairs[i].value;
		size_t axis = find_axis(m, n->pairs[i].key);
		const struct matrix_axis *x = &m->axes[axis];

		if (axis == m->n_axes) {
			yaml_unknown(l->r.d, n->pairs[i].key_pos, "axis",
				     n->pairs[i].key, axis_words(m, l->r.a));
			continue;
		}
		u->named[axis] = arena_alloc(l->r.a, x->n + 1);
		memset(u->named[axis], 0, x->n + 1);
		if (v->kind != YNODE_LIST)
			name_value(l, x, v, u->named[axis]);
		for (size_t k = 0; v->kind == YNODE_LIST && k < v->n; k++)
			name_value(l, x, v->items[k], u->named[axis]);
	}
}

static void read_rules(struct loader *l, const struct ynode *n,
		       const char *what, const struct yfield *fields,
		       struct rule **v, size_t *count)
{
	if (!n || !spec_want(&l->r, n, YNODE_LIST, what))
		return;
	for (size_t i = 0; i < n->n; i++) {
		struct raw_rule raw = {NULL, NULL};
		struct rule *u = ARENA_APPEND(l->r.a, *v, *count);

		yaml_read_map(n->items[i], what, fields, &raw, l->r.a, l->r.d);
		read_where(l, raw.where, u);
		u->why = raw.why;
	}
}

static bool is_about(const struct rule *u, const struct matrix *m,
		     const size_t *value)
{
	for (size_t i = 0; i < m->n_axes; i++)
		if (u->named[i] && !u->named[i][value[i]])
			return false;
	return true;
}

/* ---- cells --------------------------------------------------------------- */

static const char *cell_name(const struct matrix *m, const size_t *value,
			     struct arena *a)
{
	const char *name = "";

	for (size_t i = 0; i < m->n_axes; i++)
		if (m->axes[i].n > 1)
			name = arena_printf(a, "%s%s%s", name, *name ? "." : "",
					    m->axes[i].v[value[i]].name);
	return *name ? name : m->axes[0].v[0].name;
}

static const struct scenario *load_cell(struct loader *l,
					const struct matrix_cell *c)
{
	const struct matrix *m = l->m;
	size_t bytes = m->n_axes * sizeof(struct ynode *);
	struct overlays o = {.topology = arena_alloc(l->r.a, bytes),
			     .scenario = arena_alloc(l->r.a, bytes),
			     .n = m->n_axes};
	struct scenario *s;

	for (size_t i = 0; i < m->n_axes; i++) {
		o.topology[i] = m->axes[i].v[c->value[i]].topology;
		o.scenario[i] = m->axes[i].v[c->value[i]].scenario;
	}
	s = scenario_load(m->axes[0].v[c->value[0]].path, &o, l->r.a, l->r.d);
	if (s)
		s->name = c->name;
	return s;
}

static void add_cell(struct loader *l, const size_t *value)
{
	struct matrix *m = l->m;
	struct matrix_cell *c = ARENA_APPEND(l->r.a, m->cells, m->n_cells);
	size_t bytes = m->n_axes * sizeof(*value);
	size_t *own = arena_alloc(l->r.a, bytes);

	memcpy(own, value, bytes);
	*c = (struct matrix_cell){.name = cell_name(m, value, l->r.a),
				  .value = own};
	for (size_t i = 0; i < m->n_axes; i++)
		c->full |= m->axes[i].v[value[i]].full;
	for (size_t i = 0; i < l->n_fulls; i++)
		c->full |= is_about(&l->fulls[i], m, value);
	for (size_t i = 0; i < l->n_skips && !c->why; i++)
		if (is_about(&l->skips[i], m, value))
			c->why = l->skips[i].why;
	if (!c->why)
		c->s = load_cell(l, c);
}

/* As an odometer; stops at the first cell that has errors: the others would
 * only say the same. */
static void add_cells(struct loader *l, struct pos at)
{
	const struct matrix *m = l->m;
	size_t *value = arena_alloc(l->r.a, m->n_axes * sizeof(*value));
	size_t total = 1, axis;

	for (size_t i = 0; i < m->n_axes && total <= MATRIX_MAX_CELLS; i++)
		total *= m->axes[i].n;
	if (total > MATRIX_MAX_CELLS) {
		diags_add(l->r.d, at, "more than %d cells", MATRIX_MAX_CELLS);
		return;
	}
	memset(value, 0, m->n_axes * sizeof(*value));
	do {
		add_cell(l, value);
		axis = m->n_axes;
		while (axis && ++value[axis - 1] == m->axes[axis - 1].n)
			value[--axis] = 0;
	} while (axis && !l->r.d->n);
}

/* ---- columns ------------------------------------------------------------- */

static bool is_known(const struct matrix *m, const struct matrix_show *w)
{
	bool any = false;

	for (size_t i = 0; i < m->n_cells; i++) {
		any |= m->cells[i].s != NULL;
		if (m->cells[i].s &&
		    expect_metric(m->cells[i].s, w->measure, w->metric))
			return true;
	}
	return !any; /* all are skipped: nobody can tell */
}

static void read_show(struct loader *l, const struct ynode *n)
{
	if (!n || !spec_want(&l->r, n, YNODE_LIST, "`show`"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *one = n->items[i];
		struct matrix_show *w;
		const char *dot;

		if (!spec_want(&l->r, one, YNODE_SCALAR, "MEASURE.METRIC"))
			continue;
		dot = strchr(one->text, '.');
		w = ARENA_APPEND(l->r.a, l->m->show, l->m->n_show);
		w->metric = dot ? dot + 1 : "";
		w->measure =
			dot ? arena_printf(l->r.a, "%.*s",
					   (int)(dot - one->text), one->text)
			    : one->text;
		if (!is_known(l->m, w))
			diags_add(l->r.d, one->pos,
				  "no scenario of this matrix measures `%s`; "
				  "MEASURE.METRIC is expected",
				  one->text);
	}
}

/* ---- loading ------------------------------------------------------------- */

static void read_matrix(struct loader *l, const struct ynode *n)
{
	struct raw_matrix raw = {NULL, NULL, NULL, NULL, NULL};
	size_t before = l->r.d->n;

	yaml_read_map(n, "`matrix`", matrix_fields, &raw, l->r.a, l->r.d);
	if (!raw.scenarios)
		return;
	read_scenarios(l, raw.scenarios);
	if (raw.axes)
		read_axes(l, raw.axes);
	read_rules(l, raw.skip, "`skip`", skip_fields, &l->skips, &l->n_skips);
	read_rules(l, raw.full, "`full`", full_fields, &l->fulls, &l->n_fulls);
	if (l->r.d->n == before)
		add_cells(l, n->pos);
	if (l->r.d->n == before)
		read_show(l, raw.show);
}

struct matrix *matrix_load(const char *path, struct arena *a, struct diags *d)
{
	struct matrix *m = ARENA_NEW(a, struct matrix);
	struct loader l = {.r = {.a = a, .d = d}, .m = m};
	struct raw_file raw = {NULL, NULL};
	size_t before = d->n;
	const struct ynode *root = yaml_load_file(path, a, d);

	if (!root)
		return NULL;
	m->path = arena_strdup(a, path);
	m->name = name_of_file(a, path);
	yaml_read_map(root, "the matrix", file_fields, &raw, a, d);
	m->title = raw.about ? raw.about : m->name;
	if (raw.matrix)
		read_matrix(&l, raw.matrix);
	return d->n == before ? m : NULL;
}

bool matrix_is(const char *path)
{
	struct arena *a = arena_new();
	struct diags d;
	struct ynode *root;
	bool found;

	diags_init(&d);
	root = yaml_load_file(path, a, &d);
	found = root && yaml_get(root, "matrix");
	diags_fini(&d);
	arena_free(a);
	return found;
}

/* ---- --only -------------------------------------------------------------- */

/* "did you mean `X`?", or what there is */
static const char *hint(const char *word, const char **words, struct arena *a)
{
	const char *near = diag_suggest(word, words), *all = "";

	if (near)
		return arena_printf(a, "did you mean `%s`?", near);
	for (size_t i = 0; words[i]; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", words[i]);
	return arena_printf(a, "there is %s", all);
}

static int name_values(const struct matrix_axis *x, const char *only,
		       const char *list, bool *named, struct arena *a,
		       struct err *e)
{
	const char *at = list;
	size_t len, i;

	do {
		const char *word;

		len = strcspn(at, ",");
		word = arena_printf(a, "%.*s", (int)len, at);
		i = find_value(x, word);
		if (i == x->n)
			return err_set(e, EINVAL,
				       "--only '%s': axis %s has no value "
				       "`%s`; %s",
				       only, x->name, word,
				       hint(word, value_words(x, a), a));
		named[i] = true;
		at += len + 1;
	} while (at[-1]);
	return 0;
}

static int narrow(const struct matrix *m, const char *only, bool *chosen,
		  struct arena *a, struct err *e)
{
	const char *eq = strchr(only, '='), *word;
	size_t axis;
	bool *named;
	int ret;

	if (!eq)
		return err_set(e, EINVAL,
			       "--only '%s': AXIS=VALUE[,VALUE...] is expected",
			       only);
	word = arena_printf(a, "%.*s", (int)(eq - only), only);
	axis = find_axis(m, word);
	if (axis == m->n_axes)
		return err_set(e, EINVAL, "--only '%s': no axis `%s`; %s", only,
			       word, hint(word, axis_words(m, a), a));
	named = arena_alloc(a, m->axes[axis].n + 1);
	ret = name_values(&m->axes[axis], only, eq + 1, named, a, e);
	for (size_t i = 0; i < m->n_cells && !ret; i++)
		chosen[i] &= named[m->cells[i].value[axis]];
	return ret;
}

int matrix_select(const struct matrix *m, const char *const *only, size_t n,
		  bool full, bool *chosen, struct err *e)
{
	struct arena *a = arena_new();
	int ret = 0;

	for (size_t i = 0; i < m->n_cells; i++)
		chosen[i] = full || !m->cells[i].full;
	for (size_t i = 0; i < n && !ret; i++)
		ret = narrow(m, only[i], chosen, a, e);
	arena_free(a);
	for (size_t i = 0; i < m->n_cells && !ret; i++)
		if (chosen[i])
			return 0;
	return ret ? ret
		   : err_set(e, EINVAL, "no cell is left%s",
			     full ? "" : " (some are played with --full only)");
}
