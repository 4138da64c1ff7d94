/* SPDX-License-Identifier: MIT */
/*
 * Packets that were read together. Where there are sessions, most of what a
 * packet costs is waiting for memory: the tables are larger than any cache,
 * and each access is known by the one before it only. A look at the fixed
 * places of the headers tells which entries a burst will need, and all of
 * them are fetched at once before the first packet is translated.
 *
 * The look is a guess: whatever has options, extension headers or no ports is
 * left out, and nothing is decided here.
 */
#include <string.h>

#include "path.h"

#define PROTO_TCP 6
#define PROTO_UDP 17

static bool ahead_proto(uint8_t proto, struct nat64_flow *f)
{
	f->proto = proto == PROTO_TCP ? NAT64_TCP : NAT64_UDP;
	return proto == PROTO_TCP || proto == PROTO_UDP;
}

static bool look_ahead6(const struct pkt *pkt, struct nat64_ahead *a)
{
	if (pkt->len < 44 || !ahead_proto(pkt->data[6], &a->flow))
		return false;
	a->from6 = true;
	memcpy(&a->flow.src6, pkt->data + 8, 16);
	memcpy(&a->flow.src6_port, pkt->data + 40, 2);
	return true;
}

/* Without options, and no later fragment. */
static bool look_ahead4(const struct pkt *pkt, struct nat64_ahead *a)
{
	if (pkt->len < 24 || pkt->data[0] != 0x45 ||
	    !ahead_proto(pkt->data[9], &a->flow) || (pkt->data[6] & 0x1f) ||
	    pkt->data[7])
		return false;
	a->from6 = false;
	memcpy(&a->flow.src4, pkt->data + 16, 4);
	memcpy(&a->flow.src4_port, pkt->data + 22, 2);
	return true;
}

static void warm(const struct path *p, const struct pkt *pkts, size_t count)
{
	struct nat64_ahead ahead[NAT64_WARM_MAX];
	size_t n = 0;

	for (size_t i = 0; i < count && n < NAT64_WARM_MAX; i++) {
		const struct pkt *pkt = &pkts[i];
		bool is4 = pkt->len && pkt->data[0] >> 4 == 4;

		n += is4 ? look_ahead4(pkt, &ahead[n])
			 : look_ahead6(pkt, &ahead[n]);
	}
	nat64_warm(p->nat64, ahead, n);
}

void path_run_burst(struct path *p, struct pkt *pkts, size_t count,
		    struct mono now)
{
	if (p->nat64 && count > 1)
		warm(p, pkts, count);
	for (size_t i = 0; i < count; i++)
		path_run(p, &pkts[i], now);
}
