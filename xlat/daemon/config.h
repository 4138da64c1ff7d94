/* SPDX-License-Identifier: MIT */
/* The configuration file of xlatd, read into a struct. See xlatd(8). */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

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

struct config {
	enum role role;
	/* tun */
	const char *tun_name;
	int64_t tun_mtu, tun_queue;
	/* prefixes */
	bool has_pref64;
	struct prefix6 pref64;	/* plat: pool6 */
	struct eam_entry *eams; /* clat: its own networks as well */
	size_t n_eams;
	/* plat */
	struct nat64_pool4 *pool4;
	size_t n_pool4;
	struct config_static *statics;
	size_t n_statics;
	int64_t sessions, subscriber_len;
	bool addr_dependent;
	struct nat64_timers timers;
	/* translation */
	int64_t lowest_mtu6, mtu4, mtu6;
	bool copy_tc;
	int64_t tos; /* 64: always this; -1: as copy_tc says */
	enum xlat_udp_zero udp_zero;
	bool allow_private;
	enum addrmap_hairpin hairpin; /* siit */
	bool tell_source;	      /* clat, siit */
	struct prefix4 pool6791;      /* clat, siit */
	struct in_addr self4;
	struct in6_addr self6;
	double icmp_rate_pps;
	/* plat: sync; sync_key is NULL without it */
	struct sockaddr_in6 sync_listen, sync_peer;
	const char *sync_key; /* path */
	/* the rest */
	const char *control; /* socket path, or NULL */
	bool has_seed;
	int64_t seed;
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
 * config_same_shape - can @next replace @now while sessions live? Not when
 * the device, pools, table sizes, filtering, seed or control socket differ:
 * returns false and the first such key in @what.
 */
bool config_same_shape(const struct config *now, const struct config *next,
		       const char **what);

#endif
