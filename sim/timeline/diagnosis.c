/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A measure of kind `diagnosis` is a transfer whose surroundings are counted:
 * when it begins and when it has ended, every translator is asked for its
 * counters and its processor time, and the kernels at both ends for theirs of
 * TCP and ICMP. The differences are evidence, on which the pure half in score/
 * decides. Other traffic at the same time would be counted as well.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "../score/diagnose.h"
#include "../world/procnet.h"
#include "timeline_internal.h"

enum count {
	PACKETS,
	OVERSIZE,
	TOLD_TOO_BIG,
	SEND_REFUSED,
	FRAGMENTS,
	RETRANSMITS,
	TIMEOUTS,
	ICMP_TOO_BIG,
	BAD_CHECKSUMS,
	INTERFACE_DROPS,
	KERNEL_DROPS,
	TRUNCATED,
	N_COUNTS
};

#define MAX_ENGINES 64

struct snapshot {
	struct mono when;
	double v[N_COUNTS]; /* NAN: not known */
	size_t n;
	struct {
		const struct engine *en;
		int64_t cpu_ns;
	} cpu[MAX_ENGINES];
};

struct diagnosis_run {
	struct timeline *t;
	const struct measure_spec *m;
	int ends[2]; /* client, server; -1 */
	struct snapshot begin, end;
	struct superpackets *frames;
	bool ended;
};

static void add(struct snapshot *s, enum count c, double v)
{
	if (isfinite(v))
		s->v[c] = isnan(s->v[c]) ? v : s->v[c] + v;
}

/* ---- translators ----------------------------------------------------------
 */

