/* SPDX-License-Identifier: MIT */
/* Private to nat64: the tables' layout. Theory of operation: table.c. */
#ifndef NAT64_INTERNAL_H
#define NAT64_INTERNAL_H

#include "nat64.h"

#define NONE UINT32_MAX

/* ---- pool4 ----------------------------------------------------------------
 */

#define N_CLASSES	2   /* odd ports; the range is split within */
#define CLASS_WORDS	512 /* 32768 ports of one parity */
#define CLASS_SUMMARIES 8
#define LOW_WORDS	8 /* ports below 1024 */
#define N_AGES		2

/* Bit i of class c stands for port 2i + c. */
struct ports {
	uint64_t free[N_CLASSES][CLASS_WORDS];
	uint64_t some[N_CLASSES][CLASS_SUMMARIES]; /* word has a free bit */
	/* given back: since turned_ns, and before */
	uint64_t held[N_AGES][N_CLASSES][CLASS_WORDS];
	int64_t turned_ns;
	uint32_t n_free, n_held[N_AGES];
	uint16_t lo, hi; /* host order; hi 0: none */
};

#define POOL_WORDS (NAT64_MAX_POOL4 / 64)

struct pool {
	uint32_t n;
	struct in_addr *addrs;			   /* sorted by host order */
	struct ports *ports;			   /* [address][proto] */
	uint64_t some[NAT64_N_PROTOS][POOL_WORDS]; /* address has a free port */
	uint64_t n_free[NAT64_N_PROTOS], n_all[NAT64_N_PROTOS];
	uint64_t n_held[NAT64_N_PROTOS];
	uint32_t turning; /* of ports, the next that pool_turn looks at */
};

/* ---- tables ---------------------------------------------------------------
 */

#define ENTRY_USED   0x01
#define ENTRY_STATIC 0x02
#define ENTRY_MAPPED 0x40 /* BIB: its host asked for it: nat64_map */
#define ENTRY_KEPT   (ENTRY_STATIC | ENTRY_MAPPED) /* without sessions */
#define ENTRY_REMOTE 0x04 /* session: the peer's, not touched here */
#define ENTRY_FROM4  0x08 /* session: the IPv4 side began it */
/* Session: the peer's walk that told of it last, two bits of its number. */
#define ENTRY_WALK	 0x30
#define ENTRY_WALK_SHIFT 4

/* What each packet reads comes first, so that it is one line mostly. */
struct bib {
	struct in6_addr src6;
	struct in_addr src4;
	__be16 src6_port, src4_port;
	uint16_t pool; /* index of src4 in pool.addrs */
	uint8_t proto, flags;
	uint32_t first; /* a session + 1 that is in no chain; 0: none */
	uint32_t n_sessions;
	uint32_t next6, next4; /* hash chains; next6 also the free list */
	uint32_t subscriber;   /* index, or NONE where nobody has a limit */
};

/* What all hosts of one prefix hold together. */
struct subscriber {
	uint64_t prefix[2];
	uint32_t sessions, sessions4; /* 4: those that the IPv4 side began */
	uint32_t bibs;
	uint32_t next;
	int64_t paid_ns; /* mappings so far, at limit_rate, last until then */
};

struct session {
	int64_t deadline_ns;
	struct in_addr dst4;
	__be16 dst_port;
	uint8_t state, flags;
	uint32_t bib;
	uint32_t next; /* hash chain, free list */
	uint32_t wheel_next;
	uint32_t wheel_prev; /* session, or WHEEL_HEAD | slot */
	uint32_t version;    /* of what the peer is told: standby.c */
	uint32_t permit;     /* index, or NONE */
	struct in6_addr dst6;
};

/* Addresses that a BIB entry has sessions with; address-dependent only. */
struct permit {
	uint32_t bib;
	struct in_addr dst4;
	uint32_t refs;
	uint32_t next;
};

/* What a packet of a living session reads and writes of each. */
#define BIB_HOT_BYTES	  offsetof(struct bib, next6)
#define SESSION_HOT_BYTES offsetof(struct session, next)

_Static_assert(sizeof(struct bib) <= 48, "a BIB entry has grown");
_Static_assert(sizeof(struct session) <= 56, "a session has grown");

#define WHEEL_SLOTS 8192
#define WHEEL_HEAD  UINT32_C(0x80000000)

