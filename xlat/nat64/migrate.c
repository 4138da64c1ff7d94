/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Sizes, pool4 and filtering are the layout of a table: another configuration
 * is another table, and what still fits moves there. Bindings keep both ends
 * or end: no living flow changes its port. The new table's own static entries
 * come first, so a dynamic binding that is in their way ends.
 *
 * Watchers move along. They are told of what ends, from the old table, then
 * of the static entries that are new; of nothing that stays as it is.
 */
#include <arpa/inet.h>
#include <string.h>

#include "nat64_internal.h"

/* Is the binding of @b, in whatever table, in @n as well? */
static bool has_binding(const struct nat64 *n, const struct bib *b)
{
	uint32_t i = bib_find6(n, b->proto, &b->src6, b->src6_port);

	return i != NONE && i == bib_find4(n, b->proto, b->src4, b->src4_port);
}

/* Where it was, or not at all. */
static void move_mapped(struct nat64 *to, const struct bib *b, struct mono now)
{
	const struct nat64_want want = {
		.addr = b->src4, .port = ntohs(b->src4_port), .only = true};
	struct nat64_flow f = {
		.proto = b->proto, .src6 = b->src6, .src6_port = b->src6_port};

	nat64_map(to, &f, &want, now);
}

/* Those that were added while running; the configured ones are there. */
static void move_statics(struct nat64 *to, const struct nat64 *from,
			 struct mono now)
{
	for (uint32_t i = 0; i < from->free_bibs.fresh; i++) {
		const struct bib *b = &from->bibs[i];

		if (!(b->flags & ENTRY_USED))
			continue;
		if (b->flags & ENTRY_STATIC)
			nat64_add_static(to, b->proto, &b->src6, b->src6_port,
					 b->src4, b->src4_port);
		if (b->flags & ENTRY_MAPPED)
			move_mapped(to, b, now);
	}
}

static bool move_session(struct nat64 *to, const struct nat64 *from, uint32_t i)
{
	const struct session *s = &from->sessions[i];
	struct nat64_session_info info;
	enum nat64_import how;
	uint32_t b;

	session_describe(from, s, (struct mono){0}, &info);
	if (free_is_out(&to->free_sessions))
		return false;
	how = bib_import(to, &info.flow, &b);
	if (how != NAT64_IMPORT_ADDED && how != NAT64_IMPORT_UPDATED)
		return false;
	i = session_add(to, b, &info.flow, !(s->flags & ENTRY_FROM4), s->state,
			s->deadline_ns);
	to->sessions[i].flags = s->flags;
	to->sessions[i].version = s->version;
	return true;
}

static uint64_t move_sessions(struct nat64 *to, struct nat64 *from,
			      struct mono now)
{
	uint64_t dropped = 0;

	for (uint32_t i = 0; i < from->free_sessions.fresh; i++) {
		const struct session *s = &from->sessions[i];

		if (!(s->flags & ENTRY_USED))
			continue;
		if (session_is_over(s, now))
			from->stats.proto[from->bibs[s->bib].proto].expired++;
		else if (move_session(to, from, i))
			continue;
		else
			dropped++;
		session_del(from, i);
	}
	return dropped;
}

/* Counters go on; what there is now, the new table has counted itself. */
static void move_stats(struct nat64 *to, const struct nat64 *from)
{
	struct nat64_stats st = from->stats;

	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		st.proto[k].sessions = to->stats.proto[k].sessions;
		st.proto[k].bibs = to->stats.proto[k].bibs;
	}
	st.max_sessions = to->stats.max_sessions;
	st.max_bibs = to->stats.max_bibs;
	st.subscribers = to->stats.subscribers;
	st.memory_bytes = to->stats.memory_bytes;
	to->stats = st;
}

uint64_t nat64_migrate(struct nat64 *to, struct nat64 *from, struct mono now)
{
	uint64_t dropped;

	move_statics(to, from, now);
	dropped = move_sessions(to, from, now);
	for (uint32_t i = 0; i < from->free_bibs.fresh; i++)
		if ((from->bibs[i].flags & ENTRY_USED) &&
		    !has_binding(to, &from->bibs[i]))
			bib_del(from, i);
	move_stats(to, from);
	to->stats.not_moved += dropped;
	to->picks = from->picks;
	to->probe = from->probe;
	to->probe_arg = from->probe_arg;
	to->newest_gone = from->newest_gone;
	memcpy(to->watchers, from->watchers, sizeof(to->watchers));
	to->n_watchers = from->n_watchers;
	for (uint32_t i = 0; i < to->free_bibs.fresh; i++)
		if ((to->bibs[i].flags & ENTRY_USED) &&
		    !has_binding(from, &to->bibs[i]))
			watch_bib(to, NAT64_BIB_NEW, i);
	from->n_watchers = 0;
	return dropped;
}
