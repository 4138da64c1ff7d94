/* SPDX-License-Identifier: MIT */
/* `log:` and `port-blocks:`, who had which address and port. */
#include "config_internal.h"

static const char *const whats[] = {"bib", "session", "block", NULL};

struct log_raw {
	const char *file;
	int what;
	int64_t rotate_bytes, keep;
};

#define RAW(member) offsetof(struct log_raw, member)

static const struct yfield log_fields[] = {
	{.key = "file",
	 .type = YF_STRING,
	 .offset = RAW(file),
	 .required = true},
	{.key = "what", .type = YF_ENUM, .offset = RAW(what), .words = whats},
	{.key = "rotate-bytes",
	 .type = YF_INT,
	 .offset = RAW(rotate_bytes),
	 .min = 4096,
	 .max = 1e12},
	{.key = "keep",
	 .type = YF_INT,
	 .offset = RAW(keep),
	 .min = 1,
	 .max = 999},
	{0},
};

void config_read_log(struct reader *r, const struct ynode *n)
{
	struct log_raw raw = {.rotate_bytes = 100000000, .keep = 10};

	yaml_read_map(n, "log", log_fields, &raw, r->a, r->d);
	r->c->log_file = raw.file;
	r->c->log_sessions = raw.what == 1;
	r->c->log_blocks = raw.what == 2;
	if (raw.what == 2 && !r->raw.blocks)
		diags_add(r->d, n->pos,
			  "`what: block`: without `port-blocks` there are "
			  "none");
	r->c->log_rotate_bytes = raw.rotate_bytes;
	r->c->log_keep = raw.keep;
}

struct blocks_raw {
	struct prefix6 subscribers;
	int64_t size;
};

static const struct yfield block_fields[] = {
	{.key = "subscribers",
	 .type = YF_PREFIX6,
	 .offset = offsetof(struct blocks_raw, subscribers),
	 .required = true},
	{.key = "size",
	 .type = YF_INT,
	 .offset = offsetof(struct blocks_raw, size),
	 .min = 1,
	 .max = 64512,
	 .required = true},
	{0},
};

/* The ports that every address has for every protocol. */
static void common_ports(const struct config *c, struct nat64_blocks *b)
{
	b->low = 0;
	b->high = 65535;
	for (size_t i = 0; i < c->n_pool4; i++)
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			if (c->pool4[i].ports[k].lo > b->low)
				b->low = c->pool4[i].ports[k].lo;
			if (c->pool4[i].ports[k].hi < b->high)
				b->high = c->pool4[i].ports[k].hi;
		}
}

void config_read_blocks(struct reader *r, const struct ynode *n)
{
	struct blocks_raw raw = {0};
	struct nat64_blocks *b = &r->c->blocks;
	size_t before = r->d->n;

	yaml_read_map(n, "port-blocks", block_fields, &raw, r->a, r->d);
	if (r->d->n != before || !r->c->n_pool4)
		return;
	b->subscribers = raw.subscribers;
	b->subscriber_len = (uint8_t)r->c->subscriber_len;
	b->size = (uint32_t)raw.size;
	common_ports(r->c, b);
	if (b->subscriber_len <= b->subscribers.len)
		diags_add(r->d, n->pos,
			  "`port-blocks`: subscribers share %u bits "
			  "(`subscriber-length`), so their prefix is shorter",
			  b->subscriber_len);
	else if (!nat64_blocks_fit(b, (uint32_t)r->c->n_pool4))
		diags_add(r->d, n->pos,
			  "`port-blocks`: %zu addresses with ports %u-%u have "
			  "fewer blocks of %u than there are subscribers, 2^%u",
			  r->c->n_pool4, b->low, b->high, b->size,
			  b->subscriber_len - b->subscribers.len);
}
