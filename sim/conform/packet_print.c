/* SPDX-License-Identifier: MIT */
/*
 * Bytes to the packet language. Fields are printed that are not what they
 * would be if nothing was said; what is not understood is printed as bytes.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <string.h>

#include "fields.h"

struct printer {
	const uint8_t *b;
	size_t len, at;
	FILE *out;
	const uint8_t *ip; /* of this level */
	size_t ip_end;	   /* where it says that it ends */
	bool ip6, part;	   /* part: a fragment, or cut */
	bool slash;
};

static void print_name(struct printer *p, const char *name)
{
	fprintf(p->out, "%s%s", p->slash ? " / " : "", name);
	p->slash = true;
}

static void print_hex(struct printer *p, size_t n)
{
	print_name(p, "hex ");
	for (size_t i = 0; i < n; i++)
		fprintf(p->out, "%02x", p->b[p->at + i]);
	p->at += n;
}

static bool csum_right(const struct printer *p, enum layer_kind k, size_t end)
{
	const struct layer_def *def = &layer_defs[k];
	const uint8_t *b = p->b + p->at;
	size_t n = end - p->at;
	uint64_t sum = 0;

	if (k == LAYER_IP)
		n = (size_t)(b[0] & 15) * 4;
	else if (k != LAYER_ICMP && k != LAYER_EXT)
		sum = sum_pseudo(p->ip, p->ip6, (uint8_t)def->proto, n);
	return n <= p->len - p->at && sum_fold(sum16(sum, b, n)) == 0xffff;
}

static uint64_t expected_auto(const struct printer *p, enum layer_kind k,
			      const struct field_def *f, size_t end,
			      uint64_t is)
{
	switch (f->work_out) {
	case AUTO_LEN:
		return end - p->at - (k == LAYER_IP6 ? 40 : 0);
	case AUTO_CSUM:
		return csum_right(p, k, end) ? is : is + 1;
	case AUTO_HEADER:
		if (k == LAYER_IP || k == LAYER_TCP)
			return is; /* shown by the options */
		return is;
	case AUTO_NEXT:
		return is; /* shown by what follows */
	case AUTO_NO:
		return f->def;
	}
	return f->def;
}

static void print_flags(FILE *out, uint64_t v)
{
	if (!v)
		fputs("none", out);
	for (int i = 0; i < 8; i++)
		if (v >> i & 1)
			fputc(TCP_FLAGS[i], out);
}

static void print_field(struct printer *p, enum layer_kind k,
			const struct field_def *f, size_t end)
{
	size_t at = p->at * 8 + f->bit;
	char text[64];
	uint64_t v;

	if (f->overlay)
		return;
	if (f->type == FIELD_ADDR4 || f->type == FIELD_ADDR6) {
		fprintf(p->out, " %s=%s", f->name,
			inet_ntop(f->type == FIELD_ADDR4 ? AF_INET : AF_INET6,
				  p->b + at / 8, text, sizeof(text)));
		return;
	}
	v = bits_get(p->b, at, f->bits);
	if (f->work_out == AUTO_CSUM && p->part && k != LAYER_IP)
		return;
	if (v == expected_auto(p, k, f, end, v) &&
	    !(f->bit == 0 && (k == LAYER_ICMP || k == LAYER_ICMP6)) &&
	    strcmp(f->name, "ttl") != 0 && strcmp(f->name, "hop") != 0)
		return;
	fprintf(p->out, " %s=", f->name);
	if (f->type == FIELD_FLAGS)
		print_flags(p->out, v);
	else if (f->work_out == AUTO_CSUM || f->bits == 32)
		fprintf(p->out, "0x%llx%s", (unsigned long long)v,
			f->work_out == AUTO_CSUM ? "(wrong)" : "");
	else
		fprintf(p->out, "%llu",
			(unsigned long long)v * (f->unit ? f->unit : 1));
}

static void print_options(struct printer *p, size_t n)
{
	if (!n)
		return;
	fputs(" opts=", p->out);
	for (size_t i = 0; i < n; i++)
		fprintf(p->out, "%02x", p->b[p->at + i]);
	p->at += n;
}

