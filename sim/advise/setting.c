/* SPDX-License-Identifier: MIT */
/* What an overlay sets, in words for the person who sets it for good. */
#include "advise.h"

#include <string.h>

#define GUEST "guest" /* as a device: inside the virtual machine */

struct finder {
	struct arena *a;
	struct setting **v;
	size_t *n;
};

static void add(const struct finder *f, struct setting s)
{
	s.node = s.node ? arena_strdup(f->a, s.node) : NULL;
	s.device = s.device ? arena_strdup(f->a, s.device) : NULL;
	s.feature = s.feature ? arena_strdup(f->a, s.feature) : NULL;
	s.value = arena_strdup(f->a, s.value);
	*ARENA_APPEND(f->a, *f->v, *f->n) = s;
}

/* @set: a map; a name of `offloads:` says nothing here. */
static void add_offloads(const struct finder *f, const char *node,
			 const char *device, const json_t *set)
{
	const char *feature;
	json_t *state;

	json_object_foreach((json_t *)(uintptr_t)set, feature, state)
	{
		const char *word = json_string_value(state);

		if (word && strcmp(word, "keep") != 0)
			add(f, (struct setting){.kind = SETTING_OFFLOAD,
						.node = node,
						.device = device,
						.feature = feature,
						.value = word});
	}
}

/* GRO inside the machine that the engine runs in. */
static void find_guest(const struct finder *f, const char *node,
		       const json_t *plat)
{
	const char *yes = json_string_value(json_object_get(plat, "guest-gro"));

	if (yes)
		add(f, (struct setting){.kind = SETTING_OFFLOAD,
					.node = node,
					.device = GUEST,
					.feature = "gro",
					.value = strcmp(yes, "false") ? "on"
								      : "off"});
}

static void find_attach(const struct finder *f, enum setting_kind kind,
			const char *node, const json_t *holder)
{
	const char *how = json_string_value(json_object_get(holder, "attach"));

	if (how)
		add(f,
		    (struct setting){.kind = kind, .node = node, .value = how});
}

/* Node names may hold hyphens: a link is split where a router's name ends. */
static size_t split_link(const char *link)
{
	static const char *const routers[] = {"access-", "border-", "inet-"};

	for (size_t i = 0; i < sizeof(routers) / sizeof(*routers); i++)
		if (!strncmp(link, routers[i], strlen(routers[i])))
			return strlen(routers[i]) - 1;
	return strcspn(link, "-");
}

static void find_link(const struct finder *f, const char *link,
		      const json_t *profile)
{
	const json_t *set = json_object_get(profile, "offloads");
	size_t len = split_link(link);
	const char *first = arena_printf(f->a, "%.*s", (int)len, link);

	if (!link[len])
		return;
	add_offloads(f, first, link + len + 1, set);
	add_offloads(f, link + len + 1, first, set);
}

static void find_topology(const struct finder *f, const json_t *t)
{
	const char *name;
	json_t *o;

	json_object_foreach(json_object_get(t, "plats"), name, o)
	{
		find_attach(f, SETTING_ATTACH_PLAT, name, o);
		find_guest(f, name, o);
	}
	json_object_foreach(json_object_get(t, "towers"), name, o)
	{
		find_attach(f, SETTING_ATTACH_CLAT, name,
			    json_object_get(o, "homes"));
		find_link(f, arena_printf(f->a, "%s-access", name),
			  json_object_get(o, "radio"));
	}
	json_object_foreach(json_object_get(t, "links"), name, o)
		find_link(f, name, o);
}

static const char *word_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* A home or a server, by its only neighbour: what they do is a circumstance,
 * and nothing that the operator sets. */
static bool is_host(const char *node, const char *device)
{
	return (!strncmp(node, "home", 4) && !strncmp(device, "cpe", 3)) ||
	       (!strcmp(device, "inet") && strcmp(node, "border") != 0);
}

static void find_events(const struct finder *f, const json_t *events)
{
	json_t *o;
	size_t i;

	json_array_foreach(events, i, o)
	{
		const char *node = word_of(o, "node");
		const char *device = word_of(o, "interface");

		if (!strcmp(word_of(o, "do"), "offload") &&
		    !is_host(node, device))
			add_offloads(f, node, device,
				     json_object_get(o, "set"));
	}
}

void settings_read(const json_t *overlay, struct arena *a, struct setting **v,
		   size_t *n)
{
	const struct finder f = {a, v, n};
	const json_t *s = json_object_get(overlay, "scenario");

	find_topology(&f, json_object_get(overlay, "topology"));
	find_events(&f, json_object_get(s, "events"));
	find_events(&f, json_object_get(s, "events+"));
}

/* ---- words -----------------------------------------------------------------
 */

static const char *ethtool_word(const char *feature)
{
	if (!strcmp(feature, "tx-checksum"))
		return "tx";
	if (!strcmp(feature, "rx-checksum"))
		return "rx";
	return feature;
}

static bool is_word(const char *s, const char *word)
{
	return s && !strcmp(s, word);
}

