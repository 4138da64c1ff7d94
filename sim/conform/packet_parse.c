/* SPDX-License-Identifier: MIT */
/* Text of the packet language to layers. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "packet_internal.h"

size_t word_next(const char *s, size_t *at)
{
	size_t n = 0;
	bool quoted = false;

	while (s[*at] && isspace((unsigned char)s[*at]))
		(*at)++;
	for (; s[*at + n]; n++) {
		if (s[*at + n] == '"')
			quoted = !quoted;
		else if (!quoted && isspace((unsigned char)s[*at + n]))
			break;
	}
	return n;
}

bool number_parse(const char *s, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	*out = strtoull(s, &end, strncmp(s, "0x", 2) ? 10 : 16);
	return !*end && end - s < 20;
}

static void next(struct reader *r)
{
	size_t at = r->at, n = word_next(r->t->s, &at);

	r->word_at = at;
	r->at = at + n;
	if (n >= sizeof(r->word))
		n = sizeof(r->word) - 1;
	memcpy(r->word, r->t->s + at, n);
	r->word[n] = '\0';
}

static bool failed(const struct reader *r)
{
	return r->d->n != r->n_diags;
}

/* ---- bytes -----------------------------------------------------------------
 */

static bool hex_append(struct reader *r, const char *s)
{
	uint8_t **v = (uint8_t **)(uintptr_t)&r->layer->bytes;

	if (strlen(s) % 2 || strspn(s, "0123456789abcdefABCDEF") != strlen(s))
		return false;
	for (; *s; s += 2) {
		unsigned int byte;

		sscanf(s, "%2x", &byte);
		*ARENA_APPEND(r->a, *v, r->layer->n_bytes) = (uint8_t)byte;
	}
	return true;
}

static void bytes_append(struct reader *r, const uint8_t *b, size_t n)
{
	uint8_t **v = (uint8_t **)(uintptr_t)&r->layer->bytes;

	for (size_t i = 0; i < n; i++)
		*ARENA_APPEND(r->a, *v, r->layer->n_bytes) = b[i];
}

/* One option: hexadecimal bytes, an address, nop or eol. */
static bool read_option(struct reader *r, const char *s)
{
	uint8_t b[16];

	if (!strcmp(s, "nop") || !strcmp(s, "eol")) {
		b[0] = *s == 'n';
		bytes_append(r, b, 1);
	} else if (inet_pton(AF_INET, s, b) == 1) {
		bytes_append(r, b, 4);
	} else if (inet_pton(AF_INET6, s, b) == 1) {
		bytes_append(r, b, 16);
	} else {
		return hex_append(r, s);
	}
	return true;
}

static void read_options(struct reader *r, char *s, size_t col)
{
	const struct layer_def *def = &layer_defs[r->layer->kind];
	size_t max = r->layer->kind == LAYER_IP || r->layer->kind == LAYER_TCP
			     ? 40
			     : 2048;
	char *save = NULL;

	for (char *p = strtok_r(s, ",", &save); p;
	     p = strtok_r(NULL, ",", &save))
		if (!read_option(r, p))
			diags_add(r->d, here(r, col + (size_t)(p - s)),
				  "'%s': expected hexadecimal bytes, an "
				  "address, nop or eol",
				  p);
	if (r->layer->n_bytes > max)
		diags_add(r->d, here(r, col),
			  "options of '%s' are at most "
			  "%zu bytes, not %zu",
			  def->name, max, r->layer->n_bytes);
}

/* Bytes that tell where they come from: no period of 256. */
static void put_pattern(struct reader *r, uint64_t n, bool zero)
{
	uint8_t *b = arena_alloc(r->a, (size_t)n + 1);

	for (size_t i = 0; i < n; i++)
		b[i] = zero ? 0 : (uint8_t)(i * 7 + i / 256 * 13 + 1);
	r->layer->bytes = b;
	r->layer->n_bytes = (size_t)n;
}

/* ---- layers ----------------------------------------------------------------
 */

static bool at_end(const struct reader *r)
{
	return !r->word[0] || !strcmp(r->word, "/");
}

static bool read_number(struct reader *r, const char *what, uint64_t max,
			uint64_t *out)
{
	next(r);
	if (!at_end(r) && number_parse(r->word, out) && *out <= max)
		return true;
	diags_add(r->d, here(r, 0), "%s: expected a number up to %llu", what,
		  (unsigned long long)max);
	return false;
}

