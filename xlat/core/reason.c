/* SPDX-License-Identifier: MIT */
#include "reason.h"

const char *reason_name(enum reason r)
{
	static const char *const names[] = {
#define X(symbol, name) [REASON_##symbol] = name,
		REASON_LIST(X)
#undef X
	};

	return (unsigned int)r < REASON_COUNT ? names[r] : "unknown";
}

const char *verdict_name(enum verdict v)
{
	switch (v) {
	case VERDICT_FORWARD:
		return "forward";
	case VERDICT_FRAGMENT:
		return "fragment";
	case VERDICT_HAIRPIN:
		return "hairpin";
	case VERDICT_REPLY:
		return "reply";
	case VERDICT_DROP:
		return "drop";
	case VERDICT_HOLD:
		return "hold";
	}
	return "unknown";
}

bool reason_is_event(enum reason r)
{
	return r == REASON_UDP_ZERO_CSUM || r == REASON_UDP_ZERO_CSUM_FRAG ||
	       r == REASON_FRAG_EXTENSION;
}

static struct reason_icmp tell(uint8_t type, uint8_t code)
{
	return (struct reason_icmp){.type = type, .code = code};
}

static const struct reason_icmp nothing = {.silent = true};

/*
 * RFC 7915 sections 4.4 and 5.4: what is discarded without "silently" is told
 * as "administratively prohibited" unless said otherwise.
 */
static bool prohibited(enum reason r)
{
	return r == REASON_NO_MAPPING_SOURCE ||
	       r == REASON_NO_MAPPING_DESTINATION ||
	       r == REASON_WKP_NON_GLOBAL || r == REASON_UDP_ZERO_CSUM ||
	       r == REASON_UDP_ZERO_CSUM_FRAG || r == REASON_FRAG_EXTENSION;
}

/* All other reasons are silent. */
struct reason_icmp reason_icmp4(enum reason r)
{
	if (r == REASON_TTL_EXPIRED)
		return tell(11, 0);
	if (r == REASON_TOO_BIG)
		return tell(3, 4);
	if (r == REASON_SOURCE_ROUTE)
		return tell(3, 5);
	if (r == REASON_NAT64_SYN_OVER)
		return tell(3, 3);
	/* RFC 7915 section 4.4 makes an exception of errors only, which
	 * icmp_error_allowed() knows */
	if (r == REASON_NAT64_FILTERED || r == REASON_FRAG_ICMP ||
	    prohibited(r))
		return tell(3, 13);
	return nothing;
}

struct reason_icmp reason_icmp6(enum reason r)
{
	if (r == REASON_TTL_EXPIRED)
		return tell(3, 0);
	if (r == REASON_TOO_BIG)
		return tell(2, 0);
	if (r == REASON_ROUTING_HEADER)
		return tell(4, 0);
	/* RFC 6888 REQ-11 b: a soft error, so that hosts try on */
	if (r == REASON_NAT64_NO_PORT || r == REASON_NAT64_TABLE_FULL ||
	    r == REASON_NAT64_HOST_LIMIT || r == REASON_NAT64_HOST_PORTS ||
	    r == REASON_NAT64_HOST_RATE)
		return tell(1, 3);
	/*
	 * RFC 6146 section 3.5, to a host whose packet was hairpinned. Not
	 * about fragmented ICMPv6: section 5.4 makes an exception of all of it.
	 */
	if (r == REASON_NAT64_FILTERED || r == REASON_TOO_LONG_FOR_IPV4 ||
	    prohibited(r))
		return tell(1, 1);
	return nothing;
}
