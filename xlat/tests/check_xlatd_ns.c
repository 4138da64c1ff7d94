/* SPDX-License-Identifier: MIT */
/*
 * xlatd as people run it: two processes, two TUN devices, the kernel's own
 * stacks at both ends.
 *
 *	namespace A: client 192.168.1.2 - CLAT === veth === B: PLAT - server
 *
 * Needs root and /dev/net/tun; says SKIP and exits with 77 without them.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/err.h"
#include "../base/file.h"

#define SERVER	    "198.51.100.45"
#define DEADLINE_MS 5000
#define BULK_BYTES  (8 << 20)
#define PCP	    "pcp: {listen: \"[2001:db8::2]:5351\"}\n"

struct in6_ifreq {
	struct in6_addr addr;
	uint32_t prefixlen;
	int ifindex;
};

static char dir[] = "/tmp/xlatd-ns-XXXXXX";
static char xlatd[512];
static int ns_a = -1, ns_b = -1;
static pid_t pids[2];

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

static void enter(int ns)
{
	need(!setns(ns, CLONE_NEWNET), "setns");
}

/* ---- a small world --------------------------------------------------------
 */

static void put_sysctl(const char *name, const char *value)
{
	struct err e;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	if (file_put(path, value, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
}

static int new_namespace(void)
{
	int fd;

	need(!unshare(CLONE_NEWNET), "unshare");
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	need(fd >= 0, "/proc/self/ns/net");
	put_sysctl("ipv4/ip_forward", "1");
	put_sysctl("ipv6/conf/all/forwarding", "1");
	put_sysctl("ipv6/conf/default/accept_dad", "0");
	return fd;
}

struct message {
	struct nlmsghdr h;
	struct ifinfomsg i;
	char attrs[256];
};

static struct rtattr *attr(struct message *m, int type, const void *data,
			   size_t len)
{
	struct rtattr *a =
		(struct rtattr *)((char *)m + NLMSG_ALIGN(m->h.nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->h.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(m->h.nlmsg_len) + RTA_ALIGN(a->rta_len));
	return a;
}

static void end_attr(struct message *m, struct rtattr *a)
{
	a->rta_len = (unsigned short)((char *)m + m->h.nlmsg_len - (char *)a);
}

/* One veth pair: `link` here, `link` in the other namespace. */
static void make_veth(int other)
{
	struct message m = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(m.i)),
				  .nlmsg_type = RTM_NEWLINK,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE |
						 NLM_F_EXCL | NLM_F_ACK}};
	struct rtattr *info, *data, *peer;
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} ack;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	attr(&m, IFLA_IFNAME, "link", 5);
	info = attr(&m, IFLA_LINKINFO, NULL, 0);
	attr(&m, IFLA_INFO_KIND, "veth", 4);
	data = attr(&m, IFLA_INFO_DATA, NULL, 0);
	peer = attr(&m, VETH_INFO_PEER, NULL, 0);
	m.h.nlmsg_len += sizeof(struct ifinfomsg);
	attr(&m, IFLA_IFNAME, "link", 5);
	attr(&m, IFLA_NET_NS_FD, &other, sizeof(other));
	end_attr(&m, peer);
	end_attr(&m, data);
	end_attr(&m, info);
	need(send(fd, &m, m.h.nlmsg_len, 0) > 0, "netlink");
	need(recv(fd, &ack, sizeof(ack), 0) > 0, "netlink");
	errno = -ack.e.error;
	need(!ack.e.error, "veth");
	close(fd);
}

static void raise_link(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {.ifr_flags = IFF_UP};

	strcpy(r.ifr_name, name);
	need(!ioctl(fd, SIOCSIFFLAGS, &r), "SIOCSIFFLAGS");
	close(fd);
}

static void add_addr4(const char *dev, const char *text)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};
	struct sockaddr_in sin = {.sin_family = AF_INET};

	strcpy(r.ifr_name, dev);
	inet_pton(AF_INET, text, &sin.sin_addr);
	memcpy(&r.ifr_addr, &sin, sizeof(sin));
	need(!ioctl(fd, SIOCSIFADDR, &r), "SIOCSIFADDR");
	close(fd);
}

