/* SPDX-License-Identifier: MIT */
/* Stateless address mapping for SIIT and CLAT: EAM first, then RFC 6052. */
#ifndef CORE_ADDRMAP_H
#define CORE_ADDRMAP_H

#include "eam.h"
#include "rfc6052.h"
#include "xlat.h"

/* RFC 7600 section 4.8: the IPv4 dummy address. */
#define ADDRMAP_DUMMY4 0xc0000008u /* 192.0.0.8, host order */

enum addrmap_role {
	ADDRMAP_SIIT, /* any address by EAM, else by pref64 */
	/*
	 * RFC 6877: customers' addresses by EAM only, the world by pref64
	 * only. 46: source customer, destination world; 64 the reverse.
	 * Inner packets of ICMP errors likewise, swapped.
	 */
	ADDRMAP_CLAT,
};

/* RFC 7757 section 4.2: hosts with EAMs that talk to each other through us. */
enum addrmap_hairpin {
	ADDRMAP_HAIRPIN_OFF,
	/* 46 never uses an EAM where 4.2.1 says so: somebody else turns the
	 * packets round. Needs pref64. */
	ADDRMAP_HAIRPIN_SIMPLE,
	ADDRMAP_HAIRPIN_INTRINSIC, /* xlat_map.hairpin: turn them round here */
};

struct addrmap {
	enum addrmap_role role;
	uint8_t hairpin; /* enum addrmap_hairpin; OFF for a CLAT */
	struct eam_table eam;
	bool has_pref64;
	struct prefix6 pref64; /* valid by rfc6052_prefix_valid() */
	/*
	 * RFC 6052 section 3.1: drop what the Well-Known Prefix would map to
	 * or from a non-global IPv4 address. On, but for laboratories.
	 */
	bool wkp_strict;
	/*
	 * RFC 6791: IPv4 sources for ICMPv6 errors whose own source has no
	 * IPv4 form. Chosen by hash of that source; {192.0.0.8/32} at first.
	 */
	struct prefix4 pool6791;
	/*
	 * The other way, which RFC 6791 leaves open: IPv6 source for ICMPv4
	 * errors whose own source has no IPv6 form, because nothing maps it
	 * or it may not go into the Well-Known Prefix. All zero: those are
	 * refused.
	 */
	struct in6_addr error6;
};

/* addrmap_init - no EAM, no pref64, strict, dummy pool; SIIT: intrinsic. */
void addrmap_init(struct addrmap *m, enum addrmap_role role);

/*
 * addrmap_add_clat - map IPv4 addresses in @lan to themselves inside @clat,
 * a /96 (RFC 6877 section 6.3): an EAM entry lan <-> clat:lan.
 * Returns as eam_add; -EINVAL when @clat is not a /96.
 */
int addrmap_add_clat(struct addrmap *m, const struct prefix4 *lan,
		     const struct prefix6 *clat);

/*
 * addrmap_46 / addrmap_64 - new addresses for a parsed packet.
 * @map: outer filled in, inner too for ICMP errors; set_ports false
 *
 * Sources that are no unicast host's and multicast destinations are refused,
 * but not the source of an ICMPv4 error, which is translated for the sake of
 * troubleshooting (RFC 7915 section 4.1), or becomes error6: a path whose
 * errors were lost would be a black hole. An ICMPv6 error from the Well-Known
 * Prefix and a non-global address is dropped all the same (RFC 6052 section
 * 3.1: MUST). Returns REASON_OK or why not.
 * Context: pure.
 */
enum reason addrmap_46(const struct addrmap *m, const struct pkt_info *info,
		       struct xlat_map *map);
enum reason addrmap_64(const struct addrmap *m, const struct pkt_info *info,
		       struct xlat_map *map);

/*
 * addrmap_46_hairpinned - the second pass, after addrmap_64() said hairpin and
 * xlat_64() was done: by the rules of RFC 7757 section 4.2.1. Translate with
 * xlat_cfg.keep_ttl. Context: pure.
 * @src6: where addrmap_64() said foreign: the source of the IPv6 packet, which
 *        keeps it if what stands for it in IPv4 has no IPv6 form; else NULL
 */
enum reason addrmap_46_hairpinned(const struct addrmap *m,
				  const struct pkt_info *info,
				  const struct in6_addr *src6,
				  struct xlat_map *map);

#endif
