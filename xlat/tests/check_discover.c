/* SPDX-License-Identifier: MIT */
/*
 * xlatd clat learns the PLAT's prefix: from a name server on ::1 and from a
 * router at the other end of a TAP device, both played here, byte by byte.
 *
 * Needs root and /dev/net/tun; says SKIP and exits with 77 without them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/err.h"
#include "../base/file.h"
#include "../core/csum.h"

#define DEADLINE_NS (20 * NS_PER_S)

static char dir[] = "/tmp/discover-XXXXXX";
static char xlatd[512];
static pid_t pid;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

/* ---- a namespace of its own, one for each test ----------------------------
 */

static void raise_link(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_flags = IFF_UP};

	strcpy(r.ifr_name, name);
	need(!ioctl(fd, SIOCSIFFLAGS, &r), "SIOCSIFFLAGS");
	close(fd);
}

static void put_sysctl(const char *path, const char *value)
{
	struct err e;

	if (file_put(path, value, &e))
		fprintf(stderr, "%s\n", e.text);
}

static void new_namespace(void)
{
	need(!unshare(CLONE_NEWNET), "unshare");
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
	put_sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
	put_sysctl("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0");
	raise_link("lo");
}

static int open_tap(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	need(fd >= 0, "/dev/net/tun");
	strcpy(r.ifr_name, "wan");
	need(!ioctl(fd, TUNSETIFF, &r), "TUNSETIFF");
	raise_link("wan");
	return fd;
}

/* ---- xlatd -----------------------------------------------------------------
 */

static void write_config(const char *pref64, const char *clat6)
{
	char path[64], text[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/yaml", dir);
	snprintf(text, sizeof(text),
		 "tun: {name: clat}\ncontrol: %s/sock\npref64: %s\n"
		 "clat: {lan4: 192.168.1.0/24, clat6: %s}\n",
		 dir, pref64, clat6);
	need(!file_write(path, text, strlen(text), &e), path);
}

static void start_xlatd(void)
{
	char path[64], fd[16];
	int pipes[2];
	char c;

	snprintf(path, sizeof(path), "%s/yaml", dir);
	need(!pipe2(pipes, O_CLOEXEC), "pipe");
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(fd, sizeof(fd), "%d", dup(pipes[1]));
		execl(xlatd, xlatd, "clat", "--config", path, "--ready-fd", fd,
		      NULL);
		_exit(127);
	}
	close(pipes[1]);
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	close(pipes[0]);
}

static void stop_xlatd(void)
{
	int status;

	kill(pid, SIGTERM);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	pid = 0;
	ck_assert_int_eq(status, 0);
}

static json_t *request(const char *line)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f;
	json_t *o;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", dir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_gt(dprintf(fd, "%s\n", line), 0);
	f = fdopen(fd, "r");
	o = json_loadf(f, 0, NULL);
	fclose(f);
	ck_assert_ptr_nonnull(o);
	return o;
}

/* "" when none is known. */
static void get_prefix(char *text, size_t len, json_int_t *counter,
		       const char *name)
{
	json_t *o = request("stats"), *p = json_object_get(o, "pref64");
	const char *s = json_string_value(json_object_get(p, "prefix"));

	snprintf(text, len, "%s", s ? s : "");
	if (counter)
		*counter = json_integer_value(json_object_get(p, name));
	json_decref(o);
}

static bool passed(struct mono deadline)
{
	return mono_sub(clock_now(), deadline) > 0;
}

static void pause_ms(int ms)
{
	poll(NULL, 0, ms);
}

static void await_prefix(const char *want)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);
	char got[64];

	for (;;) {
		get_prefix(got, sizeof(got), NULL, NULL);
		if (!strcmp(got, want))
			return;
		ck_assert_msg(!passed(end), "prefix is %s, not %s", got, want);
		pause_ms(10);
	}
}

