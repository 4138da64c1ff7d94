/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

#define MTU_MAX 65535

/* Where a config member stands and where a raw one does. */
struct whole {
	struct config c;
	struct raw raw;
};

#define CFG(member) offsetof(struct whole, c.member)
#define RAW(member) offsetof(struct whole, raw.member)

static const char *const syn_words[] = {"store", "drop", NULL};
static const char *const filterings[] = {"endpoint-independent",
					 "address-dependent", NULL};
static const char *const ios[] = {"tun", "packet", "packet-vnet", NULL};
static const char *const udp_zeros[] = {"compute", "drop", NULL};
static const char *const hairpins[] = {"intrinsic", "simple", "off", NULL};

#define ICMP_POOL_FIELDS                                                       \
	{.key = "icmp-pool4", .type = YF_PREFIX4, .offset = CFG(pool6791)},    \
	{                                                                      \
		.key = "icmp-name-source", .type = YF_BOOL,                    \
		.offset = CFG(tell_source)                                     \
	}

#define COMMON_FIELDS                                                          \
	{.key = "tun", .type = YF_NODE, .offset = RAW(tun), .required = true}, \
		{.key = "io",                                                  \
		 .type = YF_ENUM,                                              \
		 .offset = RAW(io),                                            \
		 .words = ios},                                                \
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
		{.key = "clamp-mss",                                           \
		 .type = YF_NODE,                                              \
		 .offset = RAW(clamp_mss)},                                    \
		{.key = "copy-traffic-class",                                  \
		 .type = YF_BOOL,                                              \
		 .offset = CFG(copy_tc)},                                      \
		{.key = "tos",                                                 \
		 .type = YF_INT,                                               \
		 .offset = CFG(tos),                                           \
		 .min = 0,                                                     \
		 .max = 255},                                                  \
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
		{.key = "realtime", .type = YF_BOOL, .offset = CFG(realtime)}, \
		{.key = "test-clock",                                          \
		 .type = YF_BOOL,                                              \
		 .offset = CFG(test_clock)},                                   \
	{                                                                      \
		.key = "seed", .type = YF_INT, .offset = CFG(seed), .min = 0,  \
		.max = 9007199254740992.0                                      \
	}

#define FAST_FIELD                                                             \
	{                                                                      \
		.key = "fast-path", .type = YF_NODE, .offset = RAW(fast)       \
	}

static const struct yfield clat_fields[] = {
	COMMON_FIELDS,
	{.key = "pref64",
	 .type = YF_NODE,
	 .offset = RAW(pref64),
	 .required = true},
	{.key = "clat", .type = YF_NODE, .offset = RAW(clat), .required = true},
	{.key = "eam", .type = YF_NODE, .offset = RAW(eam)},
	ICMP_POOL_FIELDS,
	FAST_FIELD,
	{0},
};

static const struct yfield siit_fields[] = {
	COMMON_FIELDS,
	{.key = "pref64", .type = YF_NODE, .offset = RAW(pref64)},
	{.key = "eam", .type = YF_NODE, .offset = RAW(eam)},
	{.key = "hairpin",
	 .type = YF_ENUM,
	 .offset = RAW(hairpin),
	 .words = hairpins},
	ICMP_POOL_FIELDS,
	FAST_FIELD,
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
	{.key = "short-timers", .type = YF_BOOL, .offset = RAW(short_timers)},
	{.key = "sync", .type = YF_NODE, .offset = RAW(sync)},
	{.key = "pcp", .type = YF_NODE, .offset = RAW(pcp)},
	{.key = "port-blocks", .type = YF_NODE, .offset = RAW(blocks)},
	{.key = "log", .type = YF_NODE, .offset = RAW(log)},
	{.key = "filtering",
	 .type = YF_ENUM,
	 .offset = RAW(filtering),
	 .words = filterings},
	{.key = "incoming-syn",
	 .type = YF_ENUM,
	 .offset = RAW(syns),
	 .words = syn_words},
	{.key = "sessions",
	 .type = YF_INT,
	 .offset = CFG(sessions),
	 .min = 1,
	 .max = NAT64_MAX_SESSIONS},
	{.key = "probe-rate",
	 .type = YF_QUANTITY,
	 .offset = CFG(probe_rate_pps),
	 .unit = UNIT_PPS,
	 .min = 0,
	 .max = 1e6},
	{.key = "subscriber-limits", .type = YF_NODE, .offset = RAW(limits)},
	{.key = "subscriber-length",
	 .type = YF_INT,
	 .offset = CFG(subscriber_len),
	 .min = 0,
	 .max = 128},
	FAST_FIELD,
	{0},
};

