/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two yardsticks, both without a translation between families, chosen for all
 * homes and PLATs together:
 *
 *	nft-nat44	IPv4 all the way, NAT44 at the CPE (masquerade) and
 *again at the PLAT (to pool4): what carrier-grade NAT does
 *	native		IPv4 all the way, a LAN of its own for every home, no
 *			NAT; the PLATs only route
 *
 * The kernel does the work. A process of the node holds what can be held (see
 * hold.c): at a PLAT the device nat64, by which the pools are announced as
 * with every other engine, and the table of nftables. So killing it is a crash:
 * the rules go, the announcements move. Stopping it has no effect, for a kernel
 * does not hang alone. Sessions outlive a crash of this kind in conntrack.
 *
 * pool6 is announced as well, though nothing is sent there: scenarios wait for
 * it to move, and it moves with pool4. Access and border follow pool4 with
 * their routes (see frr.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"
#include "jool.h"

#define TABLE "xlatsim"
#define CHAIN "post"

struct plain {
	struct announce *announce; /* PLAT */
	char rules[1024];	   /* "": none */
};

static bool is_plat(const struct engine *en)
{
	return en->daemon->role == DAEMON_PLAT;
}

static int native_available(char *version, size_t len, struct err *why)
{
	(void)why;
	snprintf(version, len, "the kernel's routing");
	return 0;
}

static int nat44_available(char *version, size_t len, struct err *why)
{
	char path[128], text[256], number[32];
	const char *argv[] = {path, "--version", NULL};

	if (host_find("nft", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "nft not found: install Debian package "
			       "nftables");
	if (host_read(argv, text, sizeof(text)) ||
	    sscanf(text, "nftables v%31s", number) != 1)
		return err_set(why, ENOEXEC,
			       "nft --version does not tell a version");
	snprintf(version, len, "nftables %s", number);
	return 0;
}

/* ---- rules -----------------------------------------------------------------
 */

static const struct plan_iface *iface_to(const struct engine *en,
					 enum node_role role)
{
	const struct plan *p = world_plan(en->world);

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (l->a.node == en->daemon->node &&
		    p->nodes[l->b.node].role == role)
			return &l->a;
	}
	return NULL;
}

static int put_rules(const struct engine *en, char *buf, size_t len,
		     struct err *e)
{
	const struct plan *p = world_plan(en->world);
	const struct prefix4 *pool4 = &p->topology->pool4;
	const struct plan_iface *out =
		iface_to(en, is_plat(en) ? NODE_BORDER : NODE_TOWER);
	char from[ADDR_TEXT_LEN], first[ADDR_TEXT_LEN], last[ADDR_TEXT_LEN];
	struct in_addr end = pool4->addr;

	if (!out)
		return err_set(e, ENOENT, "no link leads outwards");
	if (pool4->len < 32)
		end.s_addr |= htonl(UINT32_MAX >> pool4->len);
	snprintf(buf, len,
		 "table ip " TABLE " { flags owner ; chain " CHAIN " { type "
		 "nat hook postrouting priority 100 ; oifname \"%s\" ip saddr "
		 "%s ",
		 out->name,
		 prefix4_format(is_plat(en) ? &p->customers4
					    : &engine_node(en)->lan4,
				from));
	if (is_plat(en))
		snprintf(buf + strlen(buf), len - strlen(buf),
			 "snat to %s-%s persistent ; } ; }",
			 in4_format(pool4->addr, first), in4_format(end, last));
	else
		snprintf(buf + strlen(buf), len - strlen(buf),
			 "masquerade ; } ; }");
	return 0;
}

/* Is the chain there? In the node's network namespace. */
static int find_chain(void *arg)
{
	struct nfgenmsg head = {.nfgen_family = AF_INET,
				.version = NFNETLINK_V0};
	struct nl_sock *sk = nl_socket_alloc();
	struct nl_msg *m =
		nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
				   NLM_F_REQUEST | NLM_F_ACK);
	int ret = -1;

	(void)arg;
	if (sk && m && !nl_connect(sk, NETLINK_NETFILTER) &&
	    !nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) &&
	    !nla_put_string(m, NFTA_CHAIN_TABLE, TABLE) &&
	    !nla_put_string(m, NFTA_CHAIN_NAME, CHAIN)) {
		ret = nl_send_sync(sk, m);
		m = NULL; /* it frees it */
	}
	nlmsg_free(m);
	nl_socket_free(sk);
	return ret ? -ENOENT : 0;
}

/* ---- life ------------------------------------------------------------------
 */

static int plain_configure(struct engine *en, struct err *e)
{
	struct plain *x = calloc(1, sizeof(*x));
	char *text = NULL;
	size_t len = 0;
	FILE *f;
	int ret = 0;

	if (!x)
		return err_set(e, ENOMEM, "out of memory");
	en->state = x;
	if (is_plat(en)) {
		x->announce = announce_open(en, NULL, 0, e);
		if (!x->announce)
			return -EIO;
	}
	if (!strcmp(en->ops->name, "native"))
		return 0;
	ret = put_rules(en, x->rules, sizeof(x->rules), e);
	if (ret)
		return ret;
	f = open_memstream(&text, &len);
	if (f)
		fprintf(f, "%s\n", x->rules);
	return engine_put(en, is_plat(en) ? "nat44-plat.nft" : "nat44-clat.nft",
			  f, &text, &len, e);
}

static void plain_fini(struct engine *en)
{
	struct plain *x = en->state;

	if (x)
		announce_close(x->announce);
	free(x);
	en->state = NULL;
}

static bool plain_step(struct engine *en)
{
	struct plain *x = en->state;
	struct world *w = en->world;
	int node = en->daemon->node;

	if (is_plat(en) && !jool_net_has(w, node, ENGINE_PLAT_TUN))
		return false;
	if (x->rules[0] && world_enter(w, node, find_chain, NULL, NULL))
		return false;
	en->serving = true;
	if (x->announce)
		announce_update(x->announce);
	return true;
}

static int plain_start(struct engine *en, struct err *e)
{
	struct plain *x = en->state;
	char self[PATH_MAX];
	const char *argv[7] = {self, "hold"}, *log;
	size_t n = 2;
	int ret;

	if (host_find_own("xlatsim", self, sizeof(self)))
		return err_set(e, ENOENT, "xlatsim is not found");
	if (x->announce)
		announce_update(x->announce); /* nothing is, at present */
	if (is_plat(en)) {
		argv[n++] = "--tun";
		argv[n++] = ENGINE_PLAT_TUN;
	}
	if (x->rules[0]) {
		argv[n++] = "--nft";
		argv[n++] = x->rules;
	}
	log = is_plat(en) ? "hold-plat.log" : "hold-clat.log";
	ret = engine_spawn(en, argv, log, e);
	return ret ? ret : engine_poll(en, plain_step, e);
}

const struct engine_ops nft_nat44_ops = {
	.name = "nft-nat44",
	.roles = 1u << DAEMON_CLAT | 1u << DAEMON_PLAT,
	.spare = true,
	.available = nat44_available,
	.configure = plain_configure,
	.start = plain_start,
	.fini = plain_fini,
};

const struct engine_ops native_ops = {
	.name = "native",
	.roles = 1u << DAEMON_CLAT | 1u << DAEMON_PLAT,
	.spare = true,
	.available = native_available,
	.configure = plain_configure,
	.start = plain_start,
	.fini = plain_fini,
};
