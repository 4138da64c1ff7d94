/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Theory of operation
 *
 * The daemon decides, this repeats. It runs at the ingress of interfaces that
 * customers' packets come in by. Whoever has a pair of addresses translated by
 * the daemon, or of a stateful one has a session, finds it here with one of
 * its next packets, and that packet gets its new headers at once and appears
 * as though the TUN device had sent it: the same routes, firewall rules and
 * captures see it, in the same place.
 *
 * Only what needs no thought: TCP and UDP with a checksum, no SYN (its MSS
 * may have to be clamped) and nothing else that changes a session's state, no
 * options, extension headers or fragments, enough hops left, a size that fits.
 * Everything else takes its usual way to the daemon, and every check here says
 * no by leaving the packet alone.
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

/* Not by least recent use: when a flow was used must not be lost. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_FLOWS);
	__type(key, struct fast_flow6);
	__type(value, struct fast_flow_to4);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FAST_FLOWS);
	__type(key, struct fast_flow4);
	__type(value, struct fast_flow_to6);
} flows4 SEC(".maps");

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

struct l4 {
	__u32 bytes; /* of the header; 0: the daemon has to look */
	__u32 check; /* where the checksum lies in it */
	__u16 sport, dport;
};

/*
 * The transport header at @at. A superpacket of UDP might be a tunnel's, whose
 * segments are none of ours.
 */
inline void transport(struct __sk_buff *skb, const struct fast_cfg *cfg,
		      __u32 at, __u8 proto, __u32 payload, struct l4 *t)
{
	struct tcphdr tcp;
	struct udphdr udp;

	*t = (struct l4){0};
	if (proto == IPPROTO_TCP) {
		if (bpf_skb_load_bytes(skb, at, &tcp, sizeof(tcp)) || tcp.syn ||
		    (cfg->stateful && (tcp.fin || tcp.rst)) || tcp.doff < 5)
			return;
		t->check = offsetof(struct tcphdr, check);
		t->sport = tcp.source;
		t->dport = tcp.dest;
		t->bytes = tcp.doff * 4u;
		return;
	}
	if (proto != IPPROTO_UDP || skb->gso_size ||
	    bpf_skb_load_bytes(skb, at, &udp, sizeof(udp)) || !udp.check ||
	    bpf_ntohs(udp.len) < 8 || bpf_ntohs(udp.len) > payload)
		return;
	t->check = offsetof(struct udphdr, check);
	t->sport = udp.source;
	t->dport = udp.dest;
	t->bytes = sizeof(udp);
}

inline void note_use(__u64 *used_ns)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	if (*used_ns != now)
		*used_ns = now;
}

/* @port: the new source port. False: the daemon's. */
inline int find4(const struct fast_cfg *cfg, const struct fast_pair6 *from,
		 __u8 proto, const struct l4 *t, struct fast_pair4 *to,
		 __u16 *port)
{
	struct fast_flow6 key = {};
	struct fast_flow_to4 *flow;
	struct fast_to4 *pair;

	*port = t->sport;
	if (!cfg->stateful) {
		pair = bpf_map_lookup_elem(&pairs6, from);
		if (!pair || pair->generation != cfg->generation)
			return 0;
		*to = pair->to;
		return 1;
	}
	key.pair = *from;
	key.sport = t->sport;
	key.dport = t->dport;
	key.proto = proto;
	flow = bpf_map_lookup_elem(&flows6, &key);
	if (!flow || flow->generation != cfg->generation)
		return 0;
	*to = flow->to;
	*port = flow->port;
	note_use(&flow->used_ns);
	return 1;
}

/* @port: the new destination port. */
inline int find6(const struct fast_cfg *cfg, const struct fast_pair4 *from,
		 __u8 proto, const struct l4 *t, struct fast_pair6 *to,
		 __u16 *port)
{
	struct fast_flow4 key = {};
	struct fast_flow_to6 *flow;
	struct fast_to6 *pair;

	*port = t->dport;
	if (!cfg->stateful) {
		pair = bpf_map_lookup_elem(&pairs4, from);
		if (!pair || pair->generation != cfg->generation)
			return 0;
		*to = pair->to;
		return 1;
	}
	key.pair = *from;
	key.sport = t->sport;
	key.dport = t->dport;
	key.proto = proto;
	flow = bpf_map_lookup_elem(&flows4, &key);
	if (!flow || flow->generation != cfg->generation)
		return 0;
	*to = flow->to;
	*port = flow->port;
	note_use(&flow->used_ns);
	return 1;
}

