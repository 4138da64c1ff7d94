/* SPDX-License-Identifier: MIT */
/* The nodes and links that a topology makes, by name. */
#include "spec_internal.h"

#include <ctype.h>
#include <string.h>

static void add_node(struct names *n, struct arena *a, const char *name,
		     enum known_kind kind)
{
	size_t kinds = n->n;

	*ARENA_APPEND(a, n->kinds, kinds) = kind;
	*ARENA_APPEND(a, n->nodes, n->n) = name;
}

static void add_link(struct names *n, struct arena *a, const char *x,
		     const char *y)
{
	const char *text = arena_printf(a, "%s-%s", x, y);

	*ARENA_APPEND(a, n->links, n->n_links) =
		(struct known_link){.a = x, .b = y, .text = text};
}

static void add_homes(struct names *n, struct arena *a,
		      const struct tower_spec *t, int64_t *number)
{
	for (int64_t i = 0; i < t->homes.count; i++, ++*number) {
		const char *home = arena_printf(a, "home%d", (int)*number);
		const char *cpe = arena_printf(a, "cpe%d", (int)*number);

		add_node(n, a, home, KNOWN_HOME);
		add_node(n, a, cpe, KNOWN_CPE);
		add_link(n, a, home, cpe);
		add_link(n, a, cpe, t->name);
	}
}

static void add_internet(struct names *n, struct arena *a,
			 const struct topology *t)
{
	add_node(n, a, "border", KNOWN_BORDER);
	add_node(n, a, "inet", KNOWN_INET);
	add_node(n, a, "dns", KNOWN_DNS);
	add_link(n, a, "border", "inet");
	add_link(n, a, "inet", "dns");
	for (size_t i = 0; i < t->internet.n_names; i++) {
		const char *node = t->internet.names[i].node;

		add_node(n, a, node, KNOWN_SERVER);
		add_link(n, a, "inet", node);
	}
}

/* The lists that messages pick suggestions from. */
static void list_words(struct names *n, struct arena *a,
		       const struct topology *t)
{
	size_t words = 0, targets = 0;

	for (size_t i = 0; i < n->n_links; i++)
		*ARENA_APPEND(a, n->link_words, words) = n->links[i].text;
	*ARENA_APPEND(a, n->link_words, words) = NULL;
	for (size_t i = 0; i < t->internet.n_names; i++)
		*ARENA_APPEND(a, n->targets, targets) =
			t->internet.names[i].name;
	for (size_t i = 0; i < n->n; i++)
		*ARENA_APPEND(a, n->targets, targets) = n->nodes[i];
	*ARENA_APPEND(a, n->targets, targets) = NULL;
	words = n->n;
	*ARENA_APPEND(a, n->nodes, words) = NULL;
}

struct names *names_new(const struct topology *t, struct arena *a)
{
	struct names *n = ARENA_NEW(a, struct names);
	int64_t number = 1;

	add_node(n, a, "access", KNOWN_ACCESS);
	for (size_t i = 0; i < t->n_towers; i++) {
		const struct tower_spec *tower = &t->towers[i];

		add_node(n, a, tower->name, KNOWN_TOWER);
		add_link(n, a, tower->name, "access");
		add_homes(n, a, tower, &number);
	}
	for (size_t i = 0; i < t->n_plats; i++) {
		add_node(n, a, t->plats[i].name, KNOWN_PLAT);
		add_link(n, a, "access", t->plats[i].name);
		add_link(n, a, t->plats[i].name, "border");
	}
	if (t->standby && t->n_plats == 2)
		add_link(n, a, t->plats[0].name, t->plats[1].name);
	add_internet(n, a, t);
	list_words(n, a, t);
	return n;
}

int names_find(const struct names *n, const char *node)
{
	for (size_t i = 0; i < n->n; i++)
		if (!strcmp(n->nodes[i], node))
			return (int)i;
	return -1;
}

/* "@x-@y", without writing it down. */
static bool is_pair(const char *text, const char *x, const char *y)
{
	size_t len = strlen(x);

	return !strncmp(text, x, len) && text[len] == '-' &&
	       !strcmp(text + len + 1, y);
}

