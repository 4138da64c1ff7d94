/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The daemon translates the first packet of two addresses, by all the rules
 * there are, and offers the pair; the program at the interfaces' ingress
 * (fast.bpf.c) repeats what it was offered, and nothing else. No rule exists
 * twice: the kernel's half knows neither prefixes nor mappings.
 *
 * Pairs live in maps of the kernel that drop the least recently used one when
 * they are full; such a pair comes back with its next packet.
 *
 * A stateful translator offers flows: one direction of a session, with ports,
 * once some packets of it have come (flows.c). Sessions stay the daemon's.
 *
 * A generation number in each of them and in the configuration makes all of
 * them invalid at once: on a reload, on another prefix, and when any route or
 * rule changes, since they bypass the route that led the first packet to us.
 *
 * A filter outlives who attached it. So the configuration holds the time until
 * which the program may translate, a second ahead and renewed every tenth;
 * without us packets take their usual way, whatever that then is.
 *
 * Cost: a packet that the daemon forwards is looked up in a table of what was
 * offered lately, without a system call; a flow costs two calls in its life
 * and one a second.
 */
#include "fastpath.h"

/* before what comes with linux/if.h */
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/log.h"
#include "fastpath_internal.h"

#define ALIVE_NS    NS_PER_S
#define PRIORITY    7915  /* of the filter, among others at the interface */
#define OFFER_RATE  10000 /* pairs a second */
#define OFFER_BURST 1000
#define UNKNOWN	    UINT_MAX /* in place of an interface's index */
/* Behind a change of routes, packets that came by the old ones are read. */
#define QUIET_NS (100 * NS_PER_MS)

/* fast.bpf.o, linked in; empty where there was no clang to compile it. */
extern const char _binary_fast_bpf_o_start[];
extern const char _binary_fast_bpf_o_end[];

bool fastpath_built(void)
{
	return &_binary_fast_bpf_o_start[0] != &_binary_fast_bpf_o_end[0];
}

/* The same for each process on a TUN device of this name, so that the next one
 * replaces what a killed one left, and another's stays. */
static uint32_t handle_of(const char *tun)
{
	uint32_t h = 0x811c9dc5;

	while (*tun)
		h = (h ^ (uint8_t)*tun++) * 0x01000193;
	return h ? h : 1;
}

/* ---- the kernel's half -----------------------------------------------------
 */

static int print_nothing(enum libbpf_print_level level, const char *format,
			 va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load(struct fastpath *f, struct err *e)
{
	size_t len =
		(size_t)(_binary_fast_bpf_o_end - _binary_fast_bpf_o_start);
	struct bpf_program *p;
	int ret;

	libbpf_set_print(print_nothing);
	f->object = bpf_object__open_mem(_binary_fast_bpf_o_start, len, NULL);
	if (!f->object)
		return err_set(e, errno, "fast path: %s", strerror(errno));
	ret = bpf_object__load(f->object);
	if (ret)
		return err_set(e, -ret,
			       "fast path: the kernel does not take the BPF "
			       "program: %s; it takes CAP_BPF and Linux 5.14",
			       strerror(-ret));
	f->config = bpf_object__find_map_fd_by_name(f->object, "config");
	f->pairs6 = bpf_object__find_map_fd_by_name(f->object, "pairs6");
	f->pairs4 = bpf_object__find_map_fd_by_name(f->object, "pairs4");
	f->flows6 = bpf_object__find_map_fd_by_name(f->object, "flows6");
	f->flows4 = bpf_object__find_map_fd_by_name(f->object, "flows4");
	f->counts = bpf_object__find_map_fd_by_name(f->object, "counts");
	p = bpf_object__find_program_by_name(f->object, "fast");
	f->program = bpf_program__fd(p);
	return 0;
}

static bool is_ethernet(const char *name)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};
	bool yes;

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	yes = fd >= 0 && !ioctl(fd, SIOCGIFHWADDR, &r) &&
	      r.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (fd >= 0)
		close(fd);
	return yes;
}

