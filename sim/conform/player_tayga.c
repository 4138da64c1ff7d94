/* SPDX-License-Identifier: MIT */
/*
 * TAYGA on the bench. Its own switches are few: what it always does is fine
 * where a setup asks for that, and what it cannot is a skip. As PLAT it gives
 * each IPv6 host a private IPv4 address, and the kernel's NAT44 (nftables) is
 * behind it, as most who run it do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "bench.h"

/* Of a PLAT's hosts, between TAYGA and the NAT44; and TAYGA's own. */
#define INSIDE4 "10.64.0.0/12"
#define SELF4	"10.64.0.1"
#define TABLE	"tayga"

static enum bench_attach tayga_attach(enum conform_role role)
{
	return role == ROLE_PLAT ? ATTACH_TUN_AND_LINK : ATTACH_TUN;
}

/* Knobs with the only word that TAYGA can be said to follow; NULL: none. */
static const struct fixed_knob fixed[] = {
	{"traffic-class", "copy", "TAYGA always copies the traffic class"},
	{"tos", NULL, "TAYGA cannot set a TOS"},
	{"well-known", "strict",
	 "TAYGA always refuses private addresses under 64:ff9b::/96"},
	{"mtu4", "1500", "TAYGA knows one MTU, that of its device"},
	{"mtu6", "1500", "TAYGA knows one MTU, that of its device"},
	{"lowest-ipv6-mtu", "1280", "TAYGA fragments to 1280 bytes, always"},
	{"clamp-mss", NULL, "TAYGA does not touch the MSS"},
	{"udp-zero", NULL,
	 "TAYGA cannot be told what to do without a UDP checksum"},
	{"hairpin", NULL, "TAYGA has no hairpinning"},
	{"icmp-pool4", NULL, "TAYGA has no pool for ICMP sources (RFC 6791)"},
	{"icmp-name-source", "no", "TAYGA does not name ICMP sources"},
	{"filtering", NULL, "who may answer is for the kernel's NAT44 to say"},
	{"sessions", NULL, "the kernel's NAT44 counts its sessions itself"},
	{"subscriber-length", NULL, "the kernel's NAT44 knows no subscribers"},
	{"timer", NULL, "the kernel's timers are not set here"},
	{"static", NULL, "the kernel's NAT44 has no static entries"},
};

static void put_maps(const struct setup *s, FILE *f)
{
	const struct knob *k;
	size_t from = 0;

	while ((k = setup_knob(s, "eam", &from)))
		fprintf(f, "map %s %s\n", k->argv[0], k->argv[1]);
}

/* The /96 of a CLAT embeds the whole address: the same suffix, longer. */
static void put_clat_maps(const struct setup *s, FILE *f)
{
	const struct knob *k;
	struct prefix4 lan4;
	struct prefix6 clat6;
	size_t from = 0;
	char text[ADDR_TEXT_LEN];

	while ((k = setup_knob(s, "clat", &from))) {
		if (prefix4_parse(k->argv[0], &lan4) ||
		    prefix6_parse(k->argv[1], &clat6))
			continue;
		memcpy(clat6.addr.s6_addr + 12, &lan4.addr, 4);
		fprintf(f, "map %s %s/%d\n", k->argv[0],
			in6_format(&clat6.addr, text), 96 + lan4.len);
	}
}

/* Suffixes of one length, and nothing below the well-known prefix. */
static int check_maps(const struct setup *s, struct err *why)
{
	const struct knob *k;
	struct prefix6 p6, known;
	struct prefix4 p4;
	size_t from = 0;

	prefix6_parse("64:ff9b::/96", &known);
	while ((k = setup_knob(s, "eam", &from))) {
		if (prefix4_parse(k->argv[0], &p4) ||
		    prefix6_parse(k->argv[1], &p6))
			continue;
		if (32 - p4.len != 128 - p6.len)
			return err_set(
				why, ENOTSUP,
				"TAYGA maps only prefixes whose suffixes "
				"are of one length");
		if (prefix6_contains(&known, &p6.addr))
			return err_set(why, ENOTSUP,
				       "TAYGA maps nothing inside "
				       "64:ff9b::/96");
	}
	return 0;
}

