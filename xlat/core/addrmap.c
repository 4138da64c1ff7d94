/* SPDX-License-Identifier: MIT */
#include "addrmap.h"

#include <string.h>

/* Which mappings an address may use. */
enum kind {
	ANY,	  /* EAM, else pref64 */
	CUSTOMER, /* EAM */
	WORLD,	  /* pref64 */
};

void addrmap_init(struct addrmap *m, enum addrmap_role role)
{
	*m = (struct addrmap){.role = role, .wkp_strict = true};
	m->hairpin = role == ADDRMAP_SIIT ? ADDRMAP_HAIRPIN_INTRINSIC
					  : ADDRMAP_HAIRPIN_OFF;
	eam_init(&m->eam, NULL, 0, NULL, NULL);
	m->pool6791.addr.s_addr = htonl(ADDRMAP_DUMMY4);
	m->pool6791.len = 32;
}

int addrmap_add_clat(struct addrmap *m, const struct prefix4 *lan,
		     const struct prefix6 *clat)
{
	struct prefix6 p6 = *clat;

	/* A length that is no /96 is refused by eam_add() as no prefix. */
	memcpy(&p6.addr.s6_addr[12], &lan->addr, 4);
	p6.len = clat->len == 96 ? (uint8_t)(96 + lan->len) : 255;
	return eam_add(&m->eam, lan, &p6);
}

static enum reason map46(const struct addrmap *m, enum kind kind,
			 struct in_addr in, struct in6_addr *out,
			 enum reason none)
{
	if (kind != WORLD && eam_46(&m->eam, in, out))
		return REASON_OK;
	if (kind == CUSTOMER || !m->has_pref64)
		return none;
	if (m->wkp_strict && rfc6052_is_wkp(&m->pref64) && !addr4_is_global(in))
		return REASON_WKP_NON_GLOBAL;
	rfc6052_encode(&m->pref64, in, out);
	return REASON_OK;
}

/* @by_prefix: out, by RFC 6052 and not by an EAM; NULL: nobody asks */
static enum reason map64(const struct addrmap *m, enum kind kind,
			 const struct in6_addr *in, struct in_addr *out,
			 bool *by_prefix, enum reason none)
{
	if (by_prefix)
		*by_prefix = false;
	if (kind != WORLD && eam_64(&m->eam, in, out))
		return REASON_OK;
	if (kind == CUSTOMER || !m->has_pref64 ||
	    !rfc6052_decode(&m->pref64, in, out))
		return none;
	if (m->wkp_strict && rfc6052_is_wkp(&m->pref64) &&
	    !addr4_is_global(*out))
		return REASON_WKP_NON_GLOBAL;
	if (by_prefix)
		*by_prefix = true;
	return REASON_OK;
}

/*
 * A CLAT's own customers are not in the world behind the PLAT: as destination
 * of what they send such an address would travel in a circle, as source of
 * what they receive it is forged.
 */
static bool is_customer4(const struct addrmap *m, struct in_addr a)
{
	struct in6_addr unused;

	return m->role == ADDRMAP_CLAT && eam_46(&m->eam, a, &unused);
}

static bool multicast4(struct in_addr a)
{
	return (ntohl(a.s_addr) & 0xf0000000) == 0xe0000000;
}

static enum reason check_dst4(struct in_addr a)
{
	if (multicast4(a))
		return REASON_MULTICAST;
	return addr4_is_unicast(a) ? REASON_OK : REASON_ILLEGAL_DESTINATION;
}

/*
 * RFC 7757 section 4.2.1: which addresses may not use an EAM, so that what
 * the other host answers comes back through here.
 */
struct kinds46 {
	enum kind src, dst, inner_src, inner_dst;
};

static struct kinds46 kinds46(const struct addrmap *m,
			      const struct pkt_info *info, bool hairpinned)
{
	const struct pkt_ip *ip = &info->outer, *in = &info->inner;
	struct kinds46 k = {ANY, ANY, ANY, ANY};

	if (m->role == ADDRMAP_CLAT)
		return (struct kinds46){CUSTOMER, WORLD, WORLD, CUSTOMER};
	if (!hairpinned)
		return k;
	if (!info->icmp_error)
		k.src = WORLD;
	else
		k.inner_dst = WORLD;
	if (info->icmp_error && ip->src.v4.s_addr == in->dst.v4.s_addr)
		k.src = WORLD;
	return k;
}

/* @src6: an error's own IPv6 source, where it has one; or NULL */
static enum reason map_src46(const struct addrmap *m,
			     const struct pkt_info *info, enum kind kind,
			     const struct in6_addr *src6, struct in6_addr *out)
{
	enum reason reason = map46(m, kind, info->outer.src.v4, out,
				   REASON_NO_MAPPING_SOURCE);

	if (!reason || !info->icmp_error)
		return reason;
	if (!src6)
		src6 = &m->error6;
	if (IN6_IS_ADDR_UNSPECIFIED(src6))
		return reason;
	*out = *src6;
	return REASON_OK;
}

