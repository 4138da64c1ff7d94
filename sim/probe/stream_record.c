/* SPDX-License-Identifier: MIT */
#include "stream_internal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"

/* A sender this late is no longer one of a constant rate. */
#define LATE_INTERVALS 5
#define LATE_STALL_NS  (100 * NS_PER_MS)
#define LEAST_SENT     0.99
#define MOST_BLOCKED   0.01
/* Room for copies, beyond one arrival for each packet. */
#define SPARE_ARRIVALS 4096

/* ---- packets ----------------------------------------------------------------
 */

void stream_encode(const struct stream_packet *p, uint8_t *buf)
{
	uint32_t words[4] = {htobe32(STREAM_MAGIC), htobe32(p->session),
			     htobe32((uint32_t)p->type), htobe32(p->seq)};
	uint64_t sent = htobe64((uint64_t)p->sent_ns);

	memcpy(buf, words, sizeof(words));
	memcpy(buf + sizeof(words), &sent, sizeof(sent));
}

bool stream_decode(const uint8_t *buf, size_t len, struct stream_packet *p)
{
	uint32_t words[4], type;
	uint64_t sent;

	if (len < STREAM_MIN_BYTES)
		return false;
	memcpy(words, buf, sizeof(words));
	memcpy(&sent, buf + sizeof(words), sizeof(sent));
	type = be32toh(words[2]);
	if (be32toh(words[0]) != STREAM_MAGIC ||
	    (type != STREAM_HELLO && type != STREAM_DATA))
		return false;
	*p = (struct stream_packet){.session = be32toh(words[1]),
				    .type = (enum stream_type)type,
				    .seq = be32toh(words[3]),
				    .sent_ns = (int64_t)be64toh(sent)};
	return true;
}

/* ---- record files -----------------------------------------------------------
 */

static size_t record_size(uint64_t arrivals)
{
	return sizeof(struct stream_record) +
	       (size_t)arrivals * sizeof(struct stream_arrival);
}

struct stream_record *stream_record_create(const char *path, uint64_t due,
					   double rate_pps, struct err *e)
{
	uint64_t capacity = due + due / 8 + SPARE_ARRIVALS;
	size_t size = record_size(capacity);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int code = fd < 0 ? errno : posix_fallocate(fd, 0, (off_t)size);
	struct stream_record *r = MAP_FAILED;

	if (!code) {
		r = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, fd, 0);
		code = r == MAP_FAILED ? errno : 0;
	}
	if (fd >= 0)
		close(fd);
	if (code) {
		err_set(e, code, "%s: %zu bytes for the record: %s", path, size,
			strerror(code));
		return NULL;
	}
	memcpy(r->magic, STREAM_RECORD_MAGIC, sizeof(r->magic));
	r->version = STREAM_RECORD_VERSION;
	r->arrival_bytes = sizeof(struct stream_arrival);
	r->capacity = capacity;
	r->due = due;
	r->rate_pps = rate_pps;
	return r;
}

void stream_record_add(struct stream_record *r, uint32_t seq, int64_t sent_ns,
		       int64_t received_ns)
{
	if (r->n == r->capacity) {
		r->unrecorded++;
		return;
	}
	r->arrivals[r->n] = (struct stream_arrival){
		.seq = seq, .sent_ns = sent_ns, .received_ns = received_ns};
	r->n++;
}

void stream_record_close(struct stream_record *r, const char *path)
{
	size_t mapped = record_size(r->capacity), used = record_size(r->n);

	r->capacity = r->n;
	munmap(r, mapped);
	/* A file left too long costs disk space and nothing else. */
	if (truncate(path, (off_t)used))
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
}

/* Whether @r, @size bytes of it, is what it says. */
static bool is_record(const struct stream_record *r, size_t size)
{
	return size >= sizeof(*r) &&
	       !memcmp(r->magic, STREAM_RECORD_MAGIC, sizeof(r->magic)) &&
	       r->version == STREAM_RECORD_VERSION &&
	       r->arrival_bytes == sizeof(struct stream_arrival) &&
	       r->n <= (size - sizeof(*r)) / sizeof(struct stream_arrival);
}

const struct stream_record *stream_record_open(const char *path, size_t *size,
					       struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stream_record *r = MAP_FAILED;
	struct stat st = {0};

	if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0)
		r = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd,
			 0);
	if (r == MAP_FAILED)
		err_set(e, fd < 0 ? errno : EINVAL, "%s: %s", path,
			fd < 0 ? strerror(errno) : "empty");
	if (fd >= 0)
		close(fd);
	if (r == MAP_FAILED)
		return NULL;
	if (is_record(r, (size_t)st.st_size)) {
		*size = (size_t)st.st_size;
		return r;
	}
	err_set(e, EINVAL, "%s: not a stream record", path);
	munmap(r, (size_t)st.st_size);
	return NULL;
}

void stream_record_unmap(const struct stream_record *r, size_t size)
{
	if (r)
		munmap((void *)(uintptr_t)r, size);
}

/* ---- judging ----------------------------------------------------------------
 */

const char *stream_sender_fault(const struct stream_record *r, const char *who,
				char *buf, size_t len)
{
	double interval_ns = (double)NS_PER_S / r->rate_pps;

	if ((double)r->sent < LEAST_SENT * (double)r->due)
		snprintf(buf, len, "%s sent %llu of %llu packets", who,
			 (unsigned long long)r->sent,
			 (unsigned long long)r->due);
	else if ((double)r->late_p99_ns > LATE_INTERVALS * interval_ns)
		snprintf(buf, len,
			 "%s was late: 1%% of its packets by %.1f ms or more",
			 who, (double)r->late_p99_ns / 1e6);
	else if (r->late_max_ns > LATE_STALL_NS)
		snprintf(buf, len, "%s stood still for %.0f ms", who,
			 (double)r->late_max_ns / 1e6);
	else if ((double)r->blocked > MOST_BLOCKED * (double)r->due)
		snprintf(buf, len, "%s had no buffer for %llu packets", who,
			 (unsigned long long)r->blocked);
	else if (r->overflow || r->unrecorded)
		snprintf(buf, len, "%s had no room for %ju arrivals", who,
			 (uintmax_t)r->overflow + r->unrecorded);
	else
		return NULL;
	return buf;
}
