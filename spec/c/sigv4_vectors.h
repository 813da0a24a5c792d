/* sigv4_vectors - the folders of spec/vectors/sigv4, read.
 *
 * For:   test programs; the format is in spec/vectors/sigv4/README.md. Include after cmocka.h.
 * Never: signing.
 */
#ifndef VAULT_TEST_SIGV4_VECTORS_H
#define VAULT_TEST_SIGV4_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigv4.h"

#define FOLDER  "spec/vectors/sigv4"
#define HEADERS 70
#define ROOM    (1 << 18)

/* All that a signature gives. */
struct made {
    struct vault_buffer headers;
    struct vault_sigv4_stages stages;
};

#define BUFFERS 5
#define BUFFERS_OF(made)                                                                           \
    {                                                                                              \
        &(made)->headers, &(made)->stages.canonical_request, &(made)->stages.string_to_sign,       \
            &(made)->stages.signature, &(made)->stages.authorization                               \
    }

static inline void made_init(struct made *made)
{
    struct vault_buffer *all[BUFFERS] = BUFFERS_OF(made);

    for (size_t i = 0; i < BUFFERS; i++)
        vault_buffer_init(all[i], ROOM);
}

static inline void made_free(struct made *made)
{
    struct vault_buffer *all[BUFFERS] = BUFFERS_OF(made);

    for (size_t i = 0; i < BUFFERS; i++)
        vault_buffer_free(all[i]);
}

struct vector {
    char request_text[65536];
    char key_text[4096];
    char body[70000];
    char expected[65536];
    int64_t when;
    struct vault_sigv4_header headers[HEADERS];
    struct vault_sigv4_request request;
    struct vault_sigv4_key key;
};

static inline size_t slurp(const char *name, const char *part, char *into, size_t room)
{
    char path[512];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, FOLDER "/%s/%s", name, part);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    length = fread(into, 1, room - 1, file);
    fclose(file);
    if (length == room - 1)
        fail_msg("%s is too long", path);
    into[length] = '\0';
    return length;
}

/* The line at *at, NUL in place of its end; *at moves behind it. */
static inline char *next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');

    if (!end)
        return NULL;
    *end = '\0';
    *at = end + 1;
    return line;
}

static inline void read_request(struct vector *vector, const char *name)
{
    char *at = vector->request_text, *line;
    struct vault_sigv4_request *request = &vector->request;

    slurp(name, "request", vector->request_text, sizeof vector->request_text);
    request->method = next_line(&at);
    request->path = next_line(&at);
    request->query = next_line(&at);
    assert_non_null(request->query);
    request->method_length = strlen(request->method);
    request->path_length = strlen(request->path);
    request->query_length = strlen(request->query);
    request->headers = vector->headers;
    for (request->header_count = 0; (line = next_line(&at)); request->header_count++) {
        struct vault_sigv4_header *header = &vector->headers[request->header_count];

        assert_true(request->header_count < HEADERS);
        header->name = line;
        header->name_length = strcspn(line, ":");
        header->value = line + header->name_length + 1;
        header->value_length = strlen(header->value);
    }
    request->body = vector->body;
    request->body_length = slurp(name, "body", vector->body, sizeof vector->body);
}

static inline void read_key(struct vector *vector, const char *name)
{
    char *at = vector->key_text, *line;

    slurp(name, "key", vector->key_text, sizeof vector->key_text);
    vector->when = -1;
    while ((line = next_line(&at))) {
        char *value = strchr(line, '=');

        assert_non_null(value);
        *value++ = '\0';
        if (strcmp(line, "access_key_id") == 0)
            vector->key.access_key_id = value;
        else if (strcmp(line, "secret_access_key") == 0)
            vector->key.secret_access_key = value;
        else if (strcmp(line, "session_token") == 0)
            vector->key.session_token = value;
        else if (strcmp(line, "region") == 0)
            vector->key.region = value;
        else if (strcmp(line, "service") == 0)
            vector->key.service = value;
        else if (strcmp(line, "when") == 0)
            vector->when = strtoll(value, NULL, 10);
        else
            fail_msg("%s: unknown word %s", name, line);
    }
}

static inline void same_stage(struct vector *vector, const char *name, const char *stage,
                              const struct vault_buffer *made)
{
    size_t length = slurp(name, stage, vector->expected, sizeof vector->expected);

    if (made->length != length || memcmp(made->data, vector->expected, length) != 0)
        fail_msg("%s: %s is\n%s\nand should be\n%s", name, stage, made->data, vector->expected);
}

/* The number in README.md after `what`: what should be there. */
static inline int promised(const char *what)
{
    static char text[65536];
    const char *at;

    slurp(".", "README.md", text, sizeof text);
    at = strstr(text, what);
    assert_non_null(at);
    return atoi(at + strlen(what));
}

#endif