static void read_text(struct reader *r)
{
	size_t n;

	next(r);
	n = strlen(r->word);
	if (n < 2 || r->word[0] != '"' || r->word[n - 1] != '"') {
		diags_add(r->d, here(r, 0), "text: expected \"...\"");
		return;
	}
	r->layer->bytes = (const uint8_t *)arena_printf(
		r->a, "%.*s", (int)n - 2, r->word + 1);
	r->layer->n_bytes = n - 2;
}

static void read_hex(struct reader *r)
{
	size_t at;

	for (;;) {
		at = r->at;
		next(r);
		if (at_end(r))
			break;
		if (!hex_append(r, r->word)) {
			diags_add(r->d, here(r, 0),
				  "hex: '%s' is no even number of hexadecimal "
				  "digits",
				  r->word);
			return;
		}
	}
	r->at = at; /* the end is for the caller */
}

static void read_cut(struct reader *r)
{
	struct layer *l = r->layer;
	uint64_t n;
	char *dots;

	next(r);
	dots = strstr(r->word, "..");
	if (dots && !dots[2]) {
		*dots = '\0';
		l->at_least = true;
		if (!r->expected)
			diags_add(r->d, here(r, 0),
				  "cut: a packet that is sent has one length");
	}
	if (!number_parse(r->word, &n) || n > PACKET_MAX_BYTES)
		diags_add(r->d, here(r, 0),
			  "cut: expected a length such as 28, or 28.. for at "
			  "least that");
	else
		l->length = (size_t)n;
}

/* Those that are no headers. Returns false when @r->word is none of them. */
static bool read_special(struct reader *r)
{
	struct layer *l = r->layer;
	uint64_t n = 0, m = 0;

	l->kind = LAYER_DATA;
	if (!strcmp(r->word, "data") || !strcmp(r->word, "zero")) {
		bool zero = r->word[0] == 'z';

		if (read_number(r, zero ? "zero" : "data", 65535, &n))
			put_pattern(r, n, zero);
	} else if (!strcmp(r->word, "text")) {
		read_text(r);
	} else if (!strcmp(r->word, "hex")) {
		read_hex(r);
	} else if (!strcmp(r->word, "...")) {
		l->kind = LAYER_OPEN;
		if (!r->expected)
			diags_add(r->d, here(r, 0),
				  "'...' is for packets that arrive");
	} else if (!strcmp(r->word, "cut")) {
		l->kind = LAYER_CUT;
		read_cut(r);
	} else if (!strcmp(r->word, "pad")) {
		l->kind = LAYER_PAD;
		if (read_number(r, "pad", 2048, &n))
			l->length = (size_t)n;
	} else if (!strcmp(r->word, "slice")) {
		l->kind = LAYER_SLICE;
		if (read_number(r, "slice", 65528, &n) &&
		    read_number(r, "slice", 65535, &m)) {
			l->at = (size_t)n;
			l->length = (size_t)m;
			if (n % 8)
				diags_add(r->d, l->pos,
					  "slice: the offset is a multiple of "
					  "8");
		}
	} else {
		return false;
	}
	return true;
}

static void read_word_type(struct reader *r)
{
	bool v6 = r->layer->kind == LAYER_ICMP6;
	const struct word_value *w = v6 ? icmp6_types : icmp_types;
	const char *words[24];
	size_t n = 0;

	for (; w->word && strcmp(w->word, r->word) != 0; w++)
		words[n++] = w->word;
	words[n] = NULL;
	if (!w->word) {
		yaml_unknown(r->d, here(r, 0), "ICMP type", r->word, words);
		return;
	}
	r->layer->values[0] = (struct value){
		.mode = VALUE_GIVEN, .num = w->num, .pos = here(r, 0)};
}

static void unknown_field(struct reader *r, char *eq)
{
	const struct layer_def *def = &layer_defs[r->layer->kind];
	const char *words[MAX_FIELDS + 2];
	char what[32];
	size_t n = 0;

	for (size_t i = 0; i < MAX_FIELDS && def->fields[i].name; i++)
		words[n++] = def->fields[i].name;
	if (def->options)
		words[n++] = "opts";
	words[n] = NULL;
	*eq = '\0';
	snprintf(what, sizeof(what), "field of %s", def->name);
	yaml_unknown(r->d, here(r, 0), what, r->word, words);
}

