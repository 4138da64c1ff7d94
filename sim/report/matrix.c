/* SPDX-License-Identifier: MIT */
#include "matrix.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/yaml.h"
#include "report_internal.h"

/* ---- the document ----------------------------------------------------------
 */

/* YAML as JSON; every word is a string. */
static json_t *tree_json(const struct ynode *n)
{
	json_t *o;

	if (!n)
		return json_null();
	switch (n->kind) {
	case YNODE_SCALAR:
		return text_json(n->text);
	case YNODE_LIST:
		o = json_array();
		for (size_t i = 0; i < n->n; i++)
			json_array_append_new(o, tree_json(n->items[i]));
		return o;
	case YNODE_MAP:
		o = json_object();
		for (size_t i = 0; i < n->n; i++)
			json_object_set_new(o, n->pairs[i].key,
					    tree_json(n->pairs[i].value));
		return o;
	}
	return json_null();
}

static json_t *axis_json(const struct matrix_axis *x)
{
	json_t *values = json_array(), *overlays = json_array();

	for (size_t i = 0; i < x->n; i++) {
		json_array_append_new(values, text_json(x->v[i].name));
		json_array_append_new(overlays,
				      json_pack("{s:o, s:o}", "topology",
						tree_json(x->v[i].topology),
						"scenario",
						tree_json(x->v[i].scenario)));
	}
	return json_pack("{s:s, s:o, s:o}", "name", x->name, "values", values,
			 "overlays", overlays);
}

static json_t *axes_json(const struct matrix *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->n_axes; i++)
		json_array_append_new(list, axis_json(&m->axes[i]));
	return list;
}

json_t *matrix_doc_new(const struct matrix *m, const char *started,
		       uint64_t seed)
{
	json_t *show = json_array();

	for (size_t i = 0; i < m->n_show; i++)
		json_array_append_new(show,
				      json_sprintf("%s.%s", m->show[i].measure,
						   m->show[i].metric));
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:I, s:b, s:o, s:o, s:[]}",
			 "schema", MATRIX_SCHEMA, "matrix", text_json(m->name),
			 "file", text_json(m->path), "about",
			 text_json(m->title), "started", started, "seed",
			 (json_int_t)seed, "complete", 0, "axes", axes_json(m),
			 "show", show, "cells");
}

int matrix_doc_complete(json_t *doc, bool complete)
{
	return json_object_set_new(doc, "complete", json_boolean(complete))
		       ? -ENOMEM
		       : 0;
}

static const struct metric *find_metric(const struct result *r,
					const struct matrix_show *w)
{
	for (size_t i = 0; i < r->n_measurements; i++) {
		const struct measurement *m = &r->measurements[i];

		if (strcmp(m->name, w->measure) != 0)
			continue;
		for (size_t k = 0; k < m->n_metrics; k++)
			if (!strcmp(m->metrics[k].def->name, w->metric))
				return &m->metrics[k];
	}
	return NULL;
}

/* As in the cell's own result, and as a person reads it. */
static json_t *shown_json(const struct metric *x)
{
	char buf[64];
	json_t *o;

	if (!x)
		return json_null();
	o = metric_json(x);
	json_object_set_new(o, "text",
			    text_json(metric_text(x, buf, sizeof(buf))));
	return o;
}

static const char *first_failure(const struct result *r)
{
	for (size_t i = 0; i < r->n_judged; i++)
		if (r->judged[i].verdict == VERDICT_FAIL)
			return r->judged[i].text;
	return NULL;
}

static json_t *row_json(const struct matrix *m, const struct matrix_cell *c,
			const struct result *r, const char *link,
			const char *why)
{
	json_t *values = json_object(), *shown = json_object();
	char key[128];

	for (size_t i = 0; i < m->n_axes; i++)
		json_object_set_new(values, m->axes[i].name,
				    text_json(m->axes[i].v[c->value[i]].name));
	for (size_t i = 0; r && i < m->n_show; i++) {
		snprintf(key, sizeof(key), "%s.%s", m->show[i].measure,
			 m->show[i].metric);
		json_object_set_new(shown, key,
				    shown_json(find_metric(r, &m->show[i])));
	}
	if (r && !why)
		why = r->why ? r->why : first_failure(r);
	return json_pack("{s:o, s:o, s:s, s:o, s:f, s:o, s:o}", "cell",
			 text_json(c->name), "values", values, "verdict",
			 verdict_word(r ? r->verdict : VERDICT_SKIP), "why",
			 text_json(why), "seconds", r ? r->total_ns / 1e9 : 0.0,
			 "report", text_json(link), "show", shown);
}

json_t *matrix_doc_find(const json_t *doc, const struct matrix_cell *cell)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(doc, "cells"), i, row)
	{
		const char *name =
			json_string_value(json_object_get(row, "cell"));

		if (name && !strcmp(name, cell->name))
			return row;
	}
	return NULL;
}

