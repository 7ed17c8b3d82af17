/* sim-disk.c - the Disk that fails and loses its power. */
#include "fault/sim-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	if (sim->fault[call] == SIM_HANGS) {
		while (sim->countdown[call] > 0)
			g_cond_wait(&sim->healed, &sim->lock);
		return false;
	}
	errno = sim->fault[call] == SIM_ENOSPC ? ENOSPC : EIO;
	return true;
}

static int
sim_open(const Disk *disk, const char *path, int flags, mode_t mode)
{
	SimDisk *sim = sim_of(disk);
	char *name;
	int fd;

	g_mutex_lock(&sim->lock);
	fd = sim_fails(sim, SIM_OPEN) ? -1 : open(path, flags | O_CLOEXEC, mode);
	if (fd < 0 || fd >= SIM_FDS) {
		g_mutex_unlock(&sim->lock);
		return fd;
	}
	name = sim_relative(sim, path);
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

/* Lock held.  How much of it lies before the first bad sector. */
static size_t
sim_readable(const SimDisk *sim, unsigned file, uint64_t offset, size_t size)
{
	for (guint i = 0; i < sim->bad->len; i++) {
		const BadSector *bad = &g_array_index(sim->bad, BadSector, i);

		if (bad->file == file && offset < bad->offset + bad->size && offset + size > bad->offset)
			size = bad->offset > offset ? (size_t)(bad->offset - offset) : 0;
	}
	return size;
}

static ssize_t
sim_pread(const Disk *disk, int fd, void *data, size_t size, off_t offset)
{
	SimDisk *sim = sim_of(disk);
	const size_t wanted = size;
	ssize_t got = -1;

	g_mutex_lock(&sim->lock);
	if (sim_fails(sim, SIM_PREAD))
		size = sim->fault[SIM_PREAD] == SIM_SHORT ? (size + 8) / 9 : 0;
	else if ((size = sim_readable(sim, sim->fd_file[fd], (uint64_t)offset, size)) < wanted)
		sim->failures++;
	if (size > 0 || wanted == 0)
		got = pread(fd, data, size, offset);
	else
		errno = EIO;
	g_mutex_unlock(&sim->lock);
	return got;
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

		if (sim->fd_directory[fd] == NULL && sim->fault[call] != SIM_KILLED)
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

static int
sim_make_directory(const Disk *disk, const char *path, mode_t mode)
{
	(void)disk;
	return disk_system()->make_directory(disk_system(), path, mode);
}

static int
sim_size(const Disk *disk, int fd, uint64_t *octets)
{
	(void)disk;
	return disk_system()->size(disk_system(), fd, octets);
}

static GPtrArray *
sim_list(const Disk *disk, const char *path)
{
	SimDisk *sim = sim_of(disk);
	GPtrArray *names;

	g_mutex_lock(&sim->lock);
	names = sim_fails(sim, SIM_READDIR) ? NULL : disk_system()->list(disk_system(), path);
	g_mutex_unlock(&sim->lock);
	return names;
}

SimDisk *
sim_disk_new(const char *root)
{
	SimDisk *sim = g_new0(SimDisk, 1);

	sim->table = (Disk){ sim_open, sim_close, sim_pread, sim_pwritev, sim_fdatasync, sim_fsync, sim_rename,
		sim_unlink, sim_free_octets, sim_make_directory, sim_size, sim_list };
	sim->root = g_strdup(root);
	g_mutex_init(&sim->lock);
	g_cond_init(&sim->healed);
	sim->ops = g_ptr_array_new_with_free_func(op_free);
	sim->bad = g_array_new(FALSE, FALSE, sizeof(BadSector));
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
	g_array_unref(sim->bad);
	g_hash_table_unref(sim->files);
	g_hash_table_unref(sim->sizes);
	g_mutex_clear(&sim->lock);
	g_cond_clear(&sim->healed);
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
sim_disk_break(SimDisk *sim, const char *path, uint64_t offset, uint64_t size)
{
	BadSector bad = { .offset = offset, .size = size };

	g_mutex_lock(&sim->lock);
	bad.file = GPOINTER_TO_UINT(g_hash_table_lookup(sim->files, path));
	if (bad.file == 0)
		g_error("there is no file %s to break", path);
	g_array_append_val(sim->bad, bad);
	g_mutex_unlock(&sim->lock);
}

void
sim_disk_heal(SimDisk *sim)
{
	g_mutex_lock(&sim->lock);
	memset(sim->countdown, 0, sizeof sim->countdown);
	g_array_set_size(sim->bad, 0);
	g_cond_broadcast(&sim->healed);
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

uint64_t
sim_disk_written(SimDisk *sim)
{
	uint64_t written = 0;

	g_mutex_lock(&sim->lock);
	for (guint i = 0; i < sim->ops->len; i++) {
		const Op *op = sim->ops->pdata[i];

		if (op->type == OP_WRITE && !(op->data[0] == 0 && memcmp(op->data, op->data + 1, op->size - 1) == 0))
			written += op->size;
	}
	g_mutex_unlock(&sim->lock);
	return written;
}

uint64_t
sim_disk_used(SimDisk *sim)
{
	uint64_t used;

	g_mutex_lock(&sim->lock);
	used = sim->used;
	g_mutex_unlock(&sim->lock);
	return used;
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
