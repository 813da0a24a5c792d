/* vectors - case folders, and input that ends where memory does.
 *
 * For:   tests whose cases are folders of raw files (input, key, want or word), and parsers that
 * must read exactly the bytes they are given. Include after cmocka.h. Never: what a case means.
 */
#ifndef VAULT_TEST_VECTORS_H
#define VAULT_TEST_VECTORS_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct bytes {
    size_t length;
    char data[8192];
};

struct vector_case {
    const char *folder;
    const char *name;
    struct bytes input;
    struct bytes key;
    struct bytes last; /* want or word */
};

static inline void read_bytes(const struct vector_case *at, const char *file, struct bytes *into)
{
    char path[512];

    assert_true(snprintf(path, sizeof path, "%s/%s/%s", at->folder, at->name, file) <
                (int)sizeof path);
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        fail_msg("%s cannot be opened", path);
    into->length = fread(into->data, 1, sizeof into->data, stream);
    assert_true(feof(stream));
    (void)fclose(stream);
}

/* Run `check` on each case of `folder`; at least `least` must be there. */
static inline void each_case(const char *folder, const char *last, unsigned least,
                             void (*check)(const struct vector_case *))
{
    static struct vector_case one;
    unsigned count = 0;
    DIR *directory = opendir(folder);

    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.')
            continue;
        one.folder = folder;
        one.name = entry->d_name;
        read_bytes(&one, "input", &one.input);
        read_bytes(&one, "key", &one.key);
        read_bytes(&one, last, &one.last);
        check(&one);
        count++;
    }
    (void)closedir(directory);
    print_message("%s: %u cases\n", folder, count);
    assert_true(count >= least);
}

/* `length` bytes of `bytes` that end where readable memory does: one byte more is SIGSEGV. */
struct fenced {
    char *pages;
    size_t size;
    char *text;
};

static inline void fence(struct fenced *fenced, const char *bytes, size_t length)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (length / page + 1) * page;

    fenced->size = readable + page;
    fenced->pages =
        mmap(NULL, fenced->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(fenced->pages, MAP_FAILED);
    assert_int_equal(mprotect(fenced->pages + readable, page, PROT_NONE), 0);
    fenced->text = fenced->pages + readable - length;
    memcpy(fenced->text, bytes, length);
}

static inline void unfence(struct fenced *fenced)
{
    assert_int_equal(munmap(fenced->pages, fenced->size), 0);
}

#endif
