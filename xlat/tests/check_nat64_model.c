/* SPDX-License-Identifier: MIT */
/*
 * The tables against an obvious model: plain arrays searched from end to end,
 * and RFC 6146's TCP states as a table. Random packets in both directions,
 * ICMP errors, time that creeps and jumps; after each operation both agree,
 * and now and then every invariant is checked.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../nat64/nat64.h"

#define MAX_BIBS     40
#define MAX_SESSIONS 64
#define N_ADDRS	     3
#define PORTS	     16 /* an address and protocol */
#define FIRST_PORT   1020
#define ACK	     0x10
#define OPERATIONS   60000

struct m_bib {
	bool used;
	enum nat64_proto proto;
	struct in6_addr src6;
	__be16 src6_port;
	struct in_addr src4;
	__be16 src4_port;
};

struct m_session {
	bool used, from4;
	int bib;
	struct in_addr dst4;
	__be16 dst_port;
	enum nat64_state state;
	int64_t deadline_ns;
};

static struct m_bib bibs[MAX_BIBS];
static struct m_session sessions[MAX_SESSIONS];
static struct nat64_cfg cfg;
static struct nat64_pool4 pool[N_ADDRS];
static struct nat64 *n;
static struct rng rng;
static struct mono now;
/* When a mapping had each port last; 0: none had. */
static int64_t left_ns[NAT64_N_PROTOS][N_ADDRS][PORTS];
static unsigned int asked, to_ask; /* idle connections: by nat64, the model */

/* ---- TCP as the RFC's table -----------------------------------------------
 */

enum event { V6_SYN, V4_SYN, V6_FIN, V4_FIN, V6_RST, V4_RST, V6_ANY, V4_ANY };
enum timer { KEEP, EST, TRANS };

static const struct {
	enum nat64_state next;
	enum timer timer;
} machine[NAT64_N_STATES][8] = {
#define ROW(st, nx, t) [st] = {NAT64_##nx, t}
	[NAT64_V4_INIT] =
		{ROW(V6_SYN, ESTABLISHED, EST), ROW(V4_SYN, V4_INIT, KEEP),
		 ROW(V6_FIN, V4_INIT, KEEP), ROW(V4_FIN, V4_INIT, KEEP),
		 ROW(V6_RST, V4_INIT, KEEP), ROW(V4_RST, V4_INIT, KEEP),
		 ROW(V6_ANY, V4_INIT, KEEP), ROW(V4_ANY, V4_INIT, KEEP)},
	[NAT64_V6_INIT] =
		{ROW(V6_SYN, V6_INIT, TRANS), ROW(V4_SYN, ESTABLISHED, EST),
		 ROW(V6_FIN, V6_INIT, KEEP), ROW(V4_FIN, V6_INIT, KEEP),
		 ROW(V6_RST, V6_INIT, KEEP), ROW(V4_RST, V6_INIT, KEEP),
		 ROW(V6_ANY, V6_INIT, KEEP), ROW(V4_ANY, V6_INIT, KEEP)},
	[NAT64_ESTABLISHED] =
		{ROW(V6_SYN, ESTABLISHED, EST), ROW(V4_SYN, ESTABLISHED, EST),
		 ROW(V6_FIN, V6_FIN, EST), ROW(V4_FIN, V4_FIN, EST),
		 ROW(V6_RST, TRANS, TRANS), ROW(V4_RST, TRANS, TRANS),
		 ROW(V6_ANY, ESTABLISHED, EST), ROW(V4_ANY, ESTABLISHED, EST)},
	[NAT64_V4_FIN] = {ROW(V6_SYN, V4_FIN, EST), ROW(V4_SYN, V4_FIN, EST),
			  ROW(V6_FIN, BOTH_FIN, TRANS),
			  ROW(V4_FIN, V4_FIN, EST), ROW(V6_RST, V4_FIN, EST),
			  ROW(V4_RST, V4_FIN, EST), ROW(V6_ANY, V4_FIN, EST),
			  ROW(V4_ANY, V4_FIN, EST)},
	[NAT64_V6_FIN] = {ROW(V6_SYN, V6_FIN, EST), ROW(V4_SYN, V6_FIN, EST),
			  ROW(V6_FIN, V6_FIN, EST),
			  ROW(V4_FIN, BOTH_FIN, TRANS),
			  ROW(V6_RST, V6_FIN, EST), ROW(V4_RST, V6_FIN, EST),
			  ROW(V6_ANY, V6_FIN, EST), ROW(V4_ANY, V6_FIN, EST)},
	[NAT64_BOTH_FIN] =
		{ROW(V6_SYN, BOTH_FIN, KEEP), ROW(V4_SYN, BOTH_FIN, KEEP),
		 ROW(V6_FIN, BOTH_FIN, KEEP), ROW(V4_FIN, BOTH_FIN, KEEP),
		 ROW(V6_RST, BOTH_FIN, KEEP), ROW(V4_RST, BOTH_FIN, KEEP),
		 ROW(V6_ANY, BOTH_FIN, KEEP), ROW(V4_ANY, BOTH_FIN, KEEP)},
	[NAT64_TRANS] = {ROW(V6_SYN, ESTABLISHED, EST),
			 ROW(V4_SYN, ESTABLISHED, EST),
			 ROW(V6_FIN, ESTABLISHED, EST),
			 ROW(V4_FIN, ESTABLISHED, EST),
			 ROW(V6_RST, TRANS, KEEP), ROW(V4_RST, TRANS, KEEP),
			 ROW(V6_ANY, ESTABLISHED, EST),
			 ROW(V4_ANY, ESTABLISHED, EST)},
#undef ROW
};

