/* SPDX-License-Identifier: MIT */
/* What each probe yields, and the words of the grammar. */
#include "spec_internal.h"

#include <string.h>

const char *const probe_words[] = {
	"dns",	       "ping",	     "iperf3",	  "throughput", "stream",
	"sessions",    "resolver",   "diagnosis", "tls",	"flood",
	"connections", "traceroute", NULL};

const char *const event_words[] = {
	"link-down",
	"link-up",
	"engine-kill",
	"engine-start",
	"engine-stop",
	"engine-cont",
	"node-down",
	"node-up",
	"set-cost",
	"shape",
	"black-hole",
	"black-hole-end",
	"node-freeze",
	"node-thaw",
	"engine-end",
	"host-down",
	"offload",
	"advertise",
	"graceful-restart",
	"flap",
	"route",
	"ping",
	NULL,
};

static const struct metric_def dns_metrics[] = {
	{"answered", UNIT_BOOL, "a reply came before the timeout"},
	{"rcode", UNIT_TEXT, "NOERROR, NXDOMAIN, SERVFAIL, ..."},
	{"synthesised", UNIT_BOOL, "an AAAA answer lies inside pool6"},
	{"answer", UNIT_TEXT, "first answer of the type asked for"},
	{"answers", UNIT_NONE, "answers of the type asked for"},
	{"ttl", UNIT_TIME, "lowest TTL among them"},
	{"time", UNIT_TIME, "from query to reply"},
	{"ad", UNIT_BOOL, "the resolver vouches for the answer (DNSSEC)"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def ping_metrics[] = {
	{"sent", UNIT_NONE, "echo requests sent"},
	{"received", UNIT_NONE, "echo replies received"},
	{"lost", UNIT_NONE, "requests without a reply"},
	{"loss", UNIT_RATIO, "share of requests without a reply"},
	{"rtt-min", UNIT_TIME, "shortest round trip"},
	{"rtt-median", UNIT_TIME, "median round trip"},
	{"rtt-p99", UNIT_TIME, "99th percentile of the round trips"},
	{"rtt-max", UNIT_TIME, "longest round trip"},
	{NULL, UNIT_NONE, NULL},
};

/* clang-format off */
#define TRANSFER_METRICS \
	{"rate", UNIT_RATE, "payload a second at the receiver"}, \
	{"bytes", UNIT_SIZE, "payload that the receiver got"}, \
	{"retransmits", UNIT_NONE, "TCP segments sent again"}, \
	{"longest-stall", UNIT_TIME, "longest time without a byte"}, \
	{"survived", UNIT_BOOL, \
	"the connection lived to the end and moved data in its last second"}, \
	{"cpu-sender", UNIT_RATIO, "of one core, iperf3 at the sender"}, \
	{"cpu-receiver", UNIT_RATIO, "of one core, iperf3 at the receiver"}
/* clang-format on */

static const struct metric_def iperf3_metrics[] = {
	TRANSFER_METRICS,
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def diagnosis_metrics[] = {
	{"verdict", UNIT_TEXT, "why it was as fast as it was"},
	{"fault", UNIT_BOOL, "it is something that a switch cures"},
	{"limit", UNIT_TEXT, "radio, CPE CPU, PLAT CPU, offload, ..."},
	{"cure", UNIT_TEXT, "the switch"},
	TRANSFER_METRICS,
	{"link-share", UNIT_RATIO, "of the slowest link on its way"},
	{"native-rate", UNIT_RATE, "the same to `native`, afterwards"},
	{"ratio", UNIT_RATIO, "of the native rate"},
	{"timeouts", UNIT_NONE, "retransmission timers that went off"},
	{"timeout-share", UNIT_RATIO, "of all retransmissions"},
	{"access-superpackets", UNIT_RATIO,
	 "above the MTU, of the data frames between PLATs and access router"},
	{"border-superpackets", UNIT_RATIO,
	 "above the MTU, of the data frames between PLATs and border"},
	{"engine-superpackets", UNIT_RATIO,
	 "above the MTU, of the data frames that PLAT engines get and give"},
	{"access-superpacket-size", UNIT_SIZE,
	 "mean of those above the MTU between PLATs and access router"},
	{"border-superpacket-size", UNIT_SIZE,
	 "mean of those above the MTU between PLATs and border"},
	{"engine-superpacket-size", UNIT_SIZE,
	 "mean of those above the MTU that PLAT engines get and give"},
	{"packets", UNIT_NONE, "packets that the translators took in"},
	{"oversize", UNIT_NONE,
	 "frames above the MTU without a segment size, at a translator"},
	{"told-too-big", UNIT_NONE, "packets it refused with an error"},
	{"send-refused", UNIT_NONE, "packets that its way out refused"},
	{"fragments", UNIT_NONE, "fragments that it made"},
	{"truncated", UNIT_NONE,
	 "packets that came cut off into its virtual machine"},
	{"too-big-received", UNIT_NONE, "such errors that reached the sender"},
	{"bad-checksums", UNIT_NONE, "segments that an end dropped for it"},
	{"interface-drops", UNIT_NONE,
	 "frames that interfaces of translators' nodes dropped"},
	{"kernel-drops", UNIT_NONE,
	 "packets that kernels of translators' nodes dropped"},
	{"cpe-cpu", UNIT_RATIO, "of one core, the busiest CLAT"},
	{"plat-cpu", UNIT_RATIO, "of one core, the busiest PLAT"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def throughput_metrics[] = {
	{"ratio", UNIT_RATIO, "median over the rounds, to native"},
	{"ratio-low", UNIT_RATIO, "lower end of its 95% interval"},
	{"ratio-high", UNIT_RATIO, "upper end of its 95% interval"},
	{"rate", UNIT_RATE, "median of the rounds"},
	{"native-rate", UNIT_RATE, "median of the native rounds"},
	{"retransmits", UNIT_NONE, "TCP segments sent again"},
	{"native-retransmits", UNIT_NONE, "the same in native rounds"},
	{"rounds", UNIT_NONE, "pairs of rounds that were measured"},
	{NULL, UNIT_NONE, NULL},
};

/* clang-format off */
#define STREAM_DIRECTION(d, what)                                             \
	{d "sent", UNIT_NONE, "packets sent, " what},                          \
	{d "received", UNIT_NONE, "packets received, " what},                  \
	{d "lost", UNIT_NONE, "packets that never came, " what},               \
	{d "loss", UNIT_RATIO, "share of them, " what},                        \
	{d "duplicated", UNIT_NONE, "packets that came again, " what},         \
	{d "reordered", UNIT_NONE, "packets that came late, " what},           \
	{d "longest-gap", UNIT_TIME, "longest time without one, " what},       \
	{d "outage", UNIT_TIME, "lost packets over their rate, " what},        \
	{d "recovered", UNIT_TIME,                                             \
	 "since start: first packet sent after the longest gap that came, "    \
	 what},                                                                \
	{d "latency-p50", UNIT_TIME, "median one-way delay, " what},           \
	{d "latency-p99", UNIT_TIME, "99th percentile of it, " what},          \
	{d "latency-max", UNIT_TIME, "longest one-way delay, " what}
/* clang-format on */

static const struct metric_def stream_metrics[] = {
	{"longest-gap", UNIT_TIME, "the longer of both directions' gaps"},
	{"lost", UNIT_NONE, "packets lost, both directions"},
	{"send-late-p99", UNIT_TIME, "how late the senders were"},
	STREAM_DIRECTION("up-", "from the home"),
	STREAM_DIRECTION("down-", "towards the home"),
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def sessions_metrics[] = {
	{"busy", UNIT_NONE, "downloads under way at the start"},
	{"busy-survived", UNIT_NONE, "of them, proved to live at the end"},
	{"idle", UNIT_NONE, "sessions that say nothing"},
	{"idle-survived", UNIT_NONE, "of them, proved to live at the end"},
	{"survival", UNIT_RATIO, "share of both that survived"},
	{"reset", UNIT_NONE, "those of both that were reset"},
	{"stall-median", UNIT_TIME,
	 "longest wait for data of a busy one that survived, median"},
	{"longest-stall", UNIT_TIME, "longest of these waits"},
	{"connects", UNIT_NONE, "new connections tried"},
	{"connects-failed", UNIT_NONE, "of them, never of use"},
	{"connects-refused", UNIT_NONE, "of them, refused or reset"},
	{"connect-median", UNIT_TIME, "from the try to the first answer"},
	{"connect-slowest", UNIT_TIME, "longest of those that succeeded"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def resolver_metrics[] = {
	{"queries", UNIT_NONE, "names asked for"},
	{"failed", UNIT_NONE, "no server answered in all its attempts"},
	{"retried", UNIT_NONE, "asked more than once"},
	{"median", UNIT_TIME, "what a user waited, failures too"},
	{"p99", UNIT_TIME, "99th percentile of it"},
	{"slowest", UNIT_TIME, "longest of these waits"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def tls_metrics[] = {
	{"exchanges", UNIT_NONE, "connections tried, one after another"},
	{"completed", UNIT_NONE, "of them, those whose whole answer came"},
	{"failed", UNIT_NONE, "of them, all others"},
	{"handshake-median", UNIT_TIME,
	 "from the first SYN to the end of the handshake"},
	{"handshake-slowest", UNIT_TIME, "longest of these times"},
	{"total-median", UNIT_TIME, "from the first SYN to the last byte"},
	{"total-slowest", UNIT_TIME, "longest of these times"},
	{"retransmits", UNIT_NONE, "segments the client sent again, all"},
	{"lost", UNIT_NONE, "of them, those the server did not have already"},
	{"mss", UNIT_NONE, "bytes of a segment of the client, at the end"},
	{"server-retransmits", UNIT_NONE, "as retransmits, of the server"},
	{"server-lost", UNIT_NONE, "as lost, of the server"},
	{"server-mss", UNIT_NONE, "as mss, of the server"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def flood_metrics[] = {
	{"sent", UNIT_NONE, "packets, each with ports of its own"},
	{"refused", UNIT_NONE, "those that the sender's kernel did not take"},
	{"rate", UNIT_PPS, "packets sent a second"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def connections_metrics[] = {
	{"ratio", UNIT_RATIO, "median over the rounds, to native"},
	{"ratio-low", UNIT_RATIO, "lower end of its 95% interval"},
	{"ratio-high", UNIT_RATIO, "upper end of its 95% interval"},
	{"rate", UNIT_NONE, "connections a second, median of the rounds"},
	{"native-rate", UNIT_NONE, "the same of the native rounds"},
	{"failed", UNIT_NONE, "of all rounds; refused, reset or 1 s old"},
	{"native-failed", UNIT_NONE, "the same in native rounds"},
	{"rounds", UNIT_NONE, "pairs of rounds that were measured"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def traceroute_metrics[] = {
	{"hops", UNIT_NONE, "asked for, to the end of the way"},
	{"answered", UNIT_NONE, "of them, those that said something"},
	{"distinct", UNIT_NONE, "addresses among those"},
	{"named", UNIT_NONE, "those that told another address (RFC 5837)"},
	{"reached", UNIT_BOOL, "the host itself answered"},
	{"right", UNIT_BOOL, "every answer quotes what was sent"},
	{"path", UNIT_TEXT, "the addresses in order, * for none"},
	{NULL, UNIT_NONE, NULL},
};

const struct metric_def spec_await_metrics[] = {
	{"time", UNIT_TIME, "from the event before it"},
	{"reached", UNIT_BOOL, "it came true before the deadline"},
	{NULL, UNIT_NONE, NULL},
};

const struct metric_def spec_drill_metrics[] = {
	{"detect", UNIT_TIME, "to the first change of a route to a pool"},
	{"reroute", UNIT_TIME,
	 "to the last one at access (pool6) or border (pool4)"},
	{"recover", UNIT_TIME, "to the end of loss, both directions"},
	{"gap", UNIT_TIME, "the longer of both directions' gaps"},
	{"up-gap", UNIT_TIME, "longest time without a packet, from the home"},
	{"down-gap", UNIT_TIME, "the same towards the home"},
	{"lost", UNIT_NONE, "packets lost, both directions"},
	{"up-lost", UNIT_NONE, "packets lost, from the home"},
	{"down-lost", UNIT_NONE, "packets lost, towards the home"},
	{"duplicated", UNIT_NONE, "packets that came again"},
	{"reordered", UNIT_NONE, "packets that were overtaken"},
	{"late", UNIT_NONE, "packets that took more than 500 ms"},
	{"sessions", UNIT_NONE, "held then by the PLAT in use"},
	{"replicated", UNIT_NONE, "held then by the best other PLAT"},
	{"unreplicated", UNIT_NONE,
	 "held by the PLAT in use beyond these: lost with it"},
	{"stale", UNIT_NONE, "held beyond what the PLAT in use held"},
	{"up-via", UNIT_TEXT, "the PLAT that access sent to in the end"},
	{"down-via", UNIT_TEXT, "the PLAT that border sent to in the end"},
	{NULL, UNIT_NONE, NULL},
};

const struct metric_def spec_testbed_metrics[] = {
	{"event-late-max", UNIT_TIME, "how late the latest event was"},
	{"relay-cpu", UNIT_RATIO, "of one core, the link relay"},
	{"relay-late-max", UNIT_TIME, "packets late at the relay, longest"},
	{"relay-late-p99", UNIT_TIME, "exceeded for 1 % of the time"},
	{"build-time", UNIT_TIME, "to build the world"},
	{"ready-time", UNIT_TIME, "from there until all engines serve"},
	{"teardown-time", UNIT_TIME, "to take the world down"},
	{"cpu-busy", UNIT_RATIO, "of all cores, during the run"},
	{NULL, UNIT_NONE, NULL},
};

const struct metric_def *spec_metrics(enum probe_kind kind)
{
	switch (kind) {
	case PROBE_DNS:
		return dns_metrics;
	case PROBE_PING:
		return ping_metrics;
	case PROBE_IPERF3:
		return iperf3_metrics;
	case PROBE_THROUGHPUT:
		return throughput_metrics;
	case PROBE_STREAM:
		return stream_metrics;
	case PROBE_SESSIONS:
		return sessions_metrics;
	case PROBE_RESOLVER:
		return resolver_metrics;
	case PROBE_DIAGNOSIS:
		return diagnosis_metrics;
	case PROBE_TLS:
		return tls_metrics;
	case PROBE_FLOOD:
		return flood_metrics;
	case PROBE_CONNECTIONS:
		return connections_metrics;
	case PROBE_TRACEROUTE:
		return traceroute_metrics;
	}
	return NULL;
}

const char *spec_probe_word(enum probe_kind kind)
{
	return probe_words[kind];
}

/* ---- which way is better ---------------------------------------------------
 * Not here: what is asked for (sent, rounds), facts (hops, path), and what is
 * good or bad by what was done (duplicated, ttl).
 */

static const char *const more_is_better[] = {
	"answered",	 "survived",  "reached",    "right",	"received",
	"bytes",	 "rate",      "ratio",	    "survival", "busy-survived",
	"idle-survived", "completed", "replicated", NULL};

static const char *const less_is_better[] = {"lost",
					     "loss",
					     "longest-gap",
					     "outage",
					     "recovered",
					     "gap",
					     "late",
					     "time",
					     "rtt-min",
					     "rtt-median",
					     "rtt-p99",
					     "rtt-max",
					     "latency-p50",
					     "latency-p99",
					     "latency-max",
					     "longest-stall",
					     "stall-median",
					     "retransmits",
					     "timeouts",
					     "fault",
					     "reset",
					     "connects-failed",
					     "connects-refused",
					     "connect-median",
					     "connect-slowest",
					     "failed",
					     "retried",
					     "median",
					     "p99",
					     "slowest",
					     "handshake-median",
					     "handshake-slowest",
					     "total-median",
					     "total-slowest",
					     "detect",
					     "reroute",
					     "recover",
					     "reordered",
					     "unreplicated",
					     "stale",
					     "bad-checksums",
					     "truncated",
					     "cpe-cpu",
					     "plat-cpu",
					     NULL};

static bool is_among(const char *word, const char *const *list)
{
	while (*list && strcmp(*list, word) != 0)
		list++;
	return *list;
}

enum metric_better spec_metric_better(const char *metric)
{
	if (!strncmp(metric, "up-", 3))
		metric += 3;
	else if (!strncmp(metric, "down-", 5))
		metric += 5;
	if (is_among(metric, more_is_better))
		return BETTER_MORE;
	return is_among(metric, less_is_better) ? BETTER_LESS : BETTER_NEITHER;
}

/* ---- how engines can be attached; the default first -----------------------
 */

static const char *const xlatd_attach[] = {"tun", "tun-bpf", "packet",
					   "packet-vnet", NULL};
static const char *const jool_attach[] = {"vnet", "lossy-merge", NULL};

const char *const *spec_attach_words(const char *engine)
{
	if (!strcmp(engine, "xlatd"))
		return xlatd_attach;
	if (!strcmp(engine, "jool"))
		return jool_attach;
	return NULL;
}

bool spec_is_plain4(const char *engine)
{
	return !strcmp(engine, "nft-nat44") || !strcmp(engine, "native");
}
