/* SPDX-License-Identifier: MIT */
/*
 * The only program that a Jool node boots: PID 1 under User Mode Linux.
 *
 * Theory of operation
 *
 * The guest's root is the host's own, read-only, so that its programs are the
 * host's. Configuration comes over a console of its own (the kernel's messages
 * have another): one command a line, words separated by single spaces, no
 * quoting. The answer to each is "= STATUS LENGTH\n" and LENGTH bytes, STATUS
 * 0 or the errno or exit status of what failed. A first answer is given unasked
 * once it can listen.
 *
 *   module PATH                    load a kernel module
 *   sysctl KEY VALUE               KEY with slashes
 *   up IFACE
 *   feature-off IFACE FEATURE      by its name of "ethtool -k"
 *   addr IFACE ADDRESS LENGTH
 *   route PREFIX LENGTH IFACE VIA  VIA is an IPv6 address
 *   run PROGRAM ARGUMENT...        its output is the answer
 *   file PATH TEXT                 TEXT may have spaces; a newline follows
 *   spawn THREADS PROGRAM ARGUMENT...
 *                                  runs on; answered once it has that many
 *                                  threads, by which it is known to have begun
 *   spawned                        fails, with what they wrote, when one ended
 *   halt
 *
 * It is linked statically and leans on nothing but the kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/reboot.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS  32
#define TTY_MAJOR  4
#define CONSOLE	   1 /* tty1: con1= on the kernel's command line */
#define OUTPUT_MAX (1 << 20)

static int console;
static char output[OUTPUT_MAX];
static size_t output_len;

/* ---- answers ---------------------------------------------------------------
 */

static void put_all(const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(console, p, n);

		if (done < 0 && errno != EINTR)
			return;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

static void answer(int status)
{
	char head[48];
	int n = snprintf(head, sizeof(head), "= %d %zu\n", status, output_len);

	put_all(head, (size_t)n);
	put_all(output, output_len);
	output_len = 0;
}

static int failed(int code)
{
	output_len =
		(size_t)snprintf(output, sizeof(output), "%s", strerror(code));
	return code;
}

static int result(long ret)
{
	return ret < 0 ? failed(errno) : 0;
}

/* ---- commands --------------------------------------------------------------
 */

static int do_module(char **w)
{
	int fd = open(w[1], O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return failed(errno);
	ret = syscall(SYS_finit_module, fd, "", 0) < 0 ? errno : 0;
	close(fd);
	return ret && ret != EEXIST ? failed(ret) : 0;
}

static int do_sysctl(char **w)
{
	char path[256];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/sys/%s", w[1]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return failed(errno);
	ret = write(fd, w[2], strlen(w[2])) < 0 ? errno : 0;
	close(fd);
	return ret ? failed(ret) : 0;
}

static int do_up(char **w)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", w[1]);
	ret = ioctl(fd, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags |= IFF_UP;
	if (!ret)
		ret = ioctl(fd, SIOCSIFFLAGS, &ifr);
	ret = ret ? errno : 0;
	close(fd);
	return ret ? failed(ret) : 0;
}

#define MAX_FEATURES 256

static int ask_device(int fd, const char *dev, void *what)
{
	struct ifreq ifr = {.ifr_data = what};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	return ioctl(fd, SIOCETHTOOL, &ifr);
}

/* How many names of features the kernel has; it wants to hear that again. */
static uint32_t count_features(int fd, const char *dev)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t count;
	} info = {.head = {.cmd = ETHTOOL_GSSET_INFO,
			   .sset_mask = 1U << ETH_SS_FEATURES}};

	return ask_device(fd, dev, &info) ? 0 : info.count;
}

/* Which bit of the features of @dev has this name; -1: none. */
static int find_feature(int fd, const char *dev, const char *name)
{
	static struct {
		struct ethtool_gstrings head;
		char names[MAX_FEATURES][ETH_GSTRING_LEN];
	} s;

	s.head.cmd = ETHTOOL_GSTRINGS;
	s.head.string_set = ETH_SS_FEATURES;
	s.head.len = count_features(fd, dev);
	if (s.head.len > MAX_FEATURES || ask_device(fd, dev, &s))
		return -1;
	for (unsigned int i = 0; i < s.head.len; i++)
		if (!strncmp(s.names[i], name, ETH_GSTRING_LEN))
			return (int)i;
	errno = ENOENT;
	return -1;
}

