/* SPDX-License-Identifier: MIT */
/* What was run, on what: the part of the page that makes a run repeatable. */
#include "report_internal.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

/* A row of the table of facts; the value is escaped. */
__attribute__((format(printf, 3, 4))) static void
put_fact(FILE *f, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
	text_markup(f, text);
	fputs("</td></tr>\n", f);
}

static void open_table(FILE *f, const char *caption)
{
	fprintf(f,
		"<div class=\"scroll\"><table class=\"facts\"><caption>%s"
		"</caption><tbody>\n",
		caption);
}

static void close_table(FILE *f)
{
	fputs("</tbody></table></div>\n", f);
}

static const char *time_text(double ns, char *buf, unsigned int len)
{
	return units_format(ns, UNIT_TIME, buf, len);
}

static void put_run(FILE *f, const struct result *r)
{
	char a[32], b[32], c[32];

	open_table(f, "The run");
	put_fact(f, "Scenario", "%s", r->scenario->path);
	put_fact(f, "Run", "%s, started %s", r->run_id, r->started);
	put_fact(f, "Seed", "%llu", (unsigned long long)r->seed);
	put_fact(f, "Kernel", "%s", r->host.kernel);
	put_fact(f, "Processor", "%s, %d cores", r->host.cpu, r->host.cores);
	put_fact(f, "TCP",
		 "congestion control cubic, pinned; nothing paces it");
	put_fact(f, "Times", "built in %s, ready %s later, torn down in %s",
		 time_text(r->build_ns, a, sizeof(a)),
		 time_text(r->ready_ns, b, sizeof(b)),
		 time_text(r->teardown_ns, c, sizeof(c)));
	close_table(f);
}

static const char *offload_word(enum offload_state s)
{
	switch (s) {
	case OFFLOAD_KEEP:
		return "kept";
	case OFFLOAD_ON:
		return "on";
	case OFFLOAD_OFF:
		return "off";
	}
	return "?";
}

static const char *offloads_text(const struct offloads *o, char *buf,
				 size_t len)
{
	static const struct offloads kept = {0};

	if (!memcmp(o, &kept, sizeof(kept)))
		return "as the kernel has them";
	snprintf(buf, len,
		 "tso %s, gso %s, gro %s, tx-checksum %s, "
		 "rx-checksum %s",
		 offload_word(o->tso), offload_word(o->gso),
		 offload_word(o->gro), offload_word(o->tx_checksum),
		 offload_word(o->rx_checksum));
	return buf;
}

/* "150mbit, 3ms, 0.1% loss": one direction of a link. */
static const char *impairment_text(const struct impairment *i, char *buf,
				   size_t len)
{
	char rate[32] = "as fast as it goes", delay[32], jitter[48] = "";
	char loss[48] = "", v[32];

	if (i->rate_bps > 0)
		units_format(i->rate_bps, UNIT_RATE, rate, sizeof(rate));
	if (i->jitter_ns > 0)
		snprintf(jitter, sizeof(jitter), " ±%s",
			 units_format(i->jitter_ns, UNIT_TIME, v, sizeof(v)));
	if (i->loss > 0)
		snprintf(loss, sizeof(loss), ", %s loss",
			 units_format(i->loss, UNIT_RATIO, v, sizeof(v)));
	snprintf(buf, len, "%s, %s%s one way%s", rate,
		 time_text(i->delay_ns, delay, sizeof(delay)), jitter, loss);
	return buf;
}

static void put_profile(FILE *f, const char *name, const struct link_profile *p)
{
	char down[160], up[160], offloads[128];

	put_fact(f, "Link", "%s: down %s; up %s; MTU %lld; offloads %s", name,
		 impairment_text(&p->down, down, sizeof(down)),
		 impairment_text(&p->up, up, sizeof(up)), (long long)p->mtu,
		 offloads_text(&p->offloads, offloads, sizeof(offloads)));
}

static void put_towers(FILE *f, const struct topology *t)
{
	for (size_t i = 0; i < t->n_towers; i++) {
		const struct tower_spec *w = &t->towers[i];
		char down[32] = "no limit", up[32] = "no limit", name[64];

		if (w->homes.plan_down_bps > 0)
			units_format(w->homes.plan_down_bps, UNIT_RATE, down,
				     sizeof(down));
		if (w->homes.plan_up_bps > 0)
			units_format(w->homes.plan_up_bps, UNIT_RATE, up,
				     sizeof(up));
		put_fact(f, "Tower",
			 "%s: %lld homes, CLAT %s, plan %s down, "
			 "%s up",
			 w->name, (long long)w->homes.count, w->homes.clat,
			 down, up);
		snprintf(name, sizeof(name), "radio of %s", w->name);
		put_profile(f, name, &w->radio);
	}
}

static void put_topology(FILE *f, const struct topology *t)
{
	char p6[ADDR_TEXT_LEN], p4[ADDR_TEXT_LEN], op[ADDR_TEXT_LEN];
	char a[32], b[32], name[64];

	open_table(f, "The topology");
	put_fact(f, "File", "%s", t->path);
	put_fact(f, "Prefixes", "operator %s, pool6 %s, pool4 %s",
		 prefix6_format(&t->operator_prefix, op),
		 prefix6_format(&t->pool6, p6), prefix4_format(&t->pool4, p4));
	for (size_t i = 0; i < t->n_plats; i++)
		put_fact(f, "PLAT", "%s: %s, OSPF cost %lld%s%s",
			 t->plats[i].name, t->plats[i].engine,
			 (long long)t->plats[i].ospf_cost,
			 t->plats[i].host ? ", machine " : "",
			 t->plats[i].host ? t->plats[i].host : "");
	put_fact(f, "Routing", "%s, OSPF hello %s, dead %s; %s",
		 t->routing.engine,
		 time_text(t->routing.hello_ns, a, sizeof(a)),
		 time_text(t->routing.dead_ns, b, sizeof(b)),
		 t->routing.track
			 ? "a PLAT that lost a side withdraws"
			 : "a PLAT that lost a side goes on announcing");
	put_towers(f, t);
	for (size_t i = 0; i < t->n_links; i++) {
		snprintf(name, sizeof(name), "%s-%s", t->links[i].a,
			 t->links[i].b);
		put_profile(f, name, &t->links[i].profile);
	}
	put_fact(f, "Internet", "round trip %s, %zu servers, zones %s",
		 time_text(t->internet.rtt_ns, a, sizeof(a)),
		 t->internet.n_names,
		 t->internet.dnssec ? "signed" : "not signed");
	close_table(f);
}

