/* SPDX-License-Identifier: MIT */
/* xlatd's configuration: what it says when it is wrong, what it holds. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../daemon/config.h"
#include "../daemon/setup.h"

static struct arena *arena;
static struct diags diags;

static void setup(void)
{
	arena = arena_new();
	diags_init(&diags);
}

static void teardown(void)
{
	diags_fini(&diags);
	arena_free(arena);
}

static struct config *load(enum role role, const char *text)
{
	return config_load_text("f", text, strlen(text), role, arena, &diags);
}

static void expect(enum role role, const char *text, const char *golden)
{
	char *said = NULL;
	size_t len = 0;
	FILE *f;

	ck_assert_ptr_null(load(role, text));
	f = open_memstream(&said, &len);
	diags_print(&diags, f);
	fclose(f);
	ck_assert_str_eq(said, golden);
	free(said);
}

#define TUN "tun: {name: t0}\n"

static const struct {
	enum role role;
	const char *text, *golden;
} bad[] = {
	{ROLE_CLAT, "{}\n",
	 "f:1:1: clat lacks `clat`\n"
	 "f:1:1: clat lacks `pref64`\n"
	 "f:1:1: clat lacks `tun`\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/95\n"
	     "pool4: [192.0.2.1/24, 192.0.2.0/30, 192.0.2.2]\n"
	     "sesions: 5\n",
	 "f:2:8: `pool6: 64:ff9b::/95`: RFC 6052 allows /32, /40, /48, /56, "
	 "/64 and /96, with bits 64 to 71 zero\n"
	 "f:3:9: `192.0.2.1/24`: an IPv4 address or prefix without host bits "
	 "is expected\n"
	 "f:3:37: pool4 holds an address twice\n"
	 "f:4:1: unknown key in plat: `sesions`; did you mean `sessions`?\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
	     "timers: {udp: 9s, icmp: 61s}\n",
	 "f:4:15: `udp` is shorter than allowed by RFC 4787 REQ-5: 2 min "
	 "(120s); `short-timers: true` lets it pass\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
	     "subscriber-limits: {sessions: 0, port: 5}\n",
	 "f:4:31: `sessions: 0`: a whole number from 1 to 67108864 is "
	 "expected\n"
	 "f:4:34: unknown key in subscriber-limits: `port`; did you mean "
	 "`ports`?\n"},
	{ROLE_PLAT,
	 "tun: {name: much-too-long-a-name, mtu: 1000}\n"
	 "pool6: 64:ff9b::/96\n"
	 "pool4:\n"
	 "  - {address: 192.0.2.1, ports: 9-5}\n"
	 "  - {address: 192.0.2.2, udp: 1-70000}\n"
	 "  - {addres: 192.0.2.3}\n"
	 "  - 10.0.0.0/8\n"
	 "filtering: none\n"
	 "timers: {udp: 5, tcp-established: 2h}\n",
	 "f:1:13: `name: much-too-long-a-name`: a device name of up to 15 "
	 "letters is expected\n"
	 "f:1:40: `mtu: 1000`: a whole number from 1280 to 65535 is expected\n"
	 "f:4:33: `ports: 9-5`: a range such as 1024-65535 is expected\n"
	 "f:5:31: `udp: 1-70000`: a range such as 1024-65535 is expected\n"
	 "f:6:5: pool4 lacks `address`\n"
	 "f:6:6: unknown key in pool4: `addres`; did you mean `address`?\n"
	 "f:7:5: /8 holds too many addresses; at most 1024 (a /22)\n"
	 "f:8:12: unknown value of `filtering`: `none`; expected "
	 "endpoint-independent or address-dependent\n"
	 "f:9:15: `udp: 5`: a time such as 5ms is expected\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
	     "pcp: {listen: \"[::]:5351\", mappings: 0, lifetime: 60s}\n",
	 "f:4:15: `listen: [::]:5351`: an address of this host is expected: "
	 "answers come from where they were asked for\n"
	 "f:4:38: `mappings: 0`: a whole number from 1 to 1048576 is expected\n"
	 "f:4:51: `lifetime: 60s`: a time such as 5ms from 2m to 24h is "
	 "expected"
	 "\n"},
	{ROLE_CLAT,
	 TUN "pref64: 2001:db8::1/96\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/64\"}\n"
	     "icmp-source4: 2001:db8::1\n"
	     "pool4: [192.0.2.1]\n",
	 "f:2:9: `pref64`: an IPv6 prefix such as 64:ff9b::/96, without host "
	 "bits, is expected\n"
	 "f:3:37: `clat6` has length 64; 96 is expected (RFC 6877)\n"
	 "f:4:15: `icmp-source4`: an IPv4 address is expected\n"
	 "f:5:1: unknown key in clat: `pool4`; expected tun, io, control, "
	 "lowest-ipv6-mtu, mtu4, mtu6, clamp-mss, copy-traffic-class, tos, "
	 "udp-zero-checksum, allow-private, icmp-source4, icmp-source6, "
	 "icmp-rate, realtime, test-clock, seed, pref64, clat, eam, "
	 "icmp-pool4, icmp-name-source or fast-path\n"},
	{ROLE_SIIT,
	 TUN "pref64: 2001:db8:64::/96\nio: packet\n"
	     "fast-path: [wan0, \"\", abcdefghijklmnop, wan0, t0, [a]]\n",
	 "f:4:12: `fast-path` goes with `io: tun`\n"
	 "f:4:19: `fast-path`: the name of an interface, up to 15 letters, is "
	 "expected\n"
	 "f:4:23: `fast-path`: the name of an interface, up to 15 letters, is "
	 "expected\n"
	 "f:4:41: `fast-path` lists `wan0` twice\n"
	 "f:4:47: `fast-path`: `t0` is the TUN device; the interfaces that "
	 "packets come in by are expected\n"
	 "f:4:51: `fast-path`: the name of an interface, up to 15 letters, is "
	 "expected\n"},
	{ROLE_SIIT, TUN "pref64: 2001:db8:64::/96\nfast-path: []\n",
	 "f:3:12: `fast-path`: a list of 1 to 64 interfaces is expected\n"},
	{ROLE_CLAT,
	 TUN "pref64: {from: dns, interface: wan, servers: [192.0.2.1, x]}\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\", "
	     "checksum-neutral: true}\n",
	 "f:2:32: `interface` goes with `from: ra` or `from: auto`\n"
	 "f:2:47: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"
	 "f:2:58: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"
	 "f:3:37: `clat6` has length 96; 64 to 80 is expected with "
	 "`checksum-neutral`, and bits 64 to 71 zero\n"},
	{ROLE_CLAT,
	 TUN "pref64: 64:ff9b::/96\nclamp-mss: 1220b\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\"}\n",
	 "f:3:12: `clamp-mss`: auto, or 28 to 65535 bytes, is expected\n"},
	{ROLE_CLAT,
	 TUN "pref64: {from: auto, servers: []}\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\"}\n",
	 "f:2:9: `interface` is missing: where routers advertise\n"
	 "f:2:31: `servers`: a list of IPv6 addresses is expected\n"},
	{ROLE_CLAT,
	 TUN "pref64: {from: ra, interface: wan, servers: [\"::1\"]}\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\"}\n",
	 "f:2:45: `servers` goes with `from: dns` or `from: auto`\n"},
	{ROLE_CLAT,
	 TUN "pref64: {from: dns, servers: [\"fe80::1\", \"fe80::1%\",\n"
	     "  \"2001:db8::1%wan\", \"fe80::1%a-name-that-is-long\"]}\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\"}\n",
	 "f:2:31: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"
	 "f:2:42: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"
	 "f:3:3: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"
	 "f:3:22: `servers`: an IPv6 address is expected, with its "
	 "interface if it is link-local, as fe80::1%wan\n"},
	{ROLE_CLAT,
	 TUN "pref64: {from: ra}\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/96\"}\n",
	 "f:2:9: `interface` is missing: where routers advertise\n"},
	{ROLE_CLAT,
	 TUN "pref64: 2001:db8:64::/48\n"
	     "clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8:1::/64\", "
	     "checksum-neutral: true}\n",
	 "f:2:9: `pref64`: only /32 and /96 allow `checksum-neutral` "
	 "addresses\n"},
	{ROLE_SIIT,
	 TUN "eam: [{ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}]\n"
	     "hairpin: simple\ntos: 256\nicmp-pool4: 198.51.100.1/24\n",
	 "f:1:1: `icmp-source6` is missing, which errors to IPv6 hosts come "
	 "from: there is no `pref64` to make one of; `::` would mean that none "
	 "are sent\n"
	 "f:3:10: `hairpin: simple` maps sources by `pref64`, which is "
	 "missing\n"
	 "f:4:6: `tos: 256`: a whole number from 0 to 255 is expected\n"
	 "f:5:13: `icmp-pool4: 198.51.100.1/24`: a prefix without host bits is "
	 "expected\n"},
	{ROLE_SIIT, TUN "eam: [{ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}]\n",
	 "f:1:1: `icmp-source6` is missing, which errors to IPv6 hosts come "
	 "from: there is no `pref64` to make one of; `::` would mean that none "
	 "are sent\n"},
	{ROLE_SIIT, TUN "pref64: 64:ff9b::/96\n",
	 "f:1:1: `icmp-source6` is missing, which errors to IPv6 hosts come "
	 "from: none can be made of 64:ff9b::/96 and an address that is not "
	 "global (RFC 6052 section 3.1); `::` would mean that none are sent\n"},
	{ROLE_SIIT,
	 TUN "pref64: 64:ff9b::/96\nicmp-source6: 64:ff9b::10.0.0.1\n",
	 "f:3:15: `icmp-source6: 64:ff9b::a00:1`: translators have to drop "
	 "what comes from there: 64:ff9b::/96 is for global addresses (RFC "
	 "6052 section 3.1)\n"},
	{ROLE_SIIT,
	 TUN "eam: [{ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}]\n"
	     "hairpin: simple\nicmp-source6: 2001:db8::fe\n",
	 "f:3:10: `hairpin: simple` maps sources by `pref64`, which is "
	 "missing\n"},
	{ROLE_SIIT, TUN,
	 "f:1:1: neither `pref64` nor `eam`: nothing could be translated\n"},
	{ROLE_SIIT,
	 TUN "icmp-source6: \"::\"\neam:\n"
	     "  - {ipv4: 192.0.2.0/24, ipv6: \"2001:db8::/121\"}\n"
	     "  - {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}\n"
	     "  - {ipv4: 192.0.2.1, ipv6: \"2001:db8::2\"}\n",
	 "f:4:5: the IPv6 suffix (7 bits) is shorter than the IPv4 suffix (8 "
	 "bits)\n"
	 "f:6:5: 192.0.2.1/32 is mapped twice\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/96\npool4: {}\nstatic: 5\n"
	     "static: [{proto: sctp, ipv6: 192.0.2.1, ipv4: 192.0.2.1, "
	     "port6: 1, port4: 99999}]\n",
	 "f:3:8: `pool4`: a list is expected\n"
	 "f:4:9: `static`: a list is expected\n"
	 "f:5:1: `static` is given twice; first at line 4\n"},
	{ROLE_PLAT,
	 TUN "pool6: 64:ff9b::/96\npool4: [192.0.2.1]\n"
	     "static:\n"
	     "  - {proto: sctp, ipv6: 192.0.2.1, port6: 1, ipv4: 192.0.2.1, "
	     "port4: 99999}\n"
	     "  - {proto: tcp, ipv6: 192.0.2.1, port6: 1, ipv4: \"::1\", "
	     "port4: 2000}\n",
	 "f:5:13: unknown value of `proto`: `sctp`; did you mean `tcp`?\n"
	 "f:5:70: `port4: 99999`: a whole number from 0 to 65535 is expected\n"
	 "f:6:24: `ipv6`: an IPv6 address is expected\n"
	 "f:6:51: `ipv4`: an IPv4 address is expected\n"},
};

START_TEST(every_mistake_is_named_with_its_place)
{
	expect(bad[_i].role, bad[_i].text, bad[_i].golden);
}
END_TEST

START_TEST(a_plat_has_what_was_written)
{
	struct config *c =
		load(ROLE_PLAT, TUN
		     "pool6: 64:ff9b::/96\n"
		     "pool4:\n"
		     "  - 192.0.2.0/30\n"
		     "  - {address: 192.0.2.9, ports: 100-200, udp: 300}\n"
		     "timers: {udp: 30s, fragment: 3s}\nshort-timers: true\n"
		     "filtering: address-dependent\n"
		     "control: /run/x.sock\n"
		     "copy-traffic-class: false\n");

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->n_pool4, 5);
	ck_assert_int_eq(c->pool4[3].addr.s_addr, htonl(0xc0000203));
	ck_assert_int_eq(c->pool4[0].ports[NAT64_TCP].lo, 1024);
	ck_assert_int_eq(c->pool4[0].ports[NAT64_ICMP].lo, 0);
	ck_assert_int_eq(c->pool4[4].ports[NAT64_TCP].hi, 200);
	ck_assert_int_eq(c->pool4[4].ports[NAT64_UDP].lo, 300);
	ck_assert_int_eq(c->pool4[4].ports[NAT64_UDP].hi, 300);
	ck_assert_int_eq(c->timers.udp_ns, 30 * NS_PER_S);
	ck_assert_int_eq(c->timers.tcp_est_ns, 7440 * NS_PER_S);
	ck_assert_int_eq(c->fragment_ns, 3 * NS_PER_S);
	ck_assert(c->addr_dependent);
	ck_assert(!c->copy_tc);
	ck_assert_int_eq(c->mtu4, 1500);
	ck_assert_int_eq(c->lowest_mtu6, 1280);
	/* errors of our own come from addresses that lead back to us */
	ck_assert_int_eq(c->self4.s_addr, htonl(0xc0000200));
	ck_assert_int_eq(c->self6.s6_addr32[3], htonl(0xc0000200));
}
END_TEST