static void add_addr6(const char *dev, const char *text, uint32_t len)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_ifreq r = {.prefixlen = len,
			      .ifindex = (int)if_nametoindex(dev)};

	inet_pton(AF_INET6, text, &r.addr);
	need(!ioctl(fd, SIOCSIFADDR, &r), "SIOCSIFADDR");
	close(fd);
}

static void add_route4(const char *dst, const char *mask, const char *dev,
		       unsigned long mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET}, m = a;
	struct rtentry r = {.rt_flags = RTF_UP};
	char name[IFNAMSIZ];

	inet_pton(AF_INET, dst, &a.sin_addr);
	inet_pton(AF_INET, mask, &m.sin_addr);
	memcpy(&r.rt_dst, &a, sizeof(a));
	memcpy(&r.rt_genmask, &m, sizeof(m));
	snprintf(name, sizeof(name), "%s", dev);
	r.rt_dev = name;
	if (mtu) {
		r.rt_flags |= RTF_MTU;
		r.rt_mtu = mtu;
	}
	need(!ioctl(fd, SIOCADDRT, &r), "SIOCADDRT");
	close(fd);
}

static void add_route6(const char *dst, uint16_t len, const char *via,
		       const char *dev)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_rtmsg r = {.rtmsg_dst_len = len,
			      .rtmsg_flags = RTF_UP,
			      .rtmsg_metric = 1,
			      .rtmsg_ifindex = (int)if_nametoindex(dev)};

	inet_pton(AF_INET6, dst, &r.rtmsg_dst);
	if (via) {
		inet_pton(AF_INET6, via, &r.rtmsg_gateway);
		r.rtmsg_flags |= RTF_GATEWAY;
	}
	need(!ioctl(fd, SIOCADDRT, &r), "SIOCADDRT for IPv6");
	close(fd);
}

/* ---- xlatd ----------------------------------------------------------------
 */

static void path_of(const char *role, const char *suffix, char *out, size_t len)
{
	snprintf(out, len, "%s/%s.%s", dir, role, suffix);
}

