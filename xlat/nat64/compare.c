/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Sessions fall into ranges by a hash of their ends that both sides compute
 * alike. Each side sums a hash of every session, its version and state, in
 * its range, a part of its table at a time. Where the sums of a range differ,
 * the peer lists what it has there (HAVE), and is asked for each session that
 * we have there (LOOK, answered FOUND or LACK).
 *
 * Both tables change meanwhile. So what seems to differ is only suspected; a
 * second later, when what was under way has come, it is asked for again, and
 * counts if it still differs. Suspects are remembered up to a bound.
 *
 * Nothing is sent twice but the questions that begin a step: what is lost is
 * counted as unanswered, and the result is not complete.
 */
#include "compare.h"

#include <string.h>

#include "nat64_internal.h"
#include "replica.h"

#define SLOTS	   4096 /* a tick; hashing takes longer than walking */
#define RECORDS	   500	/* a tick */
#define AGAIN_NS   NS_PER_S
#define SETTLE_NS  NS_PER_S
#define PATIENCE   (5 * NS_PER_S)
#define MAX_ROUNDS 5

const char *compare_phase_name(enum compare_phase p)
{
	static const char *const names[] = {
		"none", "counting", "listing", "settling", "confirming", "done",
	};

	return names[p];
}

const char *compare_what_name(enum compare_what w)
{
	static const char *const names[COMPARE_N_WHATS] = {
		"equal", "only-here", "only-there", "changed"};

	return names[w];
}

/* ---- digests --------------------------------------------------------------
 */

static uint64_t hash_ends(const struct replica *r, const struct nat64_flow *f)
{
	/* the same on both sides */
	uint64_t seed[2] = {r->peer.epoch ^ r->peer.peer,
			    r->peer.epoch + r->peer.peer};
	uint64_t w[6];

	memcpy(w, &f->src6, 16);
	memcpy(w + 2, &f->dst6, 16);
	w[4] = (uint64_t)f->src4.s_addr << 32 | f->dst4.s_addr;
	w[5] = (uint64_t)f->src6_port << 48 | (uint64_t)f->src4_port << 32 |
	       (uint64_t)f->dst_port << 16 | f->proto;
	return sip_hash(seed, w, 6);
}

static unsigned int range_of(uint64_t hash)
{
	return (unsigned int)(hash % COMPARE_RANGES);
}

static void count(const struct replica *r, struct compare_digests *d,
		  const struct nat64_session_info *s)
{
	uint64_t h = hash_ends(r, &s->flow);
	uint64_t w[2] = {h, (uint64_t)s->version << 8 | s->state};
	static const uint64_t seed[2];

	d->count[range_of(h)]++;
	d->sum[range_of(h)] += sip_hash(seed, w, 2);
}

