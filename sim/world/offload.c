/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Offloads are set and read over ethtool's generic netlink family by the names
 * of features. One setting of ours stands for several features (tso: one per
 * flavour of TCP, more with each kernel), so the kernel is first asked what an
 * interface can change, and all that belongs to a setting is changed. Whether
 * a setting is on is decided by those features that veth has and that matter:
 * newer flavours of TCP may stay on alone.
 *
 * A request is never believed: what is active afterwards is read back and
 * compared, because the kernel drops what depends on something that is off
 * (tso without checksum) without an error.
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct setting {
	const char *word;
	size_t offset;	     /* in struct offloads */
	const char *feature; /* its name, or how the names begin */
	bool begins;
	const char *decide[2]; /* on when all of these are */
	size_t n_decide;
} settings[] = {
	{"tso",
	 offsetof(struct offloads, tso),
	 "tx-tcp",
	 true,
	 {"tx-tcp-segmentation", "tx-tcp6-segmentation"},
	 2},
	{"gso",
	 offsetof(struct offloads, gso),
	 "tx-generic-segmentation",
	 false,
	 {"tx-generic-segmentation"},
	 1},
	{"gro", offsetof(struct offloads, gro), "rx-gro", false, {"rx-gro"}, 1},
	{"tx-checksum",
	 offsetof(struct offloads, tx_checksum),
	 "tx-checksum-",
	 true,
	 {"tx-checksum-ip-generic"},
	 1},
	{"rx-checksum",
	 offsetof(struct offloads, rx_checksum),
	 "rx-checksum",
	 false,
	 {"rx-checksum"},
	 1},
};
#define N_SETTINGS   (sizeof(settings) / sizeof(*settings))
#define MAX_FEATURES 32
#define FEATURE_LEN  32 /* ETH_GSTRING_LEN */

static enum offload_state *state_of(struct offloads *o, const struct setting *s)
{
	return (enum offload_state *)(void *)((char *)o + s->offset);
}

/* ---- messages --------------------------------------------------------------
 */

static int open_genl(struct node *n, struct err *e)
{
	if (n->genl)
		return 0;
	if (setns(n->net_fd, CLONE_NEWNET))
		return err_set(e, errno, "node %s: %s", n->name,
			       strerror(errno));
	n->genl = nlm_open(NETLINK_GENERIC, e);
	if (setns(n->w->self_net, CLONE_NEWNET))
		abort();
	if (!n->genl)
		return -EIO;
	if (n->w->ethtool_family <= 0)
		n->w->ethtool_family = genl_ctrl_resolve(n->genl, "ethtool");
	if (n->w->ethtool_family <= 0)
		return err_set(e, EOPNOTSUPP,
			       "this kernel lacks ethtool netlink (needs 5.6, "
			       "CONFIG_ETHTOOL_NETLINK)");
	return 0;
}

static struct nl_msg *ethtool_msg(struct node *n, uint8_t cmd,
				  const char *iface)
{
	struct genlmsghdr head = {.cmd = cmd, .version = 1};
	struct nl_msg *m =
		nlm_new(n->w->ethtool_family, 0, &head, sizeof(head));
	struct nlattr *nest =
		m ? nla_nest_start(m, ETHTOOL_A_FEATURES_HEADER) : NULL;

	if (!nest || nla_put_string(m, ETHTOOL_A_HEADER_DEV_NAME, iface)) {
		nlmsg_free(m);
		return NULL;
	}
	nla_nest_end(m, nest);
	return m;
}

static int put_bit(struct nl_msg *m, const char *name, bool on)
{
	struct nlattr *bit = nla_nest_start(m, ETHTOOL_A_BITSET_BITS_BIT);

	if (!bit || nla_put_string(m, ETHTOOL_A_BITSET_BIT_NAME, name) ||
	    (on && nla_put_flag(m, ETHTOOL_A_BITSET_BIT_VALUE)))
		return -ENOMEM;
	nla_nest_end(m, bit);
	return 0;
}

/* The setting a feature belongs to; N_SETTINGS: none of ours. */
static size_t setting_of(const char *feature)
{
	size_t i;

	for (i = 0; i < N_SETTINGS; i++) {
		const struct setting *s = &settings[i];

		if (s->begins
			    ? !strncmp(feature, s->feature, strlen(s->feature))
			    : !strcmp(feature, s->feature))
			break;
	}
	return i;
}

/* ---- reading ---------------------------------------------------------------
 */

struct features {
	size_t n_active[N_SETTINGS]; /* of those that decide */
	char changeable[MAX_FEATURES][FEATURE_LEN];
	size_t n_changeable;
};

