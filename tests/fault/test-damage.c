/* test-damage.c - blocks that rot, formats of another time, and files that nothing names. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "fault/fault.h"
#include "mail/bytes.h"
#include "mail/spool-record.h"

enum { DAMAGE_MESSAGES = 40, DAMAGE_SEGMENT = 32 << 10 };

/* A spool of some segments, all of it delivered to nobody yet. */
static char *
damage_new_spool(Ledger *ledger)
{
	char *directory = unit_new_directory();
	Spool *spool = ledger_open(directory, ledger_fast_disk());

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	for (int i = 0; i < DAMAGE_MESSAGES; i++)
		CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 100 + (size_t)i * 100, 0), SPOOL_COMMITTED);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 9000, 0), SPOOL_COMMITTED);
	spool_close(spool);
	return directory;
}

static char *
damage_segment_path(const char *directory, unsigned number)
{
	return g_strdup_printf("%s/log/%016x", directory, number);
}

static void
damage_block(const char *path, uint64_t offset)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t octets[SPOOL_BLOCK];

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pread(fd, octets, sizeof octets, (off_t)offset), (ssize_t)sizeof octets);
	for (size_t i = 90; i < 2000; i++)
		octets[i] ^= 0x55;
	CU_ASSERT_EQUAL(pwrite(fd, octets, sizeof octets, (off_t)offset), (ssize_t)sizeof octets);
	(void)close(fd);
}

/* How many messages read whole; the others must say that they are damaged. */
static unsigned
damage_count_whole(Spool *spool)
{
	unsigned n = 0;

	for (QueueId id = 1000; id < 1000 + DAMAGE_MESSAGES + 1; id++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(SpoolMessage) message = spool_read(spool, id, &error);

		if (message != NULL && spool_read_content(message, &error))
			n++;
		else
			CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_DAMAGED) ||
				g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND));
	}
	return n;
}

static unsigned
damage_check(const char *directory)
{
	const SpoolSettings settings = { .directory = directory, .clock = clock_system() };
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	const bool is_whole = spool_check(&settings, findings, &error);

	CU_ASSERT_PTR_NULL(error);
	CU_ASSERT_EQUAL(is_whole, findings->len == 0);
	return findings->len;
}

/* Block after block of a segment that lies between others: one batch is lost, no other, and it is said. */
static void
damage_one(unsigned segment, uint64_t offset)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	g_autofree char *path = damage_segment_path(directory, segment);
	Spool *spool;

	CU_ASSERT_EQUAL(damage_check(directory), 0);
	damage_block(path, offset);
	CU_ASSERT(damage_check(directory) > 0);
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT(damage_count_whole(spool) >= DAMAGE_MESSAGES);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 500, 1), SPOOL_COMMITTED);
	spool_close(spool);
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT(damage_count_whole(spool) >= DAMAGE_MESSAGES);
	spool_close(spool);
	unit_remove_directory(directory);
	ledger_free(ledger);
}

static void
test_blocks(void)
{
	for (uint64_t offset = SPOOL_BLOCK; offset <= 5 * SPOOL_BLOCK; offset += SPOOL_BLOCK)
		damage_one(2, offset);
}

/* Without its summary the segment is scanned, and the damaged batch is known at start. */
static void
test_scan(void)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	g_autofree char *path = damage_segment_path(directory, 2);
	g_autoptr(GPtrArray) damage = NULL;
	SpoolFigures figures;
	Spool *spool;

	damage_block(path, DAMAGE_SEGMENT - SPOOL_BLOCK); /* rows or padding */
	damage_block(path, 2 * SPOOL_BLOCK);
	spool = ledger_open(directory, ledger_fast_disk());
	spool_figures(spool, &figures);
	damage = spool_damage(spool);
	CU_ASSERT(figures.has_damage);
	CU_ASSERT(damage->len >= 1);
	CU_ASSERT(damage_count_whole(spool) >= DAMAGE_MESSAGES);
	spool_close(spool);
	unit_remove_directory(directory);
	ledger_free(ledger);
}

static unsigned
damage_count_lost(const char *directory)
{
	g_autofree char *lost = g_build_filename(directory, "lost", NULL);
	g_autoptr(GDir) opened = g_dir_open(lost, 0, NULL);
	unsigned n = 0;

	while (opened != NULL && g_dir_read_name(opened) != NULL)
		n++;
	return n;
}

