/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What changes in the table goes into one datagram, which leaves when it is
 * full or at the next tick. Besides, the table is walked without end, and
 * every owned session told again: this is what repairs losses, carries
 * refreshes, and keeps the peer's copies alive. Nothing is kept to be sent
 * again, so memory is one datagram. Which of what is heard holds, standby.c
 * decides; order does not matter to it.
 *
 * Every datagram names its sender's walk. A copy of which two walks of the
 * peer's have said nothing is asked about: the answer is the session, or that
 * there is none, and then the copy ends. So an end that was not heard of is
 * found within three walks, and what one loss left behind within two.
 *
 * A peer with a new epoch has lost its table. All its copies become our own,
 * in one walk, and are told as such, again in each walk until it has them. A
 * peer that was silent has not lost anything: an ordinary walk is enough.
 *
 * A token bucket bounds what is sent. Changes that found it empty are held
 * back: counted, and told by the next walk. A walk waits where there is no
 * token. Every datagram echoes the time of the newest one heard, within a
 * tick: so each side knows how far behind the other is.
 */
#include "replica.h"

#include <string.h>

#define CHUNK	   64
#define WALK_SLOTS 16384 /* a tick */

void replica_init(struct replica *r, uint64_t epoch, replica_emit_fn *emit,
		  void *arg, struct mono now)
{
	*r = (struct replica){.emit = emit,
			      .arg = arg,
			      .peer.epoch = epoch,
			      .hello_at = now,
			      .walk_at = now};
	ratelimit_init(&r->rate, REPLICA_RATE, REPLICA_BURST, now.ns);
	ratelimit_init(&r->answers, 10, 10, now.ns);
}

/* ---- sending --------------------------------------------------------------
 */

bool replica_is_connected(const struct replica *r, struct mono now)
{
	return r->peer.peer && mono_sub(now, r->heard) < REPLICA_SILENCE_NS;
}

/* Microseconds; never less than what was named before. */
static uint64_t time_us(const struct replica *r, struct mono now)
{
	uint64_t us = (uint64_t)now.ns / 1000;

	return us > r->told_us ? us : r->told_us;
}

static void send_datagram(struct replica *r, uint8_t *at, unsigned int n,
			  uint64_t to, struct mono now)
{
	struct sync_header h = {.from = r->peer.epoch,
				.to = to,
				.seq = ++r->seq,
				.sent_us = time_us(r, now),
				.heard_us = r->heard_us,
				.walk = r->walk,
				.n = n};

	if (n) {
		if (r->told_us <= r->echo_us)
			r->unheard_us = h.sent_us;
		r->told_us = h.sent_us;
	}
	sync_encode_header(&h, at);
	r->stats.sent++;
	r->stats.sessions_sent += n;
	r->spoke = true;
	r->emit(r->arg, at, SYNC_HEADER_BYTES + (size_t)n * SYNC_RECORD_BYTES);
}

void replica_flush(struct replica *r, struct mono now)
{
	if (r->n)
		send_datagram(r, r->out, r->n, r->peer.peer, now);
	r->n = 0;
}

static void send_hello(struct replica *r, uint64_t to, struct mono now)
{
	uint8_t at[SYNC_HEADER_BYTES + REPLICA_SEAL_BYTES];

	send_datagram(r, at, 0, to, now);
}

bool replica_put(struct replica *r, const struct sync_record *rec,
		 struct mono now)
{
	if (!ratelimit_allow(&r->rate, now.ns))
		return false;
	sync_encode_record(rec, r->out + SYNC_HEADER_BYTES +
					r->n * SYNC_RECORD_BYTES);
	r->in_tick++;
	if (++r->n == SYNC_MAX_RECORDS)
		replica_flush(r, now);
	return true;
}

static bool put(struct replica *r, const struct nat64_session_info *s,
		enum sync_kind kind, struct mono now)
{
	struct sync_record rec = {.session = *s, .kind = kind};

	return replica_put(r, &rec, now);
}

void replica_change(struct replica *r, enum nat64_event ev,
		    const struct nat64_session_info *s, struct mono now)
{
	if (ev != NAT64_SESSION_NEW && ev != NAT64_SESSION_STATE)
		return; /* what ends does so there by itself */
	/* who is not there is told everything when he comes */
	if (replica_is_connected(r, now) && !put(r, s, SYNC_TELL, now))
		r->stats.held_back++;
}

/* ---- the walk -------------------------------------------------------------
 */

static void start_walk(struct replica *r, bool adopt)
{
	r->adopt = adopt || (r->walking && r->adopt);
	r->walking = true;
	r->cursor = 0;
	r->walk++;
	r->stats.walks++;
	r->stats.adoptions += adopt;
}

/* False when there was no token for all. */
static bool tell(struct replica *r, const struct nat64_session_info *v,
		 size_t count, struct mono now)
{
	for (size_t i = 0; i < count; i++) {
		enum sync_kind kind = v[i].is_copy ? SYNC_ASK : SYNC_TELL;

		if (!put(r, &v[i], kind, now))
			return false;
		r->stats.asked += kind == SYNC_ASK;
	}
	return true;
}

/* How many records this tick may take of the walk. */
static size_t walk_budget(const struct replica *r)
{
	if (r->in_tick + REPLICA_WALK_LEAST > REPLICA_WALK_MOST)
		return REPLICA_WALK_LEAST;
	return REPLICA_WALK_MOST - r->in_tick;
}

