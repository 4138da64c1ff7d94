/* SPDX-License-Identifier: MIT */
/* The result for programs: every key is described in xlatsim-result(5). */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>

json_t *text_json(const char *s)
{
	char *clean = s ? text_clean(s) : NULL;
	json_t *j = clean ? json_string(clean) : json_null();

	free(clean);
	return j;
}

json_t *num_json(double v)
{
	if (!isfinite(v))
		return json_null();
	if (fabs(v) < 9007199254740992.0 && v == floor(v))
		return json_integer((json_int_t)v);
	return json_real(v);
}

const char *report_unit_word(enum unit unit)
{
	switch (unit) {
	case UNIT_NONE:
		return "1";
	case UNIT_TIME:
		return "ns";
	case UNIT_RATE:
		return "bit/s";
	case UNIT_PPS:
		return "packet/s";
	case UNIT_SIZE:
		return "byte";
	case UNIT_RATIO:
		return "ratio";
	case UNIT_BOOL:
		return "bool";
	case UNIT_TEXT:
		return "text";
	}
	return "?";
}

static json_t *value_json(double num, const char *text, enum unit unit)
{
	if (unit == UNIT_TEXT)
		return text_json(text);
	if (unit == UNIT_BOOL)
		return json_boolean(num != 0);
	return num_json(num);
}

static json_t *quantity_json(double num, const char *text, enum unit unit)
{
	return json_pack("{s:o, s:s}", "value", value_json(num, text, unit),
			 "unit", report_unit_word(unit));
}

json_t *metric_json(const struct metric *m)
{
	json_t *q = quantity_json(m->num, m->text, m->def->unit);

	if (m->absent)
		json_object_set_new(q, "value", json_null());
	return q;
}

static const char *offload_word(enum offload_state s)
{
	switch (s) {
	case OFFLOAD_KEEP:
		return "keep";
	case OFFLOAD_ON:
		return "on";
	case OFFLOAD_OFF:
		return "off";
	}
	return "?";
}

static json_t *impairment_json(const struct impairment *i)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rate_bps",
		num_json(i->rate_bps), "burst_bytes", num_json(i->burst_bytes),
		"queue_ns", num_json(i->queue_ns), "delay_ns",
		num_json(i->delay_ns), "jitter_ns", num_json(i->jitter_ns),
		"loss_ratio", num_json(i->loss), "reorder_ratio",
		num_json(i->reorder), "duplicate_ratio",
		num_json(i->duplicate));
}

static json_t *offloads_json(const struct offloads *o)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "tso",
			 offload_word(o->tso), "gso", offload_word(o->gso),
			 "gro", offload_word(o->gro), "tx_checksum",
			 offload_word(o->tx_checksum), "rx_checksum",
			 offload_word(o->rx_checksum));
}

static json_t *profile_json(const struct link_profile *p)
{
	return json_pack(
		"{s:o, s:o, s:I, s:o}", "down", impairment_json(&p->down), "up",
		impairment_json(&p->up), "mtu_bytes", (json_int_t)p->mtu,
		"offloads", offloads_json(&p->offloads));
}

static json_t *tower_json(const struct tower_spec *t)
{
	return json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "name",
		text_json(t->name), "homes", (json_int_t)t->homes.count, "clat",
		text_json(t->homes.clat), "attach", text_json(t->homes.attach),
		"plan_down_bps", num_json(t->homes.plan_down_bps),
		"plan_up_bps", num_json(t->homes.plan_up_bps), "radio",
		profile_json(&t->radio));
}

static json_t *link_json(const struct link_spec *l)
{
	return json_pack("{s:o, s:o, s:o}", "a", text_json(l->a), "b",
			 text_json(l->b), "profile", profile_json(&l->profile));
}

static json_t *routing_json(const struct routing_spec *r)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "engine",
			 text_json(r->engine), "hello_ns",
			 num_json(r->hello_ns), "dead_ns", num_json(r->dead_ns),
			 "spf_delay_ns", num_json(r->spf_delay_ns),
			 "spf_holdtime_ns", num_json(r->spf_holdtime_ns),
			 "spf_max_ns", num_json(r->spf_max_ns), "track",
			 json_boolean(r->track));
}

static json_t *plat_json(const struct plat_spec *p)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:o}", "name",
			 text_json(p->name), "engine", text_json(p->engine),
			 "attach", text_json(p->attach), "ospf_cost",
			 (json_int_t)p->ospf_cost, "host", text_json(p->host));
}

static json_t *topology_json(const struct topology *t)
{
	char operator[ADDR_TEXT_LEN], pool6[ADDR_TEXT_LEN],
		pool4[ADDR_TEXT_LEN];
	json_t *plats, *dns64, *towers, *links;

	if (!t)
		return json_null();
	plats = json_array();
	dns64 = json_array();
	towers = json_array();
	links = json_array();
	for (size_t i = 0; i < t->n_plats; i++)
		json_array_append_new(plats, plat_json(&t->plats[i]));
	for (size_t i = 0; i < t->dns64.n_on; i++)
		json_array_append_new(dns64, text_json(t->dns64.on[i]));
	for (size_t i = 0; i < t->n_towers; i++)
		json_array_append_new(towers, tower_json(&t->towers[i]));
	for (size_t i = 0; i < t->n_links; i++)
		json_array_append_new(links, link_json(&t->links[i]));
	return json_pack(
		"{s:o, s:o, s:s, s:s, s:s, s:o, s:{s:o, s:o}, s:o, s:o, s:o,"
		" s:o}",
		"name", text_json(t->name), "file", text_json(t->path),
		"operator_prefix",
		prefix6_format(&t->operator_prefix, operator), "pool6",
		prefix6_format(&t->pool6, pool6), "pool4",
		prefix4_format(&t->pool4, pool4), "plats", plats, "dns64",
		"engine", text_json(t->dns64.engine), "on", dns64, "routing",
		routing_json(&t->routing), "towers", towers, "links", links,
		"internet_rtt_ns", num_json(t->internet.rtt_ns));
}

