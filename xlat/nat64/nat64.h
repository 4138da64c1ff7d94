/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146: BIB and session tables of a stateful NAT64, in terms of transport
 * addresses, not packets. PURE: time and memory are the caller's.
 */
#ifndef NAT64_NAT64_H
#define NAT64_NAT64_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"
#include "../core/reason.h"
#include "blocks.h"

enum nat64_proto { NAT64_TCP, NAT64_UDP, NAT64_ICMP, NAT64_N_PROTOS };

/* As in byte 13 of the TCP header. */
#define NAT64_FIN 0x01
#define NAT64_SYN 0x02
#define NAT64_RST 0x04
#define NAT64_ACK 0x10

/* Session states; UDP and ICMP sessions have none (CLOSED is never stored). */
enum nat64_state {
	NAT64_STATELESS,
	NAT64_V4_INIT,
	NAT64_V6_INIT,
	NAT64_ESTABLISHED,
	NAT64_V4_FIN,
	NAT64_V6_FIN,
	NAT64_BOTH_FIN,
	NAT64_TRANS,
	NAT64_N_STATES,
};

/*
 * A session as RFC 6146 section 2 names its ends: src6 = (X',x) the IPv6
 * host, dst6 = (Y',y) its view of the IPv4 host, src4 = (T,t) of pool4,
 * dst4 = (Z,z) the IPv4 host. y and z are the same number: dst_port.
 * ICMP: both source ports are identifiers, dst_port is 0.
 * All in network byte order.
 */
struct nat64_flow {
	enum nat64_proto proto;
	uint8_t tcp_flags;
	__be16 src6_port, src4_port, dst_port;
	struct in_addr src4, dst4;
	struct in6_addr src6, dst6;
};

struct nat64_timers {
	int64_t tcp_est_ns;   /* 2h4m */
	int64_t tcp_trans_ns; /* 4m */
	int64_t udp_ns;	      /* 5m */
	int64_t icmp_ns;      /* 60s */
	/* A port that a UDP or ICMP mapping had is given to no other one for
	 * this long, and up to twice as long; 0: at once. RFC 6888 REQ-8. */
	int64_t hold_ns; /* 120s */
};

/* One address of pool4 and its ports (identifiers), both ends included. */
struct nat64_pool4 {
	struct in_addr addr;
	struct {
		uint16_t lo, hi; /* host order; hi 0: none */
	} ports[NAT64_N_PROTOS];
};

#define NAT64_MAX_POOL4	   4096
#define NAT64_MAX_SESSIONS (UINT32_C(1) << 26)

struct nat64_cfg {
	const struct nat64_pool4 *pool4; /* copied */
	uint32_t n_pool4;		 /* 1..NAT64_MAX_POOL4 */
	uint32_t max_sessions;		 /* 1..NAT64_MAX_SESSIONS */
	uint32_t max_bibs;		 /* likewise */
	bool addr_dependent;		 /* filtering, section 3.5.1.2 */
	/* Hosts whose addresses share this many bits are one subscriber: they
	 * share a pool4 address, and the limits. */
	uint8_t subscriber_len;
	/* What one subscriber may hold (RFC 6888 REQ-4); 0: any number. Of
	 * the sessions, half may be begun from the IPv4 side. */
	uint32_t limit_sessions, limit_ports;
	/* New mappings a second, of ten seconds at once; 0: any number. */
	uint32_t limit_rate;
	struct nat64_blocks blocks; /* the only ports of a subscriber */
	struct nat64_timers timers;
	uint64_t seed[2]; /* secret: keys hashes and port selection */
};

struct nat64_proto_stats {
	uint32_t sessions, bibs;	/* now */
	uint64_t created, expired;	/* sessions */
	uint64_t ports_free, ports_all; /* over all addresses */
	uint64_t ports_held;		/* neither free nor in use */
};

struct nat64_stats {
	struct nat64_proto_stats proto[NAT64_N_PROTOS];
	uint32_t max_sessions, max_bibs;
	uint64_t no_port, sessions_full, bibs_full, filtered;
	/* refused by limits */
	uint64_t limited_sessions, limited_ports, limited_rate;
	uint32_t subscribers; /* on record now */
	uint64_t not_moved;   /* sessions that nat64_migrate ended */
	size_t memory_bytes;
};

