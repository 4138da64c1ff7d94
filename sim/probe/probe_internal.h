/* SPDX-License-Identifier: MIT */
/*
 * What the kinds of probes share. A kind is two halves: `struct probe_ops`
 * runs in the orchestrator, never waits and lives on callbacks of the loop;
 * a `probe_KIND_main` runs inside a node, measures, and writes one JSON object
 * to standard output, which the first half reads back in `finish`.
 */
#ifndef PROBE_PROBE_INTERNAL_H
#define PROBE_PROBE_INTERNAL_H

#include <jansson.h>

#include "probe.h"

struct probe_ops {
	/*
	 * start - spawn what measures and return at once. @p is filled in but
	 * for `deadline` and `priv`, which are set here. On failure nothing
	 * may be left running. Returns 0 or -errno.
	 */
	int (*start)(struct probe *p, struct err *e);
	/* flowing - as probe_flowing(); NULL: true from the start. Not
	 * called before `start` has set priv. */
	bool (*flowing)(const struct probe *p);
	/* counted - as probe_counted(); NULL: when it is done. */
	bool (*counted)(const struct probe *p);
	/*
	 * finish - read the raw output and set metrics, summary and series.
	 * Called once, with every process ended. @m is initialised.
	 */
	void (*finish)(struct probe *p, struct measurement *m);
};

#define PROBE_MAX_CHILDREN 8

struct probe_child {
	struct probe *probe;
	struct proc *proc; /* NULL: the place is free */
	int node;
	const char *out; /* path of its standard output */
	const char *log; /* path of its standard error */
	void (*ended)(struct probe *p, struct probe_child *c, int wstatus);
	bool in_callback; /* `ended` is running: must not be freed */
	bool released;	  /* its place may be used again */
	void *arg;	  /* the kind's */
};

struct probe {
	const struct probe_ops *ops;
	struct world *world;
	const struct plan *plan;
	const struct measure_spec *m;
	struct arena *arena;
	const char *dir;	    /* result directory */
	int from;		    /* node the measure speaks for */
	struct probe_target target; /* of m->to; node -1 for dns */
	struct mono started;	    /* may be set again when traffic begins */
	struct mono stop_at;	    /* end, also for measures without for_ns */
	struct mono deadline;	    /* killed after that */
	bool done;		    /* set by the kind; stays */
	bool over;		    /* probe_finish has begun: no callbacks */
	const char *why;	    /* what broke; NULL while all is well */
	bool spoilt;		    /* ... and it was the testbed */
	struct probe_child children[PROBE_MAX_CHILDREN];
	size_t n_children;
	void *priv;
};

/*
 * probe_spawn - start a program in @node with standard output in
 * RESULT/nodes/NODE/MEASURE[-TAG].json and the rest in ....log.
 * @argv: ends with NULL. argv[0] of PROBE_SELF starts xlatsim itself:
 *	{ PROBE_SELF, "probe", "ping", ..., NULL }
 * @tag: tells children of one probe apart; "" for the only one
 * @ended: called from the loop when it has ended, however that was; NULL:
 *	@p->done becomes true, and @p->why is set if its status was not 0
 *
 * Returns the child (killed and freed by probe_finish), or NULL with @e set.
 */
struct probe_child *
probe_spawn(struct probe *p, int node, const char *const *argv, const char *tag,
	    void (*ended)(struct probe *p, struct probe_child *c, int wstatus),
	    struct err *e);
#define PROBE_SELF "/proc/self/exe"

/* probe_release - @c's output has been read; once ended, it is forgotten. */
void probe_release(struct probe_child *c);

/* probe_break - the probe is over, and this is why (the first reason stays) */
void probe_break(struct probe *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * probe_spoil - the same, where the testbed is to blame: a helper that did not
 * start, or ended by itself. The measurement is invalid then, unless @node, in
 * which that was, is down: an event did it.
 */
void probe_spoil(struct probe *p, int node, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * probe_crashed - by @wstatus, did it end otherwise than by its own decision?
 * Halves inside nodes return 1 for what the network did to them.
 */
bool probe_crashed(int wstatus);

/*
 * probe_take_result - what @c printed, as a new reference; it becomes @m's raw
 * file. NULL: the probe is over, and p->why tells why.
 */
json_t *probe_take_result(struct probe *p, const struct probe_child *c,
			  struct measurement *m);

/* probe_raw_file - a path of this result, relative to its directory */
const char *probe_raw_file(const struct probe *p, const char *path);

/* probe_length_ns - length of the traffic: for_ns, or what stop_at leaves */
int64_t probe_length_ns(const struct probe *p);

/*
 * probe_resolve_family - probe_resolve for a measure that wants @family (0, 4
 * or 6): a node's name becomes its address of that family.
 */
int probe_resolve_family(const struct plan *p, const char *to, int family,
			 struct probe_target *t, struct err *e);

/* probe_family_word - "0", "4" or "6": what halves inside nodes are given. */
const char *probe_family_word(const struct probe *p);

/* ---- kinds -----------------------------------------------------------------
 */

extern const struct probe_ops probe_dns_ops, probe_ping_ops, probe_iperf3_ops,
	probe_throughput_ops, probe_stream_ops, probe_sessions_ops,
	probe_resolver_ops, probe_tls_ops, probe_flood_ops,
	probe_connections_ops, probe_traceroute_ops;

/* The halves inside nodes; argv[0] is the kind. Return an exit status. */
int probe_dns_main(int argc, char **argv);
int probe_ping_main(int argc, char **argv);
int probe_stream_main(int argc, char **argv);
int probe_sessions_main(int argc, char **argv);
int probe_resolver_main(int argc, char **argv);
int probe_tls_main(int argc, char **argv);
int probe_flood_main(int argc, char **argv);
int probe_connections_main(int argc, char **argv);
int probe_traceroute_main(int argc, char **argv);
int probe_capture_main(int argc, char **argv);

#endif
