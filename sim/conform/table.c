/* SPDX-License-Identifier: MIT */
/* Results for people: sections of RFCs by engines, then what went wrong. */
#include <string.h>

#include "run.h"

#define GREEN (color ? "\033[32m" : "")
#define RED   (color ? "\033[31m" : "")
#define DIM   (color ? "\033[2m" : "")
#define PLAIN (color ? "\033[0m" : "")

#define TITLE_WIDTH 46

struct tally {
	size_t passed, failed, skipped, n;
};

static bool same_section(const struct conform_case *a,
			 const struct conform_case *b)
{
	return !strcmp(a->rfc, b->rfc) && !strcmp(a->section, b->section);
}

static struct tally count(const struct conform_result *r,
			  const struct conform_case *like)
{
	struct tally t = {0};

	for (size_t i = 0; i < r->n; i++) {
		if (like && !same_section(r->v[i].c, like))
			continue;
		t.n++;
		t.passed += r->v[i].verdict == CASE_PASS;
		t.failed += r->v[i].verdict == CASE_FAIL;
		t.skipped += r->v[i].verdict == CASE_SKIP;
	}
	return t;
}

static void print_tally(FILE *out, struct tally t, bool color)
{
	char text[64], skips[32] = "";

	if (t.skipped)
		snprintf(skips, sizeof(skips), ", %zu skip", t.skipped);
	snprintf(text, sizeof(text), "%zu/%zu%s", t.passed, t.n - t.skipped,
		 skips);
	if (t.skipped == t.n)
		snprintf(text, sizeof(text), "skip");
	fprintf(out, "  %s%-16s%s",
		t.failed   ? RED
		: t.passed ? GREEN
			   : DIM,
		text, PLAIN);
}

static bool seen_before(const struct conform_result *r, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same_section(r->v[k].c, r->v[i].c))
			return true;
	return false;
}

static void print_sections(FILE *out, struct conform_result *const *r, size_t n,
			   bool color)
{
	char place[32];

	fprintf(out, "%-10s  %-*s", "RFC", TITLE_WIDTH, "");
	for (size_t k = 0; k < n; k++)
		fprintf(out, "  %-16s", r[k]->engine);
	fputc('\n', out);
	for (size_t i = 0; i < r[0]->n; i++) {
		const struct conform_case *c = r[0]->v[i].c;

		if (seen_before(r[0], i))
			continue;
		snprintf(place, sizeof(place), "%s %s", c->rfc, c->section);
		fprintf(out, "%-10s  %-*.*s", place, TITLE_WIDTH, TITLE_WIDTH,
			c->title);
		for (size_t k = 0; k < n; k++)
			print_tally(out, count(r[k], c), color);
		fputc('\n', out);
	}
	fprintf(out, "%-10s  %-*s", "all", TITLE_WIDTH, "");
	for (size_t k = 0; k < n; k++)
		print_tally(out, count(r[k], NULL), color);
	fputc('\n', out);
}

static void print_failures(FILE *out, const struct conform_result *r,
			   bool color)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].verdict == CASE_FAIL)
			fprintf(out, "\n%sfail%s  %s: %s (RFC %s, %s)\n  %s\n",
				RED, PLAIN, r->engine, r->v[i].c->name,
				r->v[i].c->rfc, r->v[i].c->section,
				r->v[i].why);
}

/* Each reason once, with how many cases it is that of. */
static void print_skips(FILE *out, const struct conform_result *r)
{
	for (size_t i = 0; i < r->n; i++) {
		size_t same = 1;
		bool first = r->v[i].verdict == CASE_SKIP;

		for (size_t k = 0; k < i && first; k++)
			first = r->v[k].verdict != CASE_SKIP ||
				strcmp(r->v[k].why, r->v[i].why) != 0;
		if (!first)
			continue;
		for (size_t k = i + 1; k < r->n; k++)
			same += r->v[k].verdict == CASE_SKIP &&
				!strcmp(r->v[k].why, r->v[i].why);
		fprintf(out, "skip  %s: %zu case%s: %s\n", r->engine, same,
			same == 1 ? "" : "s", r->v[i].why);
	}
}

void conform_print(FILE *out, struct conform_result *const *r, size_t n,
		   bool color)
{
	print_sections(out, r, n, color);
	for (size_t k = 0; k < n; k++)
		print_failures(out, r[k], color);
	fputc('\n', out);
	for (size_t k = 0; k < n; k++)
		print_skips(out, r[k]);
	for (size_t k = 0; k < n; k++) {
		fprintf(out,
			"%s%s%s  %s, %s: %zu passed, %zu failed, %zu "
			"skipped, in %.1f s\n",
			r[k]->no_verdict || r[k]->interrupted || r[k]->failed
				? RED
				: GREEN,
			r[k]->no_verdict || r[k]->interrupted ? "NO VERDICT"
			: r[k]->failed			      ? "FAIL"
							      : "PASS",
			PLAIN, r[k]->engine, r[k]->version, r[k]->passed,
			r[k]->failed, r[k]->skipped,
			(double)r[k]->took_ns / 1e9);
		if (r[k]->no_verdict)
			fprintf(out, "  %s\n", r[k]->no_verdict);
		if (r[k]->interrupted)
			fputs("  interrupted\n", out);
	}
}