struct nat64;

/* nat64_cfg_init - RFC 6146 section 4 timers, 65536 entries, /64 subscribers.
 */
void nat64_cfg_init(struct nat64_cfg *cfg);

/* nat64_memory - bytes that nat64_init needs for @cfg. Pure. */
size_t nat64_memory(const struct nat64_cfg *cfg);

/*
 * nat64_init - lay out the tables.
 * @mem: nat64_memory() ZEROED bytes, aligned to 64; the caller frees it when
 *       done. Untouched pages of the tables stay untouched.
 * @now: the earliest time that will be passed
 *
 * Returns the table, which lies at @mem; NULL when @cfg is out of range (no
 * address, an address twice, a port range upside down, zero sizes, blocks
 * that do not fit).
 * Context: pure.
 */
struct nat64 *nat64_init(void *mem, const struct nat64_cfg *cfg,
			 struct mono now);

/* nat64_set_timers - for sessions from their next packet on. */
void nat64_set_timers(struct nat64 *n, const struct nat64_timers *t);

/*
 * nat64_set_limits - for what comes; nobody loses what he holds. No effect
 * when there were none at nat64_init.
 */
void nat64_set_limits(struct nat64 *n, uint32_t sessions, uint32_t ports,
		      uint32_t rate);

/*
 * nat64_add_static - a BIB entry that never expires (section 3.5, "manually
 * configured"). Port or identifier in network order.
 * Returns 0; -ENOENT when the address or port is not in pool4; -EEXIST when
 * either side is taken; -ENOSPC. Context: pure.
 */
int nat64_add_static(struct nat64 *n, enum nat64_proto proto,
		     const struct in6_addr *src6, __be16 src6_port,
		     struct in_addr src4, __be16 src4_port);

/*
 * nat64_del_static - the entry with these ends is static no more: it goes at
 * once, or with its last session. Returns 0 or -ENOENT. Context: pure.
 */
int nat64_del_static(struct nat64 *n, enum nat64_proto proto,
		     const struct in6_addr *src6, __be16 src6_port,
		     struct in_addr src4, __be16 src4_port);

/* The end of a mapping that a host would like; zero: any. */
struct nat64_want {
	struct in_addr addr;
	uint16_t port; /* host order */
	bool only;     /* that, or none */
};

/*
 * nat64_map - a mapping that stays without sessions, for a host that asked for
 * it (RFC 6887 section 11): the BIB entry of @f's proto, src6 and src6_port,
 * which is made where there is none. Filtering lets everybody in.
 * @want: NULL: nothing in particular; without effect on an entry that exists
 * @f: out: src4, src4_port
 *
 * Returns REASON_OK; REASON_NAT64_NO_PORT, also when `only` cannot be;
 * _TABLE_FULL, _HOST_PORTS, _HOST_RATE.
 * Context: pure.
 *
 * nat64_unmap - it goes at once, or with its last session. False: there is
 * none.
 */
enum reason nat64_map(struct nat64 *n, struct nat64_flow *f,
		      const struct nat64_want *want, struct mono now);
bool nat64_unmap(struct nat64 *n, const struct nat64_flow *f);

/*
 * nat64_migrate - move sessions, static entries, counters and watchers into
 * @to, a fresh table of another configuration, as far as they fit there.
 * @to has the static entries of its configuration already. @from is good for
 * nothing afterwards but having its memory freed.
 * Returns the number of living sessions that ended since they did not fit.
 * Context: pure; cost: the whole table.
 */
uint64_t nat64_migrate(struct nat64 *to, struct nat64 *from, struct mono now);