static enum event event_of(uint8_t flags, bool from6)
{
	if (flags & NAT64_SYN)
		return from6 ? V6_SYN : V4_SYN;
	if (flags & NAT64_FIN)
		return from6 ? V6_FIN : V4_FIN;
	if (flags & NAT64_RST)
		return from6 ? V6_RST : V4_RST;
	return from6 ? V6_ANY : V4_ANY;
}

/* ---- the model ------------------------------------------------------------
 */

static int m_bib6(const struct nat64_flow *f)
{
	for (int i = 0; i < MAX_BIBS; i++)
		if (bibs[i].used && bibs[i].proto == f->proto &&
		    bibs[i].src6_port == f->src6_port &&
		    !memcmp(&bibs[i].src6, &f->src6, 16))
			return i;
	return -1;
}

static int m_bib4(const struct nat64_flow *f)
{
	for (int i = 0; i < MAX_BIBS; i++)
		if (bibs[i].used && bibs[i].proto == f->proto &&
		    bibs[i].src4_port == f->src4_port &&
		    bibs[i].src4.s_addr == f->src4.s_addr)
			return i;
	return -1;
}

static int m_session(int bib, const struct nat64_flow *f)
{
	for (int i = 0; i < MAX_SESSIONS; i++)
		if (sessions[i].used && sessions[i].bib == bib &&
		    sessions[i].dst_port == f->dst_port &&
		    sessions[i].dst4.s_addr == f->dst4.s_addr)
			return i;
	return -1;
}

static bool m_permitted(int bib, const struct nat64_flow *f)
{
	for (int i = 0; i < MAX_SESSIONS; i++)
		if (sessions[i].used && sessions[i].bib == bib &&
		    sessions[i].dst4.s_addr == f->dst4.s_addr)
			return true;
	return false;
}

static int64_t *m_left(int proto, struct in_addr a, __be16 port)
{
	int i = 0;

	while (pool[i].addr.s_addr != a.s_addr)
		i++;
	return &left_ns[proto][i][ntohs(port) - FIRST_PORT];
}

/* Exceptions (RFC 6888 REQ-8): TCP, and address-dependent filtering. */
static bool m_holds(int proto)
{
	return cfg.timers.hold_ns && proto != NAT64_TCP && !cfg.addr_dependent;
}