/* The layer @k at the current place; false: not even its header is there. */
static bool print_layer(struct printer *p, enum layer_kind k, size_t end)
{
	const struct layer_def *def = &layer_defs[k];
	const uint8_t *b = p->b + p->at;
	size_t all = def->size;

	if (p->len - p->at < def->size)
		return false;
	if (k == LAYER_IP)
		all = (size_t)(b[0] & 15) * 4;
	else if (k == LAYER_TCP)
		all = (size_t)(b[12] >> 4) * 4;
	else if (def->options)
		all = ((size_t)b[1] + 1) * 8;
	if (all < def->size || all > p->len - p->at)
		all = def->size;
	print_name(p, def->name);
	for (size_t i = 0; i < MAX_FIELDS && def->fields[i].name; i++)
		print_field(p, k, &def->fields[i], end);
	p->at += def->size;
	print_options(p, all - def->size);
	return true;
}

static int layer_of_proto(uint8_t proto)
{
	for (int k = 0; k <= LAYER_ICMP6; k++)
		if (layer_defs[k].proto == proto)
			return k;
	return -1;
}

static void print_ip(struct printer *p);

static bool is_error(enum layer_kind k, uint8_t type)
{
	if (k == LAYER_ICMP6)
		return type < 128;
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

static void print_rest(struct printer *p, size_t end)
{
	size_t n = (end < p->len ? end : p->len) - p->at;

	if (p->at >= end || p->at >= p->len)
		return;
	if (n <= 24) {
		print_hex(p, n);
		return;
	}
	print_name(p, "");
	fprintf(p->out, "(%zu bytes)", n);
	p->at += n;
}

/* What follows the IP header: extension headers, then one protocol. */
static void print_upper(struct printer *p, uint8_t proto, size_t end)
{
	bool later = false; /* not the first fragment */

	while (p->at < p->len) {
		int k = later ? -1 : layer_of_proto(proto);
		size_t at = p->at;

		if (k < 0 || (k == LAYER_HBH && !p->ip6) ||
		    !print_layer(p, (enum layer_kind)k, end))
			break;
		if (k <= LAYER_IP6) {
			p->at = at;
			break;
		}
		if (k == LAYER_FRAG) {
			p->part = true;
			later = bits_get(p->b, at * 8 + 16, 13);
		}
		proto = p->b[at];
		if (k < LAYER_UDP)
			continue;
		if ((k == LAYER_ICMP || k == LAYER_ICMP6) &&
		    is_error((enum layer_kind)k, p->b[at]) &&
		    p->len - p->at >= 20) {
			print_ip(p);
		}
		break;
	}
	print_rest(p, end);
}

static void print_ip(struct printer *p)
{
	size_t start = p->at, end, left = p->len - p->at;
	const uint8_t *b = p->b + start;
	bool later = false;
	uint8_t proto;

	p->ip6 = b[0] >> 4 == 6;
	p->ip = b;
	if (left < 20 || (p->ip6 && left < 40) ||
	    (b[0] >> 4 != 6 && b[0] >> 4 != 4)) {
		print_rest(p, p->len);
		return;
	}
	end = start + (p->ip6 ? 40 + bits_get(b, 32, 16) : bits_get(b, 16, 16));
	p->part = end > p->len;
	proto = p->ip6 ? b[6] : b[9];
	print_layer(p, p->ip6 ? LAYER_IP6 : LAYER_IP, end);
	if (!p->ip6 && bits_get(b, 50, 14)) {
		p->part = true;
		later = bits_get(b, 51, 13);
	}
	if (later)
		print_rest(p, end);
	else
		print_upper(p, proto, end);
	print_rest(p, p->len);
}

void packet_print(const uint8_t *b, size_t len, FILE *out)
{
	struct printer p = {.b = b, .len = len, .out = out};

	print_ip(&p);
}

const char *packet_format(const uint8_t *b, size_t len, char *buf, size_t size)
{
	FILE *f = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!f)
		return buf;
	packet_print(b, len, f);
	fclose(f);
	buf[size - 1] = '\0';
	return buf;
}
