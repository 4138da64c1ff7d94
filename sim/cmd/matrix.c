/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * matrix.json is the memory of a matrix: it is written again, in one step,
 * after each cell, and all tables are drawn from it. To resume is to read it
 * and to play the cells that have no row yet, or one without a verdict. What
 * the rows were measured with is told by a fingerprint of the files, of our own
 * programs, byte by byte, and of the kernel; where that differs the rows would
 * not be of one matrix, and resuming is refused.
 */
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../engine/engine.h"
#include "../plan/plan.h"
#include "../report/matrix.h"
#include "resdir.h"

#define DOCUMENT  "matrix.json"
#define AROUND_NS (6.0 * NS_PER_S) /* building and tearing down */

struct play {
	const struct matrix *m;
	const struct matrix_opts *o;
	uint64_t seed; /* of those who began it */
	struct arena *a;
	json_t *doc;
	const char *dir;
	int lock; /* of dir, as long as it is played */
};

/* ---- what it would take ----------------------------------------------------
 */

static double cell_ns(const struct matrix_cell *c)
{
	return c->s ? spec_duration_ns(c->s) + AROUND_NS : 0;
}

double matrix_duration_ns(const struct matrix *m, const bool *chosen)
{
	double sum = 0;

	for (size_t i = 0; i < m->n_cells; i++)
		sum += chosen[i] ? cell_ns(&m->cells[i]) : 0;
	return sum;
}

void matrix_list(const struct matrix *m, const bool *chosen, FILE *out)
{
	size_t n = 0, width = 0;
	char text[32];

	for (size_t i = 0; i < m->n_cells; i++)
		if (chosen[i] && strlen(m->cells[i].name) > width)
			width = strlen(m->cells[i].name);
	for (size_t i = 0; i < m->n_cells; i++) {
		const struct matrix_cell *c = &m->cells[i];

		if (!chosen[i])
			continue;
		n += c->s != NULL;
		if (c->why)
			fprintf(out, "%-*s  skipped: %s\n", (int)width, c->name,
				c->why);
		else
			fprintf(out, "%-*s  %s\n", (int)width, c->name,
				units_format(cell_ns(c), UNIT_TIME, text,
					     sizeof(text)));
	}
	fprintf(out, "%zu of %zu cells, about %s\n", n, m->n_cells,
		units_format(matrix_duration_ns(m, chosen), UNIT_TIME, text,
			     sizeof(text)));
}

/* ---- fingerprint -----------------------------------------------------------
 */

/* FNV-1a */
static uint64_t hash(uint64_t h, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t hash_file(uint64_t h, const char *path)
{
	struct err ignored;
	size_t len = 0;
	char *text = file_read(path, &len, &ignored);

	h = hash(h, text ? text : "", text ? len : 0);
	free(text);
	return h;
}

/* What is built here has the same version until somebody commits. */
static uint64_t hash_programs(uint64_t h)
{
	static const char *const others[] = {"xlatd", "xlatsim-guest",
					     "xlatsim-uml.so"};
	char path[PATH_MAX];

	h = hash_file(h, "/proc/self/exe");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!host_find_own(others[i], path, sizeof(path)))
			h = hash_file(h, path);
	return h;
}

static const char *fingerprint(const struct play *p)
{
	const struct matrix *m = p->m;
	struct utsname u = {0};
	uint64_t h = hash_programs(UINT64_C(0xcbf29ce484222325));

	uname(&u);
	h = hash(h, u.release, strlen(u.release));
	h = hash(h, u.version, strlen(u.version));
	h = hash_file(h, m->path);
	for (size_t i = 0; i < m->axes[0].n; i++)
		h = hash_file(h, m->axes[0].v[i].path);
	for (size_t i = 0; i < m->n_cells; i++)
		if (m->cells[i].s)
			h = hash_file(h, m->cells[i].s->topology->path);
	return arena_printf(p->a, "%016llx", (unsigned long long)h);
}

/* ---- the document ----------------------------------------------------------
 */

static int save(const struct play *p, struct err *e)
{
	const char *path = arena_printf(p->a, "%s/" DOCUMENT, p->dir);
	char *text =
		json_dumps(p->doc, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	int ret;

	if (!text)
		return err_set(e, ENOMEM, "%s: out of memory", path);
	ret = file_write(path, text, strlen(text), e);
	free(text);
	return ret ? ret
		   : report_matrix_html(
			     arena_printf(p->a, "%s/report.html", p->dir),
			     p->doc, e);
}

/* Two that play the same one would write over each other. */
static int lock(struct play *p, struct err *e)
{
	p->lock = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->lock < 0)
		return err_set(e, errno, "%s: %s", p->dir, strerror(errno));
	if (flock(p->lock, LOCK_EX | LOCK_NB))
		return err_set(e, EINVAL, "%s: it is still played", p->dir);
	return 0;
}

