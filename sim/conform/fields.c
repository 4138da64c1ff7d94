/* SPDX-License-Identifier: MIT */
/* Layers and fields of the packet language; arithmetic on bits and sums. */
#include "fields.h"

#include <string.h>

/* clang-format off */
#define NUM(name, bit, bits, def) \
	{name, bit, bits, FIELD_NUM, AUTO_NO, 0, def, false}
#define OVER(name, bit, bits) \
	{name, bit, bits, FIELD_NUM, AUTO_NO, 0, 0, true}
#define WORKED(name, bit, bits, what) \
	{name, bit, bits, FIELD_NUM, what, 0, 0, false}
#define BYTES(name, bit, bits) \
	{name, bit, bits, FIELD_NUM, AUTO_NO, 8, 0, false}
#define ADDR4(name, bit) {name, bit, 32, FIELD_ADDR4, AUTO_NO, 0, 0, false}
#define ADDR6(name, bit) {name, bit, 128, FIELD_ADDR6, AUTO_NO, 0, 0, false}

#define EXT_HEADER                                                            \
	WORKED("next", 0, 8, AUTO_NEXT), WORKED("len", 8, 8, AUTO_HEADER)

const struct layer_def layer_defs[N_LAYER_KINDS] = {
	[LAYER_IP] = {"ip", 20, 4, true, {0}, 0, {
		NUM("ver", 0, 4, 4), WORKED("ihl", 4, 4, AUTO_HEADER),
		NUM("tos", 8, 8, 0), WORKED("len", 16, 16, AUTO_LEN),
		NUM("id", 32, 16, 0), NUM("evil", 48, 1, 0),
		NUM("df", 49, 1, 0), NUM("mf", 50, 1, 0),
		BYTES("off", 51, 13), NUM("ttl", 64, 8, 64),
		WORKED("proto", 72, 8, AUTO_NEXT),
		WORKED("csum", 80, 16, AUTO_CSUM),
		ADDR4("src", 96), ADDR4("dst", 128)}},
	[LAYER_IP6] = {"ip6", 40, 41, false, {0}, 0, {
		NUM("ver", 0, 4, 6), NUM("tc", 4, 8, 0), NUM("flow", 12, 20, 0),
		WORKED("len", 32, 16, AUTO_LEN),
		WORKED("next", 48, 8, AUTO_NEXT), NUM("hop", 56, 8, 64),
		ADDR6("src", 64), ADDR6("dst", 192)}},
	[LAYER_HBH] = {"hbh", 2, 0, true, {1, 4, 0, 0, 0, 0}, 6, {EXT_HEADER}},
	[LAYER_DSTOPT] = {"dstopt", 2, 60, true, {1, 4, 0, 0, 0, 0}, 6, {
		EXT_HEADER}},
	[LAYER_ROUTING] = {"routing", 4, 43, true, {0, 0, 0, 0}, 4, {
		EXT_HEADER, NUM("type", 16, 8, 0), NUM("left", 24, 8, 0)}},
	[LAYER_FRAG] = {"frag", 8, 44, false, {0}, 0, {
		WORKED("next", 0, 8, AUTO_NEXT), NUM("res", 8, 8, 0),
		BYTES("off", 16, 13), NUM("res2", 29, 2, 0), NUM("m", 31, 1, 0),
		NUM("id", 32, 32, 0)}},
	[LAYER_UDP] = {"udp", 8, 17, false, {0}, 0, {
		NUM("sport", 0, 16, 0), NUM("dport", 16, 16, 0),
		WORKED("len", 32, 16, AUTO_LEN),
		WORKED("csum", 48, 16, AUTO_CSUM)}},
	[LAYER_TCP] = {"tcp", 20, 6, true, {0}, 0, {
		NUM("sport", 0, 16, 0), NUM("dport", 16, 16, 0),
		NUM("seq", 32, 32, 0), NUM("ack", 64, 32, 0),
		WORKED("doff", 96, 4, AUTO_HEADER), NUM("x", 100, 4, 0),
		{"flags", 104, 8, FIELD_FLAGS, AUTO_NO, 0, 0x10, false},
		NUM("win", 112, 16, 65535), WORKED("csum", 128, 16, AUTO_CSUM),
		NUM("urg", 144, 16, 0)}},
	[LAYER_ICMP] = {"icmp", 8, 1, false, {0}, 0, {
		NUM("type", 0, 8, 8), NUM("code", 8, 8, 0),
		WORKED("csum", 16, 16, AUTO_CSUM), NUM("id", 32, 16, 0),
		NUM("seq", 48, 16, 0), OVER("mtu", 48, 16), OVER("ptr", 32, 8),
		OVER("words", 40, 8), OVER("rest", 32, 32),
		{"gw", 32, 32, FIELD_ADDR4, AUTO_NO, 0, 0, true}}},
	[LAYER_ICMP6] = {"icmp6", 8, 58, false, {0}, 0, {
		NUM("type", 0, 8, 128), NUM("code", 8, 8, 0),
		WORKED("csum", 16, 16, AUTO_CSUM), NUM("id", 32, 16, 0),
		NUM("seq", 48, 16, 0), OVER("mtu", 32, 32), OVER("ptr", 32, 32),
		OVER("words", 32, 8), OVER("rest", 32, 32)}},
	[LAYER_EXT] = {"ext", 4, -1, false, {0}, 0, {
		NUM("ver", 0, 4, 2), NUM("res", 4, 12, 0),
		WORKED("csum", 16, 16, AUTO_CSUM)}},
	[LAYER_OBJ] = {"obj", 4, -1, false, {0}, 0, {
		WORKED("len", 0, 16, AUTO_LEN), NUM("class", 16, 8, 0),
		NUM("ctype", 24, 8, 0)}},
	[LAYER_DATA] = {.name = "data", .proto = -1},
	[LAYER_OPEN] = {.name = "...", .proto = -1},
	[LAYER_CUT] = {.name = "cut", .proto = -1},
	[LAYER_PAD] = {.name = "pad", .proto = -1},
	[LAYER_SLICE] = {.name = "slice", .proto = -1},
};

