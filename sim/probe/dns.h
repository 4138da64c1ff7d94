/* SPDX-License-Identifier: MIT */
/* What a DNS reply means for a measurement. */
#ifndef PROBE_DNS_H
#define PROBE_DNS_H

#include "probe_internal.h"

/*
 * dns_classify - metrics and summary from what the half in the node wrote.
 * An AAAA answer inside @pool6 counts as synthesised; whether is asked only of
 * a reply to an AAAA query. Context: pure.
 */
void dns_classify(const json_t *j, const struct prefix6 *pool6,
		  struct measurement *m, struct arena *a);

#endif
