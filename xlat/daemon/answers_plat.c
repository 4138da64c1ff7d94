/* SPDX-License-Identifier: MIT */
/*
 * BIB and sessions of a running PLAT: pages of those that a filter lets
 * through, static entries added and deleted. A page looks at PAGE_SLOTS table
 * slots at most, so that packets wait for no listing, however long; it may be
 * empty and still have a next one.
 */
#include "answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE	   256
#define PAGE_SLOTS 65536
#define MAX_WORD   64

/* ---- filters --------------------------------------------------------------
 */

/* Ports in host order, -1: any. */
struct filter {
	int proto, state;
	struct prefix6 src6;
	bool has_src6, has_src4, has_dst4;
	struct in_addr src4;
	struct prefix4 dst4;
	int32_t sport6, sport4, dport;
};

static bool parse_port(const char *text, int32_t *port)
{
	char *end;
	unsigned long v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	v = strtoul(text, &end, 10);
	*port = (int32_t)v;
	return !*end && v <= 65535;
}

static bool parse_proto(const char *text, int *proto)
{
	for (int k = 0; k < NAT64_N_PROTOS; k++)
		if (!strcmp(text, nat64_proto_name((enum nat64_proto)k))) {
			*proto = k;
			return true;
		}
	return false;
}

static bool parse_state(const char *text, int *state)
{
	for (int k = NAT64_STATELESS + 1; k < NAT64_N_STATES; k++)
		if (!strcmp(text, nat64_state_name((enum nat64_state)k))) {
			*state = k;
			return true;
		}
	return false;
}

static bool parse6(const char *text, struct prefix6 *p)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET6)
		return !prefix6_parse(text, p);
	*p = (struct prefix6){a.v6, 128};
	return true;
}

static bool parse4(const char *text, struct prefix4 *p)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET)
		return !prefix4_parse(text, p);
	*p = (struct prefix4){a.v4, 32};
	return true;
}

/* One KEY=VALUE; @sessions: keys that only they have are allowed. */
static bool parse_condition(const char *key, const char *value, bool sessions,
			    struct filter *f)
{
	if (!strcmp(key, "proto"))
		return parse_proto(value, &f->proto);
	if (!strcmp(key, "src6"))
		return f->has_src6 = parse6(value, &f->src6);
	if (!strcmp(key, "sport6"))
		return parse_port(value, &f->sport6);
	if (!strcmp(key, "src4"))
		return f->has_src4 = inet_pton(AF_INET, value, &f->src4) == 1;
	if (!strcmp(key, "sport4"))
		return parse_port(value, &f->sport4);
	if (!sessions)
		return false;
	if (!strcmp(key, "dst4"))
		return f->has_dst4 = parse4(value, &f->dst4);
	if (!strcmp(key, "dport"))
		return parse_port(value, &f->dport);
	return !strcmp(key, "state") && parse_state(value, &f->state);
}

/* [CURSOR] [KEY=VALUE...]; false: neither. */
static bool parse_page(const char *text, bool sessions, uint32_t *cursor,
		       struct filter *f)
{
	char word[MAX_WORD];
	bool first = true;
	int used;

	*f = (struct filter){.proto = -1,
			     .state = -1,
			     .sport6 = -1,
			     .sport4 = -1,
			     .dport = -1};
	*cursor = 0;
	for (; sscanf(text, "%63s%n", word, &used) == 1; text += used) {
		char *value = strchr(word, '='), *end;
		unsigned long v;

		if (!value && first && word[0] >= '0' && word[0] <= '9') {
			errno = 0;
			v = strtoul(word, &end, 10);
			if (*end || errno)
				return false;
			*cursor =
				v >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)v;
		} else {
			if (!value)
				return false;
			*value = '\0';
			if (!parse_condition(word, value + 1, sessions, f))
				return false;
		}
		first = false;
	}
	return true;
}

static bool same_port(int32_t want, __be16 port)
{
	return want < 0 || want == ntohs(port);
}

static bool in_prefix4(const struct prefix4 *p, struct in_addr a)
{
	uint32_t mask = p->len ? ~UINT32_C(0) << (32 - p->len) : 0;

	return !(ntohl(a.s_addr ^ p->addr.s_addr) & mask);
}

static bool lets_through(const struct filter *f, const struct nat64_flow *w,
			 enum nat64_state state)
{
	return (f->proto < 0 || f->proto == (int)w->proto) &&
	       (f->state < 0 || f->state == (int)state) &&
	       (!f->has_src6 || prefix6_contains(&f->src6, &w->src6)) &&
	       (!f->has_src4 || f->src4.s_addr == w->src4.s_addr) &&
	       (!f->has_dst4 || in_prefix4(&f->dst4, w->dst4)) &&
	       same_port(f->sport6, w->src6_port) &&
	       same_port(f->sport4, w->src4_port) &&
	       same_port(f->dport, w->dst_port);
}

/* ---- listings -------------------------------------------------------------
 */

static json_t *end6(const struct in6_addr *a, __be16 port)
{
	char text[ADDR_TEXT_LEN];

	return json_sprintf("[%s]:%u", in6_format(a, text), ntohs(port));
}

static json_t *end4(struct in_addr a, __be16 port)
{
	char text[ADDR_TEXT_LEN];

	return json_sprintf("%s:%u", in4_format(a, text), ntohs(port));
}

