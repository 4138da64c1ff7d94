/* SPDX-License-Identifier: MIT */
/*
 * Packets in text files (vectors/): a case is
 *
 *	case: name
 *	rfc: number section
 *	dir: 46 | 64
 *	cfg: key=value ...           (optional: mtu4 mtu6 lowest zero_tos tos
 *	                              zero_tc udp_zero=drop tell noself)
 *	verdict: forward | fragment | reply | drop
 *	reason: a name of reason.h
 *	in:                          the packet
 *	out:                         what leaves; one for each fragment
 *
 * Bytes are hex; `??` is not compared, `+N@B` is N bytes counting up from B,
 * and `#` starts a comment.
 */
#ifndef CORE_VECTORS_H
#define CORE_VECTORS_H

#include <ctype.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/xlat.h"

#define VECTOR_OUTS 4

struct vector_bytes {
	uint8_t *v;
	uint8_t *ignore; /* 1: not compared */
	uint32_t len;
};

struct vector {
	char name[512];
	char rfc[512];
	char cfg[512];
	char verdict[512];
	char reason[512];
	int dir;
	struct vector_bytes in, out[VECTOR_OUTS];
	int outs;
};

struct vectors {
	struct vector *v;
	int n;
};

static inline void vector_die(const char *path, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", path, line, what);
	exit(2);
}

/* One line of bytes; returns 0 or -1 on bad syntax. */
static inline int vector_parse_bytes(char *text, struct vector_bytes *b)
{
	char *save = NULL, *end;
	char *w = strtok_r(text, " \t\n", &save);
	unsigned long n, first, i;

	for (; w && *w != '#'; w = strtok_r(NULL, " \t\n", &save)) {
		n = 1;
		first = 0;
		if (*w == '+') {
			n = strtoul(w + 1, &end, 10);
			if (*end != '@')
				return -1;
			first = strtoul(end + 1, &end, 10);
		} else if (strcmp(w, "??") != 0) {
			first = strtoul(w, &end, 16);
			if (end != w + 2)
				return -1;
		}
		b->v = realloc(b->v, b->len + n);
		b->ignore = realloc(b->ignore, b->len + n);
		for (i = 0; i < n; i++) {
			b->v[b->len] = (uint8_t)(first + i);
			b->ignore[b->len++] = *w == '?';
		}
	}
	return 0;
}

static inline struct vector *vectors_append(struct vectors *all)
{
	all->v = realloc(all->v, sizeof(*all->v) * ((size_t)all->n + 1));
	memset(&all->v[all->n], 0, sizeof(*all->v));
	return &all->v[all->n++];
}

/* A "key: value" line; returns where bytes go from now on, or NULL. */
static inline struct vector_bytes *vector_set(struct vector *v, char *line)
{
	char *value = strchr(line, ':');

	*value++ = 0;
	while (*value == ' ')
		value++;
	value[strcspn(value, "\n")] = 0;
	if (!strcmp(line, "rfc"))
		snprintf(v->rfc, sizeof(v->rfc), "%s", value);
	else if (!strcmp(line, "cfg"))
		snprintf(v->cfg, sizeof(v->cfg), "%s", value);
	else if (!strcmp(line, "verdict"))
		snprintf(v->verdict, sizeof(v->verdict), "%s", value);
	else if (!strcmp(line, "reason"))
		snprintf(v->reason, sizeof(v->reason), "%s", value);
	else if (!strcmp(line, "dir"))
		v->dir = atoi(value);
	else if (!strcmp(line, "in"))
		return &v->in;
	else if (!strcmp(line, "out") && v->outs < VECTOR_OUTS)
		return &v->out[v->outs++];
	else
		vector_die(v->name, 0, "unknown key, or too many outs");
	return NULL;
}

/* vectors_load - add the cases of a file; exits on bad syntax. */
static inline void vectors_load(struct vectors *all, const char *path)
{
	FILE *f = fopen(path, "r");
	struct vector *v = NULL;
	struct vector_bytes *b = NULL;
	char line[512];
	int n = 0;

	if (!f)
		vector_die(path, 0, "cannot open");
	while (fgets(line, sizeof(line), f)) {
		n++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (isspace((unsigned char)line[0])) {
			if (!b || vector_parse_bytes(line, b))
				vector_die(path, n, "bad bytes");
		} else if (!strncmp(line, "case: ", 6)) {
			v = vectors_append(all);
			line[strcspn(line, "\n")] = 0;
			snprintf(v->name, sizeof(v->name), "%s", line + 6);
		} else if (v && strchr(line, ':')) {
			b = vector_set(v, line);
		} else {
			vector_die(path, n, "bad line");
		}
	}
	fclose(f);
}

/* vectors_load_all - every file of the folder "vectors" beside @source. */
static inline void vectors_load_all(struct vectors *all, const char *source)
{
	char pattern[512];
	glob_t g;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%.*svectors/*.txt",
		 (int)(strrchr(source, '/') + 1 - source), source);
	if (glob(pattern, 0, NULL, &g))
		vector_die(pattern, 0, "no vectors (run from the top folder)");
	for (i = 0; i < g.gl_pathc; i++)
		vectors_load(all, g.gl_pathv[i]);
	globfree(&g);
}

/* vector_config - change @cfg as the case says. */
static inline void vector_config(const struct vector *v, struct xlat_cfg *cfg)
{
	char text[512], *save = NULL, *w;
	unsigned int n;

	memcpy(text, v->cfg, sizeof(text));
	for (w = strtok_r(text, " ", &save); w;
	     w = strtok_r(NULL, " ", &save)) {
		if (!strcmp(w, "udp_zero=drop"))
			cfg->udp_zero = XLAT_UDP_ZERO_DROP;
		else if (sscanf(w, "mtu4=%u", &n) == 1)
			cfg->mtu4 = n;
		else if (sscanf(w, "mtu6=%u", &n) == 1)
			cfg->mtu6 = n;
		else if (sscanf(w, "lowest=%u", &n) == 1)
			cfg->lowest_mtu6 = n;
		else if (sscanf(w, "zero_tos=%u", &n) == 1)
			cfg->set_tos = n;
		else if (sscanf(w, "tos=%u", &n) == 1)
			cfg->set_tos = true, cfg->tos = (uint8_t)n;
		else if (sscanf(w, "zero_tc=%u", &n) == 1)
			cfg->zero_tc = n;
		else if (!strcmp(w, "tell=1"))
			cfg->tell_source = true;
		else if (!strcmp(w, "noself=1")) {
			memset(&cfg->self4, 0, sizeof(cfg->self4));
			memset(&cfg->self6, 0, sizeof(cfg->self6));
		} else
			vector_die(v->name, 0, "unknown cfg");
	}
}

#endif
