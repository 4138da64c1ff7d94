/* SPDX-License-Identifier: MIT */
/* Facts about this machine. */
#ifndef CMD_HOST_H
#define CMD_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "../../xlat/base/arena.h"
#include "../score/score.h"

/* host_describe - kernel, CPU, cores, our version, into @r->host. */
void host_describe(struct result *r, struct arena *a);

/* CPU time of the whole machine since boot, in clock ticks. */
struct host_cpu {
	uint64_t busy, total;
};
/* host_cpu_read - from /proc/stat; zeros when it cannot be read. */
struct host_cpu host_cpu_read(void);
/* host_cpu_share - busy share 0..1 between two readings; 0 if none passed. */
double host_cpu_share(struct host_cpu from, struct host_cpu to);

#endif
