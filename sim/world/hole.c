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
enum { FAMILY_NETDEV = 5, HOOK_INGRESS = 0, POLICY_DROP = 0 };

#define CHAIN_NAME  "hole"
#define TABLE_BYTES (IFNAMSIZ + 8)

struct batch {
	uint8_t buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
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

static void table_name(const char *iface, char *buf)
{
	snprintf(buf, TABLE_BYTES, "hole-%s", iface);
}

static struct nl_msg *table_msg(int type, int flags, const char *table)
{
	struct nl_msg *m = nft_msg(type, flags);

	if (m && !nla_put_string(m, NFTA_TABLE_NAME, table))
		return m;
	nlmsg_free(m);
	return NULL;
}

static struct nl_msg *chain_msg(const char *table, const char *iface)
{
	struct nl_msg *m = nft_msg(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nlattr *hook;

	if (!m || nla_put_string(m, NFTA_CHAIN_TABLE, table) ||
	    nla_put_string(m, NFTA_CHAIN_NAME, CHAIN_NAME) ||
	    nla_put_u32(m, NFTA_CHAIN_POLICY, htonl(POLICY_DROP)) ||
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
	table_name(v->end->name, table);
	built = batch_mark(&b, NFNL_MSG_BATCH_BEGIN);
	if (v->open)
		built = built &&
			batch_add(&b, table_msg(NFT_MSG_NEWTABLE, NLM_F_CREATE,
						table)) &&
			batch_add(&b, chain_msg(table, v->end->name));
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