static void walk(struct replica *r, struct nat64 *n, struct mono now)
{
	struct nat64_session_info v[CHUNK];
	size_t budget = walk_budget(r), found;
	uint32_t slots = WALK_SLOTS, from;

	if (!r->walking && !mono_before(now, r->walk_at))
		start_walk(r, false);
	if (r->table != n) /* a reload has moved the sessions */
		r->cursor = 0;
	r->table = n;
	while (r->walking && slots && budget) {
		from = r->cursor;
		found = nat64_list_news(n, &r->cursor, slots, r->adopt,
					r->peer_walk, now, v,
					budget < CHUNK ? budget : CHUNK);
		if (!tell(r, v, found, now)) {
			r->cursor = from; /* from here again, next time */
			return;
		}
		budget -= found;
		if (r->cursor == UINT32_MAX) {
			r->walking = false;
			r->walk_at = mono_add(now, REPLICA_PAUSE_NS);
			return;
		}
		slots -= r->cursor - from;
	}
}

void replica_tick(struct replica *r, struct nat64 *n, struct mono now)
{
	struct replica_stats st;

	if (replica_is_connected(r, now))
		walk(r, n, now);
	else
		r->n = 0;
	compare_tick(r, n, now);
	replica_flush(r, now);
	if (!mono_before(now, r->hello_at) || (r->owes_echo && !r->spoke)) {
		send_hello(r, r->peer.peer, now);
		r->hello_at = mono_add(now, REPLICA_HELLO_NS);
	}
	r->owes_echo = r->spoke = false;
	r->in_tick = 0;
	replica_get_stats(r, now, &st);
	if (st.behind_ms > r->stats.behind_max_ms)
		r->stats.behind_max_ms = st.behind_ms;
}

/* ---- receiving ------------------------------------------------------------
 */

static void answer(struct replica *r, const struct nat64 *n,
		   struct sync_record *rec, struct mono now)
{
	struct nat64_session_info s;

	r->stats.asked_us++;
	if (nat64_find_session(n, &rec->session.flow, now, &s))
		(void)put(r, &s, SYNC_TELL, now);
	else
		(void)put(r, &rec->session, SYNC_END, now);
	/* what the bucket refuses is asked again */
}

static void take_records(struct replica *r, struct nat64 *n, const uint8_t *at,
			 const struct sync_header *h, struct mono now)
{
	enum nat64_import how;
	struct sync_record rec;

	for (unsigned int i = 0; i < h->n; i++, at += SYNC_RECORD_BYTES) {
		if (!sync_decode_record(at, &rec)) {
			r->stats.imports[NAT64_IMPORT_REFUSED]++;
			continue;
		}
		switch (rec.kind) {
		case SYNC_TELL:
			how = nat64_import(n, &rec.session, h->walk, now);
			r->stats.imports[how]++;
			break;
		case SYNC_ASK:
			answer(r, n, &rec, now);
			break;
		case SYNC_END:
			r->stats.ended += nat64_import_end(n, &rec.session);
			break;
		case SYNC_HAVE:
		case SYNC_LOOK:
		case SYNC_FOUND:
		case SYNC_LACK:
		case SYNC_COMPARE:
		case SYNC_DIGEST:
		case SYNC_RANGES:
		case SYNC_LISTED:
			compare_take(r, n, &rec, now);
			break;
		case SYNC_N_KINDS:
			break;
		}
	}
}

/* What a datagram says of its sender, and of what the sender has heard. */
static void take_header(struct replica *r, const struct sync_header *h,
			struct mono now)
{
	r->heard = now;
	if (h->seq == r->peer.top) {
		r->peer_walk = h->walk;
		r->heard_us = h->sent_us;
	}
	/* what was never said cannot have been heard */
	if (h->heard_us > r->echo_us && h->heard_us <= (uint64_t)now.ns / 1000)
		r->echo_us = h->heard_us;
	if (r->unheard_us < r->echo_us)
		r->unheard_us = r->echo_us;
	if (h->n)
		r->owes_echo = true;
}

enum replica_heard replica_receive(struct replica *r, struct nat64 *n,
				   const uint8_t *at, size_t len,
				   struct mono now)
{
	bool is_back = !replica_is_connected(r, now), is_new = false;
	struct sync_header h;

	if (!sync_decode_header(at, len, &h)) {
		bool foreign = sync_is_foreign(at, len);

		foreign ? r->stats.foreign++ : r->stats.malformed++;
		return foreign ? REPLICA_FOREIGN : REPLICA_MALFORMED;
	}
	r->stats.received++;
	switch (sync_accept(&r->peer, &h)) {
	case SYNC_STRANGER:
		r->stats.strangers++;
		if (ratelimit_allow(&r->answers, now.ns))
			send_hello(r, r->peer.stranger, now);
		return REPLICA_HEARD;
	case SYNC_REPLAY:
		return REPLICA_HEARD;
	case SYNC_NEW_PEER:
		r->n = 0; /* it was for another life */
		compare_new_peer(r, now);
		is_new = true;
		break;
	case SYNC_FRESH:
		break;
	}
	take_header(r, &h, now);
	if (is_new || is_back) {
		send_hello(r, r->peer.peer, now);
		start_walk(r, is_new);
		r->stats.behind_max_ms = 0;
	}
	take_records(r, n, at + SYNC_HEADER_BYTES, &h, now);
	return is_new || is_back ? REPLICA_CONNECTED : REPLICA_HEARD;
}

void replica_get_stats(const struct replica *r, struct mono now,
		       struct replica_stats *out)
{
	int64_t since = now.ns / 1000 - (int64_t)r->unheard_us;

	*out = r->stats;
	out->connected = replica_is_connected(r, now);
	out->lost = r->peer.lost;
	out->duplicates = r->peer.duplicates;
	out->queued = r->n;
	out->silent_ms =
		r->peer.peer ? mono_sub(now, r->heard) / NS_PER_MS : -1;
	out->behind_ms =
		r->told_us > r->echo_us && since > 0 ? since / 1000 : 0;
}
