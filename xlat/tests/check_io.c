/* SPDX-License-Identifier: MIT */
/* Offload metadata on its way through a descriptor, and the memory back end. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "../io/io.h"
#include "../io/vnet.h"

START_TEST(metadata_survives_a_round_trip)
{
	static const struct pkt_gso cases[] = {
		{0},
		{.needs_csum = true, .csum_start = 40, .csum_offset = 16},
		{.needs_csum = true,
		 .ecn = true,
		 .type = PKT_GSO_TCP6,
		 .hdr_len = 72,
		 .gso_size = 1428,
		 .csum_start = 40,
		 .csum_offset = 16},
		{.needs_csum = true,
		 .type = PKT_GSO_TCP4,
		 .hdr_len = 52,
		 .gso_size = 1448,
		 .csum_start = 20,
		 .csum_offset = 16},
		{.needs_csum = true,
		 .type = PKT_GSO_UDP_L4,
		 .hdr_len = 28,
		 .gso_size = 1400,
		 .csum_start = 20,
		 .csum_offset = 6},
	};
	struct virtio_net_hdr h;
	struct pkt_gso g;

	vnet_encode(&cases[_i], &h);
	ck_assert_int_eq(vnet_decode(&h, &g), 0);
	ck_assert_int_eq(g.needs_csum, cases[_i].needs_csum);
	ck_assert_int_eq(g.ecn, cases[_i].ecn);
	ck_assert_int_eq(g.type, cases[_i].type);
	ck_assert_int_eq(g.hdr_len, cases[_i].hdr_len);
	ck_assert_int_eq(g.gso_size, cases[_i].gso_size);
	ck_assert_int_eq(g.csum_start, cases[_i].csum_start);
	ck_assert_int_eq(g.csum_offset, cases[_i].csum_offset);
}
END_TEST

START_TEST(wire_values_are_the_kernels)
{
	struct pkt_gso g = {.needs_csum = true,
			    .ecn = true,
			    .type = PKT_GSO_TCP6,
			    .hdr_len = 60,
			    .gso_size = 1440,
			    .csum_start = 40,
			    .csum_offset = 16};
	struct virtio_net_hdr h, zero = {0};

	vnet_encode(&g, &h);
	ck_assert_int_eq(h.flags, 1);
	ck_assert_int_eq(h.gso_type, 0x84);
	ck_assert_int_eq(h.hdr_len, 60);
	ck_assert_int_eq(h.gso_size, 1440);
	ck_assert_int_eq(h.csum_start, 40);
	ck_assert_int_eq(h.csum_offset, 16);
	/* a computed checksum must leave nothing behind */
	g = (struct pkt_gso){.hdr_len = 60, .csum_start = 40};
	vnet_encode(&g, &h);
	ck_assert_mem_eq(&h, &zero, sizeof(h));
}
END_TEST

START_TEST(unknown_segmentation_is_refused)
{
	struct virtio_net_hdr h = {.gso_type = VIRTIO_NET_HDR_GSO_UDP};
	struct pkt_gso g;

	ck_assert_int_eq(vnet_decode(&h, &g), -EOPNOTSUPP);
	h.gso_type = 77;
	ck_assert_int_eq(vnet_decode(&h, &g), -EOPNOTSUPP);
}
END_TEST

START_TEST(data_valid_flag_is_not_needs_csum)
{
	struct virtio_net_hdr h = {.flags = 2, .csum_start = 40};
	struct pkt_gso g;

	ck_assert_int_eq(vnet_decode(&h, &g), 0);
	ck_assert(!g.needs_csum);
	ck_assert_int_eq(g.csum_start, 0);
}
END_TEST

START_TEST(memory_is_a_queue_with_bounds)
{
	static uint8_t buf[IO_BUFFER_BYTES], out[PKT_MAX_BYTES];
	struct io *io = io_open_memory(2);
	struct pkt_gso none = {0}, g;
	struct pkt pkt;

	ck_assert_int_eq(io_fd(io), -1);
	ck_assert_int_eq(io_read(io, buf, &pkt), -EAGAIN);
	ck_assert_int_eq(io_memory_put(io, "abc", 3, &none), 0);
	ck_assert_int_eq(io_memory_put(io, "de", 2, &none), 0);
	ck_assert_int_eq(io_memory_put(io, "f", 1, &none), -ENOBUFS);
	ck_assert_int_eq(io_read(io, buf, &pkt), 0);
	ck_assert_int_eq(pkt.len, 3);
	ck_assert_mem_eq(pkt.data, "abc", 3);
	ck_assert_uint_ge(pkt.headroom, PKT_HEADROOM);
	ck_assert_uint_ge(pkt.tailroom, PKT_TAILROOM);
	ck_assert_int_eq(io_write(io, &pkt), 0);
	io_memory_fail(io, 1, EIO);
	ck_assert_int_eq(io_write(io, &pkt), -EIO);
	ck_assert_int_eq(io_write(io, &pkt), 0);
	ck_assert_int_eq(io_write(io, &pkt), -ENOBUFS);
	ck_assert_int_eq(io_memory_get(io, out, &g), 3);
	ck_assert_mem_eq(out, "abc", 3);
	ck_assert_int_eq(io_memory_get(io, out, &g), 3);
	ck_assert_int_eq(io_memory_get(io, out, &g), -EAGAIN);
	io_close(io);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io");
	TCase *t = tcase_create("io");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, metadata_survives_a_round_trip, 0, 5);
	tcase_add_test(t, wire_values_are_the_kernels);
	tcase_add_test(t, unknown_segmentation_is_refused);
	tcase_add_test(t, data_valid_flag_is_not_needs_csum);
	tcase_add_test(t, memory_is_a_queue_with_bounds);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
