/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "../base/yaml.h"

#define MAX_POOL4_HOSTS 1024
#define MTU_MAX		65535

/* As the file has it; what needs a second look is still a node. */
struct raw {
	struct ynode *tun, *clat, *eam, *pool4, *statics, *timers;
	struct ynode *pref64, *pool6;
	struct addr self4, self6;
	int filtering, udp_zero;
};

struct reader {
	struct config *c;
	struct raw raw;
	struct arena *a;
	struct diags *d;
	const struct ynode *root;
};

/* Where a config member stands and where a raw one does. */
struct whole {
	struct config c;
	struct raw raw;
};

#define CFG(member) offsetof(struct whole, c.member)
#define RAW(member) offsetof(struct whole, raw.member)

static const char *const filterings[] = {"endpoint-independent",
					 "address-dependent", NULL};
static const char *const udp_zeros[] = {"compute", "drop", NULL};
static const char *const protos[] = {"tcp", "udp", "icmp", NULL};

#define COMMON_FIELDS                                                          \
	{.key = "tun", .type = YF_NODE, .offset = RAW(tun), .required = true}, \
		{.key = "control", .type = YF_STRING, .offset = CFG(control)}, \
		{.key = "lowest-ipv6-mtu",                                     \
		 .type = YF_INT,                                               \
		 .offset = CFG(lowest_mtu6),                                   \
		 .min = 1280,                                                  \
		 .max = MTU_MAX},                                              \
		{.key = "mtu4",                                                \
		 .type = YF_INT,                                               \
		 .offset = CFG(mtu4),                                          \
		 .min = 68,                                                    \
		 .max = MTU_MAX},                                              \
		{.key = "mtu6",                                                \
		 .type = YF_INT,                                               \
		 .offset = CFG(mtu6),                                          \
		 .min = 1280,                                                  \
		 .max = MTU_MAX},                                              \
		{.key = "copy-traffic-class",                                  \
		 .type = YF_BOOL,                                              \
		 .offset = CFG(copy_tc)},                                      \
		{.key = "udp-zero-checksum",                                   \
		 .type = YF_ENUM,                                              \
		 .offset = RAW(udp_zero),                                      \
		 .words = udp_zeros},                                          \
		{.key = "allow-private",                                       \
		 .type = YF_BOOL,                                              \
		 .offset = CFG(allow_private)},                                \
		{.key = "icmp-source4",                                        \
		 .type = YF_ADDR,                                              \
		 .offset = RAW(self4)},                                        \
		{.key = "icmp-source6",                                        \
		 .type = YF_ADDR,                                              \
		 .offset = RAW(self6)},                                        \
		{.key = "icmp-rate",                                           \
		 .type = YF_QUANTITY,                                          \
		 .offset = CFG(icmp_rate_pps),                                 \
		 .unit = UNIT_PPS,                                             \
		 .min = 0,                                                     \
		 .max = 1e6},                                                  \
	{                                                                      \
		.key = "seed", .type = YF_INT, .offset = CFG(seed), .min = 0,  \
		.max = 9007199254740992.0                                      \
	}

static const struct yfield clat_fields[] = {
	COMMON_FIELDS,
	{.key = "pref64",
	 .type = YF_NODE,
	 .offset = RAW(pref64),
	 .required = true},
	{.key = "clat", .type = YF_NODE, .offset = RAW(clat), .required = true},
	{.key = "eam", .type = YF_NODE, .offset = RAW(eam)},
	{0},
};

static const struct yfield siit_fields[] = {
	COMMON_FIELDS,
	{.key = "pref64", .type = YF_NODE, .offset = RAW(pref64)},
	{.key = "eam", .type = YF_NODE, .offset = RAW(eam)},
	{0},
};

static const struct yfield plat_fields[] = {
	COMMON_FIELDS,
	{.key = "pool6",
	 .type = YF_NODE,
	 .offset = RAW(pool6),
	 .required = true},
	{.key = "pool4",
	 .type = YF_NODE,
	 .offset = RAW(pool4),
	 .required = true},
	{.key = "static", .type = YF_NODE, .offset = RAW(statics)},
	{.key = "timers", .type = YF_NODE, .offset = RAW(timers)},
	{.key = "filtering",
	 .type = YF_ENUM,
	 .offset = RAW(filtering),
	 .words = filterings},
	{.key = "sessions",
	 .type = YF_INT,
	 .offset = CFG(sessions),
	 .min = 1,
	 .max = NAT64_MAX_SESSIONS},
	{.key = "subscriber-length",
	 .type = YF_INT,
	 .offset = CFG(subscriber_len),
	 .min = 0,
	 .max = 128},
	{0},
};