/* Said, the address of nobody is no default's business. */
START_TEST(no_source_of_errors_is_wanted)
{
	static const struct {
		enum role role;
		const char *rest;
	} v[] = {
		{ROLE_CLAT, "pref64: 64:ff9b::/96\n"
			    "clat: {lan4: 192.168.1.0/24, clat6: "
			    "\"2001:db8:1::/96\"}\n"},
		{ROLE_SIIT, "pref64: 2001:db8:64::/96\n"},
		{ROLE_PLAT, "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		char text[256];
		struct config *c;

		snprintf(text, sizeof(text),
			 TUN "icmp-source4: 0.0.0.0\nicmp-source6: \"::\"\n%s",
			 v[i].rest);
		c = load(v[i].role, text);
		ck_assert_ptr_nonnull(c);
		ck_assert_uint_eq(c->self4.s_addr, 0);
		ck_assert(IN6_IS_ADDR_UNSPECIFIED(&c->self6));
		ck_assert(!c->self6_dropped);
	}
}
END_TEST

START_TEST(a_clat_embeds_its_lan)
{
	struct config *c =
		load(ROLE_CLAT, TUN "pref64: 64:ff9b::/96\n"
				    "clat: {lan4: 192.168.1.0/24, clat6: "
				    "\"2001:db8:1::/96\"}\n");

	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->n_eams, 1);
	ck_assert_int_eq(c->eams[0].p6.len, 120);
	ck_assert_int_eq(c->eams[0].p6.addr.s6_addr32[3], htonl(0xc0a80100));
	ck_assert_int_eq(c->self4.s_addr, htonl(ADDRMAP_DUMMY4));
}
END_TEST