/* Entries that were never used lie behind `fresh` and are not in the list. */
struct freelist {
	uint32_t head, fresh, max;
};

struct nat64 {
	struct nat64_timers timers;
	bool addr_dependent;
	uint8_t subscriber_len;
	struct nat64_blocks blocks;
	uint64_t seed[2];
	uint64_t picks; /* ports picked at random so far */
	struct pool pool;
	struct bib *bibs;
	struct session *sessions;
	struct permit *permits;
	struct subscriber *subscribers;
	uint32_t *by6, *by4, *by_session, *by_permit, *by_subscriber;
	uint32_t bib_slots, session_slots; /* heads of one table */
	struct freelist free_bibs, free_sessions, free_permits,
		free_subscribers;
	bool has_limits;
	/* of a subscriber; 0: none */
	uint32_t limit_sessions, limit_ports, limit_rate;
	uint32_t *wheel;
	int64_t cursor; /* tick whose slot is being emptied */
	struct nat64_stats stats;
	struct {
		nat64_watch_fn *fn;
		void *arg;
	} watchers[NAT64_WATCHERS];
	unsigned int n_watchers;
	nat64_probe_fn *probe;
	void *probe_arg;
	uint32_t newest_gone; /* version among the sessions that have ended */
};

/* slot_of_hash - one of @slots, without a division and whatever their number.
 */
static inline uint32_t slot_of_hash(uint64_t hash, uint32_t slots)
{
	return (uint32_t)((hash >> 32) * slots >> 32);
}

/* version_after - was @a said after @b? Numbers go round. */
static inline bool version_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/* free_is_out - no entry is left. */
static inline bool free_is_out(const struct freelist *l)
{
	return l->head == NONE && l->fresh == l->max;
}

/* ---- watch.c --------------------------------------------------------------
 */

/* watch_session, watch_bib - tell all watchers; @now: for the time left. */
void watch_session(const struct nat64 *n, enum nat64_event ev, uint32_t s,
		   struct mono now);
void watch_bib(const struct nat64 *n, enum nat64_event ev, uint32_t b);

/* ---- pool4.c --------------------------------------------------------------
 */

size_t pool_bytes(uint32_t n);
/* pool_init - false when the configuration makes no sense. */
bool pool_init(struct pool *p, void *mem, const struct nat64_cfg *cfg);
/* pool_find - index of an address, or NONE. */
uint32_t pool_find(const struct pool *p, struct in_addr a);
/* pool_take - a particular port, held or not; false when taken or out of
 * range. */
bool pool_take(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port);
/* pool_is_free - in the range, not taken, not held. */
bool pool_is_free(const struct pool *p, uint32_t addr, enum nat64_proto proto,
		  uint16_t port);
void pool_give(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port);
/* pool_hold - give it back, but for nobody until pool_turn says so. */
void pool_hold(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port);
/* pool_turn - some of those that were held for @hold_ns are free again. To be
 * called now and then; cost: a few addresses. */
void pool_turn(struct pool *p, struct mono now, int64_t hold_ns);
/*
 * pool_pick - a port for a source port @want (host order), at the address
 * @first where possible; @random decides among equals.
 * Returns false when no address has one.
 */
bool pool_pick(struct pool *p, enum nat64_proto proto, uint32_t first,
	       uint16_t want, uint64_t random, uint32_t *addr, uint16_t *port);
/*
 * pool_pick_within - one of the ports @low to @high of @addr, all of which are
 * in its range: @want, else of its parity, else any. False: all are taken.
 */
bool pool_pick_within(struct pool *p, enum nat64_proto proto, uint32_t addr,
		      uint16_t low, uint16_t high, uint16_t want,
		      uint64_t random, uint16_t *port);
/* pool_check - NULL or what is wrong with the counts. */
const char *pool_check(const struct pool *p);

/* ---- table.c --------------------------------------------------------------
 */

/* sip_hash - SipHash-1-3 of 64-bit words; nat64_hash: under our own seed. */
uint64_t sip_hash(const uint64_t seed[2], const uint64_t *words,
		  unsigned int n_words);
uint64_t nat64_hash(const struct nat64 *n, const uint64_t *words,
		    unsigned int n_words);

uint32_t bib_find6(const struct nat64 *n, enum nat64_proto proto,
		   const struct in6_addr *src6, __be16 port);
