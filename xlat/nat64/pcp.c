/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A mapping is a BIB entry that stays (nat64_map), and a record of who may
 * change it, his nonce, and until when. All records of a subscriber are in one
 * chain of a hash table under a secret seed, so that they can be counted: no
 * subscriber has more than his share, and none can leave the others without.
 * The records are scanned for those whose time is over, and one that is found
 * over is treated as gone.
 *
 * Of RFC 6887: ANNOUNCE, and MAP for one port of TCP or UDP, with
 * PREFER_FAILURE. PEER, all ports at once, THIRD_PARTY and FILTER are answered
 * as the RFC has it for servers without them (section 18.1 wants a server that
 * is open to subscribers to be without THIRD_PARTY). A host's BIB entry that is
 * there already, from traffic or by configuration, becomes its mapping.
 *
 * What a mapping is worth lies with this process: a standby has no records,
 * and a host learns that from the epoch (section 8.5) and asks again.
 */
#include "pcp.h"

#include <arpa/inet.h>
#include <string.h>

#include "nat64_internal.h"

#define VERSION	   2
#define RESPONSE   0x80
#define HEADER	   24
#define MAP_BYTES  36
#define OPTION	   4
#define LONG_LIFE  1800 /* s, of an error; section 7.4 */
#define SHORT_LIFE 30

enum opcode { ANNOUNCE, MAP };
enum { OPTION_PREFER_FAILURE = 2, OPTION_OPTIONAL = 128 };

struct record {
	struct in6_addr host;
	__be16 port;
	uint8_t proto; /* enum nat64_proto */
	bool used;
	uint8_t nonce[PCP_NONCE];
	uint32_t next; /* chain, free list */
	int64_t end_ns;
};

struct pcp {
	struct pcp_cfg cfg;
	struct record *v;
	uint32_t *heads; /* index + 1 */
	struct freelist free;
	uint32_t cursor;
	struct mono epoch;
	struct pcp_stats stats;
};

/* What a request comes to. */
struct answer {
	enum pcp_result result;
	uint32_t asked_s, life_s; /* of a mapping, or of an error */
	bool prefer_failure;
	const struct nat64_flow *flow; /* of a mapping; NULL: as asked */
};

static const char *const result_names[PCP_N_RESULTS] = {
	"SUCCESS",	    "UNSUPP_VERSION",
	"NOT_AUTHORIZED",   "MALFORMED_REQUEST",
	"UNSUPP_OPCODE",    "UNSUPP_OPTION",
	"MALFORMED_OPTION", "NETWORK_FAILURE",
	"NO_RESOURCES",	    "UNSUPP_PROTOCOL",
	"USER_EX_QUOTA",    "CANNOT_PROVIDE_EXTERNAL",
	"ADDRESS_MISMATCH", "EXCESSIVE_REMOTE_PEERS",
};

const char *pcp_result_name(enum pcp_result r)
{
	return result_names[r];
}

/* ---- records --------------------------------------------------------------
 */

static size_t align64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

size_t pcp_memory(const struct pcp_cfg *c)
{
	return align64(sizeof(struct pcp)) +
	       align64(c->max * sizeof(struct record)) +
	       c->max * sizeof(uint32_t);
}

struct pcp *pcp_init(void *mem, const struct pcp_cfg *c, struct mono now)
{
	uint8_t *at = mem;
	struct pcp *p = mem;

	p->cfg = *c;
	at += align64(sizeof(*p));
	p->v = (struct record *)at;
	at += align64(c->max * sizeof(struct record));
	p->heads = (uint32_t *)at;
	p->free = (struct freelist){NONE, 0, c->max};
	p->epoch = now;
	p->stats.max = c->max;
	return p;
}

static uint32_t *head_of(const struct pcp *p, const struct in6_addr *host)
{
	uint64_t w[2];

	subscriber_prefix(p->cfg.subscriber_len, host, w);
	return &p->heads[slot_of_hash(sip_hash(p->cfg.seed, w, 2), p->cfg.max)];
}

/* How many a host's subscriber has. */
static uint32_t share_of(const struct pcp *p, const struct in6_addr *host)
{
	uint64_t want[2], w[2];
	uint32_t found = 0;

	subscriber_prefix(p->cfg.subscriber_len, host, want);
	for (uint32_t i = *head_of(p, host); i; i = p->v[i - 1].next) {
		subscriber_prefix(p->cfg.subscriber_len, &p->v[i - 1].host, w);
		found += w[0] == want[0] && w[1] == want[1];
	}
	return found;
}

