/* SPDX-License-Identifier: MIT */
/*
 * The packet language of the conformance cases, its matcher, and the readers
 * of case files. The bytes were worked out independently of this code.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conform/packet.h"
#include "../conform/suite.h"

static struct arena *arena;
static struct diags diags;
static struct bind_names names;
static struct bind binds[MAX_BINDS];

static void setup(void)
{
	arena = arena_new();
	diags_init(&diags);
	memset(&names, 0, sizeof(names));
	memset(binds, 0, sizeof(binds));
}

static void teardown(void)
{
	diags_fini(&diags);
	arena_free(arena);
}

static struct packet *parse(const char *s, bool expected)
{
	struct pos *pos = arena_alloc(arena, (strlen(s) + 1) * sizeof(*pos));
	struct text t = {s, pos};

	for (size_t i = 0; i <= strlen(s); i++)
		pos[i] = (struct pos){"t", 1, (unsigned int)i + 1};
	return packet_parse(&t, 0, expected, &names, arena, &diags);
}

static size_t build(const char *s, uint8_t *buf, size_t len)
{
	struct packet *p = parse(s, false);

	if (diags.n)
		diags_print(&diags, stderr);
	ck_assert_ptr_nonnull(p);
	return packet_build(p, binds, NULL, 0, buf, len, NULL);
}

static void expect_hex(const char *s, const char *hex)
{
	static uint8_t buf[PACKET_MAX_BYTES];
	static char text[2 * PACKET_MAX_BYTES + 1];
	size_t n = build(s, buf, sizeof(buf));

	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", buf[i]);
	ck_assert_str_eq(text, hex);
}

#define U4 "ip src=192.0.2.1 dst=198.51.100.2"
#define U6 "ip6 src=2001:db8::1 dst=2001:db8::2"
#define R6 "ip6 src=2001:db8::2 dst=2001:db8::1"

/* ---- text to bytes ---------------------------------------------------------
 */

START_TEST(test_udp4)
{
	expect_hex(U4 " tos=0xb8 df=1 / udp sport=1000 dport=2000 / "
		      "text \"abc\"",
		   "45b8001f0000400040114ddfc0000201c633640203e807d0000b4386"
		   "616263");
}
END_TEST

START_TEST(test_udp6)
{
	expect_hex(U6 " hop=9 / udp sport=1 dport=2 / data 4",
		   "60000000000c110920010db80000000000000000000000012001"
		   "0db800000000000000000000000200010002000c944001080f16");
}
END_TEST

START_TEST(test_tcp_options)
{
	expect_hex(U4 " / tcp sport=7 dport=8 seq=1 ack=2 flags=SA "
		      "opts=020405b4",
		   "4500002c0000000040068e95c0000201c633640200070008"
		   "00000001000000026012ffffabcd0000020405b4");
}
END_TEST

START_TEST(test_error_cut)
{
	expect_hex("ip6 src=2001:db8::9 dst=2001:db8::2 / icmp6 too-big "
		   "mtu=1280 / " R6 " / udp sport=5 dport=6 / data 100 / "
		   "cut 48",
		   "6000000000383a4020010db800000000000000000000000920010db8"
		   "00000000000000000000000202007286000005006000000000"
		   "6c114020010db800000000000000000000000220010db80000"
		   "0000000000000000000100050006006c5cf1");
}
END_TEST

START_TEST(test_slices)
{
	expect_hex(U4 " id=7 / udp sport=1 dport=2 / data 100 / slice 64 32",
		   "450000340007200840116e73c0000201c63364028990979ea5acb3ba"
		   "c1c8cfd6dde4ebf2f900070e151c232a31383f464d545b62");
	expect_hex(U6 " / frag id=0x1234 / udp sport=1 dport=2 / data 100 / "
		      "slice 0 64",
		   "6000000000482c4020010db800000000000000000000000120010db8"
		   "000000000000000000000002110000010000123400010002"
		   "006c5cf901080f161d242b323940474e555c636a71787f868d949ba2"
		   "a9b0b7bec5ccd3dae1e8eff6fd040b121920272e353c434a51585f66"
		   "6d747b82");
}
END_TEST

