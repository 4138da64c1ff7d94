/* SPDX-License-Identifier: MIT */
/* A world is built as planned, seen through other programs' eyes. */
#include "../world/world_internal.h"
#include "world_fixture.h"

static struct fixture f;

static void setup(void)
{
	fixture_init(&f);
}

static void teardown(void)
{
	char id[5];

	memcpy(id, f.id, 5);
	fixture_fini(&f);
	ck_assert_str_eq(fixture_trace(id), "");
}

START_TEST(test_controllers)
{
	ck_assert(quota_has_word("cpuset cpu io memory\n", "cpu"));
	ck_assert(quota_has_word("cpuset io cpu\n", "cpu"));
	ck_assert(quota_has_word("cpu", "cpu"));
	ck_assert(!quota_has_word("cpuset io memory\n", "cpu"));
	ck_assert(!quota_has_word("", "cpu"));
}
END_TEST

START_TEST(test_packets_across)
{
	fixture_build(&f);
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	ck_assert(fixture_reaches(&f, RIGHT, LEFT, "192.0.2.1", 5000));
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "2001:db8:2::2", 5000));
	ck_assert(fixture_reaches(&f, RIGHT, LEFT, "2001:db8:1::1", 5000));
	ck_assert(fixture_reaches(&f, LEFT, MID, "192.0.2.129", 5000));
	ck_assert(fixture_reaches(&f, LEFT, MID, "2001:db8:ff::1", 5000));
	/* nothing relays */
	ck_assert(!fixture_reaches(&f, LEFT, FAR, "203.0.113.2", 100));
}
END_TEST

START_TEST(test_addresses)
{
	char *text;

	fixture_build(&f);
	text = OUTPUT(&f, LEFT, "ip", "-o", "addr");
	assert_has(text, "192.0.2.1/30");
	assert_has(text, "2001:db8:1::1/64");
	assert_has(text, "203.0.113.1/30");
	assert_has_not(text, "fe80:");
	assert_has_not(text, "tentative");
	free(text);
	text = OUTPUT(&f, MID, "ip", "-o", "addr");
	assert_has(text, "192.0.2.129/32");
	assert_has(text, "2001:db8:ff::1/128");
	assert_has(text, "fe80:");
	free(text);
	text = OUTPUT(&f, RELAY, "ip", "-o", "link");
	assert_has(text, "left-far.a@");
	assert_has(text, "left-far.b@");
	assert_has_not(text, "state DOWN");
	free(text);
}
END_TEST

START_TEST(test_routes)
{
	char *text;

	fixture_build(&f);
	text = OUTPUT(&f, MID, "ip", "route");
	assert_has(text,
		   "10.9.0.0/16 via 192.0.2.1 dev left proto static metric 77 "
		   "mtu 1300");
	free(text);
	text = OUTPUT(&f, MID, "ip", "-6", "route");
	assert_has(text, "blackhole 2001:db8:dead::/48");
	free(text);
	text = OUTPUT(&f, LEFT, "ip", "-6", "route");
	assert_has(text, "default via 2001:db8:1::2 dev mid");
	free(text);
}
END_TEST

START_TEST(test_offloads)
{
	struct offloads got;
	struct err e = {""};
	char *text;

	fixture_build(&f);
	text = OUTPUT(&f, MID, "ethtool", "-k", "left");
	assert_has(text, "tcp-segmentation-offload: off");
	assert_has(text, "generic-receive-offload: on");
	assert_has(text, "generic-segmentation-offload: on");
	free(text);
	text = OUTPUT(&f, MID, "ethtool", "-k", "right");
	assert_has(text, "tcp-segmentation-offload: on");
	free(text);
	ck_assert_int_eq(world_offload_get(f.world, LEFT, "mid", &got, &e), 0);
	ck_assert_int_eq(got.tso, OFFLOAD_OFF);
	ck_assert_int_eq(got.gro, OFFLOAD_ON);
	ck_assert_int_eq(got.tx_checksum, OFFLOAD_ON);
	ck_assert_int_eq(world_offload_get(f.world, RIGHT, "mid", &got, &e), 0);
	ck_assert_int_eq(got.tso, OFFLOAD_ON);
	ck_assert_int_lt(world_offload_get(f.world, RIGHT, "none", &got, &e),
			 0);
	assert_has(e.text, "right:none");
}
END_TEST

/* TSO depends on checksums: the kernel leaves it off without a word. */
START_TEST(test_offload_refused)
{
	struct offloads *o = &f.plan->links[MID_RIGHT].profile.offloads;
	struct err e = {""};

	o->tso = OFFLOAD_ON;
	o->tx_checksum = OFFLOAD_OFF;
	ck_assert_int_eq(fixture_try(&f, &e), -EOPNOTSUPP);
	assert_has(e.text, "mid:right");
	assert_has(e.text, "tso");
}
END_TEST