/* Where the chain names it; what is found there may be 0. */
static uint32_t *find(const struct pcp *p, const struct nat64_flow *f)
{
	uint32_t *at = head_of(p, &f->src6);

	while (*at) {
		struct record *r = &p->v[*at - 1];

		if (r->port == f->src6_port && r->proto == f->proto &&
		    IN6_ARE_ADDR_EQUAL(&r->host, &f->src6))
			break;
		at = &r->next;
	}
	return at;
}

static void flow_of(const struct record *r, struct nat64_flow *f)
{
	*f = (struct nat64_flow){.proto = (enum nat64_proto)r->proto,
				 .src6 = r->host,
				 .src6_port = r->port};
}

static struct record *add(struct pcp *p, const struct nat64_flow *f)
{
	uint32_t i = p->free.head, *head = head_of(p, &f->src6);

	if (i != NONE)
		p->free.head = p->v[i].next;
	else
		i = p->free.fresh++;
	p->v[i] = (struct record){.host = f->src6,
				  .port = f->src6_port,
				  .proto = (uint8_t)f->proto,
				  .used = true,
				  .next = *head};
	*head = i + 1;
	p->stats.mappings++;
	return &p->v[i];
}

static void forget(struct pcp *p, uint32_t *at)
{
	uint32_t i = *at - 1;
	struct record *r = &p->v[i];

	*at = r->next;
	r->used = false;
	r->next = p->free.head;
	p->free.head = i;
	p->stats.mappings--;
}

/* The mapping ends with its record. */
static void end(struct pcp *p, struct nat64 *n, uint32_t *at)
{
	struct nat64_flow f;

	flow_of(&p->v[*at - 1], &f);
	nat64_unmap(n, &f);
	forget(p, at);
}

/* As find, without what is over. */
static uint32_t *find_living(struct pcp *p, struct nat64 *n,
			     const struct nat64_flow *f, struct mono now)
{
	uint32_t *at = find(p, f);

	if (*at && p->v[*at - 1].end_ns <= now.ns) {
		end(p, n, at);
		p->stats.expired++;
		at = find(p, f);
	}
	return at;
}

bool pcp_expire(struct pcp *p, struct nat64 *n, struct mono now,
		unsigned int budget)
{
	for (; budget && p->cursor < p->free.fresh; budget--, p->cursor++) {
		const struct record *r = &p->v[p->cursor];
		struct nat64_flow f;

		if (!r->used || r->end_ns > now.ns)
			continue;
		flow_of(r, &f);
		end(p, n, find(p, &f));
		p->stats.expired++;
	}
	if (p->cursor < p->free.fresh)
		return true;
	p->cursor = 0;
	return false;
}

/* ---- messages -------------------------------------------------------------
 */

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return ntohl(v);
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, sizeof(v));
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t error_life(enum pcp_result r)
{
	return r == PCP_NETWORK_FAILURE || r == PCP_NO_RESOURCES ||
			       r == PCP_USER_EX_QUOTA
		       ? SHORT_LIFE
		       : LONG_LIFE;
}

/* The options behind @at; @map: PREFER_FAILURE is known. */
static enum pcp_result read_options(const uint8_t *request, size_t len,
				    size_t at, bool map, bool *prefer_failure)
{
	while (at < len) {
		size_t bytes;

		if (len - at < OPTION)
			return PCP_MALFORMED_OPTION;
		bytes = get16(request + at + 2);
		if (bytes > len - at - OPTION)
			return PCP_MALFORMED_OPTION;
		if (request[at] == OPTION_PREFER_FAILURE && map) {
			if (bytes || *prefer_failure)
				return PCP_MALFORMED_OPTION;
			*prefer_failure = true;
		} else if (request[at] < OPTION_OPTIONAL) {
			return PCP_UNSUPP_OPTION;
		}
		at += OPTION + (bytes + 3) / 4 * 4;
	}
	return PCP_SUCCESS;
}

/* ---- MAP, section 11 ------------------------------------------------------
 */

/* What the host would like, of a body of MAP; false: it is not IPv4. */
static bool read_want(const uint8_t *body, struct nat64_want *want)
{
	struct in6_addr a;

	memcpy(&a, body + 20, sizeof(a));
	want->port = get16(body + 18);
	want->addr.s_addr = a.s6_addr32[3];
	return IN6_IS_ADDR_V4MAPPED(&a) || IN6_IS_ADDR_UNSPECIFIED(&a);
}

static enum pcp_result result_of(enum reason why, bool only)
{
	if (why == REASON_NAT64_HOST_PORTS || why == REASON_NAT64_HOST_RATE)
		return PCP_USER_EX_QUOTA;
	return why == REASON_NAT64_NO_PORT && only ? PCP_CANNOT_PROVIDE_EXTERNAL
						   : PCP_NO_RESOURCES;
}

