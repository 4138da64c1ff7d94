/* SPDX-License-Identifier: MIT */
/* Longest prefix match over keys of up to 128 bits, in an array of nodes. */
#ifndef CORE_LPM_H
#define CORE_LPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LPM_NONE UINT32_MAX
/* Nodes needed for @n prefixes: each adds itself and at most one branch. */
#define LPM_NODES(n) (2 * (size_t)(n))

struct lpm_node {
	uint8_t key[16];
	uint32_t child[2]; /* index or LPM_NONE */
	uint32_t value;	   /* LPM_NONE: a branch without a prefix */
	uint8_t len;	   /* bits */
};

struct lpm {
	struct lpm_node *nodes; /* the caller's */
	uint32_t n, max;
	uint32_t root;
};

void lpm_init(struct lpm *l, struct lpm_node *nodes, uint32_t max);

/*
 * lpm_add - remember @value for the first @len bits of @key (the rest zero).
 * Returns 0; -EEXIST when the prefix is there; -ENOSPC. Pure.
 */
int lpm_add(struct lpm *l, const uint8_t key[16], uint8_t len, uint32_t value);

/* lpm_get - value of exactly this prefix, or LPM_NONE. Pure. */
uint32_t lpm_get(const struct lpm *l, const uint8_t key[16], uint8_t len);

/* lpm_find - value of the longest prefix of @key, or LPM_NONE. Pure. */
uint32_t lpm_find(const struct lpm *l, const uint8_t key[16]);

#endif
