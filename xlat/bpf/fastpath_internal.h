/* SPDX-License-Identifier: MIT */
/* Private to fastpath.c and flows.c: the daemon's side of the fast path. */
#ifndef BPF_FASTPATH_INTERNAL_H
#define BPF_FASTPATH_INTERNAL_H

#include <string.h>

#include "../core/ratelimit.h"
#include "fast.h"
#include "fastpath.h"

#define LATELY	 4096 /* offers that are remembered; a power of two */
#define AGAIN_NS NS_PER_S

struct offer {
	uint64_t key; /* hash of the pair */
	int64_t ns;
	uint32_t generation;
	uint32_t packets; /* of a flow, since ns */
};

struct flow;

struct fastpath {
	struct bpf_object *object;
	int config, pairs6, pairs4, flows6, flows4, counts, program;
	struct fast_cfg cfg;
	const char *const *names; /* of interfaces; the caller's */
	size_t n_names;
	unsigned int
		attached[FASTPATH_INTERFACES]; /* index; 0: it is not there */
	uint32_t handle; /* of our filter among those of our priority */
	struct offer *lately;
	struct ratelimit rate;
	uint64_t seed;
	uint64_t offered, limited, full;
	struct flow *flows;
	uint32_t n_flows, walked;
	uint32_t *slots;     /* index of a flow + 1, by hash; 0: free */
	int watch;	     /* netlink */
	int64_t quiet_until; /* nothing is offered before */
};

/* Seeded: who could choose where it goes would make it slow. */
static inline uint64_t fast_hash(const struct fastpath *f, const void *data,
				 size_t len)
{
	const uint8_t *p = data;
	uint64_t h = f->seed, w;

	for (size_t i = 0; i < len; i += sizeof(w)) {
		memcpy(&w, p + i, sizeof(w));
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
	}
	return h;
}

/* ---- flows.c --------------------------------------------------------------
 */

/* flows_init - room for records; false when there is no memory. */
bool flows_init(struct fastpath *f);
/* flows_forget - all of them, here and in the kernel. */
void flows_forget(struct fastpath *f);
void flows_fini(struct fastpath *f);

#endif
