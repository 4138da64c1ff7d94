/* SPDX-License-Identifier: MIT */
/*
 * What was measured, and what follows from it. PURE: numbers in, verdicts
 * out. Everything lives in the arena of the run.
 */
#ifndef SCORE_SCORE_H
#define SCORE_SCORE_H

#include "../spec/spec.h"

enum verdict { VERDICT_PASS, VERDICT_FAIL, VERDICT_INVALID, VERDICT_SKIP };
const char *verdict_word(enum verdict v);

struct metric {
	const struct metric_def *def; /* name, unit, help */
	bool absent;	  /* could not be measured (e.g. no reply) */
	double num;	  /* UNIT_BOOL: 0 or 1 */
	const char *text; /* UNIT_TEXT */
};

/* A picture for the report: y over x, both in plain units. */
struct series {
	const char *name;	       /* "received", "home1 to slash" */
	const char *x_label, *y_label; /* "s", "packets per 10 ms"; seconds are
					* of the time line, or of the measure
					* before and after it */
	double *x, *y;
	size_t n;
};

struct stream_trace;

struct measurement {
	const char *name;    /* from the scenario, or "testbed" */
	const char *kind;    /* "dns", ..., "await", "testbed" */
	const char *phase;   /* "before", "timeline", "after" */
	const char *summary; /* one line for people */
	bool invalid;	     /* the testbed limited it: no verdict */
	const char *why;     /* why invalid, or what failed; may be NULL */
	struct metric *metrics;
	size_t n_metrics;
	struct series *series;
	size_t n_series;
	const char *raw_file; /* raw output in the result directory */
	const struct stream_trace *trace; /* stream: up and down; or NULL */
};

/* A happening on the timeline: scheduled event, route change, daemon death. */
struct happening {
	double at_ns;	  /* since traffic start; may be negative */
	double late_ns;	  /* behind schedule; 0 when not scheduled */
	const char *kind; /* "event", "route", "engine" */
	const char *text;
};

struct judged {
	const struct expect_spec *expect;
	enum verdict verdict;
	const char *text; /* "outage.longest-gap: 83ms, at most 1s" */
};

struct engine_fact { /* which engine played what, for the record */
	const char *node, *role, *name, *version;
	const char *counters_json; /* or NULL */
};

/* A link as it was: offloads as read back from the kernel at both ends. */
struct link_fact {
	const char *name;
	bool relayed;
	int64_t mtu;
	bool known;	      /* read back; else the offloads mean nothing */
	struct offloads a, b; /* each ON or OFF; a is nearer to the homes */
};

struct result {
	const struct scenario *scenario;
	const char *run_id, *dir, *started; /* ISO 8601, UTC */
	uint64_t seed;
	struct {
		const char *kernel, *cpu, *version;
		int cores;
	} host;
	double build_ns, ready_ns, teardown_ns, total_ns;
	double gap_blur_ns; /* what the testbed may add to or take off a gap */
	struct measurement *measurements;
	size_t n_measurements;
	struct happening *happenings;
	size_t n_happenings;
	struct engine_fact *engines;
	size_t n_engines;
	struct link_fact *links;
	size_t n_links;
	struct judged *judged;
	size_t n_judged;
	enum verdict verdict;
	const char *why; /* invalid, skip, or a run that broke */
};

/*
 * score_judge - fill in judged[] and verdict from measurements and the
 * scenario's expectations. An invalid measurement makes its expectations
 * invalid; any fail outweighs invalid only if the failing measurement was
 * valid; a missing measurement or absent metric fails, with the reason.
 * A gap nearer to its bound than @r->gap_blur_ns is invalid: either end of it
 * may have been moved by the testbed.
 * Nothing expected: pass.
 * @a: owns judged[] and its texts.  Context: pure.
 */
void score_judge(struct result *r, struct arena *a);

/* How a run went, besides what was measured. NULL: nothing of the kind. */
struct run_end {
	bool interrupted;
	const char *relay_fault;  /* the link relay ended by itself */
	const char *engine_fault; /* another engine did */
	const char *error;	  /* it could not go on */
	const char *limit;	  /* the testbed did not keep up */
};

