/* SPDX-License-Identifier: MIT */
/* `log:`, who had which address and port. */
#include "config_internal.h"

static const char *const whats[] = {"bib", "session", NULL};

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
	r->c->log_rotate_bytes = raw.rotate_bytes;
	r->c->log_keep = raw.keep;
}
