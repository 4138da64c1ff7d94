/* SPDX-License-Identifier: MIT */
/*
 * `xlatd who`: from the files of `log:`, which host had an address and port
 * of pool4 at a time.
 *
 * Files are taken in the order of their first line's time, so that they may be
 * named in any order. An entry is open from its line to the one that ends it,
 * to the next start of the engine, or to the end of the last file.
 */
#include "who.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../nat64/nat64.h"

struct found {
	char *src6, *dst4; /* dst4 NULL: of a BIB entry */
	bool block;	   /* src6 is a prefix, any of its hosts */
	int sport6, dport;
	double begin, end; /* end NAN: open */
	const char *how;   /* it ended */
};

struct search {
	const struct who_query *q;
	struct found *v;
	size_t n;
	double last; /* line */
	uint64_t lines, broken, lost;
};

/* ---- lines -----------------------------------------------------------------
 */

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int number(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

static bool is_asked_for(const struct who_query *q, const json_t *o)
{
	struct in_addr a;

	return !strcmp(word(o, "proto"), q->proto) &&
	       number(o, "sport4") == q->port &&
	       inet_pton(AF_INET, word(o, "src4"), &a) == 1 &&
	       a.s_addr == q->addr.s_addr;
}

static void begin(struct search *s, const json_t *o, double t, bool session)
{
	struct found *v = realloc(s->v, (s->n + 1) * sizeof(*v));

	if (!v)
		return;
	s->v = v;
	v[s->n++] = (struct found){
		.src6 = strdup(word(o, "src6")),
		.dst4 = session ? strdup(word(o, "dst4")) : NULL,
		.sport6 = number(o, "sport6"),
		.dport = number(o, "dport"),
		.begin = t,
		.end = (double)NAN,
	};
}

static void end(struct search *s, const json_t *o, double t, bool session)
{
	for (size_t i = s->n; i-- > 0;) {
		struct found *f = &s->v[i];

		if (!isnan(f->end) || f->block ||
		    session != (f->dst4 != NULL) ||
		    (session && (strcmp(f->dst4, word(o, "dst4")) != 0 ||
				 f->dport != number(o, "dport"))))
			continue;
		f->end = t;
		f->how = "ended";
		return;
	}
}

static void end_all(struct search *s, double t, const char *how)
{
	for (size_t i = 0; i < s->n; i++)
		if (isnan(s->v[i].end)) {
			s->v[i].end = t;
			s->v[i].how = how;
		}
}

/* Whose block holds it, by the arithmetic that the line describes. */
static void begin_block(struct search *s, const json_t *o, double t)
{
	struct nat64_blocks b = {
		.subscriber_len = (uint8_t)number(o, "subscriber-length"),
		.low = (uint16_t)number(o, "low"),
		.high = (uint16_t)number(o, "high"),
		.size = (uint32_t)number(o, "size"),
	};
	uint32_t n = (uint32_t)number(o, "addresses"), at;
	uint32_t index = (uint32_t)number(o, "index");
	char text[ADDR_TEXT_LEN];
	struct prefix6 owner;
	struct in_addr first;

	if (prefix6_parse(word(o, "subscribers"), &b.subscribers) ||
	    inet_pton(AF_INET, word(o, "src4"), &first) != 1 || !b.size ||
	    !nat64_blocks_fit(&b, NAT64_MAX_POOL4)) {
		s->broken++;
		return;
	}
	at = ntohl(s->q->addr.s_addr) - ntohl(first.s_addr);
	if (at >= n ||
	    !nat64_blocks_owner(&b, index + at, (uint16_t)s->q->port, &owner))
		return;
	begin(s, o, t, false);
	if (!s->n)
		return;
	free(s->v[s->n - 1].src6);
	s->v[s->n - 1].src6 = strdup(prefix6_format(&owner, text));
	s->v[s->n - 1].block = true;
}

static void take(struct search *s, const json_t *o)
{
	double t = json_number_value(json_object_get(o, "t"));
	const char *ev = word(o, "ev");

	s->last = t;
	if (!strcmp(ev, "start"))
		end_all(s, t, "the engine started anew");
	else if (!strcmp(ev, "stop"))
		end_all(s, t, "the engine stopped");
	else if (!strcmp(ev, "lost"))
		s->lost += (uint64_t)json_integer_value(
			json_object_get(o, "lines"));
	else if (!strcmp(ev, "blocks"))
		begin_block(s, o, t);
	else if (!is_asked_for(s->q, o))
		return;
	else if (!strcmp(ev, "bib") || !strcmp(ev, "session"))
		begin(s, o, t, ev[0] == 's');
	else if (!strcmp(ev, "bib-end") || !strcmp(ev, "session-end"))
		end(s, o, t, ev[0] == 's');
}

/* ---- files -----------------------------------------------------------------
 */

struct file {
	const char *path;
	FILE *f;
	double first;
};

static double first_time(FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	json_t *o = NULL;
	double t = 0;

	if (getline(&line, &room, f) > 0)
		o = json_loads(line, 0, NULL);
	t = json_number_value(json_object_get(o, "t"));
	json_decref(o);
	free(line);
	rewind(f);
	return t;
}

static void read_file(struct search *s, FILE *f)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, f) > 0) {
		json_t *o = json_loads(line, 0, NULL);

		s->lines++;
		if (json_is_object(o))
			take(s, o);
		else
			s->broken++;
		json_decref(o);
	}
	free(line);
}

