/* SPDX-License-Identifier: MIT */
/*
 * `xlatsim hold`: inside a node, a process for what otherwise only the kernel
 * has, so that it can be killed like every other engine.
 *
 *	--tun DEV	a TUN device, up, that swallows what is routed there
 *	--nft RULES	a table of nftables (`flags owner`: it lives as long as
 *			the process that made it)
 *
 * With rules it becomes nft itself, which waits for more that never comes.
 */
#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/err.h"

static int hold_tun(const char *dev, struct err *e)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR), sk, ret; /* handed on */

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		return err_set(e, errno, "TUN device %s: %s", dev,
			       strerror(errno));
	sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret = ioctl(sk, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (!ret)
		ret = ioctl(sk, SIOCSIFFLAGS, &ifr);
	ret = ret ? err_set(e, errno, "%s: %s", dev, strerror(errno)) : 0;
	close(sk);
	return ret;
}

static int become_nft(const char *rules, struct err *e)
{
	char *const argv[] = {(char[]){"nft"}, (char[]){"-i"}, NULL};
	size_t len = strlen(rules);
	int fds[2];

	/* both ends stay open: it never reads an end */
	if (pipe(fds) || write(fds[1], rules, len) != (ssize_t)len ||
	    write(fds[1], "\n", 1) != 1 || dup2(fds[0], 0) < 0)
		return err_set(e, errno, "pipe: %s", strerror(errno));
	close(fds[0]);
	execvp(argv[0], argv);
	return err_set(e, errno, "nft: %s", strerror(errno));
}

int hold_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"tun", required_argument, NULL, 't'},
		{"nft", required_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	const char *tun = NULL, *rules = NULL;
	struct err e = {0};
	int opt, ret = 0;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			tun = optarg;
			break;
		case 'n':
			rules = optarg;
			break;
		default:
			return 2;
		}
	}
	if (tun)
		ret = hold_tun(tun, &e);
	if (!ret && rules)
		ret = become_nft(rules, &e);
	if (!ret)
		for (;;)
			pause();
	fprintf(stderr, "hold: %s\n", e.text);
	return 1;
}
