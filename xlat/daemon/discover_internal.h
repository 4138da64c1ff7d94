/* SPDX-License-Identifier: MIT */
/* Private to discover*.c: where a CLAT hears of the PLAT's prefix. */
#ifndef DAEMON_DISCOVER_INTERNAL_H
#define DAEMON_DISCOVER_INTERNAL_H

#include "../base/rng.h"
#include "../core/pref64.h"
#include "server.h"

/* What one source waits for: a descriptor, a time, or both. */
struct discover_feed {
	int fd; /* -1 */
	struct loop_source *source;
	struct loop_source *timer;
};

struct discover {
	struct server *server;
	struct pref64_set set;
	struct discover_stats stats;
	struct rng rng;
	struct loop_source *end;    /* of the first prefix */
	struct discover_feed links; /* what becomes of interfaces */
	/* dns */
	struct discover_feed query; /* under way, or the next one */
	uint16_t id;
	bool edns, tcp;
	/* tcp */
	bool asked;
	size_t stream_len;
	uint8_t stream[2 + UINT16_MAX]; /* length, answer */
	unsigned int turn;  /* servers asked since the last answer */
	unsigned int round; /* times that all of them were silent */
	/* ra */
	struct discover_feed routers; /* advertisements; next solicitation */
	unsigned int ifindex;	      /* that routers.fd listens on; 0: none */
	bool running;		      /* that interface has a carrier */
	int64_t interval_ns;	      /* between solicitations */
};

/* discover_in - call @fn after @ns, instead of what @f was to call. */
void discover_in(struct discover *d, struct discover_feed *f, int64_t ns,
		 loop_timer_fn *fn);
/* discover_watch - @fd is open, and @f's: call @fn on @events. */
int discover_watch(struct discover *d, struct discover_feed *f, int fd,
		   uint32_t events, loop_fd_fn *fn);
/* discover_unwatch - close it again, if it is open. */
void discover_unwatch(struct discover *d, struct discover_feed *f);

/* discover_dns_start - ask; discover_ra_open - solicit and listen. */
void discover_dns_start(struct discover *d);
int discover_ra_open(struct discover *d, struct err *e);
/* discover_dns_hurry - a link has changed: who was silent may answer now.
 * discover_ra_follow - the interface may be another of its name, or none. */
void discover_dns_hurry(struct discover *d);
void discover_ra_follow(struct discover *d);
/* discover_ra_check - solicit anew when no router's prefix is known any more;
 * @had: one was. */
void discover_ra_check(struct discover *d, bool had);

#endif
