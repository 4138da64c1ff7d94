/* SPDX-License-Identifier: MIT */
/*
 * Topology and scenario files as typed structs. The grammar is described in
 * man/scenario.5; this is what remains of a file that has no error.
 * Strings and arrays live in the arena given to the loader.
 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../xlat/base/addr.h"
#include "../../xlat/base/arena.h"
#include "../../xlat/base/diag.h"
#include "../../xlat/base/units.h"

/* ---- topology ----------------------------------------------------------- */

/* Ethernet offloads of an interface: each one on, off, or as it comes. */
enum offload_state { OFFLOAD_KEEP, OFFLOAD_ON, OFFLOAD_OFF };

struct offloads {
	enum offload_state tso, gso, gro, tx_checksum, rx_checksum;
};

/*
 * What happens to packets on a link, per direction. A link with delay,
 * jitter, loss, reorder or duplicate goes through the relay; a link with only
 * a rate is shaped by tbf. 0 means none.
 */
struct impairment {
	double rate_bps;    /* bits a second at layer 2 */
	double burst_bytes; /* shaper burst; default 64 KiB */
	double queue_ns;  /* longest wait in the shaper's queue; default 50ms */
	double delay_ns;  /* one way */
	double jitter_ns; /* +- uniform around delay, order kept */
	double loss;	  /* 0..1 */
	double reorder;	  /* 0..1: share sent without delay */
	double duplicate; /* 0..1 */
};

/* From the subscriber's view: down is towards the homes. */
struct link_profile {
	struct impairment down, up;
	int64_t mtu;		  /* bytes; default 1500 */
	struct offloads offloads; /* on both ends */
	bool block_icmp;	  /* ICMP errors are lost on it */
};

/* `impairments: {NAME: PROFILE}`: what `radio:`, `links:`, `shape:` may name */
struct named_profile {
	struct pos pos;
	const char *name;
	struct link_profile profile;
};

/* `offloads: {NAME: {...}}`: what `offloads:` of a profile may name */
struct named_offloads {
	struct pos pos;
	const char *name;
	struct offloads offloads;
};

/* `links: {access-plat1: {...}}`: settings for one link, either name order */
struct link_spec {
	struct pos pos;
	const char *a, *b; /* node names; a is nearer to the homes */
	struct link_profile profile;
};

/* What an engine is told of the network around it; xlatd only. */
struct tuning {
	int64_t mtu6;	     /* of the IPv6 side; 0: 1500 */
	int64_t lowest_mtu6; /* RFC 7915 section 4; 0: 1280 */
	bool clamp_mss;	     /* to what these MTUs carry */
};

/* What shows in IPv4 of routers that have no IPv4 address (RFC 6791). */
struct icmp_spec {
	struct prefix4 pool4; /* len 0: the engine's own choice */
	bool name_source;     /* section 4 */
};

/* How a CLAT translates, and how it learns the PLATs' prefix. */
enum clat_mode {
	CLAT_MODE_PREFIX,  /* a /96 embeds the LAN */
	CLAT_MODE_ADDRESS, /* one address, behind NAT44 on the CPE */
};

enum pref64_from { PREF64_CONFIGURED, PREF64_DNS, PREF64_RA };

/* `static: [{home: home2, ...}]`: a port of a PLAT that is always a home's. */
struct static_spec {
	struct pos pos;
	const char *home;    /* its host, through its CLAT */
	struct addr address; /* one of pool4 */
	int64_t port;	     /* on both sides; TCP and UDP */
};

struct plat_spec {
	struct pos pos;
	const char *name;
	const char *engine;   /* "xlatd", ... */
	const char *attach;   /* how; NULL: the engine's default */
	int64_t ospf_cost;    /* 1..65535 */
	const char *host;     /* machine of the cluster; NULL: none named */
	struct prefix4 pool4; /* default: the topology's */
	int64_t sessions;     /* room for so many; 0: as the engine has it */
	/* xlatd: of one subscriber (a /64); 0: no limit */
	int64_t subscriber_sessions, subscriber_ports;
	bool guest_gro; /* jool: in its virtual machine; default true */
	struct static_spec *statics; /* xlatd */
	size_t n_statics;
	struct tuning tuning;
};

