/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../base/log.h"
#include "../base/rng.h"
#include "../io/io.h"
#include "memory.h"

#define ICMP_BURST  50
#define PROBE_BURST 50

/* Entries, then the nodes of both tries, in one piece of memory. */
static int build_eam(const struct config *c, struct eam_table *t, void **mem,
		     struct err *e)
{
	size_t n = c->n_eams, nodes = EAM_NODES(n);
	struct eam_entry *entries;
	struct lpm_node *n4, *n6;

	*mem = calloc(1, n * sizeof(*entries) + 2 * nodes * sizeof(*n4) + 64);
	if (!*mem)
		return err_set(e, ENOMEM, "out of memory");
	n4 = *mem;
	n6 = n4 + nodes;
	entries = (struct eam_entry *)(n6 + nodes);
	eam_init(t, entries, (uint32_t)n, n4, n6);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_LEN];
		int ret = eam_add(t, &c->eams[i].p4, &c->eams[i].p6);

		if (ret) {
			free(*mem);
			*mem = NULL;
			return err_set(e, -ret, "mapping of %s: %s",
				       prefix4_format(&c->eams[i].p4, text),
				       strerror(-ret));
		}
	}
	return 0;
}

/* ---- tables of a PLAT -----------------------------------------------------
 */

static int add_statics(struct nat64 *n, const struct config *c, struct err *e)
{
	for (size_t i = 0; i < c->n_statics; i++) {
		const struct config_static *s = &c->statics[i];
		int ret = nat64_add_static(n, s->proto, &s->src6,
					   htons(s->src6_port), s->src4,
					   htons(s->src4_port));

		if (ret)
			return err_set(
				e, -ret, "%s:%u:%u: static entry: %s",
				s->pos.file, s->pos.line, s->pos.column,
				ret == -ENOENT
					? "address or port is not in pool4"
				: ret == -EEXIST ? "either side is taken"
						 : strerror(-ret));
	}
	return 0;
}

/* Fresh tables with their static entries, in s->tables and s->path.nat64. On
 * failure s->tables is whatever there is to free. */
static int make_tables(struct setup *s, const struct config *c, struct mono now,
		       struct err *e)
{
	struct nat64_cfg n;
	int ret;

	nat64_cfg_init(&n);
	n.pool4 = c->pool4;
	n.n_pool4 = (uint32_t)c->n_pool4;
	n.max_sessions = n.max_bibs = (uint32_t)c->sessions;
	n.addr_dependent = c->addr_dependent;
	n.subscriber_len = (uint8_t)c->subscriber_len;
	n.limit_sessions = (uint32_t)c->limit_sessions;
	n.limit_ports = (uint32_t)c->limit_ports;
	n.limit_rate = (uint32_t)c->limit_rate;
	n.blocks = c->blocks;
	n.timers = c->timers;
	n.seed[0] = s->seed[0];
	n.seed[1] = s->seed[1];
	s->tables_bytes = nat64_memory(&n);
	/* random access over many pages */
	s->tables = memory_map(s->tables_bytes, true);
	if (!s->tables) {
		ret = errno;
		return err_set(e, ret, "%zu bytes for %lld sessions: %s",
			       s->tables_bytes, (long long)c->sessions,
			       strerror(ret));
	}
	s->path.nat64 = nat64_init(s->tables, &n, now);
	if (!s->path.nat64)
		return err_set(e, EINVAL, "pool4 cannot be used");
	return add_statics(s->path.nat64, c, e);
}

/* Sessions move to tables as @c wants them; @was: the configuration so far. */
static int change_tables(struct setup *s, const struct config *was,
			 const struct config *c, struct mono now, struct err *e)
{
	struct setup next = {.seed = {s->seed[0], s->seed[1]}};
	uint64_t dropped;
	int ret = make_tables(&next, c, now, e);

	if (ret) {
		memory_unmap(next.tables, next.tables_bytes);
		return ret;
	}
	for (size_t i = 0; i < was->n_statics; i++) {
		const struct config_static *x = &was->statics[i];

		if (!config_has_static(c, x))
			nat64_del_static(s->path.nat64, x->proto, &x->src6,
					 htons(x->src6_port), x->src4,
					 htons(x->src4_port));
	}
	dropped = nat64_migrate(next.path.nat64, s->path.nat64, now);
	memory_unmap(s->tables, s->tables_bytes);
	s->tables = next.tables;
	s->tables_bytes = next.tables_bytes;
	s->path.nat64 = next.path.nat64;
	if (dropped)
		log_warn("%llu sessions ended: they do not fit any more",
			 (unsigned long long)dropped);
	return 0;
}

