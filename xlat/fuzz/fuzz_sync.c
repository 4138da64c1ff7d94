/* SPDX-License-Identifier: MIT */
/*
 * What two PLATs tell each other, after the seal has been found good: a peer
 * that has gone mad. Whatever it says, the table stays sound.
 *
 * Input: datagrams, each led by its length (16 bits) and a byte of flags: 1
 * lets 30 seconds pass, 2 names our epoch, 4 is a packet of our own instead,
 * 8 lets a tick pass.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/replica.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUR_EPOCH UINT64_C(0x0102030405060708)

static struct nat64 *n;
static struct replica replica;
static struct mono now;

/* What we say must make sense, whatever we heard. */
static void emit(void *arg, uint8_t *at, size_t len)
{
	struct sync_header h;

	(void)arg;
	if (!sync_decode_header(at, len, &h) || h.from != OUR_EPOCH)
		abort();
	memset(at + len, 0, REPLICA_SEAL_BYTES);
}

static void on_change(void *arg, enum nat64_event ev,
		      const struct nat64_session_info *s)
{
	replica_change(arg, ev, s, now);
}

static void *start(void)
{
	struct nat64_pool4 pool = {.addr.s_addr = htonl(0xc0000201)};
	struct nat64_cfg c;
	size_t bytes;
	void *mem;

	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		pool.ports[k].lo = 1000;
		pool.ports[k].hi = 1040;
	}
	nat64_cfg_init(&c);
	c.pool4 = &pool;
	c.n_pool4 = 1;
	c.max_sessions = c.max_bibs = 32;
	c.limit_sessions = 20;
	c.limit_ports = 12;
	bytes = (nat64_memory(&c) + 63) & ~(size_t)63;
	mem = aligned_alloc(64, bytes);
	if (!mem)
		abort();
	memset(mem, 0, bytes);
	now = (struct mono){NS_PER_S};
	n = nat64_init(mem, &c, now);
	replica_init(&replica, OUR_EPOCH, emit, NULL, now);
	nat64_watch(n, on_change, &replica);
	return mem;
}

/* Ours, by the same bytes: what it begins, the peer may speak of later. */
static void own_packet(const uint8_t *data, size_t len)
{
	struct sync_record r;

	if (len >= SYNC_RECORD_BYTES && sync_decode_record(data, &r)) {
		r.session.flow.tcp_flags = NAT64_SYN;
		(void)nat64_out(n, &r.session.flow, now);
	}
}

static void datagram(const uint8_t *data, size_t len, bool to_us)
{
	uint8_t copy[SYNC_MAX_BYTES];
	struct sync_header h;

	if (to_us && sync_decode_header(data, len, &h)) {
		memcpy(copy, data, len);
		h.to = OUR_EPOCH;
		sync_encode_header(&h, copy);
		data = copy;
	}
	(void)replica_receive(&replica, n, data, len, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *mem = start();

	while (size >= 3) {
		size_t len = (size_t)data[0] << 8 | data[1];
		uint8_t flags = data[2];

		data += 3;
		size -= 3;
		len = len < size ? len : size;
		if (flags & 1)
			now = mono_add(now, 30 * NS_PER_S);
		nat64_expire(n, now, 64);
		if (flags & 8)
			replica_tick(&replica, n, now);
		if (flags & 4)
			own_packet(data, len);
		else
			datagram(data, len, flags & 2);
		data += len;
		size -= len;
	}
	if (nat64_check(n))
		abort();
	free(mem);
	return 0;
}