/* Rows stand in the order of the matrix, whenever they were played. */
static size_t place_of(const json_t *rows, const struct matrix *m, size_t cell)
{
	size_t before = 0, i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *name =
			json_string_value(json_object_get(row, "cell"));

		for (size_t k = 0; name && k < cell; k++)
			before += !strcmp(m->cells[k].name, name);
	}
	return before;
}

int matrix_doc_put(json_t *doc, const struct matrix *m, size_t cell,
		   const struct result *r, const char *link, const char *why)
{
	const struct matrix_cell *c = &m->cells[cell];
	json_t *rows = json_object_get(doc, "cells"), *row;
	size_t i;

	json_array_foreach(rows, i, row) if (row == matrix_doc_find(doc, c))
	{
		json_array_remove(rows, i);
		break;
	}
	row = row_json(m, c, r, link, why);
	return !row || json_array_insert_new(rows, place_of(rows, m, cell), row)
		       ? -ENOMEM
		       : 0;
}

/* ---- what rows say ---------------------------------------------------------
 */

static const char *word_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static enum verdict verdict_of(const json_t *row)
{
	const char *word = word_of(row, "verdict");
	enum verdict v = VERDICT_PASS;

	while (v < VERDICT_SKIP && strcmp(verdict_word(v), word) != 0)
		v++;
	return v;
}

size_t matrix_doc_count(const json_t *doc, enum verdict v)
{
	json_t *row;
	size_t i, n = 0;

	json_array_foreach(json_object_get(doc, "cells"), i, row) n +=
		verdict_of(row) == v;
	return n;
}

static bool is_complete(const json_t *doc)
{
	return json_is_true(json_object_get(doc, "complete"));
}

static const char *unfinished(const json_t *doc)
{
	return is_complete(doc) ? "" : "; not played to its end";
}

/* Every cell says the same of an axis with one value. */
static bool is_column(const json_t *axis)
{
	return json_array_size(json_object_get(axis, "values")) > 1;
}

static const char *shown_text(const json_t *row, const char *column)
{
	const json_t *o = json_object_get(json_object_get(row, "show"), column);

	return json_is_object(o) ? word_of(o, "text") : "–";
}

/* ---- for a terminal --------------------------------------------------------
 */

#define COLUMNS_MAX 64

struct grid {
	const char *heads[COLUMNS_MAX];
	bool is_axis[COLUMNS_MAX];
	size_t width[COLUMNS_MAX], n;
};

static const char *cell_text(const struct grid *g, const json_t *row, size_t k)
{
	return g->is_axis[k]
		       ? word_of(json_object_get(row, "values"), g->heads[k])
		       : shown_text(row, g->heads[k]);
}

static void add_column(struct grid *g, const char *head, bool is_axis)
{
	if (g->n == COLUMNS_MAX)
		return;
	g->heads[g->n] = head;
	g->is_axis[g->n++] = is_axis;
}

static void lay_out(struct grid *g, const json_t *doc)
{
	json_t *o;
	size_t i;

	*g = (struct grid){.n = 0};
	json_array_foreach(json_object_get(doc, "axes"), i, o) if (is_column(o))
		add_column(g, word_of(o, "name"), true);
	json_array_foreach(json_object_get(doc, "show"), i, o)
		add_column(g, json_string_value(o), false);
	for (size_t k = 0; k < g->n; k++) {
		g->width[k] = text_width(g->heads[k]);
		json_array_foreach(json_object_get(doc, "cells"), i, o)
		{
			size_t w = text_width(cell_text(g, o, k));

			g->width[k] = w > g->width[k] ? w : g->width[k];
		}
	}
}

static void put_padded(FILE *out, const char *s, size_t width)
{
	size_t have = text_width(s), n;
	uint32_t c;

	for (const char *p = s; (n = text_next(p, &c)); p += n)
		text_put(out, c == '\n' || c == '\t' ? ' ' : c);
	while (have++ < width + 2)
		fputc(' ', out);
}

static void put_row(FILE *out, const struct grid *g, const json_t *row,
		    bool color)
{
	enum verdict v = verdict_of(row);
	const char *why = word_of(row, "why");

	for (size_t k = 0; k < g->n; k++)
		put_padded(out, cell_text(g, row, k), g->width[k]);
	fprintf(out, "%s%s%s", color ? verdict_paint(v) : "", verdict_word(v),
		color ? "\033[0m" : "");
	if (v != VERDICT_PASS && *why) {
		fputs("  ", out);
		put_padded(out, why, 0);
	}
	fputc('\n', out);
}

void report_matrix_table(FILE *out, const json_t *doc, bool color)
{
	struct grid g;
	json_t *row;
	size_t i;

	lay_out(&g, doc);
	fprintf(out, "%s  %s\n\n", word_of(doc, "matrix"),
		word_of(doc, "about"));
	for (size_t k = 0; k < g.n; k++)
		put_padded(out, g.heads[k], g.width[k]);
	fputs("verdict\n", out);
	json_array_foreach(json_object_get(doc, "cells"), i, row)
		put_row(out, &g, row, color);
	fprintf(out,
		"\n%zu passed, %zu failed, %zu without a verdict, %zu "
		"skipped%s\n",
		matrix_doc_count(doc, VERDICT_PASS),
		matrix_doc_count(doc, VERDICT_FAIL),
		matrix_doc_count(doc, VERDICT_INVALID),
		matrix_doc_count(doc, VERDICT_SKIP), unfinished(doc));
}

