/* SPDX-License-Identifier: MIT */
/*
 * One packet with configuration and offload metadata from the fuzzer. The
 * first CONTROL bytes choose those; the rest is the packet, in a buffer of
 * exactly its size so that a sanitizer sees any access outside. Then the same
 * packet goes the whole way of an SIIT or CLAT process, with explicit
 * mappings and hairpinning, and the counters must add up.
 *
 * Control bytes: 0: bits of fuzz_config; 1: MTUs; 2: metadata, bit 0 partial
 * checksum, bits 1-2 type; 3: bit 0 leaves lengths as they are, bit 1 CLAT,
 * bits 6 and 7 no headroom and tailroom; 4-5 segment size; 6-7 checksum
 * start; 8 its offset; 9 header length; 10-11 MSS to clamp to, 0: none.
 */
#ifndef FUZZ_CORE_H
#define FUZZ_CORE_H

#include <assert.h>

#include "../core/mss.h"
#include "../daemon/path.h"
#include "../io/io.h"
#include "../tests/core_testlib.h"

#define CONTROL 12

static inline void fuzz_config(const uint8_t *c, struct addrmap *m,
			       struct xlat_cfg *cfg)
{
	ref_config(m, cfg);
	if (c[0] & 1)
		cfg->mtu4 = 68 + c[1] * 8u;
	if (c[0] & 2)
		cfg->mtu6 = 1280 + c[1] * 4u;
	if (c[0] & 4)
		cfg->lowest_mtu6 = 1500;
	if (c[0] & 8)
		cfg->udp_zero = XLAT_UDP_ZERO_DROP;
	if (c[0] & 16) /* map anything, so that more gets through */
		m->pref64 = ref_prefix6("2001:db8::/32");
	if (c[0] & 32) {
		cfg->set_tos = true;
		cfg->zero_tc = true;
		cfg->tell_source = true;
	}
	if (c[0] & 64)
		m->hairpin = ADDRMAP_HAIRPIN_SIMPLE;
}

static inline void fuzz_gso(const uint8_t *c, struct pkt_gso *g)
{
	g->needs_csum = c[2] & 1;
	g->type = c[2] >> 1 & 3;
	g->gso_size = (uint16_t)ref_get16(c + 4);
	g->csum_start = (uint16_t)ref_get16(c + 6);
	g->csum_offset = c[8];
	g->hdr_len = c[9];
}

/* Lengths and checksum right, or few inputs get behind the first checks. */
static inline void fuzz_mend(uint8_t *d, uint32_t len, int dir)
{
	if (dir == 46 && len >= 20) {
		d[0] = (uint8_t)(0x40 | (d[0] & 15));
		ref_put16(d + 2, len);
		if ((d[0] & 15u) * 4 <= len)
			ref_ip4_csum(d);
	}
	if (dir == 64 && len >= 40) {
		d[0] = (uint8_t)(0x60 | (d[0] & 15));
		ref_put16(d + 4, len - 40);
		if (len < 65535)
			memcpy(d + 8, "\x20\x01\x0d\xb8\0\x64\0\0\0\0\0", 11);
	}
}

static inline void fuzz_check_packet(const struct pkt *p, int dir)
{
	if (dir == 64) {
		assert(p->data[0] == 0x45);
		assert(ref_get16(p->data + 2) == p->len);
		assert(ref_sum(0, p->data, 20) == 0xffff);
	} else {
		assert(p->data[0] >> 4 == 6);
		assert(ref_get16(p->data + 4) + 40 == p->len);
	}
}

static inline void fuzz_fragments(struct xlat_out *out, int dir)
{
	struct room r;
	uint32_t n = 0;

	for (;;) {
		room_init(&r, NULL, 0, 0,
			  out->frag.piece ? 65535 : out->frag.mtu);
		if (!frag_next(&out->frag, &r.pkt))
			break;
		assert(room_consistent(&r));
		fuzz_check_packet(&r.pkt, dir);
		n++;
		assert(n < 10000);
		room_fini(&r);
	}
	room_fini(&r);
	assert(n >= 2);
}

struct fuzz_sent {
	uint64_t n;
	uint32_t mss; /* 0: any */
	bool large;   /* a SYN that announces more has left */
};

static inline bool fuzz_announces_more(const struct pkt *p, uint32_t mss)
{
	static uint8_t buf[PKT_MAX_BYTES];
	struct pkt copy = *p;

	copy.data = buf;
	memcpy(buf, p->data, p->len);
	return mss_clamp(&copy, mss);
}

