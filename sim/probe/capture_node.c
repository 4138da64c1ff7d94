/* SPDX-License-Identifier: MIT */
/*
 * A capture from inside a node: packets to standard output as a pcap file with
 * nanoseconds, and at the end one JSON object to standard error. A result
 * directory may lie where the node cannot see it; descriptors always reach.
 */
#include "probe_internal.h"

#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_args.h"

#define SNAPLEN	   262144
#define BUFFER	   (16 << 20)
#define TIMEOUT_MS 100

static pcap_t *taking;
static volatile sig_atomic_t over;

static void end(int sig)
{
	(void)sig;
	over = 1;
	pcap_breakloop(taking);
}

struct sink {
	pcap_dumper_t *dumper;
	uint64_t packets;
};

static void take(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct sink *s = (struct sink *)(void *)user;

	pcap_dump((u_char *)s->dumper, h, bytes);
	s->packets++;
}

static int complain(const char *iface, const char *what)
{
	json_t *j = json_pack("{s:s, s:s}", "iface", iface, "error", what);

	json_dumpf(j, stderr, JSON_INDENT(1));
	json_decref(j);
	return 1;
}

static pcap_t *open_iface(const char *iface, char *why)
{
	pcap_t *p = pcap_create(iface, why);
	int ret;

	if (!p)
		return NULL;
	pcap_set_snaplen(p, SNAPLEN);
	pcap_set_promisc(p, 1);
	pcap_set_timeout(p, TIMEOUT_MS);
	pcap_set_immediate_mode(p, 1); /* nothing is held back at the end */
	pcap_set_buffer_size(p, BUFFER);
	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	ret = pcap_activate(p);
	if (ret < 0) { /* above 0 are mere warnings */
		snprintf(why, PCAP_ERRBUF_SIZE, "%.100s: %.120s",
			 pcap_statustostr(ret), pcap_geterr(p));
		pcap_close(p);
		return NULL;
	}
	return p;
}

static int set_filter(const char *filter)
{
	struct bpf_program program;
	int ret;

	if (!*filter)
		return 0;
	ret = pcap_compile(taking, &program, filter, 1, PCAP_NETMASK_UNKNOWN);
	if (ret)
		return -1;
	ret = pcap_setfilter(taking, &program);
	pcap_freecode(&program);
	return ret;
}

static int run(const char *iface)
{
	struct sigaction sa = {.sa_handler = end};
	struct pcap_stat stat = {0};
	struct sink sink = {0};
	json_t *j;
	int ret;

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sink.dumper = pcap_dump_fopen(taking, stdout);
	if (!sink.dumper || pcap_dump_flush(sink.dumper))
		return complain(iface, pcap_geterr(taking));
	do {
		ret = pcap_dispatch(taking, -1, take, (u_char *)&sink);
		if (ret > 0)
			pcap_dump_flush(sink.dumper);
	} while (ret >= 0 && !over);
	/* what the kernel holds already belongs to the capture */
	if (over && !pcap_setnonblock(taking, 1, NULL))
		while (pcap_dispatch(taking, -1, take, (u_char *)&sink) ==
		       PCAP_ERROR_BREAK)
			; /* the signal came between two calls */
	pcap_stats(taking, &stat);
	j = json_pack("{s:s, s:I, s:I}", "iface", iface, "packets",
		      (json_int_t)sink.packets, "dropped",
		      (json_int_t)stat.ps_drop + (json_int_t)stat.ps_ifdrop);
	if (ret == PCAP_ERROR)
		json_object_set_new(j, "error",
				    json_string(pcap_geterr(taking)));
	pcap_dump_close(sink.dumper);
	json_dumpf(j, stderr, JSON_INDENT(1));
	json_decref(j);
	return ret == PCAP_ERROR ? 1 : 0;
}

int probe_capture_main(int argc, char **argv)
{
	const char *iface = NULL, *filter = "";
	const struct node_arg args[] = {
		{.key = "iface", .text = &iface},
		{.key = "filter", .text = &filter},
		{0},
	};
	char why[PCAP_ERRBUF_SIZE] = "";
	int ret;

	if (node_args_read(argc, argv, args) || !iface)
		return 2;
	taking = open_iface(iface, why);
	if (!taking)
		return complain(iface, why);
	if (set_filter(filter))
		ret = complain(iface, pcap_geterr(taking));
	else
		ret = run(iface);
	pcap_close(taking);
	return ret;
}
