/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Theory of operation
 *
 * The daemon decides, this repeats. It runs at the ingress of interfaces that
 * customers' packets come in by. Whoever has a pair of addresses translated by
 * the daemon finds it here with its next packet, and that packet gets its new
 * headers at once and appears as though the TUN device had sent it: the same
 * routes, firewall rules and captures see it, in the same place.
 *
 * Only what needs no thought: TCP and UDP with a checksum, no SYN (its MSS
 * may have to be clamped), no options, extension headers or fragments, enough
 * hops left, a size that fits. Everything else takes its usual way to the
 * daemon, and every check here says no by leaving the packet alone.
 *
 * Hop limit: on the way through the TUN device the kernel forwards twice and
 * the daemon counts as a hop; here the kernel forwards once. To be the same
 * distance, this counts as two.
 *
 * It works as long as the daemon says that it is alive: a program outlives
 * the process that attached it, and must not go on without it.
 */
#include <linux/bpf.h>
#include <stddef.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "fast.h"

#define LEAVE	   TC_ACT_UNSPEC /* other filters may follow */
#define HOPS	   2
#define IP4_BYTES  20
#define IP6_BYTES  40
#define DF	   0x4000
#define FRAGMENTED 0x3fff /* MF and the offset */
/* RFC 7915 section 5.1: the largest IPv4 packet that leaves without DF. */
#define DF_ABOVE 1260

#define inline static inline __attribute__((always_inline))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fast_cfg);
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FAST_PAIRS);
	__type(key, struct fast_pair6);
	__type(value, struct fast_to4);
} pairs6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FAST_PAIRS);
	__type(key, struct fast_pair4);
	__type(value, struct fast_to6);
} pairs4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FAST_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct fast_counts);
} counts SEC(".maps");

inline void count(struct __sk_buff *skb, __u32 direction, __u32 bytes)
{
	struct fast_counts *c = bpf_map_lookup_elem(&counts, &direction);

	if (!c)
		return;
	c->packets++;
	c->bytes += bytes;
	c->superpackets += skb->gso_size ? 1 : 0;
}

inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/*
 * Link padding is cut off; what is shorter than its header claims is the
 * daemon's to judge.
 */
inline int trim(struct __sk_buff *skb, __u32 bytes)
{
	if (skb->len == bytes)
		return 1;
	return skb->len > bytes && !skb->gso_size &&
	       !bpf_skb_change_tail(skb, bytes, 0);
}

/*
 * The transport header at @l4: how long it is, where its checksum lies in
 * @check; 0 where the daemon has to look. A superpacket of UDP might be a
 * tunnel's, whose segments are none of ours.
 */
inline __u32 transport(struct __sk_buff *skb, __u32 l4, __u8 proto,
		       __u32 payload, __u32 *check)
{
	struct tcphdr tcp;
	struct udphdr udp;

	if (proto == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, l4, &tcp, sizeof(tcp)) || tcp.syn ||
		    tcp.doff < 5)
			return 0;
		*check = 16;
		return tcp.doff * 4u;
	}
	if (proto != IPPROTO_UDP || skb->gso_size ||
	    bpf_skb_load_bytes(skb, l4, &udp, sizeof(udp)) || !udp.check ||
	    bpf_ntohs(udp.len) < 8 || bpf_ntohs(udp.len) > payload)
		return 0;
	*check = 6;
	return 8;
}

/* The largest IP packet that comes of it, its IP header apart. */
inline __u32 largest(struct __sk_buff *skb, __u32 payload, __u32 headers)
{
	__u32 segment = headers + skb->gso_size;

	return skb->gso_size && segment < payload ? segment : payload;
}

/* New checksum and new link-layer protocol: the headers have moved. */
inline int finish(struct __sk_buff *skb, const struct fast_cfg *cfg,
		  __u32 check, __u8 proto, __s64 diff, __u16 ethertype)
{
	__u64 flags = BPF_F_PSEUDO_HDR;

	if (proto == IPPROTO_UDP)
		flags |= BPF_F_MARK_MANGLED_0;
	if (bpf_l4_csum_replace(skb, check, 0, (__u64)diff, flags) ||
	    bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto),
				&ethertype, sizeof(ethertype), 0))
		return TC_ACT_SHOT; /* half translated: no use to anyone */
	return (int)bpf_redirect(cfg->ifindex, BPF_F_INGRESS);
}

/* RFC 7915 section 5.1. */
inline void build4(struct iphdr *h, const struct ipv6hdr *was,
		   const struct fast_cfg *cfg, const struct fast_pair4 *to,
		   __u32 payload, int df)
{
	__u32 *w = (__u32 *)h;

	h->version = 4;
	h->ihl = 5;
	h->tos = cfg->set_tos
			 ? cfg->tos
			 : (__u8)(was->priority << 4 | was->flow_lbl[0] >> 4);
	h->tot_len = bpf_htons((__u16)(IP4_BYTES + payload));
	h->frag_off = df ? bpf_htons(DF) : 0;
	h->id = df ? 0 : (__u16)bpf_get_prandom_u32();
	h->ttl = was->hop_limit - HOPS;
	h->protocol = was->nexthdr;
	h->saddr = to->src;
	h->daddr = to->dst;
	h->check = (__u16)~fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]);
}