/* Whatever leaves is a packet whose lengths are right. */
static inline int fuzz_emit(void *arg, const struct pkt *p)
{
	struct fuzz_sent *sent = arg;

	sent->n++;
	if (sent->mss)
		sent->large |= fuzz_announces_more(p, sent->mss);
	fuzz_check_packet(p, p->data[0] >> 4 == 4 ? 64 : 46);
	return 0;
}

/* Customers, one of whom the well-known addresses of the vectors are. */
static inline void fuzz_mappings(struct eam_table *t)
{
	static struct eam_entry entries[2];
	static struct lpm_node n4[EAM_NODES(2)], n6[EAM_NODES(2)];
	struct prefix4 p4 = ref_prefix4("192.0.2.0/24");
	struct prefix6 p6 = ref_prefix6("2001:db8:1::/120");

	eam_init(t, entries, 2, n4, n6);
	assert(!eam_add(t, &p4, &p6));
	p4 = ref_prefix4("198.51.100.0/28");
	p6 = ref_prefix6("2001:db8:2::/56");
	assert(!eam_add(t, &p4, &p6));
}

static inline void fuzz_path(const uint8_t *c, const struct pkt *pkt,
			     const struct addrmap *m,
			     const struct xlat_cfg *cfg)
{
	static uint8_t buf[IO_BUFFER_BYTES], fragment[IO_BUFFER_BYTES];
	struct mono now = {NS_PER_S};
	static struct path p;
	struct fuzz_sent sent = {0};
	struct pkt copy = *pkt;
	enum verdict v;

	path_init(&p, c[3] & 2 ? ROLE_CLAT : ROLE_SIIT, fragment, 1);
	p.map.has_pref64 = true;
	p.map.pref64 = m->pref64;
	fuzz_mappings(&p.map.eam);
	if (p.role == ROLE_SIIT)
		p.map.hairpin = m->hairpin;
	p.xlat = *cfg;
	p.mss = sent.mss = ref_get16(c + 10);
	ratelimit_init(&p.icmp, 1, 1, now.ns);
	p.emit = fuzz_emit;
	p.emit_arg = &sent;
	copy.data = buf + PKT_HEADROOM;
	copy.headroom = PKT_HEADROOM;
	copy.tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - copy.len;
	memcpy(copy.data, pkt->data, pkt->len);
	v = path_run(&p, &copy, now);
	assert(path_balanced(&p.counters));
	assert((v == VERDICT_DROP) == !sent.n);
	assert(v != VERDICT_FORWARD || !sent.large);
	assert(!p.counters.mss_clamped || p.mss);
	assert(v == VERDICT_DROP || v == VERDICT_REPLY ||
	       p.counters.reasons.n[REASON_OK] == 1);
}

static inline int fuzz_one(const uint8_t *data, size_t size, int dir)
{
	static uint8_t reply[XLAT_REPLY_BYTES];
	const uint8_t *c = data;
	struct addrmap m;
	struct xlat_cfg cfg;
	struct xlat_out out;
	struct room r;
	enum verdict v;

	if (size < CONTROL || size > CONTROL + PKT_MAX_BYTES)
		return 0;
	fuzz_config(c, &m, &cfg);
	xlat_out_init(&out, reply, sizeof(reply), 1);
	room_init(&r, data + CONTROL, (uint32_t)size - CONTROL,
		  c[3] & 64 ? 0 : PKT_HEADROOM, c[3] & 128 ? PKT_TAILROOM : 0);
	fuzz_gso(c, &r.pkt.gso);
	if (!(c[3] & 1) && r.pkt.len <= 65535)
		fuzz_mend(r.pkt.data, r.pkt.len, dir);
	fuzz_path(c, &r.pkt, &m, &cfg);
	v = ref_run(&r.pkt, dir, &m, &cfg, &out);
	assert(room_consistent(&r));
	assert((v == VERDICT_FORWARD || v == VERDICT_FRAGMENT) ==
	       (out.reason == REASON_OK));
	if (v == VERDICT_FORWARD)
		fuzz_check_packet(&r.pkt, dir);
	if (v == VERDICT_FRAGMENT)
		fuzz_fragments(&out, dir);
	room_fini(&r);
	return 0;
}

#endif
