/* SPDX-License-Identifier: MIT */
/*
 * Learning the PLAT's prefix: from AAAA records of ipv4only.arpa (RFC 7050)
 * and from router advertisements (RFC 8781). What was received is bytes, what
 * was learned is prefixes with lifetimes; sockets are the caller's.
 */
#ifndef CORE_PREF64_H
#define CORE_PREF64_H

#include "../base/clock.h"
#include "rfc6052.h"

#define PREF64_MAX	   16 /* prefixes remembered at a time */
#define PREF64_QUERY_BYTES 64

/* What one message said. */
struct pref64_found {
	struct prefix6 p;
	uint32_t lifetime_s; /* 0: withdrawn */
};

struct pref64_list {
	struct pref64_found v[PREF64_MAX]; /* in the order received */
	unsigned int n;
};

/* ---- RFC 7050 --------------------------------------------------------------
 */

/*
 * pref64_from_synthetic - the prefixes behind AAAA records of ipv4only.arpa.
 * @v: @n addresses as received; @out: each prefix once, lifetimes 0
 *
 * An address counts when exactly one of 192.0.0.170 and 192.0.0.171 is in it,
 * exactly once on any octet boundary, at a place of RFC 6052 section 2.2.
 * One that has more of them counts only together with its twin: both
 * well-known addresses synthesised from the same prefix were received.
 * Context: pure. RFC 7050 section 3.
 */
void pref64_from_synthetic(const struct in6_addr *v, unsigned int n,
			   struct pref64_list *out);

/*
 * pref64_put_query - AAAA of ipv4only.arpa: recursion desired, checking not
 * disabled, EDNS when @edns. Returns the length written to @buf.
 */
unsigned int pref64_put_query(uint16_t id, bool edns,
			      uint8_t buf[PREF64_QUERY_BYTES]);

enum pref64_answer {
	PREF64_FOREIGN,	  /* no answer to this query, or malformed: wait on */
	PREF64_FOUND,	  /* @out is set, with the records' lowest TTL */
	PREF64_NEGATIVE,  /* NXDOMAIN, or no AAAA record: @ttl_s until again */
	PREF64_UNUSABLE,  /* AAAA records without a well-known address: same */
	PREF64_TRUNCATED, /* the TC bit: not to be used */
	PREF64_FAILED,	  /* SERVFAIL, REFUSED, ... */
	PREF64_NO_EDNS,	  /* FORMERR or NOTIMP: ask again without EDNS */
};

/*
 * pref64_parse_answer - what a datagram from the server that was asked says.
 * @id: of the query; @ttl_s: how long the answer holds (0: it does not say)
 * Context: pure; any bytes are safe.
 */
enum pref64_answer pref64_parse_answer(const uint8_t *msg, size_t len,
				       uint16_t id, struct pref64_list *out,
				       uint32_t *ttl_s);

/*
 * pref64_ask_again_s - seconds to wait after an answer that holds @ttl_s: ten
 * less than that (RFC 7050 section 3), half of it when it is short; never 0.
 */
uint32_t pref64_ask_again_s(uint32_t ttl_s);

/* ---- RFC 8781 --------------------------------------------------------------
 */

/*
 * pref64_parse_ra - the PREF64 options of a router advertisement.
 * @msg: from the ICMPv6 header on, checksum verified by the caller
 * @hop_limit, @src: as received
 *
 * Returns false when RFC 4861 section 6.1.2 discards the message. Options with
 * a length or prefix length code that RFC 8781 does not define, or with a
 * prefix that RFC 6052 does not allow, are skipped.
 * Context: pure; any bytes are safe.
 */
bool pref64_parse_ra(const uint8_t *msg, size_t len, int hop_limit,
		     const struct in6_addr *src, struct pref64_list *out);

/* ---- what is known ---------------------------------------------------------
 */

struct pref64_known {
	struct prefix6 p;
	struct in6_addr from; /* the router; :: for DNS */
	struct mono until;
	bool refused; /* the caller's: it turned out to be of no use */
};

/*
 * All learned prefixes: those of routers before those of DNS (RFC 8781 section
 * 5.1), oldest first. The first one that is of use is used, and stays in use
 * until its time is over, its source withdraws it or a router knows better,
 * whatever else arrives: connections depend on it.
 */
struct pref64_set {
	struct pref64_known v[PREF64_MAX];
	unsigned int n;
};

/*
 * pref64_learn - take over what @from has said.
 * A lifetime of 0 withdraws; what is not mentioned lives on to its end. When
 * the table is full the rest is ignored, but a router's takes the place of
 * the last one of DNS.
 */
void pref64_learn(struct pref64_set *s, const struct pref64_list *l,
		  const struct in6_addr *from, struct mono now);
/* pref64_keep_only - forget what @from said earlier and @l does not repeat. */
void pref64_keep_only(struct pref64_set *s, const struct pref64_list *l,
		      const struct in6_addr *from);
/* pref64_expire - forget what is over at @now. */
void pref64_expire(struct pref64_set *s, struct mono now);
/* pref64_find - the first of @s with this prefix; NULL: it is not known. */
const struct pref64_known *pref64_find(const struct pref64_set *s,
				       const struct prefix6 *p);
/* pref64_by_dns - is DNS the source? Else a router is. */
bool pref64_by_dns(const struct pref64_known *k);
/* pref64_by_router - is any prefix of a router known? */
bool pref64_by_router(const struct pref64_set *s);
/* pref64_forget_routers - the link to them is gone. */
void pref64_forget_routers(struct pref64_set *s);
/* pref64_next_end - when the next one is over; false: none is known. */
bool pref64_next_end(const struct pref64_set *s, struct mono *when);

#endif
