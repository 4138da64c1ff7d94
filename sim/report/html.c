/* SPDX-License-Identifier: MIT */
/*
 * The report as one page that stands alone: no script, no outside reference,
 * readable without its pictures. Every text of the result goes through
 * text_markup(): scenario files are not trusted.
 */
#include "report_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"

/* Routes come in flocks: they are listed, but pictures do not number them. */
bool html_has_number(const struct happening *h)
{
	return strcmp(h->kind, "route") != 0;
}

/* @path below @dir, or NULL when it is not. */
static const char *path_inside(const char *dir, const char *path)
{
	size_t len = dir ? strlen(dir) : 0;

	if (len && !strncmp(path, dir, len) && path[len] == '/')
		path += len + 1;
	if (*path == '/' || strstr(path, ".."))
		return NULL;
	return path;
}

void html_link(FILE *out, const char *dir, const char *path, const char *label)
{
	const char *inside = path_inside(dir, path);

	if (!inside) {
		text_markup(out, path);
		return;
	}
	fputs("<a href=\"./", out);
	for (const char *p = inside; *p; p++) {
		if (isalnum((unsigned char)*p) || strchr("/-_.~", *p))
			fputc(*p, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*p);
	}
	fputs("\">", out);
	text_markup(out, label ? label : inside);
	fputs("</a>", out);
}

/* ---- verdict ---------------------------------------------------------------
 */

static const char *verdict_sentence(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return "Passed";
	case VERDICT_FAIL:
		return "Failed";
	case VERDICT_INVALID:
		return "No verdict";
	case VERDICT_SKIP:
		return "Skipped";
	}
	return "?";
}

void html_head(FILE *f, const char *title, enum verdict v)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	      "<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, "
	      "initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" "
	      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<title>",
	      f);
	text_markup(f, title);
	fprintf(f, ": %s</title>\n<style>\n%s</style>\n</head>\n<body>\n",
		verdict_word(v), html_style);
}

void html_banner(FILE *f, const char *title, const char *about, enum verdict v)
{
	fprintf(f,
		"<header class=\"banner %s\">\n<p class=\"verdict\">%s</p>\n"
		"<div><h1>",
		verdict_word(v), verdict_sentence(v));
	text_markup(f, title);
	fputs("</h1>\n<p class=\"about\">", f);
	text_markup(f, about);
	fputs("</p>\n", f);
}

static void put_banner(FILE *f, const struct result *r)
{
	char took[32];

	html_banner(f, r->scenario->name, r->scenario->title, r->verdict);
	fprintf(f, "<p>%zu of %zu expectations hold",
		count_verdict(r, VERDICT_PASS), r->n_judged);
	if (count_verdict(r, VERDICT_FAIL))
		fprintf(f, ", %zu failed", count_verdict(r, VERDICT_FAIL));
	if (count_verdict(r, VERDICT_INVALID))
		fprintf(f, ", %zu without a verdict",
			count_verdict(r, VERDICT_INVALID));
	fputs(" · ", f);
	text_markup(f, r->started);
	fprintf(f, " · %s</p>\n",
		units_format(r->total_ns, UNIT_TIME, took, sizeof(took)));
	if (r->why) {
		fputs("<p class=\"why\">", f);
		text_markup(f, r->why);
		fputs("</p>\n", f);
	}
	fputs("</div></header>\n<main>\n", f);
}

static void put_expectations(FILE *f, const struct result *r)
{
	fputs("<section aria-labelledby=\"h-e\"><h2 id=\"h-e\">Expectations"
	      "</h2>\n<div class=\"scroll\"><table><caption>What the scenario "
	      "demands, and what was found</caption><thead><tr>"
	      "<th scope=\"col\">Verdict</th><th scope=\"col\">Measure</th>"
	      "<th scope=\"col\">Metric</th><th scope=\"col\">Found, and "
	      "expected</th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < r->n_judged; i++) {
		const struct judged *j = &r->judged[i];

		fprintf(f,
			"<tr><td><b class=\"pill %s\">%s</b></td>"
			"<th scope=\"row\">",
			verdict_word(j->verdict), verdict_word(j->verdict));
		text_markup(f, j->expect->measure);
		fputs("</th><td>", f);
		text_markup(f, j->expect->metric);
		fputs("</td><td>", f);
		text_markup(f, judged_detail(j));
		fputs("</td></tr>\n", f);
	}
	if (!r->n_judged)
		fputs("<tr><td colspan=\"4\">The scenario expects nothing."
		      "</td></tr>\n",
		      f);
	fputs("</tbody></table></div></section>\n", f);
}

/* ---- what happened ---------------------------------------------------------
 */

static void put_happening(FILE *f, const struct happening *h,
			  unsigned int number)
{
	char late[32];

	fprintf(f, "<tr class=\"k-%s\"><td class=\"num\">",
		html_has_number(h) ? "numbered" : "route");
	if (html_has_number(h))
		fprintf(f, "<b class=\"mark\">%u</b>", number);
	fprintf(f, "</td><td class=\"num\">%+.3f s</td><td>", h->at_ns / 1e9);
	text_markup(f, h->kind);
	fputs("</td><td>", f);
	text_markup(f, h->text);
	fprintf(f, "</td><td class=\"num\">%s</td></tr>\n",
		h->late_ns > 0 ? units_format(h->late_ns, UNIT_TIME, late,
					      sizeof(late))
			       : "");
}

static void put_happenings(FILE *f, const struct result *r)
{
	unsigned int number = 0;

	if (!r->n_happenings)
		return;
	fputs("<section aria-labelledby=\"h-h\"><h2 id=\"h-h\">What happened"
	      "</h2>\n<div class=\"scroll\"><table><caption>Since traffic "
	      "began; "
	      "numbers are those in the pictures</caption><thead><tr>"
	      "<th scope=\"col\">No.</th><th scope=\"col\">At</th>"
	      "<th scope=\"col\">Kind</th><th scope=\"col\">What</th>"
	      "<th scope=\"col\">Late</th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < r->n_happenings; i++) {
		number += html_has_number(&r->happenings[i]);
		put_happening(f, &r->happenings[i], number);
	}
	fputs("</tbody></table></div></section>\n", f);
}

static void put_page(FILE *f, const struct result *r)
{
	html_head(f, r->scenario->name, r->verdict);
	put_banner(f, r);
	put_expectations(f, r);
	html_cards(f, r);
	put_happenings(f, r);
	html_facts(f, r);
	fputs("</main>\n<footer><p>", f);
	text_markup(f, r->host.version);
	fprintf(f, " · schema %s · again with <code>xlatsim run --seed %llu ",
		RESULT_SCHEMA, (unsigned long long)r->seed);
	text_markup(f, r->scenario->path);
	fputs("</code></p></footer>\n</body>\n</html>\n", f);
}

int report_html(const char *path, const struct result *r, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		put_page(f, r);
	return file_write_stream(path, f, &text, &len, e);
}
