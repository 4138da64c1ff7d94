/* SPDX-License-Identifier: MIT */
/*
 * The way of one packet: parse, map, translate, emit, count. No system calls
 * of its own; sending is a callback.
 */
#ifndef DAEMON_PATH_H
#define DAEMON_PATH_H

#include "../core/addrmap.h"
#include "../core/ratelimit.h"
#include "../core/xlat.h"
#include "../nat64/frag.h"
#include "../nat64/gather.h"
#include "../nat64/held.h"
#include "../nat64/nat64.h"
#include "../nat64/syn.h"

enum role { ROLE_CLAT, ROLE_SIIT, ROLE_PLAT };

/* role_name - "clat", "siit", "plat". */
const char *role_name(enum role r);

/* path_emit_fn - send; 0 or -errno, which is counted. */
typedef int path_emit_fn(void *arg, const struct pkt *pkt);

/* path_event_fn - a packet refused for a reason that is worth a message. */
typedef void path_event_fn(void *arg, enum reason r,
			   const struct pkt_info *info);

/* path_flow_fn - a whole packet of TCP or UDP, a superpacket if @bulk, was
 * translated like this. */
typedef void path_flow_fn(void *arg, const struct pkt_info *info,
			  const struct xlat_map *map, bool bulk,
			  struct mono now);

#define PATH_ERRNOS 160 /* counters for write errors by errno */

/*
 * received == forwarded + hairpinned + replied + dropped + held, always; with
 * `held` the reasons add up to received as well. A packet that leaves in
 * fragments counts once.
 */
struct path_counters {
	uint64_t received4, received6;
	uint64_t bytes4, bytes6;
	uint64_t forwarded, hairpinned, replied, dropped;
	uint64_t held;		 /* now: fragments that wait for their first */
	uint64_t held_all;	 /* that ever did */
	uint64_t fragments;	 /* packets that left as such */
	uint64_t superpackets;	 /* received */
	uint64_t icmp_limited;	 /* errors withheld: rate */
	uint64_t mss_clamped;	 /* SYNs */
	uint64_t syn_errors;	 /* sent about SYNs that had been stored */
	uint64_t probes;	 /* sent to see who is still there */
	uint64_t probes_limited; /* withheld: rate */
	struct reason_counters reasons;
	uint64_t write_errors[PATH_ERRNOS];
};

struct path {
	enum role role;
	struct xlat_cfg xlat;
	struct addrmap map;	     /* clat, siit */
	struct nat64 *nat64;	     /* plat */
	struct nat64_frags *frags;   /* plat */
	struct nat64_held *held;     /* plat */
	struct nat64_gather *gather; /* plat */
	struct nat64_syns *syns;     /* plat: NULL: none is stored */
	struct prefix6 pool6;	     /* plat */
	bool allow_private;	     /* plat: see addrmap.wkp_strict */
	uint32_t mss;		     /* SYNs announce no more; 0: as they are */
	/* Of our own errors: those that tell a path's MTU have a bucket of
	 * their own, which no flood of anything else empties. */
	struct ratelimit icmp, icmp_mtu;
	struct ratelimit probes;
	path_emit_fn *emit;
	void *emit_arg;
	path_event_fn *event; /* may be NULL */
	void *event_arg;
	path_flow_fn *flow; /* may be NULL */
	void *flow_arg;
	struct path_counters counters;
	/* private */
	struct xlat_out out;
	struct mono now;
	struct nat64_frag_key first; /* of the packet under way, if is_first */
	bool is_first;		     /* a first fragment */
	bool unsummed;	/* one of UDP without a checksum: to wait */
	uint8_t *again; /* IO_BUFFER_BYTES, for what was held */
	uint8_t reply[XLAT_REPLY_BYTES];
	uint8_t *fragment; /* IO_BUFFER_BYTES, the caller's */
};

/*
 * path_init - what does not come from the configuration.
 * @fragment: IO_BUFFER_BYTES of scratch memory; the caller's
 * @ident: where IPv4 Identification values start
 */
void path_init(struct path *p, enum role role, uint8_t *fragment,
	       uint16_t ident);

/*
 * path_run - translate one packet and emit what comes of it.
 * Returns the verdict as counted. @pkt is used up.
 */
enum verdict path_run(struct path *p, struct pkt *pkt, struct mono now);

/*
 * path_run_burst - path_run for each of @pkts, which were read together: what
 * they need of the session tables is fetched beforehand, all at once.
 */
void path_run_burst(struct path *p, struct pkt *pkts, size_t count,
		    struct mono now);

/*
 * path_balanced - do the counters add up? What was received is what was
 * forwarded, hairpinned, replied to and dropped, and has as many reasons.
 */
bool path_balanced(const struct path_counters *c);

/* path_count_unreadable - a packet that could not even be received whole. */
void path_count_unreadable(struct path *p);

/*
 * path_expire - give up what waited in vain: fragments are dropped, and the
 * senders of stored SYNs are told (RFC 6146 section 3.5.2.2: port
 * unreachable), looking at some of them.
 */
void path_expire(struct path *p, struct mono now);

/*
 * path_watch_idle - send the probes of p->nat64's idle connections (RFC 6146
 * section 3.5.2.2), as fast as p->probes allows. @p must stay where it is.
 */
void path_watch_idle(struct path *p);

/* ---- plat.c ---------------------------------------------------------------
 */

/* plat_map64 / plat_map46 - like addrmap_64/46, with the session tables. */
enum reason plat_map64(struct path *p, const struct pkt_info *info,
		       struct xlat_map *map);
enum reason plat_map46(struct path *p, const struct pkt_info *info,
		       struct xlat_map *map);

/*
 * plat_sum_up - a first fragment of UDP without a checksum gets one if all of
 * its datagram is there (RFC 6146 section 3.4); else it will be refused by
 * plat_map46 with REASON_NAT64_FRAGMENT, and held.
 */
void plat_sum_up(struct path *p, struct pkt *pkt, const struct pkt_info *info);

/*
 * plat_hold - @pkt was refused because of @why: keep it, if it is a fragment
 * that overtook its first one, or a first one without a checksum. Returns
 * REASON_OK if it is held, else why it is dropped after all. plat_take_held -
 * the next packet that waited for the one just run, into
 * @pkt; false when there is none.
 */
enum reason plat_hold(struct path *p, const struct pkt *pkt,
		      const struct pkt_info *info, enum reason why);
bool plat_take_held(struct path *p, struct pkt *pkt);

/*
 * plat_build_probe - an empty segment from the IPv4 host's address in pool6 to
 * the IPv6 host of @f, of which the latter can but say where it is.
 * @at: PLAT_PROBE_BYTES
 */
#define PLAT_PROBE_BYTES 60
void plat_build_probe(const struct nat64_flow *f, uint8_t *at);

/*
 * plat_store_syn - @pkt was refused because of @why: store it, if it is a SYN
 * that may still be answered. Returns why it is dropped after all.
 */
enum reason plat_store_syn(struct path *p, const struct pkt *pkt,
			   const struct pkt_info *info, enum reason why);

#endif
