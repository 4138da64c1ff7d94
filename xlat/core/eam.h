/* SPDX-License-Identifier: MIT */
/* RFC 7757: explicit address mappings, longest prefix first, both ways. */
#ifndef CORE_EAM_H
#define CORE_EAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/addr.h"
#include "lpm.h"

struct eam_entry {
	struct prefix4 p4;
	struct prefix6 p6;
};

/* Sizes in numbers of elements, for a table of @n entries. */
#define EAM_NODES(n) LPM_NODES(n)

struct eam_table {
	struct eam_entry *entries; /* the caller's, max elements */
	uint32_t n, max;
	struct lpm by4, by6;
};

/*
 * eam_init - an empty table over the caller's memory.
 * @entries: @max elements; @nodes4, @nodes6: EAM_NODES(@max) elements each
 * @max: 0 (then the pointers may be NULL) to 1 << 30
 */
void eam_init(struct eam_table *t, struct eam_entry *entries, uint32_t max,
	      struct lpm_node *nodes4, struct lpm_node *nodes6);

/*
 * eam_add - one more mapping; takes effect at once.
 *
 * Returns 0; -EINVAL when a prefix is malformed (host bits, length) or the
 * IPv4 suffix is longer than the IPv6 suffix (section 3.2); -EEXIST when
 * either prefix is already there; -ENOSPC when the table is full.
 * Context: pure.
 */
int eam_add(struct eam_table *t, const struct prefix4 *p4,
	    const struct prefix6 *p6);

/*
 * eam_46 / eam_64 - translate by the longest matching entry (section 3.3).
 *
 * Suffix bits follow the prefix; IPv6 suffix bits beyond them are zero, and
 * are ignored in the other direction. Returns false, @out untouched, when
 * nothing matches. Context: pure; cost: one step a differing bit.
 */
bool eam_46(const struct eam_table *t, struct in_addr in, struct in6_addr *out);
bool eam_64(const struct eam_table *t, const struct in6_addr *in,
	    struct in_addr *out);

#endif