const struct word_value icmp_types[] = {
	{"echo-reply", 0}, {"unreachable", 3}, {"source-quench", 4},
	{"redirect", 5}, {"echo", 8}, {"router-advertisement", 9},
	{"router-solicitation", 10}, {"time-exceeded", 11},
	{"parameter-problem", 12}, {"timestamp", 13}, {"timestamp-reply", 14},
	{"information", 15}, {"information-reply", 16}, {"mask", 17},
	{"mask-reply", 18}, {NULL, 0}};

const struct word_value icmp6_types[] = {
	{"unreachable", 1}, {"too-big", 2}, {"time-exceeded", 3},
	{"parameter-problem", 4}, {"echo", 128}, {"echo-reply", 129},
	{"mld-query", 130}, {"mld-report", 131}, {"mld-done", 132},
	{"router-solicitation", 133}, {"router-advertisement", 134},
	{"neighbour-solicitation", 135}, {"neighbour-advertisement", 136},
	{"redirect", 137}, {NULL, 0}};
/* clang-format on */

int field_find(enum layer_kind kind, const char *name)
{
	const struct field_def *f = layer_defs[kind].fields;

	for (int i = 0; i < MAX_FIELDS && f[i].name; i++)
		if (!strcmp(f[i].name, name))
			return i;
	return -1;
}

int field_of_auto(enum layer_kind kind, enum field_auto what)
{
	const struct field_def *f = layer_defs[kind].fields;

	for (int i = 0; i < MAX_FIELDS && f[i].name; i++)
		if (f[i].work_out == what)
			return i;
	return -1;
}

/* ---- bits ------------------------------------------------------------------
 */

uint64_t bits_get(const uint8_t *b, size_t at, unsigned int bits)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bits; i++, at++)
		v = v << 1 | (b[at / 8] >> (7 - at % 8) & 1u);
	return v;
}

void bits_put(uint8_t *b, size_t at, unsigned int bits, uint64_t value)
{
	for (unsigned int i = bits; i-- > 0; at++) {
		uint8_t mask = (uint8_t)(0x80u >> at % 8);

		if (value >> i & 1)
			b[at / 8] |= mask;
		else
			b[at / 8] &= (uint8_t)~mask;
	}
}

/* ---- checksums -------------------------------------------------------------
 */

uint64_t sum16(uint64_t sum, const uint8_t *b, size_t len)
{
	for (; len > 1; b += 2, len -= 2)
		sum += (uint64_t)b[0] << 8 | b[1];
	return len ? sum + ((uint64_t)b[0] << 8) : sum;
}

uint16_t sum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t sum_pseudo(const uint8_t *ip, bool ip6, uint8_t proto, size_t len)
{
	uint64_t sum = (uint64_t)proto + len;

	return ip6 ? sum16(sum, ip + 8, 32) : sum16(sum, ip + 12, 8);
}
