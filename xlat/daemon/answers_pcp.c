/* SPDX-License-Identifier: MIT */
/* What the control socket answers about mappings that hosts asked for. */
#include "answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE	   64
#define PAGE_SLOTS 16384

static void put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *stats_json(const struct pcp_server *x)
{
	json_t *o = json_object(), *results = json_object();
	struct pcp_stats st;
	uint64_t send_errors;

	pcp_get_stats(pcp_of(x, &send_errors), &st);
	put(o, "mappings", st.mappings);
	put(o, "most", st.max);
	put(o, "received", st.received);
	put(o, "dropped", st.dropped);
	put(o, "send_errors", send_errors);
	put(o, "expired", st.expired);
	put(o, "lost", st.lost);
	for (unsigned int i = 0; i < PCP_N_RESULTS; i++)
		if (st.results[i])
			put(results, pcp_result_name((enum pcp_result)i),
			    st.results[i]);
	json_object_set_new(o, "results", results);
	return o;
}

static json_t *list(const struct server *s, const char *rest)
{
	uint64_t send_errors;
	const struct pcp *p = pcp_of(s->pcp, &send_errors);
	struct pcp_info v[PAGE];
	uint32_t cursor = 0;
	unsigned long at;
	json_t *entries;
	char *end;
	size_t n;

	if (*rest == ' ' && rest[1]) {
		errno = 0;
		at = strtoul(++rest, &end, 10);
		if (*rest < '0' || *rest > '9' || *end || errno)
			return answer_refusal("expected pcp list [CURSOR]");
		cursor = at >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)at;
	}
	n = pcp_list(p, s->setup.path.nat64, &cursor, PAGE_SLOTS, server_now(s),
		     v, PAGE);
	entries = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *o = answer_source(&v[i].flow);

		json_object_set_new(o, "left_s",
				    json_real((double)v[i].left_ns / NS_PER_S));
		json_array_append_new(entries, o);
	}
	return json_pack("{s:o, s:o}", "entries", entries, "next",
			 cursor == UINT32_MAX ? json_null()
					      : json_integer(cursor));
}

json_t *answer_pcp(struct server *s, const char *request)
{
	static const char word[] = "pcp list";
	const char *rest = request + sizeof(word) - 1;
	bool is_list = !strncmp(request, word, sizeof(word) - 1) &&
		       (!*rest || *rest == ' ');

	if (strcmp(request, "pcp") != 0 && !is_list)
		return NULL;
	if (!s->pcp)
		return answer_refusal("no `pcp` is configured");
	return is_list ? list(s, rest) : stats_json(s->pcp);
}