/* In a struct config. */
static const struct yfield limit_fields[] = {
	{.key = "sessions",
	 .type = YF_INT,
	 .offset = offsetof(struct config, limit_sessions),
	 .min = 1,
	 .max = NAT64_MAX_SESSIONS},
	{.key = "ports",
	 .type = YF_INT,
	 .offset = offsetof(struct config, limit_ports),
	 .min = 1,
	 .max = NAT64_MAX_SESSIONS},
	{.key = "mapping-rate",
	 .type = YF_INT,
	 .offset = offsetof(struct config, limit_rate),
	 .min = 1,
	 .max = 1000000},
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
		.fragment_ns = NAT64_FRAG_LIFE_NS,
		.lowest_mtu6 = 1280,
		.copy_tc = true,
		.tos = -1,
		.pool6791 = {{htonl(ADDRMAP_DUMMY4)}, 32},
		.icmp_rate_pps = 1000,
		.probe_rate_pps = 1000,
		.seed = -1,
	};
}

static struct pos pos_of(const struct reader *r, const char *key)
{
	const struct ynode *n = yaml_get(r->root, key);

	return n ? n->pos : r->root->pos;
}

/* ---- timers ---------------------------------------------------------------
 */

struct timers_raw {
	double tcp_est, tcp_trans, udp, icmp, fragment, hold;
};

#define TIMER_FROM(k, member, least)                                           \
	{                                                                      \
		.key = k, .type = YF_QUANTITY, .unit = UNIT_TIME,              \
		.min = least, .max = 6.048e14,                                 \
		.offset = offsetof(struct timers_raw, member)                  \
	}
#define TIMER(k, member) TIMER_FROM(k, member, 1e8)

static const struct yfield timer_fields[] = {
	TIMER("tcp-established", tcp_est),
	TIMER("tcp-transitory", tcp_trans),
	TIMER("udp", udp),
	TIMER("icmp", icmp),
	TIMER("fragment", fragment),
	TIMER_FROM("port-hold", hold, 0),
	{0},
};

