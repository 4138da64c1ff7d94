/* SPDX-License-Identifier: MIT */
/* How a half inside a node tells that its traffic flows: a FIFO. */
#ifndef PROBE_FLOW_H
#define PROBE_FLOW_H

#include "probe_internal.h"

struct probe_flow {
	const char *fifo; /* path; the half inside writes "flowing START_NS" */
	int fd;
	struct loop_source *source;
	bool flowing;	 /* then probe->started is when that was */
	int64_t tail_ns; /* from there to the deadline */
};

/* flow_open - 0, or -errno with @e. @tail_ns: set the deadline so long after
 * the start. Must be closed in either case. */
int flow_open(struct probe *p, struct probe_flow *f, int64_t tail_ns,
	      struct err *e);
void flow_close(struct probe *p, struct probe_flow *f);

#endif