static void m_unbind(int b)
{
	bibs[b].used = false;
	*m_left((int)bibs[b].proto, bibs[b].src4, bibs[b].src4_port) = now.ns;
}

/* Ports that may be held still, though those of twice the time are not. */
static bool m_any_held(int proto)
{
	for (int i = 0; i < N_ADDRS; i++)
		for (int k = 0; k < PORTS; k++)
			if (m_holds(proto) && left_ns[proto][i][k])
				return true;
	return false;
}

static void m_expire(void)
{
	for (int i = 0; i < MAX_SESSIONS; i++) {
		struct m_session *s = &sessions[i];

		if (!s->used || s->deadline_ns > now.ns)
			continue;
		s->used = s->state == NAT64_ESTABLISHED;
		s->state = NAT64_TRANS;
		s->deadline_ns = now.ns + cfg.timers.tcp_trans_ns;
		to_ask += s->used;
	}
	for (int b = 0; b < MAX_BIBS; b++) {
		bool any = false;

		for (int i = 0; i < MAX_SESSIONS; i++)
			any |= sessions[i].used && sessions[i].bib == b;
		if (bibs[b].used && !any)
			m_unbind(b);
	}
}

static int m_count_bibs(int proto)
{
	int count = 0;

	for (int i = 0; i < MAX_BIBS; i++)
		count += bibs[i].used &&
			 (proto < 0 || (int)bibs[i].proto == proto);
	return count;
}

static int m_free_session(void)
{
	for (int i = 0; i < MAX_SESSIONS; i++)
		if (!sessions[i].used)
			return i;
	return -1;
}

static int64_t m_life(const struct nat64_flow *f, enum timer t)
{
	if (f->proto == NAT64_UDP)
		return cfg.timers.udp_ns;
	if (f->proto == NAT64_ICMP)
		return cfg.timers.icmp_ns;
	return t == EST ? cfg.timers.tcp_est_ns : cfg.timers.tcp_trans_ns;
}

static void m_touch(int s, const struct nat64_flow *f, bool from6)
{
	enum event e = event_of(f->tcp_flags, from6);
	enum nat64_state old = sessions[s].state;
	enum timer t = EST;

	if (f->proto == NAT64_TCP) {
		t = machine[old][e].timer;
		sessions[s].state = machine[old][e].next;
	}
	if (t != KEEP)
		sessions[s].deadline_ns = now.ns + m_life(f, t);
}

static void m_add(int bib, const struct nat64_flow *f, bool from6)
{
	enum nat64_state first = from6 ? NAT64_V6_INIT : NAT64_V4_INIT;

	sessions[m_free_session()] = (struct m_session){
		.used = true,
		.from4 = !from6,
		.bib = bib,
		.dst4 = f->dst4,
		.dst_port = f->dst_port,
		.state = f->proto == NAT64_TCP ? first : NAT64_STATELESS,
		.deadline_ns = now.ns + m_life(f, TRANS),
	};
}

/* A subscriber is a /64 here. */
static bool m_same(int b, const struct in6_addr *src6)
{
	return bibs[b].used && !memcmp(&bibs[b].src6, src6, 8);
}

static bool m_may_open(const struct in6_addr *src6, bool from6)
{
	unsigned int all = 0, from4 = 0;

	for (int i = 0; i < MAX_SESSIONS; i++)
		if (sessions[i].used && m_same(sessions[i].bib, src6)) {
			all++;
			from4 += sessions[i].from4;
		}
	return !cfg.limit_sessions ||
	       (all < cfg.limit_sessions &&
		(from6 || from4 < (cfg.limit_sessions + 1) / 2));
}

static bool m_may_bind(const struct in6_addr *src6)
{
	unsigned int all = 0;

	for (int i = 0; i < MAX_BIBS; i++)
		all += m_same(i, src6);
	return !cfg.limit_ports || all < cfg.limit_ports;
}

/* What nat64_out must say; a new BIB entry is added by the caller. */
static enum reason m_out(const struct nat64_flow *f, int *bib)
{
	int b = m_bib6(f), s = b < 0 ? -1 : m_session(b, f);

