/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One path carries frames from port `in` to port `out`. A batch is read into
 * frames of the pool; each gets the kernel's time of arrival (so what the
 * relay needs to wake up comes out of the delay and is not added to it), its
 * fate from impair.c, and, if it lives, a place in one of two queues. Both
 * are in order of due time: `waiting` because order is kept, `express`
 * because departure from the shaper is in order, too. So the head is always
 * the next to go, and queueing costs the same whatever waits.
 *
 * Sending: what is due goes out in batches. A refused frame stays at its place:
 * EMSGSIZE drops it (too long for the interface); without carrier, it is
 * dropped as the wire would; ENOBUFS with carrier means the kernel's backlog
 * behind the interface is full, so the frame is offered again every RETRY_NS
 * and given up, as an overrun, after GIVE_UP_NS. Any other refusal is an
 * overrun at once: the testbed failed to do what the link would have done.
 *
 * Lateness is the time of sending less due time, for every frame sent; for a
 * link without rate and delay that is the whole passage through the relay.
 */
#include "relay_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "segment.h"

#define RETRY_NS      (50 * NS_PER_US)
#define GIVE_UP_NS    (20 * NS_PER_MS)
#define CLOCK_STEP_NS NS_PER_MS
#define MAX_AGE_NS    NS_PER_S
#define HDR_LEN_HINT  256 /* more of a frame need not be linear */

static void queue_init(struct queue *q)
{
	*q = (struct queue){.first = NULL};
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct frame *f)
{
	f->next = NULL;
	*q->last = f;
	q->last = &f->next;
	q->n++;
}

static struct frame *queue_take(struct queue *q)
{
	struct frame *f = q->first;

	q->first = f->next;
	if (!q->first)
		q->last = &q->first;
	q->n--;
	return f;
}

void path_init(struct path *p, struct port *in, struct port *out,
	       const struct relay_impair *cfg, uint64_t seed)
{
	p->in = in;
	p->out = out;
	p->retry_ns = 0;
	impair_init(&p->impair, cfg, seed);
	queue_init(&p->waiting);
	queue_init(&p->express);
	p->stats = (struct path_stats){0};
}

void path_fini(struct path *p, struct relay_shared *s)
{
	while (p->waiting.first)
		pool_put(s->pool, queue_take(&p->waiting));
	while (p->express.first)
		pool_put(s->pool, queue_take(&p->express));
}

void path_reset_stats(struct path *p)
{
	port_read_overruns(p->in);
	p->stats = (struct path_stats){.overruns_base = p->in->overruns};
}

uint64_t path_overruns(const struct path *p)
{
	return p->stats.dropped_overrun + p->in->overruns -
	       p->stats.overruns_base;
}

/* The queue whose head goes next; NULL when nothing waits. */
static struct queue *next_queue(struct path *p)
{
	const struct frame *w = p->waiting.first, *x = p->express.first;

	if (w && x)
		return x->due_ns < w->due_ns ? &p->express : &p->waiting;
	return w ? &p->waiting : x ? &p->express : NULL;
}

int64_t path_due_ns(const struct path *p)
{
	const struct frame *w = p->waiting.first, *x = p->express.first;
	int64_t due = w ? w->due_ns : INT64_MAX;

	if (x && x->due_ns < due)
		due = x->due_ns;
	return due != INT64_MAX && p->retry_ns > due ? p->retry_ns : due;
}

/* ---- receiving ------------------------------------------------------------
 */

struct rx_batch {
	struct mmsghdr msgs[RELAY_BATCH];
	struct iovec iov[RELAY_BATCH][3];
	union {
		char buf[CMSG_SPACE(sizeof(struct timespec))];
		struct cmsghdr align;
	} control[RELAY_BATCH];
};

/* Post a frame with a tail for each message; fewer when the pool is short. */
static unsigned int post_batch(struct rx_batch *b, struct relay_shared *s)
{
	unsigned int n;

	for (n = 0; n < RELAY_BATCH; n++) {
		struct frame *f = s->spare[n];

		if (!f)
			f = s->spare[n] = pool_get(s->pool);
		if (f && !f->tail)
			f->tail = pool_get_tail(s->pool);
		if (!f || !f->tail)
			break;
		b->iov[n][0] = (struct iovec){&f->vnet, sizeof(f->vnet)};
		b->iov[n][1] = (struct iovec){f->head, FRAME_HEAD_BYTES};
		b->iov[n][2] = (struct iovec){f->tail, FRAME_TAIL_BYTES};
		b->msgs[n].msg_hdr = (struct msghdr){
			.msg_iov = b->iov[n],
			.msg_iovlen = 3,
			.msg_control = b->control[n].buf,
			.msg_controllen = sizeof(b->control[n].buf),
		};
	}
	return n;
}