static void await_counter(const char *name, json_int_t least)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);
	json_int_t n;
	char got[64];

	for (;;) {
		get_prefix(got, sizeof(got), &n, name);
		if (n >= least)
			return;
		ck_assert_msg(!passed(end), "%s is %lld", name, (long long)n);
		pause_ms(10);
	}
}

/* ---- a name server ---------------------------------------------------------
 */

static int dns_open(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(53),
				 .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	need(!bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	return fd;
}

struct query {
	struct sockaddr_in6 from;
	uint8_t msg[512];
	size_t len;
};

static void dns_read(int fd, struct query *q)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	socklen_t len = sizeof(q->from);
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, DEADLINE_NS / NS_PER_MS), 1);
	n = recvfrom(fd, q->msg, sizeof(q->msg), 0, (struct sockaddr *)&q->from,
		     &len);
	ck_assert_int_ge(n, 31);
	q->len = 31; /* without EDNS */
}

/* One AAAA record, or none; @rcode; @change is added to the identifier. */
static size_t put_answer(uint8_t msg[512], const struct query *q,
			 const char *aaaa, uint32_t ttl, unsigned int rcode,
			 unsigned int change)
{
	const uint8_t head[12] = {
		0xc0,	      12, 0, 28, 0, 1, 0, 0, (uint8_t)(ttl >> 8),
		(uint8_t)ttl, 0,  16};
	size_t len = q->len;

	memcpy(msg, q->msg, len);
	msg[1] = (uint8_t)(msg[1] + change);
	msg[2] |= 0x80;
	msg[3] = (uint8_t)rcode;
	msg[7] = aaaa != NULL;
	msg[11] = 0;
	if (aaaa) {
		memcpy(msg + len, head, 12);
		inet_pton(AF_INET6, aaaa, msg + len + 12);
		len += 28;
	}
	return len;
}

static void dns_send(int fd, const struct query *q, const uint8_t *msg,
		     size_t len)
{
	ck_assert_int_eq(sendto(fd, msg, len, 0,
				(const struct sockaddr *)&q->from,
				sizeof(q->from)),
			 (ssize_t)len);
}

static void dns_answer(int fd, const struct query *q, const char *aaaa,
		       uint32_t ttl, unsigned int rcode, unsigned int change)
{
	uint8_t msg[512];

	dns_send(fd, q, msg, put_answer(msg, q, aaaa, ttl, rcode, change));
}

START_TEST(dns_followed)
{
	struct query q, next;
	int fd;

	new_namespace();
	fd = dns_open();
	write_config("{from: dns, servers: [\"::1\"]}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	await_prefix("");
	dns_read(fd, &q);
	/* guesses come first, and are not believed */
	dns_answer(fd, &q, "2001:db8:bad::c000:aa", 2, 0, 1);
	await_counter("ignored", 1);
	await_prefix("");
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 2, 0, 0);
	await_prefix("2001:db8:a::/96");
	/* its TTL is 2 s: asked again, from another port */
	dns_read(fd, &next);
	ck_assert(next.from.sin6_port != q.from.sin6_port ||
		  memcmp(next.msg, q.msg, 2) != 0);
	dns_answer(fd, &next, "2001:db8:b::c000:ab", 2, 0, 0);
	await_prefix("2001:db8:b::/96");
	/* silence changes nothing, NXDOMAIN does */
	dns_read(fd, &q);
	await_counter("timeouts", 1);
	await_prefix("2001:db8:b::/96");
	dns_read(fd, &q);
	dns_answer(fd, &q, NULL, 0, 3, 0);
	await_prefix("");
	stop_xlatd();
	close(fd);
}
END_TEST

/* A server that refuses EDNS, and one that is not there. */
START_TEST(dns_servers)
{
	struct query q;
	int fd;

	new_namespace();
	fd = dns_open();
	write_config("{from: dns, servers: [\"2001:db8::53\", \"::1\"]}",
		     "\"2001:db8:c1::/96\"");
	start_xlatd();
	dns_read(fd, &q);
	ck_assert_uint_eq(q.msg[11], 1);
	dns_answer(fd, &q, NULL, 0, 1, 0);
	dns_read(fd, &q);
	ck_assert_uint_eq(q.msg[11], 0);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(fd);
}
END_TEST