uint32_t bib_find4(const struct nat64 *n, enum nat64_proto proto,
		   struct in_addr src4, __be16 port);
/* bib_add - the port is taken from the pool already. NONE: table full. */
uint32_t bib_add(struct nat64 *n, const struct nat64_flow *f, uint32_t pool);
/* bib_del - gives the port back. */
void bib_del(struct nat64 *n, uint32_t b);

uint32_t session_find(const struct nat64 *n, uint32_t b, struct in_addr dst4,
		      __be16 dst_port);
/* session_add - @from6: who began it. NONE: table full. */
uint32_t session_add(struct nat64 *n, uint32_t b, const struct nat64_flow *f,
		     bool from6, enum nat64_state state, int64_t deadline_ns);
/* session_del - and its BIB entry, when that was the last one. */
void session_del(struct nat64 *n, uint32_t s);
/* session_set_deadline - cheap when it moves further away. */
void session_set_deadline(struct nat64 *n, uint32_t s, int64_t deadline_ns);

bool permit_find(const struct nat64 *n, uint32_t b, struct in_addr dst4);

/* ---- binding.c ------------------------------------------------------------
 */

/*
 * binding_new - a BIB entry for @f's host and port, which has none yet.
 * @want: what it asked for; NULL: nothing
 * @f: out: src4, src4_port
 */
enum reason binding_new(struct nat64 *n, struct nat64_flow *f,
			const struct nat64_want *want, struct mono now,
			uint32_t *b);

/* ---- subscriber.c ---------------------------------------------------------
 */

/* subscriber_prefix - the first @len bits of @a, the rest zero. */
void subscriber_prefix(unsigned int len, const struct in6_addr *a,
		       uint64_t w[2]);
/* subscriber_take - one more BIB entry of @a's; NONE where there is no limit.
 * A BIB entry must be sure. subscriber_give: one less. */
uint32_t subscriber_take(struct nat64 *n, const struct in6_addr *a);
void subscriber_give(struct nat64 *n, uint32_t i);
/* subscriber_count - a session more or less (@by 1 or -1). */
void subscriber_count(struct nat64 *n, uint32_t i, bool from6, int by);
bool subscriber_may_open(const struct nat64 *n, const struct in6_addr *a,
			 bool from6);
/* subscriber_may_bind - REASON_OK, or which limit is against it. */
enum reason subscriber_may_bind(const struct nat64 *n, const struct in6_addr *a,
				struct mono now);
/* subscriber_pay - for a mapping that was made for it. NONE is fine. */
void subscriber_pay(struct nat64 *n, uint32_t i, struct mono now);
const char *subscriber_check(const struct nat64 *n);

/* ---- standby.c ------------------------------------------------------------
 */

/*
 * bib_import - the BIB entry of @f with just these ends: found (_UPDATED), or
 * added (_ADDED) where both are free. Else why not.
 */
enum nat64_import bib_import(struct nat64 *n, const struct nat64_flow *f,
			     uint32_t *b);

/* session_changed - traffic has brought it into another state. */
void session_changed(struct nat64 *n, uint32_t s, struct mono now);

/* ---- idle.c ---------------------------------------------------------------
 */

/* session_idle - its time is over: may it wait on? False: it has to go. */
bool session_idle(struct nat64 *n, uint32_t s, struct mono now);

/* session_is_over - to be used no more, though not forgotten yet. What is
 * established ends in another state only: session_idle. */
static inline bool session_is_over(const struct session *s, struct mono now)
{
	return s->deadline_ns <= now.ns && s->state != NAT64_ESTABLISHED;
}

/* ---- inspect.c ------------------------------------------------------------
 */

void bib_describe(const struct bib *b, struct nat64_bib_info *out);
void session_describe(const struct nat64 *n, const struct session *s,
		      struct mono now, struct nat64_session_info *out);

/* Hash slots, for the checker as well. */
uint32_t bib_slot6(const struct nat64 *n, enum nat64_proto proto,
		   const struct in6_addr *src6, __be16 port);
uint32_t bib_slot4(const struct nat64 *n, enum nat64_proto proto,
		   struct in_addr src4, __be16 port);
uint32_t session_slot(const struct nat64 *n, uint32_t b, struct in_addr dst4,
		      __be16 dst_port);
uint32_t permit_slot(const struct nat64 *n, uint32_t b, struct in_addr dst4);

#endif
