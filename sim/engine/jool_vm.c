/* SPDX-License-Identifier: MIT */
/*
 * `xlatsim jool-vm`: inside a node, become the User Mode Linux kernel of a Jool
 * node. It becomes it rather than watches it, so that what the simulator kills
 * or stops is the engine itself.
 *
 * Descriptors 3 and 4 are the command channel, 5 and 6 the packet sockets of
 * the wire and of the link to the other PLAT, where it has them.
 */
#include "jool_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/err.h"
#include "guest.h"

#define FD_IN	  3
#define FD_OUT	  4
#define FD_PACKET 5
#define FD_PEER	  6
#define QUEUE	  (8 << 20) /* bytes */

struct vm {
	const char *kernel, *guest, *shim, *name;
	const char *tap;    /* device to make, or NULL */
	const char *packet; /* interface to listen at, or NULL */
	const char *peer;   /* interface to the other PLAT, or NULL */
};

static int place(int fd, int at, struct err *e)
{
	if (fd < 0)
		return err_set(e, errno, "descriptor %d: %s", at,
			       strerror(errno));
	if (fd == at)
		return fcntl(fd, F_SETFD, 0);
	if (dup2(fd, at) < 0)
		return err_set(e, errno, "descriptor %d: %s", at,
			       strerror(errno));
	close(fd);
	return 0;
}

static int make_channel(const struct vm *v, struct err *e)
{
	static const char *const ends[] = {"in", "out"};
	char path[64];
	int ret = 0;

	for (int i = 0; i < 2 && !ret; i++) {
		snprintf(path, sizeof(path), GUEST_CHANNEL ".%s", v->name,
			 ends[i]);
		unlink(path);
		if (mkfifo(path, 0600))
			return err_set(e, errno, "%s: %s", path,
				       strerror(errno));
		/* both ways: it never ends, whoever comes and goes */
		ret = place(open(path, O_RDWR), i ? FD_OUT : FD_IN, e);
	}
	return ret;
}

/* Frames as they are, without a word about segments or checksums. */
static int open_packet(const char *dev, int at_fd, struct err *e)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(dev)};
	const int on = 1, queue = QUEUE;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on,
		       sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)))
		return err_set(e, errno, "packet socket at %s: %s", dev,
			       strerror(errno));
	return place(fd, at_fd, e);
}

static int become(const struct vm *v, struct err *e)
{
	char init[4200], umid[64], net[128], peer[64];
	const char *argv[] = {v->kernel,
			      "mem=128M",
			      umid,
			      "rootfstype=hostfs",
			      "rootflags=/",
			      "ro",
			      init,
			      "con0=null,fd:1",
			      "con1=fd:3,fd:4",
			      "con=null",
			      "ssl=null",
			      "quiet",
			      net,
			      v->peer ? peer : NULL,
			      NULL};
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = argv};

	snprintf(init, sizeof(init), "init=%s", v->guest);
	/* it keeps a file of that name, which a killed one leaves behind */
	snprintf(umid, sizeof(umid), "umid=%s%d", v->name, (int)getpid());
	if (v->packet)
		snprintf(net, sizeof(net),
			 "vec0:transport=fd,fd=%d,depth=128,gro=1", FD_PACKET);
	else
		snprintf(net, sizeof(net),
			 "vec0:transport=tap,ifname=%s,depth=128,gro=1",
			 v->tap);
	snprintf(peer, sizeof(peer), "vec1:transport=fd,fd=%d,depth=64",
		 FD_PEER);
	/* its memory is a file there; /run is the node's own */
	if (setenv("TMPDIR", "/run", 1) || setenv("HOME", "/run", 1) ||
	    setenv("LD_PRELOAD", v->shim, 1))
		return err_set(e, ENOMEM, "out of memory");
	execv(v->kernel, u.out);
	return err_set(e, errno, "%s: %s", v->kernel, strerror(errno));
}

int jool_vm_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"kernel", required_argument, NULL, 'k'},
		{"guest", required_argument, NULL, 'g'},
		{"shim", required_argument, NULL, 's'},
		{"name", required_argument, NULL, 'n'},
		{"tap", required_argument, NULL, 't'},
		{"packet", required_argument, NULL, 'p'},
		{"peer", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	struct vm v = {0};
	struct err e = {0};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'k':
			v.kernel = optarg;
			break;
		case 'g':
			v.guest = optarg;
			break;
		case 's':
			v.shim = optarg;
			break;
		case 'n':
			v.name = optarg;
			break;
		case 't':
			v.tap = optarg;
			break;
		case 'p':
			v.packet = optarg;
			break;
		case 'o':
			v.peer = optarg;
			break;
		default:
			return 2;
		}
	}
	if (!v.kernel || !v.guest || !v.shim || !v.name ||
	    !(v.tap || v.packet)) {
		fputs("jool-vm: for xlatsim's own use inside nodes\n", stderr);
		return 2;
	}
	if (!make_channel(&v, &e) &&
	    (!v.packet || !open_packet(v.packet, FD_PACKET, &e)) &&
	    (!v.peer || !open_packet(v.peer, FD_PEER, &e)))
		become(&v, &e);
	fprintf(stderr, "jool-vm: %s\n", e.text);
	return 1;
}
