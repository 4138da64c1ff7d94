/* SPDX-License-Identifier: MIT */
/*
 * Was the testbed itself good enough? A run that the relay, the timeline or
 * the machine limited gives no verdict about the engines.
 */
#ifndef CMD_TESTBED_H
#define CMD_TESTBED_H

#include "../engine/engine.h"
#include "../score/score.h"
#include "host.h"

struct testbed {
	bool measured;
	struct host_cpu cpu_begin, cpu_end;
	double event_late_max_ns;
	bool relay;	   /* there is one, and it answered */
	bool relay_silent; /* there is one, and it did not */
	double relay_cpu;  /* share of one core in its busiest second */
	struct proc *relay_proc;
	struct loop *loop;
	struct loop_source *sampler;
	struct mono sampled; /* when, and how much CPU time it had used */
	int64_t sampled_cpu_ns;
	double relay_late_p99_ns, relay_late_max_ns;
	uint64_t relay_overruns; /* packets that came faster than it read */
};

/*
 * testbed_begin - from here on the testbed is watched; @tb must stay where it
 * is until testbed_end, which is safe to call twice.
 */
void testbed_begin(struct testbed *tb, struct engines *es, struct loop *loop);
void testbed_end(struct testbed *tb, struct engines *es,
		 double event_late_max_ns);

/*
 * testbed_record - append the measurement `testbed` to @r.
 * @relay_fault: how the link relay ended by itself; NULL: it lived
 * Returns why the run is invalid, or NULL when the testbed kept up.
 */
const char *testbed_record(const struct testbed *tb, const char *relay_fault,
			   struct result *r, const struct scenario *s,
			   struct arena *a);

#endif