/*
 * nat64_out - a packet from the IPv6 side: find or create BIB and session,
 * advance TCP's state and the timers (sections 3.5.1 to 3.5.3).
 * @f: in: proto, tcp_flags, src6, src6_port, dst6, dst4, dst_port;
 *     out: src4, src4_port
 *
 * Returns REASON_OK, REASON_NAT64_NO_PORT, _TABLE_FULL, _HOST_LIMIT (of
 * sessions), _HOST_PORTS, _HOST_RATE, or _TCP_SYN (neither SYN nor a BIB
 * entry).
 * Context: pure; cost: constant.
 *
 * nat64_in - a packet from the IPv4 side.
 * @f: in: proto, tcp_flags, src4, src4_port, dst4, dst_port, dst6 (dst4
 *     inside pref64); out: src6, src6_port
 *
 * Returns REASON_OK, REASON_NAT64_NO_BIB, _FILTERED, _TABLE_FULL, _HOST_LIMIT.
 *
 * An IPv4-initiated SYN that is refused here may be stored: syn.h.
 */
enum reason nat64_out(struct nat64 *n, struct nat64_flow *f, struct mono now);
enum reason nat64_in(struct nat64 *n, struct nat64_flow *f, struct mono now);

/* A packet that is about to come: its ends as nat64_out or nat64_in will be
 * given them, as far as they name a BIB entry. */
struct nat64_ahead {
	struct nat64_flow flow;
	bool from6;
};

#define NAT64_WARM_MAX 32 /* at a time; more are taken in portions */

/*
 * nat64_warm - fetch into the cache what @count packets will need, their waits
 * for memory overlapping. Changes nothing; a wrong guess costs time only.
 * Context: pure.
 */
void nat64_warm(const struct nat64 *n, const struct nat64_ahead *a,
		size_t count);

/*
 * nat64_peek_out / nat64_peek_in - the same translation for what an ICMP
 * error quotes: finds a living session, never creates or refreshes one
 * (section 3.5: ICMP errors do not affect lifetimes).
 * Returns REASON_OK or REASON_NAT64_NO_SESSION.
 */
enum reason nat64_peek_out(const struct nat64 *n, struct nat64_flow *f,
			   struct mono now);
enum reason nat64_peek_in(const struct nat64 *n, struct nat64_flow *f,
			  struct mono now);

/* nat64_in_block - are @f's sources a host and a port of his own block? */
bool nat64_in_block(const struct nat64 *n, const struct nat64_flow *f);
/* nat64_pool4 - the addresses in the order of their numbers; @count of them. */
const struct in_addr *nat64_pool4(const struct nat64 *n, uint32_t *count);

/* nat64_in_pool4 - is @a one of ours? Then a translated packet hairpins. */
bool nat64_in_pool4(const struct nat64 *n, struct in_addr a);

/*
 * nat64_expire - forget sessions whose time is over.
 * @budget: most table entries and wheel slots to look at
 *
 * Returns true when there is more to do now. Sessions past their time are
 * never used, whether forgotten yet or not; a BIB entry lives until its last
 * session is forgotten. Times are rounded up to NAT64_TICK_NS for that.
 */
bool nat64_expire(struct nat64 *n, struct mono now, unsigned int budget);
#define NAT64_TICK_NS (250 * NS_PER_MS)

/*
 * nat64_set_probe - have @fn called by nat64_expire for each session of our
 * own (not the peer's) that was established, and silent for tcp_est_ns: the
 * moment for an empty segment that makes its ends speak (section 3.5.2.2). It
 * waits for that in state TRANS, whether there is @fn (not NULL) or not. @fn
 * must not call back into the table.
 */
typedef void nat64_probe_fn(void *arg, const struct nat64_flow *f,
			    struct mono now);
void nat64_set_probe(struct nat64 *n, nat64_probe_fn *fn, void *arg);

void nat64_get_stats(const struct nat64 *n, struct nat64_stats *out);

/* ---- listings -------------------------------------------------------------
 */

struct nat64_bib_info {
	struct nat64_flow flow; /* proto and both sources */
	uint32_t sessions;
	bool is_static, is_mapped;
};

/* nat64_find_bib - the entry of @f's proto, src6 and src6_port. */
bool nat64_find_bib(const struct nat64 *n, const struct nat64_flow *f,
		    struct nat64_bib_info *out);

