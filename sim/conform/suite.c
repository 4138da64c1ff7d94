/* SPDX-License-Identifier: MIT */
/*
 * Case files, line by line. Before a line is looked at, its macros are
 * replaced; each character of the result remembers where in the file it came
 * from, so that a mistake is reported at its place.
 */
#include "suite.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/yaml.h"
#include "suite_internal.h"

#define MAX_LINE 16384

const char *const conform_role_words[] = {"siit", "clat", "plat", NULL};

const struct knob *setup_knob(const struct setup *s, const char *key,
			      size_t *from)
{
	while (*from < s->n_knobs) {
		const struct knob *k = &s->knobs[(*from)++];

		if (!strcmp(k->key, key))
			return k;
	}
	return NULL;
}

const char *setup_get(const struct setup *s, const char *key,
		      const char *fallback)
{
	const char *found = fallback;

	for (size_t i = 0; i < s->n_knobs; i++)
		if (!strcmp(s->knobs[i].key, key))
			found = s->knobs[i].argv[0]; /* the last one counts */
	return found;
}

int setup_check_fixed(const struct setup *s, const struct fixed_knob *v,
		      size_t n, struct err *why)
{
	for (size_t i = 0; i < n; i++) {
		const char *word = setup_get(s, v[i].knob, NULL);

		if (word && (!v[i].word || strcmp(word, v[i].word) != 0))
			return err_set(why, ENOTSUP, "%s", v[i].why);
	}
	return 0;
}

bool setup_has(const struct setup *s, const char *key)
{
	return setup_get(s, key, NULL) != NULL;
}

/* ---- words of a line -------------------------------------------------------
 */

const char *line_word(struct file_reader *r, char *buf, size_t len,
		      struct pos *pos)
{
	size_t n = word_next(r->line.s, &r->at), from = r->at;

	if (pos)
		*pos = r->line.pos[from];
	r->at += n;
	if (n > 1 && r->line.s[from] == '"' && r->line.s[from + n - 1] == '"') {
		from++;
		n -= 2;
	}
	if (n >= len)
		n = len - 1;
	memcpy(buf, r->line.s + from, n);
	buf[n] = '\0';
	return buf;
}

const char *line_rest(struct file_reader *r)
{
	size_t at = r->at, n;

	word_next(r->line.s, &at);
	n = strlen(r->line.s + at);
	while (n && strchr(" \t\r", r->line.s[at + n - 1]))
		n--;
	r->at = strlen(r->line.s);
	return arena_printf(r->a, "%.*s", (int)n, r->line.s + at);
}

struct pos line_pos(const struct file_reader *r)
{
	size_t at = 0;

	word_next(r->line.s, &at);
	return r->line.pos[at];
}

/* ---- macros ----------------------------------------------------------------
 */

struct expansion {
	char s[MAX_LINE + 1];
	struct pos pos[MAX_LINE + 1];
	size_t n;
};

static void expand_char(struct expansion *x, char c, struct pos at)
{
	if (x->n == MAX_LINE)
		return;
	x->s[x->n] = c;
	x->pos[x->n++] = at;
}

static size_t macro_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

static const char *macro_find(const struct file_reader *r, const char *name,
			      size_t len)
{
	for (size_t i = 0; i < r->n_macros; i++)
		if (strlen(r->macros[i].name) == len &&
		    !memcmp(r->macros[i].name, name, len))
			return r->macros[i].value;
	return NULL;
}

static void unknown_macro(struct file_reader *r, struct pos at, const char *s,
			  size_t len)
{
	const char **names =
		arena_alloc(r->a, (r->n_macros + 1) * sizeof(*names));
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)len, s);
	for (size_t i = 0; i < r->n_macros; i++)
		names[i] = r->macros[i].name;
	yaml_unknown(r->d, at, "macro", word, names);
}

/* One line of the file from @s to @end into @x. */
static void expand_line(struct file_reader *r, struct expansion *x,
			const char *s, const char *end, unsigned int number)
{
	const char *begin = s;

	for (; s < end; s++) {
		struct pos at = {r->name, number, (unsigned)(s - begin) + 1};
		size_t len = *s == '$' ? macro_length(s + 1) : 0;
		const char *value;

		if (!len) {
			expand_char(x, *s, at);
			continue;
		}
		value = macro_find(r, s + 1, len);
		if (!value)
			unknown_macro(r, at, s + 1, len);
		for (; value && *value; value++)
			expand_char(x, *value, at);
		s += len;
	}
	if (x->n == MAX_LINE)
		diags_add(r->d, (struct pos){r->name, number, 1},
			  "the line is longer than %d letters", MAX_LINE);
}