inline int from6(struct __sk_buff *skb, const struct fast_cfg *cfg)
{
	const __u32 l4 = ETH_HLEN + IP6_BYTES;
	struct iphdr new = {};
	struct fast_pair6 from;
	struct fast_pair4 to;
	struct fast_to4 *known;
	struct ipv6hdr old;
	__u32 check, headers, payload, size;
	__s64 diff;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &old, sizeof(old)) ||
	    old.version != 6 || old.hop_limit <= HOPS + 1)
		return LEAVE;
	__builtin_memcpy(&from, &old.saddr, sizeof(from));
	known = bpf_map_lookup_elem(&pairs6, &from);
	if (!known || known->generation != cfg->generation)
		return LEAVE;
	to = known->to;
	payload = bpf_ntohs(old.payload_len);
	headers = transport(skb, l4, old.nexthdr, payload, &check);
	size = IP4_BYTES + largest(skb, payload, headers);
	if (!headers || headers > payload || size > cfg->mtu4 ||
	    payload > 65535 - IP4_BYTES || !trim(skb, l4 + payload))
		return LEAVE;
	build4(&new, &old, cfg, &to, payload, size > DF_ABOVE);
	diff = bpf_csum_diff((__be32 *)&from, sizeof(from), (__be32 *)&to,
			     sizeof(to), 0);
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return LEAVE;
	count(skb, FAST_64, IP6_BYTES + payload);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	return finish(skb, cfg, ETH_HLEN + IP4_BYTES + check, old.nexthdr, diff,
		      bpf_htons(ETH_P_IP));
}

/* RFC 7915 section 4.1. */
inline void build6(struct ipv6hdr *h, const struct iphdr *was,
		   const struct fast_cfg *cfg, const struct fast_pair6 *to,
		   __u32 payload)
{
	__u8 tc = cfg->zero_tc ? 0 : was->tos;

	h->version = 6;
	h->priority = tc >> 4;
	h->flow_lbl[0] = (__u8)(tc << 4);
	h->payload_len = bpf_htons((__u16)payload);
	h->nexthdr = was->protocol;
	h->hop_limit = was->ttl - HOPS;
	__builtin_memcpy(&h->saddr, to, sizeof(*to));
}

/* Without options, no fragment, and whole: a wrong checksum stays wrong. */
inline int plain4(const struct iphdr *h)
{
	const __u32 *w = (const __u32 *)h;

	return h->version == 4 && h->ihl == 5 && h->ttl > HOPS + 1 &&
	       !(h->frag_off & bpf_htons(FRAGMENTED)) &&
	       fold((__u64)w[0] + w[1] + w[2] + w[3] + w[4]) == 0xffff;
}

inline int from4(struct __sk_buff *skb, const struct fast_cfg *cfg)
{
	const __u32 l4 = ETH_HLEN + IP4_BYTES;
	struct ipv6hdr new = {};
	struct fast_pair4 from;
	struct fast_pair6 to;
	struct fast_to6 *known;
	struct iphdr old;
	__u32 check, headers, payload, limit;
	__s64 diff;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &old, sizeof(old)) ||
	    !plain4(&old))
		return LEAVE;
	from.src = old.saddr;
	from.dst = old.daddr;
	known = bpf_map_lookup_elem(&pairs4, &from);
	if (!known || known->generation != cfg->generation)
		return LEAVE;
	to = known->to;
	payload = bpf_ntohs(old.tot_len) - IP4_BYTES;
	headers = transport(skb, l4, old.protocol, payload, &check);
	limit = old.frag_off & bpf_htons(DF) ? cfg->mtu6 : cfg->lowest_mtu6;
	if (!headers || payload > 65535 || headers > payload ||
	    IP6_BYTES + largest(skb, payload, headers) > limit ||
	    !trim(skb, l4 + payload))
		return LEAVE;
	build6(&new, &old, cfg, &to, payload);
	diff = bpf_csum_diff((__be32 *)&from, sizeof(from), (__be32 *)&to,
			     sizeof(to), 0);
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return LEAVE;
	count(skb, FAST_46, IP4_BYTES + payload);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	return finish(skb, cfg, ETH_HLEN + IP6_BYTES + check, old.protocol,
		      diff, bpf_htons(ETH_P_IPV6));
}

SEC("tc")
int fast(struct __sk_buff *skb)
{
	struct fast_cfg *cfg = bpf_map_lookup_elem(&config, &(__u32){0});

	if (!cfg || skb->pkt_type != 0 /* PACKET_HOST */ || skb->vlan_present ||
	    bpf_ktime_get_coarse_ns() > cfg->until_ns)
		return LEAVE;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return from6(skb, cfg);
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return from4(skb, cfg);
	return LEAVE;
}

const char terms[] SEC("license") = "Dual MIT/GPL";
