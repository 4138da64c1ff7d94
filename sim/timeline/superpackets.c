/* SPDX-License-Identifier: MIT */
/*
 * How large the frames are that a PLAT gets and gives: whether a setting of
 * offloads has the effect that it is said to have.
 *
 * A packet socket is opened at each interface with a filter that lets frames
 * above a size pass, and the kernel counts what passes, whether there was room
 * for it or not. So frames are counted without being taken, and a frame of
 * acknowledgements alone is not taken for data.
 *
 * How large those above the MTU are is a sample: a byte of each and its length
 * wait in a small buffer, which is emptied every SAMPLE_NS.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <math.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "timeline_internal.h"

#define DATA_BYTES   1000 /* of IP; above: not only acknowledgements */
#define MTU	     1500
#define PLACES_MAX   24
#define SAMPLE_NS    (20 * NS_PER_MS)
#define SAMPLE_BYTES 16384 /* of a receive buffer: some twenty frames */

struct place {
	enum superpacket_side side;
	int fd[2]; /* above DATA_BYTES, above MTU */
};

struct superpackets {
	struct place v[PLACES_MAX];
	size_t n;
	double count[SUPERPACKET_SIDES][2];
	double bytes[SUPERPACKET_SIDES], sampled[SUPERPACKET_SIDES];
	struct loop *loop;
	struct loop_source *timer;
};

struct opening {
	const char *dev;
	struct place *p;
};

/* IP packets of more than @bytes; without a link's header, as SOCK_DGRAM. */
static int open_counter(const char *dev, uint32_t bytes)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, bytes, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {sizeof(code) / sizeof(*code), code};
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(dev)};
	/* of no protocol: nothing comes before it has its filter */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), yes = 1;
	int room = bytes == MTU ? SAMPLE_BYTES : 1; /* 1: the least */

	if (fd < 0 || !at.sll_ifindex)
		goto fail;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes));
	if (!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
			sizeof(filter)) &&
	    !bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_inside(void *arg)
{
	const struct opening *o = arg;

	o->p->fd[0] = open_counter(o->dev, DATA_BYTES);
	o->p->fd[1] = open_counter(o->dev, MTU);
	return 0;
}

static void add_place(struct timeline *t, struct superpackets *s, int node,
		      const char *dev, enum superpacket_side side)
{
	struct place *p = &s->v[s->n];
	struct opening o = {dev, p};

	if (s->n == PLACES_MAX)
		return;
	*p = (struct place){.side = side, .fd = {-1, -1}};
	if (!world_enter(t->world, node, open_inside, &o, NULL))
		s->n++;
}

/* Length of one frame that waits; 0: none does. */
static uint32_t next_length(int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} c;
	char byte;
	struct iovec v = {&byte, sizeof(byte)};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = &c,
			   .msg_controllen = sizeof(c)};
	struct tpacket_auxdata aux;
	const struct cmsghdr *h;

	if (recvmsg(fd, &m, MSG_DONTWAIT) < 0)
		return 0;
	h = CMSG_FIRSTHDR(&m);
	if (!h || h->cmsg_level != SOL_PACKET || h->cmsg_type != PACKET_AUXDATA)
		return 0;
	memcpy(&aux, CMSG_DATA(h), sizeof(aux));
	return aux.tp_len;
}

static void sample(struct superpackets *s)
{
	uint32_t length;

	for (size_t i = 0; i < s->n; i++) {
		const struct place *p = &s->v[i];

		for (int k = 0; k < 64 && p->fd[1] >= 0 &&
				(length = next_length(p->fd[1]));
		     k++) {
			s->bytes[p->side] += length;
			s->sampled[p->side]++;
		}
	}
}

static void on_sample(void *arg, struct mono due)
{
	struct superpackets *s = arg;

	(void)due;
	sample(s);
	/* without memory for a timer there is a smaller sample */
	s->timer = loop_add_timer(s->loop, mono_add(clock_now(), SAMPLE_NS),
				  on_sample, s);
}

struct superpackets *superpackets_watch(struct timeline *t)
{
	const struct plan *p = world_plan(t->world);
	struct superpackets *s = ARENA_NEW(t->arena, struct superpackets);

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_iface *ends[] = {&p->links[i].a,
						   &p->links[i].b};

		for (int k = 0; k < 2; k++) {
			int near = ends[k]->node;
			enum node_role far = p->nodes[ends[!k]->node].role;

			if (p->nodes[near].role != NODE_PLAT ||
			    !world_node_alive(t->world, near))
				continue;
			if (far == NODE_ACCESS)
				add_place(t, s, near, ends[k]->name,
					  SUPERPACKETS_ACCESS);
			else if (far == NODE_BORDER)
				add_place(t, s, near, ends[k]->name,
					  SUPERPACKETS_BORDER);
		}
	}
	for (int i = 0; i < (int)p->n_nodes; i++)
		if (p->nodes[i].role == NODE_PLAT &&
		    world_node_alive(t->world, i))
			add_place(t, s, i,
				  world_iface_exists(t->world, i, "vm")
					  ? "vm"
					  : "nat64",
				  SUPERPACKETS_ENGINE);
	s->loop = world_loop(t->world);
	on_sample(s, clock_now());
	return s;
}

void superpackets_stop(struct superpackets *s)
{
	sample(s);
	loop_del(s->loop, s->timer);
	s->timer = NULL;
	for (size_t i = 0; i < s->n; i++)
		for (int k = 0; k < 2; k++) {
			struct tpacket_stats st = {0};
			socklen_t len = sizeof(st);

			if (s->v[i].fd[k] < 0)
				continue;
			getsockopt(s->v[i].fd[k], SOL_PACKET, PACKET_STATISTICS,
				   &st, &len);
			s->count[s->v[i].side][k] += st.tp_packets;
			close(s->v[i].fd[k]);
		}
	s->n = 0;
}

double superpackets_share(const struct superpackets *s,
			  enum superpacket_side side)
{
	return s->count[side][0] > 0 ? s->count[side][1] / s->count[side][0]
				     : NAN;
}

double superpackets_bytes(const struct superpackets *s,
			  enum superpacket_side side)
{
	return s->sampled[side] > 0 ? s->bytes[side] / s->sampled[side] : NAN;
}
