/* SPDX-License-Identifier: MIT */
/*
 * Are the tables of two PLATs the same? Changes neither. PURE: replica.h
 * carries what both say to each other.
 */
#ifndef NAT64_COMPARE_H
#define NAT64_COMPARE_H

#include "sync.h"

#define COMPARE_RANGES SYNC_N_RANGES
#define COMPARE_LISTED 1024 /* differing sessions that are remembered */
/* Sessions that end sooner are left out: they do not end at once. */
#define COMPARE_LEFT_NS (10 * NS_PER_S)

enum compare_phase {
	COMPARE_NONE,
	COMPARE_COUNTING,   /* both make their digests */
	COMPARE_LISTING,    /* what lies in the ranges that differ */
	COMPARE_SETTLING,   /* what was under way arrives */
	COMPARE_CONFIRMING, /* what seemed to differ, once more */
	COMPARE_DONE,
};

enum compare_what {
	COMPARE_EQUAL,
	COMPARE_ONLY_HERE,
	COMPARE_ONLY_THERE,
	COMPARE_CHANGED, /* of another version or state */
	COMPARE_N_WHATS,
};

struct compare_entry {
	struct nat64_session_info session;
	enum compare_what what;
	bool answered;
};

struct compare_digests {
	uint64_t count[COMPARE_RANGES], sum[COMPARE_RANGES];
};

/* Private but for its size. */
struct compare {
	enum compare_phase phase;
	uint32_t id;
	unsigned int budget; /* records that this tick may still take */
	const struct nat64 *table;
	struct compare_digests here, there;
	uint64_t got[COMPARE_RANGES / 64], differ[COMPARE_RANGES / 64];
	bool scanning, listed;
	uint32_t cursor;
	uint64_t looked, answered, had, had_all;
	uint64_t suspects; /* may be more than there are entries */
	struct compare_entry entries[COMPARE_LISTED];
	size_t n_entries, next;
	unsigned int rounds;
	bool broken; /* silence, or another table */
	struct mono started, ended, again_at, progress;
	struct { /* what the peer has asked for */
		uint32_t id;
		bool scanning, counted, listing, listed;
		uint32_t cursor;
		unsigned int next; /* digest */
		struct compare_digests digests;
		uint64_t ranges[COMPARE_RANGES / 64];
		uint64_t told;
	} peer;
};

struct compare_result {
	enum compare_phase phase;
	bool is_complete; /* nothing of it was lost */
	uint64_t here, there;
	unsigned int ranges; /* that differed */
	/* Of how many sessions so; where not all fit into the list, as it
	 * seemed at first, and of the list. */
	uint64_t differing, by_what[COMPARE_N_WHATS];
	uint64_t unanswered;
	int64_t took_ms;
};

struct replica;

/* compare_start - false: one is running, or the peer is not there. */
bool compare_start(struct replica *r, const struct nat64 *n, struct mono now);

void compare_get_result(const struct replica *r, struct mono now,
			struct compare_result *out);

/* compare_entry - the @i-th session that differs; NULL: there are no more, or
 * it is not known yet. */
const struct compare_entry *compare_entry(const struct replica *r, size_t i);

const char *compare_phase_name(enum compare_phase p);
const char *compare_what_name(enum compare_what w);

/* For replica.c: each tick, each record that is meant for us, and when the
 * peer has started anew. */
void compare_tick(struct replica *r, struct nat64 *n, struct mono now);
void compare_new_peer(struct replica *r, struct mono now);
void compare_take(struct replica *r, struct nat64 *n,
		  const struct sync_record *rec, struct mono now);

#endif