/* Calls @fn for each feature named in the bit set @type of a reply. */
static void each_feature(struct nlmsghdr *h, int type, struct features *f,
			 void (*fn)(struct features *f, const char *name))
{
	struct nlattr *set, *bits = NULL, *bit, *name;
	int left;

	set = nlmsg_find_attr(h, sizeof(struct genlmsghdr), type);
	if (set)
		bits = nla_find(nla_data(set), nla_len(set),
				ETHTOOL_A_BITSET_BITS);
	if (!bits)
		return;
	nla_for_each_nested(bit, bits, left)
	{
		name = nla_find(nla_data(bit), nla_len(bit),
				ETHTOOL_A_BITSET_BIT_NAME);
		/* a set with a mask also names what is off */
		if (name && (nla_find(nla_data(set), nla_len(set),
				      ETHTOOL_A_BITSET_NOMASK) ||
			     nla_find(nla_data(bit), nla_len(bit),
				      ETHTOOL_A_BITSET_BIT_VALUE)))
			fn(f, nla_get_string(name));
	}
}

static void see_active(struct features *f, const char *name)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		for (size_t k = 0; k < settings[i].n_decide; k++)
			if (!strcmp(settings[i].decide[k], name))
				f->n_active[i]++;
}

static void see_changeable(struct features *f, const char *name)
{
	if (setting_of(name) < N_SETTINGS && f->n_changeable < MAX_FEATURES)
		snprintf(f->changeable[f->n_changeable++], FEATURE_LEN, "%s",
			 name);
}

static int read_features(void *arg, struct nlmsghdr *h)
{
	each_feature(h, ETHTOOL_A_FEATURES_ACTIVE, arg, see_active);
	each_feature(h, ETHTOOL_A_FEATURES_HW, arg, see_changeable);
	return 0;
}

static int get_features(struct node *n, const char *iface, struct features *f,
			struct err *e)
{
	int ret = open_genl(n, e);

	*f = (struct features){0};
	if (!ret)
		ret = nlm_talk(n->genl,
			       ethtool_msg(n, ETHTOOL_MSG_FEATURES_GET, iface),
			       read_features, f, e);
	if (ret)
		err_prefix(e, "%s:%s: offloads", n->name, iface);
	return ret;
}

int world_offload_get(struct world *w, int node, const char *iface,
		      struct offloads *out, struct err *e)
{
	struct features f;
	int ret = get_features(&w->nodes[node], iface, &f, e);

	for (size_t i = 0; i < N_SETTINGS && !ret; i++)
		*state_of(out, &settings[i]) =
			f.n_active[i] == settings[i].n_decide ? OFFLOAD_ON
							      : OFFLOAD_OFF;
	return ret;
}

/* ---- setting ---------------------------------------------------------------
 */

static bool nothing_asked(struct offloads o)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (*state_of(&o, &settings[i]) != OFFLOAD_KEEP)
			return false;
	return true;
}

static int compare(const struct node *n, const char *iface,
		   struct offloads asked, struct offloads got, struct err *e)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		enum offload_state want = *state_of(&asked, &settings[i]);

		if (want == OFFLOAD_KEEP ||
		    want == *state_of(&got, &settings[i]))
			continue;
		return err_set(e, EOPNOTSUPP,
			       "%s:%s: the kernel leaves %s %s (%s was asked "
			       "for; one offload may need another)",
			       n->name, iface, settings[i].word,
			       want == OFFLOAD_ON ? "off" : "on",
			       want == OFFLOAD_ON ? "on" : "off");
	}
	return 0;
}

static int put_wanted(struct nl_msg *m, struct offloads want,
		      const struct features *f)
{
	struct nlattr *set = nla_nest_start(m, ETHTOOL_A_FEATURES_WANTED);
	struct nlattr *bits =
		set ? nla_nest_start(m, ETHTOOL_A_BITSET_BITS) : NULL;

	if (!bits)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_changeable; i++) {
		const char *name = f->changeable[i];
		enum offload_state s =
			*state_of(&want, &settings[setting_of(name)]);

		if (s != OFFLOAD_KEEP && put_bit(m, name, s == OFFLOAD_ON))
			return -ENOMEM;
	}
	nla_nest_end(m, bits);
	nla_nest_end(m, set);
	return 0;
}

int world_offload_set(struct world *w, int node, const char *iface,
		      const struct offloads *o, struct err *e)
{
	struct node *n = &w->nodes[node];
	struct offloads got;
	struct features f;
	struct nl_msg *m;
	int ret = get_features(n, iface, &f, e);

	if (ret)
		return ret;
	m = ethtool_msg(n, ETHTOOL_MSG_FEATURES_SET, iface);
	if (m && put_wanted(m, *o, &f)) {
		nlmsg_free(m);
		m = NULL;
	}
	ret = nlm_talk(n->genl, m, NULL, NULL, e);
	if (ret) {
		err_prefix(e, "%s:%s: offloads", n->name, iface);
		return ret;
	}
	ret = world_offload_get(w, node, iface, &got, e);
	return ret ? ret : compare(n, iface, *o, got, e);
}

static int set_end(struct world *w, const struct veth_end *end,
		   const struct offloads *o, struct err *e)
{
	return world_offload_set(w, end->node, end->name, o, e);
}

int offload_build(struct world *w, int link, struct err *e)
{
	const struct offloads *o = &w->plan->links[link].profile.offloads;
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret;

	if (nothing_asked(*o))
		return 0;
	ret = set_end(w, &ends[0], o, e);
	return ret ? ret : set_end(w, &ends[n - 1], o, e);
}