START_TEST(test_shapers)
{
	struct link_profile p = {.down = {.rate_bps = 10e6}};
	struct err e = {""};
	char *text;

	fixture_build(&f);
	text = OUTPUT(&f, MID, "tc", "qdisc", "show", "dev", "left");
	assert_has(text, "tbf");
	assert_has(text, "rate 80Mbit");
	assert_has(text, "burst 68Kb");
	free(text);
	text = OUTPUT(&f, LEFT, "tc", "qdisc", "show", "dev", "mid");
	assert_has(text, "rate 20Mbit");
	free(text);
	ck_assert_int_eq(world_link_shape(f.world, LEFT_MID, &p, &e), 0);
	text = OUTPUT(&f, MID, "tc", "qdisc", "show", "dev", "left");
	assert_has(text, "rate 10Mbit");
	free(text);
	text = OUTPUT(&f, LEFT, "tc", "qdisc", "show", "dev", "mid");
	assert_has_not(text, "tbf");
	free(text);
	ck_assert_int_eq(world_link_shape(f.world, LEFT_MID, &p, &e), 0);
	ck_assert_int_eq(world_link_shape(f.world, LEFT_FAR, &p, &e), -EINVAL);
	p.down.burst_bytes = 1000;
	ck_assert_int_eq(world_link_shape(f.world, LEFT_MID, &p, &e), -EINVAL);
	assert_has(e.text, "burst 1000 bytes");
}
END_TEST

START_TEST(test_own_files)
{
	char *text;

	fixture_build(&f);
	text = OUTPUT(&f, LEFT, "cat", "/etc/resolv.conf", "/etc/hostname");
	ck_assert_str_eq(text, "nameserver 198.51.100.2\nleft\n");
	free(text);
	text = OUTPUT(&f, MID, "hostname");
	ck_assert_str_eq(text, "mid\n");
	free(text);
	ck_assert_int_eq(RUN(&f, MID, "touch", "/run/frr/only-mid"), 0);
	ck_assert_int_ne(RUN(&f, LEFT, "ls", "/run/frr/only-mid"), 0);
	ck_assert_int_ne(access("/run/frr/only-mid", F_OK), 0);
	text = OUTPUT(&f, MID, "ls", "/sys/class/net");
	ck_assert_str_eq(text, "left\nlo\nright\n");
	free(text);
	/* PID 1, and ls itself */
	text = OUTPUT(&f, MID, "sh", "-c", "ls /proc | grep -c '^[0-9]*$'");
	ck_assert_int_le(atoi(text), 4);
	free(text);
	ck_assert_int_ne(RUN(&f, MID, "ls", "/run/netns"), 0);
}
END_TEST