START_TEST(reload_knows_what_cannot_change)
{
	static const char base[] = TUN "pool6: 64:ff9b::/96\n"
				       "pool4: 192.0.2.1\n";
	static const struct {
		const char *text, *what;
	} next[] = {
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
		     "timers: {udp: 200s}\nlowest-ipv6-mtu: 1400\n",
		 NULL},
		{"tun: {name: t1}\npool6: 64:ff9b::/96\npool4: 192.0.2.1\n",
		 "tun"},
		{TUN "io: packet\npool6: 64:ff9b::/96\npool4: 192.0.2.1\n",
		 "io"},
		{TUN "pool6: \"64:ff9b:1::/96\"\npool4: 192.0.2.1\n", "pool6"},
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.2\n"
		     "sessions: 5\nfiltering: address-dependent\n",
		 NULL},
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\nseed: 5\n",
		 "seed"},
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\nrealtime: true\n",
		 "realtime"},
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
		     "log: {file: x}\n",
		 "log"},
		{TUN "pool6: 64:ff9b::/96\npool4: 192.0.2.1\n"
		     "pcp: {listen: \"[2001:db8::1]:5351\"}\n",
		 "pcp"},
	};
	struct config *now = load(ROLE_PLAT, base);

	ck_assert_ptr_nonnull(now);
	for (size_t i = 0; i < sizeof(next) / sizeof(*next); i++) {
		struct config *c = load(ROLE_PLAT, next[i].text);
		const char *what;

		ck_assert_ptr_nonnull(c);
		ck_assert_int_eq(config_same_shape(now, c, &what),
				 !next[i].what);
		if (next[i].what)
			ck_assert_str_eq(what, next[i].what);
	}
}
END_TEST

