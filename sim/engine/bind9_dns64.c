/* SPDX-License-Identifier: MIT */
/*
 * The configuration of a DNS64 resolver (RFC 6147) on a PLAT.
 *
 * It answers at the PLAT's loopback address, for the operator's prefixes
 * alone, and starts from the simulated root and its trust anchor.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../xlat/base/file.h"
#include "engine_internal.h"

int bind9_put_hints(const struct engine *en, const char *name,
		    const struct plan_node *dns, struct err *e)
{
	char *text = NULL, a4[ADDR_TEXT_LEN], a6[ADDR_TEXT_LEN];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		fprintf(f,
			". 3600000 NS " BIND9_NS "\n" BIND9_NS
			" 3600000 A %s\n" BIND9_NS " 3600000 AAAA %s\n",
			in4_format(dns->host4, a4),
			in6_format(&dns->host6, a6));
	return engine_put(en, name, f, &text, &len, e);
}

static void put_options(FILE *f, const struct engine *en, bool validate)
{
	const struct topology *t = world_plan(en->world)->topology;
	char self[ADDR_TEXT_LEN], pool6[ADDR_TEXT_LEN];

	in6_format(&engine_node(en)->loop6, self);
	fprintf(f,
		"options {\n\tdirectory \"%s\";\n"
		"\tlisten-on { none; };\n\tlisten-on-v6 { %s; };\n"
		"\tquery-source-v6 address %s;\n"
		"\trecursion yes;\n\tallow-query { operator; };\n"
		"\tallow-recursion { operator; };\n"
		"\tallow-query-cache { operator; };\n"
		"\tallow-transfer { none; };\n\tnotify no;\n"
		"\tdnssec-validation %s;\n",
		engine_dir(en), self, self, validate ? "yes" : "no");
	/* exclude: RFC 6147 section 5.1.4. Nobody translates where access has
	 * IPv4, so nothing is synthesised there. */
	if (!t->plain4)
		fprintf(f,
			"\tdns64 %s {\n\t\tclients { operator; };\n"
			"\t\tmapped { any; };\n"
			"\t\texclude { ::ffff:0:0/96; };\n\t};\n",
			prefix6_format(&t->pool6, pool6));
	/* A failure is not remembered, so that an outage is no longer for the
	 * resolver than for packets. */
	fputs("\tempty-zones-enable no;\n\tservfail-ttl 0;\n"
	      "\tpid-file none;\n\tsession-keyfile none;\n"
	      "\tmax-cache-size 16m;\n};\n",
	      f);
}

int bind9_dns64_configure(struct engine *en, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	const struct topology *t = p->topology;
	int dns = plan_node_of(p, NODE_DNS), ret;
	char *text = NULL, *anchor, path[4096], prefix[ADDR_TEXT_LEN];
	size_t len = 0;
	FILE *f;

	if (dns < 0)
		return err_set(e, ENOENT, "there is no root name server");
	snprintf(path, sizeof(path), "%s/" BIND9_ANCHOR,
		 world_node_dir(en->world, dns));
	anchor = file_read(path, &len, e);
	if (!anchor)
		return -EIO;
	ret = bind9_put_hints(en, "root.hints", &p->nodes[dns], e);
	f = ret ? NULL : open_memstream(&text, &len);
	if (f) {
		fprintf(f,
			"// DNS64 for the operator's subscribers.\n"
			"acl operator { %s; };\n",
			prefix6_format(&t->operator_prefix, prefix));
		put_options(f, en, t->dns64.validation);
		fprintf(f,
			"controls { };\n%s"
			"zone \".\" { type hint; file \"root.hints\"; };\n",
			t->dns64.validation ? anchor : "");
		ret = engine_put(en, "named-dns64.conf", f, &text, &len, e);
	} else if (!ret) {
		ret = err_set(e, ENOMEM, "out of memory");
	}
	free(anchor);
	return ret;
}
