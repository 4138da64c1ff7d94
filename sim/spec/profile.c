/* SPDX-License-Identifier: MIT */
/* Link profiles: impairments by direction, MTU, offloads. */
#include "spec_internal.h"

#include <stddef.h>
#include <string.h>

#include "../../xlat/base/clock.h"

#define MTU_DEFAULT   1500
#define MTU_MIN4      68   /* RFC 791 */
#define MTU_MIN6      1280 /* RFC 8200 section 5 */
#define BURST_DEFAULT 65536
#define QUEUE_DEFAULT (50.0 * NS_PER_MS)
#define DELAY_MAX     (10.0 * NS_PER_S)

static const char *const offload_words[] = {
	[OFFLOAD_KEEP] = "keep",
	[OFFLOAD_ON] = "on",
	[OFFLOAD_OFF] = "off",
	[OFFLOAD_OFF + 1] = NULL,
};

#define OFFLOAD(word, member)                                                  \
	{                                                                      \
		.key = word, .type = YF_ENUM, .words = offload_words,          \
		.offset = offsetof(struct offloads, member)                    \
	}

const struct yfield offload_fields[] = {
	OFFLOAD("tso", tso),
	OFFLOAD("gso", gso),
	OFFLOAD("gro", gro),
	OFFLOAD("tx-checksum", tx_checksum),
	OFFLOAD("rx-checksum", rx_checksum),
	{0},
};

/* A profile as it stands in the file, before `down:` and `up:` override. */
struct raw_profile {
	struct impairment both;
	int64_t mtu;
	bool block_icmp;
	struct ynode *down, *up, *offloads;
};

#define IMPAIR(word, member, u, lo, hi)                                        \
	{                                                                      \
		.key = word, .type = YF_QUANTITY, .unit = u, .min = lo,        \
		.max = hi, .offset = offsetof(struct impairment, member)       \
	}

#define IMPAIRMENTS                                                            \
	IMPAIR("rate", rate_bps, UNIT_RATE, 0, 0),                             \
		IMPAIR("burst", burst_bytes, UNIT_SIZE, 1600, 67108864),       \
		IMPAIR("queue", queue_ns, UNIT_TIME, 100.0 * NS_PER_US,        \
		       DELAY_MAX),                                             \
		IMPAIR("delay", delay_ns, UNIT_TIME, 0, DELAY_MAX),            \
		IMPAIR("jitter", jitter_ns, UNIT_TIME, 0, DELAY_MAX),          \
		IMPAIR("loss", loss, UNIT_RATIO, 0, 1),                        \
		IMPAIR("reorder", reorder, UNIT_RATIO, 0, 1),                  \
		IMPAIR("duplicate", duplicate, UNIT_RATIO, 0, 1)

const struct yfield direction_fields[] = {IMPAIRMENTS, {0}};

/* `both` comes first, so the offsets of a struct impairment fit. */
const struct yfield profile_fields[] = {
	IMPAIRMENTS,
	{.key = "down",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_profile, down)},
	{.key = "up",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_profile, up)},
	{.key = "mtu",
	 .type = YF_INT,
	 .min = MTU_MIN4,
	 .max = 9000,
	 .offset = offsetof(struct raw_profile, mtu)},
	{.key = "offloads",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_profile, offloads)},
	{.key = "block-icmp",
	 .type = YF_BOOL,
	 .offset = offsetof(struct raw_profile, block_icmp)},
	{0},
};

_Static_assert(offsetof(struct raw_profile, both) == 0, "see above");

static void fill_impairment(struct impairment *i)
{
	if (i->burst_bytes == 0)
		i->burst_bytes = BURST_DEFAULT;
	if (i->queue_ns == 0)
		i->queue_ns = QUEUE_DEFAULT;
}

void profile_defaults(struct link_profile *p)
{
	*p = (struct link_profile){.mtu = MTU_DEFAULT};
	fill_impairment(&p->down);
	fill_impairment(&p->up);
}

static bool impaired(const struct impairment *i)
{
	return i->delay_ns > 0 || i->jitter_ns > 0 || i->loss > 0 ||
	       i->reorder > 0 || i->duplicate > 0;
}

bool profile_needs_relay(const struct link_profile *p)
{
	return impaired(&p->down) || impaired(&p->up);
}

/* What makes no sense in one direction, whatever way it came about. */
static void check_impairment(struct spec_reader *r, struct pos at,
			     const char *what, const char *direction,
			     const struct impairment *i)
{
	if (i->rate_bps == 0 && i->burst_bytes > 0)
		diags_add(r->d, at, "%s, %s: `burst` without a `rate`", what,
			  direction);
	if (i->rate_bps == 0 && i->queue_ns > 0)
		diags_add(r->d, at, "%s, %s: `queue` without a `rate`", what,
			  direction);
	if (i->rate_bps > 0 && i->rate_bps < 8000)
		diags_add(r->d, at, "%s, %s: a `rate` below 8kbit", what,
			  direction);
	if (i->jitter_ns > i->delay_ns)
		diags_add(r->d, at,
			  "%s, %s: `jitter` is larger than `delay`, so that "
			  "packets would arrive before they were sent",
			  what, direction);
	if (i->reorder > 0 && i->delay_ns == 0)
		diags_add(r->d, at,
			  "%s, %s: `reorder` without a `delay` does nothing",
			  what, direction);
}