static bool has_bit(const uint64_t *bits, unsigned int i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static void set_bit(uint64_t *bits, unsigned int i)
{
	bits[i / 64] |= UINT64_C(1) << i % 64;
}

/* ---- what both do ---------------------------------------------------------
 */

static bool put(struct replica *r, const struct sync_record *rec,
		struct mono now)
{
	if (!r->compare.budget || !replica_is_connected(r, now) ||
	    !replica_put(r, rec, now))
		return false;
	r->compare.budget--;
	return true;
}

static bool put_session(struct replica *r, enum sync_kind kind,
			const struct nat64_session_info *s, struct mono now)
{
	struct sync_record rec = {.kind = kind, .session = *s};

	return put(r, &rec, now);
}

static bool put_note(struct replica *r, enum sync_kind kind, uint32_t id,
		     const struct sync_note *note, struct mono now)
{
	struct sync_record rec = {.kind = kind, .note = *note};

	rec.note.id = id;
	return put(r, &rec, now);
}

typedef bool each_fn(struct replica *r, const struct nat64_session_info *s,
		     struct mono now);

/* A part of the table, until @fn cannot go on; true when there is no more. */
static bool scan(struct replica *r, const struct nat64 *n, uint32_t *cursor,
		 each_fn *fn, struct mono now)
{
	struct nat64_session_info s;
	uint32_t slots = SLOTS, from;

	while (slots) {
		from = *cursor;
		if (nat64_list_sessions(n, cursor, slots, now, &s, 1) &&
		    s.left_ns > COMPARE_LEFT_NS && !fn(r, &s, now)) {
			*cursor = from;
			return false;
		}
		if (*cursor == UINT32_MAX)
			return true;
		slots -= *cursor - from;
	}
	return false;
}

/* ---- who is asked ---------------------------------------------------------
 */

static bool count_for_peer(struct replica *r,
			   const struct nat64_session_info *s, struct mono now)
{
	(void)now;
	count(r, &r->compare.peer.digests, s);
	return true;
}

static bool tell_have(struct replica *r, const struct nat64_session_info *s,
		      struct mono now)
{
	if (!has_bit(r->compare.peer.ranges, range_of(hash_ends(r, &s->flow))))
		return true;
	if (!put_session(r, SYNC_HAVE, s, now))
		return false;
	r->compare.peer.told++;
	return true;
}

static void answer_tick(struct replica *r, struct nat64 *n, struct mono now)
{
	struct compare *c = &r->compare;
	struct sync_note note = {0};

	if (c->peer.scanning &&
	    scan(r, n, &c->peer.cursor, count_for_peer, now)) {
		c->peer.scanning = false;
		c->peer.counted = true;
		c->peer.next = 0;
	}
	while (c->peer.counted && c->peer.next < COMPARE_RANGES) {
		note.range = c->peer.next;
		note.words[0] = c->peer.digests.count[note.range];
		note.words[1] = c->peer.digests.sum[note.range];
		if (!put_note(r, SYNC_DIGEST, c->peer.id, &note, now))
			return;
		c->peer.next++;
	}
	if (c->peer.listing && scan(r, n, &c->peer.cursor, tell_have, now)) {
		c->peer.listing = false;
		c->peer.listed = true;
		note.words[0] = c->peer.told;
		put_note(r, SYNC_LISTED, c->peer.id, &note, now);
	}
}

/* The peer asks for digests, or asks again since it lacks some. */
static void take_compare(struct compare *c, const struct sync_note *note)
{
	if (c->peer.id != note->id) {
		memset(&c->peer, 0, sizeof(c->peer));
		c->peer.id = note->id;
		c->peer.scanning = true;
	} else if (c->peer.counted && c->peer.next == COMPARE_RANGES) {
		c->peer.next = 0;
	}
}

static void take_ranges(struct replica *r, const struct sync_note *note,
			struct mono now)
{
	struct sync_note listed = {.words = {r->compare.peer.told}};
	struct compare *c = &r->compare;

	if (c->peer.id != note->id || !c->peer.counted || c->peer.listing)
		return;
	if (c->peer.listed) {
		put_note(r, SYNC_LISTED, note->id, &listed, now);
		return;
	}
	memcpy(c->peer.ranges, note->words, sizeof(c->peer.ranges));
	c->peer.listing = true;
	c->peer.cursor = 0;
}

/* Not out of our own budget: the peer's bounds how much it asks. */
static void take_look(struct replica *r, const struct nat64 *n,
		      const struct nat64_session_info *asked, struct mono now)
{
	struct sync_record rec = {.kind = SYNC_FOUND};

	if (!nat64_find_session(n, &asked->flow, now, &rec.session)) {
		rec.kind = SYNC_LACK;
		rec.session = *asked;
	}
	(void)replica_put(r, &rec, now);
}

/* ---- who asks -------------------------------------------------------------
 */

bool compare_start(struct replica *r, const struct nat64 *n, struct mono now)
{
	struct compare *c = &r->compare;
	uint32_t id = c->id + 1;

	if ((c->phase != COMPARE_NONE && c->phase != COMPARE_DONE) ||
	    !replica_is_connected(r, now))
		return false;
	memset(c, 0, offsetof(struct compare, peer));
	c->id = id ? id : 1;
	c->phase = COMPARE_COUNTING;
	c->table = n;
	c->scanning = true;
	c->started = c->again_at = c->progress = now;
	return true;
}

static enum compare_what judge(const struct nat64 *n, bool there,
			       const struct nat64_session_info *theirs,
			       struct mono now)
{
	struct nat64_session_info own;
	bool here = nat64_find_session(n, &theirs->flow, now, &own);

	if (here != there)
		return here    ? COMPARE_ONLY_HERE
		       : there ? COMPARE_ONLY_THERE
			       : COMPARE_EQUAL;
	if (here &&
	    (own.version != theirs->version || own.state != theirs->state))
		return COMPARE_CHANGED;
	return COMPARE_EQUAL;
}

static void suspect(struct compare *c, const struct nat64_session_info *s,
		    enum compare_what what)
{
	c->suspects++;
	if (c->n_entries < COMPARE_LISTED)
		c->entries[c->n_entries++] =
			(struct compare_entry){.session = *s, .what = what};
}

static bool same_ends(const struct nat64_flow *a, const struct nat64_flow *b)
{
	return a->proto == b->proto && a->src6_port == b->src6_port &&
	       a->src4_port == b->src4_port && a->dst_port == b->dst_port &&
	       a->src4.s_addr == b->src4.s_addr &&
	       a->dst4.s_addr == b->dst4.s_addr &&
	       !memcmp(&a->src6, &b->src6, sizeof(a->src6));
}

static void confirm(struct compare *c, const struct nat64 *n, bool there,
		    const struct nat64_session_info *s, struct mono now)
{
	for (size_t i = 0; i < c->n_entries; i++) {
		struct compare_entry *e = &c->entries[i];

		if (e->answered || !same_ends(&e->session.flow, &s->flow))
			continue;
		e->answered = true;
		e->what = judge(n, there, s, now);
		return;
	}
}

/* What the peer has, or has not: in its list, or since we asked. */
static void take_session(struct compare *c, const struct nat64 *n,
			 const struct sync_record *rec, struct mono now)
{
	bool there = rec->kind != SYNC_LACK;
	enum compare_what what;

	if (c->phase == COMPARE_CONFIRMING && rec->kind != SYNC_HAVE)
		confirm(c, n, there, &rec->session, now);
	if (c->phase != COMPARE_LISTING)
		return;
	what = judge(n, there, &rec->session, now);
	if (rec->kind == SYNC_HAVE) {
		c->had++;
		if (what == COMPARE_ONLY_THERE) /* the rest we ask for */
			suspect(c, &rec->session, what);
		return;
	}
	c->answered++;
	if (what == COMPARE_ONLY_HERE || what == COMPARE_CHANGED)
		suspect(c, &rec->session, what);
}

static void take_digest(struct compare *c, const struct sync_note *note)
{
	if (c->phase != COMPARE_COUNTING || note->range >= COMPARE_RANGES)
		return;
	set_bit(c->got, note->range);
	c->there.count[note->range] = note->words[0];
	c->there.sum[note->range] = note->words[1];
}

void compare_take(struct replica *r, struct nat64 *n,
		  const struct sync_record *rec, struct mono now)
{
	struct compare *c = &r->compare;
	bool is_ours = rec->note.id == c->id;

	if (rec->kind == SYNC_COMPARE) {
		take_compare(c, &rec->note);
	} else if (rec->kind == SYNC_RANGES) {
		take_ranges(r, &rec->note, now);
	} else if (rec->kind == SYNC_LOOK) {
		take_look(r, n, &rec->session, now);
	} else if (rec->kind == SYNC_DIGEST && is_ours) {
		c->progress = now;
		take_digest(c, &rec->note);
	} else if (rec->kind == SYNC_LISTED && is_ours) {
		c->progress = now;
		c->listed = true;
		c->had_all = rec->note.words[0];
	} else if (rec->kind == SYNC_HAVE || rec->kind == SYNC_FOUND ||
		   rec->kind == SYNC_LACK) {
		c->progress = now;
		take_session(c, n, rec, now);
	}
}

static void finish(struct compare *c, struct mono now)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n_entries; i++)
		if (c->entries[i].what != COMPARE_EQUAL)
			c->entries[kept++] = c->entries[i];
	c->n_entries = kept;
	c->phase = COMPARE_DONE;
	c->ended = now;
}