static const char *offload_do(const struct setting *s, struct arena *a)
{
	const char *where;

	if (is_word(s->device, "vm"))
		where = arena_printf(a,
				     "hypervisor, the port that feeds %s: "
				     "ethtool -K PORT",
				     s->node);
	else if (is_word(s->device, GUEST))
		where = arena_printf(a,
				     "%s, inside its virtual machine: "
				     "ethtool -K NIC",
				     s->node);
	else if (is_word(s->device, "nat64") || is_word(s->device, "clat"))
		where = arena_printf(a,
				     "%s, the translator's device: "
				     "ethtool -K %s",
				     s->node, s->device);
	else
		where = arena_printf(a,
				     "%s, the interface towards %s: "
				     "ethtool -K IFACE",
				     s->node, s->device);
	return arena_printf(a, "%s %s %s", where, ethtool_word(s->feature),
			    s->value);
}

/* What stands behind each way to attach an engine. */
static const struct {
	const char *how, *means;
} ways[] = {
	{"tun", "let the engine use a TUN device with offload metadata"},
	{"tun-bpf", "let the engine use a TUN device, and its fast path in the "
		    "kernel beside it (tc BPF)"},
	{"packet", "the engine reads its interfaces without offload metadata "
		   "(AF_PACKET)"},
	{"packet-vnet", "let the engine read its interfaces with offload "
			"metadata (AF_PACKET, vnet headers)"},
	{"vnet", "give its machine a NIC that keeps offload metadata "
		 "(virtio-net on a tap with vnet headers; no LRO below)"},
	{"lossy-merge", "frames may be merged below it and lose their segment "
			"size (LRO, some virtual switches)"},
};

const char *setting_do(const struct setting *s, struct arena *a)
{
	const char *means = "";

	if (s->kind == SETTING_OFFLOAD)
		return offload_do(s, a);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(ways[i].how, s->value))
			means = ways[i].means;
	return arena_printf(a,
			    s->kind == SETTING_ATTACH_PLAT
				    ? "%s: %s%sattach: %s"
				    : "CPEs on %s: %s%sattach: %s",
			    s->node, means, *means ? "; " : "", s->value);
}

/* ---- against a topology ----------------------------------------------------
 */

bool setting_is_usual(const struct setting *s, const char *plats,
		      const char *clats)
{
	const char *engine = s->kind == SETTING_ATTACH_PLAT   ? plats
			     : s->kind == SETTING_ATTACH_CLAT ? clats
							      : NULL;
	const char *const *words = engine ? spec_attach_words(engine) : NULL;

	return words && !strcmp(words[0], s->value);
}

static enum setting_state is_attached(const char *engine, const char *attach,
				      const char *want)
{
	const char *const *words = spec_attach_words(engine);

	if (!attach)
		attach = words ? words[0] : NULL;
	if (!attach)
		return STATE_UNKNOWN;
	return strcmp(attach, want) ? STATE_DIFFERS : STATE_HOLDS;
}

static enum offload_state state_of(const struct offloads *o, const char *word)
{
	if (!strcmp(word, "tso"))
		return o->tso;
	if (!strcmp(word, "gso"))
		return o->gso;
	if (!strcmp(word, "gro"))
		return o->gro;
	if (!strcmp(word, "tx-checksum"))
		return o->tx_checksum;
	if (!strcmp(word, "rx-checksum"))
		return o->rx_checksum;
	return OFFLOAD_KEEP;
}

static enum setting_state offload_in(const struct setting *s,
				     const struct offloads *o)
{
	switch (state_of(o, s->feature)) {
	case OFFLOAD_KEEP:
		return STATE_UNKNOWN;
	case OFFLOAD_ON:
		return is_word(s->value, "on") ? STATE_HOLDS : STATE_DIFFERS;
	case OFFLOAD_OFF:
		return is_word(s->value, "off") ? STATE_HOLDS : STATE_DIFFERS;
	}
	return STATE_UNKNOWN;
}

static bool joins(const struct setting *s, const char *x, const char *y)
{
	return (is_word(s->node, x) && is_word(s->device, y)) ||
	       (is_word(s->node, y) && is_word(s->device, x));
}

static enum setting_state link_in(const struct setting *s,
				  const struct topology *t)
{
	for (size_t i = 0; i < t->n_links; i++)
		if (joins(s, t->links[i].a, t->links[i].b))
			return offload_in(s, &t->links[i].profile.offloads);
	for (size_t i = 0; i < t->n_towers; i++)
		if (joins(s, t->towers[i].name, "access"))
			return offload_in(s, &t->towers[i].radio.offloads);
	return STATE_UNKNOWN;
}

static enum setting_state guest_in(const struct setting *s,
				   const struct topology *t)
{
	for (size_t i = 0; i < t->n_plats; i++)
		if (t->plats[i].guest_gro != is_word(s->value, "on"))
			return STATE_DIFFERS;
	return STATE_HOLDS;
}

/* A PLAT of another name is a PLAT all the same: all of them count. */
enum setting_state setting_in(const struct setting *s, const struct topology *t)
{
	enum setting_state all = STATE_UNKNOWN, one;
	size_t n = s->kind == SETTING_ATTACH_PLAT ? t->n_plats : t->n_towers;

	if (s->kind == SETTING_OFFLOAD)
		return is_word(s->device, GUEST) ? guest_in(s, t)
						 : link_in(s, t);
	for (size_t i = 0; i < n; i++) {
		if (s->kind == SETTING_ATTACH_PLAT)
			one = is_attached(t->plats[i].engine,
					  t->plats[i].attach, s->value);
		else
			one = is_attached(t->towers[i].homes.clat,
					  t->towers[i].homes.attach, s->value);
		if (one == STATE_DIFFERS)
			return one;
		all = one == STATE_HOLDS ? one : all;
	}
	return all;
}
