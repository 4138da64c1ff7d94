/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder only. */
#ifndef TIMELINE_TIMELINE_INTERNAL_H
#define TIMELINE_TIMELINE_INTERNAL_H

#include "timeline.h"

/* timeline_happened - put a line on the record; @late_ns 0 if unscheduled. */
void timeline_happened(struct timeline *t, struct mono zero, struct mono when,
		       double late_ns, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

/* ---- sessions that the PLATs hold -----------------------------------------
 */

struct census;

/* census_new - in the run's arena; nobody is asked yet. */
struct census *census_new(struct timeline *t);
/* census_ask - every PLAT that owes no answer; the loop reads it. */
void census_ask(struct census *c);
/* census_end - give up what is still asked. */
void census_end(struct census *c);
/* census_at - the last word of PLAT @node until @when; false: none. */
bool census_at(const struct census *c, int node, struct mono when, double *out);
/* census_picture - of PLAT @node, since the start; false: never heard. */
bool census_picture(const struct census *c, int node, struct series *out);

/* ---- drills: events that have a name --------------------------------------
 */

#define IFNAME_LEN 16

struct drills;

struct drills *drills_new(struct timeline *t);
/* drills_begin - @ev is being carried out; only one with a name counts. */
void drills_begin(struct drills *d, const struct event_spec *ev,
		  struct mono at);
/* drills_news - a route to pool6 or pool4 changed somewhere. */
void drills_news(struct drills *d, const struct route_news *n);
/* drills_sample - now and then: who sends how much to whom. */
void drills_sample(struct drills *d);
/* drills_stop - nothing more is written down. */
void drills_stop(struct drills *d);
/* drills_finish - a measurement for each, from all streams on record. The
 * first has the pictures: sessions, and what went to which PLAT. */
void drills_finish(struct drills *d, struct mono end);

/* ---- diagnoses: transfers, and why they were as fast as they were ---------
 */

/* superpackets.c: at the PLATs */
enum superpacket_side {
	SUPERPACKETS_ACCESS, /* their interfaces to the access router */
	SUPERPACKETS_BORDER,
	SUPERPACKETS_ENGINE, /* what the engine is handed and gives */
	SUPERPACKET_SIDES
};

struct superpackets;

/* superpackets_watch - count from now on; superpackets_stop - to be called, and
 * may be called again. What cannot be opened is not counted. */
struct superpackets *superpackets_watch(struct timeline *t);
void superpackets_stop(struct superpackets *s);
/* superpackets_share - frames above 1500 bytes, of all above 1000; NAN: none.
 */
double superpackets_share(const struct superpackets *s,
			  enum superpacket_side side);

/* superpackets_bytes - mean of a sample of those above 1500; NAN: none. */
double superpackets_bytes(const struct superpackets *s,
			  enum superpacket_side side);

struct diagnosis_run;

/* diagnosis_begin - look at all counters, before @m starts. */
struct diagnosis_run *diagnosis_begin(struct timeline *t,
				      const struct measure_spec *m);
/* diagnosis_end - look again; only the first call counts. */
void diagnosis_end(struct diagnosis_run *d);
/* diagnosis_finish - put what follows beside the transfer's metrics in @m. */
void diagnosis_finish(struct diagnosis_run *d, struct measurement *m);

/* event_run - carry out one `do:` event now. Its errors begin with FILE:LINE.
 * Context: root. */
int event_run(struct timeline *t, const struct event_spec *ev, struct err *e);
/* events_forget - what goes on by itself, such as a cluster's restart, ends. */
void events_forget(struct timeline *t);

/* event_text - "engine-kill plat1", for people. */
const char *event_text(const struct event_spec *ev, char *buf, size_t len);

/* ---- awaits: conditions whose first success is timed --------------------- */

struct await;

/* await_start - begin to watch for @ev's condition, true from now on. */
int await_start(struct timeline *t, const struct event_spec *ev,
		struct mono zero, struct await **out, struct err *e);
/* await_news - something about @node's routes changed: look again. */
void await_news(struct await *a, int node, struct mono when);
/* await_done - reached or too late; asks again when an echo was lost. */
bool await_done(struct await *a);
/* await_finish - put the result on record; stops what still runs. */
void await_finish(struct await *a);

#endif
