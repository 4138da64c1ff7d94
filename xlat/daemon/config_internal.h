/* SPDX-License-Identifier: MIT */
/* Private to config*.c: a configuration on its way from text to struct. */
#ifndef DAEMON_CONFIG_INTERNAL_H
#define DAEMON_CONFIG_INTERNAL_H

#include "../base/yaml.h"
#include "config.h"

/* As the file has it; what needs a second look is still a node. */
struct raw {
	struct ynode *tun, *clat, *eam, *pool4, *statics, *timers, *sync,
		*limits, *log, *blocks, *pcp;
	struct ynode *pref64, *pool6, *clamp_mss, *fast;
	struct addr self4, self6;
	bool short_timers;
	int filtering, syns, udp_zero, hairpin, io;
};

struct reader {
	struct config *c;
	struct raw raw;
	struct arena *a;
	struct diags *d;
	const struct ynode *root;
};

/* ---- config_lists.c: each reads one node, and reports what is wrong -------
 */

void config_read_pref64(struct reader *r, const struct ynode *n,
			const char *key);
void config_read_clat(struct reader *r, const struct ynode *n);
void config_read_eams(struct reader *r, const struct ynode *n);
void config_read_pool4(struct reader *r, const struct ynode *n);
void config_read_statics(struct reader *r, const struct ynode *n);

/* ---- config_clat.c --------------------------------------------------------
 */

/* A prefix, or a map that says where to learn it. */
void config_read_clat_pref64(struct reader *r, const struct ynode *n);
/* config_embed4 - where @lan4 lies inside @clat6, a /96. */
void config_embed4(const struct prefix6 *clat6, const struct prefix4 *lan4,
		   struct prefix6 *out);

/* ---- config_fast.c --------------------------------------------------------
 */

void config_read_fast_path(struct reader *r, const struct ynode *n);
/* config_same_fast_path - at the same interfaces, in the same order? */
bool config_same_fast_path(const struct config *a, const struct config *b);

/* ---- config_sync.c --------------------------------------------------------
 */

void config_read_sync(struct reader *r, const struct ynode *n);

/* "[2001:db8::1]:7146"; what is wrong is reported at @key of @n. */
void config_read_endpoint(struct reader *r, const struct ynode *n,
			  const char *key, const char *text,
			  struct sockaddr_in6 *out);

/* ---- config_pcp.c ---------------------------------------------------------
 */

void config_read_pcp(struct reader *r, const struct ynode *n);

/* ---- config_log.c ---------------------------------------------------------
 */

void config_read_log(struct reader *r, const struct ynode *n);
/* After pool4. */
void config_read_blocks(struct reader *r, const struct ynode *n);

#endif