static void write_config(const char *role, const char *text)
{
	char path[128], whole[1024];
	struct err e;

	path_of(role, "yaml", path, sizeof(path));
	snprintf(whole, sizeof(whole),
		 "tun: {name: %s}\nallow-private: true\ncontrol: %s/%s.sock\n"
		 "%s",
		 role, dir, role, text);
	if (file_write(path, whole, strlen(whole), &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
}

/* In the namespace that we are in; returns when it is ready. */
static pid_t start_xlatd(const char *role)
{
	char config[128], fd_text[16], newline;
	struct pollfd p;
	int fds[2];
	pid_t pid;

	path_of(role, "yaml", config, sizeof(config));
	need(!pipe(fds), "pipe");
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		close(fds[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
		execl(xlatd, "xlatd", role, "--config", config, "--ready-fd",
		      fd_text, "--log-level", "warning", NULL);
		fprintf(stderr, "%s: %s\n", xlatd, strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	need(poll(&p, 1, DEADLINE_MS) == 1, "xlatd is not ready in time");
	if (read(fds[0], &newline, 1) != 1) {
		fprintf(stderr, "xlatd %s did not start\n", role);
		abort();
	}
	close(fds[0]);
	return pid;
}

static json_t *ask(const char *role, const char *request)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char path[128], *text = NULL;
	size_t len = 0;
	ssize_t n;
	json_t *o;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f = open_memstream(&text, &len);
	char piece[4096];

	path_of(role, "sock", path, sizeof(path));
	strcpy(a.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_gt(dprintf(fd, "%s\n", request), 0);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		fwrite(piece, 1, (size_t)n, f);
	fclose(f);
	close(fd);
	o = json_loads(text, 0, NULL);
	ck_assert_msg(o, "%s %s: `%s`", role, request, text);
	free(text);
	return o;
}

static json_int_t number(const json_t *o, const char *a, const char *b)
{
	return json_integer_value(json_object_get(json_object_get(o, a), b));
}

static void build_world(void)
{
	need(mkdtemp(dir) != NULL, dir);
	write_config("clat", "pref64: \"64:ff9b::/96\"\n"
			     "icmp-pool4: 10.64.0.0/24\n"
			     "clat: {lan4: 192.168.1.0/24, clat6: "
			     "\"2001:db8:c1::/96\"}\n");
	write_config("plat",
		     PCP "pool6: \"64:ff9b::/96\"\npool4: [192.0.2.1]\n");
	ns_b = new_namespace();
	ns_a = new_namespace();
	make_veth(ns_b);
	raise_link("lo");
	raise_link("link");
	add_addr4("lo", "192.168.1.2");
	add_addr6("link", "2001:db8::1", 64);
	pids[0] = start_xlatd("clat");
	add_route4("198.51.100.0", "255.255.255.0", "clat", 1480);
	add_route6("2001:db8:c1::", 96, NULL, "clat");
	add_route6("64:ff9b::", 96, "2001:db8::2", "link");
	enter(ns_b);
	raise_link("lo");
	raise_link("link");
	add_addr4("lo", SERVER);
	add_addr6("link", "2001:db8::2", 64);
	pids[1] = start_xlatd("plat");
	add_route4("192.0.2.1", "255.255.255.255", "plat", 0);
	add_route6("64:ff9b::", 96, NULL, "plat");
	add_route6("2001:db8:c1::", 96, "2001:db8::1", "link");
	enter(ns_a);
}

static int end_xlatd(pid_t pid)
{
	int status = -1;

	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void remove_world(void)
{
	struct err e;

	for (int i = 0; i < 2; i++)
		if (pids[i])
			end_xlatd(pids[i]);
	file_rmtree(dir, &e);
}

/* ---- traffic --------------------------------------------------------------
 */

static void source(struct sockaddr_in *sin, uint16_t port)
{
	*sin = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port)};
	inet_pton(AF_INET, "192.168.1.2", &sin->sin_addr);
}

static void server(struct sockaddr_in *sin, uint16_t port)
{
	*sin = (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port)};
	inet_pton(AF_INET, SERVER, &sin->sin_addr);
}

/* A socket of the server's namespace; the caller stays in A. */
static int server_socket(int type, uint16_t port)
{
	struct sockaddr_in sin;
	int fd;

	enter(ns_b);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	enter(ns_a);
	server(&sin, port);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static int client_socket(int type, uint16_t port)
{
	struct sockaddr_in sin;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	source(&sin, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	server(&sin, port);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, DEADLINE_MS) == 1;
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

/* BULK_BYTES from one socket to the other, each byte looked at. */
static void pump(int from, int to)
{
	static uint8_t buf[65536];
	size_t sent = 0, got = 0, wrong = 0;

	while (got < BULK_BYTES) {
		struct pollfd p[2] = {
			{.fd = to, .events = POLLIN},
			{.fd = from,
			 .events = sent < BULK_BYTES ? POLLOUT : 0}};

		ck_assert_int_gt(poll(p, 2, DEADLINE_MS), 0);
		if (p[1].revents & POLLOUT) {
			size_t len = sizeof(buf);
			ssize_t n;

			if (len > BULK_BYTES - sent)
				len = BULK_BYTES - sent;
			for (size_t i = 0; i < len; i++)
				buf[i] = pattern(sent + i);
			n = send(from, buf, len, MSG_DONTWAIT);
			ck_assert_int_gt(n, 0);
			sent += (size_t)n;
		}
		if (p[0].revents & POLLIN) {
			ssize_t n = recv(to, buf, sizeof(buf), MSG_DONTWAIT);

			ck_assert_int_gt(n, 0);
			for (size_t i = 0; i < (size_t)n; i++)
				wrong += buf[i] != pattern(got + i);
			got += (size_t)n;
		}
	}
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(tcp_carries_superpackets_both_ways)
{
	int listener = server_socket(SOCK_STREAM, 7000), a, b;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char text[64];
	json_t *o;

	ck_assert_int_eq(listen(listener, 1), 0);
	a = client_socket(SOCK_STREAM, 7000);
	ck_assert(readable(listener));
	b = accept(listener, (struct sockaddr *)&peer, &len);
	ck_assert_int_ge(b, 0);
	inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
	ck_assert_str_eq(text, "192.0.2.1");
	pump(a, b);
	pump(b, a);
	o = ask("plat", "sessions");
	ck_assert_str_eq(
		json_string_value(json_object_get(
			json_array_get(json_object_get(o, "entries"), 0),
			"state")),
		"established");
	json_decref(o);
	o = ask("plat", "stats");
	ck_assert_int_gt(number(o, "packets", "superpackets"), 10);
	json_decref(o);
	close(a);
	close(b);
	close(listener);
}
END_TEST

/* A datagram there and back; 3000 bytes travel in fragments. */
START_TEST(udp_whole_and_in_fragments)
{
	static const size_t sizes[] = {0, 1, 1000, 1452, 1472, 3000, 20000};
	static uint8_t buf[65536], back[65536];
	int b = server_socket(SOCK_DGRAM, 7001);
	int a = client_socket(SOCK_DGRAM, 7001), off = IP_PMTUDISC_DONT;
	size_t size = sizes[_i];
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	setsockopt(a, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
	setsockopt(b, IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof(off));
	for (size_t i = 0; i < size; i++)
		buf[i] = pattern(i);
	ck_assert_int_eq(send(a, buf, size, 0), (ssize_t)size);
	ck_assert(readable(b));
	ck_assert_int_eq(recvfrom(b, back, sizeof(back), 0,
				  (struct sockaddr *)&peer, &len),
			 (ssize_t)size);
	ck_assert_mem_eq(back, buf, size);
	ck_assert_int_eq(
		sendto(b, back, size, 0, (struct sockaddr *)&peer, len),
		(ssize_t)size);
	memset(back, 0, sizeof(back));
	ck_assert(readable(a));
	ck_assert_int_eq(recv(a, back, sizeof(back), 0), (ssize_t)size);
	ck_assert_mem_eq(back, buf, size);
	close(a);
	close(b);
}
END_TEST

static uint16_t icmp_check(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Send an echo request of @ttl; returns the type of what comes back. */
static int ping(int ttl, char *from)
{
	uint8_t p[64] = {8, 0, 0, 0, 0x12, 0x34, 0, 1}, back[256];
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	uint16_t check = icmp_check(p, sizeof(p));

	memcpy(p + 2, &check, 2);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	source(&sin, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	server(&sin, 0);
	ck_assert_int_eq(sendto(fd, p, sizeof(p), 0, (struct sockaddr *)&sin,
				sizeof(sin)),
			 sizeof(p));
	ck_assert(readable(fd));
	ck_assert_int_gt(recvfrom(fd, back, sizeof(back), 0,
				  (struct sockaddr *)&sin, &len),
			 28);
	inet_ntop(AF_INET, &sin.sin_addr, from, INET_ADDRSTRLEN);
	close(fd);
	return back[20];
}

START_TEST(ping_and_traceroute)
{
	/* the CLAT itself, A's and B's kernels out of its pool, the PLAT */
	static const char *const hops[] = {"192.0.0.8", "10.64.0.", "10.64.0.",
					   "192.0.2.1"};
	char from[INET_ADDRSTRLEN], before[INET_ADDRSTRLEN] = "";

	ck_assert_int_eq(ping(64, from), ICMP_ECHOREPLY);
	ck_assert_str_eq(from, SERVER);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ping(i + 1, from), ICMP_TIME_EXCEEDED);
		ck_assert_msg(!strncmp(from, hops[i], strlen(hops[i])), "%s",
			      from);
		ck_assert_str_ne(from, before);
		strcpy(before, from);
	}
	ck_assert_int_eq(ping(5, from), ICMP_ECHOREPLY);
}
END_TEST

/* Nobody listens: the server's port unreachable reaches the client. */
START_TEST(port_unreachable_comes_back)
{
	int a = client_socket(SOCK_DGRAM, 7999), code = 0;
	struct pollfd p = {.fd = a};
	socklen_t len = sizeof(code);

	ck_assert_int_eq(send(a, "x", 1, 0), 1);
	ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
	ck_assert_int_eq(getsockopt(a, SOL_SOCKET, SO_ERROR, &code, &len), 0);
	ck_assert_int_eq(code, ECONNREFUSED);
	close(a);
}
END_TEST

/* The link takes 1400 only: A's kernel says so in ICMPv6, to the CLAT. */
START_TEST(path_mtu_is_learnt_through_the_translators)
{
	static const uint8_t data[1440];
	int a, code = 0, fd, on = IP_PMTUDISC_DO, mtu = 0;
	struct ifreq r = {.ifr_mtu = 1400};
	socklen_t len = sizeof(code);
	struct pollfd p;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(r.ifr_name, "link");
	ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &r), 0);
	a = client_socket(SOCK_DGRAM, 7998);
	setsockopt(a, IPPROTO_IP, IP_MTU_DISCOVER, &on, sizeof(on));
	ck_assert_int_eq(send(a, data, sizeof(data), 0), sizeof(data));
	p = (struct pollfd){.fd = a};
	ck_assert_int_eq(poll(&p, 1, DEADLINE_MS), 1);
	ck_assert_int_eq(getsockopt(a, SOL_SOCKET, SO_ERROR, &code, &len), 0);
	ck_assert_int_eq(code, EMSGSIZE);
	len = sizeof(mtu);
	ck_assert_int_eq(getsockopt(a, IPPROTO_IP, IP_MTU, &mtu, &len), 0);
	ck_assert_int_eq(mtu, 1380);
	r.ifr_mtu = 1500;
	ck_assert_int_eq(ioctl(fd, SIOCSIFMTU, &r), 0);
	close(fd);
	close(a);
}
END_TEST

START_TEST(counters_add_up)
{
	static const char *const roles[] = {"clat", "plat"};

	for (int i = 0; i < 2; i++) {
		json_t *o = ask(roles[i], "stats");

		ck_assert_str_eq(json_string_value(json_object_get(o, "role")),
				 roles[i]);
		ck_assert_int_gt(number(o, "packets", "forwarded"), 0);
		ck_assert_int_eq(number(o, "packets", "received"),
				 number(o, "packets", "forwarded") +
					 number(o, "packets", "hairpinned") +
					 number(o, "packets", "replied") +
					 number(o, "packets", "dropped"));
		json_decref(o);
	}
}
END_TEST

START_TEST(reload_is_refused_or_done)
{
	char from[INET_ADDRSTRLEN];
	json_t *o;

	write_config("plat", PCP "pool6: \"64:ff9b::/96\"\npool4: [192.0.2.1]\n"
				 "timers: {icmp: 5}\n");
	o = ask("plat", "reload");
	ck_assert_ptr_nonnull(strstr(
		json_string_value(json_object_get(o, "error")), ".yaml:7:16:"));
	json_decref(o);
	ck_assert_int_eq(ping(64, from), ICMP_ECHOREPLY);
	write_config("plat",
		     PCP "pool6: \"64:ff9b::/96\"\npool4: [192.0.2.9]\n");
	o = ask("plat", "reload");
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	/* no session of the old address fits; none begins before its route */
	o = ask("plat", "stats");
	ck_assert_int_ge(number(o, "nat64", "not_moved"), 1);
	json_decref(o);
	write_config("plat",
		     PCP "pool6: \"64:ff9b:1::/96\"\npool4: [192.0.2.1]\n");
	o = ask("plat", "reload");
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(o, "error")),
		       "`pool6` cannot change"));
	json_decref(o);
	write_config("plat", PCP "pool6: \"64:ff9b::/96\"\npool4: [192.0.2.1]\n"
				 "timers: {icmp: 65s}\n");
	o = ask("plat", "reload");
	ck_assert(json_is_true(json_object_get(o, "ok")));
	json_decref(o);
	ck_assert_int_eq(ping(64, from), ICMP_ECHOREPLY);
}
END_TEST

static size_t listed(const char *request)
{
	json_t *o = ask("plat", request);
	size_t n = json_array_size(json_object_get(o, "entries"));

	ck_assert_msg(json_object_get(o, "entries") != NULL, "%s", request);
	json_decref(o);
	return n;
}

START_TEST(listings_are_filtered)
{
	char from[INET_ADDRSTRLEN];

	ck_assert_int_eq(ping(64, from), ICMP_ECHOREPLY);
	ck_assert_uint_ge(listed("sessions proto=icmp src4=192.0.2.1"), 1);
	ck_assert_uint_ge(listed("sessions 0 src6=2001:db8:c1::/96"), 1);
	ck_assert_uint_ge(listed("bib proto=icmp"), 1);
	ck_assert_uint_eq(listed("sessions proto=icmp dst4=203.0.113.0/24"), 0);
	ck_assert_uint_eq(listed("sessions proto=icmp state=established"), 0);
	ck_assert_uint_eq(listed("bib src6=2001:db8:c2::/48"), 0);
	ck_assert_uint_eq(listed("bib sport4=1023"), 0);
}
END_TEST

START_TEST(static_entries_come_and_go)
{
	static const char entry[] = "tcp 2001:db8:c1::5 22 192.0.2.1 2022";
	static const char find[] = "bib proto=tcp sport4=2022";
	char request[128];
	json_t *o;

	for (int i = 0; i < 4; i++) {
		bool good = i == 0 || i == 2;

		snprintf(request, sizeof(request), "static %s %s",
			 i < 2 ? "add" : "del", entry);
		o = ask("plat", request);
		ck_assert_int_eq(json_is_true(json_object_get(o, "ok")), good);
		ck_assert_int_eq(json_object_get(o, "error") != NULL, !good);
		json_decref(o);
		ck_assert_uint_eq(listed(find), i < 2);
	}
}
END_TEST

START_TEST(nonsense_requests_are_refused)
{
	static const char *const requests[] = {"",
					       "bib x",
					       "bib 99999999999",
					       "stats please",
					       "sessions -1",
					       "advance 5s",
					       "bib dport=5",
					       "sessions proto=sctp",
					       "sessions 5 5",
					       "sessions src6=::/200",
					       "static",
					       "static add tcp ::1 1 1.2.3.4",
					       "static add tcp ::1 1 8.8.8.8 5",
					       "static del tcp ::1 x 1.2.3.4 5",
					       "advance x"};

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		json_t *o = ask("plat", requests[i]);

		if (i != 2) /* beyond the end: an empty page */
			ck_assert_ptr_nonnull(json_object_get(o, "error"));
		json_decref(o);
	}
}
END_TEST

/* A MAP request of TCP port @port from here; the port at 192.0.2.1. */
static uint16_t ask_for_mapping(uint16_t port)
{
	uint8_t m[60] = {2, 1, [6] = 2, [36] = IPPROTO_TCP, [54] = 0xff, 0xff};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons(5351)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "2001:db8::1", m + 8);
	m[40] = (uint8_t)(port >> 8);
	m[41] = (uint8_t)port;
	inet_pton(AF_INET6, "2001:db8::2", &to.sin6_addr);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(send(fd, m, sizeof(m), 0), sizeof(m));
	ck_assert(readable(fd));
	ck_assert_int_eq(recv(fd, m, sizeof(m), 0), sizeof(m));
	close(fd);
	ck_assert_uint_eq(m[1], 0x81);
	ck_assert_uint_eq(m[3], 0);
	return (uint16_t)(m[42] << 8 | m[43]);
}

