/* SPDX-License-Identifier: MIT */
/* Results for programs: JSON and JUnit. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "run.h"

#define SCHEMA "xlatsim-conform/1"

static const char *const verdicts[] = {"not-run", "pass", "fail", "skip"};

static json_t *case_json(const struct case_result *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "case", json_string(r->c->name));
	json_object_set_new(o, "rfc", json_string(r->c->rfc));
	json_object_set_new(o, "section", json_string(r->c->section));
	json_object_set_new(o, "about", json_string(r->c->about));
	json_object_set_new(o, "setup", json_string(r->c->setup->name));
	json_object_set_new(o, "role",
			    json_string(conform_role_words[r->c->setup->role]));
	json_object_set_new(o, "file", json_string(r->c->pos.file));
	json_object_set_new(o, "line", json_integer(r->c->pos.line));
	json_object_set_new(o, "verdict", json_string(verdicts[r->verdict]));
	if (r->why[0])
		json_object_set_new(o, "why", json_string(r->why));
	json_object_set_new(o, "took_ms",
			    json_real((double)r->took_ns / NS_PER_MS));
	return o;
}

json_t *conform_json(const struct conform_result *r)
{
	json_t *o = json_object(), *cases = json_array();

	json_object_set_new(o, "schema", json_string(SCHEMA));
	json_object_set_new(o, "engine", json_string(r->engine));
	json_object_set_new(o, "version", json_string(r->version));
	json_object_set_new(o, "xlatsim", json_string(XLATSIM_VERSION));
	json_object_set_new(o, "passed", json_integer((json_int_t)r->passed));
	json_object_set_new(o, "failed", json_integer((json_int_t)r->failed));
	json_object_set_new(o, "skipped", json_integer((json_int_t)r->skipped));
	json_object_set_new(o, "took_s",
			    json_real((double)r->took_ns / NS_PER_S));
	if (r->no_verdict || r->interrupted)
		json_object_set_new(o, "no_verdict",
				    json_string(r->no_verdict ? r->no_verdict
							      : "interrupted"));
	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(cases, case_json(&r->v[i]));
	json_object_set_new(o, "cases", cases);
	return o;
}

/* ---- JUnit -----------------------------------------------------------------
 */

static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\n':
			fputs("&#10;", f);
			break;
		default:
			fputc((unsigned char)*s < 0x20 ? '?' : *s, f);
		}
	}
}

static void put_case(FILE *f, const struct conform_result *r,
		     const struct case_result *c)
{
	fprintf(f,
		"    <testcase name=\"%s\" classname=\"%s.RFC%s.%s\" "
		"time=\"%.4f\"",
		c->c->name, r->engine, c->c->rfc, c->c->section,
		(double)c->took_ns / NS_PER_S);
	if (c->verdict == CASE_PASS) {
		fputs("/>\n", f);
		return;
	}
	fprintf(f, ">\n      <%s message=\"",
		c->verdict == CASE_FAIL	  ? "failure"
		: c->verdict == CASE_SKIP ? "skipped"
					  : "error");
	put_escaped(f, c->why[0] ? c->why : "not run");
	fputs("\"/>\n    </testcase>\n", f);
}

int conform_junit(const char *path, struct conform_result *const *r, size_t n,
		  struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_set(e, ENOMEM, "%s: out of memory", path);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", f);
	for (size_t i = 0; i < n; i++) {
		size_t left =
			r[i]->n - r[i]->passed - r[i]->failed - r[i]->skipped;

		fprintf(f,
			"  <testsuite name=\"conform %s\" tests=\"%zu\" "
			"failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
			"time=\"%.3f\">\n",
			r[i]->engine, r[i]->n, r[i]->failed, left,
			r[i]->skipped, (double)r[i]->took_ns / NS_PER_S);
		for (size_t k = 0; k < r[i]->n; k++)
			put_case(f, r[i], &r[i]->v[k]);
		fputs("  </testsuite>\n", f);
	}
	fputs("</testsuites>\n", f);
	return file_write_stream(path, f, &text, &len, e);
}
