/* SPDX-License-Identifier: MIT */
/*
 * One transfer by iperf3: a server at the far node, a client at the near one,
 * cubic pinned, and what both wrote about it.
 */
#ifndef PROBE_TRANSFER_H
#define PROBE_TRANSFER_H

#include "probe_internal.h"

/* What one transfer came to. NAN or a negative count: not known. */
struct transfer_score {
	double rate_bps; /* payload at the receiver */
	double bytes;
	double retransmits;
	double longest_stall_ns; /* run of receiver intervals without a byte */
	double seconds;		 /* of the receiver's intervals */
	bool survived;
	double cpu_sender, cpu_receiver; /* of one core */
	const char *error; /* iperf3's own, or NULL; lives in the JSON */
};

/*
 * transfer_score - from what client and server wrote (either may be NULL).
 * @dir: DIR_DOWN is towards the client
 * Returns 0, or -EINVAL when neither holds a single interval. Context: pure.
 */
int transfer_score(const json_t *client, const json_t *server,
		   enum direction dir, struct transfer_score *out);

/* transfer_series - bits a second over time, at the receiver. */
void transfer_series(const json_t *client, const json_t *server,
		     enum direction dir, struct measurement *m,
		     struct arena *a);

/*
 * transfer_listens - whether /proc/net/tcp or tcp6 (as @text) has a listener
 * on @port; *@established: connections to it. Context: pure.
 */
bool transfer_listens(const char *text, unsigned int port,
		      unsigned int *established);

struct transfer;

struct transfer_opts {
	struct probe_target target;
	int64_t length_ns; /* rounded to whole seconds, at least one */
	const char *tag;   /* for the files: "", "native-1" */
	/* called once when both have ended, from the loop */
	void (*ended)(struct probe *p, struct transfer *t);
};

/* transfer_start - NULL with @e set when it cannot begin. */
struct transfer *transfer_start(struct probe *p, const struct transfer_opts *o,
				struct err *e);
bool transfer_flowing(const struct transfer *t);
/* transfer_stop - forget its timers; its processes are the probe's. */
void transfer_stop(struct transfer *t);
/* transfer_read - what both wrote; new references, NULL if unreadable. */
void transfer_read(struct probe *p, struct transfer *t, json_t **client,
		   json_t **server);
const char *transfer_client_file(const struct transfer *t);
/* transfer_why - which of iperf3's processes failed the testbed; NULL: none. */
const char *transfer_why(const struct transfer *t);
/* transfer_blame - that is why @p is over, after @prefix. */
void transfer_blame(struct probe *p, const struct transfer *t,
		    const char *prefix);
/* transfer_max_ns - from start to end at the very longest. */
int64_t transfer_max_ns(int64_t length_ns);

#endif
