/* SPDX-License-Identifier: MIT */
#include "xlat.h"

#include "core_internal.h"
#include "icmp.h"

void xlat_cfg_init(struct xlat_cfg *cfg)
{
	*cfg = (struct xlat_cfg){
		.mtu4 = 1500,
		.mtu6 = 1500,
		.lowest_mtu6 = MIN_MTU6,
		.udp_zero = XLAT_UDP_ZERO_COMPUTE,
	};
}

void xlat_out_init(struct xlat_out *out, uint8_t *buf, uint32_t buf_bytes,
		   uint16_t ident)
{
	*out = (struct xlat_out){
		.buf = buf,
		.buf_bytes = buf_bytes,
		.ident = ident,
	};
}

/* Bytes 4 to 7 of the error, in host order. */
static uint32_t rest4(const struct pkt_info *info, enum reason reason,
		      const struct xlat_cfg *cfg)
{
	uint32_t less = pkt_ip_is_frag(&info->outer) ? 28 : 20;

	if (reason != REASON_TOO_BIG)
		return 0;
	return cfg->mtu6 - less > 65535 ? 65535 : cfg->mtu6 - less;
}

static uint32_t rest6(const struct pkt_info *info, enum reason reason,
		      const struct xlat_cfg *cfg)
{
	if (reason == REASON_ROUTING_HEADER)
		return info->pointer;
	if (reason != REASON_TOO_BIG)
		return 0;
	return cfg->mtu4 + 20 < MIN_MTU6 ? MIN_MTU6 : cfg->mtu4 + 20;
}

static void start_reply(struct xlat_out *out)
{
	out->reply = (struct pkt){
		.data = out->buf,
		.tailroom = out->buf_bytes,
	};
}

enum verdict xlat_refuse4(const struct pkt *pkt, const struct pkt_info *info,
			  enum reason reason, const struct xlat_cfg *cfg,
			  struct xlat_out *out)
{
	struct reason_icmp tell = reason_icmp4(reason);

	out->reason = reason;
	if (tell.silent || !cfg->self4.s_addr || !icmp_error_allowed(info) ||
	    info->outer.src.v4.s_addr == cfg->self4.s_addr)
		return VERDICT_DROP;
	start_reply(out);
	if (!icmp_build4(pkt, info, tell.type, tell.code,
			 rest4(info, reason, cfg), cfg->self4, &out->reply))
		return VERDICT_DROP;
	return VERDICT_REPLY;
}

enum verdict xlat_refuse6(const struct pkt *pkt, const struct pkt_info *info,
			  enum reason reason, const struct xlat_cfg *cfg,
			  struct xlat_out *out)
{
	static const struct in6_addr none;
	struct reason_icmp tell = reason_icmp6(reason);

	out->reason = reason;
	if (tell.silent || !memcmp(&cfg->self6, &none, sizeof(none)) ||
	    !icmp_error_allowed(info) ||
	    !memcmp(&info->outer.src.v6, &cfg->self6, sizeof(none)))
		return VERDICT_DROP;
	start_reply(out);
	if (!icmp_build6(pkt, info, tell.type, tell.code,
			 rest6(info, reason, cfg), &cfg->self6, &out->reply))
		return VERDICT_DROP;
	return VERDICT_REPLY;
}