/*
 * score_conclude - the verdict of a run that score_judge has seen, by how it
 * ended. An engine that died is a fail, also where the run could not go on for
 * it, or the testbed was slow: no slowness makes it die. Not so once the relay
 * is gone, on which all of them live.
 * @r->why points into @end afterwards.  Context: pure.
 */
void score_conclude(struct result *r, const struct run_end *end);

struct measurement *score_find(const struct result *r, const char *name);
/*
 * score_set - set a metric by name (must be in the measurement's catalogue).
 * A number that is not finite, or a NULL text, leaves the metric absent.
 */
void score_set_num(struct measurement *m, const char *metric, double v);
void score_set_text(struct measurement *m, const char *metric, const char *v);
/* score_measurement_init - all metrics of the catalogue, absent. */
void score_measurement_init(struct measurement *m, const char *name,
			    const char *kind, const struct metric_def *defs,
			    struct arena *a);

/* ---- statistics (stats.c) ------------------------------------------------ */

double stats_median(const double *v, size_t n);
/* stats_percentile - @q in 0..1, linear interpolation; NAN when n is 0. */
double stats_percentile(const double *v, size_t n, double q);
/*
 * stats_bootstrap_median - percentile bootstrap interval of the median.
 * @level: 0.95; @seed: repeatable. n of 0 gives NAN, 1 gives the value.
 * Of more than 512 values the interval is the limit that the bootstrap tends
 * to (order statistics around the median), and @seed is not used.
 */
void stats_bootstrap_median(const double *v, size_t n, double level,
			    uint64_t seed, double *lo, double *hi);
/*
 * stats_mann_whitney - two-sided exact p, ties included (normal beyond 20 a
 * side). NAN when a side is empty. Cost: O((na + nb)^2).
 */
double stats_mann_whitney(const double *a, size_t na, const double *b,
			  size_t nb);

/* ---- constant-rate streams (outage.c), RFC 6412 terms ---------------------
 */

struct stream_arrival {
	uint32_t seq;	     /* from 0 */
	int64_t sent_ns;     /* CLOCK_MONOTONIC */
	int64_t received_ns; /* CLOCK_MONOTONIC */
};

struct stream_score {
	uint64_t sent, received, lost, duplicated, reordered;
	double longest_gap_ns; /* between received packets, less one interval;
				  a late start and a silent end count too */
	double gap_start_ns;   /* when the longest gap began, since start */
	double outage_ns;      /* loss-derived: lost / rate (RFC 6412) */
	double recovered_ns;   /* first packet sent after the gap that came:
				  when it was sent, since start; NAN: none */
	/* NAN when nothing was received */
	double latency_p50_ns, latency_p99_ns, latency_max_ns;
};

/* One direction of a stream, for drills. */
struct stream_trace {
	const struct stream_arrival *arr; /* in order of arrival */
	size_t n;
	uint64_t sent;
	double rate_pps;
	int64_t start_ns;
};

/* ---- windows of a stream (drill.c) ----------------------------------------
 */

#define DRILL_LATE_NS 500000000 /* from then on a packet is late */

struct drill_score {
	uint64_t sent, lost, duplicated, reordered, late;
	double gap_ns; /* longest time without a packet, less one interval */
	double recover_ns; /* from @from_ns to the first packet after the last
			      lost one; 0: none lost; NAN: still losing */
};

/*
 * drill_analyse - the packets of @t that were due from @from_ns to @to_ns
 * (CLOCK_MONOTONIC). @a: scratch, a byte a packet. Context: pure.
 */
void drill_analyse(const struct stream_trace *t, int64_t from_ns, int64_t to_ns,
		   struct arena *a, struct drill_score *out);

/*
 * stream_analyse - @arr in order of arrival; @sent packets numbered from 0 at
 * @rate_pps starting at @start_ns (CLOCK_MONOTONIC: when number 0 was sent).
 * Duplicates count once; numbers of @sent and above are ignored. Reordered as
 * in RFC 4737 section 3.3: below the next expected number on arrival.
 * Context: pure. Cost: about 60 passes over @arr.
 */
void stream_analyse(const struct stream_arrival *arr, size_t n, uint64_t sent,
		    double rate_pps, int64_t start_ns,
		    struct stream_score *out);

#endif
