/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds a packet through the core, in process: parse, map, translate,
 * with the packet restored from a copy of its first 128 bytes each time (the
 * cost of that alone is printed as "restore" and is part of the others).
 * No verdict: a person reads it. Prints one line a case, median of rounds.
 */
#include <stdio.h>

#include "../base/clock.h"
#include "core_testlib.h"

#define PACKETS 2000000
#define ROUNDS	7

static struct addrmap map;
static struct xlat_cfg cfg;
static struct xlat_out out;
static uint8_t reply_buf[XLAT_REPLY_BYTES];

struct job {
	const char *name;
	int dir; /* 46, 64, or 0: restore only */
	uint8_t packet[1500];
	uint32_t len;
	bool only; /* translation alone: parsed and mapped beforehand */
	struct pkt_info info;
	struct xlat_map ends;
};

static void make_job(struct job *j, const char *name, int dir, uint8_t proto,
		     uint32_t payload)
{
	uint8_t *ip = j->packet;
	uint32_t l3 = dir == 64 ? 40 : 20;
	uint32_t csum = proto == 6 ? 16 : 6;

	memset(j, 0, sizeof(*j));
	j->name = name;
	j->dir = dir;
	j->len = l3 + payload;
	if (dir == 64) {
		ip[0] = 0x60;
		ref_put16(ip + 4, payload);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, &map.pref64.addr, 12);
		memcpy(ip + 24, &map.pref64.addr, 12);
		ref_put4(ip + 20, "192.0.2.1");
		ref_put4(ip + 36, "198.51.100.2");
	} else {
		ip[0] = 0x45;
		ref_put16(ip + 2, j->len);
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = proto;
		ref_put4(ip + 12, "192.0.2.1");
		ref_put4(ip + 16, "198.51.100.2");
		ref_ip4_csum(ip);
	}
	ref_put16(ip + l3, 1000);
	ref_put16(ip + l3 + 2, 2000);
	if (proto == 17)
		ref_put16(ip + l3 + 4, payload);
	else
		ip[l3 + 12] = 0x50;
	ref_put16(ip + l3 + csum,
		  0xffff ^ ref_sum(ref_pseudo(ip, proto, payload), ip + l3,
				   payload));
}

static void run_once(const struct job *j, uint8_t *buf, uint64_t *good)
{
	struct pkt p = {.data = buf + PKT_HEADROOM,
			.len = j->len,
			.headroom = PKT_HEADROOM,
			.tailroom = PKT_TAILROOM};

	memcpy(p.data, j->packet, 128);
	if (!j->dir)
		*good += p.data[9] != 0;
	else if (j->only && j->dir == 46)
		*good += xlat_46(&p, &j->info, &j->ends, &cfg, &out) ==
			 VERDICT_FORWARD;
	else if (j->only)
		*good += xlat_64(&p, &j->info, &j->ends, &cfg, &out) ==
			 VERDICT_FORWARD;
	else
		*good += ref_run(&p, j->dir, &map, &cfg, &out) ==
			 VERDICT_FORWARD;
	__asm__ volatile("" ::: "memory");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int run_job(const struct job *j)
{
	static uint8_t buf[PKT_HEADROOM + 1500 + PKT_TAILROOM];
	double ns[ROUNDS];
	uint64_t good = 0;
	int round, i;

	memcpy(buf + PKT_HEADROOM, j->packet, j->len);
	for (round = 0; round < ROUNDS; round++) {
		struct mono start = clock_now();

		for (i = 0; i < PACKETS; i++)
			run_once(j, buf, &good);
		ns[round] = (double)mono_sub(clock_now(), start) / PACKETS;
	}
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("%-28s %6.1f ns  (%.1f to %.1f)\n", j->name, ns[ROUNDS / 2],
	       ns[0], ns[ROUNDS - 1]);
	return good == (uint64_t)ROUNDS * PACKETS ? 0 : 1;
}

static int run_both(const char *what, const char *alone, int dir, uint8_t proto,
		    uint32_t payload)
{
	static struct job j;
	struct pkt p;
	int failed;

	make_job(&j, what, dir, proto, payload);
	failed = run_job(&j);
	p = (struct pkt){.data = j.packet, .len = j.len};
	if (dir == 46 ? pkt_parse4(&p, &j.info) : pkt_parse6(&p, &j.info))
		return 1;
	if (dir == 46 ? addrmap_46(&map, &j.info, &j.ends)
		      : addrmap_64(&map, &j.info, &j.ends))
		return 1;
	j.only = true;
	j.name = alone;
	return failed | run_job(&j);
}

int main(void)
{
	static struct job j;
	int failed = 0;

	ref_config(&map, &cfg);
	xlat_out_init(&out, reply_buf, sizeof(reply_buf), 1);
	make_job(&j, "restore", 46, 17, 100);
	j.dir = 0;
	failed |= run_job(&j);
	failed |= run_both("46 UDP, parse map translate", "46 UDP, translate",
			   46, 17, 100);
	failed |= run_both("64 UDP, parse map translate", "64 UDP, translate",
			   64, 17, 100);
	failed |= run_both("46 TCP, parse map translate", "46 TCP, translate",
			   46, 6, 1380);
	failed |= run_both("64 TCP, parse map translate", "64 TCP, translate",
			   64, 6, 1360);
	if (failed)
		fprintf(stderr, "bench_core: packets were not forwarded\n");
	return failed;
}
