/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into linux.uml: three repairs of how it treats its processes.
 *
 * 1. User Mode Linux 6.1 writes floating point registers from a buffer of a
 *    fixed size. A host kernel wants the whole area that the CPU has, which is
 *    larger where there are AMX tiles, and answers EFAULT; the guest then
 *    panics ("ptrace set fp regs failed"). Here the full area is read, what
 *    was given laid over its beginning, and all of it written back. Nothing
 *    happens where the plain request succeeds.
 *
 * 2. Its processes run as children of the host that it traces. Were it killed,
 *    they would be let go in the middle of a system call of the guest and
 *    continue as programs of the host. PTRACE_O_EXITKILL ends them with it.
 *
 * 3. Its helper threads share its descriptors and would outlive it, and with
 *    them the device that its wire hangs on. They get PR_SET_PDEATHSIG.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OLDSETOPTIONS	21
#define SETOPTIONS	0x4200
#define GETREGSET	0x4204
#define SETREGSET	0x4205
#define NT_X86_XSTATE	0x202
#define OPTION_EXITKILL 0x100000

#define PEEK_FIRST 1
#define PEEK_LAST  3

/* Intel SDM volume 1, 13.4: XSTATE_BV follows the legacy region. */
#define XSTATE_BV_AT 512
#define XSTATE_TILES (3ULL << 17)

static uint8_t area[65536] __attribute__((aligned(64)));

static uint64_t get_bv(void)
{
	uint64_t bv;

	memcpy(&bv, area + XSTATE_BV_AT, sizeof(bv));
	return bv;
}

static void put_bv(uint64_t bv)
{
	memcpy(area + XSTATE_BV_AT, &bv, sizeof(bv));
}

static long set_xstate(long pid, const struct iovec *given)
{
	struct iovec full = {.iov_base = area, .iov_len = sizeof(area)};
	size_t n = given->iov_len;
	uint64_t tiles;
	long ret;

	ret = syscall(SYS_ptrace, SETREGSET, pid, NT_X86_XSTATE, given);
	if (!ret || errno != EFAULT)
		return ret;
	if (syscall(SYS_ptrace, GETREGSET, pid, NT_X86_XSTATE, &full) < 0)
		return -1;
	if (n > full.iov_len)
		n = full.iov_len;
	/* what the short buffer has no room for stays as the process has it */
	tiles = get_bv() & XSTATE_TILES;
	memcpy(area, given->iov_base, n);
	put_bv((get_bv() & ~XSTATE_TILES) | tiles);
	return syscall(SYS_ptrace, SETREGSET, pid, NT_X86_XSTATE, &full);
}

/* As glibc's, which returns the word that PEEK requests read. */
static long peek(long request, long pid, long addr)
{
	long word, ret = syscall(SYS_ptrace, request, pid, addr, &word);

	if (ret < 0)
		return ret;
	errno = 0;
	return word;
}

long ptrace(int request, ...);

long ptrace(int request, ...)
{
	long pid, addr, data;
	va_list ap;

	va_start(ap, request);
	pid = va_arg(ap, int);
	addr = va_arg(ap, long);
	data = va_arg(ap, long);
	va_end(ap);
	if (request >= PEEK_FIRST && request <= PEEK_LAST)
		return peek(request, pid, addr);
	if (request == SETREGSET && addr == NT_X86_XSTATE)
		return set_xstate(pid, (const struct iovec *)data);
	if (request == OLDSETOPTIONS || request == SETOPTIONS)
		return syscall(SYS_ptrace, SETOPTIONS, pid, addr,
			       data | OPTION_EXITKILL);
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* ---- helpers ---------------------------------------------------------------
 */

struct helper {
	int (*fn)(void *arg);
	void *arg;
};

/* It may share our memory, and reads its entry before it makes another. */
static struct helper helpers[64];
static unsigned int n_helpers;

static int run_helper(void *arg)
{
	const struct helper h = *(struct helper *)arg;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return h.fn(h.arg);
}

typedef int clone_fn(int (*fn)(void *arg), void *stack, int flags, void *arg,
		     ...);

int clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...)
{
	static clone_fn *real;
	struct helper *h = &helpers[n_helpers++ % 64];

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clone");
	*h = (struct helper){.fn = fn, .arg = arg};
	return real(run_helper, stack, flags, h);
}