START_TEST(test_extension)
{
	static uint8_t buf[512];
	size_t n = build("ip src=198.51.100.9 dst=192.0.2.1 / icmp unreachable "
			 "code=1 words=32 / " U4 " / udp sport=1 dport=2 / "
			 "pad 128 / ext / obj class=1 ctype=1 / hex 01020304",
			 buf, sizeof(buf));
	static const uint8_t tail[] = {0x20, 0, 0xda, 0xf0, 0, 8,
				       1,    1, 1,    2,    3, 4};

	ck_assert_uint_eq(n, 168);
	ck_assert_mem_eq(buf + 156, tail, 12);
	ck_assert_uint_eq(buf[22] << 8 | buf[23], 0xe92f); /* ICMP */
	ck_assert_uint_eq(buf[25], 32);
	ck_assert_uint_eq(buf[2] << 8 | buf[3], 168);
}
END_TEST

/* What is given is not worked out; what is spoilt is off by 0x1234. */
START_TEST(test_overrides)
{
	uint8_t a[64], b[64];
	size_t n = build(U4 " len=99 csum=0x1111 / udp len=7 csum=none", a, 64);
	unsigned int good, bad;

	ck_assert_uint_eq(n, 28);
	ck_assert_uint_eq(a[3], 99);
	ck_assert_uint_eq(a[10], 0x11);
	ck_assert_uint_eq(a[25], 7);
	ck_assert_uint_eq(a[26] | a[27], 0);
	build(U4 " / udp", a, 64);
	build(U4 " / udp csum=bad", b, 64);
	good = (unsigned int)a[26] << 8 | a[27];
	bad = (unsigned int)b[26] << 8 | b[27];
	ck_assert_uint_eq(bad, (good + 0x1234) % 0xffff);
}
END_TEST

START_TEST(test_extension_headers)
{
	uint8_t b[256];
	size_t n = build(U6 " / hbh / routing left=1 opts=00000000,2001:db8::9 "
			    "/ dstopt opts=01020000 / udp",
			 b, 256);

	ck_assert_uint_eq(n, 40 + 8 + 24 + 8 + 8);
	ck_assert_uint_eq(b[6], 0);
	ck_assert_uint_eq(b[40], 43);
	ck_assert_uint_eq(b[48], 60);
	ck_assert_uint_eq(b[49], 2);
	ck_assert_uint_eq(b[51], 1);
	ck_assert_uint_eq(b[71], 9);
	ck_assert_uint_eq(b[72], 17);
	ck_assert_uint_eq(b[73], 0);
}
END_TEST

/* ---- matching --------------------------------------------------------------
 */

static bool match(const char *want, const char *got, char *why, size_t len)
{
	uint8_t buf[2048];
	size_t n = build(got, buf, sizeof(buf));
	struct packet *p = parse(want, true);

	if (diags.n)
		diags_print(&diags, stderr);
	ck_assert_ptr_nonnull(p);
	return packet_match(p, buf, n, binds, why, len);
}

static void expect_match(const char *want, const char *got)
{
	char why[512];

	ck_assert_msg(match(want, got, why, sizeof(why)), "%s", why);
}

static void expect_differs(const char *want, const char *got,
			   const char *reason)
{
	char why[512];

	ck_assert(!match(want, got, why, sizeof(why)));
	ck_assert_str_eq(why, reason);
}

START_TEST(test_match_same)
{
	expect_match(U6 " / udp sport=1", U6 " hop=63 / udp sport=1");
	expect_match(U4 " ttl=9 / icmp echo id=3",
		     U4 " ttl=9 / icmp echo id=3");
}
END_TEST

START_TEST(test_match_wild)
{
	expect_match(U4 " id=* ttl=* / udp sport=1..9 dport=*",
		     U4 " id=777 / udp sport=9 dport=4");
	expect_differs(U4 " / udp sport=1..9", U4 " ttl=63 / udp sport=10",
		       "udp sport is 10, expected 1..9");
	/* a checksum is checked whatever the rest may be */
	expect_differs(U4 " id=* / udp", U4 " ttl=63 id=5 csum=1 / udp",
		       "ip csum is 0x0001, expected 0x8f95");
}
END_TEST

