/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One server holds the root, one zone for each last label of the topology's
 * names, and ipv4only.arpa (RFC 7050). The root is always signed, so that
 * resolvers validate from one anchor down; `dnssec: false` leaves the zones
 * below it unsigned, which the root's NSEC records prove. ipv4only.arpa is
 * an insecure delegation by RFC 8880 section 7.1: DNS64 could not synthesise
 * from it otherwise.
 *
 * A zone is signed by one key (a CSK, ECDSA P-256) when the world is built:
 * children first, since their DS records go into the root.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "engine_internal.h"

#define ZONES	 "zones"
#define TTL	 300
#define NEGATIVE 60 /* how long "there is none" is remembered, seconds */
#define IPV4ONLY "ipv4only.arpa"

struct zone {
	const char *name; /* "." or "example" */
	const char *file; /* zones/root, zones/example; signed: + .signed */
	const char *ds;	  /* its DS record; NULL: unsigned */
	bool is_signed;
};

struct zones {
	struct engine *en;
	struct arena *a;
	struct zone *v;
	size_t n;
};

/* "b.example" -> "example" */
static const char *last_label(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static struct zone *add_zone(struct zones *z, const char *name, bool sign)
{
	struct zone *new;

	for (size_t i = 0; i < z->n; i++)
		if (!strcasecmp(z->v[i].name, name))
			return &z->v[i];
	new = ARENA_APPEND(z->a, z->v, z->n);
	new->name = name;
	new->is_signed = sign;
	new->file = arena_printf(z->a, ZONES "/%s",
				 strcmp(name, ".") ? name : "root");
	return new;
}

static void collect_zones(struct zones *z)
{
	const struct internet_spec *net =
		&world_plan(z->en->world)->topology->internet;

	for (size_t i = 0; i < net->n_names; i++)
		add_zone(z, last_label(net->names[i].name), net->dnssec);
	add_zone(z, IPV4ONLY, false);
	add_zone(z, ".", true); /* last: it wants the others' DS records */
}

/* ---- contents --------------------------------------------------------------
 */

static void put_head(FILE *f, const char *origin)
{
	fprintf(f,
		"$TTL %d\n$ORIGIN %s%s\n"
		"@ SOA " BIND9_NS " hostmaster." BIND9_NS
		" 1 3600 600 86400 %d\n@ NS " BIND9_NS "\n",
		TTL, origin, strcmp(origin, ".") ? "." : "", NEGATIVE);
}

static void put_server(FILE *f, const struct plan_node *n)
{
	char text[ADDR_TEXT_LEN];

	fprintf(f, BIND9_NS " A %s\n", in4_format(n->host4, text));
	fprintf(f, BIND9_NS " AAAA %s\n", in6_format(&n->host6, text));
}

static void put_names(FILE *f, const struct internet_spec *net,
		      const char *zone)
{
	char text[ADDR_TEXT_LEN];

	for (size_t i = 0; i < net->n_names; i++) {
		const struct name_spec *s = &net->names[i];

		if (strcasecmp(last_label(s->name), zone) != 0)
			continue;
		if (s->has4)
			fprintf(f, "%s. A %s\n", s->name,
				in4_format(s->v4, text));
		if (s->has6)
			fprintf(f, "%s. AAAA %s\n", s->name,
				in6_format(&s->v6, text));
	}
}

static void put_root(FILE *f, const struct zones *z)
{
	put_server(f, engine_node(z->en));
	for (size_t i = 0; i < z->n; i++) {
		if (!strcmp(z->v[i].name, "."))
			continue;
		fprintf(f, "%s. NS " BIND9_NS "\n", z->v[i].name);
		if (z->v[i].ds)
			fprintf(f, "%s\n", z->v[i].ds);
	}
}

static int write_zone(const struct zones *z, const struct zone *zone,
		      struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	put_head(f, zone->name);
	if (!strcmp(zone->name, "."))
		put_root(f, z);
	else if (!strcmp(zone->name, IPV4ONLY)) /* RFC 7050 section 2.2 */
		fprintf(f, "@ A 192.0.0.170\n@ A 192.0.0.171\n");
	else
		put_names(f, &world_plan(z->en->world)->topology->internet,
			  zone->name);
	/* the server's own name, should a zone hold it */
	if (!strcasecmp(zone->name, "net"))
		put_server(f, engine_node(z->en));
	return engine_put(z->en, zone->file, f, &text, &len, e);
}

/* ---- signatures ------------------------------------------------------------
 */

/* Run a tool of BIND; its only line of output goes to @line (arena). */
static int run_for_line(struct zones *z, const char *const *argv,
			const char **line, struct err *e)
{
	int node = z->en->daemon->node;
	char *path, *text;
	size_t len;
	int ret = engine_run(z->en->world, node, argv, ZONES "/.out", e);

	if (ret)
		return ret;
	path = arena_printf(z->a, "%s/" ZONES "/.out",
			    world_node_dir(z->en->world, node));
	text = file_read(path, &len, e);
	if (!text)
		return -EIO;
	text[strcspn(text, "\n")] = '\0';
	*line = arena_strdup(z->a, text);
	free(text);
	return **line ? 0 : err_set(e, EIO, "%s printed nothing", argv[0]);
}

static int sign_zone(struct zones *z, struct zone *zone, struct err *e)
{
	const char *key = NULL;
	const char *keygen[] = {
		"dnssec-keygen",   "-q", "-K",	ZONES,	    "-a",
		"ECDSAP256SHA256", "-f", "KSK", zone->name, NULL};
	const char *dsfromkey[] = {"dnssec-dsfromkey", "-2", NULL, NULL};
	/* -z: the one key signs all records */
	const char *signzone[] = {"dnssec-signzone",
				  "-q",
				  "-z",
				  "-S",
				  "-K",
				  ZONES,
				  "-d",
				  ZONES,
				  "-o",
				  zone->name,
				  "-f",
				  arena_printf(z->a, "%s.signed", zone->file),
				  zone->file,
				  NULL};
	int ret = run_for_line(z, keygen, &key, e);

	if (ret)
		return ret;
	dsfromkey[2] = arena_printf(z->a, ZONES "/%s", key);
	ret = run_for_line(z, dsfromkey, &zone->ds, e);
	if (ret)
		return ret;
	ret = engine_run(z->en->world, z->en->daemon->node, signzone,
			 ZONES "/.out", e);
	zone->file = signzone[11];
	return ret;
}

/* "... IN DS TAG ALGORITHM TYPE DIGEST" as the resolvers' configuration. */
static int write_anchor(const struct zones *z, const struct zone *root,
			struct err *e)
{
	unsigned int tag, algorithm, type;
	char digest[129], *text = NULL;
	size_t len = 0;
	FILE *f;

	if (sscanf(root->ds, ". IN DS %u %u %u %128s", &tag, &algorithm, &type,
		   digest) != 4)
		return err_set(e, EPROTO, "dnssec-dsfromkey printed '%s'",
			       root->ds);
	f = open_memstream(&text, &len);
	if (f)
		fprintf(f, "trust-anchors { . static-ds %u %u %u \"%s\"; };\n",
			tag, algorithm, type, digest);
	return engine_put(z->en, BIND9_ANCHOR, f, &text, &len, e);
}

/* ---- configuration ---------------------------------------------------------
 */

static int write_conf(const struct zones *z, struct err *e)
{
	const struct plan_node *n = engine_node(z->en);
	char *text = NULL, a4[ADDR_TEXT_LEN], a6[ADDR_TEXT_LEN];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	fprintf(f,
		"// The simulated internet: the root and all zones.\n"
		"options {\n\tdirectory \"%s\";\n"
		"\tlisten-on { %s; };\n\tlisten-on-v6 { %s; };\n"
		"\trecursion no;\n\tdnssec-validation no;\n"
		"\tallow-transfer { none; };\n\tnotify no;\n"
		"\tpid-file none;\n\tsession-keyfile none;\n"
		"\tmax-cache-size 4m;\n};\ncontrols { };\n",
		engine_dir(z->en), in4_format(n->host4, a4),
		in6_format(&n->host6, a6));
	for (size_t i = 0; i < z->n; i++)
		fprintf(f, "zone \"%s\" { type primary; file \"%s\"; };\n",
			z->v[i].name, z->v[i].file);
	return engine_put(z->en, "named-auth.conf", f, &text, &len, e);
}

static int make_zones(struct zones *z, struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < z->n && !ret; i++) {
		struct zone *zone = &z->v[i];

		ret = write_zone(z, zone, e);
		if (!ret && zone->is_signed)
			ret = sign_zone(z, zone, e);
	}
	return ret ? ret : write_anchor(z, &z->v[z->n - 1], e);
}

int bind9_auth_configure(struct engine *en, struct err *e)
{
	struct zones z = {.en = en, .a = arena_new()};
	int ret =
		file_mkdirs(arena_printf(z.a, "%s/" ZONES, engine_dir(en)), e);

	collect_zones(&z);
	if (!ret)
		ret = make_zones(&z, e);
	if (!ret)
		ret = write_conf(&z, e);
	arena_free(z.a);
	return ret;
}
