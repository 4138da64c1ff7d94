/* SPDX-License-Identifier: MIT */
/*
 * Black holes: a link that keeps its carrier and loses every packet.
 *
 * Theory of operation
 *
 * What arrives at the receiving end is dropped before any protocol sees it, by
 * an nftables chain of family netdev: no rules, policy drop, hooked to the
 * ingress of that one interface. There it is silent for both sides: a sender's
 * queue and counters look as ever, while a drop at its egress would be told to
 * the sending socket. Frames of all kinds go, ARP and neighbour discovery
 * included. One table per interface; the hole is closed by deleting it, and a
 * hole goes with the namespace.
 *
 * ICMP errors can be lost alone, as at a firewall that takes them for attacks:
 * the same chain with policy accept and a rule for each family, for as long as
 * the world lives, in a table of its own.
 *
 * nftables takes its changes as a batch: begin, messages, end, all in one
 * datagram; each message in between is acknowledged.
 */
#include "world_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* linux/netfilter.h says so, but cannot stand beside netinet/in.h. */
enum { FAMILY_NETDEV = 5, HOOK_INGRESS = 0, VERDICT_DROP = 0, VERDICT_ACCEPT };

#define CHAIN_NAME  "hole"
#define ICMP_PREFIX "icmp"
#define TABLE_BYTES (IFNAMSIZ + 8)

struct batch {
	uint8_t buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t len;
	uint32_t seq;
	int acks; /* still to come */
};

static struct nl_msg *nft_msg(int type, int flags)
{
	struct nfgenmsg head = {.nfgen_family = FAMILY_NETDEV,
				.version = NFNETLINK_V0};

	return nlm_new(NFNL_SUBSYS_NFTABLES << 8 | type,
		       NLM_F_REQUEST | NLM_F_ACK | flags, &head, sizeof(head));
}

/* Takes @m; false when there is none or no room. */
static bool batch_add(struct batch *b, struct nl_msg *m)
{
	struct nlmsghdr *h = m ? nlmsg_hdr(m) : NULL;
	bool fits = h && b->len + NLMSG_ALIGN(h->nlmsg_len) <= sizeof(b->buf);

	if (fits) {
		h->nlmsg_seq = b->seq;
		b->acks += (h->nlmsg_flags & NLM_F_ACK) != 0;
		memcpy(b->buf + b->len, h, h->nlmsg_len);
		b->len += NLMSG_ALIGN(h->nlmsg_len);
	}
	nlmsg_free(m);
	return fits;
}

static bool batch_mark(struct batch *b, int type)
{
	struct nfgenmsg head = {.nfgen_family = AF_UNSPEC,
				.version = NFNETLINK_V0,
				.res_id = htons(NFNL_SUBSYS_NFTABLES)};

	return batch_add(b, nlm_new(type, NLM_F_REQUEST, &head, sizeof(head)));
}

/* The first error that the kernel tells, or 0 when all are acknowledged. */
static int batch_send(struct batch *b, struct nl_sock *sk, struct err *e)
{
	uint8_t buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	int ret = 0, error;

	if (send(nl_socket_get_fd(sk), b->buf, b->len, 0) < 0)
		return err_set(e, errno, "nftables: %s", strerror(errno));
	while (b->acks > 0 && !ret) {
		ssize_t got = recv(nl_socket_get_fd(sk), buf, sizeof(buf), 0);
		int n = (int)got;

		if (got <= 0)
			return err_set(e, got ? errno : EPIPE, "nftables: %s",
				       got ? strerror(errno) : "closed");
		for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		     nlmsg_ok(h, n); h = nlmsg_next(h, &n)) {
			if (h->nlmsg_type != NLMSG_ERROR ||
			    h->nlmsg_seq != b->seq)
				continue;
			error = ((struct nlmsgerr *)nlmsg_data(h))->error;
			b->acks--;
			if (error && !ret)
				ret = err_set(e, -error, "nftables: %s",
					      strerror(-error));
		}
	}
	return ret;
}

/* ---- the table of one interface --------------------------------------------
 */

static void table_name(const char *prefix, const char *iface, char *buf)
{
	snprintf(buf, TABLE_BYTES, "%s-%s", prefix, iface);
}

static struct nl_msg *table_msg(int type, int flags, const char *table)
{
	struct nl_msg *m = nft_msg(type, flags);

	if (m && !nla_put_string(m, NFTA_TABLE_NAME, table))
		return m;
	nlmsg_free(m);
	return NULL;
}

