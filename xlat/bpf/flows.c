/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A flow is one direction of a session that the kernel was told of. Its record
 * here lets the end of a session find out at once whether it concerns one, and
 * a walk over the records ask the kernel when each was used, so that the daemon
 * prolongs the session as a packet would. What is full takes no more flows: a
 * map that drops the least recently used one would lose when that was.
 *
 * Records lie without gaps, in no order; `slots` finds them by what a packet
 * has, with open addressing at a load of a half at most.
 *
 * Cost: two system calls in the life of a flow, and one a second.
 */
#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath_internal.h"

#define WORTH	8 /* packets of a flow before it is offered */
#define FLOWS	(2 * FAST_FLOWS)
#define SLOTS	(2 * FLOWS) /* a power of two */
#define IDLE_NS (60 * NS_PER_S)
#define WALKS	(FASTPATH_WALK_NS / FASTPATH_TEND_NS) /* to see all */

struct flow {
	struct fastpath_flow ends;
	bool from6;
	uint64_t used_ns; /* as the kernel had it last */
	int64_t since_ns; /* that it has been so */
};

bool flows_init(struct fastpath *f)
{
	f->flows = calloc(FLOWS, sizeof(*f->flows));
	f->slots = calloc(SLOTS, sizeof(*f->slots));
	return f->flows && f->slots;
}

void flows_fini(struct fastpath *f)
{
	free(f->flows);
	free(f->slots);
}

static struct fast_flow6 key6(const struct fastpath_flow *x)
{
	struct fast_flow6 k = {
		.sport = x->src6_port, .dport = x->dst_port, .proto = x->proto};

	memcpy(k.pair.src, &x->src6, sizeof(k.pair.src));
	memcpy(k.pair.dst, &x->dst6, sizeof(k.pair.dst));
	return k;
}

static struct fast_flow4 key4(const struct fastpath_flow *x)
{
	return (struct fast_flow4){{x->dst4.s_addr, x->src4.s_addr},
				   x->dst_port,
				   x->src4_port,
				   x->proto};
}

/* By what a packet of that direction has. */
static uint64_t flow_hash(const struct fastpath *f,
			  const struct fastpath_flow *x, bool from6)
{
	struct fast_flow6 k6 = key6(x);
	struct fast_flow4 k4 = key4(x);

	return from6 ? fast_hash(f, &k6, sizeof(k6))
		     : fast_hash(f, &k4, sizeof(k4));
}

static bool same_flow(const struct fastpath_flow *a,
		      const struct fastpath_flow *b)
{
	return a->proto == b->proto && a->src6_port == b->src6_port &&
	       a->src4_port == b->src4_port && a->dst_port == b->dst_port &&
	       a->src4.s_addr == b->src4.s_addr &&
	       a->dst4.s_addr == b->dst4.s_addr &&
	       !memcmp(&a->src6, &b->src6, sizeof(a->src6)) &&
	       !memcmp(&a->dst6, &b->dst6, sizeof(a->dst6));
}

/* The slot of its record, or the free one where it would go. */
static uint32_t find_slot(const struct fastpath *f,
			  const struct fastpath_flow *x, bool from6)
{
	uint32_t s = (uint32_t)flow_hash(f, x, from6) & (SLOTS - 1);

	for (; f->slots[s]; s = (s + 1) & (SLOTS - 1)) {
		const struct flow *y = &f->flows[f->slots[s] - 1];

		if (y->from6 == from6 && same_flow(&y->ends, x))
			break;
	}
	return s;
}

/* Open addressing: what follows without a gap may have to move up. */
static void free_slot(struct fastpath *f, uint32_t s)
{
	uint32_t next = s;

	f->slots[s] = 0;
	while (next = (next + 1) & (SLOTS - 1), f->slots[next]) {
		const struct flow *y = &f->flows[f->slots[next] - 1];
		uint32_t home = (uint32_t)flow_hash(f, &y->ends, y->from6) &
				(SLOTS - 1);

		if (((next - home) & (SLOTS - 1)) < ((next - s) & (SLOTS - 1)))
			continue;
		f->slots[s] = f->slots[next];
		f->slots[next] = 0;
		s = next;
	}
}

static void kernel_forget(const struct fastpath *f, const struct flow *x)
{
	struct fast_flow6 k6 = key6(&x->ends);
	struct fast_flow4 k4 = key4(&x->ends);

	if (x->from6)
		bpf_map_delete_elem(f->flows6, &k6);
	else
		bpf_map_delete_elem(f->flows4, &k4);
}

