/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.5: from a parsed packet to a tuple (3.4), through BIB
 * and sessions, to the addresses and ports of the translated packet.
 *
 * ICMP errors take the tuple of the packet that they quote, the other way
 * round, and neither create nor refresh anything. Their own source becomes
 * T, the host's pool4 address, on the way to IPv4, since routers on the IPv6
 * side have no IPv4 address (RFC 6146 section 3.5.4 with RFC 6791).
 */
#include <string.h>

#include "../core/csum.h"
#include "../io/io.h"
#include "path.h"

#define PROTO_ICMP   1
#define PROTO_TCP    6
#define PROTO_UDP    17
#define PROTO_ICMPV6 58

#define TCP_HEADER_BYTES 20
#define IP6_HEADER_BYTES 40
#define PROBE_HOPS	 64

/* False for protocols that have no sessions here. */
static bool session_proto(const struct pkt_ip *ip, enum nat64_proto *out)
{
	switch (ip->proto) {
	case PROTO_TCP:
		*out = NAT64_TCP;
		return true;
	case PROTO_UDP:
		*out = NAT64_UDP;
		return true;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		*out = NAT64_ICMP;
		return true;
	default:
		return false;
	}
}

/* The datagram that a fragment is of. */
static struct nat64_frag_key frag_key(const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_frag_key key = {
		.id = ip->frag_id, .proto = ip->proto, .v6 = info->v6};

	if (info->v6) {
		key.src = ip->src.v6;
		key.dst = ip->dst.v6;
	} else {
		memcpy(&key.src.s6_addr[12], &ip->src.v4, 4);
		memcpy(&key.dst.s6_addr[12], &ip->dst.v4, 4);
	}
	return key;
}

/* Ports of a packet, its own or those of its first fragment. */
static enum reason find_ports(struct path *p, const struct pkt_info *info,
			      __be16 *sport, __be16 *dport)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_frag_key key;

	*sport = ip->sport;
	*dport = ip->dport;
	if (!pkt_ip_is_frag(ip))
		return ip->has_ports ? REASON_OK : REASON_ICMP_TYPE;
	key = frag_key(info);
	if (ip->has_ports && p->unsummed) {
		nat64_frag_forget(p->frags, &key);
		return REASON_NAT64_FRAGMENT;
	}
	if (ip->has_ports) {
		nat64_frag_add(p->frags, &key, *sport, *dport, p->now);
		if (!p->is_first) /* as it came in, not as it is hairpinned */
			p->first = key;
		p->is_first = true;
		return REASON_OK;
	}
	/* RFC 1858: it would overwrite what the first one must have had */
	if (ip->proto == PROTO_TCP && ip->frag_off < TCP_HEADER_BYTES)
		return REASON_BAD_FRAGMENT;
	return nat64_frag_find(p->frags, &key, p->now, sport, dport)
		       ? REASON_OK
		       : REASON_NAT64_FRAGMENT;
}

static bool world4_allowed(const struct path *p, struct in_addr a)
{
	return p->allow_private || !rfc6052_is_wkp(&p->pool6) ||
	       addr4_is_global(a) || nat64_in_pool4(p->nat64, a);
}

/* What an ICMP error quotes: its protocol, where it can have a session. */
static enum reason quoted_proto(const struct pkt_ip *in, struct nat64_flow *f)
{
	if (!session_proto(in, &f->proto))
		return REASON_NAT64_PROTOCOL;
	if (!in->has_ports)
		return REASON_NAT64_NO_SESSION;
	if (f->proto == NAT64_ICMP)
		f->dst_port = 0;
	return REASON_OK;
}

/* ---- 6 to 4 ---------------------------------------------------------------
 */

static enum reason error64(struct path *p, const struct pkt_info *info,
			   struct xlat_map *map)
{
	const struct pkt_ip *in = &info->inner;
	struct nat64_flow f = {.src6 = in->dst.v6,
			       .dst6 = in->src.v6,
			       .src6_port = in->dport,
			       .dst_port = in->sport};
	enum reason r = quoted_proto(in, &f);

	if (r)
		return r;
	if (!rfc6052_decode(&p->pool6, &in->src.v6, &f.dst4) ||
	    !rfc6052_decode(&p->pool6, &info->outer.dst.v6, &map->outer.dst.v4))
		return REASON_NAT64_NOT_POOL6;
	r = nat64_peek_out(p->nat64, &f, p->now);
	if (r)
		return r;
	map->outer.src.v4 = f.src4;
	map->inner.src.v4 = f.dst4;
	map->inner.dst.v4 = f.src4;
	map->inner.sport = f.proto == NAT64_ICMP ? f.src4_port : in->sport;
	map->inner.dport = f.src4_port;
	map->inner.set_ports = true;
	return REASON_OK;
}

static bool is_syn(const struct nat64_flow *f)
{
	return f->proto == NAT64_TCP && (f->tcp_flags & NAT64_SYN) &&
	       !(f->tcp_flags & (NAT64_RST | NAT64_FIN | NAT64_ACK));
}