static json_t *scenario_json(const struct scenario *s)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name",
			 text_json(s->name), "title", text_json(s->title),
			 "file", text_json(s->path), "duration_ns",
			 num_json(s->duration_ns), "max_late_ns",
			 num_json(s->max_late_ns));
}

static json_t *judged_json(const struct judged *j)
{
	const struct expect_spec *x = j->expect;

	return json_pack("{s:o, s:o, s:s, s:o, s:s, s:o, s:i}", "measure",
			 text_json(x->measure), "metric", text_json(x->metric),
			 "operator", op_word(x->op), "bound",
			 quantity_json(x->num, x->text, x->unit), "verdict",
			 verdict_word(j->verdict), "text", text_json(j->text),
			 "line", (int)x->pos.line);
}

static json_t *points_json(const double *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, num_json(v[i]));
	return a;
}

static json_t *measurement_json(const struct measurement *m)
{
	json_t *metrics = json_object(), *series = json_array();

	for (size_t i = 0; i < m->n_metrics; i++)
		json_object_set_new(metrics, m->metrics[i].def->name,
				    metric_json(&m->metrics[i]));
	for (size_t i = 0; i < m->n_series; i++) {
		const struct series *s = &m->series[i];

		json_array_append_new(
			series, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name",
					  text_json(s->name), "x_label",
					  text_json(s->x_label), "y_label",
					  text_json(s->y_label), "x",
					  points_json(s->x, s->n), "y",
					  points_json(s->y, s->n)));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o}",
			 "name", text_json(m->name), "kind", text_json(m->kind),
			 "phase", text_json(m->phase), "summary",
			 text_json(m->summary), "invalid", (int)m->invalid,
			 "why", text_json(m->why), "metrics", metrics, "series",
			 series, "raw_file", text_json(m->raw_file));
}

static json_t *happening_json(const struct happening *h)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "at_ns", num_json(h->at_ns),
			 "late_ns", num_json(h->late_ns), "kind",
			 text_json(h->kind), "text", text_json(h->text));
}

/* Counters come as JSON from the engine; what is none is kept as text. */
static json_t *engine_json(const struct engine_fact *f)
{
	json_t *counters = NULL;

	if (f->counters_json)
		counters = json_loads(f->counters_json, JSON_DECODE_ANY, NULL);
	if (!counters)
		counters = text_json(f->counters_json);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "node",
			 text_json(f->node), "role", text_json(f->role), "name",
			 text_json(f->name), "version", text_json(f->version),
			 "counters", counters);
}

/* Offloads as the kernel had them, null where they could not be read. */
static json_t *link_fact_json(const struct link_fact *l)
{
	return json_pack(
		"{s:o, s:b, s:I, s:o, s:o}", "name", text_json(l->name),
		"relayed", (int)l->relayed, "mtu_bytes", (json_int_t)l->mtu,
		"offloads_a", l->known ? offloads_json(&l->a) : json_null(),
		"offloads_b", l->known ? offloads_json(&l->b) : json_null());
}

static json_t *run_json(const struct result *r)
{
	char seed[24];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
		text_json(r->run_id), "started", text_json(r->started),
		"directory", text_json(r->dir), "version",
		text_json(r->host.version), "seed", seed, "congestion_control",
		"cubic", "build_ns", num_json(r->build_ns), "ready_ns",
		num_json(r->ready_ns), "teardown_ns", num_json(r->teardown_ns),
		"total_ns", num_json(r->total_ns));
}

char *report_json(const struct result *r)
{
	json_t *expectations = json_array(), *measurements = json_array();
	json_t *happenings = json_array(), *engines = json_array();
	json_t *links = json_array(), *root;
	char *text;

	for (size_t i = 0; i < r->n_judged; i++)
		json_array_append_new(expectations, judged_json(&r->judged[i]));
	for (size_t i = 0; i < r->n_measurements; i++)
		json_array_append_new(measurements,
				      measurement_json(&r->measurements[i]));
	for (size_t i = 0; i < r->n_happenings; i++)
		json_array_append_new(happenings,
				      happening_json(&r->happenings[i]));
	for (size_t i = 0; i < r->n_engines; i++)
		json_array_append_new(engines, engine_json(&r->engines[i]));
	for (size_t i = 0; i < r->n_links; i++)
		json_array_append_new(links, link_fact_json(&r->links[i]));
	root = json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:i},"
		" s:o, s:o, s:o, s:o, s:o}",
		"schema", RESULT_SCHEMA, "verdict", verdict_word(r->verdict),
		"why", text_json(r->why), "scenario",
		scenario_json(r->scenario), "topology",
		topology_json(r->scenario->topology), "run", run_json(r),
		"host", "kernel", text_json(r->host.kernel), "cpu",
		text_json(r->host.cpu), "cores", r->host.cores, "engines",
		engines, "links", links, "expectations", expectations,
		"measurements", measurements, "happenings", happenings);
	text = root ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12))
		    : NULL;
	json_decref(root);
	return text;
}
