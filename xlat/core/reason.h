/* SPDX-License-Identifier: MIT */
/*
 * What became of a packet, and why: every packet ends in one verdict and one
 * reason, and each reason is a counter slot.
 */
#ifndef CORE_REASON_H
#define CORE_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum verdict {
	VERDICT_FORWARD,  /* translated in place: send the packet */
	VERDICT_FRAGMENT, /* translated: send what frag_next() yields instead */
	VERDICT_HAIRPIN,  /* nat64: translated back to IPv6; never from core */
	VERDICT_REPLY,	  /* untouched: send the ICMP error built instead */
	VERDICT_DROP,	  /* untouched: send nothing */
	VERDICT_HOLD,	  /* nat64: kept, to be run again; never from core */
};

/*
 * X(symbol, name). Names are stable: they are counters in `xlatd ctl stats`
 * and in results. A new reason goes to the end of its section.
 */
#define REASON_LIST(X)                                                         \
	X(OK, "ok")                                                            \
	/* parsing */                                                          \
	X(TRUNCATED, "truncated")                                              \
	X(BAD_VERSION, "bad-version")                                          \
	X(BAD_HEADER, "bad-header")                                            \
	X(BAD_HEADER_CSUM, "bad-header-checksum")                              \
	X(BAD_LENGTH, "bad-length")                                            \
	X(BAD_EXTENSION, "bad-extension-header")                               \
	X(BAD_FRAGMENT, "bad-fragment")                                        \
	X(BAD_GSO, "bad-offload-metadata")                                     \
	X(SOURCE_ROUTE, "unexpired-source-route")                              \
	X(ROUTING_HEADER, "routing-header-segments-left")                      \
	X(FRAG_EXTENSION, "extension-header-in-fragment")                      \
	X(FRAG_ICMP, "fragmented-icmp")                                        \
	X(NESTED_ERROR, "icmp-error-about-icmp-error")                         \
	/* addresses */                                                        \
	X(ILLEGAL_SOURCE, "illegal-source")                                    \
	X(ILLEGAL_DESTINATION, "illegal-destination")                          \
	X(MULTICAST, "multicast")                                              \
	X(NO_MAPPING_SOURCE, "source-without-mapping")                         \
	X(NO_MAPPING_DESTINATION, "destination-without-mapping")               \
	X(WKP_NON_GLOBAL, "well-known-prefix-with-non-global-ipv4")            \
	/* translation */                                                      \
	X(TTL_EXPIRED, "ttl-expired")                                          \
	X(TOO_BIG, "too-big")                                                  \
	X(TOO_LONG_FOR_IPV4, "too-long-for-ipv4")                              \
	X(SUPERPACKET_TOO_BIG, "superpacket-too-big-without-df")               \
	X(NO_HEADROOM, "no-headroom")                                          \
	X(NO_TAILROOM, "no-tailroom")                                          \
	X(UDP_ZERO_CSUM, "udp-checksum-zero")                                  \
	X(UDP_ZERO_CSUM_FRAG, "udp-checksum-zero-in-fragment")                 \
	X(ICMP_TYPE, "icmp-type-not-translated")                               \
	X(ICMP_CODE, "icmp-code-not-translated")                               \
	X(ICMP_POINTER, "icmp-pointer-not-translated")                         \
	X(IGMP, "igmp")                                                        \
	/* RFC 6146 */                                                         \
	X(NAT64_NOT_POOL6, "destination-outside-pool6")                        \
	X(NAT64_NOT_POOL4, "destination-outside-pool4")                        \
	X(NAT64_LOOP, "source-inside-pool6")                                   \
	X(NAT64_PROTOCOL, "protocol-without-sessions")                         \
	X(NAT64_NO_BIB, "no-bib-entry")                                        \
	X(NAT64_NO_SESSION, "no-session")                                      \
	X(NAT64_FILTERED, "filtered")                                          \
	X(NAT64_NO_PORT, "pool4-exhausted")                                    \
	X(NAT64_TABLE_FULL, "session-table-full")                              \
	X(NAT64_HOST_LIMIT, "session-limit-of-host")                           \
	X(NAT64_HOST_PORTS, "port-limit-of-host")                              \
	X(NAT64_HOST_RATE, "mapping-rate-of-host")                             \
	X(NAT64_TCP_SYN, "tcp-without-session-and-syn")                        \
	X(NAT64_SYN_QUEUE, "tcp-syn-stored")                                   \
	X(NAT64_SYN_FULL, "tcp-syn-not-stored")                                \
	X(NAT64_SYN_OVER, "tcp-syn-answered-by-nobody")                        \
	X(NAT64_FRAGMENT, "fragment-without-first")                            \
	X(NAT64_FRAG_FULL, "fragment-not-held")                                \
	X(NAT64_HAIRPIN_LOOP, "hairpin-loop")                                  \
	/* input and output */                                                 \
	X(IO_QUEUE_FULL, "output-queue-full")                                  \
	X(IO_ERROR, "output-error")

enum reason {
#define X(symbol, name) REASON_##symbol,
	REASON_LIST(X)
#undef X
		REASON_COUNT
};

/* One counter for each reason; `counters.n[reason]++` on every verdict. */
struct reason_counters {
	uint64_t n[REASON_COUNT];
};

/* reason_name - the stable name, e.g. "ttl-expired". Context: pure. */
const char *reason_name(enum reason r);

/* verdict_name - "forward", "fragment", "hairpin", "reply", "drop". Pure. */
const char *verdict_name(enum verdict v);

/*
 * reason_is_event - is the administrator to be told which packet it was?
 * RFC 7915 sections 4.5 (UDP without a checksum) and 5.1.1 (an extension
 * header behind a fragment header). Context: pure.
 */
bool reason_is_event(enum reason r);

/*
 * What to tell the sender of a packet refused for a reason.
 *
 * silent: nothing. Otherwise an ICMPv4 or ICMPv6 error of this type and
 * code; the MTU or the pointer comes from the packet.
 */
struct reason_icmp {
	bool silent;
	uint8_t type, code;
};

/*
 * reason_icmp4 / reason_icmp6 - the error owed to an IPv4 / IPv6 sender.
 *
 * RFC 7915 sections 4, 4.4, 5 and 5.4 (3/13 and 1/1 for what is not dropped
 * silently), RFC 6146 section 3.5 (pool4 exhausted: ICMPv6 1/3; filtered:
 * ICMPv4 3/13). Context: pure.
 */
struct reason_icmp reason_icmp4(enum reason r);
struct reason_icmp reason_icmp6(enum reason r);

#endif