/* Take what waits off the socket without a place for it. */
static void discard_one(struct path *p)
{
	char byte;

	if (recv(p->in->rx_fd, &byte, 1, MSG_TRUNC) > 0)
		p->stats.dropped_overrun++;
}

/* When the kernel saw the packet, on CLOCK_MONOTONIC, or now if unknown. */
static int64_t arrival_ns(struct msghdr *m, const struct relay_shared *s,
			  int64_t now_ns)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int64_t step = s->realtime_offset_ns - s->last_offset_ns, at;
	struct timespec ts;

	if (!c || c->cmsg_level != SOL_SOCKET ||
	    c->cmsg_type != SCM_TIMESTAMPNS)
		return now_ns;
	if (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS)
		return now_ns; /* someone has set the clock */
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	at = ts.tv_sec * NS_PER_S + ts.tv_nsec - s->realtime_offset_ns;
	return at > now_ns || at < now_ns - MAX_AGE_NS ? now_ns : at;
}

static void enqueue(struct path *p, struct relay_shared *s, struct frame *f,
		    const struct impair_verdict *v)
{
	struct queue *q = v->express ? &p->express : &p->waiting;
	struct frame *copy = NULL;

	f->due_ns = v->release_ns;
	if (v->duplicate) {
		copy = frame_clone(s->pool, f);
		if (!copy)
			p->stats.dropped_overrun++;
	}
	queue_add(q, f);
	if (copy)
		queue_add(q, copy);
	p->stats.duplicated += copy != NULL;
	p->stats.reordered += v->express;
}

static void decide(struct path *p, struct relay_shared *s, struct frame *f,
		   int64_t at_ns, size_t wire_bytes)
{
	struct impair_verdict v;

	impair_decide(&p->impair, at_ns, wire_bytes, &v);
	switch (v.fate) {
	case IMPAIR_SEND:
		enqueue(p, s, f, &v);
		return;
	case IMPAIR_LOST:
		p->stats.lost++;
		break;
	case IMPAIR_QUEUE_FULL:
		p->stats.dropped_queue++;
		break;
	}
	pool_put(s->pool, f);
}

/* Each packet of a superpacket meets the dice for itself. */
static void decide_segments(struct path *p, struct relay_shared *s,
			    const struct frame *f, int64_t at_ns,
			    const struct segment_plan *plan)
{
	uint8_t *out = s->scratch + FRAME_HEAD_BYTES + FRAME_TAIL_BYTES;

	frame_copy_out(f, s->scratch);
	p->stats.segmented++;
	for (unsigned int i = 0; i < plan->n; i++) {
		struct virtio_net_hdr vnet;
		size_t len = segment_build(plan, s->scratch, &f->vnet, i, out,
					   &vnet);
		struct frame *part =
			frame_store(s->pool, out, (uint32_t)len, &vnet);

		if (part)
			decide(p, s, part, at_ns, len);
		else
			p->stats.dropped_overrun++;
	}
}

static void take_frame(struct path *p, struct relay_shared *s, struct frame *f,
		       int64_t at_ns)
{
	size_t head = f->len < FRAME_HEAD_BYTES ? f->len : FRAME_HEAD_BYTES;
	size_t wire_bytes = f->len;
	struct segment_plan plan;

	if (f->len <= FRAME_HEAD_BYTES) {
		pool_put_tail(s->pool, f->tail);
		f->tail = NULL;
	}
	if (f->vnet.hdr_len > HDR_LEN_HINT)
		f->vnet.hdr_len = HDR_LEN_HINT;
	if (f->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE &&
	    !segment_plan_init(&plan, f->head, head, f->len, &f->vnet)) {
		if (impair_per_packet(&p->impair)) {
			decide_segments(p, s, f, at_ns, &plan);
			pool_put(s->pool, f);
			return;
		}
		wire_bytes = segment_wire_bytes(&plan);
	}
	decide(p, s, f, at_ns, wire_bytes);
}

