/* SPDX-License-Identifier: MIT */
/* Names are taken apart by libresolv (ns_initparse and friends). */
#include "dns_msg.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	uint16_t type;
} types[] = {
	{"A", ns_t_a},	       {"AAAA", ns_t_aaaa}, {"CNAME", ns_t_cname},
	{"MX", ns_t_mx},       {"NS", ns_t_ns},	    {"PTR", ns_t_ptr},
	{"SOA", ns_t_soa},     {"SRV", ns_t_srv},   {"TXT", ns_t_txt},
	{"DNAME", ns_t_dname},
};

#define N_TYPES (sizeof(types) / sizeof(*types))

uint16_t dns_type_parse(const char *word)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (!strcasecmp(types[i].word, word))
			return types[i].type;
	return 0;
}

const char *dns_type_format(uint16_t type, char *buf)
{
	for (size_t i = 0; i < N_TYPES; i++)
		if (types[i].type == type)
			return types[i].word;
	snprintf(buf, 16, "TYPE%u", type);
	return buf;
}

const char *dns_rcode_format(uint8_t rcode, char *buf)
{
	static const char *const words[] = {"NOERROR",	"FORMERR", "SERVFAIL",
					    "NXDOMAIN", "NOTIMP",  "REFUSED"};

	if (rcode < sizeof(words) / sizeof(*words))
		return words[rcode];
	snprintf(buf, 16, "RCODE%u", rcode);
	return buf;
}

int dns_encode_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf,
		     size_t len)
{
	uint8_t wire[NS_MAXCDNAME];
	size_t n;

	/* -1 is an error, 0 an unqualified and 1 a qualified name */
	if (ns_name_pton(name, wire, sizeof(wire)) < 0)
		return -EINVAL;
	for (n = 0; wire[n]; n += wire[n] + 1U)
		;
	n++;
	if (len < NS_HFIXEDSZ + n + NS_QFIXEDSZ)
		return -EINVAL;
	memset(buf, 0, NS_HFIXEDSZ);
	ns_put16(id, buf);
	buf[2] = 0x01; /* RD */
	buf[3] = 0x20; /* AD */
	ns_put16(1, buf + 4);
	memcpy(buf + NS_HFIXEDSZ, wire, n);
	ns_put16(type, buf + NS_HFIXEDSZ + n);
	ns_put16(ns_c_in, buf + NS_HFIXEDSZ + n + 2);
	return (int)(NS_HFIXEDSZ + n + NS_QFIXEDSZ);
}

/* ---- records
 * ------------------------------------------------------------------
 */

/* A name at @at inside record data; the length it takes there, or -1. */
static int name_at(const ns_msg *h, const uint8_t *at, char *out, size_t len)
{
	if (at >= ns_msg_end(*h))
		return -1;
	return ns_name_uncompress(ns_msg_base(*h), ns_msg_end(*h), at, out,
				  len);
}

static bool put_name(const ns_msg *h, const ns_rr *rr, size_t skip,
		     const char *before, char *out)
{
	char name[NS_MAXDNAME];

	if (ns_rr_rdlen(*rr) <= skip ||
	    name_at(h, ns_rr_rdata(*rr) + skip, name, sizeof(name)) < 0)
		return false;
	snprintf(out, DNS_DATA_LEN, "%s%.255s", before, name);
	return true;
}

static bool put_soa(const ns_msg *h, const ns_rr *rr, char *out)
{
	const uint8_t *at = ns_rr_rdata(*rr);
	const uint8_t *end = at + ns_rr_rdlen(*rr);
	char mname[NS_MAXDNAME], rname[NS_MAXDNAME];
	int a, b;

	a = name_at(h, at, mname, sizeof(mname));
	b = a < 0 ? -1 : name_at(h, at + a, rname, sizeof(rname));
	if (b < 0 || end - at < a + b + 20)
		return false;
	snprintf(out, DNS_DATA_LEN, "%.120s %.120s %u", mname, rname,
		 (unsigned int)ns_get32(at + a + b));
	return true;
}