/* ---- a page ----------------------------------------------------------------
 */

static enum verdict overall(const json_t *doc)
{
	if (matrix_doc_count(doc, VERDICT_FAIL))
		return VERDICT_FAIL;
	if (matrix_doc_count(doc, VERDICT_INVALID) || !is_complete(doc))
		return VERDICT_INVALID;
	return matrix_doc_count(doc, VERDICT_PASS) ? VERDICT_PASS
						   : VERDICT_SKIP;
}

static void html_row(FILE *f, const struct grid *g, const json_t *row)
{
	enum verdict v = verdict_of(row);
	const char *link = word_of(row, "report");

	/* first, so that no width of the table hides it */
	fprintf(f, "<tr><td class=\"word\"><b class=\"pill %s\">%s</b> ",
		verdict_word(v), verdict_word(v));
	if (*link)
		html_link(f, NULL, link, "report");
	fputs("</td>", f);
	for (size_t k = 0; k < g->n; k++) {
		fputs(g->is_axis[k] ? "<td class=\"word\">"
				    : "<td class=\"num\">",
		      f);
		text_markup(f, cell_text(g, row, k));
		fputs("</td>", f);
	}
	fputs("<td class=\"reason\">", f);
	text_markup(f, word_of(row, "why"));
	fputs("</td></tr>\n", f);
}

static void html_page(FILE *f, const json_t *doc)
{
	enum verdict v = overall(doc);
	struct grid g;
	json_t *row;
	size_t i;

	lay_out(&g, doc);
	html_head(f, word_of(doc, "matrix"), v);
	html_banner(f, word_of(doc, "matrix"), word_of(doc, "about"), v);
	fprintf(f,
		"<p>%zu passed, %zu failed, %zu without a verdict, %zu "
		"skipped%s · ",
		matrix_doc_count(doc, VERDICT_PASS),
		matrix_doc_count(doc, VERDICT_FAIL),
		matrix_doc_count(doc, VERDICT_INVALID),
		matrix_doc_count(doc, VERDICT_SKIP), unfinished(doc));
	text_markup(f, word_of(doc, "started"));
	fputs("</p>\n</div></header>\n<main>\n<section><div class=\"scroll\">"
	      "<table><caption>One line a cell</caption><thead><tr>"
	      "<th scope=\"col\">Verdict</th>",
	      f);
	for (size_t k = 0; k < g.n; k++) {
		fputs("<th scope=\"col\">", f);
		text_markup(f, g.heads[k]);
		fputs("</th>", f);
	}
	fputs("<th scope=\"col\">Why</th></tr></thead><tbody>\n", f);
	json_array_foreach(json_object_get(doc, "cells"), i, row)
		html_row(f, &g, row);
	fputs("</tbody></table></div></section>\n</"
	      "main>\n<footer><p>schema " MATRIX_SCHEMA
	      " · again with <code>xlatsim run --seed ",
	      f);
	fprintf(f, "%lld ",
		(long long)json_integer_value(json_object_get(doc, "seed")));
	text_markup(f, word_of(doc, "file"));
	fputs("</code></p></footer>\n</body>\n</html>\n", f);
}

static int write_with(const char *path, const json_t *doc,
		      void (*put)(FILE *, const json_t *), struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		put(f, doc);
	return file_write_stream(path, f, &text, &len, e);
}

int report_matrix_html(const char *path, const json_t *doc, struct err *e)
{
	return write_with(path, doc, html_page, e);
}

/* ---- JUnit -----------------------------------------------------------------
 */

static void junit_case(FILE *f, const json_t *doc, const json_t *row)
{
	fputs("    <testcase classname=\"", f);
	text_markup(f, word_of(doc, "matrix"));
	fputs("\" name=\"", f);
	text_markup(f, word_of(row, "cell"));
	fprintf(f, "\" time=\"%.3f\">",
		json_real_value(json_object_get(row, "seconds")));
	junit_outcome(f, verdict_of(row), word_of(row, "why"));
	fputs("</testcase>\n", f);
}

static void junit_page(FILE *f, const json_t *doc)
{
	json_t *row;
	size_t i;

	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
	      "  <testsuite name=\"",
	      f);
	text_markup(f, word_of(doc, "matrix"));
	fprintf(f,
		"\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\">\n",
		json_array_size(json_object_get(doc, "cells")),
		matrix_doc_count(doc, VERDICT_FAIL),
		matrix_doc_count(doc, VERDICT_INVALID),
		matrix_doc_count(doc, VERDICT_SKIP));
	json_array_foreach(json_object_get(doc, "cells"), i, row)
		junit_case(f, doc, row);
	fputs("  </testsuite>\n</testsuites>\n", f);
}

int report_matrix_junit(const char *path, const json_t *doc, struct err *e)
{
	return write_with(path, doc, junit_page, e);
}
