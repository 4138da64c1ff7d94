/* SPDX-License-Identifier: MIT */
/* A matrix and the results of its cells, from their JSON. */
#include "advise.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define MATRIX_SCHEMA "xlatsim-matrix/1"
#define RESULT_SCHEMA "xlatsim-result/1"

struct reading {
	struct advise_input *in;
	const char *folder;
	struct arena *a;
	struct err *e;
};

static const char *word_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const char *keep(const struct reading *r, const char *s)
{
	return arena_strdup(r->a, s);
}

/* ---- axes ------------------------------------------------------------------
 */

static void read_axis(const struct reading *r, const json_t *o)
{
	struct advise_axis *x = ARENA_APPEND(r->a, r->in->axes, r->in->n_axes);
	const json_t *overlays = json_object_get(o, "overlays");
	json_t *name;
	size_t i;

	x->name = keep(r, word_of(o, "name"));
	x->known = json_is_array(overlays);
	json_array_foreach(json_object_get(o, "values"), i, name)
	{
		struct advise_value *v = ARENA_APPEND(r->a, x->v, x->n);

		v->name = keep(r, json_is_string(name) ? json_string_value(name)
						       : "");
		settings_read(json_array_get(overlays, i), r->a, &v->set,
			      &v->n_set);
		x->setting |= v->n_set > 0;
	}
}

/* ---- cells -----------------------------------------------------------------
 */

/* "jool+xlatd": each engine once, in the order of the topology. */
static const char *join(const struct reading *r, const json_t *list,
			const char *key)
{
	const char *text = "";
	json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *word = word_of(o, key);
		size_t before = 0;

		while (before < i &&
		       strcmp(word_of(json_array_get(list, before), key),
			      word) != 0)
			before++;
		if (before == i)
			text = arena_printf(r->a, "%s%s%s", text,
					    *text ? "+" : "", word);
	}
	return text;
}

static const json_t *metric(const json_t *measurement, const char *name)
{
	return json_object_get(
		json_object_get(json_object_get(measurement, "metrics"), name),
		"value");
}

static const char *text_of(const struct reading *r, const json_t *m,
			   const char *name)
{
	const char *s = json_string_value(metric(m, name));

	return s && *s ? keep(r, s) : NULL;
}

/* A transfer, be it explained or not. */
static void read_measurement(const struct reading *r, const json_t *m,
			     struct advise_cell *c)
{
	const char *kind = word_of(m, "kind");
	const json_t *rate = metric(m, "rate");
	bool told = json_is_string(metric(m, "verdict"));

	/* a transfer that did not begin has no rate, but a reason */
	if (json_is_true(json_object_get(m, "invalid")) ||
	    (!json_is_number(rate) && !told) ||
	    (strcmp(kind, "iperf3") && strcmp(kind, "throughput") &&
	     strcmp(kind, "diagnosis")))
		return;
	*ARENA_APPEND(r->a, c->rates, c->n_rates) =
		(struct advise_rate){.measure = keep(r, word_of(m, "name")),
				     .bps = json_number_value(rate),
				     .diagnosis = text_of(r, m, "verdict"),
				     .cure = text_of(r, m, "cure")};
}

static void read_result(const struct reading *r, const json_t *result,
			struct advise_cell *c)
{
	const json_t *t = json_object_get(result, "topology"),
		     *host = json_object_get(result, "host");
	json_t *m;
	size_t i;

	c->plats = join(r, json_object_get(t, "plats"), "engine");
	c->clats = join(r, json_object_get(t, "towers"), "clat");
	json_array_foreach(json_object_get(result, "measurements"), i, m)
		read_measurement(r, m, c);
	if (r->in->kernel)
		return;
	r->in->kernel = keep(r, word_of(host, "kernel"));
	r->in->cores = (int)json_integer_value(json_object_get(host, "cores"));
}

static json_t *load(const char *path, const char *schema, struct err *e)
{
	json_error_t je;
	json_t *doc = json_load_file(path, 0, &je);

	if (!doc) {
		if (je.line > 0)
			err_set(e, EINVAL, "%s:%d:%d: %s", path, je.line,
				je.column, je.text);
		else
			err_set(e, EINVAL, "%s", je.text);
		return NULL;
	}
	if (!strcmp(word_of(doc, "schema"), schema))
		return doc;
	err_set(e, EINVAL, "%s: schema `%s`, expected %s", path,
		word_of(doc, "schema"), schema);
	json_decref(doc);
	return NULL;
}

static size_t *read_values(const struct reading *r, const json_t *row)
{
	const struct advise_input *in = r->in;
	const json_t *values = json_object_get(row, "values");
	size_t *v = arena_alloc(r->a, (in->n_axes + 1) * sizeof(*v));

	for (size_t i = 0; i < in->n_axes; i++) {
		const struct advise_axis *x = &in->axes[i];
		const char *word = word_of(values, x->name);

		while (v[i] < x->n && strcmp(x->v[v[i]].name, word) != 0)
			v[i]++;
	}
	return v;
}

/* A cell that failed was measured all the same: that is what fails show. */
static int read_row(const struct reading *r, const json_t *row)
{
	const char *link = word_of(row, "report"), *slash = strrchr(link, '/'),
		   *verdict = word_of(row, "verdict");
	struct advise_cell c = {.name = NULL};
	json_t *result;

	if (!slash || (strcmp(verdict, "pass") && strcmp(verdict, "fail")))
		return 0;
	result = load(arena_printf(r->a, "%s/%.*s/result.json", r->folder,
				   (int)(slash - link), link),
		      RESULT_SCHEMA, r->e);
	if (!result)
		return -EINVAL;
	c.name = keep(r, word_of(row, "cell"));
	c.value = read_values(r, row);
	read_result(r, result, &c);
	json_decref(result);
	*ARENA_APPEND(r->a, r->in->cells, r->in->n_cells) = c;
	return 0;
}

static int read_doc(const struct reading *r, const json_t *doc)
{
	int ret = 0;
	json_t *o;
	size_t i;

	r->in->name = keep(r, word_of(doc, "matrix"));
	r->in->started = keep(r, word_of(doc, "started"));
	json_array_foreach(json_object_get(doc, "axes"), i, o) read_axis(r, o);
	json_array_foreach(json_object_get(doc, "cells"), i, o)
	{
		ret = read_row(r, o);
		if (ret)
			break;
	}
	return ret;
}

struct advise_input *advise_read(const char *path, struct arena *a,
				 struct err *e)
{
	struct reading r = {ARENA_NEW(a, struct advise_input), path, a, e};
	const char *slash = strrchr(path, '/');
	struct stat st;
	json_t *doc;
	int ret;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		path = arena_printf(a, "%s/matrix.json", path);
	else
		r.folder = slash ? arena_printf(a, "%.*s", (int)(slash - path),
						path)
				 : ".";
	doc = load(path, MATRIX_SCHEMA, e);
	if (!doc)
		return NULL;
	r.in->path = arena_strdup(a, path);
	ret = read_doc(&r, doc);
	json_decref(doc);
	return ret ? NULL : r.in;
}
