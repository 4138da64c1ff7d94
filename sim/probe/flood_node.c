/* SPDX-License-Identifier: MIT */
/*
 * A host that opens sessions without end, from inside a node: each packet has
 * ports that none before it had, as long as there are such.
 *
 * Theory of operation
 *
 * Packets are numbered. Number n has source port LOW + n mod SPAN, and with
 * each round of those another destination port: a mapping for each of SPAN
 * packets, a session for each. (`ports` swaps them: towards a PLAT's pool it is
 * the destination that must not repeat.) Every millisecond sends what is due
 * by then; what the socket refuses is counted and not sent again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "node_args.h"
#include "probe_internal.h"

#define LOW   1024
#define SPAN  64512 /* 1024 to 65535 */
#define BATCH 64

struct flood {
	int fd;
	bool tcp, swap;
	struct in_addr src, dst;
	int64_t rate_pps, length_ns;
	uint64_t sent, refused;
	uint8_t packets[BATCH][28];
};

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void finish_sum(const struct flood *f, uint8_t *p, size_t len, size_t at)
{
	uint32_t sum = (f->tcp ? IPPROTO_TCP : IPPROTO_UDP) + (uint32_t)len;

	sum = sum16(sum, (const uint8_t *)&f->src, 4);
	sum = sum16(sum, (const uint8_t *)&f->dst, 4);
	sum = sum16(sum, p, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(p + at, ~sum & 0xffff);
}

/* Packet number @n, from its transport header; its length. */
static size_t build(const struct flood *f, uint64_t n, uint8_t *p)
{
	uint32_t one = LOW + (uint32_t)(n % SPAN);
	uint32_t two = LOW + (uint32_t)(n / SPAN % SPAN);

	memset(p, 0, 28);
	put16(p, f->swap ? two : one);
	put16(p + 2, f->swap ? one : two);
	if (f->tcp) {
		put16(p + 4, (uint32_t)n);
		p[12] = 0x50;
		p[13] = 0x02; /* SYN */
		put16(p + 14, 65535);
		finish_sum(f, p, 20, 16);
		return 20;
	}
	put16(p + 4, 28);
	finish_sum(f, p, 28, 6);
	return 28;
}

static void send_some(struct flood *f, uint64_t n)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	int done;

	memset(msgs, 0, sizeof(msgs));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t number = f->sent + f->refused + i;

		iov[i].iov_base = f->packets[i];
		iov[i].iov_len = build(f, number, f->packets[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	done = sendmmsg(f->fd, msgs, (unsigned int)n, 0);
	f->sent += done > 0 ? (uint64_t)done : 0;
	f->refused += n - (done > 0 ? (uint64_t)done : 0);
}

static void run(struct flood *f)
{
	struct mono begin = clock_now();
	int64_t passed = 0;

	while (passed < f->length_ns) {
		const struct timespec tick = {.tv_nsec = NS_PER_MS};
		uint64_t due, have;

		passed = mono_sub(clock_now(), begin);
		due = (uint64_t)((double)passed * (double)f->rate_pps / 1e9);
		while ((have = f->sent + f->refused) < due)
			send_some(f, due - have < BATCH ? due - have : BATCH);
		nanosleep(&tick, NULL);
	}
}

/* Which source the kernel takes; the checksum has to know. */
static int open_flood(struct flood *f)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = f->dst},
			   from;
	socklen_t len = sizeof(from);

	f->fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC,
		       f->tcp ? IPPROTO_TCP : IPPROTO_UDP);
	if (f->fd < 0 || connect(f->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    getsockname(f->fd, (struct sockaddr *)&from, &len))
		return -errno;
	f->src = from.sin_addr;
	return 0;
}

int probe_flood_main(int argc, char **argv)
{
	const char *to = NULL;
	int64_t tcp = 0, swap = 0;
	static struct flood f;
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "tcp", .number = &tcp},
		{.key = "swap", .number = &swap},
		{.key = "rate", .number = &f.rate_pps},
		{.key = "length-ns", .number = &f.length_ns},
		{0},
	};
	json_t *j;
	int ret;

	if (node_args_read(argc, argv, args) || !to ||
	    inet_pton(AF_INET, to, &f.dst) != 1 || f.rate_pps < 1)
		return 2;
	f.tcp = tcp;
	f.swap = swap;
	ret = open_flood(&f);
	if (ret) {
		fprintf(stderr, "flood: %s: %s\n", to, strerror(-ret));
		return 1;
	}
	run(&f);
	close(f.fd);
	j = json_pack("{s:I, s:I}", "sent", (json_int_t)f.sent, "refused",
		      (json_int_t)f.refused);
	ret = json_dumpf(j, stdout, JSON_COMPACT) || fflush(stdout);
	json_decref(j);
	return ret ? 1 : 0;
}