/* Compaction empties the damaged segment; the segment itself is kept. */
static void
test_compaction(void)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	g_autofree char *path = damage_segment_path(directory, 1);
	SpoolFigures figures = { 0 };
	Spool *spool;

	damage_block(path, 3 * SPOOL_BLOCK);
	spool = ledger_open(directory, ledger_fast_disk());
	for (int i = 0; i < 150; i++)
		CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 10, 0), SPOOL_COMMITTED);
	for (int i = 0; i < 2000 && access(path, F_OK) == 0; i++)
		g_usleep(1000);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	CU_ASSERT(damage_count_whole(spool) >= DAMAGE_MESSAGES);
	spool_figures(spool, &figures);
	CU_ASSERT(figures.compacted_octets > 0);
	spool_close(spool);
	CU_ASSERT(damage_count_lost(directory) >= 1);
	unit_remove_directory(directory);
	ledger_free(ledger);
}

/* ---- versions and owners ---- */

static void
damage_digest_file(GChecksum *digest, const char *directory, const char *name)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autofree char *text = NULL;
	gsize size;

	g_checksum_update(digest, (const guchar *)path, -1);
	if (g_file_get_contents(path, &text, &size, NULL))
		g_checksum_update(digest, (const guchar *)text, (gssize)size);
}

static int
damage_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* New. */
static char *
damage_digest(const char *directory)
{
	static const char *const parts[] = { "", "log", "content", "lost" };
	g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_build_filename(directory, parts[i], NULL);
		g_autoptr(GDir) opened = g_dir_open(path, 0, NULL);
		g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
		const char *name;

		while (opened != NULL && (name = g_dir_read_name(opened)) != NULL)
			g_ptr_array_add(names, g_strdup(name));
		g_ptr_array_sort(names, damage_compare_names);
		for (guint k = 0; k < names->len; k++)
			damage_digest_file(digest, path, names->pdata[k]);
	}
	return g_strdup(g_checksum_get_string(digest));
}

static void
damage_expect_refusal(const char *directory, const char *words)
{
	g_autofree char *before = damage_digest(directory), *after = NULL;
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .segment_size = DAMAGE_SEGMENT };
	g_autoptr(GError) error = NULL;

	CU_ASSERT_PTR_NULL_FATAL(spool_open(&settings, &error));
	CU_ASSERT_PTR_NOT_NULL(strstr(error->message, words));
	after = damage_digest(directory);
	ASSERT_TEXT(after, before);
}

static void
test_version(void)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	g_autofree char *format = g_build_filename(directory, "format", NULL);
	g_autofree char *path = damage_segment_path(directory, 2);
	g_autofree char *text = NULL, *other = NULL, *segment = NULL;
	gsize size;

	CU_ASSERT(g_file_get_contents(format, &text, NULL, NULL));
	other = g_strdup_printf("postern-spool 4%s", text + strlen("postern-spool 3"));
	CU_ASSERT(g_file_set_contents(format, other, -1, NULL));
	damage_expect_refusal(directory, "format version 4");
	CU_ASSERT(g_file_set_contents(format, text, -1, NULL));
	CU_ASSERT_FATAL(g_file_get_contents(path, &segment, &size, NULL));
	bytes_set32((uint8_t *)segment + 12, 2);
	bytes_set32((uint8_t *)segment + 8, 0);
	bytes_set32((uint8_t *)segment + 8, crc32c(0, segment, SPOOL_BLOCK));
	CU_ASSERT(g_file_set_contents(path, segment, (gssize)size, NULL));
	damage_expect_refusal(directory, "version");
	CU_ASSERT(g_remove(format) == 0);
	damage_expect_refusal(directory, "missing");
	unit_remove_directory(directory);
	ledger_free(ledger);
}

static void
test_owner(void)
{
	g_autofree char *directory = unit_new_directory();
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	const SpoolSettings settings = { .directory = directory, .clock = clock_system() };
	g_autoptr(GError) error = NULL, check_error = NULL;
	g_autoptr(GPtrArray) findings = g_ptr_array_new();

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_PTR_NULL(spool_open(&settings, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_EXISTS));
	CU_ASSERT_FALSE(spool_check(&settings, findings, &check_error));
	CU_ASSERT(g_error_matches(check_error, POSTERN_ERROR, POSTERN_ERROR_EXISTS));
	spool_close(spool);
	unit_remove_directory(directory);
}

/* ---- what nothing names ---- */

static void
damage_write_stray(const char *directory)
{
	g_autofree char *path = g_strdup_printf("%s/content/%016x", directory, 0x777);

	CU_ASSERT(g_file_set_contents(path, "stray", -1, NULL));
}

