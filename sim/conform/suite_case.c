/* SPDX-License-Identifier: MIT */
/* The lines of a case: packets, waits, checks. */
#include <string.h>

#include "../../xlat/base/units.h"
#include "../../xlat/base/yaml.h"
#include "suite_internal.h"

static struct step *add_step(struct file_reader *r, enum step_kind kind)
{
	struct step *s = ARENA_APPEND(r->a, r->c->steps, r->c->n_steps);

	s->kind = kind;
	s->pos = line_pos(r);
	return s;
}

/* "4>", "6<": which side, and whether it arrives. */
static bool is_arrow(const char *w, int *side, bool *arrives)
{
	if ((w[0] != '4' && w[0] != '6') || (w[1] != '<' && w[1] != '>') ||
	    w[2])
		return false;
	*side = w[0] - '0';
	*arrives = w[1] == '<';
	return true;
}

static void read_packet(struct file_reader *r, int side, bool arrives)
{
	struct step *s = add_step(r, arrives ? STEP_EXPECT : STEP_SEND);

	s->side = side;
	s->packet = packet_parse(&r->line, r->at, arrives, &r->c->names, r->a,
				 r->d);
	if (s->packet && packet_is_ip6(s->packet) != (side == 6))
		diags_add(r->d, s->pos, "an IPv%d packet on side %d",
			  side == 6 ? 4 : 6, side);
}

static void read_or(struct file_reader *r)
{
	size_t n = r->c->n_steps;
	struct step *s = n ? &r->c->steps[n - 1] : NULL, *other;
	struct pos at;
	char word[64];
	bool arrives;
	int side;

	line_word(r, word, sizeof(word), &at);
	if (!s || s->kind != STEP_EXPECT) {
		diags_add(r->d, at, "`or` follows a packet that arrives");
	} else if (!strcmp(word, "nothing")) {
		s->or_nothing = true;
	} else if (is_arrow(word, &side, &arrives) && arrives) {
		other = ARENA_APPEND(r->a, s->others, s->n_others);
		other->kind = STEP_EXPECT;
		other->side = side;
		other->pos = at;
		other->packet = packet_parse(&r->line, r->at, true,
					     &r->c->names, r->a, r->d);
		if (other->packet &&
		    packet_is_ip6(other->packet) != (side == 6))
			diags_add(r->d, at, "an IPv%d packet on side %d",
				  side == 6 ? 4 : 6, side);
	} else {
		diags_add(r->d, at,
			  "or: expected `nothing`, or 4< or 6< and a packet");
	}
}

static void read_wait(struct file_reader *r)
{
	struct step *s = add_step(r, STEP_WAIT);
	char word[64];
	struct pos at;
	double ns;

	line_word(r, word, sizeof(word), &at);
	if (units_parse(word, UNIT_TIME, &ns) || ns <= 0 || ns > 1e6 * 1e9)
		diags_add(r->d, at, "wait: expected %s, not '%s'",
			  units_expect(UNIT_TIME), word);
	else
		s->wait_ns = (int64_t)ns;
}

static int read_name(struct file_reader *r, const char *word, struct pos at)
{
	const struct bind_names *n = &r->c->names;

	for (size_t i = 0; *word == '@' && i < n->n; i++)
		if (!strcmp(n->names[i], word + 1) && n->known[i])
			return (int)i;
	diags_add(r->d, at,
		  "'%s': expected @NAME that a packet that arrived "
		  "has set",
		  word);
	return 0;
}

static void read_check_range(struct file_reader *r, struct step *s,
			     const char *word, struct pos at)
{
	const char *dots = strstr(word, "..");
	char lo[64];

	snprintf(lo, sizeof(lo), "%.*s", (int)(dots ? dots - word : 0), word);
	if (!dots || !number_parse(lo, &s->lo) ||
	    !number_parse(dots + 2, &s->hi))
		diags_add(r->d, at,
			  "check: expected a range such as 1024..65535");
}

static void read_check(struct file_reader *r)
{
	static const char *const ops[] = {"==", "!=",	  "<", ">",
					  "in", "parity", NULL};
	struct step *s = add_step(r, STEP_CHECK);
	char left[64], op[64], right[64];
	struct pos at, op_at, right_at;

	line_word(r, left, sizeof(left), &at);
	line_word(r, op, sizeof(op), &op_at);
	line_word(r, right, sizeof(right), &right_at);
	s->left = read_name(r, left, at);
	s->right = -1;
	for (size_t i = 0; ops[i]; i++)
		if (!strcmp(ops[i], op))
			s->op = ops[i];
	if (!s->op)
		yaml_unknown(r->d, op_at, "comparison", op, ops);
	else if (!strcmp(s->op, "in"))
		read_check_range(r, s, right, right_at);
	else if (*right == '@')
		s->right = read_name(r, right, right_at);
	else if (!number_parse(right, &s->lo))
		diags_add(r->d, right_at,
			  "check: expected @NAME or a number, not '%s'", right);
}

static bool is_expecting(const struct step *s)
{
	return s->kind == STEP_EXPECT || s->kind == STEP_NOTHING;
}

static void read_nothing(struct file_reader *r)
{
	size_t n = r->c->n_steps;

	if (n && is_expecting(&r->c->steps[n - 1]))
		diags_add(r->d, line_pos(r),
			  "nothing: that nothing else arrives goes without "
			  "saying");
	add_step(r, STEP_NOTHING);
}

void case_read_line(struct file_reader *r)
{
	static const char *const words[] = {"4>",    "6>",   "4<",	"6<",
					    "or",    "wait", "nothing", "check",
					    "fresh", NULL};
	char word[64];
	struct pos at;
	bool arrives;
	int side;

	if (is_arrow(r->word, &side, &arrives)) {
		read_packet(r, side, arrives);
		return;
	}
	if (!strcmp(r->word, "or")) {
		read_or(r);
		return;
	}
	if (!strcmp(r->word, "wait"))
		read_wait(r);
	else if (!strcmp(r->word, "check"))
		read_check(r);
	else if (!strcmp(r->word, "nothing"))
		read_nothing(r);
	else if (!strcmp(r->word, "fresh"))
		r->c->fresh = true;
	else
		yaml_unknown(r->d, line_pos(r), "word of a case", r->word,
			     words);
	line_word(r, word, sizeof(word), &at);
	if (*word && !r->d->n)
		diags_add(r->d, at, "unexpected '%s'", word);
}

void case_close(struct file_reader *r)
{
	size_t sends = 0, expects = 0;

	for (size_t i = 0; i < r->c->n_steps; i++) {
		sends += r->c->steps[i].kind == STEP_SEND;
		expects += is_expecting(&r->c->steps[i]);
	}
	if (r->d->n)
		return;
	if (!sends)
		diags_add(r->d, r->c->pos, "case %s sends nothing", r->c->name);
	else if (!expects)
		diags_add(r->d, r->c->pos,
			  "case %s expects nothing: if that is meant, say "
			  "`nothing`",
			  r->c->name);
}