START_TEST(test_match_fields)
{
	expect_differs(U6 " tc=1 / udp", U6 " hop=62 / udp sport=7",
		       "ip6 tc is 0, expected 1; ip6 hop is 62, expected 63; "
		       "udp sport is 7, expected 0; udp csum is 0xa462, "
		       "expected 0xa469");
	expect_differs(U6 " / udp / data 8", U6 " hop=63 / udp / data 7",
		       "ip6 len is 15, expected 16; udp len is 15, expected "
		       "16; udp csum is 0x4c19, expected 0x4be5; it has 55 "
		       "bytes, expected 56");
	expect_differs(U6 " / udp", U4 " / udp", "it is no IPv6 packet");
}
END_TEST

START_TEST(test_match_data)
{
	expect_differs(U4 " / udp csum=none / hex 0102",
		       U4 " ttl=63 / udp csum=none / hex 0103",
		       "byte 29 is 0x03, expected 0x02");
}
END_TEST

START_TEST(test_match_inner)
{
	const char *got =
		U4 " ttl=63 / icmp unreachable / ip src=1.2.3.4 dst=5.6.7.8 "
		   "ttl=5 / udp sport=1 / data 40 / cut 36";

	expect_match(U4 " / icmp unreachable / ip src=1.2.3.4 dst=5.6.7.8 "
			"ttl=5 / udp sport=1 / data 40 / cut 28..",
		     got);
	expect_differs(U4 " / icmp unreachable csum=* / ip src=1.2.3.4 "
			  "dst=5.6.7.8 csum=* / udp sport=1 / data 40 / cut "
			  "28..",
		       got, "inner ip ttl is 5, expected 64");
}
END_TEST

START_TEST(test_match_open)
{
	expect_match(U4 " / icmp time-exceeded / hex 45 / ...",
		     U4 " ttl=63 / icmp time-exceeded / hex 450102030405");
}
END_TEST

START_TEST(test_match_bound)
{
	expect_match(U4 " / udp sport=@p", U4 " ttl=63 / udp sport=5000");
	ck_assert_uint_eq(bind_number(&binds[0]), 5000);
	expect_differs(U4 " / udp sport=@p csum=*",
		       U4 " ttl=63 / udp sport=5001",
		       "udp sport is 5001, expected 5000; udp sport differs "
		       "from where its name was set");
	expect_hex("ip src=1.2.3.4 dst=1.2.3.5 csum=0 / udp dport=@p csum=none",
		   "4500001c00000000401100000102030401020305000013880008"
		   "0000");
}
END_TEST

/* A name that a packet did not set for it did not match stays free. */
START_TEST(test_match_bound_fails)
{
	expect_differs(U4 " / udp sport=@p dport=7 csum=*",
		       U4 " ttl=63 / udp sport=5000",
		       "udp dport is 0, expected 7");
	ck_assert(!binds[0].set);
}
END_TEST

