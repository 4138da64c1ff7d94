/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Cases that want the same setup are played one after the other against one
 * process of the engine. What is expected is compared at a fence: before the
 * next packet is sent after some were expected, before a wait, and at the end.
 * An engine that has died or hangs is a failed case, and is started anew for
 * the next one.
 */
#include "run.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct play {
	struct bench *b;
	const struct conform_case *c;
	struct bind binds[MAX_BINDS];
	size_t first,
		next; /* steps that are waiting for a fence: [first, next) */
	bool expecting;
	char why[4096];
};

bool case_chosen(const struct conform_case *c, const struct conform_opts *o)
{
	char section[64];

	if (o->role >= 0 && (int)c->setup->role != o->role)
		return false;
	if (!o->only)
		return true;
	snprintf(section, sizeof(section), "%s:%s", c->rfc, c->section);
	if (!strpbrk(o->only, "*?["))
		return strstr(c->name, o->only) || !strcmp(section, o->only);
	return !fnmatch(o->only, c->name, 0) || !fnmatch(o->only, section, 0);
}

/* ---- comparing -------------------------------------------------------------
 */

static void append(struct play *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void append(struct play *p, const char *fmt, ...)
{
	size_t at = strlen(p->why);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why + at, sizeof(p->why) - at, fmt, ap);
	va_end(ap);
}

static void append_place(struct play *p, const struct step *s)
{
	append(p, "%s:%u: ", s->pos.file, s->pos.line);
}

static void append_packet(struct play *p, const char *what,
			  const struct captured *c)
{
	char text[1024];

	append(p, "\n  %s on side %d: %s", what, c->side,
	       packet_format(c->bytes, c->len, text, sizeof(text)));
}

/* The packet that should be next on @side; NULL: none came. */
static const struct captured *next_on(const struct captured *v, size_t n,
				      const bool *used, int side, size_t *at)
{
	for (size_t i = 0; i < n; i++)
		if (!used[i] && v[i].side == side) {
			*at = i;
			return &v[i];
		}
	return NULL;
}

static bool matches(struct play *p, const struct step *s,
		    const struct captured *v, size_t n, bool *used, char *why,
		    size_t why_len)
{
	size_t at;
	const struct captured *c = next_on(v, n, used, s->side, &at);

	snprintf(why, why_len, "nothing arrived on side %d", s->side);
	if (!c ||
	    !packet_match(s->packet, c->bytes, c->len, p->binds, why, why_len))
		return false;
	used[at] = true;
	return true;
}

static bool match_step(struct play *p, const struct step *s,
		       const struct captured *v, size_t n, bool *used)
{
	char why[1024], other[1024];
	const struct captured *c;
	size_t at;

	if (s->kind != STEP_EXPECT ||
	    matches(p, s, v, n, used, why, sizeof(why)))
		return true;
	for (size_t i = 0; i < s->n_others; i++)
		if (matches(p, &s->others[i], v, n, used, other, sizeof(other)))
			return true;
	if (s->or_nothing)
		return true;
	append_place(p, s);
	append(p, "%s", why);
	c = next_on(v, n, used, s->side, &at);
	if (c) {
		used[at] = true;
		append_packet(p, "arrived", c);
	}
	return false;
}

/* All that is expected since the last fence against all that came. */
static bool compare(struct play *p, const struct captured *v, size_t n)
{
	bool *used = calloc(n + 1, sizeof(*used)), good = true;

	for (size_t i = p->first; i < p->next && good; i++)
		good = match_step(p, &p->c->steps[i], v, n, used);
	for (size_t i = 0; i < n; i++) {
		if (used[i])
			continue;
		if (good)
			append_place(p, &p->c->steps[p->next - 1]);
		if (good)
			append(p, "something arrived that should not");
		good = false;
		append_packet(p, "arrived", &v[i]);
	}
	free(used);
	return good;
}

/* 0; 1: it failed; -errno of the bench, with p->why. */
static int settle(struct play *p)
{
	const struct captured *v;
	struct err e = {""};
	size_t n;
	int ret;

	if (p->first == p->next)
		return 0;
	ret = bench_fence(p->b, &v, &n, &e);
	if (ret) {
		append_place(p, &p->c->steps[p->next - 1]);
		append(p, "%s", e.text);
		return ret;
	}
	ret = !compare(p, v, n);
	bench_forget(p->b);
	p->first = p->next;
	p->expecting = false;
	return ret;
}