	*bib = b;
	if (s >= 0) {
		m_touch(s, f, true);
		return REASON_OK;
	}
	if (f->proto == NAT64_TCP && !(f->tcp_flags & NAT64_SYN))
		return b < 0 ? REASON_NAT64_TCP_SYN : REASON_OK;
	if (m_free_session() < 0)
		return REASON_NAT64_TABLE_FULL;
	if (!m_may_open(&f->src6, true))
		return REASON_NAT64_HOST_LIMIT;
	if (b < 0 && m_count_bibs(-1) == MAX_BIBS)
		return REASON_NAT64_TABLE_FULL;
	if (b < 0 && !m_may_bind(&f->src6))
		return REASON_NAT64_HOST_PORTS;
	if (b < 0 && m_count_bibs((int)f->proto) == N_ADDRS * PORTS)
		return REASON_NAT64_NO_PORT;
	if (b >= 0)
		m_add(b, f, true);
	return REASON_OK;
}

static enum reason m_in(const struct nat64_flow *f, int *bib)
{
	int b = m_bib4(f), s = b < 0 ? -1 : m_session(b, f);

	*bib = b;
	if (b < 0)
		return REASON_NAT64_NO_BIB;
	if (s >= 0) {
		m_touch(s, f, false);
		return REASON_OK;
	}
	if (cfg.addr_dependent && !m_permitted(b, f))
		return REASON_NAT64_FILTERED;
	if (f->proto == NAT64_TCP && !(f->tcp_flags & NAT64_SYN))
		return REASON_OK;
	if (m_free_session() < 0)
		return REASON_NAT64_TABLE_FULL;
	if (!m_may_open(&bibs[b].src6, false))
		return REASON_NAT64_HOST_LIMIT;
	m_add(b, f, false);
	return REASON_OK;
}

/* ---- random packets -------------------------------------------------------
 */

static const uint8_t flag_choices[] = {NAT64_SYN, NAT64_SYN | ACK, ACK,
				       ACK,	  NAT64_FIN | ACK, NAT64_RST};

/* A packet on a session that lives, so that states get somewhere. */
static bool living_flow(struct nat64_flow *f)
{
	const struct m_session *s = &sessions[rng_below(&rng, MAX_SESSIONS)];
	const struct m_bib *b = &bibs[s->bib];

	if (!s->used)
		return false;
	*f = (struct nat64_flow){.proto = b->proto,
				 .src6 = b->src6,
				 .src6_port = b->src6_port,
				 .src4 = b->src4,
				 .src4_port = b->src4_port,
				 .dst4 = s->dst4,
				 .dst_port = s->dst_port};
	f->dst6.s6_addr[0] = 0x64;
	memcpy(&f->dst6.s6_addr[12], &f->dst4, 4);
	if (f->proto == NAT64_TCP)
		f->tcp_flags = flag_choices[rng_below(&rng, 6)];
	return true;
}

static struct nat64_flow new_flow(void)
{
	struct nat64_flow f = {.proto = rng_below(&rng, NAT64_N_PROTOS)};

	f.src6_port = htons((uint16_t)(FIRST_PORT + rng_below(&rng, 12)));
	f.src4_port = htons((uint16_t)(FIRST_PORT + rng_below(&rng, PORTS)));
	f.src6.s6_addr[0] = 0x20;
	f.src6.s6_addr[7] = (uint8_t)rng_below(&rng, 4);
	f.src6.s6_addr[15] = (uint8_t)rng_below(&rng, 2);
	f.src4 = pool[rng_below(&rng, N_ADDRS)].addr;
	f.dst4.s_addr = htonl(0xc6336400 + (uint32_t)rng_below(&rng, 3));
	f.dst6.s6_addr[0] = 0x64;
	memcpy(&f.dst6.s6_addr[12], &f.dst4, 4);
	if (f.proto != NAT64_ICMP)
		f.dst_port = htons((uint16_t)(80 + rng_below(&rng, 2)));
	if (f.proto == NAT64_TCP)
		f.tcp_flags = flag_choices[rng_below(&rng, 6)];
	return f;
}

