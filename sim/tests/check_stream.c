/* SPDX-License-Identifier: MIT */
/* The stream probe's packets, record files, and judgement of its senders. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"
#include "../probe/stream_internal.h"

#define TEMPLATE "/tmp/check_stream.XXXXXX"

static char path[] = TEMPLATE;

static void make_path(void)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void remove_path(void)
{
	unlink(path);
	strcpy(path, TEMPLATE);
}

START_TEST(packet_round_trip)
{
	const struct stream_packet p = {.session = 0xdeadbeef,
					.type = STREAM_DATA,
					.seq = 0x01020304,
					.sent_ns = INT64_C(0x1122334455667788)};
	static const uint8_t wire[STREAM_MIN_BYTES] = {
		0x78, 0x73, 0x53, 0x74, 0xde, 0xad, 0xbe, 0xef,
		0,    0,    0,	  2,	1,    2,    3,	  4,
		0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	};
	uint8_t buf[STREAM_MIN_BYTES];
	struct stream_packet q;

	stream_encode(&p, buf);
	ck_assert_mem_eq(buf, wire, sizeof(wire));
	ck_assert(stream_decode(buf, sizeof(buf), &q));
	ck_assert_uint_eq(q.session, p.session);
	ck_assert_uint_eq(q.seq, p.seq);
	ck_assert_int_eq(q.type, p.type);
	ck_assert_int_eq(q.sent_ns, p.sent_ns);
}
END_TEST

START_TEST(packet_of_others)
{
	struct stream_packet p = {.type = STREAM_HELLO};
	uint8_t buf[STREAM_MIN_BYTES];

	stream_encode(&p, buf);
	ck_assert(!stream_decode(buf, sizeof(buf) - 1, &p));
	buf[0] ^= 1;
	ck_assert(!stream_decode(buf, sizeof(buf), &p));
	buf[0] ^= 1;
	buf[11] = 3; /* no such type */
	ck_assert(!stream_decode(buf, sizeof(buf), &p));
}
END_TEST

START_TEST(record_round_trip)
{
	const struct stream_record *r;
	struct stream_record *w;
	struct err e = {""};
	size_t size;

	w = stream_record_create(path, 100, 1000, &e);
	ck_assert_ptr_nonnull(w);
	for (uint32_t i = 0; i < 90; i++)
		stream_record_add(w, i, i * NS_PER_MS, i * NS_PER_MS + 77);
	w->sent = 100;
	w->over = 1;
	stream_record_close(w, path);
	r = stream_record_open(path, &size, &e);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(r->n, 90);
	ck_assert_uint_eq(r->sent, 100);
	ck_assert_uint_eq(r->due, 100);
	ck_assert_uint_eq(size, sizeof(*r) + 90 * sizeof(r->arrivals[0]));
	ck_assert_uint_eq(r->arrivals[89].seq, 89);
	ck_assert_int_eq(r->arrivals[89].received_ns, 89 * NS_PER_MS + 77);
	stream_record_unmap(r, size);
}
END_TEST

START_TEST(record_is_bounded)
{
	struct err e = {""};
	struct stream_record *w = stream_record_create(path, 10, 1000, &e);
	uint64_t capacity;

	ck_assert_ptr_nonnull(w);
	capacity = w->capacity;
	for (uint64_t i = 0; i < capacity + 5; i++)
		stream_record_add(w, (uint32_t)i, 0, 0);
	ck_assert_uint_eq(w->n, capacity);
	ck_assert_uint_eq(w->unrecorded, 5);
	stream_record_close(w, path);
}
END_TEST

/* A record cut short, of another kind, empty, or not there. */
START_TEST(record_refused)
{
	struct err e = {""};
	struct stream_record *w = stream_record_create(path, 10, 1000, &e);
	size_t size;
	FILE *f;

	for (uint32_t i = 0; i < 10; i++)
		stream_record_add(w, i, 0, 0);
	stream_record_close(w, path);
	ck_assert_int_eq(truncate(path, (off_t)sizeof(*w) + 24 * 9), 0);
	ck_assert_ptr_null(stream_record_open(path, &size, &e));
	ck_assert(strstr(e.text, "not a stream record") != NULL);
	ck_assert_int_eq(truncate(path, 10), 0);
	ck_assert_ptr_null(stream_record_open(path, &size, &e));
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_ptr_null(stream_record_open(path, &size, &e));
	f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("not a record", f);
	fclose(f);
	ck_assert_ptr_null(stream_record_open(path, &size, &e));
	unlink(path);
	ck_assert_ptr_null(stream_record_open(path, &size, &e));
	ck_assert_ptr_null(stream_record_create("/nonexistent/x", 1, 1, &e));
	ck_assert(strstr(e.text, "/nonexistent/x") != NULL);
}
END_TEST

static const struct {
	double rate_pps;
	uint64_t due, sent, blocked, overflow, unreachable;
	int64_t late_p99_ns, late_max_ns;
	const char *says; /* NULL: no fault */
} faults[] = {
	{1000, 1000, 1000, 0, 0, 0, 0, 0, NULL},
	{1000, 1000, 990, 0, 0, 0, 0, 0, NULL},
	{1000, 1000, 989, 0, 0, 0, 0, 0, "sent 989 of 1000"},
	{1000, 9, 9, 0, 0, 0, 5000000, 0, NULL},
	{1000, 9, 9, 0, 0, 0, 5000001, 0, "was late"},
	{20000, 9, 9, 0, 0, 0, 300000, 0, "was late"},
	{1000, 9, 9, 0, 0, 0, 0, 200000000, "stood still for 200 ms"},
	{1000, 99, 99, 2, 0, 0, 0, 0, "no buffer for 2"},
	{1000, 99, 99, 0, 3, 0, 0, 0, "no room for 3"},
	{1000, 99, 99, 0, 0, 50, 0, 0, NULL}, /* the network's doing */
};

START_TEST(sender_faults)
{
	const struct stream_record r = {
		.rate_pps = faults[_i].rate_pps,
		.due = faults[_i].due,
		.sent = faults[_i].sent,
		.blocked = faults[_i].blocked,
		.overflow = faults[_i].overflow,
		.unreachable = faults[_i].unreachable,
		.late_p99_ns = faults[_i].late_p99_ns,
		.late_max_ns = faults[_i].late_max_ns,
	};
	char buf[160];
	const char *text =
		stream_sender_fault(&r, "the client", buf, sizeof(buf));

	if (!faults[_i].says) {
		ck_assert_ptr_null(text);
		return;
	}
	ck_assert_ptr_nonnull(text);
	ck_assert_msg(strstr(text, faults[_i].says) != NULL, "%s", text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream");
	TCase *tc = tcase_create("pure"), *files = tcase_create("files");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, packet_round_trip);
	tcase_add_test(tc, packet_of_others);
	tcase_add_loop_test(tc, sender_faults, 0,
			    sizeof(faults) / sizeof(*faults));
	tcase_add_checked_fixture(files, make_path, remove_path);
	tcase_add_test(files, record_round_trip);
	tcase_add_test(files, record_is_bounded);
	tcase_add_test(files, record_refused);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, files);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