static int do_feature_off(char **w)
{
	struct ethtool_gfeatures have = {.cmd = ETHTOOL_GFEATURES};
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block blocks[MAX_FEATURES / 32];
	} set = {.head = {.cmd = ETHTOOL_SFEATURES}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bit = find_feature(fd, w[1], w[2]), ret = bit < 0 ? -1 : 0;

	if (!ret)
		ret = ask_device(fd, w[1], &have);
	if (!ret) {
		set.head.size = have.size; /* no more and no fewer */
		set.blocks[bit / 32].valid = 1U << bit % 32;
		ret = ask_device(fd, w[1], &set);
	}
	if (ret > 0) { /* flags: it stays as it was */
		errno = EPERM;
		ret = -1;
	}
	ret = ret < 0 ? errno : 0;
	close(fd);
	return ret ? failed(ret) : 0;
}

struct request {
	struct nlmsghdr h;
	union {
		struct ifaddrmsg addr;
		struct rtmsg route;
	} u;
	uint8_t attrs[256];
};

static void put_attr(struct request *r, uint16_t type, const void *data,
		     size_t len)
{
	struct rtattr *a =
		(struct rtattr *)(void *)((char *)r +
					  NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

/* Returns 0 or an errno. */
static int talk(struct request *r)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} reply;
	ssize_t n = -1;

	if (fd < 0)
		return errno;
	r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, r, r->h.nlmsg_len, 0) > 0)
		n = recv(fd, &reply, sizeof(reply), 0);
	close(fd);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(reply.e)) ||
	    reply.h.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -reply.e.error;
}

/* Returns the family, 0 if @text is no address. */
static int parse_addr(const char *text, uint8_t out[16], size_t *len)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	*len = family == AF_INET6 ? 16 : 4;
	return inet_pton(family, text, out) == 1 ? family : 0;
}

static int do_addr(char **w)
{
	struct request r = {.h.nlmsg_type = RTM_NEWADDR,
			    .h.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE,
			    .h.nlmsg_len = NLMSG_LENGTH(sizeof(r.u.addr))};
	uint8_t a[16];
	size_t len;
	int ret;

	r.u.addr.ifa_family = (uint8_t)parse_addr(w[2], a, &len);
	r.u.addr.ifa_prefixlen = (uint8_t)atoi(w[3]);
	r.u.addr.ifa_index = if_nametoindex(w[1]);
	r.u.addr.ifa_flags = IFA_F_NODAD;
	if (!r.u.addr.ifa_family)
		return failed(EINVAL);
	if (!r.u.addr.ifa_index)
		return failed(ENODEV);
	put_attr(&r, IFA_LOCAL, a, len);
	put_attr(&r, IFA_ADDRESS, a, len);
	ret = talk(&r);
	return ret ? failed(ret) : 0;
}

static int do_route(char **w)
{
	struct request r = {.h.nlmsg_type = RTM_NEWROUTE,
			    .h.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE,
			    .h.nlmsg_len = NLMSG_LENGTH(sizeof(r.u.route))};
	uint8_t dst[16], via[2 + 16] = {0};
	unsigned int index = if_nametoindex(w[3]);
	const uint16_t family = AF_INET6;
	size_t len, via_len;
	int ret;

	r.u.route.rtm_family = (uint8_t)parse_addr(w[1], dst, &len);
	r.u.route.rtm_dst_len = (uint8_t)atoi(w[2]);
	r.u.route.rtm_table = RT_TABLE_MAIN;
	r.u.route.rtm_protocol = RTPROT_STATIC;
	r.u.route.rtm_scope = RT_SCOPE_UNIVERSE;
	r.u.route.rtm_type = RTN_UNICAST;
	if (!r.u.route.rtm_family ||
	    parse_addr(w[4], via + 2, &via_len) != AF_INET6)
		return failed(EINVAL);
	if (!index)
		return failed(ENODEV);
	memcpy(via, &family, sizeof(family));
	if (r.u.route.rtm_dst_len)
		put_attr(&r, RTA_DST, dst, len);
	put_attr(&r, RTA_OIF, &index, sizeof(index));
	if (r.u.route.rtm_family == AF_INET6)
		put_attr(&r, RTA_GATEWAY, via + 2, 16);
	else
		put_attr(&r, RTA_VIA, via, sizeof(via));
	ret = talk(&r);
	return ret ? failed(ret) : 0;
}

