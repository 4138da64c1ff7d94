/* SPDX-License-Identifier: MIT */
/*
 * A packet socket on a TAP device whose frames are written here, with offload
 * metadata of all kinds.
 *
 * Needs root and /dev/net/tun; says SKIP and exits with 77 without them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../core/csum.h"
#include "../io/io.h"
#include "../io/vnet.h"

#define DEADLINE_NS (20 * NS_PER_S)

static uint8_t buf[IO_BUFFER_BYTES];

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static int open_tap(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd, sock;

	need(!unshare(CLONE_NEWNET), "unshare");
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	need(fd >= 0, "/dev/net/tun");
	strcpy(r.ifr_name, "wire");
	need(!ioctl(fd, TUNSETIFF, &r), "TUNSETIFF");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_flags = IFF_UP | IFF_NOARP;
	need(!ioctl(sock, SIOCSIFFLAGS, &r), "SIOCSIFFLAGS");
	close(sock);
	return fd;
}

static struct io *open_io(void)
{
	struct io_packet_cfg cfg = {.name = "wire", .vnet = true, .mtu = 1500};
	struct err e;
	struct io *io = io_open_packet(&cfg, &e);

	ck_assert_msg(io != NULL, "%s", e.text);
	return io;
}

/* IPv4 of @proto with @len bytes of payload, all of them @fill. */
static void send_ip(int tap, uint8_t proto, uint16_t len, uint8_t fill,
		    struct virtio_net_hdr *h)
{
	uint8_t f[14 + 20 + 2000] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	struct iovec v[2] = {{h, sizeof(*h)}, {f, 34u + len}};
	uint16_t total = htons((uint16_t)(20 + len)), sum;

	f[14] = 0x45;
	memcpy(f + 16, &total, 2);
	f[22] = 64;
	f[23] = proto;
	inet_pton(AF_INET, "192.0.2.1", f + 26);
	inet_pton(AF_INET, "192.0.2.2", f + 30);
	sum = (uint16_t)~csum_fold(csum_add(0, f + 14, 20));
	memcpy(f + 24, &sum, 2);
	memset(f + 34, fill, len);
	need(writev(tap, v, 2) == (ssize_t)(sizeof(*h) + 34 + len), "writev");
}

/* What io_read says, once there is something. */
static int await(struct io *io, struct pkt *pkt)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);
	struct pollfd p = {.fd = io_fd(io), .events = POLLIN};

	for (;;) {
		int ret = io_read(io, buf, pkt);

		/* the kernel has things to say on a new interface, too */
		if (ret != -EAGAIN && (ret || pkt->data[0] >> 4 == 4))
			return ret;
		ck_assert_int_lt(mono_sub(clock_now(), end), 0);
		poll(&p, 1, 100);
	}
}

/* A UDP datagram that the card was to fragment: PACKET_VNET_HDR cannot tell
 * so any more, recvmsg(2) fails, and the next packet is as good as ever. */
START_TEST(what_cannot_be_expressed_is_lost_alone)
{
	struct virtio_net_hdr ufo = {.gso_type = VIRTIO_NET_HDR_GSO_UDP,
				     .gso_size = 1400,
				     .hdr_len = 42,
				     .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				     .csum_start = 34,
				     .csum_offset = 6},
			      none = {0};
	int tap = open_tap();
	struct io *io = open_io();
	struct pkt pkt;

	send_ip(tap, IPPROTO_UDP, 2000, 0, &ufo);
	send_ip(tap, IPPROTO_UDP, 100, 0, &none);
	ck_assert_int_eq(await(io, &pkt), -EBADMSG);
	ck_assert_int_eq(await(io, &pkt), 0);
	ck_assert_uint_eq(pkt.len, 120);
	io_close(io);
	close(tap);
}
END_TEST

/* Its checksum is no sum: what is 16 bits elsewhere is a CRC of 32 here. */
START_TEST(sctp_is_finished)
{
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .csum_start = 34,
				   .csum_offset = 8};
	/* CRC32c of 40 octets 0x5a of which 8 to 11 are zero */
	static const uint8_t crc[4] = {0xcf, 0x16, 0x65, 0x4f};
	int tap = open_tap();
	struct io *io = open_io();
	struct pkt pkt;

	send_ip(tap, IPPROTO_SCTP, 40, 0x5a, &h);
	ck_assert_int_eq(await(io, &pkt), 0);
	ck_assert_uint_eq(pkt.len, 60);
	ck_assert(!pkt.gso.needs_csum);
	ck_assert_mem_eq(pkt.data + 28, crc, 4);
	ck_assert_uint_eq(pkt.data[27], 0x5a);
	ck_assert_uint_eq(pkt.data[32], 0x5a);
	io_close(io);
	close(tap);
}
END_TEST

/* The others' stay partial: they are updated, not computed. */
START_TEST(tcp_stays_unfinished)
{
	struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .csum_start = 34,
				   .csum_offset = 16};
	int tap = open_tap();
	struct io *io = open_io();
	struct pkt pkt;

	send_ip(tap, IPPROTO_TCP, 40, 0x5a, &h);
	ck_assert_int_eq(await(io, &pkt), 0);
	ck_assert(pkt.gso.needs_csum);
	ck_assert_uint_eq(pkt.gso.csum_start, 20);
	ck_assert_uint_eq(pkt.gso.csum_offset, 16);
	ck_assert_uint_eq(pkt.data[28], 0x5a);
	io_close(io);
	close(tap);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("packet");
	TCase *t = tcase_create("packet");
	SRunner *r;
	int failed;

	if (geteuid() || access("/dev/net/tun", R_OK | W_OK)) {
		printf("SKIP: needs root and /dev/net/tun\n");
		return 77;
	}
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_cannot_be_expressed_is_lost_alone);
	tcase_add_test(t, sctp_is_finished);
	tcase_add_test(t, tcp_stays_unfinished);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
