/* replay.c - runs a fuzzer over seeds, without libFuzzer: the main() of the fuzzers in plain builds.
 *
 * fuzz-NAME [FILE or DIRECTORY…]; without arguments corpus/NAME of the source tree. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"

static unsigned
replay_file(const char *path)
{
	g_autofree char *content = NULL;
	g_autofree uint8_t *exact = NULL;
	gsize size;

	if (!g_file_get_contents(path, &content, &size, NULL)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 0;
	}
	/* Without the final NUL of g_file_get_contents(), so that AddressSanitizer sees what libFuzzer's would. */
	exact = g_malloc(MAX(size, 1));
	memcpy(exact, content, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	return 1;
}

static unsigned
replay_path(const char *path)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	const char *name;
	unsigned n = 0;

	if (directory == NULL)
		return replay_file(path);
	while ((name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		n += replay_file(file);
	}
	g_dir_close(directory);
	return n;
}

int
main(int argc, char **argv)
{
	g_autofree char *program = g_path_get_basename(argv[0]);
	const char *top = g_getenv("TOP_SRCDIR");
	const char *name = g_str_has_prefix(program, "fuzz-") ? program + 5 : program;
	g_autofree char *corpus = g_build_filename(top != NULL ? top : ".", "tests", "fuzz", "corpus", name, NULL);
	unsigned n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_path(argv[i]);
	if (argc == 1)
		n = replay_path(corpus);
	printf("%s: %u inputs\n", program, n);
	return n > 0 ? 0 : 1;
}