/* A host asks for a port, and somebody on the IPv4 internet calls there. */
START_TEST(a_host_is_reached_where_it_asked_to_be)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons(8080)};
	struct sockaddr_in to = {.sin_family = AF_INET};
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), fd, in;
	json_t *o;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof(any)),
			 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	to.sin_port = htons(ask_for_mapping(8080));
	inet_pton(AF_INET, "192.0.2.1", &to.sin_addr);
	enter(ns_b);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enter(ns_a);
	ck_assert_int_eq(bind(fd,
			      (struct sockaddr *)&(struct sockaddr_in){
				      .sin_family = AF_INET,
				      .sin_addr.s_addr = inet_addr(SERVER)},
			      sizeof(to)),
			 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert(readable(listener));
	in = accept(listener, NULL, NULL);
	ck_assert_int_ge(in, 0);
	close(in);
	close(fd);
	close(listener);
	o = ask("plat", "pcp");
	ck_assert_int_eq(number(o, "results", "SUCCESS"), 1);
	json_decref(o);
	o = ask("plat", "pcp list");
	ck_assert_uint_eq(json_array_size(json_object_get(o, "entries")), 1);
	json_decref(o);
}
END_TEST

/* What xlatd siit ends with when real-time scheduling is not for it. */
static int status_without_precedence(void)
{
	const struct rlimit none = {0, 0};
	char config[128];
	int status = -1;
	pid_t pid = fork();

	path_of("siit", "yaml", config, sizeof(config));
	need(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prctl(PR_CAPBSET_DROP, CAP_SYS_NICE) ||
		    setrlimit(RLIMIT_RTPRIO, &none))
			_exit(126);
		execl(xlatd, "xlatd", "siit", "--config", config, NULL);
		_exit(127);
	}
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(realtime_is_taken_or_refused)
{
	pid_t pid;

	write_config("siit", "realtime: true\npref64: \"2001:db8:64::/96\"\n");
	ck_assert_int_eq(status_without_precedence(), 1);
	ck_assert_int_eq(if_nametoindex("siit"), 0);
	pid = start_xlatd("siit");
	ck_assert_int_eq(sched_getscheduler(pid) & ~SCHED_RESET_ON_FORK,
			 SCHED_FIFO);
	ck_assert_int_eq(end_xlatd(pid), 0);
	ck_assert_int_eq(sched_getscheduler(pids[0]), SCHED_OTHER);
}
END_TEST