static void
test_stray(void)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	g_autofree char *path = damage_segment_path(directory, 2);
	g_autofree char *stray = g_strdup_printf("%s/content/%016x", directory, 0x777);

	damage_write_stray(directory);
	spool_close(ledger_open(directory, ledger_fast_disk()));
	CU_ASSERT_NOT_EQUAL(access(stray, F_OK), 0);
	CU_ASSERT_EQUAL(damage_count_lost(directory), 0);
	damage_write_stray(directory);
	damage_block(path, 0);
	spool_close(ledger_open(directory, ledger_fast_disk()));
	CU_ASSERT_NOT_EQUAL(access(stray, F_OK), 0);
	CU_ASSERT_EQUAL(damage_count_lost(directory), 1);
	unit_remove_directory(directory);
	ledger_free(ledger);
}

/* ---- old batches ---- */

/* The last segment that is there: made ready, never used. */
static unsigned
damage_last_segment(const char *directory)
{
	unsigned number = 1;

	for (unsigned i = 1; i < 200; i++) {
		g_autofree char *path = damage_segment_path(directory, i);

		if (access(path, F_OK) == 0)
			number = i;
	}
	return number;
}

/* A batch in all its glory, with a message, but of another spool or segment. */
static void
damage_forge(uint8_t *at, uint64_t segment, const uint8_t *spool)
{
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(Envelope) envelope = envelope_new(4711);
	g_autoptr(MessageState) state = message_state_new(4711, 1);
	SpoolBatchHeader header = { .segment = segment, .number = 1000000, .previous = 1, .oldest = 1, .n_records = 2 };
	SpoolPlace place = { .kind = SPOOL_IN_BATCH };
	SpoolRow row;
	uint8_t head[SPOOL_BATCH_HEADER];

	envelope_add_recipient(envelope, "forged@example.org", NULL, 0);
	spool_record_finish(octets, spool_record_start(octets, SPOOL_RECORD_CONTENT));
	spool_message_encode(octets, &place, envelope, state, &row);
	header.length = SPOOL_BATCH_HEADER + octets->len;
	memcpy(header.spool, spool, SPOOL_ID_SIZE);
	spool_batch_header_encode(&header, head);
	spool_batch_seal(head, crc32c(crc32c(0, head, sizeof head), octets->data, octets->len));
	memcpy(at, head, sizeof head);
	memcpy(at + sizeof head, octets->data, octets->len);
}

static unsigned
damage_open_forged(unsigned wrong_segment, bool is_wrong_spool)
{
	Ledger *ledger = ledger_new(NULL, 1);
	g_autofree char *directory = damage_new_spool(ledger);
	const unsigned last = damage_last_segment(directory);
	g_autofree char *path = damage_segment_path(directory, last);
	g_autofree char *segment = NULL;
	uint8_t id[SPOOL_ID_SIZE];
	SpoolSummary summary;
	unsigned is_there;
	gsize size;
	Spool *spool;

	CU_ASSERT_FATAL(g_file_get_contents(path, &segment, &size, NULL));
	memcpy(id, segment + 16, sizeof id);
	id[3] ^= (uint8_t)is_wrong_spool;
	for (gsize at = SPOOL_BLOCK; at < size; at += SPOOL_BLOCK)
		damage_forge((uint8_t *)segment + at, last - wrong_segment, id);
	CU_ASSERT(g_file_set_contents(path, segment, (gssize)size, NULL));
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	is_there = spool_summary(spool, 4711, &summary);
	CU_ASSERT_EQUAL(damage_count_whole(spool), DAMAGE_MESSAGES + 1);
	spool_close(spool);
	unit_remove_directory(directory);
	ledger_free(ledger);
	return is_there;
}

static void
test_recycled(void)
{
	CU_ASSERT_EQUAL(damage_open_forged(1, false), 0);
	CU_ASSERT_EQUAL(damage_open_forged(0, true), 0);
	/* The forgery is good: with the right number and id it speaks. */
	CU_ASSERT_EQUAL(damage_open_forged(0, false), 1);
}

const UnitSuite damage_suite = { "damage", (const UnitTest[]){
	{ "Q-02 a block that rots takes one batch, no other", test_blocks },
	{ "Q-02 without its summary a segment is scanned, damage is said", test_scan },
	{ "a damaged segment is emptied, and kept in lost/", test_compaction },
	{ "an unknown format version is refused and left untouched", test_version },
	{ "a second daemon is refused", test_owner },
	{ "content that nothing names is removed, or beside damage kept", test_stray },
	{ "recycled segments cannot speak", test_recycled },
	{ 0 } } };
