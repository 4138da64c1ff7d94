/* SPDX-License-Identifier: MIT */
/* A Jool node without a topology, for whoever wants to try the translator by
 * itself: what to spawn, and what to tell it first. */
#ifndef ENGINE_JOOL_BENCH_H
#define ENGINE_JOOL_BENCH_H

#include "../world/world.h"
#include "guest.h"

struct jool_bench {
	const char *argv[16]; /* ends with NULL; of the process in the node */
	const char *channel;
	char tool[128];	     /* path of jool or jool_siit, in the guest too */
	const char **script; /* modules, the guest's device up */
	size_t n_script;
};

/*
 * jool_bench_prepare - User Mode Linux with the modules of @tool ("jool",
 * "jool_siit"), on a tap @tap; its command channel is called @channel.
 * @a: owns what is in @out
 * -ENOENT with what is missing; -ENOTSUP where the host's own kernel has Jool.
 */
int jool_bench_prepare(const char *tool, const char *tap, const char *channel,
		       struct arena *a, struct jool_bench *out, struct err *e);
/* jool_bench_wire - the node's end @tap: up, with the address that the guest
 * takes for its router (fe80::1). The guest is fe80::2. */
int jool_bench_wire(struct world *w, int node, const char *tap, struct err *e);

#endif