/* The last record takes its place. */
static void del_flow(struct fastpath *f, uint32_t i)
{
	uint32_t last = f->n_flows - 1, s;

	kernel_forget(f, &f->flows[i]);
	free_slot(f, find_slot(f, &f->flows[i].ends, f->flows[i].from6));
	if (i != last) {
		s = find_slot(f, &f->flows[last].ends, f->flows[last].from6);
		f->slots[s] = i + 1;
		f->flows[i] = f->flows[last];
	}
	f->n_flows--;
}

static bool kernel_learn(const struct fastpath *f, const struct flow *x)
{
	const struct fastpath_flow *e = &x->ends;
	struct fast_flow6 k6 = key6(e);
	struct fast_flow4 k4 = key4(e);
	struct fast_flow_to4 v4 = {{e->src4.s_addr, e->dst4.s_addr},
				   f->cfg.generation,
				   e->src4_port,
				   0,
				   0};
	struct fast_flow_to6 v6 = {.generation = f->cfg.generation,
				   .port = e->src6_port};

	memcpy(v6.to.src, &e->dst6, sizeof(v6.to.src));
	memcpy(v6.to.dst, &e->src6, sizeof(v6.to.dst));
	return x->from6 ? !bpf_map_update_elem(f->flows6, &k6, &v4, BPF_ANY)
			: !bpf_map_update_elem(f->flows4, &k4, &v6, BPF_ANY);
}

void fastpath_tell_flow(struct fastpath *f, const struct fastpath_flow *x,
			bool from6, struct mono now)
{
	uint32_t s = find_slot(f, x, from6);
	struct flow *y = &f->flows[f->n_flows];

	if (f->slots[s])
		return;
	if (f->n_flows == FLOWS) {
		f->full++;
		return;
	}
	*y = (struct flow){*x, from6, 0, now.ns};
	if (!kernel_learn(f, y)) {
		f->full++;
		return;
	}
	f->slots[s] = ++f->n_flows;
	f->offered++;
}

bool fastpath_wants_flow(struct fastpath *f, const struct fastpath_flow *x,
			 bool from6, bool bulk, struct mono now)
{
	uint64_t key = flow_hash(f, x, from6);
	struct offer *o = &f->lately[key & (LATELY - 1)];

	if (now.ns < f->quiet_until)
		return false;
	if (o->key != key || o->generation != f->cfg.generation ||
	    now.ns - o->ns > AGAIN_NS)
		*o = (struct offer){key, now.ns, f->cfg.generation, 0};
	if (++o->packets < WORTH && !bulk)
		return false;
	o->packets = 0;
	if (f->slots[find_slot(f, x, from6)])
		return false;
	if (ratelimit_allow(&f->rate, now.ns))
		return true;
	f->limited++;
	return false;
}

void fastpath_withdraw_flow(struct fastpath *f, const struct fastpath_flow *x)
{
	for (int from6 = 0; from6 < 2 && f->n_flows; from6++) {
		uint32_t s = find_slot(f, x, from6);

		if (f->slots[s])
			del_flow(f, f->slots[s] - 1);
	}
}

/* When the kernel used it last; 0: never, or it has forgotten it. */
static uint64_t kernel_used(const struct fastpath *f, const struct flow *x)
{
	struct fast_flow6 k6 = key6(&x->ends);
	struct fast_flow4 k4 = key4(&x->ends);
	struct fast_flow_to4 v4;
	struct fast_flow_to6 v6;

	if (x->from6)
		return bpf_map_lookup_elem(f->flows6, &k6, &v4) ? 0
								: v4.used_ns;
	return bpf_map_lookup_elem(f->flows4, &k4, &v6) ? 0 : v6.used_ns;
}

void fastpath_walk(struct fastpath *f, struct mono now, fastpath_walk_fn *fn,
		   void *arg)
{
	uint32_t part = f->n_flows / WALKS + 1;

	for (uint32_t n = 0; n < part && f->n_flows; n++) {
		struct flow *x;
		uint64_t used;
		bool keep;

		if (f->walked >= f->n_flows)
			f->walked = 0;
		x = &f->flows[f->walked];
		used = kernel_used(f, x);
		keep = used != x->used_ns ? fn(arg, &x->ends, x->from6)
					  : now.ns - x->since_ns < IDLE_NS;
		if (!keep) {
			del_flow(f, f->walked);
			continue;
		}
		if (used != x->used_ns)
			x->since_ns = now.ns;
		x->used_ns = used;
		f->walked++;
	}
}

void flows_forget(struct fastpath *f)
{
	for (uint32_t i = 0; i < f->n_flows; i++)
		kernel_forget(f, &f->flows[i]);
	f->n_flows = 0;
	if (f->slots)
		memset(f->slots, 0, SLOTS * sizeof(*f->slots));
}