START_TEST(test_print)
{
	static const struct {
		const char *in, *out;
	} v[] = {
		{U4 " df=1 ttl=3 / udp sport=1 dport=2 / hex 0a0b",
		 "ip df=1 ttl=3 src=192.0.2.1 dst=198.51.100.2 / udp sport=1 "
		 "dport=2 / hex 0a0b"},
		{U6 " / hbh / tcp dport=9 flags=S",
		 "ip6 hop=64 src=2001:db8::1 dst=2001:db8::2 / hbh "
		 "opts=010400000000 / tcp dport=9 flags=S"},
		{U4 " / icmp unreachable code=4 mtu=1400 / " U4
		    " / udp sport=1 / data 100 / cut 28",
		 "ip ttl=64 src=192.0.2.1 dst=198.51.100.2 / icmp type=3 "
		 "code=4 "
		 "seq=1400 / ip ttl=64 src=192.0.2.1 dst=198.51.100.2 / udp "
		 "sport=1"},
		{U4 " / udp csum=bad",
		 "ip ttl=64 src=192.0.2.1 dst=198.51.100.2 / udp "
		 "csum=0x25db(wrong)"},
		{U4 " / udp / data 64 / slice 32 16",
		 "ip mf=1 off=32 ttl=64 src=192.0.2.1 dst=198.51.100.2 / hex "
		 "a9b0b7bec5ccd3dae1e8eff6fd040b12"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		uint8_t buf[512];
		char text[512];
		size_t n = build(v[i].in, buf, sizeof(buf));

		ck_assert_str_eq(packet_format(buf, n, text, sizeof(text)),
				 v[i].out);
	}
}
END_TEST

/* Any bytes can be printed and compared. */
START_TEST(test_junk)
{
	struct packet *p = parse(U6 " / icmp6 echo-reply", true);
	uint32_t x = 1;

	for (int i = 0; i < 20000; i++) {
		uint8_t b[128];
		char text[256], why[128];
		size_t len = 1 + x % sizeof(b);

		for (size_t k = 0; k < len; k++) {
			x = x * 1664525 + 1013904223;
			b[k] = (uint8_t)(x >> 24);
		}
		if (i % 3)
			b[0] = i % 2 ? 0x60 : 0x45;
		packet_format(b, len, text, sizeof(text));
		ck_assert_uint_lt(strlen(text), sizeof(text));
		ck_assert(!packet_match(p, b, len, binds, why, sizeof(why)));
		ck_assert_str_ne(why, "");
	}
}
END_TEST

/* ---- mistakes --------------------------------------------------------------
 */

static const struct {
	const char *text;
	unsigned int column;
	const char *says;
} mistakes[] = {
	{"udp", 1, "a packet begins with ip or ip6"},
	{"", 1, "expected a layer"},
	{"ip /", 5, "expected a layer"},
	{"ipp", 1, "unknown layer `ipp`; did you mean `ip`?"},
	{"ip ttx=3", 4, "unknown field of ip `ttx`; did you mean `ttl`?"},
	{"ip ttl=300", 8, "'ttl' is at most 255"},
	{"ip ttl=x", 8, "'ttl': expected a number, not 'x'"},
	{"ip ttl=3 ttl=4", 10, "'ttl' is given twice"},
	{"ip off=12", 8, "'off' is in bytes, and a multiple of 8"},
	{"ip src=2001:db8::1", 8, "'2001:db8::1' is no IPv4 address"},
	{"ip6 src=1.2.3.4", 9, "'1.2.3.4' is no IPv6 address"},
	{"ip ttl=*", 8, "'ttl=*': a packet that is sent has one value"},
	{"ip / udp sport=1..2", 16,
	 "'sport=1..2': a packet that is sent has one value"},
	{"ip / udp sport=@p", 16,
	 "'@p': no packet that arrived before has set it"},
	{"ip udp", 4,
	 "expected FIELD=VALUE, or '/' and the next layer, not 'udp'"},
	{"ip / icmp ecco", 11,
	 "unknown ICMP type `ecco`; did you mean `echo`?"},
	{"ip / data 8", 1, "say what follows: proto=NUMBER"},
	{"ip / udp / tcp", 12, "tcp cannot follow udp"},
	{"ip / udp / data", 16, "data: expected a number up to 65535"},
	{"ip / udp / data 8 8", 19, "expected '/' and the next layer, not '8'"},
	{"ip / udp / hex 123", 16,
	 "hex: '123' is no even number of hexadecimal digits"},
	{"ip / udp / text abc", 17, "text: expected \"...\""},
	{"ip / udp / slice 4 8", 12, "slice: the offset is a multiple of 8"},
	{"ip / udp / ...", 12, "'...' is for packets that arrive"},
	{"ip / udp / cut 28..", 16,
	 "cut: a packet that is sent has one length"},
	{"ip opts=xyz / udp", 9,
	 "'xyz': expected hexadecimal bytes, an address, nop or eol"},
};

START_TEST(test_mistakes)
{
	ck_assert_ptr_null(parse(mistakes[_i].text, false));
	ck_assert_uint_ge(diags.n, 1);
	ck_assert_str_eq(diags.v[0].text, mistakes[_i].says);
	ck_assert_uint_eq(diags.v[0].pos.column, mistakes[_i].column);
}
END_TEST

/* ---- files -----------------------------------------------------------------
 */

#define HEAD                                                                   \
	"setup s\n role siit\n marker ::1 ::2\n"                               \
	"section 7915 4.1 Headers\nuse s\n"

START_TEST(test_suite)
{
	struct suite *s = suite_load_text(
		"t",
		"# a comment with $nothing\nlet a src=1.2.3.4\n" HEAD
		"setup t extends s\n tos 5\n"
		"case one What it shows\n"
		" 4> ip $a / udp\n"
		" 6< ip6 / udp sport=@p \\\n   dport=2\n"
		"   or 6< ip6 / udp\n   or nothing\n"
		" wait 5s\n check @p in 1..2\n 4> ip / udp\n nothing\n",
		arena, &diags);
	const struct conform_case *c;

	diags_print(&diags, stderr);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->n_setups, 2);
	ck_assert_str_eq(setup_get(s->setups[1], "tos", ""), "5");
	ck_assert_int_eq(s->setups[1]->role, ROLE_SIIT);
	c = s->cases[0];
	ck_assert_uint_eq(c->n_steps, 6);
	ck_assert_str_eq(c->about, "What it shows");
	ck_assert_str_eq(c->title, "Headers");
	ck_assert_uint_eq(c->steps[1].n_others, 1);
	ck_assert(c->steps[1].or_nothing);
	ck_assert_uint_eq(c->steps[1].pos.line, 12);
	ck_assert_int_eq(c->steps[2].wait_ns, 5000000000);
	ck_assert_uint_eq(c->steps[3].hi, 2);
}
END_TEST