/* A BIB entry that nat64 has made: its port must be free and in the pool. */
static int adopt(const struct nat64_flow *f)
{
	uint16_t port = ntohs(f->src4_port);
	int64_t left;
	int b = 0;

	ck_assert_int_ge(port, FIRST_PORT);
	ck_assert_int_lt(port, FIRST_PORT + PORTS);
	ck_assert(nat64_in_pool4(n, f->src4));
	ck_assert_int_lt(m_bib4(f), 0);
	left = *m_left((int)f->proto, f->src4, f->src4_port);
	if (left && m_holds((int)f->proto))
		ck_assert_int_ge(now.ns - left, cfg.timers.hold_ns);
	while (bibs[b].used)
		b++;
	bibs[b] = (struct m_bib){.used = true,
				 .proto = f->proto,
				 .src6 = f->src6,
				 .src6_port = f->src6_port,
				 .src4 = f->src4,
				 .src4_port = f->src4_port};
	return b;
}

static struct nat64_flow random_flow(void)
{
	struct nat64_flow f;

	if (rng_below(&rng, 4) && living_flow(&f))
		return f;
	return new_flow();
}

static void send_out(void)
{
	struct nat64_flow f = random_flow();
	int b;
	enum reason want = m_out(&f, &b), got = nat64_out(n, &f, now);

	if (got == REASON_NAT64_NO_PORT && b < 0 && !want &&
	    m_any_held((int)f.proto))
		return; /* how long exactly is nat64's affair */
	ck_assert_str_eq(reason_name(got), reason_name(want));
	if (got)
		return;
	if (b < 0) {
		m_add(adopt(&f), &f, true);
		return;
	}
	ck_assert_int_eq(f.src4.s_addr, bibs[b].src4.s_addr);
	ck_assert_int_eq(f.src4_port, bibs[b].src4_port);
}

static void send_in(void)
{
	struct nat64_flow f = random_flow();
	int b;
	enum reason want = m_in(&f, &b), got = nat64_in(n, &f, now);

	ck_assert_str_eq(reason_name(got), reason_name(want));
	if (got)
		return;
	ck_assert_mem_eq(&f.src6, &bibs[b].src6, 16);
	ck_assert_int_eq(f.src6_port, bibs[b].src6_port);
}

static void peek(void)
{
	struct nat64_flow f = random_flow(), g = f;
	int b = m_bib6(&f);
	bool want = b >= 0 && m_session(b, &f) >= 0;

	ck_assert_int_eq(nat64_peek_out(n, &f, now) == REASON_OK, want);
	b = m_bib4(&g);
	want = b >= 0 && m_session(b, &g) >= 0;
	ck_assert_int_eq(nat64_peek_in(n, &g, now) == REASON_OK, want);
}

/* What is fetched ahead, rightly or not, is nobody's change. */
static void look_ahead(void)
{
	struct nat64_ahead ahead[NAT64_WARM_MAX + 3];
	size_t count = rng_below(&rng, NAT64_WARM_MAX + 4);

	for (size_t i = 0; i < count; i++) {
		ahead[i].flow = random_flow();
		ahead[i].from6 = rng_below(&rng, 2);
	}
	nat64_warm(n, ahead, count);
}

/* An idle connection: the model, which is swept afterwards, must have it. */
static void on_probe(void *arg, const struct nat64_flow *f, struct mono at)
{
	int s = m_session(m_bib6(f), f);

	(void)arg;
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(sessions[s].state, NAT64_ESTABLISHED);
	ck_assert_int_le(sessions[s].deadline_ns, at.ns);
	asked++;
}