/* `hosts: {pve1: {...}}`: a machine of the cluster that runs PLATs. */
struct host_spec {
	struct pos pos;
	const char *name;
	double restart_after_ns; /* its nodes run again so long after its end */
	const char *restart_on;	 /* there; NULL: on a machine without a name */
};

struct dns64_spec {
	const char *engine; /* "bind9" */
	const char **on;    /* PLAT names */
	size_t n_on;
	bool validation; /* dnssec-validation; default true */
};

/* A group of equal homes on a tower. */
struct homes_spec {
	struct pos pos;
	int64_t count;
	const char *clat;   /* "xlatd", ... */
	const char *attach; /* how; NULL: the engine's default */
	double cpu; /* of one core, for each CPE's programs; 0: no quota */
	double plan_down_bps; /* 0: as fast as it goes */
	double plan_up_bps;
	int clat_mode; /* enum clat_mode */
	int pref64;    /* enum pref64_from */
	struct icmp_spec icmp;
	struct tuning tuning;
};

struct tower_spec {
	struct pos pos;
	const char *name;
	struct link_profile radio; /* tower - each CPE share it: the link
				      access-TOWER carries it */
	struct homes_spec homes;
};

struct name_spec {
	struct pos pos;
	const char *name; /* without final dot */
	const char *node; /* its server's node: the first label */
	bool has4, has6;
	struct in_addr v4;
	struct in6_addr v6;
};

struct internet_spec {
	double rtt_ns; /* between border and servers */
	bool dnssec;   /* zones signed; default true */
	bool df;       /* servers set it in IPv4; default true */
	struct name_spec *names;
	size_t n_names;
};

struct routing_spec {
	const char *engine; /* "frr" */
	double hello_ns;    /* OSPF hello interval; whole seconds */
	double dead_ns;	    /* router dead interval; whole seconds */
	double spf_delay_ns, spf_holdtime_ns, spf_max_ns;
	/*
	 * A PLAT whose link to access or border is down withdraws pool6 and
	 * pool4 on the other side too, as operators do by script; default
	 * true. Without it answers go to a PLAT that cannot deliver them.
	 */
	bool track;
	bool bfd; /* beside hellos */
	double bfd_interval_ns;
	int64_t bfd_multiplier; /* so many missed: down */
	double grace_ns; /* of a graceful restart, whole seconds; 0: none */
};

/* `health-check:` beside every PLAT. */
struct health_spec {
	bool on;
	double interval_ns;
	int64_t fail_after, rise; /* checks in a row */
	bool dns;		  /* its resolver counts, too */
};

struct topology {
	const char *path;		/* as given */
	const char *name;		/* file name without folder and .yaml */
	struct prefix6 operator_prefix; /* default 2001:db8::/36 */
	struct prefix6 internet6;	/* default 2001:db8:f000::/36 */
	struct prefix6 pool6;		/* default 64:ff9b::/96 */
	struct prefix4 pool4;
	struct prefix4 infra4; /* router links; default 100.64.0.0/16 */
	struct prefix4 lan4;   /* every home's LAN; default 192.168.1.0/24 */
	/*
	 * "nft-nat44" or "native" when all CLATs and PLATs are: the access
	 * network then has IPv4 and nothing is translated to IPv6. NULL:
	 * 464XLAT.
	 */
	const char *plain4;
	struct plat_spec *plats;
	size_t n_plats;
	struct host_spec *hosts; /* those named by `host` of plats included */
	size_t n_hosts;
	struct dns64_spec dns64;
	struct tower_spec *towers;
	size_t n_towers;
	struct internet_spec internet;
	struct routing_spec routing;
	struct health_spec health;
	bool standby; /* two xlatd PLATs tell each other of their sessions */
	struct link_spec *links;
	size_t n_links;
	struct named_profile *impairments;
	size_t n_impairments;
	struct named_offloads *offloads;
	size_t n_offloads;
};

/* ---- scenario ----------------------------------------------------------- */