/* Nobody has answered for a while, so that the pauses are of 8 seconds: a link
 * that comes up ends them. */
START_TEST(dns_asked_when_a_link_comes)
{
	struct mono begin;
	struct query q;
	int fd, tap;

	new_namespace();
	write_config("{from: dns, servers: [\"::1\"]}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	await_counter("sent", 4); /* at 0, 1, 3 and 7 seconds */
	begin = clock_now();
	fd = dns_open();
	tap = open_tap();
	dns_read(fd, &q);
	ck_assert_int_lt(mono_sub(clock_now(), begin), 5 * NS_PER_S);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(tap);
	close(fd);
}
END_TEST

static int dns_listen(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(53),
				 .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 5),
	     "listen");
	return fd;
}

/* A connection, and the query that comes by it. */
static int dns_accept(int fd, struct query *q)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timeval limit = {.tv_sec = DEADLINE_NS / NS_PER_S};
	uint8_t head[2];
	int c;

	ck_assert_int_eq(poll(&p, 1, DEADLINE_NS / NS_PER_MS), 1);
	c = accept(fd, NULL, NULL);
	need(c >= 0, "accept");
	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	ck_assert_int_eq(recv(c, head, 2, MSG_WAITALL), 2);
	ck_assert_int_eq(head[0], 0);
	ck_assert_int_ge(head[1], 31);
	ck_assert_int_eq(recv(c, q->msg, head[1], MSG_WAITALL), head[1]);
	q->len = 31;
	return c;
}

static void dns_truncate(int udp, const struct query *q)
{
	uint8_t msg[512];
	size_t len = put_answer(msg, q, NULL, 0, 0, 0);

	msg[2] |= 2;
	dns_send(udp, q, msg, len);
}

/* The answer is too long for a datagram: it comes by TCP, in pieces. */
START_TEST(dns_truncated)
{
	int udp, tcp, c;
	struct query q;
	uint8_t msg[2 + 512];
	size_t len;

	new_namespace();
	udp = dns_open();
	tcp = dns_listen();
	write_config("{from: dns, servers: [\"::1\"]}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	dns_read(udp, &q);
	dns_truncate(udp, &q);
	/* somebody who hangs up is of no use: it begins anew, by UDP */
	close(dns_accept(tcp, &q));
	dns_read(udp, &q);
	dns_truncate(udp, &q);
	c = dns_accept(tcp, &q);
	len = put_answer(msg + 2, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	msg[0] = 0;
	msg[1] = (uint8_t)len;
	ck_assert_int_eq(send(c, msg, 1, 0), 1);
	await_prefix("");
	ck_assert_int_eq(send(c, msg + 1, 20, 0), 20);
	await_prefix("");
	ck_assert_int_eq(send(c, msg + 21, len - 19, 0), (ssize_t)len - 19);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(c);
	close(tcp);
	close(udp);
}
END_TEST

/* The link-local address of "wan", once it has one. */
static void get_link_local(struct in6_addr *out)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);
	struct ifaddrs *all, *i;
	bool found = false;

	while (!found) {
		ck_assert(!passed(end));
		pause_ms(1);
		need(!getifaddrs(&all), "getifaddrs");
		for (i = all; i; i = i->ifa_next) {
			const void *p = i->ifa_addr;
			const struct sockaddr_in6 *a = p;

			if (strcmp(i->ifa_name, "wan") != 0 || !a ||
			    a->sin6_family != AF_INET6)
				continue;
			*out = a->sin6_addr;
			found = true;
		}
		freeifaddrs(all);
	}
}

