/* SPDX-License-Identifier: MIT */
/*
 * The relay as a process between two veth pairs of a network namespace of its
 * own; frames are put in at one outer end and read at the other.
 *
 *	h0 === ra  (relay)  rb === h1
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"
#include "../../xlat/base/file.h"
#include "../relay/relay.h"

#define ETH_P_TEST  0x88b5 /* IEEE 802 local experimental */
#define PATIENCE_MS 3000
#define VNET	    sizeof(struct virtio_net_hdr)
#define FRAME_MAX   70000

static char dir[64];
static pid_t relay;
static int h0, h1;

/* ---- the bench --------------------------------------------------------------
 */

static const char *at(const char *name)
{
	static char paths[4][128];
	static int next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static void set_iface(const char *name, unsigned long request, int value)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (request == SIOCSIFMTU)
		req.ifr_mtu = value;
	else
		req.ifr_flags = value ? IFF_UP : 0;
	ck_assert_int_eq(ioctl(fd, request, &req), 0);
	close(fd);
}

static void make_links(void)
{
	static const char *const ends[] = {"h0", "ra", "rb", "h1"};
	struct nl_sock *sk = nl_socket_alloc();

	ck_assert_int_eq(nl_connect(sk, NETLINK_ROUTE), 0);
	ck_assert_int_eq(rtnl_link_veth_add(sk, "h0", "ra", getpid()), 0);
	ck_assert_int_eq(rtnl_link_veth_add(sk, "rb", "h1", getpid()), 0);
	nl_socket_free(sk);
	for (int i = 0; i < 4; i++)
		set_iface(ends[i], SIOCSIFFLAGS, 1);
}

static int open_end(const char *name)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;
	int room = 8 << 20;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)),
		0);
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING,
				    &one, sizeof(one)),
			 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
		0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), 0);
	return fd;
}

static int connect_control(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int64_t deadline = clock_now().ns + PATIENCE_MS * NS_PER_MS;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("control"));
	while (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		ck_assert(clock_now().ns < deadline);
		poll(NULL, 0, 1);
	}
	return fd;
}

/* One request; the answer, which must be "ok" as @ok says. */
static json_t *ask(bool ok, const char *line)
{
	int fd = connect_control();
	static char buf[65536];
	size_t n = 0;
	json_t *j;

	ck_assert_int_gt(dprintf(fd, "%s\n", line), 0);
	while (!memchr(buf, '\n', n)) {
		ssize_t got = read(fd, buf + n, sizeof(buf) - n);

		ck_assert_int_gt(got, 0);
		n += (size_t)got;
	}
	close(fd);
	j = json_loadb(buf, n, 0, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_msg(json_is_true(json_object_get(j, "ok")) == ok, "%.*s",
		      (int)n, buf);
	return j;
}

static void tell(const char *line)
{
	json_decref(ask(true, line));
}

static int64_t counter(const char *direction, const char *name)
{
	json_t *j = ask(true, "{\"do\":\"stats\"}");
	json_t *l = json_array_get(json_object_get(j, "links"), 0);
	json_t *v = json_object_get(json_object_get(l, direction), name);
	int64_t n = json_integer_value(v);

	ck_assert(json_is_integer(v));
	json_decref(j);
	return n;
}

static void start_relay(const char *up)
{
	FILE *f = fopen(at("relay.json"), "w");

	fprintf(f,
		"{\"seed\":7,\"links\":[{\"name\":\"l\",\"a\":\"ra\","
		"\"b\":\"rb\",\"up\":%s}]}",
		up);
	fclose(f);
	relay = fork();
	ck_assert_int_ge(relay, 0);
	if (!relay) {
		const char *argv[] = {"relay",		"--config",
				      at("relay.json"), "--control",
				      at("control"),	NULL};

		_exit(relay_main(5, (char **)(uintptr_t)argv));
	}
	close(connect_control());
}

static int stop_relay(void)
{
	int status;

	kill(relay, SIGTERM);
	ck_assert_int_eq(waitpid(relay, &status, 0), relay);
	relay = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void setup(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(
		file_put("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1",
			 NULL),
		0);
	strcpy(dir, "/tmp/check_relay.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_links();
	start_relay("{}");
	h0 = open_end("h0");
	h1 = open_end("h1");
}

static void teardown(void)
{
	if (relay)
		stop_relay();
	close(h0);
	close(h1);
	file_rmtree(dir, NULL);
}

/* ---- frames -----------------------------------------------------------------
 */

struct test_frame {
	uint8_t b[FRAME_MAX]; /* virtio_net_hdr, Ethernet */
	size_t len;
};

static void make_frame(struct test_frame *f, uint32_t number, size_t len)
{
	memset(f->b, 0, VNET);
	for (size_t i = 0; i < len; i++)
		f->b[VNET + i] = (uint8_t)(number * 7 + i * 13 + i / 256);
	f->b[VNET] = 0x02; /* a unicast address */
	f->b[VNET + 12] = ETH_P_TEST >> 8;
	f->b[VNET + 13] = ETH_P_TEST & 0xff;
	memcpy(f->b + VNET + 14, &number, sizeof(number));
	f->len = VNET + len;
}

static void put(int fd, const struct test_frame *f)
{
	ck_assert_int_eq(send(fd, f->b, f->len, 0), (ssize_t)f->len);
}

/* False: nothing came within @timeout_ms. */
static bool take(int fd, struct test_frame *f, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, timeout_ms) < 1)
		return false;
	n = recv(fd, f->b, sizeof(f->b), 0);
	ck_assert_int_gt(n, (ssize_t)VNET);
	f->len = (size_t)n;
	return true;
}

static uint32_t number_of(const struct test_frame *f)
{
	uint32_t n;

	memcpy(&n, f->b + VNET + 14, sizeof(n));
	return n;
}

/* A TCP superpacket of 20 segments; the checksum is not looked at here. */
static void make_super(struct test_frame *f)
{
	static const uint8_t addresses[] = {192, 0, 2, 1, 192, 0, 2, 2};
	struct virtio_net_hdr v = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1400,
		.hdr_len = 54,
		.csum_start = 34,
		.csum_offset = 16,
	};
	uint8_t *e = f->b + VNET;
	size_t ip_len = 40 + 20 * 1400;

	make_frame(f, 1, 14 + ip_len);
	memcpy(f->b, &v, sizeof(v));
	memset(e + 12, 0, 42);
	e[12] = 0x08;
	e[14] = 0x45;
	e[16] = (uint8_t)(ip_len >> 8);
	e[17] = (uint8_t)ip_len;
	e[22] = 64;
	e[23] = 6;
	memcpy(e + 26, addresses, sizeof(addresses));
	e[46] = 5 << 4;
	e[47] = 0x10;
}