static void put_engines(FILE *f, const struct result *r)
{
	char path[128];

	if (!r->n_engines)
		return;
	fputs("<div class=\"scroll\"><table><caption>Engines, and where their "
	      "configuration and logs are</caption><thead><tr>"
	      "<th scope=\"col\">Node</th><th scope=\"col\">Role</th>"
	      "<th scope=\"col\">Engine</th><th scope=\"col\">Version</th>"
	      "</tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < r->n_engines; i++) {
		const struct engine_fact *x = &r->engines[i];

		snprintf(path, sizeof(path), "nodes/%s/", x->node);
		fputs("<tr><th scope=\"row\">", f);
		html_link(f, r->dir, path, x->node);
		fputs("</th><td>", f);
		text_markup(f, x->role);
		fputs("</td><td>", f);
		text_markup(f, x->name);
		fputs("</td><td>", f);
		text_markup(f, x->version);
		fputs("</td></tr>\n", f);
	}
	fputs("</tbody></table></div>\n", f);
}

/* Numbers that are not zero, those inside objects by dotted names. */
static size_t put_counted(FILE *f, const char *prefix, json_t *o, size_t n)
{
	const char *key;
	char name[128];
	json_t *v;

	json_object_foreach(o, key, v)
	{
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		if (json_is_object(v)) {
			size_t len = strlen(name);

			snprintf(name + len, sizeof(name) - len, ".");
			n = put_counted(f, name, v, n);
		} else if (json_is_number(v) && json_number_value(v) != 0) {
			fputs(n++ ? ", " : "", f);
			text_markup(f, name);
			fprintf(f, " %.15g", json_number_value(v));
		}
	}
	return n;
}

/* What was dropped, and why, is said by who dropped it. */
static void put_counters(FILE *f, const struct result *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_engines; i++) {
		const struct engine_fact *x = &r->engines[i];
		json_t *o = x->counters_json && strcmp(x->role, "relay") != 0
				    ? json_loads(x->counters_json, 0, NULL)
				    : NULL;

		if (!json_is_object(o)) {
			json_decref(o);
			continue;
		}
		if (!any)
			fputs("<details><summary>What the engines counted"
			      "</summary><div class=\"scroll\"><table><caption>"
			      "All that is not zero, at the "
			      "end</caption><thead>"
			      "<tr><th scope=\"col\">Engine</th>"
			      "<th scope=\"col\">Counters</th></tr></thead>"
			      "<tbody>\n",
			      f);
		any = true;
		fputs("<tr><th scope=\"row\">", f);
		text_markup(f, x->node);
		fputs(" ", f);
		text_markup(f, x->name);
		fputs("</th><td>", f);
		if (!put_counted(f, "", o, 0))
			fputs("nothing", f);
		fputs("</td></tr>\n", f);
		json_decref(o);
	}
	if (any)
		fputs("</tbody></table></div></details>\n", f);
}

/* Offloads as read back: the switches that make or break a translator. */
static void put_links(FILE *f, const struct result *r)
{
	char a[128], b[128];

	if (!r->n_links)
		return;
	fputs("<details><summary>Links, and their offloads as read back"
	      "</summary><div class=\"scroll\"><table><caption>LRO does not "
	      "exist on these interfaces</caption><thead><tr>"
	      "<th scope=\"col\">Link</th><th scope=\"col\">Through</th>"
	      "<th scope=\"col\">First end</th>"
	      "<th scope=\"col\">Second end</th></tr></thead><tbody>\n",
	      f);
	for (size_t i = 0; i < r->n_links; i++) {
		const struct link_fact *l = &r->links[i];

		fputs("<tr><th scope=\"row\">", f);
		text_markup(f, l->name);
		fprintf(f, "</th><td>%s</td><td>%s</td><td>%s</td></tr>\n",
			l->relayed ? "the relay" : "veth",
			l->known ? offloads_text(&l->a, a, sizeof(a)) : "?",
			l->known ? offloads_text(&l->b, b, sizeof(b)) : "?");
	}
	fputs("</tbody></table></div></details>\n", f);
}

static void put_files(FILE *f, const struct result *r)
{
	static const char *const files[] = {"result.json", "junit.xml",
					    "plan.txt", "nodes/"};

	fputs("<p>Files beside this page: ", f);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		fputs(i ? ", " : "", f);
		html_link(f, r->dir, files[i], NULL);
	}
	fputs(".</p>\n", f);
}

void html_facts(FILE *out, const struct result *r)
{
	fputs("<section aria-labelledby=\"h-f\"><h2 id=\"h-f\">What was run"
	      "</h2>\n<div class=\"columns\">\n",
	      out);
	put_run(out, r);
	if (r->scenario->topology)
		put_topology(out, r->scenario->topology);
	fputs("</div>\n", out);
	put_engines(out, r);
	put_counters(out, r);
	put_links(out, r);
	put_files(out, r);
	fputs("</section>\n", out);
}
