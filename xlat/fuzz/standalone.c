/* SPDX-License-Identifier: MIT */
/*
 * Drives a fuzz target where libFuzzer does not: AFL++ (the input comes from
 * standard input or from a file) and the replay of a kept corpus.
 *
 *	TARGET            one input from standard input
 *	TARGET PATH...    each file, and each file of each folder
 *
 * Exit status: 0 when all ran, 1 when one cannot be read. A finding is an
 * abort or a sanitizer's report.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int inputs;

/* In a buffer of exactly its size, so that reading past it is seen. */
static int run_stream(FILE *f, const char *name)
{
	static uint8_t all[INPUT_BYTES];
	size_t n = fread(all, 1, sizeof(all), f);
	uint8_t *exact;

	if (ferror(f)) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return 1;
	}
	exact = malloc(n ? n : 1);
	if (!exact) {
		fprintf(stderr, "%s: out of memory\n", name);
		return 1;
	}
	memcpy(exact, all, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	inputs++;
	return 0;
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "r");
	int ret;

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	ret = run_stream(f, path);
	fclose(f);
	return ret;
}

static int run_folder(const char *path)
{
	struct dirent **names;
	int n = scandir(path, &names, NULL, alphasort), ret = 0;
	char file[4096];

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(file, sizeof(file), "%s/%s", path,
				 names[i]->d_name);
			ret |= run_file(file);
		}
		free(names[i]);
	}
	free(names);
	return ret;
}

int main(int argc, char **argv)
{
	struct stat st;
	int ret = 0;

	if (argc == 1)
		return run_stream(stdin, "standard input");
	for (int i = 1; i < argc; i++)
		ret |= !stat(argv[i], &st) && S_ISDIR(st.st_mode)
			       ? run_folder(argv[i])
			       : run_file(argv[i]);
	printf("%u inputs\n", inputs);
	return ret;
}
