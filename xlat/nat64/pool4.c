/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Each pool4 address has, for each protocol, one bit a port: set while free.
 * Even and odd ports lie in separate bitmaps, so that a port of the wanted
 * parity is found with word operations; ports below 1024 are the first eight
 * words of each. A summary bit a word says whether it has any free port, and
 * one bit an address whether it has any, so that a full address costs one
 * test and an exhausted pool one counter.
 *
 * Order of preference (RFC 6146 section 3.5.1.1, RFC 4787 REQ-1 to REQ-4):
 * the subscriber's address; there the port itself, then parity and range,
 * then range, then parity, then any. Only then other addresses, starting with
 * the next, so that a subscriber's mappings stay together where possible.
 * Among equals the caller's random number chooses the place to start.
 *
 * Where ports are held (RFC 6888 REQ-8), one that is given back goes into the
 * younger of two more bitmaps, without being free. When that has stood for the
 * time to hold, the older one's ports are free and the younger becomes the
 * older: so a port is held for that time at least and for twice at most, and
 * nobody keeps a time for each.
 *
 * Cost: at most 9 words a class, four classes an address, and 64 words over
 * all addresses; never proportional to the number of ports in use.
 */
#include "nat64_internal.h"

#include <arpa/inet.h>
#include <string.h>

#define ALIGN 64

