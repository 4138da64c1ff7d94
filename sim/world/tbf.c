/* SPDX-License-Identifier: MIT */
/*
 * Token bucket shapers at the sending end of each direction: b sends down,
 * towards the homes, and a sends up.
 *
 * A superpacket larger than the bucket is cut into segments by tbf, which
 * would hide what offloads do. The kernel charges a superpacket for the
 * headers that each of its segments will have, so the bucket is made 1/16
 * larger than asked: 64 KiB of burst then lets a packet of 64 KiB through
 * whole (45 segments of 1460 bytes with up to 78 bytes of headers each).
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#define DEFAULT_BURST_BYTES 65536.0
#define DEFAULT_QUEUE_NS    50e6
#define TBF_HANDLE	    0x10000

static int tbf_del(struct node *n, int ifindex, struct err *e)
{
	struct tcmsg head = {.tcm_family = AF_UNSPEC,
			     .tcm_ifindex = ifindex,
			     .tcm_handle = TBF_HANDLE,
			     .tcm_parent = TC_H_ROOT};
	int ret = nlm_talk(n->route,
			   nlm_new(RTM_DELQDISC, 0, &head, sizeof(head)), NULL,
			   NULL, e);

	/* none was there: the kernel's words for it differ by version */
	return ret == -ENOENT || ret == -EINVAL ? 0 : ret;
}

static struct nl_msg *tbf_msg(int ifindex, double rate_bytes, uint32_t bucket,
			      uint32_t limit)
{
	struct tcmsg head = {.tcm_family = AF_UNSPEC,
			     .tcm_ifindex = ifindex,
			     .tcm_handle = TBF_HANDLE,
			     .tcm_parent = TC_H_ROOT};
	struct tc_tbf_qopt opt = {.limit = limit};
	struct nl_msg *m = nlm_new(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
				   &head, sizeof(head));
	uint64_t rate = (uint64_t)rate_bytes;
	struct nlattr *options;

	/* naming the link layer spares the table of the old interface */
	opt.rate.linklayer = TC_LINKLAYER_ETHERNET;
	opt.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
	if (!m || nla_put_string(m, TCA_KIND, "tbf"))
		goto fail;
	options = nla_nest_start(m, TCA_OPTIONS);
	if (!options || nla_put(m, TCA_TBF_PARMS, sizeof(opt), &opt) ||
	    nla_put_u32(m, TCA_TBF_BURST, bucket) ||
	    (rate > UINT32_MAX && nla_put_u64(m, TCA_TBF_RATE64, rate)))
		goto fail;
	nla_nest_end(m, options);
	return m;
fail:
	nlmsg_free(m);
	return NULL;
}

static int shape(struct world *w, const struct veth_end *end,
		 const struct impairment *im, int64_t mtu, struct err *e)
{
	struct node *n = &w->nodes[end->node];
	double burst = im->burst_bytes ? im->burst_bytes : DEFAULT_BURST_BYTES;
	double queue = im->queue_ns ? im->queue_ns : DEFAULT_QUEUE_NS;
	double bucket = burst + burst / 16;
	double limit = im->rate_bps / 8 * queue / 1e9 + bucket;
	int ret;

	if (!im->rate_bps)
		return tbf_del(n, end->ifindex, e);
	if (im->rate_bps < 8)
		ret = err_set(e, EINVAL, "rate %g bit/s: too low",
			      im->rate_bps);
	else if (burst < (double)mtu + ETH_HLEN)
		ret = err_set(e, EINVAL,
			      "burst %.0f bytes: no packet of MTU %lld would "
			      "ever pass",
			      burst, (long long)mtu);
	else if (bucket > UINT32_MAX || limit > UINT32_MAX)
		ret = err_set(e, ERANGE, "burst or queue: above 4 GiB");
	else
		ret = nlm_talk(n->route,
			       tbf_msg(end->ifindex, im->rate_bps / 8,
				       (uint32_t)bucket, (uint32_t)limit),
			       NULL, NULL, e);
	if (ret)
		err_prefix(e, "%s:%s: shaper", n->name, end->name);
	return ret;
}

int tbf_build(struct world *w, int link, const struct link_profile *p,
	      struct err *e)
{
	int64_t mtu = w->plan->links[link].profile.mtu;
	struct veth_end ends[4];
	int ret;

	if (w->plan->links[link].relayed)
		return err_set(
			e, EINVAL,
			"link %s goes through the relay, which shapes it",
			w->plan->links[link].name);
	link_ends(w, link, ends);
	ret = shape(w, &ends[1], &p->down, mtu, e);
	return ret ? ret : shape(w, &ends[0], &p->up, mtu, e);
}

int world_link_shape(struct world *w, int link, const struct link_profile *p,
		     struct err *e)
{
	return tbf_build(w, link, p, e);
}