void path_receive(struct path *p, struct relay_shared *s)
{
	struct rx_batch b;
	unsigned int posted = post_batch(&b, s);
	int64_t now_ns;
	int n;

	if (!posted) {
		discard_one(p);
		return;
	}
	n = recvmmsg(p->in->rx_fd, b.msgs, posted, MSG_DONTWAIT, NULL);
	/* ENETDOWN, when the interface goes down, is cleared by reading it. */
	if (n < 0 && errno == EINVAL)
		p->stats.dropped_overrun++; /* GSO that has no vnet header */
	now_ns = clock_now().ns;
	for (int i = 0; i < n; i++) {
		struct frame *f = s->spare[i];
		unsigned int len = b.msgs[i].msg_len;

		if (len <= sizeof(f->vnet))
			continue;
		s->spare[i] = NULL;
		f->len = len - (unsigned int)sizeof(f->vnet);
		take_frame(p, s, f, arrival_ns(&b.msgs[i].msg_hdr, s, now_ns));
	}
}

/* ---- sending ---------------------------------------------------------------
 */

struct tx_batch {
	struct mmsghdr msgs[RELAY_BATCH];
	struct iovec iov[RELAY_BATCH][3];
	struct frame *frames[RELAY_BATCH];
	unsigned int n;
};

static void post_frame(struct tx_batch *b, struct frame *f)
{
	struct iovec *iov = b->iov[b->n];
	uint32_t head = f->len < FRAME_HEAD_BYTES ? f->len : FRAME_HEAD_BYTES;

	iov[0] = (struct iovec){&f->vnet, sizeof(f->vnet)};
	iov[1] = (struct iovec){f->head, head};
	iov[2] = (struct iovec){f->tail, f->len - head};
	b->msgs[b->n].msg_hdr =
		(struct msghdr){.msg_iov = iov, .msg_iovlen = f->tail ? 3 : 2};
	b->frames[b->n++] = f;
}

/* All that is due, without taking it off the queues: the send may stop short */
static void collect_due(struct path *p, int64_t now_ns, struct tx_batch *b)
{
	struct frame *w = p->waiting.first, *x = p->express.first;

	b->n = 0;
	while (b->n < RELAY_BATCH) {
		struct frame *f = x && (!w || x->due_ns < w->due_ns) ? x : w;

		if (!f || f->due_ns > now_ns)
			return;
		post_frame(b, f);
		if (f == x)
			x = x->next;
		else
			w = w->next;
	}
}

static void count_sent(struct path *p, struct relay_shared *s,
		       const struct frame *f, int64_t now_ns)
{
	struct path_stats *st = &p->stats;

	st->packets++;
	st->bytes += f->len;
	st->superpackets += f->vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	if (f->len > st->max_frame)
		st->max_frame = f->len;
	hist_add(&st->late, now_ns - f->due_ns);
	hist_add(&s->late, now_ns - f->due_ns);
	slots_add(&s->slots, now_ns, now_ns - f->due_ns);
}

/* True: the first frame of the queue is to be dropped, and was counted. */
static bool give_up(struct path *p, int code, int64_t now_ns)
{
	bool later = code == ENOBUFS || code == EAGAIN || code == ENOMEM;

	if (code == EMSGSIZE) {
		p->stats.dropped_toolong++;
		return true;
	}
	port_read_carrier(p->out);
	if (!p->out->carrier) {
		p->stats.dropped_down++;
		return true;
	}
	if (!p->retry_ns)
		p->retry_since_ns = now_ns;
	p->retry_ns = now_ns + RETRY_NS;
	if (later && now_ns - p->retry_since_ns < GIVE_UP_NS)
		return false;
	p->stats.dropped_overrun++;
	return true;
}

static void drop_due(struct path *p, struct relay_shared *s, int64_t now_ns)
{
	struct queue *q;

	while ((q = next_queue(p)) && q->first->due_ns <= now_ns) {
		pool_put(s->pool, queue_take(q));
		p->stats.dropped_down++;
	}
	p->retry_ns = 0;
}

void path_flush(struct path *p, struct relay_shared *s)
{
	struct tx_batch b;
	int64_t now_ns = clock_now().ns;

	if (!p->out->carrier) {
		drop_due(p, s, now_ns);
		return;
	}
	if (now_ns < p->retry_ns)
		return;
	for (collect_due(p, now_ns, &b); b.n; collect_due(p, now_ns, &b)) {
		int sent = sendmmsg(p->out->tx_fd, b.msgs, b.n, MSG_DONTWAIT);
		int code = errno;

		now_ns = clock_now().ns;
		for (int i = 0; i < sent; i++) {
			struct frame *f = queue_take(next_queue(p));

			count_sent(p, s, f, now_ns);
			pool_put(s->pool, f);
		}
		if (sent > 0) {
			p->retry_ns = 0;
			continue;
		}
		if (!give_up(p, code, now_ns))
			return;
		p->retry_ns = 0;
		pool_put(s->pool, queue_take(next_queue(p)));
	}
}
