/* test-attachments.c - the plugin attachments in the test host. */
#include "plugin-test.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>
#include <string.h>

#include "plugins/attachments/archive.h"
#include "plugins/attachments/names.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_attachments;

#define SENDER "user@example.net"
#define MIXED "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nhello\r\n--a\r\n"
#define END "\r\n--a--\r\n"
#define NAMED(NAME) MIXED "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; " NAME "\r\n\r\nx" END
#define KIND "(files of this kind are not accepted)\n"

static PtnTest *
new_test(const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_attachments, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_entry(test, PTN_ACCOUNT, SENDER, "password", "unused", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, SENDER, "x");
	return test;
}

static void
check(PtnTest *test, const char *content, const char *start)
{
	const size_t before = ptn_test_queued(test);
	const char *reply = ptn_test_submit(test, SENDER, "rcpt@example.org", content);
	g_autofree char *actual = g_strdup_printf("%.300s: %.*s", content, (int)strlen(start), reply);
	g_autofree char *expected = g_strdup_printf("%.300s: %s", content, start);

	ASSERT_TEXT(actual, expected);
	CU_ASSERT_EQUAL(ptn_test_queued(test), before + (reply[0] == '2'));
}

typedef struct {
	const char *content, *start;
} Case;

static void
check_all(const char *config, const Case *cases)
{
	PtnTest *test = new_test(config);

	for (; cases->content != NULL; cases++)
		check(test, cases->content, cases->start);
	ptn_test_free(test);
}

/* ---- names and types ---- */

static void
test_names(void)
{
	static const Case cases[] = {
		{ NAMED("filename=setup.exe"), "550 5.7.1 Message contains setup.exe " KIND },
		{ NAMED("filename=\"Invoice.pdf.EXE\""), "550 5.7.1 Message contains Invoice.pdf.EXE " KIND },
		{ NAMED("filename=\"invoice.exe.pdf\""), "250" },
		{ NAMED("filename=exe"), "250" },
		{ NAMED("filename=\"a.exe.\""), "550 5.7.1" }, { NAMED("filename=\"a.exe . . \""), "550 5.7.1" },
		{ NAMED("filename=\"a.exe::$DATA\""), "550 5.7.1" }, { NAMED("filename=\"C:\\\\dir\\\\a.exe\""), "550 5.7.1" },
		{ NAMED("filename*=utf-8''%61.e%78e"), "550 5.7.1 Message contains a.exe " KIND },
		{ NAMED("filename*0=\"a.\";\r\n filename*1=\"ex\"; filename*2*=%65"), "550 5.7.1 Message contains a.exe " KIND },
		{ NAMED("filename=\"=?utf-8?B?YS5leGU=?=\""), "550 5.7.1 Message contains a.exe " KIND },
		{ NAMED("filename=\"=?utf-8?Q?=C3=BC.exe?=\""), "550 5.7.1 Message contains ?.exe " KIND },
		{ NAMED("filename*=utf-8''a%E2%80%AEfdp.exe"), "550 5.7.1 Message contains a?fdp.exe " KIND },
		{ NAMED("filename*=utf-8''a.e%E2%80%8Bxe"), "550 5.7.1" },
		{ NAMED("filename*=utf-8''a.%EF%BD%85%EF%BD%98%EF%BD%85"), "550 5.7.1" },
		{ NAMED("filename*=utf-8''a.exe%20%00"), "550 5.7.1" },
		{ "Content-Type: text/plain; name=a.vbs\r\n\r\nx\r\n", "550 5.7.1 Message contains a.vbs " KIND },
		{ MIXED "Content-Type: text/plain; name=a.vbs\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx" END,
			"550 5.7.1" },
		{ MIXED "Content-Type: message/rfc822; name=a.txt\r\n\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
			"Content-Disposition: attachment; filename=inner.scr\r\n\r\nx\r\n--b--\r\n" END,
			"550 5.7.1 Message contains inner.scr " KIND },
		{ MIXED "Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=a.scr\r\n\r\nSubject: x\r\n\r\ny" END,
			"550 5.7.1" },
		{ "Subject: x\r\n\r\nhello\r\nbegin 644 old.exe\r\n#86)C\r\n`\r\nend\r\n", "550 5.7.1 Message contains old.exe " KIND },
		{ "Subject: x\r\n\r\nto begin 644 old.exe\r\nbegin now.exe\r\n", "250" },
		{ NULL, NULL } };

	check_all(NULL, cases);
}

