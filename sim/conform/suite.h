/* SPDX-License-Identifier: MIT */
/*
 * Files of conformance cases (man/xlatsim-conform.5) as structs: sections of
 * RFCs, setups that an engine must be given, cases with their steps.
 * Context: reads files; else pure.
 */
#ifndef CONFORM_SUITE_H
#define CONFORM_SUITE_H

#include "../../xlat/base/addr.h"
#include "../../xlat/base/err.h"
#include "packet.h"

enum conform_role { ROLE_SIIT, ROLE_CLAT, ROLE_PLAT, N_CONFORM_ROLES };

extern const char *const conform_role_words[]; /* ends with NULL */

/* One line of a setup: what the engine must be told. */
struct knob {
	const char *key;
	const char *argv[8];
	size_t n;
	struct pos pos;
};

struct setup {
	const char *name;
	enum conform_role role;
	struct knob *knobs;
	size_t n_knobs;
	bool has_marker; /* addresses of a packet that surely passes 6 -> 4 */
	struct in6_addr marker_src, marker_dst;
	struct pos pos;
};

enum step_kind {
	STEP_SEND,
	STEP_EXPECT,
	STEP_NOTHING, /* nothing more has come */
	STEP_WAIT,
	STEP_CHECK,
};

struct step {
	enum step_kind kind;
	int side; /* 4 or 6: STEP_SEND, STEP_EXPECT */
	struct pos pos;
	struct packet *packet;
	/* STEP_EXPECT: others that are as good */
	struct step *others;
	size_t n_others;
	bool or_nothing;
	int64_t wait_ns;
	/* STEP_CHECK */
	int left, right; /* names; right -1: lo and hi */
	uint64_t lo, hi;
	const char *op;
};

struct conform_case {
	const char *name, *about;
	const char *rfc, *section; /* "7915", "4.1" */
	const char *title;	   /* of the section; may be "" */
	const struct setup *setup;
	struct step *steps;
	size_t n_steps;
	struct bind_names names;
	bool fresh; /* wants an engine that has seen nothing */
	struct pos pos;
};

struct suite {
	struct setup **setups;
	size_t n_setups;
	struct conform_case **cases;
	size_t n_cases;
};

/*
 * suite_load - every *.cases file of directory @path in the order of names,
 * or the one file @path.
 * Returns NULL with what is wrong in @d.
 */
struct suite *suite_load(const char *path, struct arena *a, struct diags *d);
/* suite_load_text - one file's content; for tests. */
struct suite *suite_load_text(const char *name, const char *text,
			      struct arena *a, struct diags *d);

/* setup_knob - the first @key from number *@from on; moves it behind. NULL:
 * no more. */
const struct knob *setup_knob(const struct setup *s, const char *key,
			      size_t *from);
/* A knob that an engine knows in one position only (NULL: not at all). */
struct fixed_knob {
	const char *knob, *word, *why;
};

/* setup_check_fixed - -ENOTSUP, with the reason in @why, when @s turns one of
 * @v elsewhere; else 0. */
int setup_check_fixed(const struct setup *s, const struct fixed_knob *v,
		      size_t n, struct err *why);

/* setup_get - the word of knob @key, or @fallback where it is not set. */
const char *setup_get(const struct setup *s, const char *key,
		      const char *fallback);
/* setup_has - is there a knob @key? */
bool setup_has(const struct setup *s, const char *key);

#endif