static struct config *load_clat(const char *pref64)
{
	char text[512];
	struct config *c;

	snprintf(text, sizeof(text),
		 TUN "pref64: %s\n"
		     "clat: {lan4: 192.168.1.0/24, "
		     "clat6: \"2001:db8:1::/96\"}\n",
		 pref64);
	c = load(ROLE_CLAT, text);
	ck_assert_ptr_nonnull(c);
	return c;
}

/* A prefix may change; how it is learned may not. */
START_TEST(reload_keeps_the_way_of_learning)
{
	static const char *const ways[] = {
		"64:ff9b::/96",
		"{from: dns}",
		"{from: dns, servers: [\"::1\"]}",
		"{from: dns, servers: [\"::2\"]}",
		"{from: dns, servers: [\"::1\", \"::2\"]}",
		"{from: dns, servers: [\"fe80::1%a\"]}",
		"{from: dns, servers: [\"fe80::1%b\"]}",
		"{from: ra, interface: a}",
		"{from: ra, interface: b}",
		"{from: auto, interface: a}",
		"{from: auto, interface: a, servers: [\"::1\"]}",
	};
	const size_t n = sizeof(ways) / sizeof(*ways);
	const char *what;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			bool same = config_same_shape(
				load_clat(ways[i]), load_clat(ways[k]), &what);

			ck_assert_msg(same == (i == k), "%s, %s", ways[i],
				      ways[k]);
			if (!same)
				ck_assert_str_eq(what, "pref64");
		}
	ck_assert(config_same_shape(load_clat("64:ff9b::/96"),
				    load_clat("\"2001:db8:64::/96\""), &what));
}
END_TEST