json_t *answer_source(const struct nat64_flow *f)
{
	return json_pack("{s:s, s:o, s:o}", "proto", nat64_proto_name(f->proto),
			 "src6", end6(&f->src6, f->src6_port), "src4",
			 end4(f->src4, f->src4_port));
}

json_t *answer_session(const struct nat64_session_info *v)
{
	const struct nat64_flow *f = &v->flow;
	json_t *o = answer_source(f);

	json_object_set_new(o, "dst6", end6(&f->dst6, f->dst_port));
	json_object_set_new(o, "dst4", end4(f->dst4, f->dst_port));
	if (v->state != NAT64_STATELESS)
		json_object_set_new(o, "state",
				    json_string(nat64_state_name(v->state)));
	json_object_set_new(o, "left_s",
			    json_real((double)v->left_ns / NS_PER_S));
	return o;
}

/* Up to PAGE slots more of either table; they yield as many entries at most. */
static void list_some(struct server *s, bool sessions, uint32_t *cursor,
		      const struct filter *f, json_t *list)
{
	const struct nat64 *n = s->setup.path.nat64;
	struct nat64_session_info v[PAGE];
	struct nat64_bib_info b[PAGE];
	size_t found;

	if (sessions) {
		found = nat64_list_sessions(n, cursor, PAGE, server_now(s), v,
					    PAGE);
		for (size_t i = 0; i < found; i++)
			if (lets_through(f, &v[i].flow, v[i].state))
				json_array_append_new(list,
						      answer_session(&v[i]));
		return;
	}
	found = nat64_list_bibs(n, cursor, PAGE, b, PAGE);
	for (size_t i = 0; i < found; i++) {
		json_t *o;

		if (!lets_through(f, &b[i].flow, NAT64_STATELESS))
			continue;
		o = answer_source(&b[i].flow);
		json_object_set_new(o, "sessions", json_integer(b[i].sessions));
		json_object_set_new(o, "static", json_boolean(b[i].is_static));
		json_object_set_new(o, "mapped", json_boolean(b[i].is_mapped));
		json_array_append_new(list, o);
	}
}

static json_t *page(struct server *s, bool sessions, const char *rest)
{
	json_t *list;
	struct filter f;
	uint32_t cursor;

	if (!parse_page(rest, sessions, &cursor, &f))
		return answer_refusal(
			sessions ? "expected sessions [CURSOR] and any of "
				   "proto= src6= sport6= src4= sport4= dst4= "
				   "dport= state="
				 : "expected bib [CURSOR] and any of proto= "
				   "src6= sport6= src4= sport4=");
	list = json_array();
	for (unsigned int k = 0; k < PAGE_SLOTS / PAGE; k++)
		if (cursor != UINT32_MAX && json_array_size(list) < PAGE)
			list_some(s, sessions, &cursor, &f, list);
	return json_pack("{s:o, s:o}", "entries", list, "next",
			 cursor == UINT32_MAX ? json_null()
					      : json_integer(cursor));
}

/* ---- static entries -------------------------------------------------------
 */

static json_t *change_static(struct nat64 *n, const char *text)
{
	char verb[MAX_WORD], proto[MAX_WORD], a6[MAX_WORD], p6[MAX_WORD];
	char a4[MAX_WORD], p4[MAX_WORD], more;
	struct in6_addr src6;
	struct in_addr src4;
	int32_t port6, port4;
	int k, ret;

	if (sscanf(text, "%63s %63s %63s %63s %63s %63s %c", verb, proto, a6,
		   p6, a4, p4, &more) != 6 ||
	    (strcmp(verb, "add") && strcmp(verb, "del")))
		return answer_refusal("expected static add or static del, then "
				      "PROTO ADDRESS6 PORT ADDRESS4 PORT");
	if (!parse_proto(proto, &k))
		return answer_refusal("tcp, udp or icmp is expected");
	if (inet_pton(AF_INET6, a6, &src6) != 1)
		return answer_refusal("an IPv6 address is expected");
	if (inet_pton(AF_INET, a4, &src4) != 1)
		return answer_refusal("an IPv4 address is expected");
	if (!parse_port(p6, &port6) || !parse_port(p4, &port4))
		return answer_refusal("a port from 0 to 65535 is expected");
	ret = (verb[0] == 'a' ? nat64_add_static : nat64_del_static)(
		n, (enum nat64_proto)k, &src6, htons((uint16_t)port6), src4,
		htons((uint16_t)port4));
	if (!ret)
		return json_pack("{s:b}", "ok", 1);
	if (verb[0] == 'd')
		return answer_refusal("there is no such static entry");
	return answer_refusal(ret == -ENOENT   ? "the IPv4 address or port is "
						 "not in pool4"
			      : ret == -EEXIST ? "either side is taken"
					       : "the BIB is full");
}

/* What follows @word in @request, or NULL. */
static const char *after(const char *request, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(request, word, n) && (!request[n] || request[n] == ' ')
		       ? request + n
		       : NULL;
}

json_t *answer_plat(struct server *s, const char *request)
{
	const char *bib = after(request, "bib");
	const char *sessions = after(request, "sessions");
	const char *statics = after(request, "static");

	if (!bib && !sessions && !statics)
		return NULL;
	if (!s->setup.path.nat64)
		return answer_refusal("only a plat has a BIB and sessions");
	if (statics)
		return change_static(s->setup.path.nat64, statics);
	return page(s, sessions != NULL, bib ? bib : sessions);
}
