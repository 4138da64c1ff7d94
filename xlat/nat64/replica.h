/* SPDX-License-Identifier: MIT */
/*
 * One of two PLATs that tell each other of their sessions: what it says when,
 * and what it makes of what it hears. PURE: time and table are arguments; the
 * caller seals, sends and receives.
 */
#ifndef NAT64_REPLICA_H
#define NAT64_REPLICA_H

#include "../core/ratelimit.h"
#include "compare.h"
#include "sync.h"

#define REPLICA_TICK_NS	   (10 * NS_PER_MS)
#define REPLICA_HELLO_NS   NS_PER_S
#define REPLICA_SILENCE_NS (5 * NS_PER_S)
#define REPLICA_PAUSE_NS   (5 * NS_PER_S) /* between two walks */

/* Records: never more in a second than the rate, and a burst at once. A walk
 * takes what changes leave of its share, but always its least. */
#define REPLICA_RATE	   200000
#define REPLICA_BURST	   20000
#define REPLICA_WALK_MOST  1000 /* a tick, changes included */
#define REPLICA_WALK_LEAST 250	/* a tick */

#define REPLICA_SEAL_BYTES 32

struct replica_stats {
	bool connected;		 /* heard the peer in the last seconds */
	uint64_t sent, received; /* datagrams */
	uint64_t sessions_sent;	 /* records */
	uint64_t imports[NAT64_N_IMPORTS];    /* records */
	uint64_t asked, asked_us;	      /* records: SYNC_ASK */
	uint64_t ended;			      /* copies, by SYNC_END */
	uint64_t lost, duplicates, strangers; /* datagrams received */
	uint64_t malformed, foreign;	      /* same */
	uint64_t held_back;		      /* records */
	uint64_t walks, adoptions;	      /* adoptions: walks that did */
	unsigned int queued;		      /* records that have not left */
	int64_t silent_ms;		      /* since the peer; -1: never */
	int64_t behind_ms;     /* since the first change that it may lack */
	int64_t behind_max_ms; /* of the connection */
};

/*
 * A datagram of @len bytes at @at leaves; REPLICA_SEAL_BYTES behind it are the
 * caller's to write.
 */
typedef void replica_emit_fn(void *arg, uint8_t *at, size_t len);

/* Private but for its size. */
struct replica {
	replica_emit_fn *emit;
	void *arg;
	struct sync_peer peer;
	uint64_t seq;
	uint8_t out[SYNC_MAX_BYTES + REPLICA_SEAL_BYTES];
	unsigned int n;	      /* records in out */
	unsigned int in_tick; /* records told since the last tick */
	bool spoke;	      /* anything, since then */
	bool owes_echo;
	const struct nat64 *table; /* that the cursor belongs to */
	uint32_t cursor;
	bool walking, adopt;
	uint16_t walk, peer_walk;
	struct mono heard, hello_at, walk_at;
	uint64_t heard_us;		       /* the peer's clock */
	uint64_t told_us, echo_us, unheard_us; /* ours */
	struct ratelimit rate, answers;
	struct replica_stats stats;
	struct compare compare;
};

/* replica_init - @epoch: never used before, not 0. */
void replica_init(struct replica *r, uint64_t epoch, replica_emit_fn *emit,
		  void *arg, struct mono now);

/* replica_change - for nat64_watch. */
void replica_change(struct replica *r, enum nat64_event ev,
		    const struct nat64_session_info *s, struct mono now);

/* replica_tick - each REPLICA_TICK_NS: what waits leaves; the walk goes on. */
void replica_tick(struct replica *r, struct nat64 *n, struct mono now);

/* replica_flush - what waits leaves. */
void replica_flush(struct replica *r, struct mono now);

enum replica_heard {
	REPLICA_HEARD,
	REPLICA_CONNECTED, /* the peer is there, for the first time or again */
	REPLICA_MALFORMED,
	REPLICA_FOREIGN, /* of another version */
};

/* replica_receive - an authentic datagram, without its seal. */
enum replica_heard replica_receive(struct replica *r, struct nat64 *n,
				   const uint8_t *at, size_t len,
				   struct mono now);

bool replica_is_connected(const struct replica *r, struct mono now);

/* replica_put - for compare.c: @rec leaves in the next datagram. False when
 * the rate does not allow it. */
bool replica_put(struct replica *r, const struct sync_record *rec,
		 struct mono now);

void replica_get_stats(const struct replica *r, struct mono now,
		       struct replica_stats *out);

#endif