/* ---- tests ------------------------------------------------------------------
 */

static void check_way(int from, int to)
{
	static struct test_frame in, out;

	for (uint32_t i = 0; i < 200; i++) {
		make_frame(&in, i, 18 + (i * 83) % 1497);
		put(from, &in);
		ck_assert(take(to, &out, PATIENCE_MS));
		ck_assert_uint_eq(out.len, in.len);
		ck_assert_mem_eq(out.b + VNET, in.b + VNET, in.len - VNET);
	}
}

START_TEST(frames_pass_unchanged)
{
	check_way(h0, h1);
	check_way(h1, h0);
	ck_assert_int_eq(counter("up", "packets"), 200);
	ck_assert_int_eq(counter("down", "packets"), 200);
	ck_assert_int_gt(counter("up", "late_max_ns"), 0);
	tell("{\"do\":\"reset-stats\"}");
	ck_assert_int_eq(counter("up", "packets"), 0);
	ck_assert_int_eq(counter("up", "late_max_ns"), 0);
}
END_TEST

START_TEST(superpacket_stays_whole)
{
	static struct test_frame in, out;
	struct virtio_net_hdr v;

	make_super(&in);
	put(h0, &in);
	ck_assert(take(h1, &out, PATIENCE_MS));
	ck_assert_uint_eq(out.len, in.len);
	ck_assert_mem_eq(out.b + VNET, in.b + VNET, in.len - VNET);
	memcpy(&v, out.b, sizeof(v));
	ck_assert_uint_eq(v.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_eq(v.gso_size, 1400);
	ck_assert_uint_eq(v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 1);
	ck_assert_uint_eq(v.csum_start, 34);
	ck_assert_int_eq(counter("up", "superpackets"), 1);
	ck_assert_int_eq(counter("up", "segmented"), 0);
	ck_assert_int_eq(counter("up", "max_frame"), (int64_t)(in.len - VNET));
}
END_TEST

/* With loss, each of its 20 packets meets the dice for itself. */
START_TEST(superpacket_is_cut_for_loss)
{
	static struct test_frame in, out;
	struct virtio_net_hdr v;
	int came = 0;

	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"loss\":0.5}}");
	make_super(&in);
	put(h0, &in);
	while (take(h1, &out, came ? 50 : PATIENCE_MS)) {
		memcpy(&v, out.b, sizeof(v));
		ck_assert_uint_eq(v.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		ck_assert_uint_eq(out.len, VNET + 54 + 1400);
		came++;
	}
	ck_assert_int_eq(counter("up", "segmented"), 1);
	ck_assert_int_eq(counter("up", "lost"), 20 - came);
	ck_assert(came > 2 && came < 18);
}
END_TEST

static void lossy_run(char *fate, uint32_t n)
{
	static struct test_frame f;

	memset(fate, 'x', n);
	for (uint32_t i = 0; i < n; i++) {
		make_frame(&f, i, 100);
		put(h0, &f);
	}
	while (counter("up", "lost") + counter("up", "packets") < n)
		poll(NULL, 0, 1);
	while (take(h1, &f, 0))
		fate[number_of(&f)] = '.';
}

START_TEST(same_seed_same_packets)
{
	char a[500], b[500];

	stop_relay();
	start_relay("{\"loss\":0.3}");
	lossy_run(a, sizeof(a));
	ck_assert_ptr_nonnull(memchr(a, 'x', sizeof(a)));
	ck_assert_ptr_nonnull(memchr(a, '.', sizeof(a)));
	stop_relay();
	start_relay(
		"{\"loss\":0.3,\"delay_ns\":1000000,\"jitter_ns\":1000000}");
	lossy_run(b, sizeof(b));
	ck_assert_mem_eq(a, b, sizeof(a));
}
END_TEST

START_TEST(delay_is_kept)
{
	static struct test_frame f;
	int64_t best = INT64_MAX;

	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"delay_ns\":2e7}}");
	for (uint32_t i = 0; i < 10; i++) {
		int64_t sent = clock_now().ns, took;

		make_frame(&f, i, 100);
		put(h0, &f);
		ck_assert(take(h1, &f, PATIENCE_MS));
		took = clock_now().ns - sent;
		ck_assert(took >= 20 * NS_PER_MS);
		best = took < best ? took : best;
	}
	ck_assert_msg(best < 22 * NS_PER_MS, "%lld ns", (long long)best);
}
END_TEST

