/* SPDX-License-Identifier: MIT */
/* Prefixes, mappings, pool4 and static entries of a configuration. */
#include <arpa/inet.h>
#include <string.h>

#include "config_internal.h"

#define MAX_POOL4_HOSTS 1024

static const char *const protos[] = {"tcp", "udp", "icmp", NULL};

static bool expect_list(struct reader *r, const struct ynode *n,
			const char *what)
{
	if (n->kind == YNODE_LIST)
		return true;
	diags_add(r->d, n->pos, "`%s`: a list is expected", what);
	return false;
}

/* ---- prefixes -------------------------------------------------------------
 */

void config_read_pref64(struct reader *r, const struct ynode *n,
			const char *key)
{
	if (n->kind != YNODE_SCALAR || prefix6_parse(n->text, &r->c->pref64)) {
		diags_add(r->d, n->pos,
			  "`%s`: an IPv6 prefix such as 64:ff9b::/96, without "
			  "host bits, is expected",
			  key);
		return;
	}
	if (!rfc6052_prefix_valid(&r->c->pref64)) {
		diags_add(r->d, n->pos,
			  "`%s: %s`: RFC 6052 allows /32, /40, /48, /56, /64 "
			  "and /96, with bits 64 to 71 zero",
			  key, n->text);
		return;
	}
	r->c->has_pref64 = true;
}

static void add_eam(struct reader *r, const struct ynode *n,
		    const struct prefix4 *p4, const struct prefix6 *p6)
{
	struct config *c = r->c;
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < c->n_eams; i++) {
		const struct eam_entry *x = &c->eams[i];
		bool same4 =
			x->p4.len == p4->len && prefix4_overlaps(&x->p4, p4);
		bool same6 =
			x->p6.len == p6->len && prefix6_overlaps(&x->p6, p6);

		if (!same4 && !same6)
			continue;
		diags_add(r->d, n->pos, "%s is mapped twice",
			  same4 ? prefix4_format(p4, text)
				: prefix6_format(p6, text));
		return;
	}
	*ARENA_APPEND(r->a, c->eams, c->n_eams) =
		(struct eam_entry){.p4 = *p4, .p6 = *p6};
}

/* A prefix, or an address as the longest of prefixes. */
static bool parse4(const char *text, struct prefix4 *out)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET)
		return !prefix4_parse(text, out);
	*out = (struct prefix4){.addr = a.v4, .len = 32};
	return true;
}

static bool parse6(const char *text, struct prefix6 *out)
{
	struct addr a;

	if (addr_parse(text, &a) || a.family != AF_INET6)
		return !prefix6_parse(text, out);
	*out = (struct prefix6){.addr = a.v6, .len = 128};
	return true;
}

struct clat_pair {
	struct prefix4 lan4;
	struct prefix6 clat6;
	bool neutral;
};

static const struct yfield clat_pair_fields[] = {
	{.key = "lan4",
	 .type = YF_PREFIX4,
	 .offset = offsetof(struct clat_pair, lan4),
	 .required = true},
	{.key = "clat6",
	 .type = YF_PREFIX6,
	 .offset = offsetof(struct clat_pair, clat6),
	 .required = true},
	{.key = "checksum-neutral",
	 .type = YF_BOOL,
	 .offset = offsetof(struct clat_pair, neutral)},
	{0},
};

static bool check_clat6(struct reader *r, const struct ynode *n,
			const struct clat_pair *p)
{
	struct prefix6 probe = {.len = 96}, out;

	if (!p->neutral && p->clat6.len != 96)
		diags_add(r->d, yaml_get(n, "clat6")->pos,
			  "`clat6` has length %d; 96 is expected (RFC 6877)",
			  p->clat6.len);
	else if (p->neutral && !rfc6052_neutral_clat(&p->clat6, &probe, &out))
		diags_add(r->d, yaml_get(n, "clat6")->pos,
			  "`clat6` has length %d; 64 to 80 is expected with "
			  "`checksum-neutral`, and bits 64 to 71 zero",
			  p->clat6.len);
	else
		return true;
	return false;
}

/* The network's addresses keep their 32 bits inside the /96. */
static void read_clat_pair(struct reader *r, const struct ynode *n)
{
	struct clat_pair p = {0};
	struct prefix6 p6;
	struct config *c = r->c;
	size_t before = c->n_eams;

	if (yaml_read_map(n, "clat", clat_pair_fields, &p, r->a, r->d) ||
	    !check_clat6(r, n, &p))
		return;
	config_embed4(&p.clat6, &p.lan4, &p6);
	add_eam(r, n, &p.lan4, &p6);
	if (p.neutral && c->n_eams > before)
		*ARENA_APPEND(r->a, c->neutrals, c->n_neutrals) =
			(struct config_neutral){before, p.clat6};
	if (IN6_IS_ADDR_UNSPECIFIED(&c->self6)) {
		uint32_t dummy = htonl(ADDRMAP_DUMMY4);

		c->self6 = p.clat6.addr;
		memcpy(&c->self6.s6_addr[12], &dummy, 4);
		c->neutral_self = p.neutral;
	}
}