static void read_field(struct reader *r)
{
	struct layer *l = r->layer;
	char *eq = strchr(r->word, '=');
	size_t col = eq ? (size_t)(eq - r->word) + 1 : 0;
	int i;

	if (!eq && (l->kind == LAYER_ICMP || l->kind == LAYER_ICMP6)) {
		read_word_type(r);
		return;
	}
	if (!eq) {
		diags_add(r->d, here(r, 0),
			  "expected FIELD=VALUE, or '/' and the next layer, "
			  "not '%s'",
			  r->word);
		return;
	}
	*eq = '\0';
	i = field_find(l->kind, r->word);
	if (i >= 0)
		value_read(r, &layer_defs[l->kind].fields[i], &l->values[i],
			   eq + 1, col);
	else if (layer_defs[l->kind].options && !strcmp(r->word, "opts"))
		read_options(r, eq + 1, col);
	else
		unknown_field(r, eq);
}

static void read_layer(struct reader *r)
{
	struct layer *l = r->layer;
	const char *words[N_LAYER_KINDS + 4];
	size_t n = 0, k;

	l->pos = here(r, 0);
	if (read_special(r)) {
		next(r);
		if (!at_end(r))
			diags_add(r->d, here(r, 0),
				  "expected '/' and the next layer, not '%s'",
				  r->word);
		return;
	}
	for (k = 0; k <= LAYER_OBJ; k++) {
		words[n++] = layer_defs[k].name;
		if (!strcmp(layer_defs[k].name, r->word))
			break;
	}
	if (k > LAYER_OBJ) {
		for (const char *const *w =
			     (const char *const[]){"data", "zero", "hex",
						   "text", "cut", "pad",
						   "slice", NULL};
		     *w; w++)
			words[n++] = *w;
		words[n] = NULL;
		yaml_unknown(r->d, l->pos, "layer", r->word, words);
		return;
	}
	l->kind = (enum layer_kind)k;
	for (next(r); !at_end(r) && !failed(r); next(r))
		read_field(r);
}

/* ---- what may follow what --------------------------------------------------
 */

static bool is_ip(enum layer_kind k)
{
	return k == LAYER_IP || k == LAYER_IP6;
}

static void check_order(struct reader *r, const struct packet *p)
{
	for (size_t i = 0; i < p->n_layers; i++) {
		const struct layer *l = &p->layers[i];
		const struct layer *next_one =
			i + 1 < p->n_layers ? l + 1 : NULL;
		int proto = field_of_auto(l->kind, AUTO_NEXT);

		if (i == 0 && !is_ip(l->kind))
			diags_add(r->d, l->pos,
				  "a packet begins with ip or ip6");
		else if (l->kind == LAYER_OPEN && next_one)
			diags_add(r->d, next_one->pos,
				  "nothing can follow '...'");
		else if (next_one && next_one->kind <= LAYER_ICMP6 &&
			 !is_ip(next_one->kind) &&
			 (l->kind >= LAYER_UDP || l->kind == LAYER_DATA))
			diags_add(r->d, next_one->pos, "%s cannot follow %s",
				  layer_defs[next_one->kind].name,
				  layer_defs[l->kind].name);
		else if (proto >= 0 && next_one &&
			 layer_defs[next_one->kind].proto < 0 &&
			 l->values[proto].mode == VALUE_DEFAULT)
			diags_add(r->d, l->pos, "say what follows: %s=NUMBER",
				  layer_defs[l->kind].fields[proto].name);
	}
}

struct packet *packet_parse(const struct text *t, size_t from, bool expected,
			    struct bind_names *names, struct arena *a,
			    struct diags *d)
{
	struct reader r = {.t = t,
			   .at = from,
			   .expected = expected,
			   .names = names,
			   .a = a,
			   .d = d,
			   .n_diags = d->n};
	struct packet *p = ARENA_NEW(a, struct packet);

	p->expected = expected;
	do {
		next(&r);
		if (at_end(&r)) {
			diags_add(d, here(&r, 0), "expected a layer");
			break;
		}
		if (p->n_layers == MAX_LAYERS) {
			diags_add(d, here(&r, 0), "at most %d layers",
				  MAX_LAYERS);
			break;
		}
		r.layer = ARENA_APPEND(a, p->layers, p->n_layers);
		read_layer(&r);
	} while (r.word[0] && !failed(&r));
	if (!failed(&r))
		check_order(&r, p);
	return failed(&r) ? NULL : p;
}
