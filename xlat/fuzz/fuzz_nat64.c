/* SPDX-License-Identifier: MIT */
/*
 * Sequences of packets through a PLAT: parser, tables, translation, fragments
 * and hairpinning together. After each sequence the tables must be whole and
 * the counters must add up.
 *
 * Input: records of { u8 kind, u8 length, bytes }. kind bits: 0 IPv6, 1 fix
 * the version and IPv4 header checksum, 2 let a minute pass, 3..5 offload
 * metadata from the first bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "../core/csum.h"
#include "../daemon/config.h"
#include "../daemon/setup.h"
#include "../io/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "tun: {name: t}\npool6: 64:ff9b::/96\n"
			   "pool4: [{address: 192.0.2.1, ports: 1000-1040}]\n"
			   "subscriber-limits: {sessions: 20, ports: 12}\n"
			   "sessions: 32\nallow-private: true\nseed: 1\n";

static uint8_t buf[IO_BUFFER_BYTES];

/* What is emitted must be a packet; every byte is read for the sanitizers. */
static int emit(void *arg, const struct pkt *pkt)
{
	volatile uint8_t sum = 0;

	(void)arg;
	if (pkt->len < 20 || (pkt->data[0] >> 4 != 4 && pkt->data[0] >> 4 != 6))
		abort();
	for (uint32_t i = 0; i < pkt->len; i++)
		sum = (uint8_t)(sum + pkt->data[i]);
	return 0;
}

static void repair(uint8_t *p, size_t len, bool six)
{
	uint16_t check;

	static const uint8_t protos[] = {6, 17, 1, 58};

	if (len < 48)
		return;
	p[0] = six ? 0x60 : 0x45;
	p[six ? 6 : 9] = protos[p[1] & 3];
	if (six) {
		p[4] = 0;
		p[5] = (uint8_t)(len - 40);
		memcpy(p + 24, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
		return;
	}
	p[2] = 0;
	p[3] = (uint8_t)len;
	p[10] = p[11] = 0;
	memcpy(p + 16, "\xc0\0\2\1", 4);
	check = (uint16_t)~csum_fold(csum_add(0, p, 20));
	memcpy(p + 10, &check, 2);
}

static void one(struct path *p, uint8_t kind, const uint8_t *data, size_t len,
		struct mono now)
{
	struct pkt pkt = {.data = buf + PKT_HEADROOM,
			  .len = (uint32_t)len,
			  .headroom = PKT_HEADROOM};

	pkt.tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - pkt.len;
	memcpy(pkt.data, data, len);
	if (kind & 2)
		repair(pkt.data, len, kind & 1);
	if (len >= 8 && (kind & 8)) {
		pkt.gso.needs_csum = kind & 16;
		pkt.gso.type = kind >> 5 & 3;
		pkt.gso.gso_size = data[0];
		pkt.gso.csum_start = data[1];
		pkt.gso.csum_offset = data[2];
		pkt.gso.hdr_len = data[3];
	}
	path_run(p, &pkt, now);
}

static void check(const struct path *p)
{
	if (nat64_check(p->nat64) || nat64_held_check(p->held) ||
	    p->held->n != p->counters.held || !path_balanced(&p->counters))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *c;
	static struct arena *a;
	struct mono now = {NS_PER_S};
	struct setup s = {0};
	struct diags d;
	struct err e;

	if (!a) {
		diags_init(&d);
		a = arena_new();
		c = config_load_text("f", text, sizeof(text) - 1, ROLE_PLAT, a,
				     &d);
		diags_fini(&d);
	}
	if (!c || setup_init(&s, c, now, &e))
		abort();
	s.path.emit = emit;
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		if (data[0] & 4)
			now = mono_add(now, 60 * NS_PER_S);
		path_expire(&s.path, now);
		nat64_expire(s.path.nat64, now, 16);
		one(&s.path, data[0], data + 2, len, now);
		data += 2 + len;
		size -= 2 + len;
	}
	check(&s.path);
	setup_fini(&s);
	return 0;
}