static const struct {
	const char *text;
	unsigned int line, column;
	const char *says;
} bad_files[] = {
	{"", 0, 0, "there is no case in it"},
	{"foo\n", 1, 1,
	 "unknown word `foo`; expected let, section, use, setup or case"},
	{"use nobody\n", 1, 5, "unknown setup `nobody`; there is none"},
	{"case a b\n 4> ip / udp\n nothing\n", 1, 6,
	 "no `section` says what RFC this is of"},
	{HEAD "case one\n 4> ip / udp\n nothing\n", 6, 6,
	 "case one: say what it shows, behind its name"},
	{HEAD "case one x\n 4> ip / udp\n", 6, 6,
	 "case one expects nothing: if that is meant, say `nothing`"},
	{HEAD "case one x\n nothing\n", 6, 6, "case one sends nothing"},
	{HEAD "case one x\n 4> ip6 / udp\n nothing\n", 7, 2,
	 "an IPv6 packet on side 4"},
	{HEAD "case one x\n 4> ip $nope / udp\n nothing\n", 7, 8,
	 "unknown macro `nope`; there is none"},
	{HEAD "case one x\n 4> ip ttl=\\\n900 / udp\n nothing\n", 8, 1,
	 "'ttl' is at most 255"},
	{HEAD "case one x\n 4> ip / udp\n nothing\n nothing\n", 9, 2,
	 "nothing: that nothing else arrives goes without saying"},
	{HEAD "case one x\n or nothing\n", 7, 5,
	 "`or` follows a packet that arrives"},
	{HEAD "case one x\n wait 5\n", 7, 7,
	 "wait: expected a time such as 5ms, not '5'"},
	{HEAD "case one x\n check @p == 5\n", 7, 8,
	 "'@p': expected @NAME that a packet that arrived has set"},
	{HEAD "case one x\n 4< ip / udp sport=@p\n check @p ~ 5\n", 8, 11,
	 "unknown comparison `~`; expected =="},
	{HEAD "case one x\n 4> ip / udp\n nothing\n"
	      "case one x\n 4> ip / udp\n nothing\n",
	 9, 6, "case 'one' is there already (t:6)"},
	{HEAD "case one x\n 4< ip / udp sport=@p / ...\n"
	      " 4> ip ttl=@p / udp\n",
	 8, 12, "'@p' has 16 bits, and 'ttl' has 8"},
	{HEAD "case one x\n flesh\n", 7, 2,
	 "unknown word of a case `flesh`; did you mean `fresh`?"},
	{"setup s\n role server\n", 2, 7, "unknown role `server`"},
	{"setup s\n role siit\n", 1, 7,
	 "setup s: `marker` is missing: two IPv6 addresses between which a "
	 "packet surely passes to IPv4"},
	{"setup s\n marker ::1 ::2\n", 1, 7, "setup s: `role` is missing"},
	{"setup s\n tos red\n", 2, 6, "tos: expected a number, not 'red'"},
	{"setup s\n tos 5 6\n", 2, 8, "tos: unexpected '6'"},
	{"setup s\n pool4 1.2.3.4/33\n", 2, 8,
	 "pool4: expected an IPv4 prefix such as 192.0.2.0/24, not "
	 "'1.2.3.4/33'"},
	{"setup s\n toss 5\n", 2, 2,
	 "unknown key of a setup `toss`; did you mean `tos`?"},
	{"let A b\n", 1, 5,
	 "let: expected a name of small letters, digits and _, not 'A'"},
	{"let a b\nlet a c\n", 2, 5, "'a' is defined already"},
	{"section x\n", 1, 9,
	 "section: expected an RFC's number, its section and a title, as in "
	 "`section 7915 4.1 Title`"},
};