/* ---- steps -----------------------------------------------------------------
 */

static int play_send(struct play *p, const struct step *s)
{
	static uint8_t buf[PACKET_MAX_BYTES];
	struct err e = {""};
	size_t len;
	int ret = p->expecting ? settle(p) : 0;

	if (ret)
		return ret;
	p->next++;
	len = packet_build(s->packet, p->binds, NULL, 0, buf, sizeof(buf),
			   NULL);
	ret = len ? bench_send(p->b, s->side, buf, len, &e)
		  : err_set(&e, EMSGSIZE, "longer than any packet");
	if (!ret)
		return 0;
	if (ret == -EMSGSIZE) {
		append(p, "the device of %s takes no packet of %zu bytes",
		       bench_engine(p->b), len);
		return ret;
	}
	append_place(p, s);
	append(p, "%s", e.text);
	return ret;
}

static bool check_holds(const struct play *p, const struct step *s)
{
	uint64_t l = bind_number(&p->binds[s->left]), r = s->lo;

	if (s->right >= 0)
		r = bind_number(&p->binds[s->right]);
	if (!strcmp(s->op, "in"))
		return l >= s->lo && l <= s->hi;
	if (s->right >= 0 && (s->op[0] == '=' || s->op[0] == '!'))
		return (memcmp(p->binds[s->left].value,
			       p->binds[s->right].value, 16) == 0) ==
		       (s->op[0] == '=');
	if (!strcmp(s->op, "parity"))
		return (l & 1) == (r & 1);
	if (s->op[0] == '<')
		return l < r;
	if (s->op[0] == '>')
		return l > r;
	return (l == r) == (s->op[0] == '=');
}

static int play_check(struct play *p, const struct step *s)
{
	int ret = settle(p);

	if (ret)
		return ret;
	p->first = ++p->next;
	if (check_holds(p, s))
		return 0;
	append_place(p, s);
	append(p, "check: @%s is %llu, which is not %s ",
	       p->c->names.names[s->left],
	       (unsigned long long)bind_number(&p->binds[s->left]), s->op);
	if (s->right >= 0)
		append(p, "@%s (%llu)", p->c->names.names[s->right],
		       (unsigned long long)bind_number(&p->binds[s->right]));
	else if (!strcmp(s->op, "in"))
		append(p, "%llu..%llu", (unsigned long long)s->lo,
		       (unsigned long long)s->hi);
	else
		append(p, "%llu", (unsigned long long)s->lo);
	return 1;
}

static int play_wait(struct play *p, const struct step *s)
{
	struct err e = {""};
	int ret = settle(p);

	if (!ret)
		ret = bench_wait(p->b, s->wait_ns, &e);
	p->first = ++p->next;
	if (ret < 0 && !p->why[0]) {
		if (ret != -ENOTSUP)
			append_place(p, s);
		append(p, "%s", e.text);
	}
	return ret;
}

static int play_step(struct play *p, const struct step *s)
{
	switch (s->kind) {
	case STEP_SEND:
		return play_send(p, s);
	case STEP_EXPECT:
	case STEP_NOTHING:
		p->next++;
		p->expecting = true;
		return 0;
	case STEP_WAIT:
		return play_wait(p, s);
	case STEP_CHECK:
		return play_check(p, s);
	}
	return 0;
}

static int play_case(struct play *p)
{
	int ret = 0;

	bench_forget(p->b);
	for (size_t i = 0; i < p->c->n_steps && !ret; i++)
		ret = play_step(p, &p->c->steps[i]);
	return ret ? ret : settle(p);
}

/* ---- all cases -------------------------------------------------------------
 */

struct runner {
	const struct suite *s;
	const struct player *p;
	const struct conform_opts *o;
	struct arena *a;
	struct bench *b;
	struct conform_result *r;
	const struct setup *running; /* NULL: the engine does not */
	const struct setup *refused; /* it cannot be set up so */
	enum case_verdict refused_verdict;
	const char *refused_why;
	size_t n_done;
};