static void read_let(struct file_reader *r)
{
	char name[64];
	struct pos at;
	struct macro *m;

	line_word(r, name, sizeof(name), &at);
	if (!*name || macro_length(name) != strlen(name)) {
		diags_add(r->d, at,
			  "let: expected a name of small letters, digits and "
			  "_, not '%s'",
			  name);
		return;
	}
	if (macro_find(r, name, strlen(name)))
		diags_add(r->d, at, "'%s' is defined already", name);
	m = ARENA_APPEND(r->a, r->macros, r->n_macros);
	m->name = arena_strdup(r->a, name);
	m->value = line_rest(r);
}

/* ---- lines that stand for themselves ---------------------------------------
 */

static void read_section(struct file_reader *r)
{
	char rfc[32], number[32];
	struct pos at;
	uint64_t n;

	line_word(r, rfc, sizeof(rfc), &at);
	line_word(r, number, sizeof(number), NULL);
	if (!number_parse(rfc, &n) || !*number)
		diags_add(r->d, at,
			  "section: expected an RFC's number, its section and "
			  "a title, as in `section 7915 4.1 Title`");
	r->rfc = arena_strdup(r->a, rfc);
	r->section = arena_strdup(r->a, number);
	r->title = line_rest(r);
}

static struct setup *find_setup(struct file_reader *r, const char *name,
				struct pos at)
{
	const char **names =
		arena_alloc(r->a, (r->suite->n_setups + 1) * sizeof(*names));

	for (size_t i = 0; i < r->suite->n_setups; i++) {
		if (!strcmp(r->suite->setups[i]->name, name))
			return r->suite->setups[i];
		names[i] = r->suite->setups[i]->name;
	}
	yaml_unknown(r->d, at, "setup", name, names);
	return NULL;
}

static void read_use(struct file_reader *r)
{
	char name[64];
	struct pos at;

	line_word(r, name, sizeof(name), &at);
	r->use = find_setup(r, name, at);
}

static bool name_ok(const char *s)
{
	return *s &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(s);
}

static void read_setup(struct file_reader *r)
{
	char name[64], word[64], base[64];
	const struct setup *from = NULL;
	struct pos at, base_at;
	struct setup *s = ARENA_NEW(r->a, struct setup);

	line_word(r, name, sizeof(name), &at);
	line_word(r, word, sizeof(word), &base_at);
	line_word(r, base, sizeof(base), &base_at);
	if (!name_ok(name) || (*word && strcmp(word, "extends") != 0))
		diags_add(r->d, at,
			  "setup: expected NAME or NAME extends OTHER; names "
			  "have small letters, digits, - and .");
	else if (*word)
		from = find_setup(r, base, base_at);
	for (size_t i = 0; i < r->suite->n_setups; i++)
		if (!strcmp(r->suite->setups[i]->name, name))
			diags_add(r->d, at,
				  "setup '%s' is there already (%s:%u)", name,
				  r->suite->setups[i]->pos.file,
				  r->suite->setups[i]->pos.line);
	if (from) {
		*s = *from;
		s->knobs = NULL;
		s->n_knobs = 0;
		for (size_t i = 0; i < from->n_knobs; i++)
			*ARENA_APPEND(r->a, s->knobs, s->n_knobs) =
				from->knobs[i];
	}
	s->name = arena_strdup(r->a, name);
	s->pos = at;
	*ARENA_APPEND(r->a, r->suite->setups, r->suite->n_setups) = s;
	r->setup = s;
	if (!from)
		s->role = N_CONFORM_ROLES;
}

static void read_case(struct file_reader *r)
{
	char name[96];
	struct pos at;
	struct conform_case *c = ARENA_NEW(r->a, struct conform_case);

	line_word(r, name, sizeof(name), &at);
	if (!name_ok(name))
		diags_add(r->d, at,
			  "case: expected a name of small letters, digits, - "
			  "and .");
	for (size_t i = 0; i < r->suite->n_cases; i++)
		if (!strcmp(r->suite->cases[i]->name, name))
			diags_add(r->d, at,
				  "case '%s' is there already (%s:%u)", name,
				  r->suite->cases[i]->pos.file,
				  r->suite->cases[i]->pos.line);
	if (!r->rfc)
		diags_add(r->d, at, "no `section` says what RFC this is of");
	if (!r->use)
		diags_add(r->d, at, "no `use` says which setup this needs");
	c->name = arena_strdup(r->a, name);
	c->about = line_rest(r);
	if (!*c->about)
		diags_add(r->d, at,
			  "case %s: say what it shows, behind its "
			  "name",
			  name);
	c->rfc = r->rfc;
	c->section = r->section;
	c->title = r->title;
	c->setup = r->use;
	c->pos = at;
	*ARENA_APPEND(r->a, r->suite->cases, r->suite->n_cases) = c;
	r->c = c;
}

