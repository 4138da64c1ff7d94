/* SPDX-License-Identifier: MIT */
/* The lines of a setup: what every engine that can is told alike. */
#include <arpa/inet.h>
#include <string.h>

#include "../../xlat/base/units.h"
#include "../../xlat/base/yaml.h"
#include "suite_internal.h"

/*
 * Arguments by letter: 4 6 addresses; P Q prefixes of IPv4 and IPv6; n a
 * number, r a range of numbers, t a time, w a word; behind |, arguments that
 * may be left out.
 */
static const struct knob_def {
	const char *key, *args;
	const char *const *words;
} knob_defs[] = {
	{"role", "w", conform_role_words},
	{"marker", "66", NULL},
	/* addresses */
	{"pref64", "Q", NULL},
	{"pool6", "Q", NULL},
	{"pool4", "P|r", NULL},
	{"eam", "PQ", NULL},
	{"clat", "PQ", NULL},
	{"self4", "4", NULL},
	{"self6", "6", NULL},
	{"icmp-pool4", "P", NULL},
	{"icmp-name-source", "w", (const char *const[]){"yes", "no", NULL}},
	{"well-known", "w", (const char *const[]){"strict", "lab", NULL}},
	{"hairpin", "w",
	 (const char *const[]){"intrinsic", "simple", "off", NULL}},
	/* headers */
	{"mtu4", "n", NULL},
	{"mtu6", "n", NULL},
	{"lowest-ipv6-mtu", "n", NULL},
	{"clamp-mss", "n", NULL},
	{"traffic-class", "w", (const char *const[]){"copy", "ignore", NULL}},
	{"tos", "n", NULL},
	{"udp-zero", "w", (const char *const[]){"compute", "drop", NULL}},
	/* state */
	{"filtering", "w",
	 (const char *const[]){"endpoint-independent", "address-dependent",
			       NULL}},
	{"sessions", "n", NULL},
	{"subscriber-length", "n", NULL},
	{"tcp-probe", "w", (const char *const[]){"yes", "no", NULL}},
	{"timer", "wt",
	 (const char *const[]){"tcp-established", "tcp-transitory", "tcp-syn",
			       "udp", "icmp", NULL}},
	{"static", "w6n4n", (const char *const[]){"tcp", "udp", "icmp", NULL}},
};

#define N_KNOBS (sizeof(knob_defs) / sizeof(*knob_defs))

static const char *expected_of(char letter)
{
	switch (letter) {
	case '4':
		return "an IPv4 address";
	case '6':
		return "an IPv6 address";
	case 'P':
		return "an IPv4 prefix such as 192.0.2.0/24";
	case 'Q':
		return "an IPv6 prefix such as 2001:db8::/96";
	case 'n':
		return "a number";
	case 'r':
		return "a range such as 1024-65535";
	case 't':
		return "a time such as 5s";
	default:
		return "a word";
	}
}

static bool argument_ok(char letter, const char *s)
{
	struct prefix4 p4;
	struct prefix6 p6;
	unsigned int lo, hi;
	uint8_t b[16];
	uint64_t n;
	double t;

	switch (letter) {
	case '4':
		return inet_pton(AF_INET, s, b) == 1;
	case '6':
		return inet_pton(AF_INET6, s, b) == 1;
	case 'P':
		return !prefix4_parse(s, &p4) || inet_pton(AF_INET, s, b) == 1;
	case 'Q':
		return !prefix6_parse(s, &p6) || inet_pton(AF_INET6, s, b) == 1;
	case 'n':
		return number_parse(s, &n);
	case 'r':
		return sscanf(s, "%u-%u", &lo, &hi) == 2 && lo <= hi;
	case 't':
		return !units_parse(s, UNIT_TIME, &t);
	default:
		return true;
	}
}

static void check_argument(struct file_reader *r, const struct knob_def *def,
			   char letter, const char *s, struct pos at)
{
	size_t i = 0;

	if (letter == 'w') {
		while (def->words[i] && strcmp(def->words[i], s) != 0)
			i++;
		if (!def->words[i])
			yaml_unknown(r->d, at, def->key, s, def->words);
	} else if (!argument_ok(letter, s)) {
		diags_add(r->d, at, "%s: expected %s, not '%s'", def->key,
			  expected_of(letter), s);
	}
}

static void read_arguments(struct file_reader *r, const struct knob_def *def,
			   struct knob *k)
{
	bool optional = false;
	uint64_t number;
	struct pos at;
	char word[128];

	for (const char *p = def->args; *p; p++) {
		if (*p == '|') {
			optional = true;
			continue;
		}
		line_word(r, word, sizeof(word), &at);
		if (!*word && optional)
			return;
		check_argument(r, def, *p, word, at);
		/* engines know decimal numbers */
		if (*p == 'n' && number_parse(word, &number))
			snprintf(word, sizeof(word), "%llu",
				 (unsigned long long)number);
		k->argv[k->n++] = arena_strdup(r->a, word);
	}
	line_word(r, word, sizeof(word), &at);
	if (*word)
		diags_add(r->d, at, "%s: unexpected '%s'", def->key, word);
}

static void apply_special(struct file_reader *r, const struct knob *k)
{
	struct setup *s = r->setup;

	if (!k->n)
		return;
	if (!strcmp(k->key, "role")) {
		for (int i = 0; i < N_CONFORM_ROLES; i++)
			if (!strcmp(conform_role_words[i], k->argv[0]))
				s->role = (enum conform_role)i;
	} else if (!strcmp(k->key, "marker")) {
		s->has_marker =
			inet_pton(AF_INET6, k->argv[0], &s->marker_src) == 1 &&
			inet_pton(AF_INET6, k->argv[1], &s->marker_dst) == 1;
	}
}

void knob_read(struct file_reader *r)
{
	const char *words[N_KNOBS + 1];
	const struct knob_def *def = NULL;
	struct knob k = {.pos = line_pos(r)};
	size_t before = r->d->n;

	for (size_t i = 0; i < N_KNOBS && !def; i++) {
		words[i] = knob_defs[i].key;
		words[i + 1] = NULL;
		if (!strcmp(r->word, knob_defs[i].key))
			def = &knob_defs[i];
	}
	if (!def) {
		yaml_unknown(r->d, k.pos, "key of a setup", r->word, words);
		return;
	}
	k.key = def->key;
	read_arguments(r, def, &k);
	if (r->d->n != before)
		return;
	*ARENA_APPEND(r->a, r->setup->knobs, r->setup->n_knobs) = k;
	apply_special(r, &k);
}

void setup_close(struct file_reader *r)
{
	const struct setup *s = r->setup;

	if (r->d->n)
		return;
	if (s->role == N_CONFORM_ROLES)
		diags_add(r->d, s->pos, "setup %s: `role` is missing", s->name);
	else if (!s->has_marker)
		diags_add(r->d, s->pos,
			  "setup %s: `marker` is missing: two IPv6 addresses "
			  "between which a packet surely passes to IPv4",
			  s->name);
}