static int do_file(char **w)
{
	int fd = open(w[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool whole = f != NULL;

	for (size_t i = 2; whole && w[i]; i++)
		whole = fprintf(f, "%s%c", w[i], w[i + 1] ? ' ' : '\n') > 0;
	if (f)
		whole = !fclose(f) && whole;
	return whole ? 0 : failed(errno);
}

static void read_output(int fd)
{
	ssize_t n;

	while ((n = read(fd, output + output_len,
			 sizeof(output) - output_len)) > 0 ||
	       (n < 0 && errno == EINTR))
		if (n > 0)
			output_len += (size_t)n;
}

static int do_run(char **w)
{
	int fds[2], status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return failed(errno);
	pid = fork();
	if (!pid) {
		dup2(open("/dev/null", O_RDWR), 0);
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execv(w[1], w + 1);
		_exit(127);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return failed(errno);
	}
	read_output(fds[0]);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* ---- programs that run on --------------------------------------------------
 */

#define SPAWNED_MAX   4
#define SPAWNED_LOG   "/run/spawned.log"
#define SPAWN_TRIES   500 /* of 10 ms */
#define SPAWN_WAIT_NS (10 * 1000 * 1000)

static pid_t spawned[SPAWNED_MAX];
static size_t n_spawned;

static int threads_of(pid_t pid)
{
	char path[64], line[128];
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n;
}

/* What they wrote is the answer, if it is anything. */
static int spawned_failed(int code)
{
	int fd = open(SPAWNED_LOG, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		read_output(fd);
		close(fd);
	}
	return output_len ? code : failed(code);
}

static int do_spawn(char **w)
{
	const struct timespec wait = {.tv_nsec = SPAWN_WAIT_NS};
	pid_t pid;

	if (n_spawned == SPAWNED_MAX)
		return failed(EAGAIN);
	pid = fork();
	if (pid < 0)
		return failed(errno);
	if (!pid) {
		dup2(open("/dev/null", O_RDWR), 0);
		dup2(open(SPAWNED_LOG, O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
		dup2(1, 2);
		execv(w[2], w + 2);
		_exit(127);
	}
	for (int i = 0; i < SPAWN_TRIES; i++) {
		if (threads_of(pid) >= atoi(w[1])) {
			spawned[n_spawned++] = pid;
			return 0;
		}
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return spawned_failed(ECHILD);
		nanosleep(&wait, NULL);
	}
	return spawned_failed(ETIMEDOUT);
}

static int do_spawned(char **w)
{
	(void)w;
	for (size_t i = 0; i < n_spawned; i++)
		if (waitpid(spawned[i], NULL, WNOHANG))
			return spawned_failed(ECHILD);
	return 0;
}

static int do_halt(char **w)
{
	(void)w;
	answer(0);
	tcdrain(console);
	return result(reboot(LINUX_REBOOT_CMD_POWER_OFF));
}

static const struct command {
	const char *name;
	int words; /* least number of them */
	int (*act)(char **words);
} commands[] = {
	{"module", 2, do_module}, {"sysctl", 3, do_sysctl},
	{"up", 2, do_up},	  {"feature-off", 3, do_feature_off},
	{"addr", 4, do_addr},	  {"route", 5, do_route},
	{"run", 2, do_run},	  {"file", 3, do_file},
	{"spawn", 3, do_spawn},	  {"spawned", 1, do_spawned},
	{"halt", 1, do_halt},
};

static int obey(char *line)
{
	char *w[MAX_WORDS + 1], *rest = line;
	int n = 0;

	while (n < MAX_WORDS && (w[n] = strsep(&rest, " ")))
		n++;
	w[n] = NULL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (n >= commands[i].words && !strcmp(w[0], commands[i].name))
			return commands[i].act(w);
	return failed(ENOSYS);
}

/* ---- life ------------------------------------------------------------------
 */

static void open_console(void)
{
	struct termios t;

	mknod("/run/console", S_IFCHR | 0600, makedev(TTY_MAJOR, CONSOLE));
	console = open("/run/console", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (console < 0 || tcgetattr(console, &t)) {
		perror("guest: console");
		reboot(LINUX_REBOOT_CMD_POWER_OFF);
	}
	cfmakeraw(&t);
	tcsetattr(console, TCSANOW, &t);
}

int main(void)
{
	static char buf[8192];
	size_t len = 0;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("tmpfs", "/run", "tmpfs", 0, NULL);
	open_console();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	answer(0);
	for (;;) {
		ssize_t n = read(console, buf + len, sizeof(buf) - 1 - len);
		char *end;

		if (n <= 0 && errno != EINTR)
			break;
		if (n > 0)
			len += (size_t)n;
		buf[len] = '\0';
		while ((end = strchr(buf, '\n'))) {
			*end = '\0';
			answer(obey(buf));
			len -= (size_t)(end + 1 - buf);
			memmove(buf, end + 1, len + 1);
		}
		if (len == sizeof(buf) - 1) {
			answer(failed(E2BIG));
			len = 0;
		}
	}
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return 1;
}
