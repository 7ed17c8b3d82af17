/* sim-disk.c - the Disk that fails and loses its power. */
#include "fault/sim-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SIM_BLOCK = 4096, SIM_FDS = 4096 };

typedef enum { OP_WRITE, OP_SYNC, OP_SPOILED_SYNC, OP_CREATE, OP_RENAME, OP_UNLINK, OP_SYNC_NAMES } OpType;

typedef struct {
	OpType type;
	unsigned file;
	uint64_t offset;
	uint8_t *data;
	size_t size;
	char *path, *to; /* relative to the root */
} Op;

struct SimDisk {
	Disk table; /* first: the table is the object */
	char *root;
	GMutex lock;
	unsigned countdown[SIM_CALLS], failures;
	bool is_lasting[SIM_CALLS];
	SimFault fault[SIM_CALLS];
	GPtrArray *ops;
	GHashTable *files; /* path → number of the file */
	GHashTable *sizes; /* number of the file → octets */
	unsigned n_files;
	unsigned fd_file[SIM_FDS];
	char *fd_directory[SIM_FDS];
	uint64_t capacity, used;
};

static void
op_free(void *data)
{
	Op *op = data;

	g_free(op->data);
	g_free(op->path);
	g_free(op->to);
	g_free(op);
}

static SimDisk *
sim_of(const Disk *disk)
{
	return (SimDisk *)(uintptr_t)disk;
}

static char *
sim_relative(const SimDisk *sim, const char *path)
{
	const size_t n = strlen(sim->root);

	return g_strdup(strlen(path) > n ? path + n + 1 : "");
}

static Op *
sim_trace(SimDisk *sim, OpType type, unsigned file)
{
	Op *op = g_new0(Op, 1);

	op->type = type;
	op->file = file;
	g_ptr_array_add(sim->ops, op);
	return op;
}

/* Lock held. */
static bool
sim_fails(SimDisk *sim, SimCall call)
{
	if (sim->countdown[call] == 0 || --sim->countdown[call] > 0)
		return false;
	if (sim->is_lasting[call])
		sim->countdown[call] = 1;
	sim->failures++;
	errno = sim->fault[call] == SIM_ENOSPC ? ENOSPC : EIO;
	return true;
}

static int
sim_open(const Disk *disk, const char *path, int flags, mode_t mode)
{
	SimDisk *sim = sim_of(disk);
	const int fd = open(path, flags | O_CLOEXEC, mode);
	char *name = sim_relative(sim, path);

	if (fd < 0 || fd >= SIM_FDS) {
		g_free(name);
		return fd;
	}
	g_mutex_lock(&sim->lock);
	g_clear_pointer(&sim->fd_directory[fd], g_free);
	if ((flags & O_DIRECTORY) != 0) {
		sim->fd_directory[fd] = name;
	} else {
		unsigned file = GPOINTER_TO_UINT(g_hash_table_lookup(sim->files, name));

		if (file == 0 && (flags & O_CREAT) != 0) {
			file = ++sim->n_files;
			sim_trace(sim, OP_CREATE, file)->path = g_strdup(name);
			g_hash_table_insert(sim->files, g_strdup(name), GUINT_TO_POINTER(file));
		}
		sim->fd_file[fd] = file;
		g_free(name);
	}
	g_mutex_unlock(&sim->lock);
	return fd;
}

static int
sim_close(const Disk *disk, int fd)
{
	(void)disk;
	return close(fd);
}

static ssize_t
sim_pread(const Disk *disk, int fd, void *data, size_t size, off_t offset)
{
	(void)disk;
	return pread(fd, data, size, offset);
}

static GByteArray *
sim_gather(const struct iovec *parts, int n)
{
	GByteArray *all = g_byte_array_new();

	for (int i = 0; i < n; i++)
		g_byte_array_append(all, parts[i].iov_base, (guint)parts[i].iov_len);
	return all;
}

/* Lock held.  How much of it finds room. */
static size_t
sim_room(SimDisk *sim, unsigned file, uint64_t end, size_t size)
{
	const uint64_t before = GPOINTER_TO_SIZE(g_hash_table_lookup(sim->sizes, GUINT_TO_POINTER(file)));
	uint64_t more = end > before ? end - before : 0;

	if (sim->capacity != 0 && sim->used + more > sim->capacity) {
		const uint64_t missing = sim->used + more - sim->capacity;

		if (missing >= size || missing > more)
			return 0;
		size -= missing;
		more -= missing;
		end -= missing;
	}
	if (more > 0)
		g_hash_table_insert(sim->sizes, GUINT_TO_POINTER(file), GSIZE_TO_POINTER(end));
	sim->used += more;
	return size;
}

static ssize_t
sim_pwritev(const Disk *disk, int fd, const struct iovec *parts, int n, off_t offset)
{
	SimDisk *sim = sim_of(disk);
	g_autoptr(GByteArray) all = sim_gather(parts, n);
	size_t size = all->len;
	ssize_t written;
	Op *op;

	g_mutex_lock(&sim->lock);
	if (sim_fails(sim, SIM_PWRITEV)) {
		if (sim->fault[SIM_PWRITEV] != SIM_SHORT || size < 2) {
			g_mutex_unlock(&sim->lock);
			return -1;
		}
		size = MAX(size / 3, 1);
	}
	size = sim_room(sim, sim->fd_file[fd], (uint64_t)offset + size, size);
	if (size == 0 && all->len > 0) {
		g_mutex_unlock(&sim->lock);
		errno = ENOSPC;
		return -1;
	}
	written = pwrite(fd, all->data, size, offset);
	op = sim_trace(sim, OP_WRITE, sim->fd_file[fd]);
	op->offset = (uint64_t)offset;
	op->size = size;
	op->data = g_memdup2(all->data, size);
	g_mutex_unlock(&sim->lock);
	return written;
}

