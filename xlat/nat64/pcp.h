/* SPDX-License-Identifier: MIT */
/*
 * RFC 6887: a host asks for a mapping of its own, from a PCP server that is
 * the NAT64. PURE: requests in, answers out; time and memory are the caller's.
 */
#ifndef NAT64_PCP_H
#define NAT64_PCP_H

#include "nat64.h"

#define PCP_PORT      5351
#define PCP_MAX_BYTES 1100 /* of a message, section 7 */
#define PCP_NONCE     12
#define PCP_MAX	      (UINT32_C(1) << 20)
#define PCP_SHARE_MAX 1024
#define PCP_LIFE_MIN  120 /* s, section 15 */
#define PCP_LIFE_MAX  86400

/* Section 7.4. */
enum pcp_result {
	PCP_SUCCESS,
	PCP_UNSUPP_VERSION,
	PCP_NOT_AUTHORIZED,
	PCP_MALFORMED_REQUEST,
	PCP_UNSUPP_OPCODE,
	PCP_UNSUPP_OPTION,
	PCP_MALFORMED_OPTION,
	PCP_NETWORK_FAILURE,
	PCP_NO_RESOURCES,
	PCP_UNSUPP_PROTOCOL,
	PCP_USER_EX_QUOTA,
	PCP_CANNOT_PROVIDE_EXTERNAL,
	PCP_ADDRESS_MISMATCH,
	PCP_EXCESSIVE_REMOTE_PEERS,
	PCP_N_RESULTS,
};

struct pcp_stats {
	uint32_t mappings, max; /* now */
	uint64_t received, dropped;
	uint64_t results[PCP_N_RESULTS]; /* received = dropped + these */
	uint64_t expired, lost;		 /* lost: by a change of the tables */
};

struct pcp_cfg {
	uint32_t max;	/* mappings, 1..PCP_MAX */
	uint32_t share; /* of one subscriber, 1..PCP_SHARE_MAX */
	/* hosts that share this many bits are one subscriber */
	uint8_t subscriber_len;
	uint32_t life_max; /* s, of a mapping; PCP_LIFE_MIN..PCP_LIFE_MAX */
	uint64_t seed[2];  /* secret */
};

struct pcp;

/* pcp_memory - bytes that pcp_init needs; pcp_init: @mem is ZEROED, aligned to
 * 64, the caller's. */
size_t pcp_memory(const struct pcp_cfg *c);
struct pcp *pcp_init(void *mem, const struct pcp_cfg *c, struct mono now);

/*
 * pcp_answer - what a host says, and what to say to it.
 * @from: source of the datagram
 * @out: PCP_MAX_BYTES
 *
 * Returns the length of the answer; 0: none is due (section 8.2).
 * Context: pure; cost: as many records as a subscriber may have.
 */
size_t pcp_answer(struct pcp *p, struct nat64 *n, const struct in6_addr *from,
		  const uint8_t *request, size_t len, struct mono now,
		  uint8_t *out);

/* pcp_expire - forget what is over; @budget: entries to look at. True: there is
 * more to look at. */
bool pcp_expire(struct pcp *p, struct nat64 *n, struct mono now,
		unsigned int budget);

/* pcp_moved - @n are other tables now (nat64_migrate): what is not in them is
 * gone, and the epoch begins anew so that hosts ask again (section 8.5).
 * @subscriber_len: from now on */
void pcp_moved(struct pcp *p, const struct nat64 *n, uint8_t subscriber_len,
	       struct mono now);

void pcp_get_stats(const struct pcp *p, struct pcp_stats *out);
const char *pcp_result_name(enum pcp_result r);

struct pcp_info {
	struct nat64_flow flow; /* proto and both sources */
	int64_t left_ns;
};

/* pcp_list - as nat64_list_bibs. */
size_t pcp_list(const struct pcp *p, const struct nat64 *n, uint32_t *cursor,
		uint32_t scan, struct mono now, struct pcp_info *out,
		size_t max);

/* pcp_check - NULL, or what is broken; for tests. */
const char *pcp_check(const struct pcp *p, const struct nat64 *n);

#endif