/* Both sides have opened: the session is where both SYNs would have left it. */
static void meet_stored_syn(struct path *p, const struct nat64_flow *f)
{
	struct nat64_flow other = *f;

	if (nat64_syn_take(p->syns, f, p->now))
		(void)nat64_in(p->nat64, &other, p->now);
}

enum reason plat_map64(struct path *p, const struct pkt_info *info,
		       struct xlat_map *map)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_flow f = {.tcp_flags = ip->tcp_flags};
	struct in_addr unused;
	enum reason r;

	if (!addr6_is_unicast(&ip->src.v6))
		return REASON_ILLEGAL_SOURCE;
	if (rfc6052_decode(&p->pool6, &ip->src.v6, &unused))
		return REASON_NAT64_LOOP;
	if (info->icmp_error)
		return error64(p, info, map);
	if (!rfc6052_decode(&p->pool6, &ip->dst.v6, &f.dst4))
		return REASON_NAT64_NOT_POOL6;
	if (!world4_allowed(p, f.dst4))
		return REASON_WKP_NON_GLOBAL;
	if (!addr4_is_unicast(f.dst4))
		return REASON_ILLEGAL_DESTINATION;
	if (!session_proto(ip, &f.proto))
		return REASON_NAT64_PROTOCOL;
	r = find_ports(p, info, &f.src6_port, &f.dst_port);
	if (r)
		return r;
	if (f.proto == NAT64_ICMP)
		f.dst_port = 0;
	f.src6 = ip->src.v6;
	f.dst6 = ip->dst.v6;
	r = nat64_out(p->nat64, &f, p->now);
	if (r)
		return r;
	if (p->syns && is_syn(&f))
		meet_stored_syn(p, &f);
	map->outer.src.v4 = f.src4;
	map->outer.dst.v4 = f.dst4;
	map->outer.sport = f.src4_port;
	map->outer.dport = f.dst_port;
	map->outer.set_ports = ip->has_ports;
	return REASON_OK;
}

/* ---- 4 to 6 ---------------------------------------------------------------
 */

static enum reason error46(struct path *p, const struct pkt_info *info,
			   struct xlat_map *map)
{
	const struct pkt_ip *in = &info->inner;
	struct nat64_flow f = {.src4 = in->src.v4,
			       .dst4 = in->dst.v4,
			       .src4_port = in->sport,
			       .dst_port = in->dport};
	enum reason r = quoted_proto(in, &f);

	if (r)
		return r;
	rfc6052_encode(&p->pool6, f.dst4, &f.dst6);
	r = nat64_peek_in(p->nat64, &f, p->now);
	if (r)
		return r;
	if (world4_allowed(p, info->outer.src.v4))
		rfc6052_encode(&p->pool6, info->outer.src.v4,
			       &map->outer.src.v6);
	else if (!IN6_IS_ADDR_UNSPECIFIED(&p->xlat.self6))
		map->outer.src.v6 = p->xlat.self6; /* as addrmap.error6 */
	else
		return REASON_WKP_NON_GLOBAL;
	map->outer.dst.v6 = f.src6;
	map->inner.src.v6 = f.src6;
	map->inner.dst.v6 = f.dst6;
	map->inner.sport = f.src6_port;
	map->inner.dport = in->dport;
	map->inner.set_ports = true;
	return REASON_OK;
}

enum reason plat_map46(struct path *p, const struct pkt_info *info,
		       struct xlat_map *map)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_flow f = {.tcp_flags = ip->tcp_flags};
	enum reason r;

	if (!nat64_in_pool4(p->nat64, ip->dst.v4))
		return REASON_NAT64_NOT_POOL4;
	if (info->icmp_error)
		return error46(p, info, map);
	if (!addr4_is_unicast(ip->src.v4))
		return REASON_ILLEGAL_SOURCE;
	if (!world4_allowed(p, ip->src.v4))
		return REASON_WKP_NON_GLOBAL;
	if (!session_proto(ip, &f.proto))
		return REASON_NAT64_PROTOCOL;
	r = find_ports(p, info, &f.dst_port, &f.src4_port);
	if (r)
		return r;
	if (f.proto == NAT64_ICMP)
		f.dst_port = 0;
	f.src4 = ip->dst.v4;
	f.dst4 = ip->src.v4;
	rfc6052_encode(&p->pool6, f.dst4, &f.dst6);
	r = nat64_in(p->nat64, &f, p->now);
	if (r)
		return r;
	map->outer.src.v6 = f.dst6;
	map->outer.dst.v6 = f.src6;
	map->outer.sport = f.proto == NAT64_ICMP ? f.src6_port : f.dst_port;
	map->outer.dport = f.src6_port;
	map->outer.set_ports = ip->has_ports;
	return REASON_OK;
}

static bool is_unsummed(const struct path *p, const struct pkt *pkt,
			const struct pkt_ip *ip)
{
	uint16_t check;

	if (ip->proto != PROTO_UDP || !ip->has_ports || !ip->frag_more ||
	    pkt->gso.needs_csum || p->xlat.udp_zero != XLAT_UDP_ZERO_COMPUTE)
		return false;
	memcpy(&check, pkt->data + ip->l4 + 6, sizeof(check));
	return !check;
}