/* ---- files -----------------------------------------------------------------
 */

static void close_block(struct file_reader *r)
{
	if (r->c)
		case_close(r);
	if (r->setup)
		setup_close(r);
	r->c = NULL;
	r->setup = NULL;
}

static void read_line(struct file_reader *r)
{
	static const struct {
		const char *word;
		void (*read)(struct file_reader *r);
	} tops[] = {{"let", read_let},
		    {"section", read_section},
		    {"use", read_use},
		    {"setup", read_setup},
		    {"case", read_case}};
	static const char *const words[] = {"let",   "section", "use",
					    "setup", "case",	NULL};

	r->at = 0;
	line_word(r, r->word, sizeof(r->word), NULL);
	if (!r->word[0] || r->word[0] == '#')
		return;
	for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++)
		if (!strcmp(r->word, tops[i].word)) {
			close_block(r);
			tops[i].read(r);
			return;
		}
	if (r->c)
		case_read_line(r);
	else if (r->setup)
		knob_read(r);
	else
		yaml_unknown(r->d, line_pos(r), "word", r->word, words);
}

static bool goes_on(const char *s, const char *end)
{
	while (end > s && strchr(" \t\r", end[-1]))
		end--;
	return end > s && end[-1] == '\\';
}

static void read_file(struct file_reader *r, const char *text)
{
	struct expansion *x = arena_alloc(r->a, sizeof(*x));
	unsigned int number = 0;
	bool more = false;

	while (*text) {
		const char *end = text + strcspn(text, "\n");
		const char *use_end = end;

		number++;
		if (!more)
			x->n = 0;
		more = goes_on(text, end);
		while (more && *use_end != '\\')
			use_end--;
		/* in a comment nothing is replaced */
		if (text[strspn(text, " \t")] != '#')
			expand_line(r, x, text, use_end, number);
		text = *end ? end + 1 : end;
		if (more && *text)
			continue;
		x->s[x->n] = '\0';
		x->pos[x->n] = (struct pos){r->name, number,
					    (unsigned)(use_end - end + 1)};
		x->pos[x->n].column = x->n ? x->pos[x->n - 1].column + 1 : 1;
		r->line = (struct text){x->s, x->pos};
		read_line(r);
	}
	close_block(r);
}

static void load_text(struct suite *s, const char *name, const char *text,
		      struct arena *a, struct diags *d)
{
	struct file_reader r = {
		.suite = s, .a = a, .d = d, .name = arena_strdup(a, name)};

	read_file(&r, text);
}

static void load_file(struct suite *s, const char *path, struct arena *a,
		      struct diags *d)
{
	struct err e = {""};
	size_t len;
	char *text = file_read(path, &len, &e);

	if (!text)
		diags_add(d, (struct pos){arena_strdup(a, path), 0, 0}, "%s",
			  e.text);
	else if (strlen(text) != len)
		diags_add(d, (struct pos){arena_strdup(a, path), 0, 0},
			  "no text: there is a zero byte in it");
	else
		load_text(s, path, text, a, d);
	free(text);
}

static int is_case_file(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return de->d_name[0] != '.' && n > 6 &&
	       !strcmp(de->d_name + n - 6, ".cases");
}

static void load_folder(struct suite *s, const char *path, struct arena *a,
			struct diags *d)
{
	struct dirent **v = NULL;
	int n = scandir(path, &v, is_case_file, alphasort);

	for (int i = 0; i < n; i++) {
		load_file(s, arena_printf(a, "%s/%s", path, v[i]->d_name), a,
			  d);
		free(v[i]);
	}
	free(v);
	if (n <= 0)
		diags_add(d, (struct pos){arena_strdup(a, path), 0, 0},
			  "there is no *.cases file in it");
}

static struct suite *done(struct suite *s, const char *path, struct arena *a,
			  struct diags *d)
{
	if (!d->n && !s->n_cases)
		diags_add(d, (struct pos){arena_strdup(a, path), 0, 0},
			  "there is no case in it");
	return d->n ? NULL : s;
}

struct suite *suite_load(const char *path, struct arena *a, struct diags *d)
{
	struct suite *s = ARENA_NEW(a, struct suite);
	struct stat st;

	if (stat(path, &st))
		diags_add(d, (struct pos){arena_strdup(a, path), 0, 0}, "%s",
			  strerror(errno));
	else if (S_ISDIR(st.st_mode))
		load_folder(s, path, a, d);
	else
		load_file(s, path, a, d);
	return done(s, path, a, d);
}

struct suite *suite_load_text(const char *name, const char *text,
			      struct arena *a, struct diags *d)
{
	struct suite *s = ARENA_NEW(a, struct suite);

	load_text(s, name, text, a, d);
	return done(s, name, a, d);
}
