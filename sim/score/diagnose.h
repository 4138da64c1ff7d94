/* SPDX-License-Identifier: MIT */
/*
 * Why a transfer was as fast as it was. PURE: what was counted while it ran
 * goes in, a verdict in words and what cures it come out.
 */
#ifndef SCORE_DIAGNOSE_H
#define SCORE_DIAGNOSE_H

#include <stdbool.h>

/* Counted during one transfer; NAN where nobody could tell. */
struct diagnose_evidence {
	double rate_bps;      /* payload at the receiver */
	double link_bps;      /* lowest rate of a link on its way; NAN: none */
	double native_bps;    /* the same way without a translator; NAN */
	double retransmits;   /* at the sender */
	double timeouts;      /* retransmission timers that went off there */
	double icmp_too_big;  /* errors that reached the sender */
	double bad_checksums; /* segments that an end dropped for it */
	/* of the translators on the way */
	double packets;	     /* taken in */
	double oversize;     /* frames above the MTU without a segment size */
	double told_too_big; /* refused, with an error to the sender */
	double send_refused; /* translated, and refused by the way out */
	double fragments;    /* made of larger packets */
	double truncated;    /* that came cut off */
	double cpe_cpu, plat_cpu; /* busiest process, of one core */
	bool armed; /* metadata is lost and something upstream still merges */
};

enum diagnosis {
	DIAGNOSIS_HEALTHY,
	DIAGNOSIS_LINK,
	DIAGNOSIS_CPU,
	DIAGNOSIS_BLACK_HOLE,
	DIAGNOSIS_TRUNCATED,
	DIAGNOSIS_NEEDLESS_PTB,
	DIAGNOSIS_PMTU,
	DIAGNOSIS_CHECKSUM,
	DIAGNOSIS_FRAGMENTS,
	DIAGNOSIS_HIDDEN,
	DIAGNOSIS_NATIVE,
	DIAGNOSIS_UNEXPLAINED,
	DIAGNOSIS_COUNT
};

struct diagnose_result {
	enum diagnosis is;
	const char *limit; /* "radio", "CPE CPU", "PLAT CPU", "offload",
			      "path MTU", "ends or path", "none", "unknown" */
	const char *cure;  /* the switch; "nothing to cure" */
};

/*
 * diagnose - the first of these that the evidence carries: nothing passes for
 * checksums; large frames are lost (with errors, or silently); fragments; a
 * link or a processor is full; native is no faster; healthy. Context: pure.
 */
struct diagnose_result diagnose(const struct diagnose_evidence *e);

/* diagnosis_word - as documented in scenario(5). */
const char *diagnosis_word(enum diagnosis d);
/* diagnosis_is_fault - something that a switch cures? */
bool diagnosis_is_fault(enum diagnosis d);

#endif
