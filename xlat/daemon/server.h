/* SPDX-License-Identifier: MIT */
/* One engine process at work: TUN, path, control socket, signals. */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "../base/loop.h"
#include "../bpf/fastpath.h"
#include "../io/io.h"
#include "../nat64/pcp.h"
#include "../nat64/replica.h"
#include "config.h"
#include "setup.h"

struct control;
struct sync;
struct pcp_server;
struct discover;
struct fast;
struct journal;

struct server {
	const char *config_path;
	struct config *config;
	struct arena *arena;	/* of config */
	struct eam_entry *eams; /* config->eams, once ctl has changed it */
	struct setup setup;
	struct io *io;
	struct loop *loop;
	struct control *control;
	struct sync *sync;	   /* NULL: no standby */
	struct pcp_server *pcp;	   /* NULL: no `pcp` */
	struct journal *journal;   /* NULL: no `log` */
	struct discover *discover; /* clat: NULL: the prefix is configured */
	struct fast *fast;	   /* NULL: no `fast-path` */
	struct mono started;
	int64_t ahead_ns;	 /* test-clock: what ctl advance has added */
	struct ratelimit events; /* messages about packets */
	uint64_t reads, batches; /* packets read; times woken for them */
	uint8_t *buf; /* what is read, and what was set aside of a burst */
};

/*
 * server_run - serve until SIGTERM or SIGINT.
 * @ready_fd: gets a newline and is closed once packets flow; -1: none
 * Returns 0, 1 with a message logged when it cannot start, 2 when the
 * configuration is bad. Context: syscalls, CAP_NET_ADMIN.
 */
int server_run(const char *config_path, enum role role, int ready_fd);

/*
 * server_reload - read the configuration again and apply it.
 * Returns 0; or -EINVAL with every mistake in @text and nothing changed.
 */
int server_reload(struct server *s, char *text, size_t len);

/*
 * server_take_packets - one turn of the loop: at most SERVER_BATCH reads, so
 * that other things get theirs, whatever is read.
 */
#define SERVER_BATCH 64
void server_take_packets(struct server *s);

/* server_tell_event - a path_event_fn, @arg a server: one line in the log,
 * of which s->events allows so many a second, and so many at once. */
#define SERVER_EVENT_RATE  1
#define SERVER_EVENT_BURST 10
void server_tell_event(void *arg, enum reason r, const struct pkt_info *info);

/* server_now - the time by which sessions age: the clock's, or ahead of it. */
struct mono server_now(const struct server *s);
/* server_advance - let @ns pass at once, and what is due by then happen.
 * For tests: only with `test-clock`. */
void server_advance(struct server *s, int64_t ns);

/* ---- fast.c ---------------------------------------------------------------
 */

/* fast_open - `fast-path:` of the configuration; NULL with @e set. */
struct fast *fast_open(struct server *s, struct err *e);
/* fast_close - before the loop and the TUN device go. NULL is fine. */
void fast_close(struct fast *x);
void fast_get_stats(const struct fast *x, struct fastpath_stats *st);

/* ---- control.c ------------------------------------------------------------
 */

/*
 * control_open - answer on a Unix socket at @path: one request, a line; one
 * answer, JSON and a newline; then it is closed.
 *
 *	stats | bib [CURSOR] | sessions [CURSOR] | sync | compare | reload |
 *	advance TIME
 *
 * A stale socket file is replaced, a live one is not. NULL with @e set.
 */
struct control *control_open(struct server *s, const char *path, struct err *e);
void control_close(struct control *c);

/* ---- answers.c ------------------------------------------------------------
 */

/* answer_request - the answer as malloc'ed text with a final newline. */
char *answer_request(struct server *s, const char *request);

/* ---- pcp.c ----------------------------------------------------------------
 */

/* pcp_open - `pcp:` of the configuration; NULL with @e set. */
struct pcp_server *pcp_open(struct server *s, struct err *e);
void pcp_close(struct pcp_server *x);
/* pcp_tables_changed - after a reload; pcp_advance - after a jump of time. */
void pcp_tables_changed(struct pcp_server *x);
void pcp_advance(struct pcp_server *x);
const struct pcp *pcp_of(const struct pcp_server *x, uint64_t *send_errors);

/* ---- journal.c ------------------------------------------------------------
 */

/* journal_open - `log:` of the configuration; NULL with @e set. */
struct journal *journal_open(struct server *s, struct err *e);
/* journal_close - what waits is written. NULL is fine. */
void journal_close(struct journal *j);
/* journal_reload - the configuration has been read again. */
void journal_reload(struct journal *j, const struct config *c);
/* journal_rotate - now, whatever its size. */
void journal_rotate(struct journal *j);

struct journal_stats {
	uint64_t lines, bytes; /* bytes: in files */
	uint64_t lost;	       /* lines */
	uint64_t write_errors, rotations, waiting_bytes;
};
void journal_get_stats(const struct journal *j, struct journal_stats *out);

/* ---- ctl.c ----------------------------------------------------------------
 */

/* ctl_run - `xlatd ctl SOCKET REQUEST`; the exit status. */
int ctl_run(const char *path, const char *request);

/* ---- sync.c ---------------------------------------------------------------
 */

/*
 * sync_open - exchange sessions with the peer of s->config from now on.
 * NULL with @e set: socket, key file (32 to 4096 bytes) or memory.
 */
struct sync *sync_open(struct server *s, struct err *e);
void sync_close(struct sync *y);

struct sync_stats {
	struct replica_stats replica;
	uint64_t bad_seals, send_errors; /* datagrams */
};
void sync_get_stats(const struct sync *y, struct sync_stats *out);

/* sync_compare_start - false as of compare_start; compare.h has the rest. */
bool sync_compare_start(struct sync *y);
const struct replica *sync_replica(const struct sync *y);

/* ---- discover.c -----------------------------------------------------------
 */

/*
 * discover_open - learn the PLAT's prefix as s->config says, now and whenever
 * it changes, and translate by it. NULL with @e set: socket or memory.
 */
struct discover *discover_open(struct server *s, struct err *e);
void discover_close(struct discover *d);
/* discover_apply - let @c, of a reload, have the prefix in use, if it can. */
void discover_apply(const struct discover *d, struct config *c);
/* discover_update - what is known or what can be used has changed. */
void discover_update(struct discover *d);

struct discover_stats {
	bool known;
	struct prefix6 prefix;
	const char *source; /* of it: dns or ra; NULL: none is known */
	bool forever;	    /* until it is told otherwise (DNS) */
	int64_t left_s;	    /* of its lifetime */
	unsigned int prefixes;
	uint64_t sent;	   /* queries or solicitations */
	uint64_t answers;  /* that were understood */
	uint64_t negative; /* of these: there is no prefix */
	uint64_t ignored;  /* malformed or somebody else's */
	uint64_t timeouts; /* queries without answer */
	uint64_t changes;  /* of the prefix in use */
};
void discover_get_stats(const struct discover *d, struct discover_stats *out);

#endif
