/* SPDX-License-Identifier: MIT */
/*
 * What happens when: measures one after the other, then measures and events
 * together on a common time line whose zero is when traffic flows.
 */
#ifndef TIMELINE_TIMELINE_H
#define TIMELINE_TIMELINE_H

#include "../engine/engine.h"
#include "../probe/probe.h"
#include "../score/score.h"
#include "../world/world.h"

struct timeline {
	struct world *world;
	struct engines *engines;
	const struct scenario *scenario;
	struct result *result; /* measurements and happenings go here */
	struct arena *arena;   /* the run's */
	/* note: a line that people should see; tick: progress of a stage */
	void (*note)(void *arg, const char *text);
	void (*stage)(void *arg, const char *text);
	void (*tick)(void *arg, double done_ns, double total_ns);
	void *arg;
	/* while playing, for events that go on by themselves */
	struct mono zero;	  /* when traffic began to flow */
	const char **hosts;	  /* by node: the machine it runs on */
	struct revival *revivals; /* nodes that a cluster will start again */
	bool over;
	const char *broken; /* what one of them could not do; NULL: nothing */
	/* found while playing */
	double late_max_ns; /* of any event */
};

/*
 * timeline_measure - the measures @v of phase @phase ("before", "after"), one
 * after the other, each alone.
 * Returns 0; -EINTR when the loop was stopped; other -errno with @e when a
 * measure could not even be started. Context: root.
 */
int timeline_measure(struct timeline *t, const struct measure_spec *v, size_t n,
		     const char *phase, struct err *e);

/*
 * timeline_play - the scenario's `measure:` and `events:` together.
 * Time zero is the moment when every stream has been seen at both ends.
 * Returns as timeline_measure does; an event that cannot be carried out is an
 * error, not a result.
 */
int timeline_play(struct timeline *t, struct err *e);

#endif
