/* sim-cut.c - what a power cut leaves of a traced disk. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fault/sim-private.h"

/* A file as it surely is, and what was written since. */
typedef struct {
	GByteArray *sure;
	GPtrArray *pending; /* of const Op*, not owned */
	GHashTable *spoiled; /* number of a block → the Op whose sync failed */
} CutFile;

struct SimCut {
	SimDisk *sim;
	guint step;
	GHashTable *names;      /* path → file, durably */
	GPtrArray *name_ops;    /* of const Op*, not synced */
	GHashTable *files;      /* number → CutFile */
};

static void
cut_file_free(void *data)
{
	CutFile *file = data;

	g_byte_array_unref(file->sure);
	g_ptr_array_unref(file->pending);
	g_hash_table_unref(file->spoiled);
	g_free(file);
}

static CutFile *
cut_file(SimCut *cut, unsigned number)
{
	CutFile *file = g_hash_table_lookup(cut->files, GUINT_TO_POINTER(number));

	if (file == NULL) {
		file = g_new0(CutFile, 1);
		file->sure = g_byte_array_new();
		file->pending = g_ptr_array_new();
		file->spoiled = g_hash_table_new(NULL, NULL);
		g_hash_table_insert(cut->files, GUINT_TO_POINTER(number), file);
	}
	return file;
}

SimCut *
sim_cut_new(SimDisk *sim)
{
	SimCut *cut = g_new0(SimCut, 1);

	cut->sim = sim;
	cut->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	cut->name_ops = g_ptr_array_new();
	cut->files = g_hash_table_new_full(NULL, NULL, NULL, cut_file_free);
	return cut;
}

void
sim_cut_free(SimCut *cut)
{
	g_hash_table_unref(cut->names);
	g_hash_table_unref(cut->files);
	g_ptr_array_unref(cut->name_ops);
	g_free(cut);
}

static void
cut_write_octets(GByteArray *to, uint64_t offset, const uint8_t *data, size_t size)
{
	const guint end = (guint)(offset + size), before = to->len;

	if (end > before) {
		g_byte_array_set_size(to, end);
		memset(to->data + before, 0, end - before);
	}
	memcpy(to->data + offset, data, size);
}

static void
cut_name_op(GHashTable *names, const Op *op)
{
	void *file;

	if (op->type == OP_CREATE) {
		g_hash_table_insert(names, g_strdup(op->path), GUINT_TO_POINTER(op->file));
	} else if (op->type == OP_UNLINK) {
		g_hash_table_remove(names, op->path);
	} else if ((file = g_hash_table_lookup(names, op->path)) != NULL) {
		g_hash_table_remove(names, op->path);
		g_hash_table_insert(names, g_strdup(op->to), file);
	}
}

static bool
cut_is_in(const char *path, const char *directory)
{
	g_autofree char *parent = g_path_get_dirname(path);

	return strcmp(strcmp(parent, ".") == 0 ? "" : parent, directory) == 0;
}

static void
cut_sync_names(SimCut *cut, const char *directory)
{
	guint kept = 0;

	for (guint i = 0; i < cut->name_ops->len; i++) {
		const Op *op = cut->name_ops->pdata[i];

		if (cut_is_in(op->path, directory))
			cut_name_op(cut->names, op);
		else
			cut->name_ops->pdata[kept++] = (void *)(uintptr_t)op;
	}
	g_ptr_array_set_size(cut->name_ops, (gint)kept);
}

/* Whose fate is unknown from now on; NULL: nobody's, it was written again and synced. */
static void
cut_note_blocks(CutFile *file, const Op *op, Op *spoiled)
{
	for (uint64_t at = 0; at < op->size; at += SIM_BLOCK) {
		void *block = GSIZE_TO_POINTER((op->offset + at) / SIM_BLOCK);

		if (spoiled == NULL)
			g_hash_table_remove(file->spoiled, block);
		else
			g_hash_table_insert(file->spoiled, block, spoiled);
	}
}

