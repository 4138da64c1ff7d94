/* SPDX-License-Identifier: MIT */
/* A wire inside a node: from its kernel to an engine that takes frames. */
#ifndef ENGINE_PAIR_H
#define ENGINE_PAIR_H

#include "../world/world.h"

/* The engine's end. */
#define PAIR_FAR "vm"

enum pair_kind {
	PAIR_LOSSY = 1,	 /* frames are cut and summed up going in, and merged
			    on arrival (GRO): for an end without metadata */
	PAIR_NOARP = 2,	 /* the engine knows no neighbours */
	PAIR_RAISED = 4, /* the near end as well */
};

/*
 * pair_add - @near and PAIR_FAR as the two ends of a wire in @node, the far
 * one up and unknown to IPv6.
 * @kind: bits of enum pair_kind
 */
int pair_add(struct world *w, int node, const char *near, unsigned int kind,
	     struct err *e);
/* pair_del - with both ends; none is fine. */
void pair_del(struct world *w, int node, const char *near);

/* pair_raise - device @dev of this namespace up, with more flags (IFF_*). */
int pair_raise(const char *dev, int flags, struct err *e);

#endif
