/* SPDX-License-Identifier: MIT */
/*
 * Two results of one scenario: what got worse, better, stayed. PURE: what was
 * read goes in, rows with a judgement come out.
 *
 * Judged is what has a value a round, and what was expected. A single number
 * has no spread to be judged by: both are given, with the change.
 */
#ifndef SCORE_COMPARE_H
#define SCORE_COMPARE_H

#include "score.h"

#define COMPARE_ROUNDS_MIN 5 /* a side, to be judged */
#define COMPARE_ALPHA	   0.05

enum change {
	CHANGE_NONE, /* not judged */
	CHANGE_SAME,
	CHANGE_BETTER,
	CHANGE_WORSE,
	CHANGE_COUNT
};
/* change_word - "none", "same", "better", "worse" */
const char *change_word(enum change c);

/* ---- what is compared ------------------------------------------------------
 */

struct compare_metric {
	const char *name;
	enum unit unit;
	double num;	  /* NAN: not measured; UNIT_BOOL: 0 or 1 */
	const char *text; /* UNIT_TEXT; NULL: not measured */
	bool sampled;	  /* it has a value a round: */
	double *rounds;	  /* what is not finite is left out */
	size_t n_rounds;
};

struct compare_measure {
	const char *name, *kind;
	bool invalid;
	const char *why; /* or NULL */
	struct compare_metric *metrics;
	size_t n_metrics;
};

struct compare_expect {
	const char *name; /* with its bound: "web.rate at-least 1mbit" */
	const char *text; /* for people */
	enum verdict verdict;
};

/* What should be alike for a comparison to mean something. */
struct compare_fact {
	const char *name, *value;
};

struct compare_run {
	const char *path, *started, *scenario, *title;
	enum verdict verdict;
	const char *why; /* or NULL */
	struct compare_fact *facts;
	size_t n_facts;
	struct compare_measure *measures;
	size_t n_measures;
	struct compare_expect *expects;
	size_t n_expects;
};

/* ---- what came of it -------------------------------------------------------
 */

struct compare_sample {
	double median, low, high; /* 95 % interval; NAN without rounds */
	double *v;
	size_t n;
};

struct compare_row {
	const char *measure;
	const char *metric; /* NULL: the measure as a whole, for @why */
	const struct compare_metric *a, *b;
	enum metric_better better;
	enum change change;
	const char *why;		  /* not judged, or without numbers */
	double effect;			  /* (b - a) / |a|; NAN: no numbers */
	double p;			  /* NAN: not worked out */
	struct compare_sample of_a, of_b; /* of a sampled one */
};

struct compare_expected {
	const char *name;
	const char *a, *b; /* verdicts, in words */
	const char *text;  /* what was found in B */
	enum change change;
};

/* A side that does not have it is NULL. */
struct compare_difference {
	const char *name, *a, *b;
};

struct comparison {
	const struct compare_run *a, *b;
	double threshold;
	struct compare_difference *differences;
	size_t n_differences;
	struct compare_row *rows;
	size_t n_rows;
	struct compare_expected *expected;
	size_t n_expected;
	size_t n[CHANGE_COUNT]; /* of what can be judged */
	enum change verdict; /* worse outweighs better, that outweighs same */
	const char *why;     /* of CHANGE_NONE */
};

/*
 * compare_runs - @b beside @a, which came first.
 * A metric of rounds is worse or better where the Mann-Whitney test tells the
 * sides apart (p < 0.05) and their medians differ by more than @threshold (a
 * share of @a's); with fewer than 5 rounds a side it is not judged. One that
 * A measured and B could not is worse. An expectation that passed and failed is
 * worse, and so is a run that broke.
 * Without a verdict of both runs there is none, and nothing else is looked at.
 * Returns what @mem owns; it points into both. Context: pure.
 */
struct comparison *compare_runs(const struct compare_run *a,
				const struct compare_run *b, double threshold,
				struct arena *mem);

#endif