/* ---- offloads ----------------------------------------------------------- */

static const struct offloads *find_offloads(const struct topology *t,
					    const char *name)
{
	for (size_t i = 0; t && i < t->n_offloads; i++)
		if (!strcmp(t->offloads[i].name, name))
			return &t->offloads[i].offloads;
	return NULL;
}

void offloads_read(struct spec_reader *r, const struct topology *t,
		   const struct ynode *n, struct offloads *out)
{
	const struct offloads *found;
	const char **words = NULL;
	size_t count = 0;

	if (n->kind != YNODE_SCALAR) {
		yaml_read_map(n, "`offloads`", offload_fields, out, r->a, r->d);
		return;
	}
	found = find_offloads(t, n->text);
	if (found) {
		*out = *found;
		return;
	}
	for (size_t i = 0; t && i < t->n_offloads; i++)
		*ARENA_APPEND(r->a, words, count) = t->offloads[i].name;
	*ARENA_APPEND(r->a, words, count) = NULL;
	yaml_unknown(r->d, n->pos, "offload profile", n->text, words);
}

/* ---- profiles ----------------------------------------------------------- */

static void use_named(struct spec_reader *r, const struct topology *t,
		      const struct ynode *n, struct link_profile *out)
{
	const char **words = NULL;
	size_t count = 0;

	for (size_t i = 0; t && i < t->n_impairments; i++) {
		if (!strcmp(t->impairments[i].name, n->text)) {
			*out = t->impairments[i].profile;
			return;
		}
		*ARENA_APPEND(r->a, words, count) = t->impairments[i].name;
	}
	*ARENA_APPEND(r->a, words, count) = NULL;
	yaml_unknown(r->d, n->pos, "impairment profile", n->text, words);
}

static void read_direction(struct spec_reader *r, const struct ynode *n,
			   const char *what, const char *direction,
			   struct impairment *i)
{
	const char *whole = arena_printf(r->a, "`%s` of %s", direction, what);

	yaml_read_map(n, whole, direction_fields, i, r->a, r->d);
}

void profile_read(struct spec_reader *r, const struct topology *t,
		  const struct ynode *n, const char *what, bool named,
		  struct link_profile *out)
{
	struct raw_profile raw = {.mtu = MTU_DEFAULT};
	size_t before = r->d->n;

	profile_defaults(out);
	if (named && n->kind == YNODE_SCALAR) {
		use_named(r, t, n, out);
		return;
	}
	yaml_read_map(n, what, profile_fields, &raw, r->a, r->d);
	out->down = out->up = raw.both;
	out->mtu = raw.mtu;
	out->block_icmp = raw.block_icmp;
	if (raw.down)
		read_direction(r, raw.down, what, "down", &out->down);
	if (raw.up)
		read_direction(r, raw.up, what, "up", &out->up);
	if (raw.offloads)
		offloads_read(r, t, raw.offloads, &out->offloads);
	if (r->d->n == before) {
		check_impairment(r, n->pos, what, "down", &out->down);
		check_impairment(r, n->pos, what, "up", &out->up);
	}
	fill_impairment(&out->down);
	fill_impairment(&out->up);
}

void profile_check_mtu6(struct spec_reader *r, const struct ynode *n,
			const struct link_profile *p)
{
	const struct ynode *at = n->kind == YNODE_MAP ? yaml_get(n, "mtu") : n;

	if (p->mtu < MTU_MIN6)
		diags_add(r->d, at ? at->pos : n->pos,
			  "`mtu: %d`: a link with IPv6 carries %d bytes at "
			  "least; only that of a server with IPv4 alone may "
			  "have less",
			  (int)p->mtu, MTU_MIN6);
}

static bool good_name(struct spec_reader *r, const struct ypair *p,
		      const char *what)
{
	if (yaml_is_name(p->key, MEASURE_NAME_MAX))
		return true;
	diags_add(r->d, p->key_pos,
		  "bad name of %s: `%s`; up to %d lower-case letters, digits "
		  "and hyphens are expected, letter first",
		  what, p->key, MEASURE_NAME_MAX);
	return false;
}

void profiles_read(struct spec_reader *r, const struct ynode *impairments,
		   const struct ynode *offloads, struct topology *t)
{
	if (offloads && spec_want(r, offloads, YNODE_MAP, "`offloads`"))
		for (size_t i = 0; i < offloads->n; i++) {
			const struct ypair *p = &offloads->pairs[i];
			struct named_offloads *o =
				ARENA_APPEND(r->a, t->offloads, t->n_offloads);

			good_name(r, p, "an offload profile");
			o->pos = p->key_pos;
			o->name = p->key;
			yaml_read_map(p->value,
				      arena_printf(r->a, "offload profile %s",
						   p->key),
				      offload_fields, &o->offloads, r->a, r->d);
		}
	if (!impairments ||
	    !spec_want(r, impairments, YNODE_MAP, "`impairments`"))
		return;
	for (size_t i = 0; i < impairments->n; i++) {
		const struct ypair *p = &impairments->pairs[i];
		struct named_profile *v =
			ARENA_APPEND(r->a, t->impairments, t->n_impairments);

		good_name(r, p, "an impairment profile");
		v->pos = p->key_pos;
		v->name = p->key;
		profile_read(
			r, t, p->value,
			arena_printf(r->a, "impairment profile %s", p->key),
			false, &v->profile);
	}
}
