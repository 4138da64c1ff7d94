/* SPDX-License-Identifier: MIT */
/*
 * Unbound as DNS64 (RFC 6147) at the PLATs, set to do what BIND does there: it
 * answers at the PLAT's loopback address, for the operator's prefixes alone,
 * over IPv6 alone, from the simulated root and its trust anchor.
 *
 * Where it differs by itself: a real AAAA inside ::ffff:0:0/96 is passed on
 * (RFC 6147 section 5.1.4 would have it ignored), and a failure is remembered
 * for up to five seconds, so that an outage may be longer for names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "engine_internal.h"

#define CONTROL "/run/unbound.ctl"

static int unbound_available(char *version, size_t len, struct err *why)
{
	char path[128], text[1024], number[32];
	const char *argv[] = {path, "-V", NULL}, *at;

	if (host_find("unbound", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "unbound not found: install Debian package "
			       "unbound");
	/* -V exits with status 1 in some versions, though it worked */
	if (host_read(argv, text, sizeof(text)) < 0 ||
	    !(at = strstr(text, "Version ")) ||
	    sscanf(at, "Version %31s", number) != 1)
		return err_set(why, ENOEXEC,
			       "unbound -V does not tell a version");
	snprintf(version, len, "Unbound %s", number);
	return 0;
}

/* ---- configuration ---------------------------------------------------------
 */

/*
 * The root's key as BIND has it; nothing where the zones are not signed:
 *	trust-anchors { . static-ds 2192 13 2 "57FE..."; };
 */
static int put_anchor(FILE *f, const char *anchor, struct err *e)
{
	unsigned int tag, algorithm, type;
	char digest[256];

	if (!*anchor)
		return 0;
	if (sscanf(anchor, "trust-anchors { . static-ds %u %u %u \"%255[^\"]",
		   &tag, &algorithm, &type, digest) != 4)
		return err_set(e, EPROTO,
			       "the root's trust anchor is not understood");
	fprintf(f, "\ttrust-anchor: \". DS %u %u %u %s\"\n", tag, algorithm,
		type, digest);
	return 0;
}

static void put_server(FILE *f, const struct engine *en)
{
	const struct topology *t = world_plan(en->world)->topology;
	char self[ADDR_TEXT_LEN], op[ADDR_TEXT_LEN], pool6[ADDR_TEXT_LEN];

	in6_format(&engine_node(en)->loop6, self);
	fprintf(f,
		"# DNS64 for the operator's subscribers.\nserver:\n"
		"\tdirectory: \"%s\"\n\tchroot: \"\"\n\tusername: \"\"\n"
		"\tpidfile: \"\"\n\tuse-syslog: no\n\tlogfile: \"\"\n"
		"\tdo-daemonize: no\n\tnum-threads: 1\n"
		"\tinterface: %s\n\toutgoing-interface: %s\n"
		"\tdo-ip4: no\n\tdo-ip6: yes\n"
		"\taccess-control: ::0/0 refuse\n"
		"\taccess-control: %s allow\n"
		"\tmodule-config: \"%s%siterator\"\n"
		"\tdns64-prefix: %s\n",
		engine_dir(en), self, self,
		prefix6_format(&t->operator_prefix, op),
		t->plain4 ? "" : "dns64 ",
		t->dns64.validation ? "validator " : "",
		prefix6_format(&t->pool6, pool6));
	/* the simulated internet has all names that Unbound would keep local;
	 * a server that was unreachable is asked again soon */
	fprintf(f, "\troot-hints: \"unbound.hints\"\n"
		   "\tunblock-lan-zones: yes\n\tinsecure-lan-zones: no\n"
		   "\tlocal-zone: \"test.\" nodefault\n"
		   "\tinfra-host-ttl: 1\n\tinfra-keep-probing: yes\n"
		   "\ttrust-anchor-signaling: no\n\troot-key-sentinel: no\n"
		   "\tmsg-cache-size: 4m\n\trrset-cache-size: 8m\n");
}

static int unbound_configure(struct engine *en, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	int dns = plan_node_of(p, NODE_DNS), ret;
	char *text = NULL, *anchor, path[4096];
	size_t len = 0;
	FILE *f;

	if (dns < 0)
		return err_set(e, ENOENT, "there is no root name server");
	snprintf(path, sizeof(path), "%s/" BIND9_ANCHOR,
		 world_node_dir(en->world, dns));
	anchor = file_read(path, &len, e);
	if (!anchor)
		return -EIO;
	ret = bind9_put_hints(en, "unbound.hints", &p->nodes[dns], e);
	f = open_memstream(&text, &len);
	if (f) {
		put_server(f, en);
		if (!ret && p->topology->dns64.validation)
			ret = put_anchor(f, anchor, e);
		fputs("remote-control:\n\tcontrol-enable: yes\n"
		      "\tcontrol-interface: " CONTROL "\n"
		      "\tcontrol-use-cert: no\n",
		      f);
	}
	free(anchor);
	if (!ret)
		return engine_put(en, "unbound.conf", f, &text, &len, e);
	if (f)
		fclose(f);
	free(text);
	return ret;
}

/* ---- life ------------------------------------------------------------------
 */

static int unbound_start(struct engine *en, struct err *e)
{
	static const char *const argv[] = {"unbound", "-d", "-c",
					   "unbound.conf", NULL};
	int ret = engine_spawn(en, argv, "unbound.log", e);

	en->serving = !ret;
	return ret;
}

static int unbound_ready(struct engine *en, struct mono deadline, struct err *e)
{
	int ret = ask_dns(en->world, en->daemon->node, &engine_node(en)->loop6,
			  "ipv4only.arpa", ask_type(world_plan(en->world)),
			  deadline, e);

	return en->fault[0] ? err_set(e, ECHILD, "%s", en->fault) : ret;
}

/* ---- counters --------------------------------------------------------------
 */

static void parse_stat(json_t *o, char *line)
{
	char *value = strchr(line, '='), *end;
	double v;

	if (!value)
		return;
	*value++ = '\0';
	v = strtod(value, &end);
	if (end == value || *end)
		return;
	if (strchr(value, '.'))
		json_object_set_new(o, line, json_real(v));
	else
		json_object_set_new(o, line, json_integer((json_int_t)v));
}

/* As unbound-control speaks over a local socket: one command, then text. */
static json_t *unbound_counters(struct engine *en)
{
	static const char ask[] = "UBCT1 stats_noreset\n";
	int fd = engine_connect(en->procs[0], CONTROL);
	char buf[65536], *line, *save = NULL;
	size_t got = 0;
	ssize_t n = -1;
	json_t *o;

	if (fd < 0)
		return NULL;
	if (send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL) > 0)
		while ((n = recv(fd, buf + got, sizeof(buf) - 1 - got, 0)) > 0)
			got += (size_t)n;
	close(fd);
	if (n < 0)
		return NULL;
	buf[got] = '\0';
	o = json_object();
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, "total.", 6))
			parse_stat(o, line);
	return o;
}

const struct engine_ops unbound_ops = {
	.name = "unbound",
	.roles = 1u << DAEMON_DNS64,
	.spare = true,
	.available = unbound_available,
	.configure = unbound_configure,
	.start = unbound_start,
	.ready = unbound_ready,
	.counters = unbound_counters,
};
