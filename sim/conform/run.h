/* SPDX-License-Identifier: MIT */
/* Cases played against an engine, and what came of it. */
#ifndef CONFORM_RUN_H
#define CONFORM_RUN_H

#include <jansson.h>

#include "bench.h"

enum case_verdict { CASE_NOT_RUN, CASE_PASS, CASE_FAIL, CASE_SKIP };

struct case_result {
	const struct conform_case *c;
	enum case_verdict verdict;
	const char *why; /* may have several lines; "" when it passed */
	int64_t took_ns;
};

/* One engine's results, as many as the suite has chosen cases. */
struct conform_result {
	const char *engine, *version;
	struct case_result *v;
	size_t n;
	size_t passed, failed, skipped;
	int64_t took_ns;
	const char *no_verdict; /* why it ended early; NULL: it did not */
	bool interrupted;
};

struct conform_opts {
	struct loop *loop; /* stopped by signals */
	int role;	   /* enum conform_role; -1: every */
	const char *only;  /* pattern; NULL: every case */
	/* done - after each case; may be NULL */
	void (*done)(void *arg, size_t n, size_t of,
		     const struct case_result *r);
	void *arg;
};

/* case_chosen - do --role and --only choose @c? Pure. */
bool case_chosen(const struct conform_case *c, const struct conform_opts *o);

/*
 * conform_run - play the chosen cases of @s against @p.
 * Always returns a result (in @a). Context: root.
 */
struct conform_result *conform_run(const struct suite *s,
				   const struct player *p,
				   const struct conform_opts *o,
				   struct arena *a);

/* ---- reports ---------------------------------------------------------------
 */

/* conform_print - sections by engines, then what failed, then what was skipped
 * and why. */
void conform_print(FILE *out, struct conform_result *const *r, size_t n,
		   bool color);
/* conform_json - an object of one engine's results. New reference. */
json_t *conform_json(const struct conform_result *r);
/* conform_junit - one <testsuite> an engine. */
int conform_junit(const char *path, struct conform_result *const *r, size_t n,
		  struct err *e);

#endif