static int attach(struct fastpath *f, size_t i, struct err *e)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = f->handle,
		    .priority = PRIORITY, .prog_fd = f->program,
		    .flags = BPF_TC_F_REPLACE);
	unsigned int index = if_nametoindex(f->names[i]);
	int ret;

	if (index == f->attached[i])
		return 0;
	f->attached[i] = index;
	if (!index) {
		log_warn("fast path: %s is not there; it will be used when it "
			 "is",
			 f->names[i]);
		return 0;
	}
	if (!is_ethernet(f->names[i]))
		return err_set(e, EINVAL,
			       "fast path: %s is no Ethernet interface",
			       f->names[i]);
	hook.ifindex = (int)index;
	ret = bpf_tc_hook_create(&hook);
	if (!ret || ret == -EEXIST)
		ret = bpf_tc_attach(&hook, &opts);
	if (ret)
		return err_set(e, -ret, "fast path: ingress of %s: %s",
			       f->names[i], strerror(-ret));
	return 0;
}

/* The qdisc stays, empty: others may have come to use it. */
static void detach(const struct fastpath *f, size_t i)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)f->attached[i],
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = f->handle,
		    .priority = PRIORITY);

	bpf_tc_detach(&hook, &opts);
}

/* ---- what changes around us ------------------------------------------------
 */

static int watch(struct fastpath *f, struct err *e)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK,
				.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE |
					     RTMGRP_IPV6_ROUTE |
					     RTMGRP_IPV4_RULE};
	int rules6 = RTNLGRP_IPV6_RULE;

	f->watch = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  NETLINK_ROUTE);
	if (f->watch < 0 || bind(f->watch, (struct sockaddr *)&a, sizeof(a)) ||
	    setsockopt(f->watch, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &rules6,
		       sizeof(rules6)))
		return err_set(e, errno, "fast path: netlink: %s",
			       strerror(errno));
	return 0;
}

int fastpath_fd(const struct fastpath *f)
{
	return f->watch;
}

int fastpath_program(const struct fastpath *f)
{
	return f->program;
}

static void put_cfg(struct fastpath *f)
{
	uint32_t first = 0;

	if (bpf_map_update_elem(f->config, &first, &f->cfg, BPF_ANY))
		log_err("fast path: %s", strerror(errno));
}

static void forget_all(struct fastpath *f)
{
	f->cfg.generation++;
	put_cfg(f);
	flows_forget(f);
}

