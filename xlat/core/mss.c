/* SPDX-License-Identifier: MIT */
#include "mss.h"

#include <arpa/inet.h>
#include <string.h>

#include "csum.h"

#define TCP_BYTES 20
#define TCP_SYN	  0x02
#define OPT_END	  0
#define OPT_NOP	  1
#define OPT_MSS	  2
#define MSS_BYTES 4

/* The TCP header of an unfragmented packet, and its length; NULL: no SYN. */
static uint8_t *find_syn(const struct pkt *pkt, uint32_t *len)
{
	uint8_t *ip = pkt->data, *tcp;
	uint32_t l3;

	if (pkt->len < 20)
		return NULL;
	if (ip[0] >> 4 == 4) {
		l3 = (ip[0] & 15u) * 4;
		if (ip[9] != IPPROTO_TCP || (ip[6] & 0x3f) || ip[7])
			return NULL;
	} else {
		l3 = 40;
		if (ip[6] != IPPROTO_TCP)
			return NULL;
	}
	if (l3 < 20 || pkt->len < l3 + TCP_BYTES)
		return NULL;
	tcp = ip + l3;
	*len = (tcp[12] >> 4) * 4u;
	if (!(tcp[13] & TCP_SYN) || *len < TCP_BYTES || pkt->len - l3 < *len)
		return NULL;
	return tcp;
}

/* Where the option's value stands in the header; 0: there is none. */
static uint32_t find_mss(const uint8_t *tcp, uint32_t len)
{
	uint32_t at = TCP_BYTES;

	while (at < len && tcp[at] != OPT_END) {
		if (tcp[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || tcp[at + 1] < 2 || tcp[at + 1] > len - at)
			return 0;
		if (tcp[at] == OPT_MSS)
			return tcp[at + 1] == MSS_BYTES ? at + 2 : 0;
		at += tcp[at + 1];
	}
	return 0;
}

/* What a word at an odd offset adds to the sum is its bytes swapped. */
static uint16_t term(uint16_t word, uint32_t at)
{
	return at & 1 ? (uint16_t)(word << 8 | word >> 8) : word;
}

bool mss_clamp(struct pkt *pkt, unsigned int most)
{
	uint32_t len, at;
	uint8_t *tcp = find_syn(pkt, &len);
	uint16_t old, new = htons((uint16_t)most), check;

	at = tcp ? find_mss(tcp, len) : 0;
	if (!at)
		return false;
	memcpy(&old, tcp + at, 2);
	if (ntohs(old) <= most)
		return false;
	memcpy(tcp + at, &new, 2);
	if (pkt->gso.needs_csum)
		return true;
	memcpy(&check, tcp + 16, 2);
	check = csum_update(check, term(old, at), term(new, at));
	memcpy(tcp + 16, &check, 2);
	return true;
}