static enum pcp_result grant(struct pcp *p, struct nat64 *n, uint32_t *at,
			     struct nat64_flow *f, const uint8_t *body,
			     struct mono now, struct answer *a)
{
	struct nat64_want want = {.only = a->prefer_failure};
	struct record *r = *at ? &p->v[*at - 1] : NULL;
	enum reason why;

	if (!read_want(body, &want)) {
		if (want.only)
			return PCP_CANNOT_PROVIDE_EXTERNAL;
		want = (struct nat64_want){0};
	}
	if (!r && free_is_out(&p->free))
		return PCP_NO_RESOURCES;
	if (!r && share_of(p, &f->src6) >= p->cfg.share)
		return PCP_USER_EX_QUOTA;
	why = nat64_map(n, f, &want, now);
	if (why)
		return result_of(why, want.only);
	if (!r)
		r = add(p, f);
	memcpy(r->nonce, body, PCP_NONCE);
	a->life_s = a->asked_s < PCP_LIFE_MIN	   ? PCP_LIFE_MIN
		    : a->asked_s > p->cfg.life_max ? p->cfg.life_max
						   : a->asked_s;
	r->end_ns = now.ns + a->life_s * NS_PER_S;
	a->flow = f;
	return PCP_SUCCESS;
}

/* Section 15: what is not there is deleted well; what others made is not. */
static enum pcp_result delete (struct pcp *p, struct nat64 *n, uint32_t *at,
			       const struct nat64_flow *f) {
	struct nat64_bib_info bib;

	if (*at) end(p, n, at);
	else if (nat64_find_bib(n, f, &bib) &&
		 bib.is_static) return PCP_NOT_AUTHORIZED;
	return PCP_SUCCESS;
}

static enum pcp_result map(struct pcp *p, struct nat64 *n, struct nat64_flow *f,
			   const uint8_t *body, struct mono now,
			   struct answer *a)
{
	uint32_t *at;

	f->src6_port = htons(get16(body + 16));
	if (!body[12] && f->src6_port && a->asked_s)
		return PCP_MALFORMED_REQUEST;
	if ((body[12] != IPPROTO_TCP && body[12] != IPPROTO_UDP) ||
	    !f->src6_port)
		return PCP_UNSUPP_PROTOCOL;
	f->proto = body[12] == IPPROTO_TCP ? NAT64_TCP : NAT64_UDP;
	at = find_living(p, n, f, now);
	if (*at && memcmp(p->v[*at - 1].nonce, body, PCP_NONCE) != 0) {
		int64_t left = p->v[*at - 1].end_ns - now.ns;

		a->life_s = (uint32_t)(left / NS_PER_S);
		return PCP_NOT_AUTHORIZED;
	}
	if (a->asked_s)
		return grant(p, n, at, f, body, now, a);
	return delete (p, n, at, f);
}

/* ---- answers, section 8.2 -------------------------------------------------
 */

static enum pcp_result process(struct pcp *p, struct nat64 *n,
			       struct nat64_flow *f, const uint8_t *request,
			       size_t len, struct mono now, struct answer *a)
{
	enum pcp_result r;
	size_t body;

	if (len > PCP_MAX_BYTES || len % 4)
		return PCP_MALFORMED_REQUEST;
	if (memcmp(request + 8, &f->src6, sizeof(f->src6)) != 0)
		return PCP_ADDRESS_MISMATCH;
	if (request[1] != ANNOUNCE && request[1] != MAP)
		return PCP_UNSUPP_OPCODE;
	body = request[1] == MAP ? MAP_BYTES : 0;
	if (len < HEADER + body)
		return PCP_MALFORMED_REQUEST;
	r = read_options(request, len, HEADER + body, request[1] == MAP,
			 &a->prefer_failure);
	if (r || request[1] == ANNOUNCE)
		return r;
	a->asked_s = get32(request + 4);
	return map(p, n, f, request + HEADER, now, a);
}

