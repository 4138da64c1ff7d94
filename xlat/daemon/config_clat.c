/* SPDX-License-Identifier: MIT */
/* What a CLAT may be told instead of addresses: where to learn the PLAT's
 * prefix, and to choose addresses that leave checksums alone. */
#include "config_internal.h"

#include <net/if.h>
#include <string.h>

static const char *const sources[] = {"dns", "ra", "auto", NULL};
static const enum config_pref64 meanings[] = {
	CONFIG_PREF64_DNS, CONFIG_PREF64_RA, CONFIG_PREF64_AUTO};

struct raw_source {
	int from;
	const char *interface;
	struct ynode *servers;
};

static const struct yfield source_fields[] = {
	{.key = "from",
	 .type = YF_ENUM,
	 .offset = offsetof(struct raw_source, from),
	 .words = sources,
	 .required = true},
	{.key = "interface",
	 .type = YF_STRING,
	 .offset = offsetof(struct raw_source, interface)},
	{.key = "servers",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_source, servers)},
	{0},
};

bool config_parse_server(const char *text, struct config_server *out)
{
	size_t len = strcspn(text, "%");
	char plain[INET6_ADDRSTRLEN];
	struct addr a;

	*out = (struct config_server){.zone = ""};
	if (len >= sizeof(plain))
		return false;
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (addr_parse(plain, &a) || a.family != AF_INET6)
		return false;
	out->addr = a.v6;
	if (!text[len])
		return !IN6_IS_ADDR_LINKLOCAL(&a.v6);
	text += len + 1;
	if (!*text || strlen(text) >= sizeof(out->zone))
		return false;
	strcpy(out->zone, text);
	return IN6_IS_ADDR_LINKLOCAL(&a.v6);
}

static void read_servers(struct reader *r, const struct ynode *n)
{
	struct config *c = r->c;

	if (n->kind != YNODE_LIST || !n->n) {
		diags_add(r->d, n->pos,
			  "`servers`: a list of IPv6 addresses is expected");
		return;
	}
	for (size_t i = 0; i < n->n; i++) {
		const struct ynode *x = n->items[i];
		struct config_server server;

		if (x->kind != YNODE_SCALAR ||
		    !config_parse_server(x->text, &server))
			diags_add(r->d, x->pos,
				  "`servers`: an IPv6 address is expected, "
				  "with its interface if it is link-local, as "
				  "fe80::1%%wan");
		else
			*ARENA_APPEND(r->a, c->servers, c->n_servers) = server;
	}
}

static void read_source(struct reader *r, const struct ynode *n)
{
	struct raw_source raw = {0};
	bool dns, ra;

	if (yaml_read_map(n, "pref64", source_fields, &raw, r->a, r->d))
		return;
	r->c->pref64_by = meanings[raw.from];
	dns = config_asks_dns(r->c);
	ra = config_hears_routers(r->c);
	if (!ra && raw.interface)
		diags_add(r->d, yaml_get(n, "interface")->pos,
			  "`interface` goes with `from: ra` or `from: auto`");
	if (!dns && raw.servers)
		diags_add(r->d, yaml_get(n, "servers")->pos,
			  "`servers` goes with `from: dns` or `from: auto`");
	if (ra && !raw.interface)
		diags_add(r->d, n->pos,
			  "`interface` is missing: where routers advertise");
	if (raw.interface && strlen(raw.interface) >= IF_NAMESIZE)
		diags_add(r->d, yaml_get(n, "interface")->pos,
			  "`interface: %s`: a name of up to 15 letters is "
			  "expected",
			  raw.interface);
	r->c->ra_interface = raw.interface;
	if (dns && raw.servers)
		read_servers(r, raw.servers);
}

void config_read_clat_pref64(struct reader *r, const struct ynode *n)
{
	if (n->kind == YNODE_MAP)
		read_source(r, n);
	else
		config_read_pref64(r, n, "pref64");
}

/* ---- checksum-neutral ------------------------------------------------------
 */

void config_embed4(const struct prefix6 *clat6, const struct prefix4 *lan4,
		   struct prefix6 *out)
{
	*out = *clat6;
	memcpy(&out->addr.s6_addr[12], &lan4->addr, 4);
	out->len = (uint8_t)(96 + lan4->len);
}

/* The /96 of a neutral mapping; false: @p allows none. */
static bool neutral_clat(const struct config_neutral *x,
			 const struct prefix6 *p, struct prefix6 *clat6)
{
	if (p)
		return rfc6052_neutral_clat(&x->from, p, clat6);
	*clat6 = (struct prefix6){x->from.addr, 96};
	return true;
}

bool config_set_pref64(struct config *c, const struct prefix6 *p)
{
	struct in_addr dummy = {htonl(ADDRMAP_DUMMY4)};
	struct prefix6 clat6;

	for (size_t i = 0; i < c->n_neutrals; i++)
		if (!neutral_clat(&c->neutrals[i], p, &clat6))
			return false;
	c->has_pref64 = p != NULL;
	if (p)
		c->pref64 = *p;
	for (size_t i = 0; i < c->n_neutrals; i++) {
		const struct config_neutral *x = &c->neutrals[i];
		struct eam_entry *entry = &c->eams[x->eam];

		neutral_clat(x, p, &clat6);
		config_embed4(&clat6, &entry->p4, &entry->p6);
		if (i == 0 && c->neutral_self)
			rfc6052_encode(&clat6, dummy, &c->self6);
	}
	return true;
}

bool config_asks_dns(const struct config *c)
{
	return c->pref64_by == CONFIG_PREF64_DNS ||
	       c->pref64_by == CONFIG_PREF64_AUTO;
}

bool config_hears_routers(const struct config *c)
{
	return c->pref64_by == CONFIG_PREF64_RA ||
	       c->pref64_by == CONFIG_PREF64_AUTO;
}

static bool same_servers(const struct config *a, const struct config *b)
{
	if (a->n_servers != b->n_servers)
		return false;
	for (size_t i = 0; i < a->n_servers; i++)
		if (memcmp(&a->servers[i].addr, &b->servers[i].addr, 16) != 0 ||
		    strcmp(a->servers[i].zone, b->servers[i].zone) != 0)
			return false;
	return true;
}

bool config_same_discovery(const struct config *a, const struct config *b)
{
	bool same_if = a->ra_interface && b->ra_interface
			       ? !strcmp(a->ra_interface, b->ra_interface)
			       : a->ra_interface == b->ra_interface;

	return a->pref64_by == b->pref64_by && same_if && same_servers(a, b);
}
