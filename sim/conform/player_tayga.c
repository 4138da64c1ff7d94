/* SPDX-License-Identifier: MIT */
/*
 * TAYGA on the bench. Its own switches are few: what it always does is fine
 * where a setup asks for that, and what it cannot is a skip.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

static enum bench_attach tayga_attach(enum conform_role role)
{
	(void)role;
	return ATTACH_TUN;
}

/* Knobs with the only word that TAYGA can be said to follow; NULL: none. */
static const struct {
	const char *knob, *word, *why;
} fixed[] = {
	{"traffic-class", "copy", "TAYGA always copies the traffic class"},
	{"tos", NULL, "TAYGA cannot set a TOS"},
	{"well-known", "strict",
	 "TAYGA always refuses private addresses under 64:ff9b::/96"},
	{"mtu4", "1500", "TAYGA knows one MTU, that of its device"},
	{"mtu6", "1500", "TAYGA knows one MTU, that of its device"},
	{"lowest-ipv6-mtu", "1280", "TAYGA fragments to 1280 bytes, always"},
	{"udp-zero", NULL,
	 "TAYGA cannot be told what to do without a UDP checksum"},
	{"hairpin", NULL, "TAYGA has no hairpinning"},
	{"icmp-pool4", NULL, "TAYGA has no pool for ICMP sources (RFC 6791)"},
	{"icmp-name-source", "no", "TAYGA does not name ICMP sources"},
};

static int check_fixed(const struct setup *s, struct err *why)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++) {
		const char *word = setup_get(s, fixed[i].knob, NULL);

		if (word && (!fixed[i].word || strcmp(word, fixed[i].word)))
			return err_set(why, ENOTSUP, "%s", fixed[i].why);
	}
	return 0;
}

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
	int ret = check_fixed(s, why);
	const char *pref64 = setup_get(s, "pref64", NULL);

	if (!ret)
		ret = check_maps(s, why);
	if (ret)
		return ret;
	fprintf(f,
		"tun-device " BENCH_TUN "\nipv4-addr %s\n"
		"strict-frag-hdr off\n",
		setup_get(s, "self4", "192.0.0.8"));
	/* with a prefix it has one by itself */
	if (setup_has(s, "self6") || !pref64)
		fprintf(f, "ipv6-addr %s\n",
			setup_get(s, "self6", "2001:db8:ffff::8"));
	if (pref64)
		fprintf(f, "prefix %s\n", pref64);
	put_maps(s, f);
	put_clat_maps(s, f);
	return 0;
}

static int tayga_start(struct bench *b, const struct setup *s, const char *file,
		       struct err *e)
{
	const char *argv[] = {"tayga", "-d", "-c", file, NULL};
	int ret = bench_spawn(b, argv, e);

	(void)s;
	return ret ? ret : bench_raise_tun(b, e);
}

const struct player tayga_player = {
	.name = "tayga",
	.roles = 1u << ROLE_SIIT | 1u << ROLE_CLAT,
	.attach = tayga_attach,
	.configure = tayga_configure,
	.start = tayga_start,
};