/* After a sync that failed nobody knows what was written, whatever a later one says. */
static int
sim_sync(SimDisk *sim, SimCall call, int fd)
{
	int result = 0;

	g_mutex_lock(&sim->lock);
	if (sim_fails(sim, call)) {
		const int number = errno;

		if (sim->fd_directory[fd] == NULL)
			(void)sim_trace(sim, OP_SPOILED_SYNC, sim->fd_file[fd]);
		errno = number;
		result = -1;
	} else if (sim->fd_directory[fd] != NULL) {
		sim_trace(sim, OP_SYNC_NAMES, 0)->path = g_strdup(sim->fd_directory[fd]);
	} else {
		(void)sim_trace(sim, OP_SYNC, sim->fd_file[fd]);
	}
	g_mutex_unlock(&sim->lock);
	return result;
}

static int
sim_fdatasync(const Disk *disk, int fd)
{
	return sim_sync(sim_of(disk), SIM_FDATASYNC, fd);
}

static int
sim_fsync(const Disk *disk, int fd)
{
	return sim_sync(sim_of(disk), SIM_FSYNC, fd);
}

static int
sim_rename(const Disk *disk, const char *from, const char *to)
{
	SimDisk *sim = sim_of(disk);
	int result = -1;

	g_mutex_lock(&sim->lock);
	if (!sim_fails(sim, SIM_RENAME) && (result = rename(from, to)) == 0) {
		Op *op = sim_trace(sim, OP_RENAME, 0);
		void *file;

		op->path = sim_relative(sim, from);
		op->to = sim_relative(sim, to);
		file = g_hash_table_lookup(sim->files, op->path);
		g_hash_table_remove(sim->files, op->path);
		g_hash_table_insert(sim->files, g_strdup(op->to), file);
	}
	g_mutex_unlock(&sim->lock);
	return result;
}

static int
sim_unlink(const Disk *disk, const char *path)
{
	SimDisk *sim = sim_of(disk);
	int result = -1;

	g_mutex_lock(&sim->lock);
	if (!sim_fails(sim, SIM_UNLINK) && (result = unlink(path)) == 0) {
		Op *op = sim_trace(sim, OP_UNLINK, 0);
		void *file;

		op->path = sim_relative(sim, path);
		file = g_hash_table_lookup(sim->files, op->path);
		sim->used -= GPOINTER_TO_SIZE(g_hash_table_lookup(sim->sizes, file));
		g_hash_table_remove(sim->sizes, file);
		g_hash_table_remove(sim->files, op->path);
	}
	g_mutex_unlock(&sim->lock);
	return result;
}

static int
sim_free_octets(const Disk *disk, const char *path, uint64_t *octets)
{
	SimDisk *sim = sim_of(disk);

	(void)path;
	g_mutex_lock(&sim->lock);
	*octets = sim->capacity == 0 ? UINT64_MAX : sim->capacity - MIN(sim->used, sim->capacity);
	g_mutex_unlock(&sim->lock);
	return 0;
}

SimDisk *
sim_disk_new(const char *root)
{
	SimDisk *sim = g_new0(SimDisk, 1);

	sim->table = (Disk){ sim_open, sim_close, sim_pread, sim_pwritev, sim_fdatasync, sim_fsync, sim_rename,
		sim_unlink, sim_free_octets };
	sim->root = g_strdup(root);
	g_mutex_init(&sim->lock);
	sim->ops = g_ptr_array_new_with_free_func(op_free);
	sim->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	sim->sizes = g_hash_table_new(NULL, NULL);
	return sim;
}

void
sim_disk_free(SimDisk *sim)
{
	for (int i = 0; i < SIM_FDS; i++)
		g_free(sim->fd_directory[i]);
	g_ptr_array_unref(sim->ops);
	g_hash_table_unref(sim->files);
	g_hash_table_unref(sim->sizes);
	g_mutex_clear(&sim->lock);
	g_free(sim->root);
	g_free(sim);
}

const Disk *
sim_disk_table(SimDisk *sim)
{
	return &sim->table;
}

void
sim_disk_fail(SimDisk *sim, SimCall call, SimFault fault, unsigned first, bool is_lasting)
{
	g_mutex_lock(&sim->lock);
	sim->countdown[call] = first;
	sim->fault[call] = fault;
	sim->is_lasting[call] = is_lasting;
	g_mutex_unlock(&sim->lock);
}

void
sim_disk_heal(SimDisk *sim)
{
	g_mutex_lock(&sim->lock);
	memset(sim->countdown, 0, sizeof sim->countdown);
	g_mutex_unlock(&sim->lock);
}

unsigned
sim_disk_failures(SimDisk *sim)
{
	unsigned n;

	g_mutex_lock(&sim->lock);
	n = sim->failures;
	g_mutex_unlock(&sim->lock);
	return n;
}

void
sim_disk_set_capacity(SimDisk *sim, uint64_t octets)
{
	g_mutex_lock(&sim->lock);
	sim->capacity = octets;
	g_mutex_unlock(&sim->lock);
}

guint
sim_disk_step(SimDisk *sim)
{
	guint n;

	g_mutex_lock(&sim->lock);
	n = sim->ops->len;
	g_mutex_unlock(&sim->lock);
	return n;
}

/* ---- the power cut ---- */

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
