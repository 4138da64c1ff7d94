/* SPDX-License-Identifier: MIT */
/*
 * The link relay: rate, delay, jitter, loss, reordering and duplication for
 * all emulated links of a world, in one process of its own node.
 *
 * A relayed link is two veth pairs whose inner ends, in the relay's node, are
 * interfaces a and b. Frames that arrive on one leave on the other as they
 * are: layer 2, MAC addresses untouched, ARP and neighbour discovery pass like
 * anything else. VLAN tags are not carried.
 *
 *	xlatsim relay --config FILE --control SOCKET
 *
 * FILE is JSON:
 *
 *	{"seed": 1, "links": [
 *	  {"name": "border-inet", "a": "IFACE", "b": "IFACE",
 *	   "down": {"delay_ns": 1e7, "loss": 0.01},
 *	   "up": {"rate_bps": 1.5e8}}]}
 *
 * a is the end nearer to the homes: "up" is from a to b, "down" from b to a.
 * Every key of an impairment may be left out and is then 0 (none), but for
 * burst_bytes (64 KiB) and queue_ns (50 ms), which need no mention.
 *
 * SOCKET is a unix stream socket: one request a line, one answer a line, both
 * JSON. Ready means: the socket answers.
 *
 *	{"do": "stats"}
 *	{"do": "reset-stats"}
 *	{"do": "shape", "link": NAME, "down": {...}, "up": {...}}
 *
 * Answers carry "ok": true, or "ok": false and "error": TEXT. A shape request
 * may leave out a direction, which then stays; a direction that is named is
 * replaced whole. Packets under way keep the times they were given, and later
 * ones do not overtake them.
 *
 * The answer to stats:
 *
 *	"wall_ns", "cpu_ns"	since start or reset; user and system time.
 *				On veth that is more than the relay's own work:
 *				each frame's way through the nodes behind it, up
 *				to the next process, is paid by who sent it.
 *	"overruns"		frames the kernel dropped before the relay could
 *				read them, or had no room for behind it, or that
 *				found the relay's memory full. Above 0 the
 *				relay was the bottleneck.
 *	"scheduler"		"fifo" (real-time), else "nice" or "normal"
 *	"late_p50_ns", "late_p99_ns", "late_max_ns"	over all links
 *	"late_slot_p99_ns"	of the longest lateness in each 10 ms in which
 *				something was sent
 *	"links": [{"name", "down": {...}, "up": {...}}], each direction with
 *	  "packets", "bytes"	sent on; layer 2 without FCS. A superpacket
 *				is one packet here.
 *	  "superpackets"	of those, larger than the MTU (GSO)
 *	  "max_frame"		largest frame sent, bytes
 *	  "segmented"		superpackets cut up so that loss, reordering
 *				and duplication meet wire packets
 *	  "lost"		by the seeded dice
 *	  "dropped_queue"	shaper's queue full (wait above queue_ns)
 *	  "dropped_toolong"	larger than the outgoing interface's MTU
 *	  "dropped_down"	outgoing interface down or without carrier
 *	  "dropped_overrun"	this direction's share of overruns
 *	  "duplicated", "reordered"
 *	  "queued"		now waiting in shaper or delay
 *	  "late_p50_ns", "late_p99_ns", "late_max_ns"	sent after due time;
 *				due counts from the kernel's time of arrival
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "../../xlat/base/err.h"

#define RELAY_NAME_LEN	  48
#define RELAY_MAX_LINKS	  512
#define RELAY_BURST_BYTES 65536
#define RELAY_QUEUE_NS	  50000000

/* What happens to the packets of one direction; 0 means none. */
struct relay_impair {
	double rate_bps;    /* bits a second at layer 2, without FCS */
	double burst_bytes; /* the shaper's bucket */
	double queue_ns;    /* longest wait for the shaper; beyond: dropped */
	double delay_ns;    /* one way, after the shaper */
	double jitter_ns;   /* +- uniform around delay, order kept */
	double loss;	    /* 0..1, each wire packet for itself */
	double reorder;	    /* 0..1: share that skips the delay */
	double duplicate;   /* 0..1: share that arrives twice */
};

enum relay_dir { RELAY_DOWN, RELAY_UP, RELAY_N_DIRS };

struct relay_link_config {
	char name[RELAY_NAME_LEN];
	char a[IF_NAMESIZE], b[IF_NAMESIZE];
	struct relay_impair impair[RELAY_N_DIRS];
};

struct relay_config {
	uint64_t seed;
	struct relay_link_config *links;
	size_t n_links;
};

/*
 * relay_config_load - read and check a configuration file.
 * @c: filled in; the caller frees it with relay_config_fini
 *
 * Returns 0; -ENOENT and the like when unreadable; -EINVAL with the key, the
 * value and what is expected. Context: reads a file.
 */
int relay_config_load(const char *path, struct relay_config *c, struct err *e);

/* relay_config_parse - the same from text; @name stands in messages. */
int relay_config_parse(const char *name, const char *text,
		       struct relay_config *c, struct err *e);
void relay_config_fini(struct relay_config *c);

/*
 * relay_main - the process; argv[0] is "relay".
 * Returns an exit status: 0 after SIGTERM or SIGINT, 1 when something failed,
 * 2 for bad usage or a bad file. Context: root, inside the relay's node.
 */
int relay_main(int argc, char **argv);

#endif
