/* SPDX-License-Identifier: MIT */
/*
 * What the benches in namespaces share: the world of bench_world.h, programs
 * in it, loads through it. One bench a process; whatever fails ends it, with
 * status 3 and nothing left behind.
 */
#ifndef TESTS_BENCH_RUN_H
#define TESTS_BENCH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "../../xlat/base/arena.h"
#include "../world/world.h"
#include "bench_world.h"

#define BENCH_MAX_ROUNDS 51

struct bench {
	const char *name; /* for messages */
	struct arena *arena;
	struct loop *loop;
	struct world *world;
	int rounds, seconds; /* of one load */
	bool offloads, want_tayga;
};

extern struct bench bench;

struct bench_tcp {
	double rate;	   /* bit/s */
	double cpu_per_gb; /* s */
};

/*
 * bench_parse - options common to all: --rounds, --seconds, --no-offloads,
 * --no-tayga, and the path of xlatd, which is returned; NULL: usage printed.
 */
const char *bench_parse(const char *name, int argc, char **argv);

/* bench_open - build the world, start iperf3 and a sink for UDP at its server.
 * bench_close - tear it down. Context: root. */
void bench_open(void);
void bench_close(void);
_Noreturn void bench_die(const char *what, const struct err *e);

/* bench_spawn - @out: a file for its standard output, or NULL. */
struct proc *bench_spawn(int node, const char *name, const char *const *argv,
			 const char *out);
/* bench_output - what a program prints that ends by itself; malloc'ed. */
char *bench_output(int node, const char *const *argv);
/* bench_put - a file in the engine's directory; its path. */
const char *bench_put(const char *name, const char *text);
/* bench_await - until @ready, or the end of patience. */
void bench_await(bool (*ready)(void *arg), void *arg, const char *what);
void bench_pause(int64_t ns);
/* bench_lead - routes at the engine; either may be NULL. */
void bench_lead(const char *dev, const char *net6, const char *net4,
		uint8_t len4);
/* bench_start_xlatd - wait for its device @dev, which @text names as well. */
struct proc *bench_start_xlatd(const char *program, const char *role,
			       const char *dev, const char *text);
/* bench_start_tayga - NULL: not installed. */
struct proc *bench_start_tayga(const char *text);

/* bench_run_tcp - cubic, to @target, or from there if @down; CPU of both ends,
 * @engine (or NULL) and the kernel's softirq threads. */
struct bench_tcp bench_run_tcp(const char *target, int streams, bool down,
			       const struct proc *engine);
/* bench_run_sender - packets/s at the server while @send runs in a process of
 * its own, on the first core, with @arg, made in the client's namespace. */
double bench_run_sender(void (*send)(int fd), int fd);
/* bench_run_udp - 64 bytes each, as fast as one core sends. */
double bench_run_udp(const char *target);
uint64_t bench_server_packets(void);
/* bench_start_sender, bench_stop_sender - as bench_run_sender, one by one. */
void bench_start_sender(void (*send)(int fd), int fd);
void bench_stop_sender(void);

/* bench_goal - "  1.23 (goal >= 1.0: met)". */
void bench_goal(double value, double want, bool at_most);
double bench_median(const double *v);
/* bench_ratio - median of the rounds' own ratios. */
double bench_ratio(const double *a, const double *b);
/* bench_show - on a terminal, what is being measured. */
void bench_show(int round, const char *what, const char *way);

#endif