/* An error carries what it is about; a success what was granted. */
static size_t write_answer(const struct pcp *p, const struct answer *a,
			   const uint8_t *request, size_t len, struct mono now,
			   uint8_t *out)
{
	size_t n = len < PCP_MAX_BYTES ? len : PCP_MAX_BYTES;
	uint8_t *body = out + HEADER;

	memset(out, 0, PCP_MAX_BYTES);
	if (a->result == PCP_UNSUPP_VERSION)
		n = HEADER;
	else if (a->result == PCP_SUCCESS)
		n = request[1] == MAP ? HEADER + MAP_BYTES : HEADER;
	if (n > HEADER)
		memcpy(body, request + HEADER, n - HEADER);
	out[0] = VERSION;
	out[1] = request[1] | RESPONSE;
	out[3] = (uint8_t)a->result;
	put32(out + 4, a->life_s);
	put32(out + 8, (uint32_t)(mono_sub(now, p->epoch) / NS_PER_S));
	if (a->result == PCP_SUCCESS && request[1] == MAP) {
		if (a->flow) {
			memcpy(body + 18, &a->flow->src4_port, 2);
			memset(body + 20, 0, 10);
			memset(body + 30, 0xff, 2);
			memcpy(body + 32, &a->flow->src4, 4);
		}
		if (a->prefer_failure) {
			out[n] = OPTION_PREFER_FAILURE;
			n += OPTION;
		}
	}
	return (n + 3) & ~(size_t)3;
}

size_t pcp_answer(struct pcp *p, struct nat64 *n, const struct in6_addr *from,
		  const uint8_t *request, size_t len, struct mono now,
		  uint8_t *out)
{
	struct nat64_flow f = {.src6 = *from};
	struct answer a = {.life_s = 0};

	p->stats.received++;
	if (len < 2 || (request[1] & RESPONSE) ||
	    (request[0] == VERSION && len < HEADER)) {
		p->stats.dropped++;
		return 0;
	}
	a.result = request[0] == VERSION
			   ? process(p, n, &f, request, len, now, &a)
			   : PCP_UNSUPP_VERSION;
	if (a.result && !a.life_s)
		a.life_s = error_life(a.result);
	p->stats.results[a.result]++;
	return write_answer(p, &a, request, len, now, out);
}

/* ---- looking --------------------------------------------------------------
 */

static void chain_anew(struct pcp *p, uint8_t subscriber_len)
{
	p->cfg.subscriber_len = subscriber_len;
	memset(p->heads, 0, p->cfg.max * sizeof(*p->heads));
	for (uint32_t i = 0; i < p->free.fresh; i++) {
		struct record *r = &p->v[i];
		uint32_t *head = head_of(p, &r->host);

		if (!r->used)
			continue;
		r->next = *head;
		*head = i + 1;
	}
}

void pcp_moved(struct pcp *p, const struct nat64 *n, uint8_t subscriber_len,
	       struct mono now)
{
	chain_anew(p, subscriber_len);
	for (uint32_t i = 0; i < p->free.fresh; i++) {
		struct nat64_bib_info bib;
		struct nat64_flow f;

		if (!p->v[i].used)
			continue;
		flow_of(&p->v[i], &f);
		if (nat64_find_bib(n, &f, &bib) && bib.is_mapped)
			continue;
		forget(p, find(p, &f));
		p->stats.lost++;
		p->epoch = now;
	}
}

void pcp_get_stats(const struct pcp *p, struct pcp_stats *out)
{
	*out = p->stats;
}

size_t pcp_list(const struct pcp *p, const struct nat64 *n, uint32_t *cursor,
		uint32_t scan, struct mono now, struct pcp_info *out,
		size_t max)
{
	size_t found = 0;

	while (*cursor < p->free.fresh && found < max && scan--) {
		const struct record *r = &p->v[(*cursor)++];
		struct nat64_bib_info bib;
		struct nat64_flow f;

		if (!r->used || r->end_ns <= now.ns)
			continue;
		flow_of(r, &f);
		if (!nat64_find_bib(n, &f, &bib))
			continue;
		out[found++] = (struct pcp_info){.flow = bib.flow,
						 .left_ns = r->end_ns - now.ns};
	}
	if (*cursor >= p->free.fresh)
		*cursor = UINT32_MAX;
	return found;
}

const char *pcp_check(const struct pcp *p, const struct nat64 *n)
{
	uint32_t used = 0, mapped = 0, cursor = 0;
	struct nat64_bib_info bib;
	struct nat64_flow f;

	for (uint32_t i = 0; i < p->free.fresh; i++) {
		if (!p->v[i].used)
			continue;
		used++;
		flow_of(&p->v[i], &f);
		if (*find(p, &f) != i + 1)
			return "a record is not found";
		if (!nat64_find_bib(n, &f, &bib) || !bib.is_mapped)
			return "a record without its mapping";
	}
	if (used != p->stats.mappings)
		return "the number of records is wrong";
	while (cursor != UINT32_MAX)
		if (nat64_list_bibs(n, &cursor, 1, &bib, 1))
			mapped += bib.is_mapped;
	return mapped == used ? NULL : "a mapping without its record";
}
