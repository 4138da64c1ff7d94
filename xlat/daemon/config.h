/* SPDX-License-Identifier: MIT */
/* The configuration file of xlatd, read into a struct. See xlatd(8). */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <net/if.h>

#include "../base/arena.h"
#include "../base/diag.h"
#include "path.h"

struct config_static {
	enum nat64_proto proto;
	struct in6_addr src6;
	struct in_addr src4;
	uint16_t src6_port, src4_port; /* host order */
	struct pos pos;
};

/* How a CLAT learns the PLAT's prefix. */
enum config_pref64 {
	CONFIG_PREF64_GIVEN,
	CONFIG_PREF64_DNS,  /* RFC 7050 */
	CONFIG_PREF64_RA,   /* RFC 8781 */
	CONFIG_PREF64_AUTO, /* both; routers know better */
};

/* A resolver. */
struct config_server {
	struct in6_addr addr;
	char zone[IF_NAMESIZE]; /* interface of a link-local one, or "" */
};

/* How packets come and go. */
enum config_io {
	CONFIG_IO_TUN,
	CONFIG_IO_PACKET,      /* raw socket: loses offload metadata */
	CONFIG_IO_PACKET_VNET, /* raw socket with it */
};

/* Mapping number @eam goes where checksums stay as they are, within @from. */
struct config_neutral {
	size_t eam;
	struct prefix6 from; /* /64 to /80 */
};

struct config {
	enum role role;
	/* tun */
	enum config_io io;
	const char *tun_name; /* packet: an interface that is there */
	int64_t tun_mtu, tun_queue;
	/* prefixes */
	bool has_pref64;
	struct prefix6 pref64;	/* plat: pool6 */
	struct eam_entry *eams; /* clat: its own networks as well */
	size_t n_eams;
	/* clat */
	enum config_pref64 pref64_by;
	struct config_server *servers; /* dns; none: as /etc/resolv.conf says */
	size_t n_servers;
	const char *ra_interface;
	struct config_neutral *neutrals;
	size_t n_neutrals;
	bool neutral_self; /* self6 lies in the first neutral prefix */
	/* plat */
	struct nat64_pool4 *pool4;
	size_t n_pool4;
	struct config_static *statics;
	size_t n_statics;
	int64_t sessions, subscriber_len;
	/* of a subscriber; 0: none */
	int64_t limit_sessions, limit_ports, limit_rate;
	bool addr_dependent;
	bool store_syns; /* of the IPv4 side, for a simultaneous open */
	struct nat64_blocks blocks; /* size 0: none */
	const char *log_file;	    /* NULL: nothing is logged */
	bool log_sessions;	    /* as well as BIB entries */
	bool log_blocks;	    /* instead of BIB entries within them */
	int64_t log_rotate_bytes, log_keep;
	struct nat64_timers timers;
	int64_t fragment_ns; /* that fragments of a datagram may be apart */
	/* translation */
	int64_t lowest_mtu6, mtu4, mtu6;
	int64_t mss; /* 0: SYNs stay as they are */
	bool copy_tc;
	int64_t tos; /* 64: always this; -1: as copy_tc says */
	enum xlat_udp_zero udp_zero;
	bool allow_private;
	enum addrmap_hairpin hairpin; /* siit */
	bool tell_source;	      /* clat, siit */
	struct prefix4 pool6791;      /* clat, siit */
	struct in_addr self4;
	struct in6_addr self6;
	bool self6_dropped; /* by RFC 6052 section 3.1, where others translate
			     */
	double icmp_rate_pps, probe_rate_pps;
	/* plat: sync; sync_key is NULL without it */
	struct sockaddr_in6 sync_listen, sync_peer;
	const char *sync_key; /* path */
	/* plat: pcp */
	bool has_pcp;
	struct sockaddr_in6 pcp_listen;
	int64_t pcp_mappings, pcp_share, pcp_life_s;
	/* the rest */
	const char *control; /* socket path, or NULL */
	bool has_seed;
	int64_t seed;
	const char **fast_interfaces; /* of the fast path */
	size_t n_fast_interfaces;
	bool realtime;	 /* SCHED_FIFO */
	bool test_clock; /* `ctl advance` is allowed */
};

/*
 * config_load - read @path for @role. Every mistake becomes a diagnostic.
 * Returns the configuration (in @a), or NULL when there were any.
 */
struct config *config_load(const char *path, enum role role, struct arena *a,
			   struct diags *d);
/* config_load_text - the same for text in memory; @name stands for the path. */
struct config *config_load_text(const char *name, const char *text, size_t len,
				enum role role, struct arena *a,
				struct diags *d);

/*
 * config_set_pref64 - @c of a CLAT has learned this prefix; NULL: none.
 * Neutral mappings move with it, and to where they were read without one.
 * Returns false, with nothing changed, when @p allows no neutral ones.
 */
bool config_set_pref64(struct config *c, const struct prefix6 *p);

/*
 * config_parse_server - "2001:db8::53", or "fe80::1%wan": a link-local address
 * has an interface, others have none. False: anything else.
 */
bool config_parse_server(const char *text, struct config_server *out);

/* config_asks_dns, config_hears_routers - to learn it */
bool config_asks_dns(const struct config *c);
bool config_hears_routers(const struct config *c);
/* config_same_discovery - do both learn it the same way? */
bool config_same_discovery(const struct config *a, const struct config *b);

/*
 * config_same_shape - can @next replace @now while sessions live? Not when
 * the device, pool6, seed, sync, log file or control socket differ: returns
 * false and the first such key in @what.
 */
bool config_same_shape(const struct config *now, const struct config *next,
		       const char **what);

/* config_has_static - does @c list this entry? */
bool config_has_static(const struct config *c, const struct config_static *x);

/* config_same_tables - plat: no, where sessions have to move to a new table. */
bool config_same_tables(const struct config *now, const struct config *next);

#endif
