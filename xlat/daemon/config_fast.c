/* SPDX-License-Identifier: MIT */
/* Which interfaces the fast path attaches to. */
#include <net/if.h>
#include <string.h>

#include "../bpf/fastpath.h"
#include "config_internal.h"

static bool is_listed(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_fast_interfaces; i++)
		if (!strcmp(c->fast_interfaces[i], name))
			return true;
	return false;
}

static void read_interface(struct reader *r, const struct ynode *x)
{
	struct config *c = r->c;

	if (x->kind != YNODE_SCALAR || !*x->text ||
	    strlen(x->text) >= IF_NAMESIZE)
		diags_add(r->d, x->pos,
			  "`fast-path`: the name of an interface, up to 15 "
			  "letters, is expected");
	else if (is_listed(c, x->text))
		diags_add(r->d, x->pos, "`fast-path` lists `%s` twice",
			  x->text);
	else if (!strcmp(x->text, c->tun_name ? c->tun_name : ""))
		diags_add(r->d, x->pos,
			  "`fast-path`: `%s` is the TUN device; the interfaces "
			  "that packets come in by are expected",
			  x->text);
	else
		*ARENA_APPEND(r->a, c->fast_interfaces, c->n_fast_interfaces) =
			x->text;
}

void config_read_fast_path(struct reader *r, const struct ynode *n)
{
	if (n->kind != YNODE_LIST || !n->n || n->n > FASTPATH_INTERFACES) {
		diags_add(r->d, n->pos,
			  "`fast-path`: a list of 1 to %d interfaces is "
			  "expected",
			  FASTPATH_INTERFACES);
		return;
	}
	if (r->c->io != CONFIG_IO_TUN)
		diags_add(r->d, n->pos, "`fast-path` goes with `io: tun`");
	if (!fastpath_built())
		diags_add(r->d, n->pos,
			  "`fast-path`: xlatd was built without it, for clang "
			  "was missing");
	for (size_t i = 0; i < n->n; i++)
		read_interface(r, n->items[i]);
}

bool config_same_fast_path(const struct config *a, const struct config *b)
{
	if (a->n_fast_interfaces != b->n_fast_interfaces)
		return false;
	for (size_t i = 0; i < a->n_fast_interfaces; i++)
		if (strcmp(a->fast_interfaces[i], b->fast_interfaces[i]) != 0)
			return false;
	return true;
}