/* The largest IP packet that comes of it, its IP header apart. */
inline __u32 largest(struct __sk_buff *skb, __u32 payload, __u32 headers)
{
	__u32 segment = headers + skb->gso_size;

	return skb->gso_size && segment < payload ? segment : payload;
}

/* What changes behind the IP header. */
struct change {
	__s64 diff;	 /* of the addresses */
	__u32 l4, check; /* where the header and its checksum are now */
	__u32 port_at;	 /* in the header */
	__u16 port, old_port;
	__u16 ethertype;
	__u8 proto;
};

/* New checksum, port and link-layer protocol: the headers have moved. */
inline int finish(struct __sk_buff *skb, const struct fast_cfg *cfg,
		  const struct change *c)
{
	__u64 udp = c->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	long bad = bpf_l4_csum_replace(skb, c->check, 0, (__u64)c->diff,
				       BPF_F_PSEUDO_HDR | udp);

	if (!bad && c->port != c->old_port)
		bad = bpf_l4_csum_replace(skb, c->check, c->old_port, c->port,
					  sizeof(c->port) | udp) ||
		      bpf_skb_store_bytes(skb, c->l4 + c->port_at, &c->port,
					  sizeof(c->port), 0);
	if (bad || bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto),
				       &c->ethertype, sizeof(c->ethertype), 0))
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
	struct change c = {.l4 = ETH_HLEN + IP4_BYTES,
			   .port_at = offsetof(struct udphdr, source),
			   .ethertype = bpf_htons(ETH_P_IP)};
	struct iphdr new = {};
	struct fast_pair6 from = {};
	struct fast_pair4 to = {};
	struct ipv6hdr old;
	struct l4 t;
	__u32 payload, size;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &old, sizeof(old)) ||
	    old.version != 6 || old.hop_limit <= HOPS + 1)
		return LEAVE;
	payload = bpf_ntohs(old.payload_len);
	transport(skb, cfg, l4, old.nexthdr, payload, &t);
	size = IP4_BYTES + largest(skb, payload, t.bytes);
	if (!t.bytes || t.bytes > payload || size > cfg->mtu4 ||
	    payload > 65535 - IP4_BYTES)
		return LEAVE;
	__builtin_memcpy(&from, &old.saddr, sizeof(from));
	if (!find4(cfg, &from, old.nexthdr, &t, &to, &c.port) ||
	    !trim(skb, l4 + payload))
		return LEAVE;
	build4(&new, &old, cfg, &to, payload, size > DF_ABOVE);
	c.diff = bpf_csum_diff((__be32 *)&from, sizeof(from), (__be32 *)&to,
			       sizeof(to), 0);
	c.old_port = t.sport;
	c.check = c.l4 + t.check;
	c.proto = old.nexthdr;
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return LEAVE;
	count(skb, FAST_64, IP6_BYTES + payload);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	return finish(skb, cfg, &c);
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
	struct change c = {.l4 = ETH_HLEN + IP6_BYTES,
			   .port_at = offsetof(struct udphdr, dest),
			   .ethertype = bpf_htons(ETH_P_IPV6)};
	struct ipv6hdr new = {};
	struct fast_pair4 from = {};
	struct fast_pair6 to = {};
	struct iphdr old;
	struct l4 t;
	__u32 payload, limit;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &old, sizeof(old)) ||
	    !plain4(&old))
		return LEAVE;
	payload = bpf_ntohs(old.tot_len) - IP4_BYTES;
	transport(skb, cfg, l4, old.protocol, payload, &t);
	limit = old.frag_off & bpf_htons(DF) ? cfg->mtu6 : cfg->lowest_mtu6;
	if (!t.bytes || payload > 65535 || t.bytes > payload ||
	    IP6_BYTES + largest(skb, payload, t.bytes) > limit)
		return LEAVE;
	from.src = old.saddr;
	from.dst = old.daddr;
	if (!find6(cfg, &from, old.protocol, &t, &to, &c.port) ||
	    !trim(skb, l4 + payload))
		return LEAVE;
	build6(&new, &old, cfg, &to, payload);
	c.diff = bpf_csum_diff((__be32 *)&from, sizeof(from), (__be32 *)&to,
			       sizeof(to), 0);
	c.old_port = t.dport;
	c.check = c.l4 + t.check;
	c.proto = old.protocol;
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IPV6), 0))
		return LEAVE;
	count(skb, FAST_46, IP4_BYTES + payload);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	return finish(skb, cfg, &c);
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
