/* SPDX-License-Identifier: MIT */
/* `pcp:`, where hosts ask for mappings, and how many and how long they are. */
#include <string.h>

#include "../nat64/pcp.h"
#include "config_internal.h"

struct pcp_raw {
	const char *listen;
	int64_t mappings, share;
	double lifetime_ns;
};

static const struct yfield pcp_fields[] = {
	{.key = "listen",
	 .type = YF_STRING,
	 .offset = offsetof(struct pcp_raw, listen),
	 .required = true},
	{.key = "mappings",
	 .type = YF_INT,
	 .offset = offsetof(struct pcp_raw, mappings),
	 .min = 1,
	 .max = PCP_MAX},
	{.key = "per-subscriber",
	 .type = YF_INT,
	 .offset = offsetof(struct pcp_raw, share),
	 .min = 1,
	 .max = PCP_SHARE_MAX},
	{.key = "lifetime",
	 .type = YF_QUANTITY,
	 .unit = UNIT_TIME,
	 .offset = offsetof(struct pcp_raw, lifetime_ns),
	 .min = (double)PCP_LIFE_MIN * NS_PER_S,
	 .max = (double)PCP_LIFE_MAX * NS_PER_S},
	{0},
};

void config_read_pcp(struct reader *r, const struct ynode *n)
{
	struct pcp_raw raw = {.mappings = 16384,
			      .share = 64,
			      .lifetime_ns = (double)PCP_LIFE_MAX * NS_PER_S};
	struct config *c = r->c;

	yaml_read_map(n, "pcp", pcp_fields, &raw, r->a, r->d);
	if (n->kind != YNODE_MAP)
		return;
	config_read_endpoint(r, n, "listen", raw.listen, &c->pcp_listen);
	if (raw.listen && c->pcp_listen.sin6_port &&
	    IN6_IS_ADDR_UNSPECIFIED(&c->pcp_listen.sin6_addr))
		diags_add(r->d, yaml_get(n, "listen")->pos,
			  "`listen: %s`: an address of this host is expected: "
			  "answers come from where they were asked for",
			  raw.listen);
	c->has_pcp = true;
	c->pcp_mappings = raw.mappings;
	c->pcp_share = raw.share;
	c->pcp_life_s = (int64_t)(raw.lifetime_ns / NS_PER_S);
}
