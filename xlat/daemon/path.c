/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each packet is parsed once, mapped by the role's tables, translated in
 * place and emitted. Whatever happens, settle() runs once at the end: it is
 * the only place that counts a verdict, so that the counters add up.
 *
 * A fragment that overtook its first one is held and runs again, with all its
 * checks, behind that; until then it is no verdict but in `held`.
 *
 * Hairpinning (RFC 6146 section 3.8, RFC 7757 section 4.2.2): a packet
 * translated to IPv4 whose destination is in pool4, or has an explicit
 * mapping, is translated back at once, as if it had come from the IPv4 side.
 * The IPv4 form exists in memory only, so no IPv4 MTU is asked.
 */
#include "path.h"

#include <errno.h>
#include <string.h>

#include "../core/icmp.h"
#include "../core/mss.h"
#include "../io/io.h"

/* As much of a packet as an ICMPv6 error about it can quote. */
#define ORIGIN_BYTES (XLAT_REPLY_BYTES - 40 - 8)

/* A hairpinned packet as its sender knows it. */
struct origin {
	struct pkt pkt; /* its first bytes */
	const struct pkt_info *info;
	const struct in6_addr *keep; /* addrmap_46_hairpinned()'s src6 */
};

#define SYNS_AT_ONCE (NAT64_SYN_SETS * NAT64_SYN_WAYS)

const char *role_name(enum role r)
{
	static const char *const names[] = {"clat", "siit", "plat"};

	return names[r];
}

void path_init(struct path *p, enum role role, uint8_t *fragment,
	       uint16_t ident)
{
	memset(p, 0, sizeof(*p));
	p->role = role;
	p->fragment = fragment;
	xlat_cfg_init(&p->xlat);
	addrmap_init(&p->map, role == ROLE_CLAT ? ADDRMAP_CLAT : ADDRMAP_SIIT);
	xlat_out_init(&p->out, p->reply, sizeof(p->reply), ident);
}

/* The reason that a failed write is dropped for; 0 is no failure. */
static enum reason write_reason(struct path *p, int code)
{
	if (!code)
		return REASON_OK;
	code = -code;
	p->counters.write_errors[code < PATH_ERRNOS ? code : 0]++;
	return code == EAGAIN || code == ENOBUFS ? REASON_IO_QUEUE_FULL
						 : REASON_IO_ERROR;
}

static enum verdict settle(struct path *p, enum verdict v, enum reason r)
{
	struct path_counters *c = &p->counters;

	c->reasons.n[r]++;
	switch (v) {
	case VERDICT_FORWARD:
	case VERDICT_FRAGMENT:
		c->forwarded++;
		break;
	case VERDICT_HAIRPIN:
		c->hairpinned++;
		break;
	case VERDICT_REPLY:
		c->replied++;
		break;
	case VERDICT_DROP:
	case VERDICT_HOLD:
		c->dropped++;
		break;
	}
	return v;
}

static int emit_fragments(struct path *p)
{
	struct pkt frag;

	for (;;) {
		int ret;

		frag = (struct pkt){
			.data = p->fragment + PKT_HEADROOM,
			.headroom = PKT_HEADROOM,
			.tailroom = IO_BUFFER_BYTES - PKT_HEADROOM,
		};
		if (!frag_next(&p->out.frag, &frag))
			return 0;
		ret = p->emit(p->emit_arg, &frag);
		if (ret)
			return ret;
		p->counters.fragments++;
	}
}

static enum verdict reply(struct path *p)
{
	struct ratelimit *rate =
		p->out.reason == REASON_TOO_BIG ? &p->icmp_mtu : &p->icmp;
	enum reason r;

	if (!ratelimit_allow(rate, p->now.ns)) {
		p->counters.icmp_limited++;
		return settle(p, VERDICT_DROP, p->out.reason);
	}
	r = write_reason(p, p->emit(p->emit_arg, &p->out.reply));
	if (r)
		return settle(p, VERDICT_DROP, r);
	return settle(p, VERDICT_REPLY, p->out.reason);
}

static void tell_event(struct path *p, const struct pkt_info *info)
{
	if (p->event && reason_is_event(p->out.reason))
		p->event(p->event_arg, p->out.reason, info);
}

/* Emit what the core left behind; @sent is the verdict of a success. */
static enum verdict finish(struct path *p, struct pkt *pkt, enum verdict v,
			   enum verdict sent)
{
	enum reason r;