/* A name server with a link-local address of "wan"; that as text. */
static int dns_open_link_local(char text[INET6_ADDRSTRLEN])
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons(53)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	get_link_local(&a.sin6_addr);
	a.sin6_scope_id = if_nametoindex("wan");
	need(!bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	inet_ntop(AF_INET6, &a.sin6_addr, text, INET6_ADDRSTRLEN);
	return fd;
}

/* A resolver of the link, as routers are wont to advertise themselves. */
START_TEST(dns_link_local)
{
	char server[INET6_ADDRSTRLEN], pref64[128];
	struct query q;
	int tap, fd;

	new_namespace();
	tap = open_tap();
	fd = dns_open_link_local(server);
	snprintf(pref64, sizeof(pref64), "{from: dns, servers: [\"%s%%wan\"]}",
		 server);
	write_config(pref64, "\"2001:db8:c1::/96\"");
	start_xlatd();
	dns_read(fd, &q);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(fd);
	close(tap);
}
END_TEST

/* In a mount namespace of our own. */
static void put_resolv_conf(const char *text)
{
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	need(!file_write(path, text, strlen(text), &e), path);
	need(!unshare(CLONE_NEWNS) &&
		     !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		     !mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL),
	     "/etc/resolv.conf");
}

/* IPv6 alone counts, and link-local addresses with their interface: by number
 * here. */
START_TEST(dns_of_resolv_conf)
{
	char server[INET6_ADDRSTRLEN], text[256];
	struct query q;
	int tap, fd;

	new_namespace();
	tap = open_tap();
	fd = dns_open_link_local(server);
	snprintf(text, sizeof(text),
		 "# nameserver ::1\nnameserver 192.0.2.53\n"
		 "nameserver fe80::53\nnameserver nonsense\n"
		 "search example\nnameserver %s%%%u\n",
		 server, if_nametoindex("wan"));
	put_resolv_conf(text);
	write_config("{from: dns}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	dns_read(fd, &q);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(fd);
	close(tap);
}
END_TEST

/* Where the first mapping of the CLAT lies. */
static void get_eam(char *text, size_t len)
{
	json_t *o = request("eam"), *v = json_object_get(o, "entries");
	const char *s = json_string_value(
		json_object_get(json_array_get(v, 0), "ipv6"));

	ck_assert_ptr_nonnull(s);
	snprintf(text, len, "%s", s);
	json_decref(o);
}

static void add_address(const char *name, const char *text)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_ifreq r = {.ifr6_prefixlen = 128,
			      .ifr6_ifindex = (int)if_nametoindex(name)};

	inet_pton(AF_INET6, text, &r.ifr6_addr);
	need(!ioctl(fd, SIOCSIFADDR, &r), "SIOCSIFADDR");
	close(fd);
}

static void add_route(const char *name, const char *text, uint16_t len)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_rtmsg r = {.rtmsg_dst_len = len,
			      .rtmsg_metric = 1,
			      .rtmsg_flags = RTF_UP,
			      .rtmsg_ifindex = (int)if_nametoindex(name)};

	inet_pton(AF_INET6, text, &r.rtmsg_dst);
	need(!ioctl(fd, SIOCADDRT, &r), "SIOCADDRT");
	close(fd);
}

/*
 * Who tells a server of the internet that its packet to @host (behind the
 * CLAT) has seen too many hops: the CLAT, by its own address.
 */