static struct nl_msg *chain_msg(const char *table, const char *iface,
				uint32_t policy)
{
	struct nl_msg *m = nft_msg(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	if (!m || nla_put_string(m, NFTA_CHAIN_TABLE, table) ||
	    nla_put_string(m, NFTA_CHAIN_NAME, CHAIN_NAME) ||
	    nla_put_u32(m, NFTA_CHAIN_POLICY, htonl(policy)) ||
	    nla_put_string(m, NFTA_CHAIN_TYPE, "filter"))
		goto failed;
	hook = nla_nest_start(m, NFTA_CHAIN_HOOK);
	if (!hook || nla_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(HOOK_INGRESS)) ||
	    nla_put_u32(m, NFTA_HOOK_PRIORITY, 0) ||
	    nla_put_string(m, NFTA_HOOK_DEV, iface))
		goto failed;
	nla_nest_end(m, hook);
	return m;
failed:
	nlmsg_free(m);
	return NULL;
}

struct visit {
	const struct veth_end *end;
	bool open;
	struct err *e;
};

static int set_inside(void *arg)
{
	struct visit *v = arg;
	struct nl_sock *sk = nlm_open(NETLINK_NETFILTER, v->e);
	struct batch b = {.seq = 1};
	char table[TABLE_BYTES];
	bool built;
	int ret;

	if (!sk)
		return -EIO;
	table_name(CHAIN_NAME, v->end->name, table);
	built = batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	if (v->open)
		built = built &&
			batch_add(&b, table_msg(NFT_MSG_NEWTABLE, NLM_F_CREATE,
						table)) &&
			batch_add(&b,
				  chain_msg(table, v->end->name, VERDICT_DROP));
	else
		built = built &&
			batch_add(&b, table_msg(NFT_MSG_DELTABLE, 0, table));
	built = built && batch_mark(&b, NFNL_MSG_BATCH_END);
	ret = built ? batch_send(&b, sk, v->e)
		    : err_set(v->e, ENOMEM, "out of memory");
	nl_socket_free(sk);
	return !v->open && ret == -ENOENT ? 0 : ret;
}

static int end_hole(struct world *w, const struct veth_end *end, bool open,
		    struct err *e)
{
	struct visit v = {.end = end, .open = open, .e = e};
	int ret = world_enter(w, end->node, set_inside, &v, e);

	if (ret)
		err_prefix(e, "%s:%s", w->nodes[end->node].name, end->name);
	return ret;
}

int world_link_hole(struct world *w, int link, bool down, bool up,
		    struct err *e)
{
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	/* what goes down arrives at the end nearer to the homes */
	int ret = end_hole(w, &ends[0], down, e);

	return ret ? ret : end_hole(w, &ends[n - 1], up, e);
}

/* ---- ICMP errors -----------------------------------------------------------
 */

/* Bytes of a packet that are compared; @base < 0: its ethertype. */
struct compare {
	int base;
	uint32_t offset, len, op;
	uint8_t value[2];
};

/* One expression of a rule: its attributes follow until expr_end(). */
struct expr {
	struct nlattr *elem, *data;
};

static bool expr_begin(struct nl_msg *m, struct expr *x, const char *name)
{
	x->elem = nla_nest_start(m, NFTA_LIST_ELEM);
	if (!x->elem || nla_put_string(m, NFTA_EXPR_NAME, name))
		return false;
	x->data = nla_nest_start(m, NFTA_EXPR_DATA);
	return x->data != NULL;
}

static bool expr_end(struct nl_msg *m, struct expr *x)
{
	return nla_nest_end(m, x->data) >= 0 && nla_nest_end(m, x->elem) >= 0;
}

static bool put_load(struct nl_msg *m, const struct compare *c)
{
	struct expr x;

	if (c->base < 0)
		return expr_begin(m, &x, "meta") &&
		       !nla_put_u32(m, NFTA_META_KEY,
				    htonl(NFT_META_PROTOCOL)) &&
		       !nla_put_u32(m, NFTA_META_DREG, htonl(NFT_REG_1)) &&
		       expr_end(m, &x);
	return expr_begin(m, &x, "payload") &&
	       !nla_put_u32(m, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1)) &&
	       !nla_put_u32(m, NFTA_PAYLOAD_BASE, htonl((uint32_t)c->base)) &&
	       !nla_put_u32(m, NFTA_PAYLOAD_OFFSET, htonl(c->offset)) &&
	       !nla_put_u32(m, NFTA_PAYLOAD_LEN, htonl(c->len)) &&
	       expr_end(m, &x);
}