struct nat64_session_info {
	struct nat64_flow flow;
	enum nat64_state state;
	int64_t left_ns;
	uint32_t version; /* grows with each change; numbers go round */
	bool is_copy;	  /* the peer's, not touched here */
};

/*
 * nat64_list_bibs / nat64_list_sessions - up to @max entries from @*cursor on.
 * @cursor: 0 at first; moved; UINT32_MAX when there is no more. Entries that
 *          come and go between calls may or may not be seen; none twice.
 * @scan: most table slots to look at in this call
 * Returns the number written.
 */
size_t nat64_list_bibs(const struct nat64 *n, uint32_t *cursor, uint32_t scan,
		       struct nat64_bib_info *out, size_t max);
size_t nat64_list_sessions(const struct nat64 *n, uint32_t *cursor,
			   uint32_t scan, struct mono now,
			   struct nat64_session_info *out, size_t max);

/* ---- watching -------------------------------------------------------------
 */

enum nat64_event {
	NAT64_SESSION_NEW,   /* traffic made it, not the peer */
	NAT64_SESSION_STATE, /* traffic brought TCP into another state */
	NAT64_SESSION_END,   /* whosever it was */
	NAT64_BIB_NEW,	     /* for whatever reason */
	NAT64_BIB_END,
};

/*
 * nat64_watch - call @fn for what happens in the table, until nat64_unwatch
 * with the same @fn and @arg. Of a BIB entry only proto and the sources are
 * told; of what ends, the time left is 0. @fn must not call back into the
 * table. Returns false when NAT64_WATCHERS are watching already.
 */
typedef void nat64_watch_fn(void *arg, enum nat64_event ev,
			    const struct nat64_session_info *s);
#define NAT64_WATCHERS 3
bool nat64_watch(struct nat64 *n, nat64_watch_fn *fn, void *arg);
void nat64_unwatch(struct nat64 *n, nat64_watch_fn *fn, void *arg);

/* ---- warm standby ---------------------------------------------------------
 */

/* What became of a session that the peer told of. */
enum nat64_import {
	NAT64_IMPORT_ADDED,
	NAT64_IMPORT_UPDATED,
	NAT64_IMPORT_KEPT,     /* ours is as new, or newer */
	NAT64_IMPORT_CONFLICT, /* either end is bound otherwise here */
	NAT64_IMPORT_REFUSED,  /* makes no sense, or is not in pool4 */
	NAT64_IMPORT_FULL,
	NAT64_N_IMPORTS,
};

/*
 * nat64_import - install what the peer says of a session, with its BIB entry.
 * @walk: number of the peer's walk in which it says so
 *
 * An imported session is the peer's until a packet of ours touches it: it is
 * not told back, and ends at its time unless the peer tells of it again. What
 * is older than what we have changes nothing. A binding that exists here
 * always stays. Context: pure.
 */
enum nat64_import nat64_import(struct nat64 *n,
			       const struct nat64_session_info *s,
			       unsigned int walk, struct mono now);

/* nat64_import_end - the peer has no such session, nor had a newer one: a copy
 * of ours ends. False when there is none. */
bool nat64_import_end(struct nat64 *n, const struct nat64_session_info *s);

/* nat64_find_session - the living one between just these ends. */
bool nat64_find_session(const struct nat64 *n, const struct nat64_flow *f,
			struct mono now, struct nat64_session_info *out);

/*
 * nat64_list_news - as nat64_list_sessions, what the peer has to be told: our
 * own sessions, and those copies of the peer's of which it has said nothing
 * in its walks @walk and @walk - 1.
 * @adopt: the peer has lost its table: its copies become our own
 */
size_t nat64_list_news(struct nat64 *n, uint32_t *cursor, uint32_t scan,
		       bool adopt, unsigned int walk, struct mono now,
		       struct nat64_session_info *out, size_t max);

/* nat64_state_name, nat64_proto_name - "established", "tcp". */
const char *nat64_state_name(enum nat64_state s);
const char *nat64_proto_name(enum nat64_proto p);

/*
 * nat64_check - verify every invariant of the tables, for tests.
 * Returns NULL, or what is broken. Cost: the whole table.
 */
const char *nat64_check(const struct nat64 *n);

#endif
