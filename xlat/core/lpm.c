/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: a path-compressed binary trie. A node stands for the
 * first `len` bits of its key; its children have longer lengths, agree with
 * it on those bits, and differ in the next one, which is their index. A node
 * without a value has two children. Nodes are never moved or removed, so
 * adding costs one or two nodes, and a lookup one step a node on the path.
 */
#include "lpm.h"

#include <errno.h>
#include <string.h>

void lpm_init(struct lpm *l, struct lpm_node *nodes, uint32_t max)
{
	*l = (struct lpm){.nodes = nodes, .max = max, .root = LPM_NONE};
}

static unsigned int bit_at(const uint8_t *key, unsigned int at)
{
	return ((unsigned int)key[at / 8] >> (7 - at % 8)) & 1u;
}

/* How many leading bits agree, at most @max. */
static uint8_t common_bits(const uint8_t *a, const uint8_t *b, uint8_t max)
{
	unsigned int i = 0;

	while (i < max && a[i / 8] == b[i / 8])
		i += 8;
	if (i >= max)
		return max;
	i += (unsigned int)__builtin_clz((unsigned int)(a[i / 8] ^ b[i / 8])) -
	     24;
	return i < max ? (uint8_t)i : max;
}

static uint32_t node_new(struct lpm *l, const uint8_t *key, uint8_t len,
			 uint32_t value)
{
	struct lpm_node *n = &l->nodes[l->n];

	memcpy(n->key, key, sizeof(n->key));
	n->len = len;
	n->value = value;
	n->child[0] = LPM_NONE;
	n->child[1] = LPM_NONE;
	return l->n++;
}

int lpm_add(struct lpm *l, const uint8_t key[16], uint8_t len, uint32_t value)
{
	uint32_t *link = &l->root;
	uint32_t old, leaf, branch;
	struct lpm_node *n;
	uint8_t same = 0;

	for (;;) {
		if (*link == LPM_NONE)
			break;
		n = &l->nodes[*link];
		same = common_bits(n->key, key, n->len < len ? n->len : len);
		if (same < n->len)
			break;
		if (n->len == len) {
			if (n->value != LPM_NONE)
				return -EEXIST;
			n->value = value;
			return 0;
		}
		link = &n->child[bit_at(key, n->len)];
	}
	old = *link;
	if (l->n + (old != LPM_NONE && same < len ? 2u : 1u) > l->max)
		return -ENOSPC;
	leaf = node_new(l, key, len, value);
	*link = leaf;
	if (old == LPM_NONE)
		return 0;
	if (same == len) { /* the new prefix covers the old one */
		n = &l->nodes[leaf];
		n->child[bit_at(l->nodes[old].key, len)] = old;
		return 0;
	}
	branch = node_new(l, key, same, LPM_NONE);
	n = &l->nodes[branch];
	n->child[bit_at(key, same)] = leaf;
	n->child[bit_at(l->nodes[old].key, same)] = old;
	*link = branch;
	return 0;
}

uint32_t lpm_get(const struct lpm *l, const uint8_t key[16], uint8_t len)
{
	uint32_t at = l->root;

	while (at != LPM_NONE) {
		const struct lpm_node *n = &l->nodes[at];

		if (n->len > len || common_bits(n->key, key, n->len) < n->len)
			break;
		if (n->len == len)
			return n->value;
		at = n->child[bit_at(key, n->len)];
	}
	return LPM_NONE;
}

uint32_t lpm_find(const struct lpm *l, const uint8_t key[16])
{
	uint32_t best = LPM_NONE;
	uint32_t at = l->root;

	while (at != LPM_NONE) {
		const struct lpm_node *n = &l->nodes[at];

		if (common_bits(n->key, key, n->len) < n->len)
			break;
		if (n->value != LPM_NONE)
			best = n->value;
		if (n->len == 128)
			break;
		at = n->child[bit_at(key, n->len)];
	}
	return best;
}