enum probe_kind {
	PROBE_DNS,	   /* one query: answer, flags, TTL, time */
	PROBE_PING,	   /* echo of either family */
	PROBE_IPERF3,	   /* one transfer */
	PROBE_THROUGHPUT,  /* rounds of iperf3, interleaved with native */
	PROBE_STREAM,	   /* constant-rate UDP both ways */
	PROBE_SESSIONS,	   /* many TCP sessions at once: which survive */
	PROBE_RESOLVER,	   /* names asked for at a rate, as a stub does */
	PROBE_DIAGNOSIS,   /* one transfer, and why it was that fast */
	PROBE_TLS,	   /* exchanges as a browser begins them */
	PROBE_FLOOD,	   /* packets each of which wants a session */
	PROBE_CONNECTIONS, /* short TCP connections, interleaved with native */
	PROBE_TRACEROUTE,  /* the way, hop by hop */
};

enum direction { DIR_DOWN, DIR_UP };
enum flood_protocol { FLOOD_UDP, FLOOD_TCP };
enum trace_protocol { TRACE_UDP, TRACE_ICMP };

struct measure_spec {
	struct pos pos;
	const char *name;
	enum probe_kind kind;
	const char *from;   /* node */
	const char *to;	    /* name, address literal or node; not for dns */
	const char *query;  /* dns: the name asked for */
	const char *type;   /* dns: "AAAA", "A", ... */
	const char *server; /* dns: node or address literal; NULL: as
			       /etc/resolv.conf says */
	const char *native; /* the native destination of rounds */
	struct addr dial;   /* tls: where the client connects to; family 0: to
			       `to`, where the server is */
	int64_t port;	    /* tls: of the server; 0: one that is free */
	enum direction direction;
	enum flood_protocol protocol;
	enum trace_protocol trace;
	int family;	    /* 0: as `to` resolves; 4 or 6 */
	int64_t count;	    /* ping; tls: exchanges; traceroute: hops */
	bool first;	    /* ping: over with the first reply; for awaits */
	int64_t rounds;	    /* throughput, connections; default 5 */
	int64_t streams;    /* iperf3, throughput; default 1;
			       connections; default 32 */
	double rate_pps;    /* stream; default 1000 */
	double size_bytes;  /* UDP or echo payload; stream 200, ping 56 */
	double interval_ns; /* ping; default 200ms */
	int64_t busy, idle; /* sessions; default 200 each */
	double timeout_ns;  /* resolver: 0: as resolv.conf says; sessions: to
			       prove themselves, default 5s */
	int64_t attempts;   /* resolver; 0: as resolv.conf says; traceroute */
	bool rotate;	    /* resolver */
	double at_ns;	    /* start on the timeline; default 0 */
	double for_ns;	    /* length; 0: to the end of the timeline (10s in
			       before and after); throughput: a round, 3s;
			       connections: a round, 1s */
};

enum event_kind {
	EVENT_LINK_DOWN,
	EVENT_LINK_UP,
	EVENT_ENGINE_KILL,
	EVENT_ENGINE_START,
	EVENT_ENGINE_STOP,
	EVENT_ENGINE_CONT,
	EVENT_NODE_DOWN,
	EVENT_NODE_UP,
	EVENT_SET_COST,
	EVENT_SHAPE,
	EVENT_BLACK_HOLE,     /* a link loses all, carrier up */
	EVENT_BLACK_HOLE_END, /* all directions pass again */
	EVENT_NODE_FREEZE,    /* all its processes */
	EVENT_NODE_THAW,
	EVENT_ENGINE_END,  /* told to end, as an operator would */
	EVENT_HOST_DOWN,   /* a machine of the cluster dies */
	EVENT_OFFLOAD,	   /* settings of one interface */
	EVENT_ADVERTISE,   /* a tower's NAT64 prefix becomes another */
	EVENT_RENEW,	   /* OSPF is restarted gracefully */
	EVENT_FLAP,	   /* a link goes down and up again and again */
	EVENT_AWAIT_ROUTE, /* until: a node routes a prefix via a node */
	EVENT_AWAIT_PING,  /* until: an address answers */
};

/* The words of `do:` and `await:`, by enum event_kind; ends with NULL. */
extern const char *const event_words[];