static int begin(struct play *p, struct err *e)
{
	const char *started;
	int ret = resdir_make(p->o->session.out, p->m->name, p->a, &p->dir,
			      &started, e);

	if (!ret)
		ret = lock(p, e);
	if (ret)
		return ret;
	p->seed = p->o->session.seed;
	p->doc = matrix_doc_new(p->m, started, p->seed);
	if (!p->doc || json_object_set_new(p->doc, "fingerprint",
					   json_string(fingerprint(p))))
		return err_set(e, ENOMEM, "out of memory");
	ret = save(p, e);
	return ret ? ret : resdir_link_latest(p->dir, e);
}

static int resume(struct play *p, struct err *e)
{
	const char *latest = arena_printf(p->a, "%s/%s/latest",
					  p->o->session.out, p->m->name);
	const char *path = arena_printf(p->a, "%s/" DOCUMENT, latest);
	char *real = realpath(latest, NULL);
	json_error_t je;
	const char *was;

	if (!real)
		return err_set(e, EINVAL,
			       "%s: %s: there is nothing to resume; leave "
			       "--resume out",
			       latest, strerror(errno));
	p->dir = arena_strdup(p->a, real);
	free(real);
	if (lock(p, e))
		return -EINVAL;
	p->doc = json_load_file(path, 0, &je);
	if (!p->doc)
		return err_set(e, EINVAL, "%s: %s", path, je.text);
	p->seed = (uint64_t)json_integer_value(json_object_get(p->doc, "seed"));
	was = json_string_value(json_object_get(p->doc, "fingerprint"));
	if (!was || strcmp(was, fingerprint(p)) != 0)
		return err_set(e, EINVAL,
			       "%s: the files, the programs or the kernel have "
			       "changed since: its cells "
			       "cannot stand beside new ones; leave --resume "
			       "out",
			       path);
	return 0;
}

/* ---- cells -----------------------------------------------------------------
 */

static bool has_verdict(const struct play *p, size_t i)
{
	const json_t *row = matrix_doc_find(p->doc, &p->m->cells[i]);
	const char *v = json_string_value(json_object_get(row, "verdict"));

	return v && (!strcmp(v, "pass") || !strcmp(v, "fail"));
}

/* Why this host can't play it, or NULL. */
static const char *unplayable(const struct play *p, const struct matrix_cell *c,
			      struct arena *a)
{
	struct err e;
	struct plan *plan;

	if (c->why)
		return c->why;
	plan = plan_new(c->s->topology, a, &e);
	if (!plan || engine_check_host(plan, &e))
		return arena_strdup(p->a, e.text);
	return NULL;
}

static int put(struct play *p, size_t i, const struct result *r,
	       const char *why, struct err *e)
{
	const char *link = NULL;

	if (r)
		link = arena_printf(p->a, "cells/%s%s/report.html",
				    p->m->cells[i].name, strrchr(r->dir, '/'));
	if (matrix_doc_put(p->doc, p->m, i, r, link, why))
		return err_set(e, ENOMEM, "out of memory");
	return save(p, e);
}

static int play_cell(struct play *p, size_t i, struct err *e)
{
	const struct matrix_cell *c = &p->m->cells[i];
	struct session_opts so = p->o->session;
	struct arena *a = arena_new(); /* results of a cell are large */
	const char *why = unplayable(p, c, a);
	struct result *r = NULL;
	int ret = 0;

	so.seed = p->seed;
	so.out = arena_printf(a, "%s/cells", p->dir);
	if (!why) {
		r = session_run(c->s, &so, a, e);
		if (!r)
			ret = -EIO;
		else if (r->why && !strcmp(r->why, "interrupted"))
			ret = -EINTR;
	}
	if (!ret)
		ret = put(p, i, r, why, e);
	if (!ret)
		progress_note(so.progress, "%s: %s%s%s", c->name,
			      verdict_word(r ? r->verdict : VERDICT_SKIP),
			      why ? ": " : "", why ? why : "");
	arena_free(a);
	return ret;
}

static int finish(const struct play *p, struct err *e)
{
	if (matrix_doc_complete(p->doc, true))
		return err_set(e, ENOMEM, "out of memory");
	return save(p, e);
}

int matrix_play(const struct matrix *m, const struct matrix_opts *o,
		struct arena *a, json_t **doc, const char **dir, struct err *e)
{
	struct play p = {.m = m, .o = o, .a = a, .lock = -1};
	size_t n = 0, total = 0;
	int ret = o->resume ? resume(&p, e) : begin(&p, e);

	if (!ret && matrix_doc_complete(p.doc, false))
		ret = err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n_cells; i++)
		total += o->chosen[i];
	for (size_t i = 0; i < m->n_cells && !ret; i++) {
		if (!o->chosen[i])
			continue;
		n++;
		if (has_verdict(&p, i))
			continue;
		progress_note(o->session.progress, "cell %zu of %zu: %s", n,
			      total, m->cells[i].name);
		ret = play_cell(&p, i, e);
	}
	if (!ret)
		ret = finish(&p, e);
	if (p.lock >= 0)
		close(p.lock);
	*doc = p.doc;
	*dir = p.dir;
	return ret;
}