static bool count_here(struct replica *r, const struct nat64_session_info *s,
		       struct mono now)
{
	(void)now;
	count(r, &r->compare.here, s);
	return true;
}

static bool look_up(struct replica *r, const struct nat64_session_info *s,
		    struct mono now)
{
	if (!has_bit(r->compare.differ, range_of(hash_ends(r, &s->flow))))
		return true;
	if (!put_session(r, SYNC_LOOK, s, now))
		return false;
	r->compare.looked++;
	return true;
}

/* A question that begins a step, again and again until it is answered. */
static void ask_again(struct replica *r, enum sync_kind kind, struct mono now)
{
	struct compare *c = &r->compare;
	struct sync_note note = {0};

	if (mono_before(now, c->again_at))
		return;
	memcpy(note.words, c->differ, sizeof(c->differ));
	if (put_note(r, kind, c->id, &note, now))
		c->again_at = mono_add(now, AGAIN_NS);
}

static void count_tick(struct replica *r, const struct nat64 *n,
		       struct mono now)
{
	struct compare *c = &r->compare;
	bool differs = false, all = true;

	if (c->scanning) {
		c->progress = now;
		c->scanning = !scan(r, n, &c->cursor, count_here, now);
	}
	for (unsigned int i = 0; i < COMPARE_RANGES; i++)
		all = all && has_bit(c->got, i);
	if (!all)
		ask_again(r, SYNC_COMPARE, now);
	if (!all || c->scanning)
		return;
	for (unsigned int i = 0; i < COMPARE_RANGES; i++)
		if (c->here.count[i] != c->there.count[i] ||
		    c->here.sum[i] != c->there.sum[i]) {
			set_bit(c->differ, i);
			differs = true;
		}
	if (!differs) {
		finish(c, now);
		return;
	}
	c->phase = COMPARE_LISTING;
	c->scanning = true;
	c->cursor = 0;
	c->again_at = now;
}

