/* SPDX-License-Identifier: MIT */
/*
 * Explicit address mappings of a running CLAT or SIIT: listed, added, deleted.
 *
 * The configuration's list moves to memory of its own with the first change,
 * and the tables are built anew from it with each, as on a reload: a change
 * either takes effect as a whole or not at all. The file is not written: what
 * was changed lasts until the next reload or start.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"

#define PAGE	 256
#define MAX_WORD 64

static bool parse4(const char *text, struct prefix4 *p)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET)
		return !prefix4_parse(text, p);
	*p = (struct prefix4){a.v4, 32};
	return true;
}

static bool parse6(const char *text, struct prefix6 *p)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET6)
		return !prefix6_parse(text, p);
	*p = (struct prefix6){a.v6, 128};
	return true;
}

static json_t *list(const struct server *s, size_t from)
{
	const struct config *c = s->config;
	size_t end = from + PAGE < c->n_eams ? from + PAGE : c->n_eams;
	char p4[ADDR_TEXT_LEN], p6[ADDR_TEXT_LEN];
	json_t *entries = json_array();

	for (size_t i = from; i < end; i++)
		json_array_append_new(
			entries,
			json_pack("{s:s, s:s}", "ipv4",
				  prefix4_format(&c->eams[i].p4, p4), "ipv6",
				  prefix6_format(&c->eams[i].p6, p6)));
	return json_pack("{s:o, s:o}", "entries", entries, "next",
			 end < c->n_eams ? json_integer((json_int_t)end)
					 : json_null());
}

/* A list of our own with room for one more. */
static bool own_list(struct server *s)
{
	struct config *c = s->config;
	struct eam_entry *v =
		realloc(s->eams, (c->n_eams + 1) * sizeof(*s->eams));

	if (!v)
		return false;
	if (c->n_eams && c->eams != s->eams)
		memcpy(v, c->eams, c->n_eams * sizeof(*v));
	s->eams = c->eams = v;
	return true;
}

static bool same4(const struct prefix4 *a, const struct prefix4 *b)
{
	return a->len == b->len && a->addr.s_addr == b->addr.s_addr;
}

static bool same6(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->len == b->len && !memcmp(&a->addr, &b->addr, 16);
}

static json_t *applied(struct server *s, struct err *e)
{
	return setup_apply(&s->setup, NULL, s->config, server_now(s), e)
		       ? NULL
		       : json_pack("{s:b}", "ok", 1);
}

static json_t *add(struct server *s, const char *text4, const char *text6)
{
	struct config *c = s->config;
	struct eam_entry x;
	struct err e;
	json_t *ok;

	if (!parse4(text4, &x.p4))
		return answer_refusal("an IPv4 address or prefix without host "
				      "bits is expected");
	if (!parse6(text6, &x.p6))
		return answer_refusal("an IPv6 address or prefix without host "
				      "bits is expected");
	if (32 - x.p4.len > 128 - x.p6.len)
		return answer_refusal("the IPv6 suffix is shorter than the "
				      "IPv4 suffix");
	for (size_t i = 0; i < c->n_eams; i++)
		if (same4(&c->eams[i].p4, &x.p4) ||
		    same6(&c->eams[i].p6, &x.p6))
			return answer_refusal("one of the two is mapped "
					      "already");
	if (!own_list(s))
		return answer_refusal("out of memory");
	c->eams[c->n_eams++] = x;
	ok = applied(s, &e);
	if (ok)
		return ok;
	c->n_eams--;
	return answer_refusal(e.text);
}

/* A neutral mapping is the configuration's, which moves it. */
static bool is_neutral(const struct config *c, size_t eam)
{
	for (size_t i = 0; i < c->n_neutrals; i++)
		if (c->neutrals[i].eam == eam)
			return true;
	return false;
}

static void take_out(struct config *c, size_t at)
{
	c->n_eams--;
	memmove(&c->eams[at], &c->eams[at + 1],
		(c->n_eams - at) * sizeof(*c->eams));
	for (size_t i = 0; i < c->n_neutrals; i++)
		if (c->neutrals[i].eam > at)
			c->neutrals[i].eam--;
}

static void put_back(struct config *c, size_t at, const struct eam_entry *x)
{
	memmove(&c->eams[at + 1], &c->eams[at],
		(c->n_eams - at) * sizeof(*c->eams));
	c->eams[at] = *x;
	c->n_eams++;
	for (size_t i = 0; i < c->n_neutrals; i++)
		if (c->neutrals[i].eam >= at)
			c->neutrals[i].eam++;
}

static json_t *del(struct server *s, const char *text4)
{
	struct config *c = s->config;
	struct eam_entry x;
	struct prefix4 p4;
	struct err e;
	size_t at = 0;
	json_t *ok;

	if (!parse4(text4, &p4))
		return answer_refusal("an IPv4 address or prefix without host "
				      "bits is expected");
	while (at < c->n_eams && !same4(&c->eams[at].p4, &p4))
		at++;
	if (at == c->n_eams)
		return answer_refusal("it is not mapped");
	if (is_neutral(c, at))
		return answer_refusal("its mapping is checksum-neutral, and "
				      "the configuration's");
	if (!own_list(s))
		return answer_refusal("out of memory");
	x = c->eams[at];
	take_out(c, at);
	ok = applied(s, &e);
	if (ok)
		return ok;
	put_back(c, at, &x);
	return answer_refusal(e.text);
}

json_t *answer_eam(struct server *s, const char *request)
{
	char word[MAX_WORD], a[MAX_WORD], b[MAX_WORD], more;
	int n = sscanf(request, "eam %63s %63s %63s %c", word, a, b, &more);
	char *end;
	unsigned long from;

	if (s->config->role == ROLE_PLAT)
		return answer_refusal("a plat has no address mappings");
	if (n <= 0)
		return list(s, 0);
	if (n == 3 && !strcmp(word, "add"))
		return add(s, a, b);
	if (n == 2 && !strcmp(word, "del"))
		return del(s, a);
	errno = 0;
	from = strtoul(word, &end, 10);
	if (n == 1 && word[0] >= '0' && word[0] <= '9' && !*end && !errno)
		return list(s, from < s->config->n_eams ? from
							: s->config->n_eams);
	return answer_refusal("expected eam [CURSOR], eam add PREFIX4 PREFIX6 "
			      "or eam del PREFIX4");
}
