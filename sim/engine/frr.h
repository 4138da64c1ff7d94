/* SPDX-License-Identifier: MIT */
/* Inside FRR's engine: which links take part, and what the files say. */
#ifndef ENGINE_FRR_H
#define ENGINE_FRR_H

#include "engine_internal.h"

struct ospf_link {
	const struct plan_iface *near, *far;
	bool has4;
	size_t index; /* in the plan */
};

/* What events changed: it outlives the daemons, as a saved configuration. */
struct frr {
	int64_t *cost4, *cost6; /* by link of the plan */
	bool spawned;		/* all daemons, by this start */
	int asked;		/* steps since */
	int renewing;		/* stage of a graceful restart */
};

/* frr_cost_of - what the topology lets @l cost. */
int64_t frr_cost_of(const struct plan *p, const struct plan_link *l);
/* frr_link - the @i-th link of the plan, if it leads from @node to another
 * router. */
bool frr_link(const struct plan *p, int node, size_t i, struct ospf_link *out);
/* Which daemons a node has beside zebra and ospf6d. */
bool frr_has_ospf4(const struct engine *en);
bool frr_has_static(const struct engine *en);
bool frr_has_bfd(const struct engine *en);

/* frr_write - every daemon's configuration, with the costs of @en's state,
 * into the node's directory. */
int frr_write(struct engine *en, struct err *e);

#endif