/* The result directory below /run, which a node has for itself. */
START_TEST(test_dir_below_run)
{
	struct err e;
	char *text;

	ck_assert_int_eq(file_rmtree(f.dir, &e), 0);
	snprintf(f.dir, sizeof(f.dir), "/run/xlatsim/%s/result", f.id);
	fixture_build(&f);
	text = OUTPUT(&f, LEFT, "cat", "/etc/hostname");
	ck_assert_str_eq(text, "left\n");
	free(text);
	ck_assert_int_eq(RUN(&f, LEFT, "touch", "made-inside"), 0);
	snprintf(f.dir, sizeof(f.dir),
		 "/run/xlatsim/%s/result/nodes/left/"
		 "made-inside",
		 f.id);
	ck_assert_int_eq(access(f.dir, F_OK), 0);
	world_teardown(f.world);
	f.world = NULL;
	strcpy(f.dir, "/tmp/check-world-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f.dir));
}
END_TEST

/* A step that can't work undoes all that went before. */
static void fails_with(int code, const char *part)
{
	struct err e = {""};

	ck_assert_int_eq(fixture_try(&f, &e), code);
	ck_assert_ptr_null(f.world);
	assert_has(e.text, part);
	ck_assert_str_eq(fixture_trace(f.id), "");
	ck_assert_int_eq(fixture_processes(f.dir), 0);
}

START_TEST(test_failing_route)
{
	f.plan->routes[2].dev = "nowhere";
	fails_with(-ENODEV, "right:nowhere");
}
END_TEST

START_TEST(test_failing_sysctl)
{
	f.plan->sysctls[3].key = "net/ipv4/no_such_key";
	fails_with(-ENOENT, "no_such_key");
}
END_TEST

START_TEST(test_failing_link)
{
	f.plan->links[MID_RIGHT].a.name = "left";
	fails_with(-EEXIST, "link mid-right");
}
END_TEST

START_TEST(test_failing_address)
{
	f.plan->links[LEFT_MID].a.net4.len = 33;
	fails_with(-EINVAL, "left:mid");
}
END_TEST

START_TEST(test_interrupted)
{
	loop_stop(f.loop);
	fails_with(-EINTR, "interrupted");
}
END_TEST

START_TEST(test_run_id_taken)
{
	struct fixture other;
	struct err e = {""};

	fixture_build(&f);
	fixture_init(&other);
	world_drop_run_id(other.id);
	memcpy(other.id, f.id, 5);
	ck_assert_int_eq(fixture_try(&other, &e), -EEXIST);
	memcpy(other.id, "/../", 5);
	ck_assert_int_eq(fixture_try(&other, &e), -EINVAL);
	fixture_fini(&other);
	ck_assert(world_node_alive(f.world, LEFT));
}
END_TEST

START_TEST(test_two_worlds)
{
	struct fixture other;

	fixture_build(&f);
	fixture_init(&other);
	fixture_build(&other);
	ck_assert_str_ne(f.id, other.id);
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	world_teardown(f.world);
	f.world = NULL;
	ck_assert_str_eq(fixture_trace(f.id), "");
	ck_assert(fixture_reaches(&other, LEFT, RIGHT, "198.51.100.2", 5000));
	fixture_fini(&other);
}
END_TEST

START_TEST(test_ip_netns)
{
	char name[32];
	char *text;

	fixture_build(&f);
	snprintf(name, sizeof(name), "xs-%s-mid", f.id);
	text = OUTPUT(&f, -1, "ip", "netns", "list");
	assert_has(text, name);
	free(text);
	text = OUTPUT(&f, -1, "ip", "netns", "exec", name, "ip", "-o", "addr");
	assert_has(text, "198.51.100.1/30");
	free(text);
}
END_TEST

static int count_sockets(void *arg)
{
	int *fd = arg;

	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *fd < 0 ? -errno : 7;
}

START_TEST(test_enter)
{
	struct sockaddr_in there = {.sin_family = AF_INET,
				    .sin_port = htons(9)};
	socklen_t len = sizeof(there);
	struct err e = {""};
	int fd;

	fixture_build(&f);
	ck_assert_int_eq(world_enter(f.world, RIGHT, count_sockets, &fd, &e),
			 7);
	inet_pton(AF_INET, "198.51.100.1", &there.sin_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&there, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&there, &len), 0);
	ck_assert_int_eq(there.sin_addr.s_addr, inet_addr("198.51.100.2"));
	close(fd);
}
END_TEST

START_TEST(test_stats)
{
	struct iface_stats before, after;
	struct err e = {""};

	fixture_build(&f);
	ck_assert_int_eq(world_iface_stats(f.world, LEFT, "mid", &before, &e),
			 0);
	ck_assert(fixture_reaches(&f, LEFT, RIGHT, "198.51.100.2", 5000));
	ck_assert(fixture_reaches(&f, RIGHT, LEFT, "192.0.2.1", 5000));
	ck_assert_int_eq(world_iface_stats(f.world, LEFT, "mid", &after, &e),
			 0);
	ck_assert_uint_ge(after.tx_pkts - before.tx_pkts, 1);
	ck_assert_uint_ge(after.rx_bytes - before.rx_bytes, 47);
	ck_assert_uint_eq(after.tx_dropped, 0);
	ck_assert(world_iface_exists(f.world, LEFT, "mid"));
	ck_assert(!world_iface_exists(f.world, LEFT, "none"));
	ck_assert_int_lt(world_iface_stats(f.world, LEFT, "none", &after, &e),
			 0);
}
END_TEST

int main(void)
{
	const char *why = fixture_skip();
	Suite *s = suite_create("world");
	TCase *t = tcase_create("build");
	SRunner *r = srunner_create(s);
	int failed;

	if (why) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	log_init("check_world", LOG_WARN);
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_controllers);
	tcase_add_test(t, test_packets_across);
	tcase_add_test(t, test_addresses);
	tcase_add_test(t, test_routes);
	tcase_add_test(t, test_offloads);
	tcase_add_test(t, test_offload_refused);
	tcase_add_test(t, test_shapers);
	tcase_add_test(t, test_own_files);
	tcase_add_test(t, test_dir_below_run);
	tcase_add_test(t, test_failing_route);
	tcase_add_test(t, test_failing_sysctl);
	tcase_add_test(t, test_failing_link);
	tcase_add_test(t, test_failing_address);
	tcase_add_test(t, test_interrupted);
	tcase_add_test(t, test_run_id_taken);
	tcase_add_test(t, test_two_worlds);
	tcase_add_test(t, test_ip_netns);
	tcase_add_test(t, test_enter);
	tcase_add_test(t, test_stats);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