static void get_icmp_source(const char *server, const char *host, char *text)
{
	int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int icmp = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	struct sockaddr_in6 a = {.sin6_family = AF_INET6}, from;
	struct pollfd p = {.fd = icmp, .events = POLLIN};
	socklen_t len = sizeof(from);
	uint8_t msg[2048] = {0};
	int one = 1;

	inet_pton(AF_INET6, server, &a.sin6_addr);
	need(!bind(udp, (struct sockaddr *)&a, sizeof(a)), server);
	need(!bind(icmp, (struct sockaddr *)&a, sizeof(a)), server);
	setsockopt(udp, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
	inet_pton(AF_INET6, host, &a.sin6_addr);
	a.sin6_port = htons(9);
	need(sendto(udp, msg, 8, 0, (struct sockaddr *)&a, sizeof(a)) == 8,
	     host);
	while (msg[0] != 3) { /* time exceeded */
		ck_assert_int_eq(poll(&p, 1, DEADLINE_NS / NS_PER_MS), 1);
		need(recvfrom(icmp, msg, sizeof(msg), 0,
			      (struct sockaddr *)&from, &len) > 0,
		     "recvfrom");
	}
	inet_ntop(AF_INET6, &from.sin6_addr, text, INET6_ADDRSTRLEN);
	close(icmp);
	close(udp);
}

/* @place: a /120, as text; 192.0.0.8 in its /96. */
static void expect_self(const char *place, const char *self)
{
	struct in6_addr a;
	char text[64], *slash;

	snprintf(text, sizeof(text), "%s", place);
	slash = strchr(text, '/');
	ck_assert_str_eq(slash, "/120");
	*slash = '\0';
	inet_pton(AF_INET6, text, &a);
	memcpy(&a.s6_addr[12], "\300\0\0\10", 4);
	inet_ntop(AF_INET6, &a, text, sizeof(text));
	ck_assert_str_eq(self, text);
}

/* A host at @place, whose last octet is then 9. */
static void host_at(const char *place, char *text)
{
	struct in6_addr a;

	snprintf(text, 64, "%.*s", (int)strcspn(place, "/"), place);
	inet_pton(AF_INET6, text, &a);
	a.s6_addr[15] = 9;
	inet_ntop(AF_INET6, &a, text, 64);
}

/* Addresses that leave checksums alone, and the CLAT's own among them, move
 * with the prefix. */
START_TEST(neutral_moves)
{
	char first[64], second[64], host[64], self[INET6_ADDRSTRLEN];
	struct query q;
	int fd;

	new_namespace();
	fd = dns_open();
	add_address("lo", "2001:db8:a::c000:201");
	add_address("lo", "2001:db8:b::c000:201");
	write_config("{from: dns, servers: [\"::1\"]}",
		     "\"2001:db8:c1:2::/64\", checksum-neutral: true");
	start_xlatd();
	add_route("clat", "2001:db8:c1:2::", 64);
	dns_read(fd, &q);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 2, 0, 0);
	await_prefix("2001:db8:a::/96");
	get_eam(first, sizeof(first));
	host_at(first, host);
	get_icmp_source("2001:db8:a::c000:201", host, self);
	expect_self(first, self);
	dns_read(fd, &q);
	dns_answer(fd, &q, "2001:db8:b::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:b::/96");
	get_eam(second, sizeof(second));
	ck_assert_str_ne(first, second);
	host_at(second, host);
	get_icmp_source("2001:db8:b::c000:201", host, self);
	expect_self(second, self);
	stop_xlatd();
	close(fd);
}
END_TEST

/* What is known is kept by a reload, and neutral addresses move with those
 * of the CLAT. */
START_TEST(neutral_and_reload)
{
	char before[64], after[64];
	struct query q;
	json_t *o;
	int fd;

	new_namespace();
	fd = dns_open();
	write_config("{from: dns, servers: [\"::1\"]}",
		     "\"2001:db8:c1:2::/64\", checksum-neutral: true");
	start_xlatd();
	dns_read(fd, &q);
	dns_answer(fd, &q, "2001:db8:a::c000:aa", 600, 0, 0);
	await_prefix("2001:db8:a::/96");
	get_eam(before, sizeof(before));
	write_config("{from: dns, servers: [\"::1\"]}",
		     "\"2001:db8:c1:3::/64\", checksum-neutral: true");
	o = request("reload");
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	await_prefix("2001:db8:a::/96");
	get_eam(after, sizeof(after));
	ck_assert_int_eq(strncmp(before, "2001:db8:c1:2:", 14), 0);
	ck_assert_int_eq(strncmp(after, "2001:db8:c1:3:", 14), 0);
	write_config("64:ff9b::/96", "\"2001:db8:c1::/96\"");
	o = request("reload");
	ck_assert_ptr_nonnull(strstr(
		json_string_value(json_object_get(o, "error")), "pref64"));
	json_decref(o);
	stop_xlatd();
	close(fd);
}
END_TEST

