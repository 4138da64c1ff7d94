/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Live: the line being redrawn is always the last one on the terminal. A note
 * wipes it, prints itself with a newline, and the line is drawn again. It is
 * redrawn at most ten times a second, however often ticks come.
 *
 * The terminal may be gone, full or slow: every line is one write to the
 * descriptor, which poll(2) must first report as writable; a line that cannot
 * be written now is dropped, since a run must never wait for its spectators.
 * The caller ignores SIGPIPE.
 */
#include "report_internal.h"

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"

#define REDRAW_NS (100 * NS_PER_MS)
#define BAR_WIDTH 20

struct progress {
	int fd;
	enum progress_mode mode;
	struct mono begun, drawn;
	char stage[128], detail[128];
	double done, total;
	unsigned int frame;
	bool on_screen; /* live: there is a line to wipe */
};

/* What came before through stdio goes first; @fd of -1 writes nothing. */
struct progress *progress_new(FILE *out, enum progress_mode mode)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = out && fflush(out) == 0 ? fileno(out) : -1;
	p->mode = p->fd < 0 ? PROGRESS_QUIET : mode;
	p->begun = clock_now();
	return p;
}

static void emit(const struct progress *p, const char *text, size_t len)
{
	struct pollfd pfd = {.fd = p->fd, .events = POLLOUT};

	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return;
	if (write(p->fd, text, len) < 0)
		return; /* nobody watches any more: nothing to be done */
}

static double seconds_since(struct mono t)
{
	return (double)mono_sub(clock_now(), t) / 1e9;
}

static int columns(const struct progress *p)
{
	struct winsize w;

	if (ioctl(p->fd, TIOCGWINSZ, &w) || w.ws_col < 20)
		return 80;
	return w.ws_col;
}

static void print_bar(FILE *f, double share)
{
	/* eighths of a cell, from one to seven */
	static const char *const part[] = {"▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	int eighths = (int)(share * BAR_WIDTH * 8 + 0.5);

	for (int i = 0; i < BAR_WIDTH; i++) {
		int here = eighths - i * 8;

		fputs(here >= 8 ? "█" : here > 0 ? part[here - 1] : "·", f);
	}
}

/* Cut to the width of the terminal, else wiping it would not work. */
static void emit_line(const struct progress *p, const char *line)
{
	size_t n, len = 0, width = (size_t)columns(p) - 1;
	char *text = NULL;
	uint32_t c;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	fputs("\r\033[K", f);
	for (; width && (n = text_next(line, &c)); line += n, width--)
		text_put(f, c == '\n' || c == '\t' ? ' ' : c);
	if (fclose(f) == 0)
		emit(p, text, len);
	free(text);
}

static void draw(struct progress *p)
{
	static const char *const spinner[] = {"⠋", "⠙", "⠹", "⠸", "⠼",
					      "⠴", "⠦", "⠧", "⠇", "⠏"};
	double share = p->total > 0 ? p->done / p->total : -1;
	char *line = NULL;
	size_t len = 0;
	FILE *f;

	if (p->mode != PROGRESS_LIVE || !p->stage[0])
		return;
	f = open_memstream(&line, &len);
	if (!f)
		return;
	fprintf(f, "%s %6.1fs  %s", spinner[p->frame++ % 10],
		seconds_since(p->begun), p->stage);
	if (share >= 0) {
		share = share > 1 ? 1 : share;
		fputs("  ", f);
		print_bar(f, share);
		fprintf(f, " %3.0f%%", share * 100);
	}
	if (p->detail[0])
		fprintf(f, "  %s", p->detail);
	if (fclose(f) == 0)
		emit_line(p, line);
	free(line);
	p->drawn = clock_now();
	p->on_screen = true;
}

static void wipe(struct progress *p)
{
	static const char erase[] = "\r\033[K";

	if (p->on_screen)
		emit(p, erase, sizeof(erase) - 1);
	p->on_screen = false;
}

/* A line that stays, with the seconds since the beginning in front. */
static void say(struct progress *p, const char *text)
{
	char *line = NULL;
	size_t n, len = 0;
	uint32_t c;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return;
	fprintf(f, "%s%8.1fs  ", p->on_screen ? "\r\033[K" : "",
		seconds_since(p->begun));
	for (; (n = text_next(text, &c)); text += n)
		text_put(f, c == '\n' || c == '\t' ? ' ' : c);
	fputc('\n', f);
	if (fclose(f) == 0)
		emit(p, line, len);
	free(line);
	p->on_screen = false;
}

void progress_stage(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p || p->mode == PROGRESS_QUIET)
		return;
	va_start(ap, fmt);
	vsnprintf(p->stage, sizeof(p->stage), fmt, ap);
	va_end(ap);
	p->done = p->total = 0;
	p->detail[0] = '\0';
	if (p->mode == PROGRESS_PLAIN)
		say(p, p->stage);
	else
		draw(p);
}

void progress_tick(struct progress *p, double done, double total,
		   const char *detail)
{
	if (!p || p->mode != PROGRESS_LIVE)
		return;
	p->done = done;
	p->total = total;
	snprintf(p->detail, sizeof(p->detail), "%s", detail ? detail : "");
	if (mono_sub(clock_now(), p->drawn) >= REDRAW_NS)
		draw(p);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!p || p->mode == PROGRESS_QUIET)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!text[0])
		return;
	say(p, text);
	draw(p);
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	wipe(p);
	free(p);
}
