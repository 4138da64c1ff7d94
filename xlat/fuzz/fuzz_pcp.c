/* SPDX-License-Identifier: MIT */
/*
 * Hosts that say anything at all to the PCP server, while packets come and time
 * passes: records and tables stay sound, and an answer is one.
 *
 * Input: requests, each led by its length (16 bits) and a byte: 1 lets 100
 * seconds pass, 2 puts the source into the request, 4 is a packet of the host's
 * instead, the upper four bits number the host.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/pcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct nat64 *n;
static struct pcp *p;
static struct mono now;
static void *memory[2];

static void *zeroed(size_t bytes)
{
	void *mem = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	if (!mem)
		abort();
	return memset(mem, 0, (bytes + 63) & ~(size_t)63);
}

static void start(void)
{
	struct nat64_pool4 pool = {.addr.s_addr = htonl(0xc0000201)};
	struct pcp_cfg pc = {
		.max = 12, .share = 5, .subscriber_len = 126, .life_max = 1000};
	struct nat64_cfg c;

	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		pool.ports[k].lo = 1000;
		pool.ports[k].hi = 1040;
	}
	nat64_cfg_init(&c);
	c.pool4 = &pool;
	c.n_pool4 = 1;
	c.max_sessions = c.max_bibs = 32;
	c.limit_ports = 12;
	now = (struct mono){NS_PER_S};
	memory[0] = zeroed(nat64_memory(&c));
	n = nat64_init(memory[0], &c, now);
	memory[1] = zeroed(pcp_memory(&pc));
	p = pcp_init(memory[1], &pc, now);
}

static void packet(const struct in6_addr *host, const uint8_t *data, size_t len)
{
	struct nat64_flow f = {.proto = NAT64_UDP,
			       .src6 = *host,
			       .dst4.s_addr = htonl(0xc6336401),
			       .dst_port = htons(53)};

	if (len < 3)
		return;
	f.proto = data[0] & 1 ? NAT64_TCP : NAT64_UDP;
	f.tcp_flags = data[0] >> 1;
	memcpy(&f.src6_port, data + 1, 2);
	(void)nat64_out(n, &f, now);
}

static void ask(const struct in6_addr *host, const uint8_t *data, size_t len,
		bool named)
{
	uint8_t copy[PCP_MAX_BYTES + 8], out[PCP_MAX_BYTES];
	size_t got;

	len = len < sizeof(copy) ? len : sizeof(copy);
	memcpy(copy, data, len);
	if (named && len >= 24)
		memcpy(copy + 8, host, sizeof(*host));
	got = pcp_answer(p, n, host, copy, len, now, out);
	if (got && (got < 24 || got > PCP_MAX_BYTES || got % 4 || out[0] != 2 ||
		    !(out[1] & 0x80)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	while (size >= 3) {
		size_t len = (size_t)data[0] << 8 | data[1];
		struct in6_addr host = {.s6_addr = {0x20, 1, 0xd, 0xb8}};
		uint8_t flags = data[2];

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		host.s6_addr[15] = flags >> 4;
		if (flags & 1)
			now = mono_add(now, 100 * NS_PER_S);
		nat64_expire(n, now, 64);
		(void)pcp_expire(p, n, now, 4);
		if (flags & 4)
			packet(&host, data, len);
		else
			ask(&host, data, len, flags & 2);
		data += len;
		size -= len;
	}
	if (nat64_check(n) || pcp_check(p, n))
		abort();
	free(memory[0]);
	free(memory[1]);
	return 0;
}