static size_t round_up(size_t n)
{
	return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

size_t pool_bytes(uint32_t n)
{
	return round_up(n * sizeof(struct in_addr)) +
	       round_up((size_t)n * NAT64_N_PROTOS * sizeof(struct ports));
}

static struct ports *ports_of(const struct pool *p, uint32_t addr,
			      enum nat64_proto proto)
{
	return &p->ports[addr * NAT64_N_PROTOS + proto];
}

static void set_bit(uint64_t *words, unsigned int bit)
{
	words[bit / 64] |= UINT64_C(1) << bit % 64;
}

static void clear_bit(uint64_t *words, unsigned int bit)
{
	words[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

static void mark_free(struct pool *p, uint32_t addr, enum nat64_proto proto,
		      uint16_t port)
{
	struct ports *po = ports_of(p, addr, proto);
	unsigned int class = port & 1u, bit = port >> 1;

	set_bit(po->free[class], bit);
	set_bit(po->some[class], bit / 64);
	po->n_free++;
	p->n_free[proto]++;
	set_bit(p->some[proto], addr);
}

static void mark_taken(struct pool *p, uint32_t addr, enum nat64_proto proto,
		       uint16_t port)
{
	struct ports *po = ports_of(p, addr, proto);
	unsigned int class = port & 1u, bit = port >> 1;

	clear_bit(po->free[class], bit);
	if (!po->free[class][bit / 64])
		clear_bit(po->some[class], bit / 64);
	p->n_free[proto]--;
	if (!--po->n_free)
		clear_bit(p->some[proto], addr);
}

static bool insert_sorted(struct pool *p, struct in_addr a)
{
	uint32_t i = p->n;

	while (i && ntohl(p->addrs[i - 1].s_addr) > ntohl(a.s_addr))
		i--;
	if (i && p->addrs[i - 1].s_addr == a.s_addr)
		return false;
	memmove(&p->addrs[i + 1], &p->addrs[i], (p->n - i) * sizeof(*p->addrs));
	p->addrs[i] = a;
	p->n++;
	return true;
}

bool pool_init(struct pool *p, void *mem, const struct nat64_cfg *cfg)
{
	unsigned char *at = mem;

	memset(p, 0, sizeof(*p));
	p->addrs = (struct in_addr *)at;
	p->ports = (struct ports *)(at + round_up(cfg->n_pool4 *
						  sizeof(struct in_addr)));
	for (uint32_t i = 0; i < cfg->n_pool4; i++)
		if (!insert_sorted(p, cfg->pool4[i].addr))
			return false;
	for (uint32_t i = 0; i < cfg->n_pool4; i++) {
		const struct nat64_pool4 *c = &cfg->pool4[i];
		uint32_t addr = pool_find(p, c->addr);

		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			struct ports *po = ports_of(p, addr, k);

			if (c->ports[k].lo > c->ports[k].hi)
				return false;
			po->lo = c->ports[k].lo;
			po->hi = c->ports[k].hi;
			if (!po->hi)
				continue;
			for (uint32_t x = po->lo; x <= po->hi; x++)
				mark_free(p, addr, k, (uint16_t)x);
			p->n_all[k] += (uint64_t)po->hi - po->lo + 1;
		}
	}
	return true;
}

uint32_t pool_find(const struct pool *p, struct in_addr a)
{
	uint32_t lo = 0, hi = p->n, want = ntohl(a.s_addr);

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2, v = ntohl(p->addrs[mid].s_addr);

		if (v == want)
			return mid;
		if (v < want)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NONE;
}

static bool is_free(const struct ports *po, uint16_t port)
{
	return po->free[port & 1u][port >> 7] >> ((port >> 1) % 64) & 1;
}

/* ---- ports that are held ---------------------------------------------------
 */

#define TURNS 64 /* looked at in a call */

void pool_hold(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port)
{
	struct ports *po = ports_of(p, addr, proto);

	set_bit(po->held[0][port & 1u], port >> 1);
	po->n_held[0]++;
	p->n_held[proto]++;
}

static bool unhold(struct pool *p, uint32_t addr, enum nat64_proto proto,
		   uint16_t port)
{
	struct ports *po = ports_of(p, addr, proto);
	unsigned int class = port & 1u, bit = port >> 1;

	for (unsigned int age = 0; age < N_AGES; age++) {
		if (!(po->held[age][class][bit / 64] >> bit % 64 & 1))
			continue;
		clear_bit(po->held[age][class], bit);
		po->n_held[age]--;
		p->n_held[proto]--;
		return true;
	}
	return false;
}

static void free_old(struct pool *p, uint32_t addr, enum nat64_proto proto)
{
	struct ports *po = ports_of(p, addr, proto);

	for (unsigned int class = 0; class < N_CLASSES; class ++)
		for (unsigned int i = 0; i < CLASS_WORDS; i++) {
			uint64_t w = po->held[1][class][i];

			for (; w; w &= w - 1) {
				unsigned int bit =
					i * 64 +
					(unsigned int)__builtin_ctzll(w);

				mark_free(p, addr, proto,
					  (uint16_t)(bit << 1 | class));
			}
		}
	p->n_held[proto] -= po->n_held[1];
}

void pool_turn(struct pool *p, struct mono now, int64_t hold_ns)
{
	uint32_t all = p->n * NAT64_N_PROTOS;

	for (uint32_t i = 0; i < TURNS && i < all; i++) {
		uint32_t at = p->turning;
		struct ports *po = &p->ports[at];

		p->turning = at + 1 < all ? at + 1 : 0;
		if (!(po->n_held[0] | po->n_held[1]) ||
		    now.ns - po->turned_ns < hold_ns)
			continue;
		if (po->n_held[1])
			free_old(p, at / NAT64_N_PROTOS,
				 (enum nat64_proto)(at % NAT64_N_PROTOS));
		memcpy(po->held[1], po->held[0], sizeof(po->held[1]));
		memset(po->held[0], 0, sizeof(po->held[0]));
		po->n_held[1] = po->n_held[0];
		po->n_held[0] = 0;
		po->turned_ns = now.ns;
	}
}

/* ---- taking, giving, choosing ----------------------------------------------
 */

bool pool_take(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port)
{
	if (unhold(p, addr, proto, port))
		return true;
	if (!is_free(ports_of(p, addr, proto), port))
		return false;
	mark_taken(p, addr, proto, port);
	return true;
}

bool pool_is_free(const struct pool *p, uint32_t addr, enum nat64_proto proto,
		  uint16_t port)
{
	return is_free(ports_of(p, addr, proto), port);
}

void pool_give(struct pool *p, uint32_t addr, enum nat64_proto proto,
	       uint16_t port)
{
	mark_free(p, addr, proto, port);
}

/* First set bit at or behind @from, below @end; else @end. */
static unsigned int next_bit(const uint64_t *words, unsigned int from,
			     unsigned int end)
{
	while (from < end) {
		uint64_t w = words[from / 64] >> from % 64;

		if (w) {
			from += (unsigned int)__builtin_ctzll(w);
			return from < end ? from : end;
		}
		from = (from / 64 + 1) * 64;
	}
	return end;
}

/* Like next_bit, but starts again at @begin when there is none behind @at. */
static unsigned int next_bit_around(const uint64_t *words, unsigned int begin,
				    unsigned int at, unsigned int end)
{
	unsigned int bit = next_bit(words, at, end);

	return bit < end ? bit : next_bit(words, begin, end);
}

/* A free port of one parity and range; @random decides where to start. */
static bool pick_in_class(const struct ports *po, unsigned int class, bool low,
			  uint64_t random, uint16_t *port)
{
	unsigned int begin = low ? 0 : LOW_WORDS;
	unsigned int end = low ? LOW_WORDS : CLASS_WORDS;
	unsigned int word = begin + (unsigned int)(random % (end - begin));
	unsigned int bit = (unsigned int)(random >> 32) % 64;
	uint64_t w;

	word = next_bit_around(po->some[class], begin, word, end);
	if (word == end)
		return false;
	w = po->free[class][word];
	if (w >> bit)
		bit += (unsigned int)__builtin_ctzll(w >> bit);
	else
		bit = (unsigned int)__builtin_ctzll(w);
	*port = (uint16_t)(((word * 64 + bit) << 1) | class);
	return true;
}

static bool pick_at(const struct ports *po, enum nat64_proto proto,
		    uint16_t want, uint64_t random, uint16_t *port)
{
	unsigned int class = want & 1u;
	bool low = want < 1024;

	if (!po->n_free)
		return false;
	if (is_free(po, want)) {
		*port = want;
		return true;
	}
	/* identifiers have neither parity nor range: start anywhere */
	if (proto == NAT64_ICMP) {
		class = random >> 20 & 1;
		low = random >> 21 & 1;
	}
	return pick_in_class(po, class, low, random, port) ||
	       pick_in_class(po, class ^ 1, low, random, port) ||
	       pick_in_class(po, class, !low, random, port) ||
	       pick_in_class(po, class ^ 1, !low, random, port);
}

bool pool_pick(struct pool *p, enum nat64_proto proto, uint32_t first,
	       uint16_t want, uint64_t random, uint32_t *addr, uint16_t *port)
{
	if (!p->n_free[proto])
		return false;
	*addr = next_bit_around(p->some[proto], 0, first, p->n);
	if (!pick_at(ports_of(p, *addr, proto), proto, want, random, port))
		return false;
	mark_taken(p, *addr, proto, *port);
	return true;
}

/* As pick_in_class, of any range of ports. */
static bool pick_between(const struct ports *po, unsigned int class,
			 unsigned int low, unsigned int high, uint64_t random,
			 uint16_t *port)
{
	unsigned int begin = (low + 1 - class) / 2;
	unsigned int end = (high + 2 - class) / 2, bit;

	if (begin >= end)
		return false;
	bit = next_bit_around(po->free[class], begin,
			      begin + (unsigned int)(random % (end - begin)),
			      end);
	*port = (uint16_t)(bit << 1 | class);
	return bit < end;
}

bool pool_pick_within(struct pool *p, enum nat64_proto proto, uint32_t addr,
		      uint16_t low, uint16_t high, uint16_t want,
		      uint64_t random, uint16_t *port)
{
	const struct ports *po = ports_of(p, addr, proto);
	unsigned int class = want & 1u;

	if (want >= low && want <= high && is_free(po, want))
		*port = want;
	else if (!pick_between(po, class, low, high, random, port) &&
		 !pick_between(po, class ^ 1, low, high, random, port))
		return false;
	mark_taken(p, addr, proto, *port);
	return true;
}

static const char *check_held(const struct ports *po)
{
	uint32_t n[N_AGES] = {0};

	for (unsigned int age = 0; age < N_AGES; age++)
		for (unsigned int class = 0; class < N_CLASSES; class ++)
			for (unsigned int i = 0; i < CLASS_WORDS; i++) {
				uint64_t w = po->held[age][class][i];

				n[age] += (uint32_t)__builtin_popcountll(w);
				if (w & po->free[class][i])
					return "a port is held and free";
				if (age && (w & po->held[0][class][i]))
					return "a port is held twice";
			}
	return n[0] == po->n_held[0] && n[1] == po->n_held[1]
		       ? NULL
		       : "held ports of an address miscounted";
}

/* The bits that are set; false in @good when the summary disagrees. */
static uint32_t count_free(const struct ports *po, bool *good)
{
	uint32_t n = 0;

	for (unsigned int class = 0; class < N_CLASSES; class ++)
		for (unsigned int w = 0; w < CLASS_WORDS; w++) {
			uint64_t free = po->free[class][w];
			bool some = po->some[class][w / 64] >> w % 64 & 1;

			n += (uint32_t)__builtin_popcountll(free);
			*good &= some == (free != 0);
		}
	return n;
}

const char *pool_check(const struct pool *p)
{
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		uint64_t all = 0, all_held = 0;

		for (uint32_t a = 0; a < p->n; a++) {
			const struct ports *po = ports_of(p, a, k);
			bool good = true,
			     some = p->some[k][a / 64] >> a % 64 & 1;
			uint32_t n = count_free(po, &good);
			const char *wrong = check_held(po);

			if (wrong)
				return wrong;
			if (n != po->n_free)
				return "free ports of an address miscounted";
			if (!good)
				return "summary of ports is wrong";
			if (some != (n != 0))
				return "summary of addresses is wrong";
			all += n;
			all_held += po->n_held[0] + po->n_held[1];
		}
		if (all != p->n_free[k])
			return "free ports of the pool miscounted";
		if (all_held != p->n_held[k])
			return "held ports of the pool miscounted";
	}
	return NULL;
}