void plat_sum_up(struct path *p, struct pkt *pkt, const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_frag_key key;
	uint16_t check;

	if (!is_unsummed(p, pkt, ip))
		return;
	key = frag_key(info);
	if (!nat64_gather_take(p->gather, &key, p->now, &check)) {
		p->unsummed = true;
		return;
	}
	memcpy(pkt->data + ip->l4 + 6, &check, sizeof(check));
	p->out.udp_computed++;
}

/* What is held now may complete a datagram that had to wait for its checksum:
 * then all of it goes on. */
static void gather(struct path *p, const struct pkt *pkt,
		   const struct pkt_info *info,
		   const struct nat64_frag_key *key)
{
	const struct pkt_ip *ip = &info->outer;
	const struct nat64_piece piece = {.at = ip->frag_off,
					  .len = ip->end - ip->l4,
					  .bytes = pkt->data + ip->l4,
					  .more = ip->frag_more};
	const struct nat64_gather_entry *e;
	uint64_t pseudo;

	if (!p->gather || info->v6 || ip->proto != PROTO_UDP)
		return;
	pseudo = csum_pseudo4(&ip->src.v4, &ip->dst.v4, PROTO_UDP, 0);
	e = nat64_gather_add(p->gather, key, &piece,
			     p->unsummed ? &pseudo : NULL, p->now,
			     p->frags->life_ns);
	if (!e)
		return;
	nat64_frag_add(p->frags, key, e->sport, e->dport, p->now);
	p->first = *key;
	p->is_first = true;
}

/*
 * A fragment whose transport checksum is left to an offload cannot be one that
 * a network sent.
 */
enum reason plat_hold(struct path *p, const struct pkt *pkt,
		      const struct pkt_info *info, enum reason why)
{
	struct nat64_frag_key key = frag_key(info);

	if (why != REASON_NAT64_FRAGMENT || pkt->gso.needs_csum)
		return why;
	if (!nat64_held_add(p->held, &key, pkt->data, pkt->len, p->now,
			    p->frags->life_ns))
		return REASON_NAT64_FRAG_FULL;
	p->counters.held++;
	p->counters.held_all++;
	gather(p, pkt, info, &key);
	return REASON_OK;
}

bool plat_take_held(struct path *p, struct pkt *pkt)
{
	uint32_t len = 0;

	if (p->is_first && p->held->n)
		len = nat64_held_take(
			p->held, &p->first, p->again + PKT_HEADROOM,
			IO_BUFFER_BYTES - PKT_HEADROOM - PKT_TAILROOM);
	if (!len)
		return false;
	p->counters.held--;
	*pkt = (struct pkt){.data = p->again + PKT_HEADROOM,
			    .len = len,
			    .headroom = PKT_HEADROOM,
			    .tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - len};
	return true;
}

/* All but ends, lengths, the flag and the checksum is zero. */
void plat_build_probe(const struct nat64_flow *f, uint8_t *at)
{
	uint8_t *tcp = at + IP6_HEADER_BYTES;
	uint16_t check;

	memset(at, 0, PLAT_PROBE_BYTES);
	at[0] = 0x60;
	at[5] = TCP_HEADER_BYTES;
	at[6] = PROTO_TCP;
	at[7] = PROBE_HOPS;
	memcpy(at + 8, &f->dst6, 16);
	memcpy(at + 24, &f->src6, 16);
	memcpy(tcp, &f->dst_port, 2);
	memcpy(tcp + 2, &f->src6_port, 2);
	tcp[12] = TCP_HEADER_BYTES / 4 << 4;
	tcp[13] = NAT64_ACK;
	check = (uint16_t)~csum_fold(csum_add(
		csum_pseudo6(at + 8, at + 24, PROTO_TCP, TCP_HEADER_BYTES), tcp,
		TCP_HEADER_BYTES));
	memcpy(tcp + 16, &check, 2);
}

/*
 * Only whole packets are stored, and only where IPv6 hosts may still answer:
 * no BIB entry, or one that does not admit this sender yet.
 */
enum reason plat_store_syn(struct path *p, const struct pkt *pkt,
			   const struct pkt_info *info, enum reason why)
{
	const struct pkt_ip *ip = &info->outer;
	struct nat64_flow f = {.tcp_flags = ip->tcp_flags,
			       .src4 = ip->dst.v4,
			       .dst4 = ip->src.v4,
			       .src4_port = ip->dport,
			       .dst_port = ip->sport};

	if ((why != REASON_NAT64_NO_BIB && why != REASON_NAT64_FILTERED) ||
	    info->icmp_error || !session_proto(ip, &f.proto) || !is_syn(&f) ||
	    !ip->has_ports || pkt_ip_is_frag(ip))
		return why;
	return nat64_syn_store(p->syns, &f, pkt->data, pkt->len, p->now);
}