	switch (v) {
	case VERDICT_FORWARD:
		if (p->mss && mss_clamp(pkt, p->mss))
			p->counters.mss_clamped++;
		r = write_reason(p, p->emit(p->emit_arg, pkt));
		break;
	case VERDICT_FRAGMENT:
		r = write_reason(p, emit_fragments(p));
		break;
	case VERDICT_REPLY:
		return reply(p);
	case VERDICT_HAIRPIN:
	case VERDICT_DROP:
	case VERDICT_HOLD:
	default:
		return settle(p, VERDICT_DROP, p->out.reason);
	}
	if (r)
		return settle(p, VERDICT_DROP, r);
	return settle(p, sent == VERDICT_HAIRPIN ? sent : v, p->out.reason);
}

/* What is the same for every such packet between these addresses. */
static enum verdict tell_flow(struct path *p, const struct pkt *pkt,
			      const struct pkt_info *info,
			      const struct xlat_map *map, enum verdict v)
{
	const struct pkt_ip *ip = &info->outer;

	if (p->flow && v == VERDICT_FORWARD && !pkt_ip_is_frag(ip) &&
	    (ip->proto == IPPROTO_TCP || ip->proto == IPPROTO_UDP))
		p->flow(p->flow_arg, info, map, pkt->gso.type != PKT_GSO_NONE,
			p->now);
	return v;
}

static enum reason map4(struct path *p, const struct pkt_info *info,
			const struct origin *from, struct xlat_map *map)
{
	if (p->role == ROLE_PLAT)
		return plat_map46(p, info, map);
	return from ? addrmap_46_hairpinned(&p->map, info, from->keep, map)
		    : addrmap_46(&p->map, info, map);
}

/* @from: of a hairpinned packet, whose sender is told as the IPv6 host that it
 * is: an error about the IPv4 form would name hosts that it never heard of. */
static enum verdict run4(struct path *p, struct pkt *pkt,
			 const struct xlat_cfg *cfg, const struct origin *from)
{
	struct pkt_info info;
	struct xlat_map map = {0};
	enum reason r = pkt_parse4(pkt, &info);
	enum verdict v;

	p->unsummed = false;
	if (!r && p->gather && !from)
		plat_sum_up(p, pkt, &info);
	if (!r)
		r = map4(p, &info, from, &map);
	if (r && p->syns && !from)
		r = plat_store_syn(p, pkt, &info, r);
	if (r == REASON_NAT64_FRAGMENT && !from) {
		r = plat_hold(p, pkt, &info, r);
		if (!r)
			return VERDICT_HOLD;
	}
	if (r)
		v = xlat_refuse4(pkt, &info, r, cfg, &p->out);
	else
		v = xlat_46(pkt, &info, &map, cfg, &p->out);
	if (from && (v == VERDICT_REPLY || v == VERDICT_DROP))
		v = xlat_refuse6(&from->pkt, from->info, p->out.reason, cfg,
				 &p->out);
	tell_event(p, from ? from->info : &info);
	v = finish(p, pkt, v, from ? VERDICT_HAIRPIN : VERDICT_FORWARD);
	return tell_flow(p, pkt, &info, &map, v);
}

/*
 * There and back. What came from IPv6 and fits IPv6 passes, whatever the MTUs
 * of IPv4 are, and the 1280 byte rule is not for it; what does not fit is
 * refused on the way there, while its sender is still an IPv6 host.
 */
static enum verdict hairpin(struct path *p, struct pkt *pkt,
			    const struct pkt_info *info,
			    const struct xlat_map *map)
{
	struct xlat_cfg cfg = p->xlat;
	uint8_t head[ORIGIN_BYTES];
	struct origin from = {.info = info};
	enum verdict v;

	from.pkt.data = head;
	from.pkt.len = pkt->len < sizeof(head) ? pkt->len : sizeof(head);
	memcpy(head, pkt->data, from.pkt.len);
	if (map->foreign)
		from.keep = &info->outer.src.v6;
	cfg.mtu4 = cfg.mtu6 - 20;
	v = xlat_64(pkt, info, map, &cfg, &p->out);
	if (v != VERDICT_FORWARD)
		return finish(p, pkt, v, VERDICT_HAIRPIN);
	cfg.lowest_mtu6 = cfg.mtu6;
	cfg.keep_ttl = true; /* RFC 7757 section 4.2.2 */
	return run4(p, pkt, &cfg, &from);
}

static enum verdict run6(struct path *p, struct pkt *pkt)
{
	struct pkt_info info;
	struct xlat_map map = {0};
	enum reason r = pkt_parse6(pkt, &info);
	enum verdict v;

