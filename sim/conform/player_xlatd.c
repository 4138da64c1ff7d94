/* SPDX-License-Identifier: MIT */
/* xlatd on the bench. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../engine/engine.h"
#include "bench.h"

/* More than any packet of a case: what is too big is for mtu4 and mtu6. */
#define TUN_MTU	 9000
#define LINK_MTU "1500"
/* Answers are not what is tested with a rate limit. */
#define ICMP_RATE "100000pps"
#define SOCKET	  "/run/xlatd.sock"

static enum bench_attach xlatd_attach(enum conform_role role)
{
	(void)role;
	return ATTACH_TUN;
}

static void put_list(const struct setup *s, FILE *f, const char *knob,
		     const char *key, const char *a, const char *b)
{
	const struct knob *k;
	size_t from = 0, n = 0;

	while ((k = setup_knob(s, knob, &from)))
		fprintf(f, "%s{%s: %s, %s: \"%s\"}", n++ ? ", " : key, a,
			k->argv[0], b, k->argv[1]);
	if (n)
		fputs("]\n", f);
}

static void put_pool4(const struct setup *s, FILE *f)
{
	const struct knob *k;
	size_t from = 0, n = 0;

	while ((k = setup_knob(s, "pool4", &from))) {
		fputs(n++ ? ", " : "pool4: [", f);
		if (k->n == 1)
			fputs(k->argv[0], f);
		else
			fprintf(f, "{address: %s, ports: %s}", k->argv[0],
				k->argv[1]);
	}
	if (n)
		fputs("]\n", f);
}

static void put_static(const struct setup *s, FILE *f)
{
	const struct knob *k;
	size_t from = 0, n = 0;

	while ((k = setup_knob(s, "static", &from)))
		fprintf(f,
			"%s{proto: %s, ipv6: \"%s\", port6: %s, ipv4: %s, "
			"port4: %s}",
			n++ ? ", " : "static: [", k->argv[0], k->argv[1],
			k->argv[2], k->argv[3], k->argv[4]);
	if (n)
		fputs("]\n", f);
}

static int put_timers(const struct setup *s, FILE *f, struct err *why)
{
	const struct knob *k;
	size_t from = 0, n = 0;

	while ((k = setup_knob(s, "timer", &from))) {
		if (!strcmp(k->argv[0], "tcp-syn"))
			return err_set(why, ENOTSUP,
				       "xlatd has no timer tcp-syn");
		fprintf(f, "%s%s: %s", n++ ? ", " : "timers: {", k->argv[0],
			k->argv[1]);
	}
	if (n)
		fputs("}\nshort-timers: true\n", f);
	return 0;
}

/* Knobs that are keys of xlatd with one word. */
static const struct {
	const char *knob, *key;
} words[] = {
	{"pref64", "pref64"},
	{"pool6", "pool6"},
	{"self4", "icmp-source4"},
	{"self6", "icmp-source6"},
	{"icmp-pool4", "icmp-pool4"},
	{"hairpin", "hairpin"},
	{"lowest-ipv6-mtu", "lowest-ipv6-mtu"},
	{"clamp-mss", "clamp-mss"},
	{"tos", "tos"},
	{"udp-zero", "udp-zero-checksum"},
	{"filtering", "filtering"},
	{"sessions", "sessions"},
	{"subscriber-length", "subscriber-length"},
};

static void put_switch(const struct setup *s, FILE *f, const char *knob,
		       const char *key, const char *yes)
{
	const char *word = setup_get(s, knob, NULL);

	if (word)
		fprintf(f, "%s: %s\n", key,
			strcmp(word, yes) ? "false" : "true");
}

static int xlatd_configure(const struct setup *s, FILE *f, struct err *why)
{
	fprintf(f,
		"tun: {name: " BENCH_TUN ", mtu: %d}\ncontrol: " SOCKET
		"\nicmp-rate: " ICMP_RATE
		"\ntest-clock: true\nmtu4: %s\nmtu6: %s\n",
		TUN_MTU, setup_get(s, "mtu4", LINK_MTU),
		setup_get(s, "mtu6", LINK_MTU));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (setup_has(s, words[i].knob))
			fprintf(f, "%s: \"%s\"\n", words[i].key,
				setup_get(s, words[i].knob, NULL));
	put_switch(s, f, "well-known", "allow-private", "lab");
	put_switch(s, f, "traffic-class", "copy-traffic-class", "copy");
	put_switch(s, f, "icmp-name-source", "icmp-name-source", "yes");
	if (!strcmp(setup_get(s, "tcp-probe", "yes"), "no"))
		fputs("probe-rate: 0pps\n", f);
	put_list(s, f, "eam", "eam: [", "ipv4", "ipv6");
	put_list(s, f, "clat", "clat: [", "lan4", "clat6");
	put_pool4(s, f);
	put_static(s, f);
	return put_timers(s, f, why);
}

static int xlatd_start(struct bench *b, const struct setup *s, const char *file,
		       struct err *e)
{
	char path[PATH_MAX];
	const char *argv[] = {path, conform_role_words[s->role], "--config",
			      file, NULL};

	if (host_find_own("xlatd", path, sizeof(path)))
		return err_set(e, ENOENT, "xlatd is not found");
	return bench_spawn(b, argv, e);
}

static int xlatd_advance(struct bench *b, int64_t ns, struct err *e)
{
	char path[PATH_MAX], request[64];
	const char *argv[] = {path, "ctl", SOCKET, request, NULL};

	if (host_find_own("xlatd", path, sizeof(path)))
		return err_set(e, ENOENT, "xlatd is not found");
	snprintf(request, sizeof(request), "advance %lldms",
		 (long long)(ns / NS_PER_MS));
	return bench_run(b, argv, e);
}

const struct player xlatd_player = {
	.name = "xlatd",
	.roles = 1u << ROLE_SIIT | 1u << ROLE_CLAT | 1u << ROLE_PLAT,
	.attach = xlatd_attach,
	.configure = xlatd_configure,
	.start = xlatd_start,
	.advance = xlatd_advance,
};
