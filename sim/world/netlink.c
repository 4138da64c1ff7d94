/* SPDX-License-Identifier: MIT */
/*
 * Requests and their answers over libnl sockets. The answer is read here and
 * not by nl_recvmsgs(), because libnl folds errno values into fewer codes and
 * drops the kernel's own explanation (NETLINK_EXT_ACK).
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DUMP_ATTEMPTS 20
#define MSG_BUF_BYTES 65536

struct nl_sock *nlm_open(int protocol, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int one = 1, ret;

	if (!sk) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	ret = nl_connect(sk, protocol);
	if (ret) {
		err_set(e, EIO, "netlink socket: %s", nl_geterror(ret));
		nl_socket_free(sk);
		return NULL;
	}
	nl_socket_set_msg_buf_size(sk, MSG_BUF_BYTES);
	nl_socket_disable_msg_peek(sk);
	setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_EXT_ACK, &one,
		   sizeof(one));
	setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_CAP_ACK, &one,
		   sizeof(one));
	/* dumps of one interface, not of all that a hub has; where a kernel
	 * can't, they are longer and what is looked for is in them, too */
	setsockopt(nl_socket_get_fd(sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK,
		   &one, sizeof(one));
	return sk;
}

struct nl_msg *nlm_new(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, flags);
	void *at = m ? nlmsg_reserve(m, len, NLMSG_ALIGNTO) : NULL;

	if (!at) {
		nlmsg_free(m);
		return NULL;
	}
	memcpy(at, head, len);
	return m;
}

/* The outcome that an acknowledgement carries. */
static int read_error(struct nlmsghdr *h, struct err *e)
{
	struct nlmsgerr *ne = nlmsg_data(h);
	struct nlattr *text;

	if (!ne->error)
		return 0;
	if (h->nlmsg_flags & NLM_F_ACK_TLVS) {
		/* NETLINK_CAP_ACK: the request's header only, then words */
		text = nlmsg_find_attr(h, sizeof(*ne), NLMSGERR_ATTR_MSG);
		if (text)
			return err_set(e, -ne->error, "%s (%s)",
				       strerror(-ne->error),
				       nla_get_string(text));
	}
	return err_set(e, -ne->error, "%s", strerror(-ne->error));
}

struct talk {
	uint32_t seq;
	bool done, disturbed;
	nlm_fn *fn;
	void *arg;
	struct err *e;
};

static int read_replies(struct talk *t, unsigned char *buf, int n)
{
	int ret = 0;

	for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
	     nlmsg_ok(h, n) && !t->done; h = nlmsg_next(h, &n)) {
		if (h->nlmsg_seq != t->seq)
			continue; /* of a request given up earlier */
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			t->disturbed = true;
		if (h->nlmsg_type == NLMSG_DONE) {
			t->done = true;
		} else if (h->nlmsg_type == NLMSG_ERROR) {
			t->done = true;
			ret = read_error(h, t->e);
		} else if (t->fn && !ret) {
			ret = t->fn(t->arg, h);
		}
	}
	return ret;
}

int nlm_talk(struct nl_sock *sk, struct nl_msg *m, nlm_fn *fn, void *arg,
	     struct err *e)
{
	struct talk t = {.fn = fn, .arg = arg, .e = e};
	int ret = 0, sent;

	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	sent = nl_send_auto(sk, m);
	t.seq = nlmsg_hdr(m)->nlmsg_seq;
	nlmsg_free(m);
	if (sent < 0)
		return err_set(e, EIO, "netlink: %s", nl_geterror(sent));
	while (!t.done) {
		struct sockaddr_nl from;
		unsigned char *buf = NULL;
		int n = nl_recv(sk, &from, &buf, NULL), one;

		if (n <= 0)
			return err_set(e, EIO, "netlink: %s",
				       n ? nl_geterror(n) : "closed");
		one = read_replies(&t, buf, n);
		if (one && !ret)
			ret = one;
		free(buf);
	}
	if (!ret && t.disturbed)
		return err_set(e, EAGAIN, "changed while it was read");
	return ret;
}

int nlm_dump(struct nl_sock *sk, int type, const void *head, size_t len,
	     void (*reset)(void *arg), nlm_fn *fn, void *arg, struct err *e)
{
	int ret = -EAGAIN;

	for (int i = 0; i < DUMP_ATTEMPTS && ret == -EAGAIN; i++) {
		if (reset)
			reset(arg);
		ret = nlm_talk(sk, nlm_new(type, NLM_F_DUMP, head, len), fn,
			       arg, e);
	}
	return ret;
}