static void list_tick(struct replica *r, const struct nat64 *n, struct mono now)
{
	struct compare *c = &r->compare;

	if (!c->listed)
		ask_again(r, SYNC_RANGES, now);
	if (c->scanning) {
		c->progress = now;
		c->scanning = !scan(r, n, &c->cursor, look_up, now);
	}
	if (c->scanning || !c->listed)
		return;
	if ((c->answered < c->looked || c->had < c->had_all) &&
	    mono_sub(now, c->progress) < AGAIN_NS)
		return; /* the rest may be under way */
	c->phase = COMPARE_SETTLING;
	c->again_at = mono_add(now, SETTLE_NS);
}

static void confirm_tick(struct replica *r, struct mono now)
{
	struct compare *c = &r->compare;
	bool all = true;

	for (; c->next < c->n_entries; c->next++)
		if (!c->entries[c->next].answered &&
		    !put_session(r, SYNC_LOOK, &c->entries[c->next].session,
				 now))
			return;
	for (size_t i = 0; i < c->n_entries; i++)
		all = all && c->entries[i].answered;
	if (!all && mono_before(now, c->again_at))
		return;
	if (all || ++c->rounds == MAX_ROUNDS) {
		finish(c, now);
		return;
	}
	c->next = 0;
	c->again_at = mono_add(now, AGAIN_NS);
}

static void ask_tick(struct replica *r, const struct nat64 *n, struct mono now)
{
	struct compare *c = &r->compare;

	switch (c->phase) {
	case COMPARE_COUNTING:
		count_tick(r, n, now);
		break;
	case COMPARE_LISTING:
		list_tick(r, n, now);
		break;
	case COMPARE_SETTLING:
		c->progress = now;
		if (!mono_before(now, c->again_at)) {
			c->phase = COMPARE_CONFIRMING;
			c->again_at = mono_add(now, AGAIN_NS);
		}
		break;
	case COMPARE_CONFIRMING:
		confirm_tick(r, now);
		break;
	case COMPARE_NONE:
	case COMPARE_DONE:
		return;
	}
	if (c->phase != COMPARE_DONE &&
	    (c->table != n || mono_sub(now, c->progress) > PATIENCE)) {
		c->broken = true;
		finish(c, now);
	}
}

void compare_new_peer(struct replica *r, struct mono now)
{
	struct compare *c = &r->compare;

	memset(&c->peer, 0, sizeof(c->peer));
	if (c->phase == COMPARE_NONE || c->phase == COMPARE_DONE)
		return;
	c->broken = true;
	finish(c, now);
}

void compare_tick(struct replica *r, struct nat64 *n, struct mono now)
{
	r->compare.budget = RECORDS;
	answer_tick(r, n, now);
	ask_tick(r, n, now);
}

/* ---- what has come of it --------------------------------------------------
 */

void compare_get_result(const struct replica *r, struct mono now,
			struct compare_result *out)
{
	const struct compare *c = &r->compare;

	*out = (struct compare_result){.phase = c->phase};
	for (unsigned int i = 0; i < COMPARE_RANGES; i++) {
		out->here += c->here.count[i];
		out->there += c->there.count[i];
		out->ranges += has_bit(c->differ, i);
	}
	out->unanswered = c->looked - c->answered;
	if (c->had_all > c->had)
		out->unanswered += c->had_all - c->had;
	for (size_t i = 0; i < c->n_entries; i++) {
		out->by_what[c->entries[i].what]++;
		out->unanswered += !c->entries[i].answered;
	}
	out->differing =
		c->suspects > COMPARE_LISTED ? c->suspects : c->n_entries;
	out->is_complete =
		c->phase == COMPARE_DONE && !c->broken && !out->unanswered;
	if (c->phase != COMPARE_NONE)
		out->took_ms =
			mono_sub(c->phase == COMPARE_DONE ? c->ended : now,
				 c->started) /
			NS_PER_MS;
}

const struct compare_entry *compare_entry(const struct replica *r, size_t i)
{
	const struct compare *c = &r->compare;

	return c->phase == COMPARE_DONE && i < c->n_entries ? &c->entries[i]
							    : NULL;
}
