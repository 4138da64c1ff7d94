/* SPDX-License-Identifier: MIT */
/*
 * What a CLAT may be told about the PLAT's prefix: DNS answers and router
 * advertisements of any shape. Whatever is learned is a prefix that RFC 6052
 * allows, and what is known never outgrows its table, in which routers come
 * before DNS.
 *
 * Input: one byte (even: DNS, odd: advertisement), then the message.
 */
#include <stdlib.h>
#include <string.h>

#include "../core/pref64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_set(const struct pref64_set *s)
{
	if (s->n > PREF64_MAX)
		abort();
	for (unsigned int i = 1; i < s->n; i++)
		if (pref64_by_dns(&s->v[i - 1]) && !pref64_by_dns(&s->v[i]))
			abort();
}

static void learn(const struct pref64_list *l)
{
	static const struct in6_addr router = {{{0xfe, 0x80, [15] = 1}}};
	struct mono now = {NS_PER_S};
	struct pref64_set s = {.n = 0};

	if (l->n > PREF64_MAX)
		abort();
	for (unsigned int i = 0; i < l->n; i++)
		if (!rfc6052_prefix_valid(&l->v[i].p))
			abort();
	pref64_learn(&s, l, &in6addr_any, now);
	pref64_learn(&s, l, &router, now);
	check_set(&s);
	pref64_keep_only(&s, l, &router);
	pref64_learn(&s, l, &in6addr_any, now);
	check_set(&s);
	pref64_forget_routers(&s);
	if (pref64_by_router(&s))
		abort();
	pref64_expire(&s, mono_add(now, UINT32_MAX * NS_PER_S));
	if (s.n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct in6_addr router = {{{0xfe, 0x80, [15] = 1}}};
	struct pref64_list l;
	uint32_t ttl = 0;

	if (!size)
		return 0;
	if (data[0] & 1)
		pref64_parse_ra(data + 1, size - 1, 255, &router, &l);
	else
		pref64_parse_answer(data + 1, size - 1, 0x4242, &l, &ttl);
	if (!(data[0] & 1) && !pref64_ask_again_s(ttl))
		abort();
	learn(&l);
	return 0;
}