static void
test_types(void)
{
	static const Case cases[] = {
		{ "Content-Type: application/hta\r\n\r\nx\r\n", "550 5.7.1 Message contains application/hta " KIND },
		{ "Content-Type: Application/X-MSDownload; name=a.txt\r\n\r\nx\r\n", "550 5.7.1 Message contains a.txt " KIND },
		{ "Content-Type: application/pdf\r\n\r\nMZ are letters\r\n", "250" }, { NULL, NULL } };
	static const Case other[] = { { "Content-Type: image/png\r\n\r\nx\r\n", "550 5.7.1" },
		{ "Content-Type: application/hta; name=a.exe\r\n\r\nx\r\n", "250" },
		{ "Content-Type: text/plain; name=VBAProject.BIN\r\n\r\nx\r\n", "550 5.7.1" }, { NULL, NULL } };

	check_all(NULL, cases);
	check_all("[plugin attachments]\nnames = vbaProject.bin\ntypes = image/*\n", other);
}

static char *
attached(const char *name, const void *octets, size_t size)
{
	g_autofree char *coded = g_base64_encode(octets, size);

	return g_strdup_printf(MIXED "Content-Type: application/octet-stream; name=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s" END,
		name, coded);
}

static void
check_attached(PtnTest *test, const char *name, const void *octets, size_t size, const char *start)
{
	g_autofree char *content = attached(name, octets, size);

	check(test, content, start);
}

static void
test_octets(void)
{
	char program[0x80] = "MZ";
	PtnTest *test = new_test(NULL);

	program[0x3c] = 0x40;
	check_attached(test, "a.txt", program, sizeof program, "250");
	(void)memcpy(program + 0x40, "PE\0\0", 4);
	check_attached(test, "a.txt", program, sizeof program, "550 5.7.1 Message contains a.txt " KIND);
	ptn_test_free(test);
}

/* ---- archives ---- */

/* With two files, readme.txt and `name`, by libarchive's writer. */
static char *
make_archive(int format, int filter, const char *options, const char *name, size_t *size)
{
	struct archive *writer = archive_write_new();
	char *octets = g_malloc(1 << 20);
	const char *const names[] = { "readme.txt", name };

	CU_ASSERT_EQUAL(archive_write_set_format(writer, format), ARCHIVE_OK);
	CU_ASSERT_EQUAL(archive_write_add_filter(writer, filter), ARCHIVE_OK);
	if (options != NULL) {
		CU_ASSERT_EQUAL(archive_write_set_options(writer, options), ARCHIVE_OK);
		CU_ASSERT_EQUAL(archive_write_set_passphrase(writer, "secret"), ARCHIVE_OK);
	}
	CU_ASSERT_EQUAL(archive_write_open_memory(writer, octets, 1 << 20, size), ARCHIVE_OK);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, names[i]);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, 5);
		CU_ASSERT_EQUAL(archive_write_header(writer, entry), ARCHIVE_OK);
		CU_ASSERT_EQUAL(archive_write_data(writer, "hello", 5), 5);
		archive_entry_free(entry);
	}
	CU_ASSERT_EQUAL(archive_write_close(writer), ARCHIVE_OK);
	archive_write_free(writer);
	return octets;
}

static void
check_archive(PtnTest *test, int format, int filter, const char *name, const char *start)
{
	size_t size;
	g_autofree char *octets = make_archive(format, filter, NULL, name, &size);

	check_attached(test, "doc.dat", octets, size, start);
}

static void
test_archives(void)
{
	static const struct {
		int format, filter;
	} kinds[] = { { ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE }, { ARCHIVE_FORMAT_7ZIP, ARCHIVE_FILTER_NONE },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE }, { ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_GZIP },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_XZ }, { ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_ZSTD } };
	PtnTest *test = new_test(NULL), *blind = new_test("[plugin attachments]\narchives = no\n");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		check_archive(test, kinds[i].format, kinds[i].filter, "dir/evil.exe", "550 5.7.1 Message contains dir/evil.exe in doc.dat " KIND);
		check_archive(test, kinds[i].format, kinds[i].filter, "dir/notes.txt", "250");
		check_archive(blind, kinds[i].format, kinds[i].filter, "dir/evil.exe", "250");
	}
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.attachments.unlisted"), 0);
	ptn_test_free(test);
	ptn_test_free(blind);
}

/* One right before the end, one where the end says it is: which of them is read depends on the program. */
static void
test_two_directories(void)
{
	enum { TAIL = 22 };
	size_t bad_size, good_size, directory;
	g_autofree char *bad = make_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL, "evil.exe", &bad_size);
	g_autofree char *good = make_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL, "note.txt", &good_size);
	const char *end = good + good_size - TAIL;
	g_autoptr(GString) both = g_string_new_len(bad, (gssize)bad_size - TAIL);
	PtnTest *test = new_test(NULL);

	directory = (unsigned char)end[12] | (size_t)(unsigned char)end[13] << 8;
	CU_ASSERT_EQUAL(bad_size, good_size);
	g_string_append_len(both, end - directory, (gssize)directory);
	g_string_append_len(both, bad + bad_size - TAIL, TAIL);
	check_attached(test, "a.zip", both->str, both->len, "550 5.7.1 Message contains evil.exe in a.zip " KIND);
	ptn_test_free(test);
}