static int earlier(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* ---- the answer ------------------------------------------------------------
 */

static const char *time_text(double t, char *buf, size_t len)
{
	int64_t ms = (int64_t)(t * 1000 + 0.5);
	time_t whole = (time_t)(ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&whole, &tm);
	n = strftime(buf, len, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, len - n, ".%03dZ", (int)(ms % 1000));
	return buf;
}

static void print(const struct search *s, const struct found *f, FILE *out)
{
	char from[40], to[40];

	if (f->block)
		fprintf(out, "%s, by its port block", f->src6);
	else
		fprintf(out, "%s port %d", f->src6, f->sport6);
	if (f->dst4)
		fprintf(out, " to %s port %d", f->dst4, f->dport);
	fprintf(out, ", from %s ", time_text(f->begin, from, sizeof(from)));
	if (isnan(f->end))
		fprintf(out, "on, and still at %s, where the log ends\n",
			time_text(s->last, to, sizeof(to)));
	else
		fprintf(out, "to %s (%s)\n", time_text(f->end, to, sizeof(to)),
			f->how);
}

static int answer(const struct search *s, FILE *out)
{
	int n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct found *f = &s->v[i];

		if (f->begin > s->q->at ||
		    (!isnan(f->end) && f->end < s->q->at))
			continue;
		print(s, f, out);
		n++;
	}
	if (s->broken)
		fprintf(stderr, "xlatd who: %llu lines are no JSON\n",
			(unsigned long long)s->broken);
	if (s->lost)
		fprintf(stderr,
			"xlatd who: %llu lines were lost when the log was "
			"written\n",
			(unsigned long long)s->lost);
	if (!n && s->q->at > s->last)
		fputs("xlatd who: the log ends before that time\n", stderr);
	else if (!n)
		fputs("xlatd who: nobody\n", stderr);
	return n ? 0 : 1;
}

int who_find(const struct who_query *q, const char *const *paths, size_t n,
	     FILE *out)
{
	struct file *files = calloc(n + 1, sizeof(*files));
	struct search s = {.q = q};
	int status = 0;

	for (size_t i = 0; files && i < n && !status; i++) {
		files[i].path = paths[i];
		files[i].f = fopen(paths[i], "re");
		if (files[i].f) {
			files[i].first = first_time(files[i].f);
			continue;
		}
		fprintf(stderr, "xlatd who: %s: %s\n", paths[i],
			strerror(errno));
		status = 2;
	}
	if (!files)
		return 2;
	qsort(files, n, sizeof(*files), earlier);
	for (size_t i = 0; i < n; i++) {
		if (!status && files[i].f)
			read_file(&s, files[i].f);
		if (files[i].f)
			fclose(files[i].f);
	}
	free(files);
	if (!status)
		status = answer(&s, out);
	for (size_t i = 0; i < s.n; i++) {
		free(s.v[i].src6);
		free(s.v[i].dst4);
	}
	free(s.v);
	return status;
}

/* ---- the command line ------------------------------------------------------
 */

/* 2026-11-23T14:00:05Z, with or without a fraction, or seconds since 1970. */
static bool parse_time(const char *text, double *out)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	double fraction = 0;
	char *end;

	if (rest) {
		if (*rest == '.') {
			fraction = strtod(rest, &end);
			rest = end;
		}
		*out = (double)timegm(&tm) + fraction;
		return !strcmp(rest, "Z") || !*rest;
	}
	*out = strtod(text, &end);
	return end != text && !*end && isfinite(*out) && *out >= 0;
}

static bool parse_query(char **argv, struct who_query *q)
{
	static const char *const protos[] = {"tcp", "udp", "icmp"};
	char *end;
	long port = strtol(argv[1], &end, 10);
	bool known = false;

	for (size_t i = 0; i < 3; i++)
		known |= !strcmp(argv[2], protos[i]);
	q->port = (int)port;
	q->proto = argv[2];
	return inet_pton(AF_INET, argv[0], &q->addr) == 1 && *argv[1] &&
	       !*end && port >= 0 && port <= 65535 && known &&
	       parse_time(argv[3], &q->at);
}

int who_run(int argc, char **argv)
{
	struct who_query q;

	if (argc >= 5 && parse_query(argv, &q))
		return who_find(&q, (const char *const *)argv + 4,
				(size_t)argc - 4, stdout);
	fputs("Usage: xlatd who ADDRESS4 PORT tcp|udp|icmp TIME FILE...\n"
	      "Which host had this address and port of pool4 then?\n"
	      "TIME: 2026-11-23T14:00:05Z, or seconds since 1970. FILE: what\n"
	      "`log:` wrote, rotated ones included, in any order.\n"
	      "Exit status: 0 found, 1 nobody, 2 bad usage or file.\n",
	      argc == 1 && !strcmp(argv[0], "--help") ? stdout : stderr);
	return argc == 1 && !strcmp(argv[0], "--help") ? 0 : 2;
}