struct event_spec {
	struct pos pos;
	enum event_kind kind;
	bool until;	  /* at_ns is a deadline, polled before it */
	double at_ns;	  /* relative to traffic start */
	const char *name; /* await: its result is expected as NAME.time;
			     default await1, await2, ... Others: of a drill,
			     from there to the next one; NULL: none */
	const char *node; /* engine-*, node-*, set-cost, await: where */
	const char *host; /* host-down */
	const char *role; /* engine-*: "plat" (default), "clat", "dns64",
			     "routing", "health" */
	const char *link_a, *link_b; /* of a link: nodes, a nearer home */
	int64_t cost;		     /* set-cost */
	int family;		     /* set-cost: 4, 6, 0: both */
	bool hole_down, hole_up;     /* black-hole: directions */
	int64_t times;		     /* flap */
	double period_ns;	     /* flap: from one down to the next */
	struct link_profile shape;   /* shape */
	const char *iface;	     /* offload: of node */
	struct offloads offloads;    /* offload: what to change */
	struct prefix6 prefix;	     /* advertise; len 0: none */
	const char *to;		     /* await route: pool6, pool4, default6 or
					default4; await ping: as of a measure */
	const char *via; /* await route: neighbour node; NULL: any */
};

enum expect_op { EXPECT_AT_MOST, EXPECT_AT_LEAST, EXPECT_IS };

struct expect_spec {
	struct pos pos;
	const char *measure, *metric; /* from `that: MEASURE.METRIC` */
	enum expect_op op;
	enum unit unit;	  /* of the metric, from the catalogue */
	double num;	  /* UNIT_BOOL: 0 or 1 */
	const char *text; /* UNIT_TEXT */
};

struct capture_spec {
	struct pos pos;
	const char *node, *iface; /* from `node:iface` */
	const char *filter;	  /* pcap filter or NULL */
};

struct scenario {
	const char *path, *name;
	const char *title; /* first line of `about:`, or the name */
	struct topology *topology;
	struct measure_spec *before, *measure, *after;
	size_t n_before, n_measure, n_after;
	struct event_spec *events; /* as in the file, `at` never goes back */
	size_t n_events;
	struct expect_spec *expect;
	size_t n_expect;
	struct capture_spec *captures;
	size_t n_captures;
	double duration_ns; /* of the timeline; 0: there is none */
	double max_late_ns; /* an event later than this: invalid; 50ms */
};

/* ---- catalogue: which metrics each probe yields ------------------------- */

struct metric_def {
	const char *name;
	enum unit unit;
	const char *help;
};

/* spec_metrics - of a probe kind (or of an await); ends with a NULL name. */
const struct metric_def *spec_metrics(enum probe_kind kind);
extern const struct metric_def spec_await_metrics[];
/* spec_drill_metrics - of an event that has a name. */
extern const struct metric_def spec_drill_metrics[];
/* spec_testbed_metrics - of the measure called `testbed`, in every run. */
extern const struct metric_def spec_testbed_metrics[];
/* spec_metric_better - which way a metric, of whatever probe, gets better. */
enum metric_better { BETTER_NEITHER, BETTER_MORE, BETTER_LESS };
enum metric_better spec_metric_better(const char *metric);
/* spec_attach_words - ways to attach @engine, its default first; ends with
 * NULL. NULL: the engine has only one. */
const char *const *spec_attach_words(const char *engine);
/* spec_is_plain4 - @engine needs IPv4 all the way, and its like. */
bool spec_is_plain4(const char *engine);
/* spec_probe_word - "dns", "ping", ... */
const char *spec_probe_word(enum probe_kind kind);

/* ---- loading ------------------------------------------------------------ */

/*
 * spec_load_topology / spec_load_scenario - read, check, and check references.
 * @a: owns the result; @d: gets every error of the file (and of the
 * topology that a scenario names)
 * Returns NULL when @d has any diagnostic.  Context: reads files, no root.
 */
struct topology *spec_load_topology(const char *path, struct arena *a,
				    struct diags *d);
struct scenario *spec_load_scenario(const char *path, struct arena *a,
				    struct diags *d);

/* spec_is_scenario - whether the file looks like one (has `topology:`). */
bool spec_is_scenario(const char *path);

/*
 * spec_duration_ns - predicted length of the measurements (not of building).
 * Pure.
 */
double spec_duration_ns(const struct scenario *s);

#endif