/* A number at "a.b"; NAN when there is none. */
static double at(const json_t *o, const char *a, const char *b)
{
	const json_t *v = json_object_get(o, a);

	if (b)
		v = json_object_get(v, b);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

/* A counter that its engine leaves out as long as it is zero. */
static double sparse(const json_t *o, const char *a, const char *b)
{
	double v = at(o, a, b);

	return isnan(v) ? 0 : v;
}

static void add_xlatd(struct snapshot *s, const json_t *o)
{
	add(s, PACKETS, at(o, "packets", "received"));
	add(s, FRAGMENTS, at(o, "packets", "fragments"));
	add(s, OVERSIZE, sparse(o, "packet_socket", "oversize"));
	add(s, TOLD_TOO_BIG, sparse(o, "reasons", "too-big"));
	add(s, SEND_REFUSED, sparse(o, "write_errors", "EMSGSIZE"));
}

/* Jool has no counter for frames without a segment size, nor for fragments. */
static void add_jool(struct snapshot *s, const json_t *o)
{
	add(s, PACKETS,
	    sparse(o, "JSTAT_RECEIVED4", NULL) +
		    sparse(o, "JSTAT_RECEIVED6", NULL));
	add(s, TOLD_TOO_BIG, sparse(o, "JSTAT_PKT_TOO_BIG", NULL));
	add(s, SEND_REFUSED, sparse(o, "JSTAT_DST_OUTPUT", NULL));
	add(s, TRUNCATED, at(o, "GUEST_TRUNCATED", NULL));
}

static bool is_translator(const struct engine *en)
{
	return en->daemon->role == DAEMON_PLAT ||
	       en->daemon->role == DAEMON_CLAT;
}

static void take_engine(struct snapshot *s, struct engine *en)
{
	json_t *o;

	if (!en->n_procs || !proc_running(en->procs[0]))
		return;
	if (s->n < MAX_ENGINES) {
		s->cpu[s->n].en = en;
		s->cpu[s->n++].cpu_ns = proc_cpu_ns(en->procs[0]);
	}
	o = en->ops->counters ? en->ops->counters(en) : NULL;
	if (o && !strcmp(en->ops->name, "xlatd"))
		add_xlatd(s, o);
	else if (o && !strcmp(en->ops->name, "jool"))
		add_jool(s, o);
	json_decref(o);
}

/* ---- kernels at both ends ---------------------------------------------------
 */

struct look {
	struct snapshot *s;
	bool sender;
};

static char *read_net(const char *file)
{
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", file);
	return file_read(path, NULL, &e);
}

static int look_at(void *arg)
{
	struct look *l = arg;
	char *snmp = read_net("snmp"), *netstat = read_net("netstat");
	char *snmp6 = read_net("snmp6");

	if (snmp)
		add(l->s, BAD_CHECKSUMS,
		    procnet_field(snmp, "Tcp:", "InCsumErrors"));
	if (snmp && l->sender) {
		add(l->s, RETRANSMITS,
		    procnet_field(snmp, "Tcp:", "RetransSegs"));
		add(l->s, ICMP_TOO_BIG,
		    procnet_field(snmp, "IcmpMsg:", "InType3"));
	}
	if (netstat && l->sender)
		add(l->s, TIMEOUTS,
		    procnet_field(netstat, "TcpExt:", "TCPTimeouts"));
	if (snmp6 && l->sender)
		add(l->s, ICMP_TOO_BIG,
		    procnet_line(snmp6, "Icmp6InPktTooBigs"));
	free(snmp);
	free(netstat);
	free(snmp6);
	return 0;
}

/* What the interfaces dropped, but for the one to itself. */
static double device_drops(const char *dev)
{
	const char *line = strchr(dev, '\n');
	double sum = 0, rx, tx;
	char name[32];

	/* two lines of heads */
	for (line = line ? strchr(line + 1, '\n') : NULL; line;
	     line = strchr(line + 1, '\n'))
		if (sscanf(line,
			   " %31[^:]: %*u %*u %*u %lf %*u %*u %*u %*u "
			   "%*u %*u %*u %lf",
			   name, &rx, &tx) == 3 &&
		    strcmp(name, "lo") != 0)
			sum += rx + tx;
	return sum;
}

/* In a translator's node. */
static int look_around(void *arg)
{
	static const char *const drops4[] = {"InDiscards", "OutDiscards",
					     "FragFails"};
	static const char *const drops6[] = {"Ip6InDiscards", "Ip6OutDiscards",
					     "Ip6FragFails",
					     "Ip6InTooBigErrors"};
	char *snmp = read_net("snmp"), *snmp6 = read_net("snmp6");
	char *dev = read_net("dev");
	struct snapshot *s = arg;

	if (dev)
		add(s, INTERFACE_DROPS, device_drops(dev));
	for (size_t i = 0; snmp && i < sizeof(drops4) / sizeof(*drops4); i++)
		add(s, KERNEL_DROPS, procnet_field(snmp, "Ip:", drops4[i]));
	for (size_t i = 0; snmp6 && i < sizeof(drops6) / sizeof(*drops6); i++)
		add(s, KERNEL_DROPS, procnet_line(snmp6, drops6[i]));
	free(dev);
	free(snmp);
	free(snmp6);
	return 0;
}

static void take(struct diagnosis_run *d, struct snapshot *s)
{
	bool down = d->m->direction == DIR_DOWN;

	s->n = 0;
	for (int i = 0; i < N_COUNTS; i++)
		s->v[i] = NAN;
	for (size_t i = 0; i < engines_count(d->t->engines); i++) {
		struct engine *en = engines_at(d->t->engines, i);

		if (!is_translator(en))
			continue;
		take_engine(s, en);
		if (world_node_alive(d->t->world, en->daemon->node))
			world_enter(d->t->world, en->daemon->node, look_around,
				    s, NULL);
	}
	for (int i = 0; i < 2; i++) {
		struct look l = {s, down ? i == 1 : i == 0};

		if (d->ends[i] >= 0 &&
		    world_node_alive(d->t->world, d->ends[i]))
			world_enter(d->t->world, d->ends[i], look_at, &l, NULL);
	}
	s->when = clock_now();
}

struct diagnosis_run *diagnosis_begin(struct timeline *t,
				      const struct measure_spec *m)
{
	struct diagnosis_run *d = ARENA_NEW(t->arena, struct diagnosis_run);
	const struct plan *p = world_plan(t->world);
	struct probe_target target;
	struct err e;

	*d = (struct diagnosis_run){.t = t, .m = m, .ends = {-1, -1}};
	d->ends[0] = plan_find_node(p, m->from);
	if (!probe_resolve(p, m->to, &target, &e))
		d->ends[1] = target.node;
	d->frames = superpackets_watch(t);
	take(d, &d->begin);
	return d;
}

void diagnosis_end(struct diagnosis_run *d)
{
	if (d->ended)
		return;
	d->ended = true;
	take(d, &d->end);
	superpackets_stop(d->frames);
}

/* ---- evidence --------------------------------------------------------------
 */

static double diff(const struct diagnosis_run *d, enum count c)
{
	double v = d->end.v[c] - d->begin.v[c];

	/* an ICMP type that never came has no field at first */
	if (c == ICMP_TOO_BIG && isnan(v))
		v = d->end.v[c];
	return v;
}

/* What a node's programs may use, of one core. */
static double quota_of(const struct diagnosis_run *d, int node)
{
	double cpu = world_plan(d->t->world)->nodes[node].cpu;

	return cpu > 0 ? cpu : 1;
}

/* The busiest of @role, as a share of a core, or of its quota. */
static double cpu_of(const struct diagnosis_run *d, enum daemon_role role)
{
	double wall = (double)mono_sub(d->end.when, d->begin.when), most = NAN;

	for (size_t i = 0; i < d->end.n; i++) {
		const struct engine *en = d->end.cpu[i].en;

		if (en->daemon->role != role)
			continue;
		for (size_t k = 0; k < d->begin.n; k++) {
			double share = (double)(d->end.cpu[i].cpu_ns -
						d->begin.cpu[k].cpu_ns) /
				       wall / quota_of(d, en->daemon->node);

			if (d->begin.cpu[k].en == en && !(share <= most))
				most = share;
		}
	}
	return most;
}

/* Whose homes a link serves: those at @home's tower, or everybody. */
static bool on_the_way(const struct plan *p, const struct plan_link *l,
		       const struct plan_node *home)
{
	const struct plan_node *a = &p->nodes[l->a.node];
	const struct plan_node *b = &p->nodes[l->b.node];

	if (!home->tower)
		return true;
	return (!a->tower || a->tower == home->tower) &&
	       (!b->tower || b->tower == home->tower);
}

/* The lowest rate between a home and the internet, as the topology has it. */
static double link_rate(const struct diagnosis_run *d)
{
	const struct plan *p = world_plan(d->t->world);
	const struct plan_node *home = &p->nodes[d->ends[0]];
	double lowest = NAN;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];
		double rate = d->m->direction == DIR_DOWN
				      ? l->profile.down.rate_bps
				      : l->profile.up.rate_bps;

		if (rate > 0 && !l->standby && on_the_way(p, l, home) &&
		    !(rate >= lowest))
			lowest = rate;
	}
	return lowest;
}

