/* SPDX-License-Identifier: MIT */
/* Private to answers*.c: pieces of what the control socket answers. */
#ifndef DAEMON_ANSWERS_H
#define DAEMON_ANSWERS_H

#include <jansson.h>

#include "server.h"

/* answer_refusal - {"error": TEXT}. */
json_t *answer_refusal(const char *text);
/* answer_eam - "eam", "eam CURSOR", "eam add A B", "eam del A". */
json_t *answer_eam(struct server *s, const char *request);
/*
 * answer_plat - "bib" and "sessions" with [CURSOR] [KEY=VALUE...], "static add"
 * and "static del". NULL when it is none of these.
 */
json_t *answer_plat(struct server *s, const char *request);
/* answer_source - proto and both sources. */
json_t *answer_source(const struct nat64_flow *f);
/* answer_session - one, as "sessions" lists it. */
json_t *answer_session(const struct nat64_session_info *v);
/* answer_pcp - "pcp" and "pcp list [CURSOR]"; NULL when it is neither. */
json_t *answer_pcp(struct server *s, const char *request);
/* answer_sync - "sync" and "compare"; NULL when it is neither. */
json_t *answer_sync(struct server *s, const char *request);

#endif