static void
test_encrypted(void)
{
	size_t size;
	g_autofree char *zip = make_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, "zip:encryption=zipcrypt", "notes.txt", &size);
	PtnTest *test = new_test(NULL);

	check_attached(test, "a.zip", zip, size, "250");
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nencrypted = reject\n");
	check_attached(test, "a.zip", zip, size, "550 5.7.1 Message contains a.zip (encrypted archives are not accepted)");
	check_archive(test, ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, "notes.txt", "250");
	ptn_test_free(test);
}

static void
test_unlisted(void)
{
	static const char damaged[] = "PK\3\4 and no more", packed[] = "BZh91AY&SY";
	PtnTest *test = new_test(NULL);

	check_attached(test, "a.zip", damaged, sizeof damaged, "250");
	check_attached(test, "a.bz2", packed, sizeof packed, "250");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.attachments.unlisted"), 2);
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nunlisted = reject\n");
	check_attached(test, "a.zip", damaged, sizeof damaged, "550 5.7.1 Message contains a.zip (its files cannot be listed)");
	ptn_test_free(test);
}

/* What a sender can bring about by more files or octets is no way around the names. */
static void
test_archive_limits(void)
{
	static const int formats[] = { ARCHIVE_FORMAT_ZIP, ARCHIVE_FORMAT_TAR_USTAR };
	PtnTest *test = new_test("[plugin attachments]\nmost-entries = 1\n");

	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
		check_archive(test, formats[i], ARCHIVE_FILTER_NONE, "notes.txt", "550 5.7.1 Message has more parts or files than");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.attachments.cut"), 2);
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nmost-archive = 1K\n");
	check_archive(test, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, "notes.txt", "550 5.7.1 Message has more parts or files");
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nmost-entries = 1\non-limit = pass\nunlisted = reject\n");
	check_archive(test, ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, "notes.txt", "250");
	ptn_test_free(test);
}

/* Nothing but time stops a bomb: what it took is little, and it counts as not listed. */
static bool
count_entry(const char *name, bool is_encrypted, void *data)
{
	(void)name, (void)is_encrypted;
	++*(unsigned *)data;
	return true;
}

static void
test_time(void)
{
	size_t size;
	g_autofree char *tar = make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, NULL, "a.txt", &size);
	int64_t time_left = 0;
	const ArchiveLimits limits = { 10, &time_left };
	unsigned entries = 0;

	CU_ASSERT_EQUAL(archive_list(tar, size, &limits, count_entry, &entries), ARCHIVE_UNLISTED);
	time_left = INT64_C(1000000000);
	CU_ASSERT_EQUAL(archive_list(tar, size, &limits, count_entry, &entries), ARCHIVE_LISTED);
	CU_ASSERT_EQUAL(entries, 2);
	CU_ASSERT_TRUE(time_left < INT64_C(1000000000));
	time_left = 1; /* it begins, and is stopped */
	CU_ASSERT_EQUAL(archive_list(tar, size, &limits, count_entry, &entries), ARCHIVE_UNLISTED);
	CU_ASSERT_EQUAL(entries, 2);
}

/* A header of a zip file at each place where one could be, and extra fields of four octets: what a pass visits is bounded. */
static void
test_zip_limits(void)
{
	int64_t time_left = INT64_C(1000000000);
	const ArchiveLimits limits = { 100, &time_left };
	g_autoptr(GString) headers = g_string_new(NULL), extras = g_string_new(NULL);
	unsigned entries = 0;

	for (unsigned i = 0; i < 101; i++)
		g_string_append_len(headers, "PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0x", 31);
	CU_ASSERT_EQUAL(archive_list(headers->str, headers->len, &limits, count_entry, &entries), ARCHIVE_CUT);
	CU_ASSERT_EQUAL(entries, 100);
	CU_ASSERT_EQUAL(archive_list(headers->str, headers->len - 31, &limits, count_entry, &entries), ARCHIVE_UNLISTED);
	CU_ASSERT_EQUAL(entries, 200);
	g_string_append_len(extras, headers->str, 31);
	extras->str[28] = extras->str[29] = '\x7f';
	g_string_set_size(extras, 31 + 0x7f7f);
	memset(extras->str + 31, 0, 0x7f7f);
	CU_ASSERT_EQUAL(archive_list(extras->str, extras->len, &limits, count_entry, &entries), ARCHIVE_CUT);
}