/* Does a PLAT lose metadata while its receiving side merges? */
static bool is_armed(const struct diagnosis_run *d)
{
	const struct plan *p = world_plan(d->t->world);

	for (size_t i = 0; i < p->n_daemons; i++) {
		const struct plan_daemon *m = &p->daemons[i];
		const char *attach = plan_attach(p, m);
		struct offloads o;
		struct err e;

		if (m->role != DAEMON_PLAT || !attach ||
		    (strcmp(attach, "packet") != 0 &&
		     strcmp(attach, "lossy-merge") != 0))
			continue;
		if (!world_offload_get(d->t->world, m->node, "vm", &o, &e) &&
		    o.gro == OFFLOAD_ON)
			return true;
	}
	return false;
}

static double metric_of(const struct measurement *m, const char *name)
{
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, name))
			return m->metrics[i].absent ? NAN : m->metrics[i].num;
	return NAN;
}

static void put_counts(const struct diagnosis_run *d,
		       const struct diagnose_evidence *e, struct measurement *m)
{
	const struct {
		const char *metric;
		double value;
	} v[] = {
		{"timeouts", e->timeouts},
		{"timeout-share", e->timeouts / e->retransmits},
		{"link-share", e->rate_bps / e->link_bps},
		{"packets", e->packets},
		{"oversize", e->oversize},
		{"told-too-big", e->told_too_big},
		{"send-refused", e->send_refused},
		{"fragments", e->fragments},
		{"truncated", e->truncated},
		{"too-big-received", e->icmp_too_big},
		{"bad-checksums", e->bad_checksums},
		{"interface-drops", diff(d, INTERFACE_DROPS)},
		{"kernel-drops", diff(d, KERNEL_DROPS)},
		{"cpe-cpu", e->cpe_cpu},
		{"plat-cpu", e->plat_cpu},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		score_set_num(m, v[i].metric, v[i].value);
}

static void put_superpackets(const struct diagnosis_run *d,
			     struct measurement *m)
{
	static const struct {
		enum superpacket_side side;
		const char *share, *size;
	} v[] = {
		{SUPERPACKETS_ACCESS, "access-superpackets",
		 "access-superpacket-size"},
		{SUPERPACKETS_BORDER, "border-superpackets",
		 "border-superpacket-size"},
		{SUPERPACKETS_ENGINE, "engine-superpackets",
		 "engine-superpacket-size"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		score_set_num(m, v[i].share,
			      superpackets_share(d->frames, v[i].side));
		score_set_num(m, v[i].size,
			      superpackets_bytes(d->frames, v[i].side));
	}
}

void diagnosis_finish(struct diagnosis_run *d, struct measurement *m)
{
	struct diagnose_evidence e = {
		.rate_bps = metric_of(m, "rate"),
		.link_bps = link_rate(d),
		.native_bps = metric_of(m, "native-rate"),
		.armed = is_armed(d),
	};
	struct diagnose_result r;
	char rate[32];

	diagnosis_end(d);
	e.retransmits = diff(d, RETRANSMITS);
	e.timeouts = diff(d, TIMEOUTS);
	e.icmp_too_big = diff(d, ICMP_TOO_BIG);
	e.bad_checksums = diff(d, BAD_CHECKSUMS);
	e.packets = diff(d, PACKETS);
	e.oversize = diff(d, OVERSIZE);
	e.told_too_big = diff(d, TOLD_TOO_BIG);
	e.send_refused = diff(d, SEND_REFUSED);
	e.fragments = diff(d, FRAGMENTS);
	e.truncated = diff(d, TRUNCATED);
	e.cpe_cpu = cpu_of(d, DAEMON_CLAT);
	e.plat_cpu = cpu_of(d, DAEMON_PLAT);
	r = diagnose(&e);
	score_set_text(m, "verdict", diagnosis_word(r.is));
	score_set_text(m, "limit", r.limit);
	score_set_text(m, "cure", r.cure);
	score_set_num(m, "fault", diagnosis_is_fault(r.is));
	put_counts(d, &e, m);
	put_superpackets(d, m);
	units_format(isfinite(e.rate_bps) ? e.rate_bps : 0, UNIT_RATE, rate,
		     sizeof(rate));
	m->summary = arena_printf(d->t->arena, "%s, %s: %s; cure: %s",
				  d->m->direction == DIR_DOWN ? "down" : "up",
				  rate, diagnosis_word(r.is), r.cure);
}