START_TEST(sigterm_ends_it_and_the_device)
{
	char path[128];

	ck_assert_int_ne(if_nametoindex("clat"), 0);
	ck_assert_int_eq(end_xlatd(pids[0]), 0);
	pids[0] = 0;
	ck_assert_int_eq(if_nametoindex("clat"), 0);
	path_of("clat", "sock", path, sizeof(path));
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* ---- where it can run -----------------------------------------------------
 */

static int skip(const char *why)
{
	printf("SKIP: %s\n", why);
	return 77;
}

static void find_xlatd(void)
{
	ssize_t n = readlink("/proc/self/exe", xlatd, sizeof(xlatd) - 16);

	need(n > 0, "/proc/self/exe");
	xlatd[n] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(xlatd, '/') = '\0';
	strcat(xlatd, "/xlatd");
}

int main(void)
{
	Suite *s = suite_create("xlatd-ns");
	TCase *t = tcase_create("world");
	SRunner *r;
	int failed;

	if (geteuid())
		return skip("network namespaces need root");
	if (access("/dev/net/tun", R_OK | W_OK))
		return skip("no /dev/net/tun");
	if (unshare(CLONE_NEWNET))
		return skip("the kernel makes no network namespaces here");
	find_xlatd();
	if (access(xlatd, X_OK)) {
		fprintf(stderr, "%s: %s\n", xlatd, strerror(errno));
		return 1;
	}
	build_world();
	suite_add_tcase(s, t);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, tcp_carries_superpackets_both_ways);
	tcase_add_loop_test(t, udp_whole_and_in_fragments, 0, 7);
	tcase_add_test(t, ping_and_traceroute);
	tcase_add_test(t, port_unreachable_comes_back);
	tcase_add_test(t, path_mtu_is_learnt_through_the_translators);
	tcase_add_test(t, listings_are_filtered);
	tcase_add_test(t, static_entries_come_and_go);
	tcase_add_test(t, nonsense_requests_are_refused);
	tcase_add_test(t, reload_is_refused_or_done);
	tcase_add_test(t, a_host_is_reached_where_it_asked_to_be);
	tcase_add_test(t, counters_add_up);
	tcase_add_test(t, realtime_is_taken_or_refused);
	tcase_add_test(t, sigterm_ends_it_and_the_device);
	r = srunner_create(s);
	/* one world for all; the last test ends a process of ours */
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	remove_world();
	return failed ? 1 : 0;
}
