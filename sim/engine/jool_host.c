/* SPDX-License-Identifier: MIT */
/*
 * Which way this host can run Jool. Preparing (tools/prepare-jool.sh) is never
 * done from here: a run uses what is there, or says what is missing.
 */
#include "jool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREPARE	     "xlatsim prepare jool"
#define RECIPE	     1 /* as in tools/prepare-jool.sh */
#define SYSTEM_CACHE "/var/cache/xlatsim/jool"

/* The first line of what @argv prints. */
static int read_word(const char *const *argv, char *buf, size_t len)
{
	char text[512];
	const char *line;
	char *end;
	int ret = host_read(argv, text, sizeof(text));

	if (ret)
		return ret;
	/* a preload that fails, and the like, is told before */
	for (end = text + strlen(text); end > text && end[-1] == '\n';)
		*--end = '\0';
	line = strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
	snprintf(buf, len, "%s", line);
	return 0;
}

static int find_tool(const char *tool, struct jool_host *h, struct err *why)
{
	char path[128];
	const char *argv[] = {path, "--version", NULL};

	if (host_find(tool, path, sizeof(path)))
		return err_set(why, ENOENT,
			       "%s not found: install Debian package "
			       "jool-tools (tools/deps.sh --jool)",
			       tool);
	if (read_word(argv, h->version, sizeof(h->version)))
		return err_set(why, ENOEXEC, "%s --version fails", path);
	return 0;
}

static int find_module(const char *tool, struct jool_host *h)
{
	char path[128];
	const char *argv[] = {path, "-q", tool, NULL};
	char text[64], sys[64];
	struct utsname u;

	snprintf(sys, sizeof(sys), "/sys/module/%s", tool);
	if (access(sys, F_OK) && (host_find("modprobe", path, sizeof(path)) ||
				  host_read(argv, text, sizeof(text))))
		return -ENOENT;
	uname(&u);
	snprintf(h->release, sizeof(h->release), "%s", u.release);
	h->backend = JOOL_HOST;
	return host_find_own("xlatsim", h->self, sizeof(h->self));
}

/* ---- User Mode Linux -------------------------------------------------------
 */

static bool may_trace(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) ? 1 : 0);
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_manifest(const char *base, const char *below, char *path,
			 size_t len)
{
	char manifest[PATH_MAX];

	snprintf(manifest, sizeof(manifest), "%s%s/current/manifest.json", base,
		 below);
	if (access(manifest, R_OK))
		return false;
	*strrchr(manifest, '/') = '\0';
	snprintf(path, len, "%s", manifest);
	return true;
}

static bool find_cache(char *path, size_t len)
{
	const char *given = getenv("XLATSIM_JOOL_CACHE");
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (given)
		return has_manifest(given, "", path, len);
	return has_manifest(SYSTEM_CACHE, "", path, len) ||
	       (xdg && has_manifest(xdg, "/xlatsim/jool", path, len)) ||
	       (home && has_manifest(home, "/.cache/xlatsim/jool", path, len));
}

/* Does what was prepared fit what is installed now? */
static int check_manifest(struct jool_host *h, struct err *why)
{
	char path[PATH_MAX + 16];
	const char *kernel = "", *jool = "";
	const char *argv[] = {h->kernel, "--version", NULL};
	int recipe = 0, own = 0, ret;
	json_t *o;

	snprintf(path, sizeof(path), "%s/manifest.json", h->cache);
	o = json_load_file(path, 0, NULL);
	if (!o ||
	    json_unpack(o, "{s:i, s:s, s:b, s:s}", "recipe", &recipe, "kernel",
			&kernel, "own_kernel", &own, "jool", &jool))
		ret = err_set(why, EINVAL, "%s is damaged: " PREPARE " --force",
			      path);
	else
		ret = 0;
	if (own)
		snprintf(h->kernel, sizeof(h->kernel), "%.110s/linux",
			 h->cache);
	else if (!ret && host_find("linux.uml", h->kernel, sizeof(h->kernel)))
		ret = err_set(why, ENOENT,
			      "linux.uml not found: install Debian package "
			      "user-mode-linux (tools/deps.sh --jool)");
	if (!ret && read_word(argv, h->release, sizeof(h->release)))
		ret = err_set(why, ENOEXEC, "%s --version fails", h->kernel);
	if (!ret && recipe != RECIPE)
		ret = err_set(why, ESTALE,
			      "%s was prepared by another version: " PREPARE,
			      h->cache);
	if (!ret && strcmp(kernel, h->release) != 0)
		ret = err_set(why, ESTALE,
			      "prepared for User Mode Linux %s, but %s is "
			      "installed: " PREPARE,
			      kernel, h->release);
	if (!ret && strncmp(jool, h->version, strcspn(jool, "-")) != 0)
		ret = err_set(
			why, ESTALE,
			"prepared for Jool %s, but %s is installed: " PREPARE,
			jool, h->version);
	json_decref(o);
	return ret;
}

static int find_uml(struct jool_host *h, struct err *why)
{
	char resolved[PATH_MAX];

	if (access("/dev/net/tun", R_OK | W_OK))
		return err_set(why, ENODEV,
			       "/dev/net/tun: %s (try: modprobe tun, as root)",
			       strerror(errno));
	if (!may_trace())
		return err_set(why, EPERM,
			       "this host does not allow ptrace, which User "
			       "Mode Linux lives by (a container's seccomp "
			       "profile, or kernel.yama.ptrace_scope = 3)");
	if (!find_cache(h->cache, sizeof(h->cache)))
		return err_set(
			why, ENOENT,
			"no kernel module (modprobe jool), and no User "
			"Mode Linux node is prepared: sudo tools/deps.sh "
			"--jool && sudo " PREPARE);
	if (realpath(h->cache, resolved))
		snprintf(h->cache, sizeof(h->cache), "%s", resolved);
	if (host_find_own("xlatsim", h->self, sizeof(h->self)) ||
	    host_find_own("xlatsim-guest", h->guest, sizeof(h->guest)) ||
	    host_find_own("xlatsim-uml.so", h->shim, sizeof(h->shim)))
		return err_set(why, ENOENT,
			       "xlatsim-guest and xlatsim-uml.so are neither "
			       "beside xlatsim nor installed: run make");
	h->backend = JOOL_UML;
	return check_manifest(h, why);
}

int jool_host_find(const char *tool, struct jool_host *h, struct err *why)
{
	int ret;

	*h = (struct jool_host){.backend = JOOL_NONE};
	ret = find_tool(tool, h, why);
	if (ret || !find_module(tool, h))
		return ret;
	ret = find_uml(h, why);
	if (ret)
		h->backend = JOOL_NONE;
	return ret;
}