static void pass_time(void)
{
	/* mostly a tick, sometimes minutes, seldom days */
	static const int64_t most[] = {4,  4,  4,   4,	 4,    4,
				       40, 40, 400, 400, 4000, 4000000};
	int64_t ticks =
		(int64_t)rng_below(&rng, (uint64_t)most[rng_below(&rng, 12)]);

	now.ns += ticks * NAT64_TICK_NS;
	while (nat64_expire(n, now, 1 + (unsigned int)rng_below(&rng, 500)))
		;
	m_expire();
	ck_assert_uint_eq(asked, to_ask);
}

static void compare_all(void)
{
	struct nat64_session_info v[MAX_SESSIONS];
	uint32_t cursor = 0;
	const char *wrong = nat64_check(n);
	size_t count, live = 0;

	ck_assert_msg(!wrong, "%s", wrong);
	count = nat64_list_sessions(n, &cursor, UINT32_MAX, now, v,
				    MAX_SESSIONS);
	for (int i = 0; i < MAX_SESSIONS; i++)
		live += sessions[i].used;
	ck_assert_int_eq(count, live);
	for (size_t i = 0; i < count; i++) {
		int b = m_bib6(&v[i].flow);
		int s = m_session(b, &v[i].flow);

		ck_assert_int_ge(b, 0);
		ck_assert_int_ge(s, 0);
		ck_assert_int_eq(v[i].state, sessions[s].state);
		ck_assert_int_eq(v[i].left_ns + now.ns,
				 sessions[s].deadline_ns);
	}
}

static void start(bool addr_dependent, bool limits, bool hold, uint64_t seed)
{
	void *memory;

	nat64_cfg_init(&cfg);
	for (unsigned int i = 0; i < N_ADDRS; i++) {
		pool[i].addr.s_addr = htonl(0xc0000207 - i);
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			pool[i].ports[k].lo = FIRST_PORT;
			pool[i].ports[k].hi = FIRST_PORT + PORTS - 1;
		}
	}
	cfg.pool4 = pool;
	cfg.n_pool4 = N_ADDRS;
	cfg.max_bibs = MAX_BIBS;
	cfg.max_sessions = MAX_SESSIONS;
	cfg.addr_dependent = addr_dependent;
	cfg.limit_sessions = limits ? 13 : 0;
	cfg.limit_ports = limits ? 12 : 0;
	if (!hold)
		cfg.timers.hold_ns = 0;
	cfg.seed[0] = seed;
	rng_init(&rng, seed);
	now.ns = 77 * NAT64_TICK_NS;
	memory = aligned_alloc(64, (nat64_memory(&cfg) + 63) & ~63UL);
	memset(memory, 0, nat64_memory(&cfg));
	n = nat64_init(memory, &cfg, now);
	ck_assert_ptr_nonnull(n);
	nat64_set_probe(n, on_probe, NULL);
	asked = to_ask = 0;
	memset(left_ns, 0, sizeof(left_ns));
}

START_TEST(random_packets_agree_with_the_model)
{
	struct nat64_stats st;
	uint64_t created = 0;

	start(_i & 1, _i & 2, _i & 4, (uint64_t)_i + 1);
	for (unsigned int i = 0; i < OPERATIONS; i++) {
		switch (rng_below(&rng, 16)) {
		case 0:
			pass_time();
			break;
		case 1:
			peek();
			look_ahead();
			break;
		case 2:
		case 3:
		case 4:
		case 5:
		case 6:
		case 7:
			send_in();
			break;
		default:
			send_out();
			break;
		}
		if (i % 499 == 0)
			compare_all();
	}
	compare_all();
	/* the run must have been worth something */
	nat64_get_stats(n, &st);
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++)
		created += st.proto[k].created;
	ck_assert_int_ge(created, 1000);
	ck_assert_uint_ge(asked, 20);
	ck_assert_int_ge(st.sessions_full + st.bibs_full, 100);
	if (cfg.limit_sessions) {
		ck_assert_int_ge(st.limited_sessions, 20);
		ck_assert_int_ge(st.limited_ports, 20);
	}
	free(n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nat64-model");
	TCase *t = tcase_create("model");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, random_packets_agree_with_the_model, 0, 8);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
