/* SPDX-License-Identifier: MIT */
/* Private to discover*.c: where a CLAT hears of the PLAT's prefix. */
#ifndef DAEMON_DISCOVER_INTERNAL_H
#define DAEMON_DISCOVER_INTERNAL_H

#include "../base/rng.h"
#include "../core/pref64.h"
#include "server.h"

struct discover {
	struct server *server;
	struct pref64_set set;
	struct discover_stats stats;
	struct rng rng;
	int fd; /* of the query under way, or of all advertisements; -1 */
	struct loop_source *source;
	struct loop_source *retry; /* next query or solicitation */
	struct loop_source *end;   /* of the first prefix */
	/* dns */
	uint16_t id;
	bool edns;
	unsigned int turn;  /* servers asked since the last answer */
	unsigned int round; /* times that all of them were silent */
	/* ra */
	int64_t interval_ns; /* between solicitations */
};

/* discover_retry - call @fn after @ns, instead of what was to be called. */
void discover_retry(struct discover *d, int64_t ns, loop_timer_fn *fn);
/* discover_watch - @fd is open: call @fn when it is readable. */
int discover_watch(struct discover *d, int fd, loop_fd_fn *fn);
void discover_unwatch(struct discover *d);

/* discover_dns_start - ask; discover_ra_open - solicit and listen. */
void discover_dns_start(struct discover *d);
int discover_ra_open(struct discover *d, struct err *e);
/* discover_ra_lost - no prefix is known any more: solicit again. */
void discover_ra_lost(struct discover *d);

#endif