static void
cut_step(SimCut *cut, Op *op)
{
	CutFile *file = op->file != 0 ? cut_file(cut, op->file) : NULL;

	switch (op->type) {
	case OP_WRITE:
		g_ptr_array_add(file->pending, op);
		break;
	case OP_SYNC:
		for (guint i = 0; i < file->pending->len; i++) {
			const Op *write = file->pending->pdata[i];

			cut_write_octets(file->sure, write->offset, write->data, write->size);
			cut_note_blocks(file, write, NULL);
		}
		g_ptr_array_set_size(file->pending, 0);
		break;
	case OP_SPOILED_SYNC:
		for (guint i = 0; i < file->pending->len; i++)
			cut_note_blocks(file, file->pending->pdata[i], file->pending->pdata[i]);
		g_ptr_array_set_size(file->pending, 0);
		break;
	case OP_SYNC_NAMES:
		cut_sync_names(cut, op->path);
		break;
	default:
		g_ptr_array_add(cut->name_ops, op);
	}
}

void
sim_cut_advance(SimCut *cut, guint step)
{
	g_mutex_lock(&cut->sim->lock);
	for (; cut->step < step && cut->step < cut->sim->ops->len; cut->step++)
		cut_step(cut, cut->sim->ops->pdata[cut->step]);
	g_mutex_unlock(&cut->sim->lock);
}

/* Block by block: kept, lost, or half of it. */
static void
cut_write_some(GByteArray *to, const GPtrArray *ops, GRand *rand, int chance)
{
	for (guint i = 0; i < ops->len; i++) {
		const Op *op = ops->pdata[i];

		for (size_t at = 0; at < op->size; at += SIM_BLOCK) {
			const size_t size = MIN(SIM_BLOCK, op->size - at);
			const int fate = g_rand_int_range(rand, 0, 100);

			if (fate < chance)
				cut_write_octets(to, op->offset + at, op->data + at, size);
			else if (fate < chance + (100 - chance) / 4)
				cut_write_octets(to, op->offset + at, op->data + at, (size + 1) / 2);
		}
	}
}

static void
cut_write_file(SimCut *cut, const char *path, unsigned number, GRand *rand, int chance)
{
	const CutFile *file = cut_file(cut, number);
	g_autoptr(GByteArray) all = g_byte_array_new();

	GHashTableIter iter;
	void *block, *op;
	int fd;

	g_byte_array_append(all, file->sure->data, file->sure->len);
	g_hash_table_iter_init(&iter, file->spoiled);
	while (g_hash_table_iter_next(&iter, &block, &op)) {
		const Op *write = op;
		const uint64_t at = (uint64_t)GPOINTER_TO_SIZE(block) * SIM_BLOCK - write->offset;

		if (g_rand_int_range(rand, 0, 100) < 60)
			cut_write_octets(all, write->offset + at, write->data + at, MIN(SIM_BLOCK, write->size - at));
	}
	cut_write_some(all, file->pending, rand, chance);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, all->data, all->len) != (ssize_t)all->len || close(fd) != 0)
		g_error("cannot write %s", path);
}

void
sim_cut_write(SimCut *cut, const char *directory, GRand *rand)
{
	static const int chances[] = { 0, 30, 50, 80, 100 };
	const int chance = chances[g_rand_int_range(rand, 0, G_N_ELEMENTS(chances))];
	const int name_chance = chances[g_rand_int_range(rand, 0, G_N_ELEMENTS(chances))];
	g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GHashTableIter iter;
	void *path, *file;

	g_hash_table_iter_init(&iter, cut->names);
	while (g_hash_table_iter_next(&iter, &path, &file))
		g_hash_table_insert(names, g_strdup(path), file);
	for (guint i = 0; i < cut->name_ops->len; i++)
		if (g_rand_int_range(rand, 0, 100) < name_chance)
			cut_name_op(names, cut->name_ops->pdata[i]);
	g_hash_table_iter_init(&iter, names);
	while (g_hash_table_iter_next(&iter, &path, &file)) {
		g_autofree char *full = g_build_filename(directory, path, NULL);

		cut_write_file(cut, full, GPOINTER_TO_UINT(file), rand, chance);
	}
}