static int tayga_configure(const struct setup *s, FILE *f, struct err *why)
{
	int ret = setup_check_fixed(s, fixed, sizeof(fixed) / sizeof(*fixed),
				    why);
	bool plat = s->role == ROLE_PLAT;
	const char *pref64 = setup_get(s, plat ? "pool6" : "pref64", NULL);

	if (!ret)
		ret = check_maps(s, why);
	if (ret)
		return ret;
	fprintf(f,
		"tun-device " BENCH_TUN "\nipv4-addr %s\n"
		"strict-frag-hdr off\n",
		plat ? SELF4 : setup_get(s, "self4", "192.0.0.8"));
	if (plat)
		fputs("dynamic-pool " INSIDE4 "\n", f);
	/* with a prefix it has one by itself */
	if ((setup_has(s, "self6") && !plat) || !pref64)
		fprintf(f, "ipv6-addr %s\n",
			setup_get(s, "self6", "2001:db8:ffff::8"));
	if (pref64)
		fprintf(f, "prefix %s\n", pref64);
	put_maps(s, f);
	put_clat_maps(s, f);
	return 0;
}

/* pool4 as a range, and its ports; more than one is not what SNAT is made
 * for here. */
static int put_rules(const struct setup *s, FILE *f, struct err *why)
{
	size_t from = 0;
	const struct knob *k = setup_knob(s, "pool4", &from);
	char first[ADDR_TEXT_LEN], last[ADDR_TEXT_LEN], ports[64] = "";
	struct prefix4 p = {.len = 32};
	struct in_addr end;

	if (!k || setup_knob(s, "pool4", &from))
		return err_set(why, ENOTSUP,
			       "one pool4 is what SNAT is given here");
	if (prefix4_parse(k->argv[0], &p))
		inet_pton(AF_INET, k->argv[0], &p.addr);
	end = p.addr;
	if (p.len < 32)
		end.s_addr |= htonl(UINT32_MAX >> p.len);
	if (k->n > 1)
		snprintf(ports, sizeof(ports), ":%s", k->argv[1]);
	in4_format(p.addr, first);
	in4_format(end, last);
	fprintf(f, "table ip " TABLE " {\n chain post {\n"
		   "  type nat hook postrouting priority 100;\n");
	for (size_t i = 0; i < 3; i++)
		fprintf(f,
			"  oifname " BENCH_LINK4 " ip saddr " INSIDE4
			" meta l4proto %s snat to %s-%s%s persistent\n",
			(const char *const[]){"tcp", "udp", "icmp"}[i], first,
			last, i < 2 ? ports : "");
	/* what nobody has asked for does not go out again */
	fprintf(f,
		" }\n chain turned {\n  type filter hook forward priority 0;\n"
		"  iifname " BENCH_LINK4 " oifname " BENCH_LINK4
		" drop\n }\n}\n");
	return 0;
}

static int start_nat44(struct bench *b, const struct setup *s, struct err *e)
{
	char path[512], *text = NULL;
	const char *argv[] = {"nft", "-f", path, NULL};
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	ret = put_rules(s, f, e);
	fclose(f);
	bench_file(b, "nat44.nft", path, sizeof(path));
	if (!ret)
		ret = file_write(path, text, len, e);
	free(text);
	if (!ret)
		ret = bench_run(b, argv, e);
	if (!ret)
		ret = bench_forward4(b, true, e);
	return ret ? ret : bench_route_tun(b, INSIDE4, e);
}

static int tayga_start(struct bench *b, const struct setup *s, const char *file,
		       struct err *e)
{
	const char *argv[] = {"tayga", "-d", "-c", file, NULL};
	int ret = bench_spawn(b, argv, e);

	if (!ret)
		ret = bench_raise_tun(b, e);
	return ret || s->role != ROLE_PLAT ? ret : start_nat44(b, s, e);
}

static void tayga_stop(struct bench *b, const struct setup *s)
{
	const char *argv[] = {"nft", "delete", "table", "ip", TABLE, NULL};
	struct err e;

	if (s->role != ROLE_PLAT)
		return;
	bench_run(b, argv, &e); /* none: it never came that far */
	bench_forward4(b, false, &e);
}

const struct player tayga_player = {
	.name = "tayga",
	.roles = 1u << ROLE_SIIT | 1u << ROLE_CLAT | 1u << ROLE_PLAT,
	.attach = tayga_attach,
	.configure = tayga_configure,
	.start = tayga_start,
	.stop = tayga_stop,
};