static bool put_compare(struct nl_msg *m, const struct compare *c)
{
	struct nlattr *data;
	struct expr x;

	if (!put_load(m, c) || !expr_begin(m, &x, "cmp") ||
	    nla_put_u32(m, NFTA_CMP_SREG, htonl(NFT_REG_1)) ||
	    nla_put_u32(m, NFTA_CMP_OP, htonl(c->op)))
		return false;
	data = nla_nest_start(m, NFTA_CMP_DATA);
	return data && !nla_put(m, NFTA_DATA_VALUE, (int)c->len, c->value) &&
	       nla_nest_end(m, data) >= 0 && expr_end(m, &x);
}

static bool put_drop(struct nl_msg *m)
{
	struct nlattr *data, *verdict;
	struct expr x;

	if (!expr_begin(m, &x, "immediate") ||
	    nla_put_u32(m, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT)))
		return false;
	data = nla_nest_start(m, NFTA_IMMEDIATE_DATA);
	verdict = data ? nla_nest_start(m, NFTA_DATA_VERDICT) : NULL;
	return verdict &&
	       !nla_put_u32(m, NFTA_VERDICT_CODE, htonl(VERDICT_DROP)) &&
	       nla_nest_end(m, verdict) >= 0 && nla_nest_end(m, data) >= 0 &&
	       expr_end(m, &x);
}

static struct nl_msg *rule_msg(const char *table, const struct compare c[3])
{
	struct nl_msg *m =
		nft_msg(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nlattr *list;

	if (!m || nla_put_string(m, NFTA_RULE_TABLE, table) ||
	    nla_put_string(m, NFTA_RULE_CHAIN, CHAIN_NAME))
		goto failed;
	list = nla_nest_start(m, NFTA_RULE_EXPRESSIONS);
	if (!list || !put_compare(m, &c[0]) || !put_compare(m, &c[1]) ||
	    !put_compare(m, &c[2]) || !put_drop(m) || nla_nest_end(m, list) < 0)
		goto failed;
	return m;
failed:
	nlmsg_free(m);
	return NULL;
}

static int block_inside(void *arg)
{
	/* destination unreachable, which "fragmentation needed" is one of */
	static const struct compare four[3] = {
		{-1, 0, 2, NFT_CMP_EQ, {0x08, 0x00}},
		{NFT_PAYLOAD_NETWORK_HEADER, 9, 1, NFT_CMP_EQ, {1}},
		{NFT_PAYLOAD_NETWORK_HEADER, 20, 1, NFT_CMP_EQ, {3}}};
	/* all errors: types below 128 */
	static const struct compare six[3] = {
		{-1, 0, 2, NFT_CMP_EQ, {0x86, 0xdd}},
		{NFT_PAYLOAD_NETWORK_HEADER, 6, 1, NFT_CMP_EQ, {58}},
		{NFT_PAYLOAD_NETWORK_HEADER, 40, 1, NFT_CMP_LT, {128}}};
	struct visit *v = arg;
	struct nl_sock *sk = nlm_open(NETLINK_NETFILTER, v->e);
	struct batch b = {.seq = 1};
	char table[TABLE_BYTES];
	bool built;
	int ret;

	if (!sk)
		return -EIO;
	table_name(ICMP_PREFIX, v->end->name, table);
	built = batch_mark(&b, NFNL_MSG_BATCH_BEGIN) &&
		batch_add(&b,
			  table_msg(NFT_MSG_NEWTABLE, NLM_F_CREATE, table)) &&
		batch_add(&b, chain_msg(table, v->end->name, VERDICT_ACCEPT)) &&
		batch_add(&b, rule_msg(table, four)) &&
		batch_add(&b, rule_msg(table, six)) &&
		batch_mark(&b, NFNL_MSG_BATCH_END);
	ret = built ? batch_send(&b, sk, v->e)
		    : err_set(v->e, ENOMEM, "out of memory");
	nl_socket_free(sk);
	return ret;
}

int link_block_icmp(struct world *w, int link, struct err *e)
{
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i += n - 1) {
		struct visit v = {.end = &ends[i], .e = e};

		ret = world_enter(w, ends[i].node, block_inside, &v, e);
		if (ret)
			err_prefix(e, "%s:%s", w->nodes[ends[i].node].name,
				   ends[i].name);
	}
	return ret;
}
