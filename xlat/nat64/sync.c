/* SPDX-License-Identifier: MIT */
#include "sync.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t magic[4] = {'X', 'L', 'S', '2'};

#define WINDOW	   64
#define KIND_SHIFT 4 /* in the byte of the state */

static void put32(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, 4);
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, 4);
	return ntohl(v);
}

static void put64(uint8_t *at, uint64_t v)
{
	put32(at, (uint32_t)(v >> 32));
	put32(at + 4, (uint32_t)v);
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

void sync_encode_header(const struct sync_header *h, uint8_t *at)
{
	memcpy(at, magic, sizeof(magic));
	put32(at + 4, h->n << 16 | h->walk);
	put64(at + 8, h->from);
	put64(at + 16, h->to);
	put64(at + 24, h->seq);
	put64(at + 32, h->sent_us);
	put64(at + 40, h->heard_us);
}

bool sync_is_foreign(const uint8_t *at, size_t len)
{
	return len >= sizeof(magic) && !memcmp(at, magic, sizeof(magic) - 1) &&
	       at[3] != magic[3];
}

bool sync_decode_header(const uint8_t *at, size_t len, struct sync_header *h)
{
	if (len < SYNC_HEADER_BYTES || memcmp(at, magic, sizeof(magic)) != 0)
		return false;
	h->n = get32(at + 4) >> 16;
	h->walk = (uint16_t)get32(at + 4);
	h->from = get64(at + 8);
	h->to = get64(at + 16);
	h->seq = get64(at + 24);
	h->sent_us = get64(at + 32);
	h->heard_us = get64(at + 40);
	return h->n <= SYNC_MAX_RECORDS &&
	       len == SYNC_HEADER_BYTES + (size_t)h->n * SYNC_RECORD_BYTES &&
	       h->from && h->seq;
}

static void encode_note(const struct sync_record *r, uint8_t *at)
{
	memset(at, 0, SYNC_RECORD_BYTES);
	put32(at, r->note.id);
	put32(at + 4, r->note.range);
	for (unsigned int i = 0; i < 4; i++)
		put64(at + 8 + 8 * i, r->note.words[i]);
	at[47] = (uint8_t)(r->kind << KIND_SHIFT);
}

static void decode_note(const uint8_t *at, struct sync_record *r)
{
	r->note.id = get32(at);
	r->note.range = get32(at + 4);
	for (unsigned int i = 0; i < 4; i++)
		r->note.words[i] = get64(at + 8 + 8 * i);
}

void sync_encode_record(const struct sync_record *r, uint8_t *at)
{
	const struct nat64_flow *f = &r->session.flow;
	int64_t ms = (r->session.left_ns + NS_PER_MS - 1) / NS_PER_MS;

	if (r->kind >= SYNC_COMPARE) {
		encode_note(r, at);
		return;
	}
	memcpy(at, &f->src6, 16);
	memcpy(at + 16, &f->dst6, 16);
	memcpy(at + 32, &f->src4, 4);
	memcpy(at + 36, &f->dst4, 4);
	memcpy(at + 40, &f->src6_port, 2);
	memcpy(at + 42, &f->src4_port, 2);
	memcpy(at + 44, &f->dst_port, 2);
	at[46] = (uint8_t)f->proto;
	at[47] = (uint8_t)(r->session.state | r->kind << KIND_SHIFT);
	put32(at + 48, ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms);
	put32(at + 52, r->session.version);
}

bool sync_decode_record(const uint8_t *at, struct sync_record *r)
{
	struct nat64_flow *f = &r->session.flow;
	uint8_t state = at[47] & ((1 << KIND_SHIFT) - 1);

	*r = (struct sync_record){.kind = at[47] >> KIND_SHIFT};
	if (at[46] >= NAT64_N_PROTOS || state >= NAT64_N_STATES ||
	    r->kind >= SYNC_N_KINDS)
		return false;
	if (r->kind >= SYNC_COMPARE) {
		decode_note(at, r);
		return true;
	}
	memcpy(&f->src6, at, 16);
	memcpy(&f->dst6, at + 16, 16);
	memcpy(&f->src4, at + 32, 4);
	memcpy(&f->dst4, at + 36, 4);
	memcpy(&f->src6_port, at + 40, 2);
	memcpy(&f->src4_port, at + 42, 2);
	memcpy(&f->dst_port, at + 44, 2);
	f->proto = at[46];
	r->session.state = state;
	r->session.left_ns = (int64_t)get32(at + 48) * NS_PER_MS;
	r->session.version = get32(at + 52);
	return true;
}

static enum sync_verdict accept_seq(struct sync_peer *p, uint64_t seq)
{
	uint64_t back, gap;

	if (seq > p->top) {
		gap = seq - p->top;
		p->seen = gap < WINDOW ? p->seen << gap | 1 : 1;
		p->lost += gap - 1;
		p->top = seq;
		return SYNC_FRESH;
	}
	back = p->top - seq;
	if (back >= WINDOW || p->seen >> back & 1) {
		p->duplicates++;
		return SYNC_REPLAY;
	}
	p->seen |= UINT64_C(1) << back;
	if (p->lost)
		p->lost--; /* late, not lost */
	return SYNC_FRESH;
}

enum sync_verdict sync_accept(struct sync_peer *p, const struct sync_header *h)
{
	if (h->from == p->epoch) {
		p->duplicates++; /* sent back to us */
		return SYNC_REPLAY;
	}
	if (h->to != p->epoch) {
		p->stranger = h->from;
		return SYNC_STRANGER;
	}
	if (h->from == p->peer)
		return accept_seq(p, h->seq);
	for (unsigned int i = 0; i < SYNC_PAST; i++)
		if (p->past[i] == h->from)
			return SYNC_REPLAY;
	p->past[p->n_past++ % SYNC_PAST] = p->peer;
	p->peer = h->from;
	p->top = h->seq;
	p->seen = 1;
	return SYNC_NEW_PEER;
}