/* 8 Mbit/s: 100 frames of 1000 bytes take 100 ms, less the burst. */
START_TEST(rate_is_kept)
{
	static struct test_frame f;
	int64_t sent, took;

	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"rate_bps\":8e6,"
	     "\"burst_bytes\":10000,\"queue_ns\":1e9}}");
	sent = clock_now().ns;
	for (uint32_t i = 0; i < 100; i++) {
		make_frame(&f, i, 1000);
		put(h0, &f);
	}
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert(take(h1, &f, PATIENCE_MS));
		ck_assert_uint_eq(number_of(&f), i);
	}
	took = clock_now().ns - sent;
	ck_assert_msg(took >= 90 * NS_PER_MS && took < 120 * NS_PER_MS,
		      "%lld ns", (long long)took);
	/* and what must wait longer than the queue allows is dropped */
	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"rate_bps\":8e6,"
	     "\"burst_bytes\":1000,\"queue_ns\":5e6}}");
	for (uint32_t i = 0; i < 100; i++) {
		make_frame(&f, i, 1000);
		put(h0, &f);
	}
	while (counter("up", "packets") + counter("up", "dropped_queue") < 200)
		poll(NULL, 0, 1);
	ck_assert_int_gt(counter("up", "dropped_queue"), 50);
}
END_TEST

START_TEST(shape_keeps_what_waits)
{
	static struct test_frame f;

	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"delay_ns\":1e8}}");
	for (uint32_t i = 0; i < 50; i++) {
		make_frame(&f, i, 100);
		put(h0, &f);
	}
	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{}}");
	make_frame(&f, 50, 100);
	put(h0, &f);
	for (uint32_t i = 0; i < 51; i++) {
		ck_assert(take(h1, &f, PATIENCE_MS));
		ck_assert_uint_eq(number_of(&f), i);
	}
}
END_TEST

START_TEST(duplicates_and_reorders)
{
	static struct test_frame f;
	uint32_t highest = 0, behind = 0, n = 0;

	tell("{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"duplicate\":0.2,"
	     "\"delay_ns\":5e7,\"reorder\":0.2}}");
	for (uint32_t i = 0; i < 300; i++) {
		make_frame(&f, i, 100);
		put(h0, &f);
	}
	while (take(h1, &f, n ? 200 : PATIENCE_MS)) {
		behind += number_of(&f) < highest;
		highest = number_of(&f) > highest ? number_of(&f) : highest;
		n++;
	}
	ck_assert_int_eq(counter("up", "duplicated"), (int64_t)n - 300);
	ck_assert_uint_gt(n, 330);
	ck_assert_int_gt(counter("up", "reordered"), 30);
	ck_assert_uint_gt(behind, 30);
}
END_TEST

