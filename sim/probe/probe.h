/* SPDX-License-Identifier: MIT */
/*
 * Probes measure. Each runs as processes inside the nodes it speaks for; the
 * orchestrator only starts them, waits in its loop, and reads what they wrote.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "../score/score.h"
#include "../world/world.h"

struct probe; /* a measurement under way */

/* A destination worked out: the node that owns it and how it is reached. */
struct probe_target {
	int node;	  /* -1: not one of ours (e.g. 64:ff9b:: literal) */
	const char *text; /* what the client is given: name or literal */
	int family;	  /* 0: whatever the name resolves to */
};

/* probe_resolve - @to is a name, an address literal or a node's name. */
int probe_resolve(const struct plan *p, const char *to, struct probe_target *t,
		  struct err *e);

/*
 * probe_start - begin measure @m in world @w.
 * @stop_at: when an open-ended measure (for_ns 0) has to end
 * @dir: folder for raw output (exists)
 * Returns 0 with *@out, or -errno. Context: root.
 */
int probe_start(struct world *w, const struct measure_spec *m,
		struct mono stop_at, const char *dir, struct arena *a,
		struct probe **out, struct err *e);

/* probe_flowing - traffic has been seen (streams: both ways); others: true */
bool probe_flowing(const struct probe *p);
bool probe_done(const struct probe *p);
/* probe_counted - what a diagnosis counts around is over, though the measure
 * itself may go on. */
bool probe_counted(const struct probe *p);
/* probe_started - when its traffic began: zero of its series. */
struct mono probe_started(const struct probe *p);
/* probe_deadline - by when it must be done, with grace. */
struct mono probe_deadline(const struct probe *p);

/*
 * probe_finish - collect; kills what still runs. Fills @m (initialised by it).
 * A probe that broke yields metrics that are absent and @m->why.
 */
void probe_finish(struct probe *p, struct measurement *m);

/* ---- captures ------------------------------------------------------------ */

struct capture;
int capture_start(struct world *w, const struct capture_spec *c,
		  const char *dir, struct arena *a, struct capture **out,
		  struct err *e);
/* capture_stop - returns packets written. */
uint64_t capture_stop(struct capture *c);

/*
 * probe_main - what runs inside a node: `xlatsim probe KIND ...`; argv[0] is
 * the kind. Returns an exit status.
 */
int probe_main(int argc, char **argv);

#endif