/* What the messages say does not matter, nor whether some were lost. */
void fastpath_look(struct fastpath *f, struct mono now)
{
	char buf[8192];
	bool any = false;
	struct err e;

	while (recv(f->watch, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		any = true;
	if (!any)
		return;
	f->quiet_until = now.ns + QUIET_NS;
	forget_all(f);
	for (size_t i = 0; i < f->n_names; i++)
		if (attach(f, i, &e))
			log_warn("%s", e.text);
}

/* ---- life ------------------------------------------------------------------
 */

struct fastpath *fastpath_open(const char *tun, const char *const *interfaces,
			       size_t n, bool stateful, struct mono now,
			       struct err *e)
{
	struct fastpath *f = calloc(1, sizeof(*f));

	if (f)
		f->lately = calloc(LATELY, sizeof(*f->lately));
	if (!f || !f->lately || (stateful && !flows_init(f))) {
		err_set(e, ENOMEM, "out of memory");
		goto failed;
	}
	f->watch = -1;
	if (getrandom(&f->seed, sizeof(f->seed), 0) != sizeof(f->seed)) {
		err_set(e, errno, "getrandom: %s", strerror(errno));
		goto failed;
	}
	f->names = interfaces;
	f->n_names = n < FASTPATH_INTERFACES ? n : FASTPATH_INTERFACES;
	ratelimit_init(&f->rate, OFFER_RATE, OFFER_BURST, now.ns);
	if (!fastpath_built()) {
		err_set(e, ENOTSUP,
			"fast path: xlatd was built without it: clang was "
			"missing");
		goto failed;
	}
	f->cfg.generation = 1;
	f->cfg.stateful = stateful;
	f->cfg.ifindex = if_nametoindex(tun);
	f->handle = handle_of(tun);
	if (load(f, e) || watch(f, e))
		goto failed;
	for (size_t i = 0; i < f->n_names; i++)
		f->attached[i] = UNKNOWN;
	for (size_t i = 0; i < f->n_names; i++)
		if (attach(f, i, e))
			goto failed;
	return f;
failed:
	fastpath_close(f);
	return NULL;
}

void fastpath_close(struct fastpath *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_names; i++)
		if (f->attached[i] && f->attached[i] != UNKNOWN)
			detach(f, i);
	if (f->watch >= 0)
		close(f->watch);
	bpf_object__close(f->object);
	free(f->lately);
	flows_fini(f);
	free(f);
}

void fastpath_change(struct fastpath *f, const struct fastpath_rules *r)
{
	f->cfg.mtu4 = r->mtu4;
	f->cfg.mtu6 = r->mtu6;
	f->cfg.lowest_mtu6 =
		r->lowest_mtu6 < r->mtu6 ? r->lowest_mtu6 : r->mtu6;
	f->cfg.set_tos = r->set_tos;
	f->cfg.tos = r->tos;
	f->cfg.zero_tc = r->zero_tc;
	forget_all(f);
}

void fastpath_tend(struct fastpath *f, struct mono now)
{
	f->cfg.until_ns = (uint64_t)(now.ns + ALIVE_NS);
	put_cfg(f);
}

/* ---- offers ----------------------------------------------------------------
 */

/* Has the kernel to be told? It keeps what it was told; but it may have had
 * to forget it, and then packets keep coming. */
static bool worth_telling(struct fastpath *f, const void *pair, size_t len,
			  struct mono now)
{
	uint64_t key = fast_hash(f, pair, len);
	struct offer *o = &f->lately[key & (LATELY - 1)];

	if (o->key == key && o->generation == f->cfg.generation &&
	    now.ns - o->ns < AGAIN_NS)
		return false;
	if (now.ns < f->quiet_until)
		return false;
	if (!ratelimit_allow(&f->rate, now.ns)) {
		f->limited++;
		return false;
	}
	*o = (struct offer){key, now.ns, f->cfg.generation, 0};
	return true;
}

static void count_told(struct fastpath *f, bool told)
{
	if (told)
		f->offered++;
	else
		f->full++;
}

void fastpath_offer64(struct fastpath *f, const struct in6_addr *src6,
		      const struct in6_addr *dst6, struct in_addr src4,
		      struct in_addr dst4, struct mono now)
{
	struct fast_to4 v = {{src4.s_addr, dst4.s_addr}, f->cfg.generation};
	struct fast_pair6 k;

	memcpy(k.src, src6, sizeof(k.src));
	memcpy(k.dst, dst6, sizeof(k.dst));
	if (worth_telling(f, &k, sizeof(k), now))
		count_told(f, !bpf_map_update_elem(f->pairs6, &k, &v, BPF_ANY));
}

void fastpath_offer46(struct fastpath *f, struct in_addr src4,
		      struct in_addr dst4, const struct in6_addr *src6,
		      const struct in6_addr *dst6, struct mono now)
{
	struct fast_pair4 k = {src4.s_addr, dst4.s_addr};
	struct fast_to6 v = {.generation = f->cfg.generation};

	memcpy(v.to.src, src6, sizeof(v.to.src));
	memcpy(v.to.dst, dst6, sizeof(v.to.dst));
	if (worth_telling(f, &k, sizeof(k), now))
		count_told(f, !bpf_map_update_elem(f->pairs4, &k, &v, BPF_ANY));
}

/* ---- counters --------------------------------------------------------------
 */

static struct fast_counts sum(const struct fastpath *f, uint32_t direction)
{
	int cpus = libbpf_num_possible_cpus();
	struct fast_counts all = {0}, *v;

	v = cpus > 0 ? calloc((size_t)cpus, sizeof(*v)) : NULL;
	if (!v || bpf_map_lookup_elem(f->counts, &direction, v))
		cpus = 0;
	for (int i = 0; i < cpus; i++) {
		all.packets += v[i].packets;
		all.bytes += v[i].bytes;
		all.superpackets += v[i].superpackets;
	}
	free(v);
	return all;
}

void fastpath_get_stats(const struct fastpath *f, struct fastpath_stats *st)
{
	struct fast_counts v6 = sum(f, FAST_64), v4 = sum(f, FAST_46);

	*st = (struct fastpath_stats){
		.v6 = {v6.packets, v6.bytes, v6.superpackets},
		.v4 = {v4.packets, v4.bytes, v4.superpackets},
		.offered = f->offered,
		.limited = f->limited,
		.full = f->full,
		.flows = f->n_flows,
		.generations = f->cfg.generation - 1,
	};
}