int setup_apply(struct setup *s, const struct config *was,
		const struct config *c, struct mono now, struct err *e)
{
	struct path *p = &s->path;
	struct eam_table eam;
	void *mem;
	int ret = build_eam(c, &eam, &mem, e);

	if (ret)
		return ret;
	if (was && p->nat64 && !config_same_tables(was, c))
		ret = change_tables(s, was, c, now, e);
	if (ret) {
		free(mem);
		return ret;
	}
	free(s->eam);
	s->eam = mem;
	p->map.eam = eam;
	p->map.has_pref64 = c->has_pref64;
	p->map.pref64 = c->pref64;
	p->map.wkp_strict = !c->allow_private;
	p->map.hairpin = (uint8_t)c->hairpin;
	p->map.pool6791 = c->pool6791;
	p->map.error6 = c->self6;
	p->xlat.tell_source = c->tell_source;
	p->pool6 = c->pref64;
	p->allow_private = c->allow_private;
	p->mss = (uint32_t)c->mss;
	p->xlat.mtu4 = (uint32_t)c->mtu4;
	p->xlat.mtu6 = (uint32_t)c->mtu6;
	p->xlat.lowest_mtu6 = (uint32_t)c->lowest_mtu6;
	p->xlat.set_tos = !c->copy_tc || c->tos >= 0;
	p->xlat.tos = (uint8_t)(c->tos >= 0 ? c->tos : 0);
	p->xlat.zero_tc = !c->copy_tc;
	p->xlat.udp_zero = (uint8_t)c->udp_zero;
	p->xlat.self4 = c->self4;
	p->xlat.self6 = c->self6;
	if (c->self6_dropped)
		log_warn("a CLAT drops our ICMPv6 errors: `pool4` is not "
			 "global (RFC 6052 section 3.1); give `icmp-source6`");
	ratelimit_init(&p->icmp, (uint32_t)c->icmp_rate_pps, ICMP_BURST,
		       now.ns);
	ratelimit_init(&p->icmp_mtu, (uint32_t)c->icmp_rate_pps, ICMP_BURST,
		       now.ns);
	ratelimit_init(&p->probes, (uint32_t)c->probe_rate_pps, PROBE_BURST,
		       now.ns);
	if (p->nat64) {
		nat64_set_timers(p->nat64, &c->timers);
		nat64_set_limits(p->nat64, (uint32_t)c->limit_sessions,
				 (uint32_t)c->limit_ports,
				 (uint32_t)c->limit_rate);
	}
	if (p->frags)
		p->frags->life_ns = c->fragment_ns;
	if (s->changed)
		s->changed(s->changed_arg);
	return 0;
}

static int init_plat(struct setup *s, const struct config *c, struct mono now,
		     struct err *e)
{
	int ret = make_tables(s, c, now, e);

	if (ret)
		return ret;
	s->frags = malloc(sizeof(*s->frags));
	if (!s->frags)
		return err_set(e, ENOMEM, "out of memory");
	nat64_frags_init(s->frags, s->seed[1]);
	s->frags->life_ns = c->fragment_ns;
	s->path.frags = s->frags;
	s->held = malloc(sizeof(*s->held));
	s->again = malloc(IO_BUFFER_BYTES);
	s->gather = malloc(sizeof(*s->gather));
	if (!s->held || !s->again || !s->gather)
		return err_set(e, ENOMEM, "out of memory");
	nat64_gather_init(s->gather);
	s->path.gather = s->gather;
	nat64_held_init(s->held, s->seed[1]);
	s->path.held = s->held;
	s->path.again = s->again;
	path_watch_idle(&s->path);
	if (c->store_syns) {
		s->syns = malloc(sizeof(*s->syns));
		if (!s->syns)
			return err_set(e, ENOMEM, "out of memory");
		nat64_syns_init(s->syns, s->seed[0]);
		s->path.syns = s->syns;
	}
	return 0;
}

int setup_init(struct setup *s, const struct config *c, struct mono now,
	       struct err *e)
{
	int ret;

	if (c->has_seed) {
		struct rng r;

		rng_init(&r, (uint64_t)c->seed);
		for (int i = 0; i < 3; i++)
			s->seed[i] = rng_next(&r);
	} else if (getrandom(s->seed, sizeof(s->seed), 0) != sizeof(s->seed)) {
		return err_set(e, errno, "getrandom: %s", strerror(errno));
	}
	s->fragment = malloc(IO_BUFFER_BYTES);
	if (!s->fragment)
		return err_set(e, ENOMEM, "out of memory");
	path_init(&s->path, c->role, s->fragment, (uint16_t)s->seed[2]);
	ret = setup_apply(s, NULL, c, now, e);
	if (!ret && c->role == ROLE_PLAT)
		ret = init_plat(s, c, now, e);
	if (ret)
		setup_fini(s);
	return ret;
}

void setup_fini(struct setup *s)
{
	memory_unmap(s->tables, s->tables_bytes);
	free(s->eam);
	free(s->fragment);
	free(s->frags);
	free(s->held);
	free(s->gather);
	free(s->again);
	free(s->syns);
	*s = (struct setup){0};
}