/* ---- a router --------------------------------------------------------------
 */

struct ra {
	const char *src;
	uint8_t hops;
	const char *prefix;
	unsigned int lifetime_s;
	unsigned int code; /* of the prefix length; 0: /96, 1: /64 */
};

static void send_ra(int tap, const struct ra *ra)
{
	uint8_t f[14 + 40 + 16 + 16] = {0x33, 0x33, 0, 0, 0, 1,	   2,
					0,    0,    0, 0, 1, 0x86, 0xdd};
	uint8_t *ip = f + 14, *icmp = ip + 40, *option = icmp + 16;
	uint8_t pseudo[40] = {0};
	uint16_t sum;

	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = 58;
	ip[7] = ra->hops;
	inet_pton(AF_INET6, ra->src, ip + 8);
	inet_pton(AF_INET6, "ff02::1", ip + 24);
	icmp[0] = 134;
	icmp[4] = 64;
	option[0] = 38;
	option[1] = 2;
	option[2] = (uint8_t)(ra->lifetime_s >> 8);
	option[3] = (uint8_t)((ra->lifetime_s & 0xf8) | ra->code);
	{
		struct in6_addr a;

		inet_pton(AF_INET6, ra->prefix, &a);
		memcpy(option + 4, &a, 12);
	}
	memcpy(pseudo, ip + 8, 32);
	pseudo[35] = 32;
	pseudo[39] = 58;
	sum = (uint16_t)~csum_fold(csum_add(csum_add(0, pseudo, 40), icmp, 32));
	memcpy(icmp + 2, &sum, 2);
	ck_assert_int_eq(write(tap, f, sizeof(f)), (ssize_t)sizeof(f));
}

/* Until a solicitation has come, as RFC 4861 section 4.1 has it. */
static void await_solicitation(int tap)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);
	struct pollfd p = {.fd = tap, .events = POLLIN};
	uint8_t f[2048], all_routers[16];

	inet_pton(AF_INET6, "ff02::2", all_routers);
	for (;;) {
		ssize_t n;

		ck_assert(!passed(end));
		poll(&p, 1, 100);
		n = read(tap, f, sizeof(f));
		if (n < 62 || f[12] != 0x86 || f[20] != 58 || f[54] != 133)
			continue;
		if (memcmp(f + 38, all_routers, 16) != 0 || f[21] != 255)
			continue;
		return;
	}
}