void config_read_clat(struct reader *r, const struct ynode *n)
{
	if (n->kind != YNODE_LIST) {
		read_clat_pair(r, n);
		return;
	}
	if (!n->n)
		diags_add(r->d, n->pos, "`clat` lists no network");
	for (size_t i = 0; i < n->n; i++)
		read_clat_pair(r, n->items[i]);
}

struct eam_raw {
	const char *v4, *v6;
};

static const struct yfield eam_fields[] = {
	{.key = "ipv4",
	 .type = YF_STRING,
	 .offset = offsetof(struct eam_raw, v4),
	 .required = true},
	{.key = "ipv6",
	 .type = YF_STRING,
	 .offset = offsetof(struct eam_raw, v6),
	 .required = true},
	{0},
};

static void read_eam(struct reader *r, const struct ynode *n)
{
	struct eam_raw raw;
	struct prefix4 p4;
	struct prefix6 p6;
	bool good4, good6;

	if (yaml_read_map(n, "eam", eam_fields, &raw, r->a, r->d))
		return;
	good4 = parse4(raw.v4, &p4);
	good6 = parse6(raw.v6, &p6);
	if (!good4)
		diags_add(r->d, yaml_get(n, "ipv4")->pos,
			  "`ipv4: %s`: an IPv4 address or prefix without host "
			  "bits is expected",
			  raw.v4);
	if (!good6)
		diags_add(r->d, yaml_get(n, "ipv6")->pos,
			  "`ipv6: %s`: an IPv6 address or prefix without host "
			  "bits is expected",
			  raw.v6);
	if (!good4 || !good6)
		return;
	if (32 - p4.len > 128 - p6.len)
		diags_add(r->d, n->pos,
			  "the IPv6 suffix (%d bits) is shorter than the IPv4 "
			  "suffix (%d bits)",
			  128 - p6.len, 32 - p4.len);
	else
		add_eam(r, n, &p4, &p6);
}