START_TEST(test_bad_files)
{
	ck_assert_ptr_null(
		suite_load_text("t", bad_files[_i].text, arena, &diags));
	ck_assert_uint_ge(diags.n, 1);
	ck_assert_msg(!strncmp(diags.v[0].text, bad_files[_i].says,
			       strlen(bad_files[_i].says)),
		      "%s", diags.v[0].text);
	ck_assert_uint_eq(diags.v[0].pos.line, bad_files[_i].line);
	ck_assert_uint_eq(diags.v[0].pos.column, bad_files[_i].column);
}
END_TEST

/* A file cut anywhere, or with a byte changed, is read without harm. */
START_TEST(test_torn_files)
{
	static const char text[] =
		HEAD "case one x\n 4> ip ttl=7 opts=nop,1.2.3.4 / icmp "
		     "unreachable mtu=5 / ip / udp / data 9 / cut 20 / pad 40 "
		     "/ ext / obj\n 6< ip6 hop=@h / udp / slice 8 16\n"
		     " check @h in 1..5\n";

	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		char copy[sizeof(text)];
		struct diags d;

		memcpy(copy, text, sizeof(text));
		copy[i] = _i ? (char)('!' + i % 90) : '\0';
		diags_init(&d);
		suite_load_text("t", copy, arena, &d);
		diags_fini(&d);
	}
}
END_TEST

START_TEST(test_many_layers)
{
	char text[4096] = U4;

	for (int i = 0; i < 70; i++)
		strcat(text, " / udp");
	ck_assert_ptr_null(parse(text, false));
	ck_assert_str_eq(diags.v[0].text, "at most 64 layers");
}
END_TEST

/* The cases that are shipped. */
START_TEST(test_shipped)
{
	struct suite *s = suite_load("conform", arena, &diags);
	static uint8_t buf[PACKET_MAX_BYTES];

	diags_print(&diags, stderr);
	ck_assert_ptr_nonnull(s);
	for (size_t i = 0; i < s->n_cases; i++)
		for (size_t k = 0; k < s->cases[i]->n_steps; k++) {
			const struct step *st = &s->cases[i]->steps[k];

			if (!st->packet)
				continue;
			ck_assert_msg(packet_build(st->packet, binds, NULL, 0,
						   buf, sizeof(buf), NULL) > 0,
				      "%s:%u", st->pos.file, st->pos.line);
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conform");
	TCase *t = tcase_create("packets");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_udp4);
	tcase_add_test(t, test_udp6);
	tcase_add_test(t, test_tcp_options);
	tcase_add_test(t, test_error_cut);
	tcase_add_test(t, test_slices);
	tcase_add_test(t, test_extension);
	tcase_add_test(t, test_overrides);
	tcase_add_test(t, test_extension_headers);
	tcase_add_test(t, test_match_same);
	tcase_add_test(t, test_match_wild);
	tcase_add_test(t, test_match_fields);
	tcase_add_test(t, test_match_data);
	tcase_add_test(t, test_match_inner);
	tcase_add_test(t, test_match_open);
	tcase_add_test(t, test_match_bound);
	tcase_add_test(t, test_match_bound_fails);
	tcase_add_test(t, test_print);
	tcase_add_test(t, test_junk);
	tcase_add_loop_test(t, test_mistakes, 0,
			    sizeof(mistakes) / sizeof(*mistakes));
	tcase_add_test(t, test_suite);
	tcase_add_loop_test(t, test_bad_files, 0,
			    sizeof(bad_files) / sizeof(*bad_files));
	tcase_add_loop_test(t, test_torn_files, 0, 2);
	tcase_add_test(t, test_many_layers);
	tcase_add_test(t, test_shipped);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