const struct known_link *names_find_link(const struct names *n,
					 const char *text)
{
	for (size_t i = 0; i < n->n_links; i++)
		if (is_pair(text, n->links[i].a, n->links[i].b) ||
		    is_pair(text, n->links[i].b, n->links[i].a))
			return &n->links[i];
	return NULL;
}

bool names_linked(const struct names *n, const char *a, const char *b)
{
	for (size_t i = 0; i < n->n_links; i++) {
		const struct known_link *l = &n->links[i];

		if ((!strcmp(l->a, a) && !strcmp(l->b, b)) ||
		    (!strcmp(l->a, b) && !strcmp(l->b, a)))
			return true;
	}
	return false;
}

const char **names_neighbours(const struct names *n, const char *node,
			      struct arena *a)
{
	const char **v = NULL;
	size_t count = 0;

	for (size_t i = 0; i < n->n_links; i++) {
		if (!strcmp(n->links[i].a, node))
			*ARENA_APPEND(a, v, count) = n->links[i].b;
		else if (!strcmp(n->links[i].b, node))
			*ARENA_APPEND(a, v, count) = n->links[i].a;
	}
	*ARENA_APPEND(a, v, count) = NULL;
	return v;
}

const struct name_spec *name_find(const struct topology *t, const char *name)
{
	for (size_t i = 0; i < t->internet.n_names; i++)
		if (!strcmp(t->internet.names[i].name, name))
			return &t->internet.names[i];
	return NULL;
}

static bool is_numbered(const char *name, const char *stem)
{
	size_t len = strlen(stem);

	return !strncmp(name, stem, len) && name[len] &&
	       !name[len + strspn(name + len, "0123456789")];
}

bool name_is_reserved(const char *name)
{
	static const char *const words[] = {"access", "border", "inet", "dns",
					    "relay",  "lo",	"any"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(name, words[i]))
			return true;
	return is_numbered(name, "home") || is_numbered(name, "cpe");
}

bool name_is_dns(const char *name)
{
	size_t label = 0;

	if (strlen(name) > 253)
		return false;
	for (const char *p = name;; p++) {
		if (*p == '.' || *p == '\0') {
			if (label == 0 || label > 63 || p[-1] == '-')
				return false;
			if (*p == '\0')
				return true;
			label = 0;
			continue;
		}
		if (!islower((unsigned char)*p) &&
		    !isdigit((unsigned char)*p) && *p != '_' &&
		    (*p != '-' || label == 0))
			return false;
		label++;
	}
}

const char *name_of_file(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = arena_strdup(a, slash ? slash + 1 : path);
	size_t n = strlen(name);

	if (n > 5 && !strcmp(name + n - 5, ".yaml"))
		name[n - 5] = '\0';
	return name;
}

/* ---- devices of engines ------------------------------------------------- */

static bool has_wire(const char *attach)
{
	return attach && (!strcmp(attach, "lossy-merge") ||
			  !strncmp(attach, "packet", 6));
}

/* nat64 at a PLAT, clat at a CPE; and vm, the far end of either where an engine
 * takes frames there. */
bool names_engine_device(const struct names *n, const struct topology *t,
			 const char *node, const char *iface)
{
	enum known_kind kind = n->kinds[names_find(n, node)];
	bool vm = !strcmp(iface, "vm");

	if (kind == KNOWN_CPE && !strcmp(iface, "clat"))
		return !t->plain4;
	if (kind == KNOWN_PLAT && !strcmp(iface, "nat64"))
		return true;
	for (size_t i = 0; vm && kind == KNOWN_PLAT && i < t->n_plats; i++)
		if (!strcmp(t->plats[i].name, node))
			return has_wire(t->plats[i].attach);
	for (size_t i = 0; vm && kind == KNOWN_CPE && i < t->n_towers; i++)
		if (has_wire(t->towers[i].homes.attach))
			return true;
	return false;
}