void config_read_eams(struct reader *r, const struct ynode *n)
{
	if (!expect_list(r, n, "eam"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_eam(r, n->items[i]);
}

/* ---- pool4 ----------------------------------------------------------------
 */

struct pool_entry {
	const char *address;
	const char *ports[NAT64_N_PROTOS + 1]; /* the last: all */
};

static const struct yfield pool_fields[] = {
	{.key = "address",
	 .type = YF_STRING,
	 .offset = offsetof(struct pool_entry, address),
	 .required = true},
	{.key = "tcp",
	 .type = YF_STRING,
	 .offset = offsetof(struct pool_entry, ports[NAT64_TCP])},
	{.key = "udp",
	 .type = YF_STRING,
	 .offset = offsetof(struct pool_entry, ports[NAT64_UDP])},
	{.key = "icmp",
	 .type = YF_STRING,
	 .offset = offsetof(struct pool_entry, ports[NAT64_ICMP])},
	{.key = "ports",
	 .type = YF_STRING,
	 .offset = offsetof(struct pool_entry, ports[NAT64_N_PROTOS])},
	{0},
};

/* "LO-HI" or "PORT", decimal. */
static bool parse_range(const char *s, uint16_t *lo, uint16_t *hi)
{
	unsigned int v[2] = {0, 0}, n = 0, digits = 0;

	for (;; s++) {
		if (*s >= '0' && *s <= '9' && digits < 5) {
			v[n] = v[n] * 10 + (unsigned int)(*s - '0');
			digits++;
		} else if (*s == '-' && digits && !n) {
			n = 1;
			digits = 0;
		} else {
			break;
		}
	}
	if (*s || !digits)
		return false;
	if (!n)
		v[1] = v[0];
	if (v[0] > v[1] || v[1] > 65535 || !v[1])
		return false;
	*lo = (uint16_t)v[0];
	*hi = (uint16_t)v[1];
	return true;
}

static void pool_ports(struct reader *r, const struct ynode *n,
		       const struct pool_entry *e, struct nat64_pool4 *out)
{
	static const char *const keys[] = {"tcp", "udp", "icmp", "ports"};

	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		unsigned int from = e->ports[k] ? k : NAT64_N_PROTOS;
		const char *text = e->ports[from];

		/* identifiers have no privileged range */
		out->ports[k].lo = k == NAT64_ICMP ? 0 : 1024;
		out->ports[k].hi = 65535;
		if (text &&
		    !parse_range(text, &out->ports[k].lo, &out->ports[k].hi)) {
			diags_add(r->d, yaml_get(n, keys[from])->pos,
				  "`%s: %s`: a range such as 1024-65535 is "
				  "expected",
				  keys[from], text);
			return;
		}
	}
}

/* All addresses of @p, with the ports of @one. */
static void add_pool(struct reader *r, const struct ynode *n,
		     const struct prefix4 *p, struct nat64_pool4 *one)
{
	struct config *c = r->c;
	struct in_addr a;

	for (uint32_t i = 0; !prefix4_host(p, i, &a); i++) {
		for (size_t k = 0; k < c->n_pool4; k++)
			if (c->pool4[k].addr.s_addr == a.s_addr) {
				diags_add(r->d, n->pos,
					  "pool4 holds an address twice");
				return;
			}
		if (c->n_pool4 == MAX_POOL4_HOSTS) {
			diags_add(r->d, n->pos,
				  "pool4 holds more than %d addresses",
				  MAX_POOL4_HOSTS);
			return;
		}
		one->addr = a;
		*ARENA_APPEND(r->a, c->pool4, c->n_pool4) = *one;
	}
}

/* A bare word is an address or prefix with all default ports. */
static void read_pool_entry(struct reader *r, const struct ynode *n)
{
	struct pool_entry e = {0};
	struct nat64_pool4 one = {0};
	const struct ynode *at = n;
	struct prefix4 p;

	if (n->kind == YNODE_SCALAR) {
		e.address = n->text;
	} else {
		if (yaml_read_map(n, "pool4", pool_fields, &e, r->a, r->d))
			return;
		at = yaml_get(n, "address");
	}
	if (!parse4(e.address, &p)) {
		diags_add(r->d, at->pos,
			  "`%s`: an IPv4 address or prefix without host bits "
			  "is expected",
			  e.address);
		return;
	}
	if (p.len < 22) {
		diags_add(r->d, at->pos,
			  "/%d holds too many addresses; at most %d (a /22)",
			  p.len, MAX_POOL4_HOSTS);
		return;
	}
	pool_ports(r, n, &e, &one);
	add_pool(r, at, &p, &one);
}

void config_read_pool4(struct reader *r, const struct ynode *n)
{
	if (n->kind == YNODE_SCALAR) {
		read_pool_entry(r, n);
		return;
	}
	if (!expect_list(r, n, "pool4"))
		return;
	if (!n->n)
		diags_add(r->d, n->pos, "`pool4` lists no address");
	for (size_t i = 0; i < n->n; i++)
		read_pool_entry(r, n->items[i]);
}

/* ---- static BIB entries ---------------------------------------------------
 */

struct static_raw {
	int proto;
	struct addr src6, src4;
	int64_t src6_port, src4_port;
};

static const struct yfield static_fields[] = {
	{.key = "proto",
	 .type = YF_ENUM,
	 .offset = offsetof(struct static_raw, proto),
	 .words = protos,
	 .required = true},
	{.key = "ipv6",
	 .type = YF_ADDR,
	 .offset = offsetof(struct static_raw, src6),
	 .required = true},
	{.key = "ipv4",
	 .type = YF_ADDR,
	 .offset = offsetof(struct static_raw, src4),
	 .required = true},
	{.key = "port6",
	 .type = YF_INT,
	 .offset = offsetof(struct static_raw, src6_port),
	 .min = 0,
	 .max = 65535,
	 .required = true},
	{.key = "port4",
	 .type = YF_INT,
	 .offset = offsetof(struct static_raw, src4_port),
	 .min = 0,
	 .max = 65535,
	 .required = true},
	{0},
};

static void read_static(struct reader *r, const struct ynode *n)
{
	struct static_raw s;

	if (yaml_read_map(n, "static", static_fields, &s, r->a, r->d))
		return;
	if (s.src6.family != AF_INET6)
		diags_add(r->d, yaml_get(n, "ipv6")->pos,
			  "`ipv6`: an IPv6 address is expected");
	if (s.src4.family != AF_INET)
		diags_add(r->d, yaml_get(n, "ipv4")->pos,
			  "`ipv4`: an IPv4 address is expected");
	if (s.src6.family != AF_INET6 || s.src4.family != AF_INET)
		return;
	*ARENA_APPEND(r->a, r->c->statics, r->c->n_statics) =
		(struct config_static){
			.proto = (enum nat64_proto)s.proto,
			.src6 = s.src6.v6,
			.src4 = s.src4.v4,
			.src6_port = (uint16_t)s.src6_port,
			.src4_port = (uint16_t)s.src4_port,
			.pos = n->pos,
		};
}

void config_read_statics(struct reader *r, const struct ynode *n)
{
	if (!expect_list(r, n, "static"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_static(r, n->items[i]);
}