START_TEST(ra_followed)
{
	static const struct ra hops = {"fe80::1", 254, "2001:db8:bad::", 600,
				       0},
			       global = {"2001:db8::1", 255,
					 "2001:db8:bad::", 600, 0},
			       first = {"fe80::1", 255, "2001:db8:a::", 600, 0},
			       other = {"fe80::2", 255, "2001:db8:b::", 600, 0},
			       none = {"fe80::1", 255, "2001:db8:a::", 0, 0},
			       soon = {"fe80::2", 255, "2001:db8:b::", 8, 0};
	int tap;

	new_namespace();
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	tap = open_tap();
	write_config("{from: ra, interface: wan}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	await_solicitation(tap);
	send_ra(tap, &hops);
	send_ra(tap, &global);
	await_counter("ignored", 2);
	await_prefix("");
	send_ra(tap, &first);
	await_prefix("2001:db8:a::/96");
	send_ra(tap, &other); /* known, not used */
	await_counter("known", 2);
	await_prefix("2001:db8:a::/96");
	send_ra(tap, &none);
	await_prefix("2001:db8:b::/96");
	send_ra(tap, &soon); /* 8 seconds are the least there is */
	await_prefix("");
	await_solicitation(tap);
	stop_xlatd();
	close(tap);
}
END_TEST

static void tell(const char *line)
{
	json_t *o = request(line);

	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
}

/* Checksum-neutral addresses: not every prefix allows them, and the place
 * that one would move them to may be taken. The next one is used then. */
START_TEST(first_that_is_of_use)
{
	static const struct ra short64 = {"fe80::1", 255, "2001:db8:5::", 600,
					  1},
			       a = {"fe80::1", 255, "2001:db8:a::", 600, 0},
			       no_a = {"fe80::1", 255, "2001:db8:a::", 0, 0},
			       b = {"fe80::2", 255, "2001:db8:b::", 600, 0},
			       no_b = {"fe80::2", 255, "2001:db8:b::", 0, 0};
	char place[64], line[128];
	int tap;

	new_namespace();
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	tap = open_tap();
	write_config("{from: ra, interface: wan}",
		     "\"2001:db8:c1:2::/64\", checksum-neutral: true");
	start_xlatd();
	send_ra(tap, &short64);
	await_counter("answers", 1);
	await_prefix("");
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	get_eam(place, sizeof(place));
	send_ra(tap, &no_a);
	await_prefix("");
	/* its place is taken by another network */
	snprintf(line, sizeof(line), "eam add 10.0.0.0/24 %s", place);
	tell(line);
	send_ra(tap, &a);
	await_counter("answers", 4);
	await_prefix("");
	send_ra(tap, &b);
	await_prefix("2001:db8:b::/96");
	send_ra(tap, &no_b);
	await_prefix("");
	/* and free again: the same announcement is good now */
	tell("eam del 10.0.0.0/24");
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	stop_xlatd();
	close(tap);
}
END_TEST

/* The link may be dialled anew, which makes another interface of that name. */
START_TEST(interface_comes_and_goes)
{
	static const struct ra a = {"fe80::1", 255, "2001:db8:a::", 600, 0},
			       b = {"fe80::1", 255, "2001:db8:b::", 600, 0};
	int tap;

	new_namespace();
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	write_config("{from: ra, interface: wan}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	await_prefix("");
	tap = open_tap();
	await_solicitation(tap);
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	close(tap);
	await_prefix(""); /* it was that link's */
	tap = open_tap();
	await_solicitation(tap);
	send_ra(tap, &b);
	await_prefix("2001:db8:b::/96");
	stop_xlatd();
	close(tap);
}
END_TEST

static bool has_carrier(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	strcpy(r.ifr_name, name);
	need(!ioctl(fd, SIOCGIFFLAGS, &r), "SIOCGIFFLAGS");
	close(fd);
	return r.ifr_flags & IFF_RUNNING;
}

/* Until the kernel has told everybody. */
static void set_carrier(int tap, int on)
{
	struct mono end = mono_add(clock_now(), DEADLINE_NS);

	need(!ioctl(tap, TUNSETCARRIER, &on), "TUNSETCARRIER");
	while (has_carrier("wan") != on) {
		ck_assert(!passed(end));
		pause_ms(1);
	}
	await_prefix(""); /* xlatd has come round since then */
}

static int64_t ns_to_solicitation(int tap)
{
	struct mono begin = clock_now();

	await_solicitation(tap);
	return mono_sub(clock_now(), begin);
}

/* Solicitations come at 0, 4 and 12 seconds: what else has cause to be asked
 * about is asked about within one. */
START_TEST(solicited_anew)
{
	static const struct ra a = {"fe80::1", 255, "2001:db8:a::", 600, 0},
			       none = {"fe80::1", 255, "2001:db8:a::", 0, 0};
	int tap;

	new_namespace();
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	tap = open_tap();
	write_config("{from: ra, interface: wan}", "\"2001:db8:c1::/96\"");
	start_xlatd();
	await_solicitation(tap);
	set_carrier(tap, 0);
	set_carrier(tap, 1);
	ck_assert_int_lt(ns_to_solicitation(tap), 3 * NS_PER_S);
	await_solicitation(tap); /* the next one is 7 seconds from now */
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	send_ra(tap, &none);
	ck_assert_int_lt(ns_to_solicitation(tap), 5 * NS_PER_S);
	stop_xlatd();
	close(tap);
}
END_TEST

static void source_is(const char *want)
{
	json_t *o = request("stats");
	const char *s = json_string_value(
		json_object_get(json_object_get(o, "pref64"), "source"));

	ck_assert_str_eq(s ? s : "", want);
	json_decref(o);
}

/* Routers know better than DNS, and DNS better than nobody. */
START_TEST(both_sources)
{
	static const struct ra a = {"fe80::1", 255, "2001:db8:a::", 600, 0},
			       none = {"fe80::1", 255, "2001:db8:a::", 0, 0},
			       soon = {"fe80::1", 255, "2001:db8:c::", 8, 0};
	struct query q;
	int tap, dns;

	new_namespace();
	put_sysctl("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
	tap = open_tap();
	dns = dns_open();
	write_config("{from: auto, interface: wan, servers: [\"::1\"]}",
		     "\"2001:db8:c1::/96\"");
	start_xlatd();
	source_is("");
	dns_read(dns, &q);
	dns_answer(dns, &q, "2001:db8:d::c000:aa", 2, 0, 0);
	await_prefix("2001:db8:d::/96");
	source_is("dns");
	/* that is no reason not to solicit */
	await_solicitation(tap);
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	source_is("ra");
	/* it goes on to ask, and what it hears is for later */
	dns_read(dns, &q);
	dns_answer(dns, &q, "2001:db8:e::c000:aa", 600, 0, 0);
	await_counter("answers", 3);
	await_prefix("2001:db8:a::/96");
	send_ra(tap, &none);
	await_prefix("2001:db8:e::/96");
	source_is("dns");
	send_ra(tap, &soon); /* runs out */
	await_prefix("2001:db8:c::/96");
	await_prefix("2001:db8:e::/96");
	/* nor does it need a router's link */
	send_ra(tap, &a);
	await_prefix("2001:db8:a::/96");
	close(tap);
	await_prefix("2001:db8:e::/96");
	stop_xlatd();
	close(dns);
}
END_TEST

static const char *cannot_run(void)
{
	if (geteuid())
		return "needs root";
	if (access(xlatd, X_OK))
		return "xlatd is not built";
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	return NULL;
}

/* .../build/tests/this -> .../build/xlatd */
static void find_xlatd(const char *self)
{
	char path[400];
	const char *slash;

	snprintf(path, sizeof(path), "%s", self);
	slash = strrchr(path, '/');
	snprintf(xlatd, sizeof(xlatd), "%.*s/../xlatd",
		 slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static void remove_files(void)
{
	static const char *const names[] = {"yaml", "sock", "resolv.conf"};
	char path[64];

	for (unsigned int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

int main(int argc, char **argv)
{
	Suite *s = suite_create("discover");
	TCase *t = tcase_create("discover");
	const char *why;
	SRunner *r;
	int failed;

	(void)argc;
	find_xlatd(argv[0]);
	why = cannot_run();
	if (why) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	need(mkdtemp(dir) != NULL, dir);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, dns_followed);
	tcase_add_test(t, dns_servers);
	tcase_add_test(t, dns_asked_when_a_link_comes);
	tcase_add_test(t, dns_truncated);
	tcase_add_test(t, dns_link_local);
	if (!access("/etc/resolv.conf", R_OK))
		tcase_add_test(t, dns_of_resolv_conf);
	else
		printf("no /etc/resolv.conf: what it says is not tested\n");
	tcase_add_test(t, neutral_moves);
	tcase_add_test(t, neutral_and_reload);
	tcase_add_test(t, ra_followed);
	tcase_add_test(t, first_that_is_of_use);
	tcase_add_test(t, interface_comes_and_goes);
	tcase_add_test(t, solicited_anew);
	tcase_add_test(t, both_sources);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	remove_files();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