	if (!r)
		r = p->role == ROLE_PLAT ? plat_map64(p, &info, &map)
					 : addrmap_64(&p->map, &info, &map);
	if (!r && p->role == ROLE_PLAT)
		map.hairpin = nat64_in_pool4(p->nat64, map.outer.dst.v4);
	if (!r && map.hairpin)
		return hairpin(p, pkt, &info, &map);
	if (r == REASON_NAT64_FRAGMENT) {
		r = plat_hold(p, pkt, &info, r);
		if (!r)
			return VERDICT_HOLD;
	}
	if (r)
		v = xlat_refuse6(pkt, &info, r, &p->xlat, &p->out);
	else
		v = xlat_64(pkt, &info, &map, &p->xlat, &p->out);
	tell_event(p, &info);
	v = finish(p, pkt, v, VERDICT_FORWARD);
	return tell_flow(p, pkt, &info, &map, v);
}

static enum verdict run(struct path *p, struct pkt *pkt)
{
	if (pkt->len && pkt->data[0] >> 4 == 4)
		return run4(p, pkt, &p->xlat, NULL);
	return run6(p, pkt);
}

static void count_received(struct path_counters *c, const struct pkt *pkt)
{
	if (pkt->gso.type != PKT_GSO_NONE)
		c->superpackets++;
	if (pkt->len && pkt->data[0] >> 4 == 4) {
		c->received4++;
		c->bytes4 += pkt->len;
	} else {
		c->received6++;
		c->bytes6 += pkt->len;
	}
}

enum verdict path_run(struct path *p, struct pkt *pkt, struct mono now)
{
	enum verdict v;
	struct pkt held;
	uint64_t most;

	p->now = now;
	p->is_first = false;
	count_received(&p->counters, pkt);
	v = run(p, pkt);
	/* one turn each: what is held again waits behind the others */
	for (most = p->counters.held; most && plat_take_held(p, &held); most--)
		run(p, &held);
	return v;
}

/* Whom it concerns is told, as far as the rate of errors allows. */
static void give_up_syn(struct path *p, const struct nat64_syn *s)
{
	uint8_t room[PKT_HEADROOM + NAT64_SYN_BYTES];
	struct xlat_cfg cfg = p->xlat;
	struct pkt_info info;
	struct pkt pkt = {.data = room + PKT_HEADROOM,
			  .len = s->len,
			  .headroom = PKT_HEADROOM};

	memcpy(pkt.data, s->data, s->len);
	cfg.self4 = s->src4; /* whom it was sent to */
	if (!pkt_parse4(&pkt, &info) &&
	    xlat_refuse4(&pkt, &info, REASON_NAT64_SYN_OVER, &cfg, &p->out) ==
		    VERDICT_REPLY &&
	    ratelimit_allow(&p->icmp, p->now.ns) &&
	    !write_reason(p, p->emit(p->emit_arg, &p->out.reply)))
		p->counters.syn_errors++;
}

void path_expire(struct path *p, struct mono now)
{
	struct nat64_syn s;
	uint32_t n = p->held ? nat64_held_expire(p->held, now) : 0;

	p->now = now;
	p->counters.held -= n;
	while (n--)
		settle(p, VERDICT_DROP, REASON_NAT64_FRAGMENT);
	while (p->syns && nat64_syn_expire(p->syns, now, SYNS_AT_ONCE, &s))
		give_up_syn(p, &s);
}

static void probe(void *arg, const struct nat64_flow *f, struct mono now)
{
	uint8_t room[PKT_HEADROOM + PLAT_PROBE_BYTES];
	struct pkt pkt = {.data = room + PKT_HEADROOM,
			  .len = PLAT_PROBE_BYTES,
			  .headroom = PKT_HEADROOM};
	struct path *p = arg;

	if (!ratelimit_allow(&p->probes, now.ns)) {
		p->counters.probes_limited++;
		return;
	}
	plat_build_probe(f, pkt.data);
	if (!write_reason(p, p->emit(p->emit_arg, &pkt)))
		p->counters.probes++;
}

void path_watch_idle(struct path *p)
{
	nat64_set_probe(p->nat64, probe, p);
}

bool path_balanced(const struct path_counters *c)
{
	uint64_t received = c->received4 + c->received6, reasons = 0;

	for (unsigned int i = 0; i < REASON_COUNT; i++)
		reasons += c->reasons.n[i];
	return received == c->forwarded + c->hairpinned + c->replied +
				   c->dropped + c->held &&
	       received == reasons + c->held;
}

void path_count_unreadable(struct path *p)
{
	p->counters.received6++;
	settle(p, VERDICT_DROP, REASON_BAD_GSO);
}