/* A signature is found wherever the pieces end; so are no more than are tried. */
static void
test_signatures(void)
{
	static const char *const signatures[] = { "PK\5\6", "Rar!\x1a\7", "7z\xbc\xaf\x27\x1c" };
	int64_t time_left = INT64_C(1000000000);
	const ArchiveLimits limits = { 100, &time_left };
	g_autoptr(GString) many = g_string_new("x");
	unsigned entries = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++)
		for (size_t piece = 1; piece < 12; piece++) {
			g_autofree char *octets = g_strdup_printf("0123456789%s0123", signatures[i]);
			const size_t size = strlen(octets);
			ArchiveSearch search = { .seen = 0 }, before = { .seen = 0 };

			for (size_t at = 0; at < size; at += piece)
				archive_search(&search, octets + at, MIN(piece, size - at));
			archive_search(&before, octets, 10 + strlen(signatures[i]) - 1);
			CU_ASSERT_EQUAL(search.has_zip, i == 0);
			CU_ASSERT_EQUAL(search.has_other, i != 0);
			CU_ASSERT_FALSE(before.has_zip || before.has_other);
		}
	for (unsigned i = 0; i < 17; i++)
		g_string_append(many, "Rar!\x1a\7");
	CU_ASSERT_EQUAL(archive_list(many->str, many->len, &limits, count_entry, &entries), ARCHIVE_UNLISTED);
	CU_ASSERT_PTR_EQUAL(archive_find_other(many->str, many->len, many->str), many->str + 1);
}

static void
test_limits(void)
{
	GString *content = g_string_new(MIXED), *files = g_string_new("Subject: x\r\n\r\n");
	PtnTest *test = new_test(NULL);

	for (unsigned i = 0; i < 300; i++)
		g_string_append(content, "\r\nx\r\n--a\r\n");
	g_string_append(content, END);
	check(test, content->str, "250");
	for (unsigned i = 0; i < 1100; i++)
		g_string_append(files, "begin 644 a.txt\r\n`\r\nend\r\n");
	check(test, files->str, "550 5.7.1 Message has more parts or files than can be checked");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.attachments.cut"), 1);
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nmost-parts = 200\n");
	check(test, content->str, "550 5.7.1 Message has more parts or files than can be checked");
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nmost-parts = 200\non-limit = defer\n");
	check(test, content->str, "450 4.7.1 Message has more parts or files than can be checked");
	ptn_test_free(test);
	test = new_test("[plugin attachments]\nmost-parts = 200\non-limit = pass\n");
	check(test, content->str, "250");
	ptn_test_free(test);
	g_string_free(content, TRUE);
	g_string_free(files, TRUE);
}

/* To abuse@ anybody may report what was sent to them: only if nobody else gets it. */
static void
test_exempt(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse@anywhere.example", NAMED("filename=a.exe"))[0], '2');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "Submit.x@spam.spamcop.net", NAMED("filename=a.exe"))[0], '2');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse.desk@anywhere.example", NAMED("filename=a.exe"))[0], '5');
	(void)ptn_test_say(test, "MAIL FROM:<" SENDER ">");
	(void)ptn_test_say(test, "RCPT TO:<abuse@anywhere.example>");
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "x@example.org", NAMED("filename=a.exe"))[0], '5');
	(void)ptn_test_say(test, "RSET");
	(void)ptn_test_say(test, "MAIL FROM:<" SENDER ">\r\nRCPT TO:<abuse@anywhere.example>\r\nRCPT TO:<x@example.org>\r\nDATA");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, NAMED("filename=a.exe") "."), "550", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

static void
test_folding(void)
{
	static const struct {
		const char *name, *folded;
	} cases[] = { { "A.EXE", "a.exe" }, { "dir/a.exe", "a.exe" }, { "a.exe/", "a.exe" }, { "..", "" }, { "", "" }, { ":", ":" },
		{ "\xff.exe", "\xef\xbf\xbd.exe" }, { "a.exe:s", "a.exe" }, { "C:a.exe", "c:a.exe" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *folded = name_fold(cases[i].name);

		ASSERT_TEXT(folded, cases[i].folded);
	}
}

static const UnitTest tests[] = {
	{ "X-03 names of files, however they are written, in nested parts", test_names },
	{ "X-03 types", test_types },
	{ "X-03 programs by their octets", test_octets },
	{ "X-03 names in archives", test_archives },
	{ "a zip file with two directories: both count", test_two_directories },
	{ "X-03 encrypted archives", test_encrypted },
	{ "X-03 archives that cannot be listed", test_unlisted },
	{ "X-05 archives with more files or octets than are looked at", test_archive_limits },
	{ "archives: a limit of processor time", test_time },
	{ "X-05 headers and extra fields of a zip file are bounded", test_zip_limits },
	{ "X-07 signatures of archives are found at any place", test_signatures },
	{ "X-05 parts are bounded: beyond that refused, put off or passed", test_limits },
	{ "X-04 messages to exempt recipients only are accepted", test_exempt },
	{ "names are folded", test_folding },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "attachments", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
