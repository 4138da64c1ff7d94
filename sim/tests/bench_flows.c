/* SPDX-License-Identifier: MIT */
#include "bench_flows.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_run.h"

#define BATCH	    64
#define FRAME_BYTES (14 + 40 + 8 + 16)

static uint8_t frame[FRAME_BYTES];
static uint32_t next_flow;
static int64_t batch_ns; /* from one to the next; 0: as fast as can be */

static int read_mac(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq r = {.ifr_name = "client"};

	ret = ioctl(fd, SIOCGIFHWADDR, &r) ? -errno : 0;
	close(fd);
	memcpy(arg, r.ifr_hwaddr.sa_data, 6);
	return ret;
}

static int open_frames(void *arg)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_ifindex = (int)if_nametoindex("engine")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	*(int *)arg = fd;
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static void make_frame(const char *target)
{
	struct err e = {""};

	memset(frame, 0, sizeof(frame));
	if (world_enter(bench.world, ENGINE, read_mac, frame, &e))
		bench_die("the engine's address", &e);
	frame[6] = 2; /* locally administered */
	frame[12] = 0x86;
	frame[13] = 0xdd;
	frame[14] = 0x60;
	frame[14 + 5] = FRAME_BYTES - 54;
	frame[14 + 6] = IPPROTO_UDP;
	frame[14 + 7] = 64;
	inet_pton(AF_INET6, "2001:db8::5", frame + 22);
	inet_pton(AF_INET6, target, frame + 38);
	frame[56] = 7777 >> 8;
	frame[57] = 7777 & 0xff;
	frame[59] = FRAME_BYTES - 54;
}

static uint32_t sum16(const uint8_t *p, int bytes)
{
	uint32_t sum = 0;

	for (int i = 0; i < bytes; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

/* A host in a network of its own, its port, and the checksum. */
static void fill_frame(uint8_t *f, uint32_t flow)
{
	uint32_t sum;

	memcpy(f, frame, FRAME_BYTES);
	for (int i = 0; i < 4; i++)
		f[26 + i] = (uint8_t)(flow >> (24 - 8 * i));
	f[54] = (uint8_t)(4 + flow % 251);
	f[55] = (uint8_t)flow;
	sum = sum16(f + 22, 32) + IPPROTO_UDP + FRAME_BYTES - 54 +
	      sum16(f + 54, FRAME_BYTES - 54);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	f[60] = (uint8_t)(sum >> 8);
	f[61] = (uint8_t)(sum ? sum : 0xff);
	if (!sum)
		f[60] = 0xff;
}

static void sleep_until(int64_t ns)
{
	struct timespec t = {ns / NS_PER_S, ns % NS_PER_S};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void bench_flows_send(int fd)
{
	static uint8_t room[BATCH][FRAME_BYTES];
	struct mmsghdr m[BATCH];
	struct iovec v[BATCH];

	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){room[i], FRAME_BYTES};
		m[i] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	}
	for (int64_t due = clock_now().ns;; due += batch_ns) {
		for (int i = 0; i < BATCH; i++)
			fill_frame(room[i], next_flow++);
		if (batch_ns)
			sleep_until(due);
		if (sendmmsg(fd, m, BATCH, 0) < 0 && errno != ENOBUFS)
			_exit(1);
	}
}

int bench_flows_open(const char *target, int64_t rate)
{
	struct err e = {""};
	int fd = -1;

	make_frame(target);
	next_flow += UINT32_C(1) << 26;
	batch_ns = rate ? NS_PER_S * BATCH / rate : 0;
	if (world_enter(bench.world, CLIENT, open_frames, &fd, &e))
		bench_die("packet socket", &e);
	return fd;
}
