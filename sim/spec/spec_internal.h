/* SPDX-License-Identifier: MIT */
/* What the readers of topologies and scenarios share. */
#ifndef SPEC_SPEC_INTERNAL_H
#define SPEC_SPEC_INTERNAL_H

#include "../../xlat/base/yaml.h"
#include "spec.h"

#define NODE_NAME_MAX	 11
#define MEASURE_NAME_MAX 32
#define HOMES_MAX	 250
#define TOWERS_MAX	 64
#define PLATS_MAX	 32

/* Where a reader allocates and complains. */
struct spec_reader {
	struct arena *a;
	struct diags *d;
};

/* ---- names.c: every node and link that a topology makes ----------------- */

enum known_kind {
	KNOWN_HOME,
	KNOWN_CPE,
	KNOWN_TOWER,
	KNOWN_ACCESS,
	KNOWN_PLAT,
	KNOWN_BORDER,
	KNOWN_INET,
	KNOWN_DNS,
	KNOWN_SERVER,
};

struct known_link {
	const char *a, *b; /* a is nearer to the homes */
	const char *text;  /* "a-b" */
};

struct names {
	const char **nodes; /* ends with NULL */
	enum known_kind *kinds;
	size_t n;
	struct known_link *links;
	size_t n_links;
	const char **link_words; /* ends with NULL */
	const char **targets;	 /* nodes and internet names; ends with NULL */
};

struct names *names_new(const struct topology *t, struct arena *a);
/* names_find - index of a node, or -1. */
int names_find(const struct names *n, const char *node);
/* names_find_link - by "a-b" in either order, or NULL. */
const struct known_link *names_find_link(const struct names *n,
					 const char *text);
/* names_linked - whether a link joins two nodes. */
bool names_linked(const struct names *n, const char *a, const char *b);
/* names_neighbours - what @node is linked to; ends with NULL. */
const char **names_neighbours(const struct names *n, const char *node,
			      struct arena *a);
/* names_engine_device - does an engine bring @node a device @iface? */
bool names_engine_device(const struct names *n, const struct topology *t,
			 const char *node, const char *iface);
/* name_find - one of the topology's internet names, or NULL. */
const struct name_spec *name_find(const struct topology *t, const char *name);
/* name_is_reserved - home1, cpe7, access, ...: names that are given. */
bool name_is_reserved(const char *name);
/* name_is_dns - labels of lower-case letters, digits, hyphens, underscores. */
bool name_is_dns(const char *name);
/* name_of_file - without folder and .yaml. */
const char *name_of_file(struct arena *a, const char *path);

/* ---- profile.c ---------------------------------------------------------- */

extern const struct yfield profile_fields[], direction_fields[],
	offload_fields[];

void profile_defaults(struct link_profile *p);
/*
 * profile_read - a PROFILE: a map, or the name of an impairment of @t.
 * @named: whether a name is allowed here
 */
void profile_read(struct spec_reader *r, const struct topology *t,
		  const struct ynode *n, const char *what, bool named,
		  struct link_profile *out);
/* profile_check_mtu6 - complain of an MTU that IPv6 cannot have; @n: the node
 * that @p was read from. */
void profile_check_mtu6(struct spec_reader *r, const struct ynode *n,
			const struct link_profile *p);
/* offloads_read - a map of settings, or the name of one of @t. */
void offloads_read(struct spec_reader *r, const struct topology *t,
		   const struct ynode *n, struct offloads *out);
/* profiles_read - `impairments:` and `offloads:`, either may be NULL. */
void profiles_read(struct spec_reader *r, const struct ynode *impairments,
		   const struct ynode *offloads, struct topology *t);
/* profile_needs_relay - more than a rate: no kernel shaper does that. */
bool profile_needs_relay(const struct link_profile *p);

/* ---- kinds.c: maps whose keys depend on a word in them ------------------ */

struct kind_field {
	struct yfield f;
	unsigned int kinds;    /* bit 1 << kind: may hold this key */
	unsigned int required; /* bit 1 << kind: must hold it */
};

/* kind_read_map - as yaml_read_map; keys of other kinds are told apart. */
void kind_read_map(struct spec_reader *r, const struct ynode *m,
		   const char *what, const struct kind_field *fields,
		   unsigned int kind, const char *const *kind_words, void *out);
/* spec_want - whether @n is of @kind; complains if not. */
bool spec_want(struct spec_reader *r, const struct ynode *n,
	       enum ynode_kind kind, const char *what);

/* ---- overlays: what a cell of a matrix says of its files ---------------- */

/* In the order of the axes; any may be NULL. */
struct overlays {
	const struct ynode **topology, **scenario;
	size_t n;
};

/* scenario_load, topology_load - as spec_load_*; @o: NULL, or laid over. */
struct scenario *scenario_load(const char *path, const struct overlays *o,
			       struct arena *a, struct diags *d);
struct topology *topology_load(const char *path, const struct overlays *o,
			       struct arena *a, struct diags *d);

/* ---- topology.c, topology_check.c --------------------------------------- */

extern const struct yfield topology_fields[], prefix_fields[], plat_fields[],
	dns64_fields[], routing_fields[], tower_fields[], homes_fields[],
	internet_fields[], host_fields[], health_fields[];

/*
 * topology_check - what no single value can show to be wrong.
 * @prefixes_good: they were all read, so they may be compared
 */
void topology_check(struct spec_reader *r, const struct topology *t,
		    const struct ynode *root, bool prefixes_good);

/* ---- measure.c, events.c, scenario.c ------------------------------------ */

extern const struct kind_field probe_fields[], event_fields[];
extern const char *const probe_words[];
extern const char *const dns_types[];
extern const char *const route_words[];
extern const char *const role_words[];
extern const struct yfield scenario_fields[], expect_fields[], capture_fields[];

/*
 * measures_read - `before:`, `measure:` or `after:`; references are checked
 * when @names is not NULL.
 */
void measures_read(struct spec_reader *r, const struct topology *t,
		   const struct names *names, const struct ynode *n,
		   bool on_timeline, struct measure_spec **v, size_t *count);
/*
 * events_read - `events:`, with references checked when @names is not NULL.
 * @t: may be NULL with @names (then no named profile is known)
 */
void events_read(struct spec_reader *r, const struct topology *t,
		 const struct names *names, const struct ynode *n,
		 struct scenario *s);
void expects_read(struct spec_reader *r, const struct ynode *n,
		  struct scenario *s);
/* expect_metric - what @measure of @s yields as @metric, or NULL. */
const struct metric_def *expect_metric(const struct scenario *s,
				       const char *measure, const char *metric);
/* check_target - an address literal, an internet name or a node. */
void check_target(struct spec_reader *r, const struct topology *t,
		  const struct names *names, struct pos at, const char *key,
		  const char *word);

#endif
