/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A subscriber is all hosts whose addresses share subscriber_len bits. Where
 * there is a limit, each one that has a BIB entry is on record with what it
 * holds, so that refusing is a matter of two numbers, and nobody pays for
 * what others do. The record comes with the first BIB entry and goes with the
 * last; there can be no more of them than of those.
 *
 * A rate of new mappings (REQ-4c) is a debt in time: each mapping costs 1/rate,
 * and who owes more than BURST_NS waits. The record of who has no mapping at
 * all is gone, and his debt with it.
 *
 * Sessions that the IPv4 side began count as well, but may fill half of the
 * limit only: with endpoint-independent filtering anyone may open them, and
 * a stranger must not use up what the subscriber's own hosts need.
 */
#include <string.h>

#include "nat64_internal.h"

#define BURST_NS (10 * NS_PER_S)

void subscriber_prefix(unsigned int len, const struct in6_addr *a,
		       uint64_t w[2])
{
	unsigned char bytes[16] = {0};

	memcpy(bytes, a, len / 8);
	if (len % 8)
		bytes[len / 8] = (unsigned char)(a->s6_addr[len / 8] &
						 (0xff00 >> len % 8));
	memcpy(w, bytes, sizeof(bytes));
}

static uint32_t slot_of(const struct nat64 *n, const uint64_t w[2])
{
	return slot_of_hash(nat64_hash(n, w, 2), n->free_bibs.max);
}

static uint32_t *place_of(const struct nat64 *n, const uint64_t w[2])
{
	uint32_t *at = &n->by_subscriber[slot_of(n, w)];

	while (*at) {
		struct subscriber *s = &n->subscribers[*at - 1];

		if (s->prefix[0] == w[0] && s->prefix[1] == w[1])
			break;
		at = &s->next;
	}
	return at;
}

uint32_t subscriber_take(struct nat64 *n, const struct in6_addr *a)
{
	struct freelist *l = &n->free_subscribers;
	struct subscriber *s;
	uint64_t w[2];
	uint32_t *at, i;

	if (!n->has_limits)
		return NONE;
	subscriber_prefix(n->subscriber_len, a, w);
	at = place_of(n, w);
	if (*at) {
		n->subscribers[*at - 1].bibs++;
		return *at - 1;
	}
	i = l->head != NONE ? l->head : l->fresh;
	s = &n->subscribers[i];
	if (l->head != NONE)
		l->head = s->next;
	else
		l->fresh++;
	*s = (struct subscriber){.prefix = {w[0], w[1]}, .bibs = 1};
	*at = i + 1;
	n->stats.subscribers++;
	return i;
}

void subscriber_give(struct nat64 *n, uint32_t i)
{
	struct subscriber *s;
	uint32_t *at;

	if (i == NONE)
		return;
	s = &n->subscribers[i];
	if (--s->bibs)
		return;
	at = place_of(n, s->prefix);
	*at = s->next;
	s->next = n->free_subscribers.head;
	n->free_subscribers.head = i;
	n->stats.subscribers--;
}

void subscriber_count(struct nat64 *n, uint32_t i, bool from6, int by)
{
	struct subscriber *s;

	if (i == NONE)
		return;
	s = &n->subscribers[i];
	s->sessions += (uint32_t)by;
	s->sessions4 += from6 ? 0 : (uint32_t)by;
}

static const struct subscriber *find(const struct nat64 *n,
				     const struct in6_addr *a)
{
	uint64_t w[2];
	uint32_t i;

	subscriber_prefix(n->subscriber_len, a, w);
	i = *place_of(n, w);
	return i ? &n->subscribers[i - 1] : NULL;
}

bool subscriber_may_open(const struct nat64 *n, const struct in6_addr *a,
			 bool from6)
{
	const struct subscriber *s = n->limit_sessions ? find(n, a) : NULL;

	if (!s)
		return true;
	return s->sessions < n->limit_sessions &&
	       (from6 || s->sessions4 < (n->limit_sessions + 1) / 2);
}

enum reason subscriber_may_bind(const struct nat64 *n, const struct in6_addr *a,
				struct mono now)
{
	const struct subscriber *s =
		n->limit_ports || n->limit_rate ? find(n, a) : NULL;

	if (s && n->limit_ports && s->bibs >= n->limit_ports)
		return REASON_NAT64_HOST_PORTS;
	if (s && n->limit_rate && s->paid_ns - now.ns > BURST_NS)
		return REASON_NAT64_HOST_RATE;
	return REASON_OK;
}

void subscriber_pay(struct nat64 *n, uint32_t i, struct mono now)
{
	struct subscriber *s;

	if (i == NONE || !n->limit_rate)
		return;
	s = &n->subscribers[i];
	if (s->paid_ns < now.ns)
		s->paid_ns = now.ns;
	s->paid_ns += NS_PER_S / n->limit_rate;
}

void nat64_set_limits(struct nat64 *n, uint32_t sessions, uint32_t ports,
		      uint32_t rate)
{
	if (!n->has_limits)
		return;
	n->limit_sessions = sessions;
	n->limit_ports = ports;
	n->limit_rate = rate;
}

const char *subscriber_check(const struct nat64 *n)
{
	uint32_t found = 0;
	uint64_t bibs = 0, sessions = 0, all_bibs = 0, all_sessions = 0;

	if (!n->has_limits)
		return NULL;
	for (uint32_t h = 0; h < n->free_bibs.max; h++)
		for (uint32_t i = n->by_subscriber[h]; i;
		     i = n->subscribers[i - 1].next) {
			const struct subscriber *s = &n->subscribers[i - 1];

			found++;
			bibs += s->bibs;
			sessions += s->sessions;
			if (!s->bibs || s->sessions4 > s->sessions)
				return "a subscriber's record makes no sense";
		}
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		all_bibs += n->stats.proto[k].bibs;
		all_sessions += n->stats.proto[k].sessions;
	}
	if (found != n->stats.subscribers)
		return "subscribers miscounted";
	return bibs == all_bibs && sessions == all_sessions
		       ? NULL
		       : "subscribers hold other entries than there are";
}