/* A link-local address needs its interface, and no other has one. */
START_TEST(servers_have_interfaces)
{
	const struct config *c =
		load_clat("{from: dns, servers: [\"2001:db8::53\", "
			  "\"fe80::1%a-name-of-15-le\"]}");

	ck_assert_uint_eq(c->n_servers, 2);
	ck_assert_str_eq(c->servers[0].zone, "");
	ck_assert_int_eq(c->servers[0].addr.s6_addr[15], 0x53);
	ck_assert_str_eq(c->servers[1].zone, "a-name-of-15-le");
	ck_assert_int_eq(c->servers[1].addr.s6_addr[0], 0xfe);
	ck_assert(config_asks_dns(c) && !config_hears_routers(c));
	c = load_clat("{from: auto, interface: wan}");
	ck_assert(config_asks_dns(c) && config_hears_routers(c));
	ck_assert_uint_eq(c->n_servers, 0);
	c = load_clat("{from: ra, interface: wan}");
	ck_assert(!config_asks_dns(c) && config_hears_routers(c));
}
END_TEST

START_TEST(static_entries_outside_pool4_stop_the_start)
{
	struct config *c =
		load(ROLE_PLAT, TUN "pool6: 64:ff9b::/96\n"
				    "pool4: 192.0.2.1\n"
				    "static:\n"
				    "  - {proto: tcp, ipv6: \"2001:db8::1\", "
				    "port6: 22, ipv4: 192.0.2.2, port4: 22}\n");
	struct setup s = {0};
	struct err e;

	ck_assert_ptr_nonnull(c);
	ck_assert_int_lt(setup_init(&s, c, (struct mono){0}, &e), 0);
	ck_assert_str_eq(e.text, "f:5:5: static entry: address or port is not "
				 "in pool4");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon-config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_mistake_is_named_with_its_place, 0,
			    sizeof(bad) / sizeof(*bad));
	tcase_add_test(t, a_plat_has_what_was_written);
	tcase_add_test(t, no_source_of_errors_is_wanted);
	tcase_add_test(t, a_clat_embeds_its_lan);
	tcase_add_test(t, reload_knows_what_cannot_change);
	tcase_add_test(t, reload_keeps_the_way_of_learning);
	tcase_add_test(t, servers_have_interfaces);
	tcase_add_test(t, static_entries_outside_pool4_stop_the_start);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