static enum reason map_ends46(const struct addrmap *m,
			      const struct pkt_info *info, bool hairpinned,
			      const struct in6_addr *src6, struct xlat_map *map)
{
	const struct pkt_ip *ip = &info->outer, *in = &info->inner;
	struct kinds46 k = kinds46(m, info, hairpinned);
	enum reason reason;

	map->outer.set_ports = false;
	map->inner.set_ports = false;
	map->hairpin = false;
	map->foreign = false;
	if (!info->icmp_error && !addr4_is_unicast(ip->src.v4))
		return REASON_ILLEGAL_SOURCE;
	reason = check_dst4(ip->dst.v4);
	if (!reason)
		reason = map_src46(m, info, k.src, src6, &map->outer.src.v6);
	if (!reason)
		reason = map46(m, k.dst, ip->dst.v4, &map->outer.dst.v6,
			       REASON_NO_MAPPING_DESTINATION);
	if (!reason && is_customer4(m, ip->dst.v4))
		reason = REASON_NO_MAPPING_DESTINATION;
	if (reason || !info->icmp_error)
		return reason;
	reason = map46(m, k.inner_src, in->src.v4, &map->inner.src.v6,
		       REASON_NO_MAPPING_SOURCE);
	if (!reason)
		reason = map46(m, k.inner_dst, in->dst.v4, &map->inner.dst.v6,
			       REASON_NO_MAPPING_DESTINATION);
	return reason;
}

enum reason addrmap_46(const struct addrmap *m, const struct pkt_info *info,
		       struct xlat_map *map)
{
	return map_ends46(m, info, m->hairpin == ADDRMAP_HAIRPIN_SIMPLE, NULL,
			  map);
}

enum reason addrmap_46_hairpinned(const struct addrmap *m,
				  const struct pkt_info *info,
				  const struct in6_addr *src6,
				  struct xlat_map *map)
{
	return map_ends46(m, info, true, src6, map);
}

/* RFC 6791: the same IPv6 router always shows as the same IPv4 address. */
static struct in_addr pool6791_pick(const struct prefix4 *pool,
				    const struct in6_addr *src)
{
	uint32_t hash = 2166136261u;
	uint32_t hosts =
		pool->len ? UINT32_MAX >> (pool->len - 1) >> 1 : UINT32_MAX;
	int i;

	for (i = 0; i < 16; i++)
		hash = (hash ^ src->s6_addr[i]) * 16777619u;
	hash ^= hash >> 16;
	return (struct in_addr){pool->addr.s_addr | htonl(hash & hosts)};
}

static bool link_local6(const struct in6_addr *a)
{
	return a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80;
}

static enum reason map_src64(const struct addrmap *m,
			     const struct pkt_info *info, enum kind kind,
			     struct in_addr *out, bool *foreign)
{
	const struct in6_addr *src = &info->outer.src.v6;
	enum reason reason;

	*foreign = false;
	if (!addr6_is_unicast(src) || link_local6(src))
		return REASON_ILLEGAL_SOURCE;
	reason = map64(m, kind, src, out, NULL, REASON_NO_MAPPING_SOURCE);
	if (!reason && !addr4_is_unicast(*out))
		reason = REASON_ILLEGAL_SOURCE;
	if (!info->icmp_error || !reason || reason == REASON_WKP_NON_GLOBAL)
		return reason;
	*foreign = true;
	*out = pool6791_pick(&m->pool6791, src);
	return REASON_OK;
}

static enum reason map_dst64(const struct addrmap *m,
			     const struct pkt_info *info, enum kind kind,
			     struct in_addr *out, bool *by_prefix)
{
	const struct in6_addr *dst = &info->outer.dst.v6;
	enum reason reason;

	if (dst->s6_addr[0] == 0xff)
		return REASON_MULTICAST;
	reason = map64(m, kind, dst, out, by_prefix,
		       REASON_NO_MAPPING_DESTINATION);
	return reason ? reason : check_dst4(*out);
}

/* RFC 7757 section 4.2.2: condition sets A and B. */
static bool hairpins(const struct addrmap *m, struct in_addr v4, bool by_prefix)
{
	struct in6_addr there;

	return m->hairpin == ADDRMAP_HAIRPIN_INTRINSIC && by_prefix &&
	       eam_46(&m->eam, v4, &there);
}

enum reason addrmap_64(const struct addrmap *m, const struct pkt_info *info,
		       struct xlat_map *map)
{
	bool clat = m->role == ADDRMAP_CLAT;
	enum kind near = clat ? CUSTOMER : ANY;
	enum kind far = clat ? WORLD : ANY;
	const struct pkt_ip *in = &info->inner;
	enum reason reason;
	bool by_prefix;

	map->outer.set_ports = false;
	map->inner.set_ports = false;
	reason = map_src64(m, info, far, &map->outer.src.v4, &map->foreign);
	if (!reason && is_customer4(m, map->outer.src.v4))
		reason = REASON_ILLEGAL_SOURCE;
	if (!reason)
		reason = map_dst64(m, info, near, &map->outer.dst.v4,
				   &by_prefix);
	if (reason)
		return reason;
	map->hairpin = hairpins(m, map->outer.dst.v4, by_prefix);
	if (!info->icmp_error)
		return REASON_OK;
	reason = map64(m, near, &in->src.v6, &map->inner.src.v4, &by_prefix,
		       REASON_NO_MAPPING_SOURCE);
	if (!reason)
		reason = map64(m, far, &in->dst.v6, &map->inner.dst.v4, NULL,
			       REASON_NO_MAPPING_DESTINATION);
	map->hairpin = !reason && hairpins(m, map->inner.src.v4, by_prefix);
	return reason;
}