static void conclude(struct runner *r, struct case_result *cr,
		     enum case_verdict verdict, const char *why)
{
	cr->verdict = verdict;
	cr->why = arena_strdup(r->a, why);
	r->r->passed += verdict == CASE_PASS;
	r->r->failed += verdict == CASE_FAIL;
	r->r->skipped += verdict == CASE_SKIP;
	r->n_done++;
	if (r->o->done)
		r->o->done(r->o->arg, r->n_done, r->r->n, cr);
}

/* The engine set up for @c. 0; else there is nothing to play. */
static int prepare(struct runner *r, struct case_result *cr)
{
	const struct setup *s = cr->c->setup;
	struct err e = {""};
	int ret;

	if (r->refused == s) {
		conclude(r, cr, r->refused_verdict, r->refused_why);
		return -ENOTSUP;
	}
	if (r->running == s && !cr->c->fresh)
		return 0;
	r->running = NULL;
	ret = bench_start(r->b, r->p, s, &e);
	if (!ret) {
		r->running = s;
		return 0;
	}
	if (ret == -EINTR)
		return ret;
	if (ret != -ENOTSUP && ret != -ECHILD && ret != -ETIMEDOUT) {
		r->r->no_verdict = arena_strdup(r->a, e.text);
		return ret;
	}
	r->refused = s;
	r->refused_verdict = ret == -ENOTSUP ? CASE_SKIP : CASE_FAIL;
	r->refused_why =
		ret == -ENOTSUP
			? arena_strdup(r->a, e.text)
			: arena_printf(r->a, "setup %s (%s:%u): %s", s->name,
				       s->pos.file, s->pos.line, e.text);
	conclude(r, cr, r->refused_verdict, r->refused_why);
	return ret;
}

static void play_one(struct runner *r, struct case_result *cr)
{
	static struct play p;
	struct mono since = clock_now();
	int ret;

	if (!(r->p->roles & 1u << cr->c->setup->role)) {
		conclude(r, cr, CASE_SKIP,
			 arena_printf(r->a, "%s does not play %s here",
				      r->p->name,
				      conform_role_words[cr->c->setup->role]));
		return;
	}
	ret = prepare(r, cr);
	r->r->interrupted |= ret == -EINTR;
	if (ret)
		return;
	memset(&p, 0, sizeof(p));
	p.b = r->b;
	p.c = cr->c;
	ret = play_case(&p);
	cr->took_ns = mono_sub(clock_now(), since);
	if (ret == -EINTR) {
		r->r->interrupted = true;
		return;
	}
	if (ret == -ECHILD || ret == -ETIMEDOUT || cr->c->fresh)
		r->running = NULL;
	if (ret == -ENOTSUP || ret == -EMSGSIZE)
		conclude(r, cr, CASE_SKIP, p.why);
	else if (ret > 0 || ret == -ECHILD || ret == -ETIMEDOUT)
		conclude(r, cr, CASE_FAIL, p.why);
	else if (ret)
		r->r->no_verdict = arena_strdup(r->a, p.why);
	else
		conclude(r, cr, CASE_PASS, "");
}

/* By setups in the order of the first case of each. */
static void play_all(struct runner *r)
{
	for (size_t k = 0; k < r->s->n_setups; k++)
		for (size_t i = 0; i < r->r->n; i++) {
			if (r->r->v[i].c->setup != r->s->setups[k])
				continue;
			if (r->r->interrupted || r->r->no_verdict)
				return;
			play_one(r, &r->r->v[i]);
		}
}

struct conform_result *conform_run(const struct suite *s,
				   const struct player *p,
				   const struct conform_opts *o,
				   struct arena *a)
{
	struct runner r = {.s = s, .p = p, .o = o, .a = a};
	struct mono since = clock_now();
	struct err e = {""};

	r.r = ARENA_NEW(a, struct conform_result);
	r.r->engine = p->name;
	for (size_t i = 0; i < s->n_cases; i++)
		if (case_chosen(s->cases[i], o)) {
			struct case_result *cr =
				ARENA_APPEND(a, r.r->v, r.r->n);

			cr->c = s->cases[i];
			cr->why = "";
		}
	r.b = bench_new(o->loop, &e);
	if (!r.b)
		r.r->no_verdict = arena_strdup(a, e.text);
	else
		play_all(&r);
	bench_free(r.b);
	r.r->took_ns = mono_sub(clock_now(), since);
	return r.r;
}