/* What the RFCs forbid to be shorter. */
static void check_timers(struct reader *r, const struct ynode *n)
{
	const struct nat64_timers *t = &r->c->timers;
	const struct {
		const char *key;
		int64_t ns, least_ns;
		const char *words;
	} v[] = {
		{"tcp-established", t->tcp_est_ns, 7440 * NS_PER_S,
		 "RFC 5382 REQ-5: 2 h 4 min (7440s)"},
		{"tcp-transitory", t->tcp_trans_ns, 240 * NS_PER_S,
		 "RFC 5382 REQ-5: 4 min (240s)"},
		{"udp", t->udp_ns, 120 * NS_PER_S,
		 "RFC 4787 REQ-5: 2 min (120s)"},
		{"icmp", t->icmp_ns, 60 * NS_PER_S, "RFC 5508 REQ-2: 60s"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && !r->raw.short_timers;
	     i++)
		if (v[i].ns < v[i].least_ns)
			diags_add(r->d, yaml_get(n, v[i].key)->pos,
				  "`%s` is shorter than allowed by %s; "
				  "`short-timers: true` lets it pass",
				  v[i].key, v[i].words);
}

static void read_timers(struct reader *r, const struct ynode *n)
{
	struct nat64_timers *t = &r->c->timers;
	struct timers_raw raw = {
		(double)t->tcp_est_ns,	   (double)t->tcp_trans_ns,
		(double)t->udp_ns,	   (double)t->icmp_ns,
		(double)r->c->fragment_ns, (double)t->hold_ns};

	if (yaml_read_map(n, "timers", timer_fields, &raw, r->a, r->d))
		return;
	t->tcp_est_ns = (int64_t)raw.tcp_est;
	t->tcp_trans_ns = (int64_t)raw.tcp_trans;
	t->udp_ns = (int64_t)raw.udp;
	t->icmp_ns = (int64_t)raw.icmp;
	t->hold_ns = (int64_t)raw.hold;
	r->c->fragment_ns = (int64_t)raw.fragment;
	check_timers(r, n);
}

/* ---- the whole ------------------------------------------------------------
 */

/* Would the next translator drop what comes from @a (RFC 6052 section 3.1)? */
static bool dropped_by_others(const struct config *c, const struct in6_addr *a)
{
	static const struct prefix6 wkp = {.addr = {{{0x00, 0x64, 0xff, 0x9b}}},
					   .len = 96};
	struct in_addr v4;

	return !c->allow_private && rfc6052_decode(&wkp, a, &v4) &&
	       !addr4_is_global(v4);
}

static void check_self6(struct reader *r)
{
	char text[INET6_ADDRSTRLEN];

	if (dropped_by_others(r->c, &r->c->self6))
		diags_add(
			r->d, pos_of(r, "icmp-source6"),
			"`icmp-source6: %s`: translators have to drop what "
			"comes from there: 64:ff9b::/96 is for global "
			"addresses (RFC 6052 section 3.1)",
			inet_ntop(AF_INET6, &r->c->self6, text, sizeof(text)));
}

static void read_self(struct reader *r)
{
	if (r->raw.self4.family == AF_INET)
		r->c->self4 = r->raw.self4.v4;
	else if (r->raw.self4.family)
		diags_add(r->d, pos_of(r, "icmp-source4"),
			  "`icmp-source4`: an IPv4 address is expected");
	if (r->raw.self6.family == AF_INET6) {
		r->c->self6 = r->raw.self6.v6;
		r->c->neutral_self = false;
		check_self6(r);
	} else if (r->raw.self6.family)
		diags_add(r->d, pos_of(r, "icmp-source6"),
			  "`icmp-source6`: an IPv6 address is expected");
}

/* Addresses that lead back to us, where nothing was said. */
static void default_self4(struct reader *r)
{
	struct config *c = r->c;

	if (r->raw.self4.family)
		return;
	if (c->role != ROLE_PLAT)
		c->self4.s_addr = htonl(ADDRMAP_DUMMY4);
	else if (c->n_pool4)
		c->self4 = c->pool4[0].addr;
}

/*
 * That of a CLAT came with its prefix (config_read_clat). A PLAT's pool4 may
 * be private, behind another NAT: there are hosts that take its errors, and
 * setup_apply() warns of translators, which will not.
 */
static void default_self6(struct reader *r)
{
	struct in_addr dummy = {htonl(ADDRMAP_DUMMY4)};
	struct config *c = r->c;

	if (c->role == ROLE_CLAT || r->raw.self6.family)
		return;
	if (c->role == ROLE_PLAT) {
		if (c->n_pool4 && c->has_pref64)
			rfc6052_encode(&c->pref64, c->pool4[0].addr, &c->self6);
		c->self6_dropped = dropped_by_others(c, &c->self6);
		return;
	}
	if (!c->has_pref64 && (r->raw.pref64 || !r->raw.eam))
		return; /* there is a mistake about that already */
	if (c->has_pref64)
		rfc6052_encode(&c->pref64, c->self4.s_addr ? c->self4 : dummy,
			       &c->self6);
	if (!c->has_pref64 || dropped_by_others(c, &c->self6))
		diags_add(r->d, r->root->pos,
			  "`icmp-source6` is missing, which errors to IPv6 "
			  "hosts come from: %s; `::` would mean that none are "
			  "sent",
			  c->has_pref64
				  ? "none can be made of 64:ff9b::/96 and "
				    "an address that is not global (RFC "
				    "6052 section 3.1)"
				  : "there is no `pref64` to make one of");
}

static void read_hairpin(struct reader *r)
{
	static const enum addrmap_hairpin modes[] = {ADDRMAP_HAIRPIN_INTRINSIC,
						     ADDRMAP_HAIRPIN_SIMPLE,
						     ADDRMAP_HAIRPIN_OFF};

	if (r->c->role != ROLE_SIIT)
		return;
	r->c->hairpin = modes[r->raw.hairpin];
	if (r->c->hairpin == ADDRMAP_HAIRPIN_SIMPLE && !r->raw.pref64)
		diags_add(r->d, pos_of(r, "hairpin"),
			  "`hairpin: simple` maps sources by `pref64`, which "
			  "is missing");
}

/* By the MTUs: 40 bytes of IPv4 and TCP, 60 of IPv6 and TCP. */
static int64_t mss_of_mtus(const struct config *c)
{
	return c->mtu4 - 40 < c->mtu6 - 60 ? c->mtu4 - 40 : c->mtu6 - 60;
}

static void read_clamp_mss(struct reader *r, const struct ynode *n)
{
	char *end = NULL;
	long v = 0;

	if (n->kind == YNODE_SCALAR && !strcmp(n->text, "auto")) {
		r->c->mss = mss_of_mtus(r->c);
		return;
	}
	if (n->kind == YNODE_SCALAR && n->text[0] >= '0' && n->text[0] <= '9')
		v = strtol(n->text, &end, 10);
	if (!end || *end || v < 28 || v > UINT16_MAX)
		diags_add(r->d, n->pos,
			  "`clamp-mss`: auto, or 28 to 65535 bytes, is "
			  "expected");
	else
		r->c->mss = v;
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

	if (w->pref64 && r->c->role == ROLE_CLAT)
		config_read_clat_pref64(r, w->pref64);
	else if (w->pref64)
		config_read_pref64(r, w->pref64, "pref64");
	if (w->pool6)
		config_read_pref64(r, w->pool6, "pool6");
	if (w->clat)
		config_read_clat(r, w->clat);
	if (w->eam)
		config_read_eams(r, w->eam);
	if (w->pool4)
		config_read_pool4(r, w->pool4);
	if (w->statics)
		config_read_statics(r, w->statics);
	if (w->timers)
		read_timers(r, w->timers);
	if (w->blocks)
		config_read_blocks(r, w->blocks);
	if (w->log)
		config_read_log(r, w->log);
	if (w->limits)
		yaml_read_map(w->limits, "subscriber-limits", limit_fields,
			      r->c, r->a, r->d);
	if (w->sync)
		config_read_sync(r, w->sync);
	if (w->pcp)
		config_read_pcp(r, w->pcp);
	read_self(r);
	read_hairpin(r);
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
	default_self4(&r);
	default_self6(&r);
	if (w->c.has_pref64 && w->c.n_neutrals &&
	    !config_set_pref64(&w->c, &w->c.pref64))
		diags_add(d, w->raw.pref64->pos,
			  "`pref64`: only /32 and /96 allow `checksum-neutral` "
			  "addresses");
	w->c.io = (enum config_io)w->raw.io;
	if (w->raw.fast)
		config_read_fast_path(&r, w->raw.fast);
	w->c.addr_dependent = w->raw.filtering == 1;
	w->c.store_syns = w->raw.syns == 0;
	w->c.udp_zero = w->raw.udp_zero == 1 ? XLAT_UDP_ZERO_DROP
					     : XLAT_UDP_ZERO_COMPUTE;
	w->c.has_seed = w->c.seed >= 0;
	if (w->c.test_clock && w->c.sync_key)
		diags_add(r.d, yaml_get(root, "test-clock")->pos,
			  "`test-clock` does not go with `sync`: the peer's "
			  "clock would be another");
	if (!w->c.mtu4)
		w->c.mtu4 = w->c.tun_mtu;
	if (!w->c.mtu6)
		w->c.mtu6 = w->c.tun_mtu;
	if (w->raw.clamp_mss)
		read_clamp_mss(&r, w->raw.clamp_mss);
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

bool config_has_static(const struct config *c, const struct config_static *x)
{
	for (size_t i = 0; i < c->n_statics; i++) {
		const struct config_static *y = &c->statics[i];

		if (x->proto == y->proto && x->src6_port == y->src6_port &&
		    x->src4_port == y->src4_port &&
		    x->src4.s_addr == y->src4.s_addr &&
		    !memcmp(&x->src6, &y->src6, sizeof(x->src6)))
			return true;
	}
	return false;
}

/* None is there twice in one that could be set up. */
static bool same_statics(const struct config *a, const struct config *b)
{
	if (a->n_statics != b->n_statics)
		return false;
	for (size_t i = 0; i < a->n_statics; i++)
		if (!config_has_static(b, &a->statics[i]))
			return false;
	return true;
}

static bool same_sync(const struct config *a, const struct config *b)
{
	return same_text(a->sync_key, b->sync_key) &&
	       !memcmp(&a->sync_listen, &b->sync_listen,
		       sizeof(a->sync_listen)) &&
	       !memcmp(&a->sync_peer, &b->sync_peer, sizeof(a->sync_peer));
}

static bool has_limits(const struct config *c)
{
	return c->limit_sessions || c->limit_ports || c->limit_rate;
}

static bool same_blocks(const struct config *a, const struct config *b)
{
	const struct nat64_blocks *x = &a->blocks, *y = &b->blocks;

	return x->size == y->size &&
	       (!x->size ||
		(same_pool4(a, b) && x->subscriber_len == y->subscriber_len &&
		 x->subscribers.len == y->subscribers.len &&
		 !memcmp(&x->subscribers.addr, &y->subscribers.addr, 16)));
}

static bool same_pcp(const struct config *a, const struct config *b)
{
	return a->has_pcp == b->has_pcp && a->pcp_mappings == b->pcp_mappings &&
	       a->pcp_share == b->pcp_share && a->pcp_life_s == b->pcp_life_s &&
	       !memcmp(&a->pcp_listen, &b->pcp_listen, sizeof(a->pcp_listen));
}

bool config_same_tables(const struct config *now, const struct config *next)
{
	return same_pool4(now, next) && same_statics(now, next) &&
	       now->sessions == next->sessions &&
	       now->addr_dependent == next->addr_dependent &&
	       now->subscriber_len == next->subscriber_len &&
	       has_limits(now) == has_limits(next);
}

bool config_same_shape(const struct config *now, const struct config *next,
		       const char **what)
{
	bool plat = now->role == ROLE_PLAT;

	*what = now->io != next->io ? "io"
		: !same_text(now->tun_name, next->tun_name) ||
				now->tun_mtu != next->tun_mtu ||
				now->tun_queue != next->tun_queue
			? "tun"
		: !same_text(now->control, next->control) ? "control"
		: now->realtime != next->realtime	  ? "realtime"
		: now->seed != next->seed		  ? "seed"
		: !config_same_fast_path(now, next)	  ? "fast-path"
		: plat && (now->pref64.len != next->pref64.len ||
			   memcmp(&now->pref64.addr, &next->pref64.addr,
				  sizeof(now->pref64.addr)))
			? "pool6"
		: !config_same_discovery(now, next)	    ? "pref64"
		: !same_blocks(now, next)		    ? "port-blocks"
		: !same_sync(now, next)			    ? "sync"
		: !same_pcp(now, next)			    ? "pcp"
		: !same_text(now->log_file, next->log_file) ? "log"
		: now->store_syns != next->store_syns	    ? "incoming-syn"
							    : NULL;
	return !*what;
}
