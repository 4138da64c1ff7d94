/* SPDX-License-Identifier: MIT */
/* The MSS option of TCP, for paths that lose "packet too big". */
#ifndef CORE_MSS_H
#define CORE_MSS_H

#include <stdbool.h>

#include "pkt.h"

/*
 * mss_clamp - lower the MSS that a SYN announces to @most.
 * @pkt: a whole IPv4 or IPv6 packet; options and checksum are changed in
 *       place, the checksum incrementally unless it is still to be computed
 * @most: bytes of TCP payload
 *
 * Returns whether it was lowered. A SYN without the option is left alone: its
 * sender expects 536 or 1220 (RFC 9293 section 3.7.1). Malformed options are
 * left alone, too. Context: pure.
 */
bool mss_clamp(struct pkt *pkt, unsigned int most);

#endif