static const struct yfield tun_fields[] = {
	{.key = "name",
	 .type = YF_STRING,
	 .offset = CFG(tun_name),
	 .required = true},
	{.key = "mtu",
	 .type = YF_INT,
	 .offset = CFG(tun_mtu),
	 .min = 1280,
	 .max = MTU_MAX},
	{.key = "queue",
	 .type = YF_INT,
	 .offset = CFG(tun_queue),
	 .min = 1,
	 .max = 1000000},
	{0},
};

static void set_defaults(struct whole *w, enum role role)
{
	struct nat64_cfg n;

	nat64_cfg_init(&n);
	w->c = (struct config){
		.role = role,
		.tun_mtu = 1500,
		.tun_queue = 1000,
		.sessions = n.max_sessions,
		.subscriber_len = n.subscriber_len,
		.timers = n.timers,
		.lowest_mtu6 = 1280,
		.copy_tc = true,
		.icmp_rate_pps = 1000,
		.seed = -1,
	};
}

static struct pos pos_of(const struct reader *r, const char *key)
{
	const struct ynode *n = yaml_get(r->root, key);

	return n ? n->pos : r->root->pos;
}

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

static void read_pref64(struct reader *r, const struct ynode *n,
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

static void add_eam(struct reader *r, const struct prefix4 *p4,
		    const struct prefix6 *p6)
{
	*ARENA_APPEND(r->a, r->c->eams, r->c->n_eams) =
		(struct eam_entry){.p4 = *p4, .p6 = *p6};
}

struct clat_pair {
	struct prefix4 lan4;
	struct prefix6 clat6;
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
	{0},
};

/* The network's addresses keep their 32 bits inside the /96. */
static void read_clat_pair(struct reader *r, const struct ynode *n)
{
	struct clat_pair p;
	struct prefix6 p6;

	if (yaml_read_map(n, "clat", clat_pair_fields, &p, r->a, r->d))
		return;
	if (p.clat6.len != 96) {
		diags_add(r->d, yaml_get(n, "clat6")->pos,
			  "`clat6` has length %d; 96 is expected (RFC 6877)",
			  p.clat6.len);
		return;
	}
	p6 = p.clat6;
	memcpy(&p6.addr.s6_addr[12], &p.lan4.addr, 4);
	p6.len = (uint8_t)(96 + p.lan4.len);
	add_eam(r, &p.lan4, &p6);
	if (IN6_IS_ADDR_UNSPECIFIED(&r->c->self6)) {
		uint32_t dummy = htonl(ADDRMAP_DUMMY4);

		r->c->self6 = p.clat6.addr;
		memcpy(&r->c->self6.s6_addr[12], &dummy, 4);
	}
}

static void read_clat(struct reader *r, const struct ynode *n)
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

static const struct yfield eam_fields[] = {
	{.key = "ipv4",
	 .type = YF_PREFIX4,
	 .offset = offsetof(struct eam_entry, p4),
	 .required = true},
	{.key = "ipv6",
	 .type = YF_PREFIX6,
	 .offset = offsetof(struct eam_entry, p6),
	 .required = true},
	{0},
};

static void read_eams(struct reader *r, const struct ynode *n)
{
	if (!expect_list(r, n, "eam"))
		return;
	for (size_t i = 0; i < n->n; i++) {
		struct eam_entry e;

		if (yaml_read_map(n->items[i], "eam", eam_fields, &e, r->a,
				  r->d))
			continue;
		if (32 - e.p4.len > 128 - e.p6.len)
			diags_add(r->d, n->items[i]->pos,
				  "the IPv6 suffix (%d bits) is shorter than "
				  "the IPv4 suffix (%d bits)",
				  128 - e.p6.len, 32 - e.p4.len);
		else
			add_eam(r, &e.p4, &e.p6);
	}
}

static void check_eams(struct reader *r)
{
	const struct config *c = r->c;

	for (size_t i = 1; i < c->n_eams; i++)
		for (size_t k = 0; k < i; k++) {
			const struct eam_entry *x = &c->eams[i];
			const struct eam_entry *y = &c->eams[k];
			char text[ADDR_TEXT_LEN];

			if (x->p4.len == y->p4.len &&
			    prefix4_overlaps(&x->p4, &y->p4))
				diags_add(r->d, pos_of(r, "eam"),
					  "%s is mapped twice",
					  prefix4_format(&x->p4, text));
			else if (x->p6.len == y->p6.len &&
				 prefix6_overlaps(&x->p6, &y->p6))
				diags_add(r->d, pos_of(r, "eam"),
					  "%s is mapped twice",
					  prefix6_format(&x->p6, text));
		}
}

/* ---- pool4 ----------------------------------------------------------------
 */

struct pool_entry {
	struct prefix4 address;
	const char *ports[NAT64_N_PROTOS + 1]; /* the last: all */
};

static const struct yfield pool_fields[] = {
	{.key = "address",
	 .type = YF_PREFIX4,
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

/* A bare word is an address or prefix with all default ports. */
static void read_pool_entry(struct reader *r, const struct ynode *n)
{
	struct pool_entry e = {0};
	struct nat64_pool4 one = {0};
	struct in_addr a;

	if (n->kind == YNODE_SCALAR) {
		if (prefix4_parse(n->text, &e.address)) {
			diags_add(r->d, n->pos,
				  "`%s`: an IPv4 address or prefix without "
				  "host bits is expected",
				  n->text);
			return;
		}
	} else if (yaml_read_map(n, "pool4", pool_fields, &e, r->a, r->d)) {
		return;
	}
	if (e.address.len < 22) {
		diags_add(r->d, n->pos,
			  "/%d holds too many addresses; at most %d (a /22)",
			  e.address.len, MAX_POOL4_HOSTS);
		return;
	}
	pool_ports(r, n, &e, &one);
	for (uint32_t i = 0; !prefix4_host(&e.address, i, &a); i++) {
		for (size_t k = 0; k < r->c->n_pool4; k++)
			if (r->c->pool4[k].addr.s_addr == a.s_addr) {
				diags_add(r->d, n->pos,
					  "pool4 holds an address twice");
				return;
			}
		if (r->c->n_pool4 == MAX_POOL4_HOSTS) {
			diags_add(r->d, n->pos,
				  "pool4 holds more than %d addresses",
				  MAX_POOL4_HOSTS);
			return;
		}
		one.addr = a;
		*ARENA_APPEND(r->a, r->c->pool4, r->c->n_pool4) = one;
	}
}

static void read_pool4(struct reader *r, const struct ynode *n)
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
	if (s.src6.family != AF_INET6) {
		diags_add(r->d, yaml_get(n, "ipv6")->pos,
			  "`ipv6`: an IPv6 address is expected");
		return;
	}
	if (s.src4.family != AF_INET) {
		diags_add(r->d, yaml_get(n, "ipv4")->pos,
			  "`ipv4`: an IPv4 address is expected");
		return;
	}
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

static void read_statics(struct reader *r, const struct ynode *n)
{
	if (!expect_list(r, n, "static"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_static(r, n->items[i]);
}

/* ---- timers ---------------------------------------------------------------
 */

struct timers_raw {
	double tcp_est, tcp_trans, udp, icmp;
};

#define TIMER(k, member)                                                       \
	{                                                                      \
		.key = k, .type = YF_QUANTITY, .unit = UNIT_TIME, .min = 1e8,  \
		.max = 6.048e14, .offset = offsetof(struct timers_raw, member) \
	}

static const struct yfield timer_fields[] = {
	TIMER("tcp-established", tcp_est),
	TIMER("tcp-transitory", tcp_trans),
	TIMER("udp", udp),
	TIMER("icmp", icmp),
	{0},
};

static void read_timers(struct reader *r, const struct ynode *n)
{
	struct nat64_timers *t = &r->c->timers;
	struct timers_raw raw = {(double)t->tcp_est_ns, (double)t->tcp_trans_ns,
				 (double)t->udp_ns, (double)t->icmp_ns};

	if (yaml_read_map(n, "timers", timer_fields, &raw, r->a, r->d))
		return;
	t->tcp_est_ns = (int64_t)raw.tcp_est;
	t->tcp_trans_ns = (int64_t)raw.tcp_trans;
	t->udp_ns = (int64_t)raw.udp;
	t->icmp_ns = (int64_t)raw.icmp;
}

/* ---- the whole ------------------------------------------------------------
 */

static void read_self(struct reader *r)
{
	if (r->raw.self4.family == AF_INET)
		r->c->self4 = r->raw.self4.v4;
	else if (r->raw.self4.family)
		diags_add(r->d, pos_of(r, "icmp-source4"),
			  "`icmp-source4`: an IPv4 address is expected");
	if (r->raw.self6.family == AF_INET6)
		r->c->self6 = r->raw.self6.v6;
	else if (r->raw.self6.family)
		diags_add(r->d, pos_of(r, "icmp-source6"),
			  "`icmp-source6`: an IPv6 address is expected");
}

/* Addresses that lead back to us, where nothing was said. */
static void default_self(struct config *c)
{
	if (c->role == ROLE_CLAT && !c->self4.s_addr)
		c->self4.s_addr = htonl(ADDRMAP_DUMMY4);
	if (c->role != ROLE_PLAT || !c->n_pool4)
		return;
	if (!c->self4.s_addr)
		c->self4 = c->pool4[0].addr;
	if (IN6_IS_ADDR_UNSPECIFIED(&c->self6))
		rfc6052_encode(&c->pref64, c->pool4[0].addr, &c->self6);
}

static void check_tun(struct reader *r)
{
	const char *name = r->c->tun_name;

	if (name && (strlen(name) > 15 || strpbrk(name, "/ %:") ||
		     !strcmp(name, ".") || !strcmp(name, "..")))
		diags_add(r->d, yaml_get(r->raw.tun, "name")->pos,
			  "`name: %s`: a device name of up to 15 letters is "
			  "expected",
			  name);
}

static void read_nodes(struct reader *r)
{
	const struct raw *w = &r->raw;

	if (w->pref64)
		read_pref64(r, w->pref64, "pref64");
	if (w->pool6)
		read_pref64(r, w->pool6, "pool6");
	if (w->clat)
		read_clat(r, w->clat);
	if (w->eam)
		read_eams(r, w->eam);
	check_eams(r);
	if (w->pool4)
		read_pool4(r, w->pool4);
	if (w->statics)
		read_statics(r, w->statics);
	if (w->timers)
		read_timers(r, w->timers);
	read_self(r);
	if (r->c->role == ROLE_SIIT && !w->pref64 && !w->eam)
		diags_add(r->d, r->root->pos,
			  "neither `pref64` nor `eam`: nothing could be "
			  "translated");
}

static struct config *read_root(const struct ynode *root, enum role role,
				struct arena *a, struct diags *d)
{
	static const struct yfield *const fields[] = {clat_fields, siit_fields,
						      plat_fields};
	struct whole *w = ARENA_NEW(a, struct whole);
	struct reader r = {.c = &w->c, .a = a, .d = d, .root = root};

	set_defaults(w, role);
	yaml_read_map(root, role_name(role), fields[role], w, a, d);
	if (root->kind != YNODE_MAP)
		return NULL;
	if (w->raw.tun)
		yaml_read_map(w->raw.tun, "tun", tun_fields, w, a, d);
	r.raw = w->raw;
	if (w->raw.tun && w->raw.tun->kind == YNODE_MAP)
		check_tun(&r);
	read_nodes(&r);
	default_self(&w->c);
	w->c.addr_dependent = w->raw.filtering == 1;
	w->c.udp_zero = w->raw.udp_zero == 1 ? XLAT_UDP_ZERO_DROP
					     : XLAT_UDP_ZERO_COMPUTE;
	w->c.has_seed = w->c.seed >= 0;
	if (!w->c.mtu4)
		w->c.mtu4 = w->c.tun_mtu;
	if (!w->c.mtu6)
		w->c.mtu6 = w->c.tun_mtu;
	return d->n ? NULL : &w->c;
}

struct config *config_load(const char *path, enum role role, struct arena *a,
			   struct diags *d)
{
	struct ynode *root = yaml_load_file(path, a, d);

	return root ? read_root(root, role, a, d) : NULL;
}

struct config *config_load_text(const char *name, const char *text, size_t len,
				enum role role, struct arena *a,
				struct diags *d)
{
	struct ynode *root = yaml_load_text(name, text, len, a, d);

	return root ? read_root(root, role, a, d) : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_pool4(const struct config *a, const struct config *b)
{
	if (a->n_pool4 != b->n_pool4)
		return false;
	for (size_t i = 0; i < a->n_pool4; i++)
		if (memcmp(&a->pool4[i], &b->pool4[i], sizeof(*a->pool4)))
			return false;
	return true;
}

static bool same_statics(const struct config *a, const struct config *b)
{
	if (a->n_statics != b->n_statics)
		return false;
	for (size_t i = 0; i < a->n_statics; i++) {
		const struct config_static *x = &a->statics[i];
		const struct config_static *y = &b->statics[i];

		if (x->proto != y->proto || x->src6_port != y->src6_port ||
		    x->src4_port != y->src4_port ||
		    x->src4.s_addr != y->src4.s_addr ||
		    memcmp(&x->src6, &y->src6, sizeof(x->src6)))
			return false;
	}
	return true;
}

bool config_same_shape(const struct config *now, const struct config *next,
		       const char **what)
{
	bool plat = now->role == ROLE_PLAT;

	*what = !same_text(now->tun_name, next->tun_name) ||
				now->tun_mtu != next->tun_mtu ||
				now->tun_queue != next->tun_queue
			? "tun"
		: !same_text(now->control, next->control) ? "control"
		: now->seed != next->seed		  ? "seed"
		: plat && memcmp(&now->pref64, &next->pref64,
				 sizeof(now->pref64))
			? "pool6"
		: !same_pool4(now, next)		      ? "pool4"
		: !same_statics(now, next)		      ? "static"
		: now->sessions != next->sessions	      ? "sessions"
		: now->addr_dependent != next->addr_dependent ? "filtering"
		: now->subscriber_len != next->subscriber_len
			? "subscriber-length"
			: NULL;
	return !*what;
}