START_TEST(dead_link_and_back)
{
	static struct test_frame f;

	set_iface("h1", SIOCSIFFLAGS, 0); /* rb loses its carrier */
	make_frame(&f, 1, 100);
	put(h0, &f);
	while (!counter("up", "dropped_down"))
		poll(NULL, 0, 1);
	set_iface("rb", SIOCSIFFLAGS, 0); /* down on our side, too */
	put(h0, &f);
	while (counter("up", "dropped_down") < 2)
		poll(NULL, 0, 1);
	set_iface("rb", SIOCSIFFLAGS, 1);
	set_iface("h1", SIOCSIFFLAGS, 1);
	close(h1);
	h1 = open_end("h1");
	check_way(h0, h1);
	check_way(h1, h0);
	ck_assert_int_eq(counter("up", "dropped_overrun"), 0);
}
END_TEST

START_TEST(too_long_for_the_far_side)
{
	static struct test_frame f;

	set_iface("rb", SIOCSIFMTU, 1000);
	make_frame(&f, 1, 1400);
	put(h0, &f);
	make_frame(&f, 2, 900);
	put(h0, &f);
	ck_assert(take(h1, &f, PATIENCE_MS));
	ck_assert_uint_eq(number_of(&f), 2);
	ck_assert_int_eq(counter("up", "dropped_toolong"), 1);
}
END_TEST

START_TEST(bad_requests)
{
	static const char *const bad[][2] = {
		{"hello", "not JSON"},
		{"{}", "no \"do\""},
		{"{\"do\":\"dance\"}", "no request 'dance'"},
		{"{\"do\":\"shape\",\"link\":\"x\"}", "no link 'x'"},
		{"{\"do\":\"shape\",\"link\":\"l\",\"up\":{\"lost\":1}}",
		 "did you mean 'loss'"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		json_t *j = ask(false, bad[i][0]);
		const char *why =
			json_string_value(json_object_get(j, "error"));

		ck_assert_msg(why && strstr(why, bad[i][1]), "%s", why);
		json_decref(j);
	}
	check_way(h0, h1);
}
END_TEST

START_TEST(ends_cleanly)
{
	ck_assert_int_eq(stop_relay(), 0);
	ck_assert_int_ne(access(at("control"), F_OK), 0);
}
END_TEST

START_TEST(refuses_to_start)
{
	const char *none[] = {"relay", NULL};
	const char *bad[] = {"relay",	  "--config", "/nonexistent",
			     "--control", at("c2"),   NULL};
	const char *gone[] = {"relay",	   "--config", at("gone.json"),
			      "--control", at("c2"),   NULL};
	FILE *f = fopen(at("gone.json"), "w");

	fputs("{\"seed\":1,\"links\":[{\"name\":\"l\",\"a\":\"ra\","
	      "\"b\":\"nope\"}]}",
	      f);
	fclose(f);
	ck_assert_int_eq(relay_main(1, (char **)(uintptr_t)none), 2);
	ck_assert_int_eq(relay_main(5, (char **)(uintptr_t)bad), 2);
	ck_assert_int_eq(relay_main(5, (char **)(uintptr_t)gone), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relay in a namespace");
	TCase *tc = tcase_create("ns");
	SRunner *sr;
	int failed;

	if (geteuid() != 0) {
		puts("SKIP: namespaces need root");
		return 77;
	}
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, frames_pass_unchanged);
	tcase_add_test(tc, superpacket_stays_whole);
	tcase_add_test(tc, superpacket_is_cut_for_loss);
	tcase_add_test(tc, same_seed_same_packets);
	tcase_add_test(tc, delay_is_kept);
	tcase_add_test(tc, rate_is_kept);
	tcase_add_test(tc, shape_keeps_what_waits);
	tcase_add_test(tc, duplicates_and_reorders);
	tcase_add_test(tc, dead_link_and_back);
	tcase_add_test(tc, too_long_for_the_far_side);
	tcase_add_test(tc, bad_requests);
	tcase_add_test(tc, ends_cleanly);
	tcase_add_test(tc, refuses_to_start);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
