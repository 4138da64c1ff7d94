/* SPDX-License-Identifier: MIT */
/* What the control socket answers about the warm standby. */
#include "answers.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 64

static void put(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static json_t *sync_json(const struct sync *y)
{
	static const char *const imports[NAT64_N_IMPORTS] = {
		"added", "updated", "kept", "conflicts", "refused", "full"};
	struct sync_stats all;
	const struct replica_stats *st = &all.replica;
	json_t *o = json_object();

	sync_get_stats(y, &all);
	json_object_set_new(o, "connected", json_boolean(st->connected));
	json_object_set_new(o, "silent_ms",
			    st->silent_ms < 0 ? json_null()
					      : json_integer(st->silent_ms));
	put(o, "behind_ms", (uint64_t)st->behind_ms);
	put(o, "behind_max_ms", (uint64_t)st->behind_max_ms);
	put(o, "queued", st->queued);
	put(o, "sent", st->sent);
	put(o, "received", st->received);
	put(o, "sessions_sent", st->sessions_sent);
	for (unsigned int i = 0; i < NAT64_N_IMPORTS; i++)
		put(o, imports[i], st->imports[i]);
	put(o, "asked", st->asked);
	put(o, "asked_us", st->asked_us);
	put(o, "ended", st->ended);
	put(o, "lost", st->lost);
	put(o, "duplicates", st->duplicates);
	put(o, "strangers", st->strangers);
	put(o, "bad_seals", all.bad_seals);
	put(o, "malformed", st->malformed);
	put(o, "other_versions", st->foreign);
	put(o, "held_back", st->held_back);
	put(o, "send_errors", all.send_errors);
	put(o, "walks", st->walks);
	put(o, "full_passes", st->adoptions);
	return o;
}

static const char *result_name(const struct compare_result *c)
{
	if (c->phase != COMPARE_DONE)
		return c->phase == COMPARE_NONE ? "none" : "running";
	if (c->differing)
		return "different";
	return c->is_complete ? "equal" : "incomplete";
}

static json_t *compare_json(const struct sync *y)
{
	struct compare_result c;
	json_t *o = json_object();

	compare_get_result(sync_replica(y), clock_now(), &c);
	json_object_set_new(o, "result", json_string(result_name(&c)));
	json_object_set_new(o, "phase",
			    json_string(compare_phase_name(c.phase)));
	json_object_set_new(o, "complete", json_boolean(c.is_complete));
	put(o, "sessions_here", c.here);
	put(o, "sessions_there", c.there);
	put(o, "ranges", COMPARE_RANGES);
	put(o, "ranges_differing", c.ranges);
	put(o, "differing", c.differing);
	for (int w = COMPARE_ONLY_HERE; w < COMPARE_N_WHATS; w++)
		put(o, compare_what_name((enum compare_what)w), c.by_what[w]);
	put(o, "unanswered", c.unanswered);
	put(o, "took_ms", (uint64_t)c.took_ms);
	return o;
}

static json_t *compare_page(const struct sync *y, const char *rest)
{
	const struct compare_entry *e;
	json_t *list;
	unsigned long i = 0;
	char *end;

	if (*rest == ' ')
		rest++;
	if (*rest) {
		errno = 0;
		i = strtoul(rest, &end, 10);
		if (*rest < '0' || *rest > '9' || *end || errno)
			return answer_refusal("expected compare list [CURSOR]");
	}
	list = json_array();
	for (; json_array_size(list) < PAGE &&
	       (e = compare_entry(sync_replica(y), i));
	     i++) {
		json_t *o = answer_session(&e->session);

		json_object_set_new(o, "what",
				    json_string(compare_what_name(e->what)));
		json_array_append_new(list, o);
	}
	return json_pack("{s:o, s:o}", "entries", list, "next",
			 compare_entry(sync_replica(y), i)
				 ? json_integer((json_int_t)i)
				 : json_null());
}

json_t *answer_sync(struct server *s, const char *request)
{
	static const char list[] = "compare list";
	bool is_list = !strncmp(request, list, sizeof(list) - 1);

	if (strcmp(request, "sync") != 0 && strcmp(request, "compare") != 0 &&
	    strcmp(request, "compare start") != 0 && !is_list)
		return NULL;
	if (!s->sync)
		return answer_refusal("no `sync` is configured");
	if (!strcmp(request, "sync"))
		return sync_json(s->sync);
	if (is_list)
		return compare_page(s->sync, request + sizeof(list) - 1);
	if (!strcmp(request, "compare start") && !sync_compare_start(s->sync))
		return answer_refusal("the peer is not there, or a comparison "
				      "is running");
	return compare_json(s->sync);
}
