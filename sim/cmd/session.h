/* SPDX-License-Identifier: MIT */
/* One scenario from its file to its result. */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "../../xlat/base/loop.h"
#include "../report/report.h"
#include "../score/score.h"

struct session_opts {
	const char *out; /* results go to OUT/SCENARIO/TIME; "results" */
	uint64_t seed;
	bool keep; /* keep the world until the loop is stopped */
	struct progress *progress;
	struct loop *loop; /* stopped by signals */
};

/*
 * session_run - build the world, play @s, score, tear down, write results.
 * @a: owns the result
 *
 * Always returns a result: what kept it from a verdict is in its `why`, and
 * its verdict is VERDICT_INVALID then. Only a result directory that cannot be
 * made gives NULL with @e set. Context: root.
 */
struct result *session_run(const struct scenario *s,
			   const struct session_opts *o, struct arena *a,
			   struct err *e);

#endif