static bool put_text(const ns_rr *rr, char *out)
{
	const uint8_t *at = ns_rr_rdata(*rr);
	size_t n = ns_rr_rdlen(*rr), i = 0, used = 0;

	while (i < n) {
		size_t chunk = at[i++];

		if (chunk > n - i)
			return false;
		for (size_t k = 0; k < chunk && used + 1 < DNS_DATA_LEN; k++) {
			uint8_t c = at[i + k];

			out[used++] = c >= ' ' && c < 0x7f ? (char)c : '?';
		}
		i += chunk;
	}
	out[used] = '\0';
	return true;
}

static bool put_known(const ns_msg *h, const ns_rr *rr, char *out)
{
	const uint8_t *data = ns_rr_rdata(*rr);
	const size_t len = ns_rr_rdlen(*rr);
	char before[32];

	switch (ns_rr_type(*rr)) {
	case ns_t_a:
		return len == 4 && inet_ntop(AF_INET, data, out, DNS_DATA_LEN);
	case ns_t_aaaa:
		return len == 16 &&
		       inet_ntop(AF_INET6, data, out, DNS_DATA_LEN);
	case ns_t_cname:
	case ns_t_dname:
	case ns_t_ns:
	case ns_t_ptr:
		return put_name(h, rr, 0, "", out);
	case ns_t_mx:
		if (len < 3)
			return false;
		snprintf(before, sizeof(before), "%u ", ns_get16(data));
		return put_name(h, rr, 2, before, out);
	case ns_t_srv:
		if (len < 7)
			return false;
		snprintf(before, sizeof(before), "%u %u %u ", ns_get16(data),
			 ns_get16(data + 2), ns_get16(data + 4));
		return put_name(h, rr, 6, before, out);
	case ns_t_soa:
		return put_soa(h, rr, out);
	case ns_t_txt:
		return put_text(rr, out);
	default:
		return false;
	}
}

/* RFC 3597 section 5: the notation for data of a type one does not know. */
static void put_unknown(const ns_rr *rr, char *out)
{
	size_t n = (size_t)snprintf(out, DNS_DATA_LEN, "\\# %u ",
				    (unsigned int)ns_rr_rdlen(*rr));

	for (size_t i = 0; i < ns_rr_rdlen(*rr) && n + 3 < DNS_DATA_LEN; i++)
		n += (size_t)snprintf(out + n, DNS_DATA_LEN - n, "%02x",
				      ns_rr_rdata(*rr)[i]);
}

static int read_answers(ns_msg *h, struct dns_reply *out)
{
	for (int i = 0; i < ns_msg_count(*h, ns_s_an); i++) {
		struct dns_record *r = &out->answers[out->n_answers];
		ns_rr rr;

		if (ns_parserr(h, ns_s_an, i, &rr))
			return -EBADMSG;
		if (out->n_answers == DNS_MAX_ANSWERS)
			continue;
		snprintf(r->name, sizeof(r->name), "%.255s", ns_rr_name(rr));
		r->type = ns_rr_type(rr);
		r->ttl_s = ns_rr_ttl(rr);
		if (!put_known(h, &rr, r->data))
			put_unknown(&rr, r->data);
		out->n_answers++;
	}
	return 0;
}

static bool same_question(ns_msg *h, const char *name, uint16_t type)
{
	size_t n = strlen(name);
	ns_rr rr;

	if (ns_msg_count(*h, ns_s_qd) != 1 || ns_parserr(h, ns_s_qd, 0, &rr))
		return false;
	if (n && name[n - 1] == '.')
		n--;
	return ns_rr_type(rr) == type && strlen(ns_rr_name(rr)) == n &&
	       !strncasecmp(ns_rr_name(rr), name, n);
}

int dns_decode_reply(const uint8_t *msg, size_t len, uint16_t id,
		     const char *name, uint16_t type, struct dns_reply *out)
{
	ns_msg h;

	*out = (struct dns_reply){0};
	if (len < NS_HFIXEDSZ || !(msg[2] & 0x80) ||
	    ns_initparse(msg, (int)len, &h))
		return -EBADMSG;
	out->id = ns_msg_id(h);
	out->rcode = msg[3] & 0x0f;
	/* who refuses need not repeat the question; Unbound does not */
	if (out->id != id || (!same_question(&h, name, type) &&
			      (ns_msg_count(h, ns_s_qd) || !out->rcode)))
		return -ESRCH;
	out->truncated = msg[2] & 0x02;
	out->recursive = msg[3] & 0x80;
	out->authentic = msg[3] & 0x20;
	return read_answers(&h, out);
}
