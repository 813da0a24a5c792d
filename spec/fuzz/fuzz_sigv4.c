/* fuzz_sigv4 - vault_sigv4_sign, and with it vault_sigv4_canonicalise, vault_sigv4_read_query,
 * vault_sigv4_put_path, vault_sigv4_keys_find, vault_sigv4_shape_is.
 *
 * For:   input is lines: method, path, query, region, session token, then headers "name:value" up
 *        to an empty line, then the body. What is signed has the lines it should have and no more,
 *        so that no part can pass for another; the order of the query, headers that are never
 *        signed and what was signed before change nothing; a refusal leaves no trace.
 * Never: whether a signature is AWS's (spec/vectors/sigv4).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sigv4.h"

#define HEADERS 70
#define LIMIT   (1 << 20)
#define MOMENT  1440938160

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct vault_sigv4_header headers[HEADERS];
    struct vault_sigv4_request request;
    struct vault_sigv4_key key;
    char region[64];
    char token[2048];
};

struct made {
    struct vault_buffer headers;
    struct vault_sigv4_stages stages;
};

static void must(bool held)
{
    if (!held)
        abort();
}

/* The next line of the input without its end. */
static size_t line(const char **at, const char *end, const char **start)
{
    const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
    size_t length;

    *start = *at;
    if (!stop)
        stop = end;
    length = (size_t)(stop - *at);
    *at = stop < end ? stop + 1 : end;
    return length;
}

static void copy_line(const char **at, const char *end, char *into, size_t room)
{
    const char *start;
    size_t length = line(at, end, &start);

    if (length > room - 1)
        length = room - 1;
    if (length)
        memcpy(into, start, length);
    into[length] = '\0';
}

static void read_input(struct input *input, const char *at, const char *end)
{
    struct vault_sigv4_request *request = &input->request;
    const char *start;
    size_t length;

    request->method_length = line(&at, end, &request->method);
    request->path_length = line(&at, end, &request->path);
    request->query_length = line(&at, end, &request->query);
    copy_line(&at, end, input->region, sizeof input->region);
    copy_line(&at, end, input->token, sizeof input->token);
    request->headers = input->headers;
    request->header_count = 0;
    while (request->header_count < HEADERS - 1 && (length = line(&at, end, &start))) {
        struct vault_sigv4_header *header = &input->headers[request->header_count++];
        const char *colon = memchr(start, ':', length);

        header->name = start;
        header->name_length = colon ? (size_t)(colon - start) : length;
        header->value = colon ? colon + 1 : NULL;
        header->value_length = colon ? length - header->name_length - 1 : 0;
    }
    request->body = at;
    request->body_length = (size_t)(end - at);
    input->key = (struct vault_sigv4_key){"AKIDEXAMPLE", "secret", input->token, input->region,
                                          "secretsmanager"};
}

static void made_init(struct made *made)
{
    vault_buffer_init(&made->headers, LIMIT);
    vault_buffer_init(&made->stages.canonical_request, LIMIT);
    vault_buffer_init(&made->stages.string_to_sign, LIMIT);
    vault_buffer_init(&made->stages.signature, LIMIT);
    vault_buffer_init(&made->stages.authorization, LIMIT);
}

static void made_free(struct made *made)
{
    vault_buffer_free(&made->headers);
    vault_buffer_free(&made->stages.canonical_request);
    vault_buffer_free(&made->stages.string_to_sign);
    vault_buffer_free(&made->stages.signature);
    vault_buffer_free(&made->stages.authorization);
}

static size_t count(const struct vault_buffer *buffer, char letter)
{
    size_t found = 0;

    for (size_t i = 0; i < buffer->length; i++)
        found += buffer->data[i] == letter;
    return found;
}

/* GET, path, query, one line per signed name, an empty line, the names, the hash. */
static void check_canonical(const struct vault_buffer *canonical, const struct input *input)
{
    const char *hash = canonical->data + canonical->length - 64, *names = hash - 1;
    size_t signed_names = 1;

    must(canonical->length > input->request.method_length + 66);
    must(memcmp(canonical->data, input->request.method, input->request.method_length) == 0);
    must(memcmp(canonical->data + input->request.method_length, "\n/", 2) == 0);
    must(*names == '\n' && strspn(hash, "0123456789abcdef") == 64);
    while (names[-1] != '\n')
        signed_names += *--names == ';';
    must(names[-2] == '\n');
    must(count(canonical, '\n') == signed_names + 5);
    must(count(canonical, '\r') == 0 && count(canonical, '\0') == 0);
}

static void check_made(const struct made *made, const struct input *input)
{
    const struct vault_buffer *authorization = &made->stages.authorization;
    size_t lines = count(&made->headers, '\n');

    check_canonical(&made->stages.canonical_request, input);
    must(made->stages.signature.length == 64);
    must(memcmp(authorization->data + authorization->length - 64, made->stages.signature.data,
                64) == 0);
    must(count(authorization, '\n') == 0 && count(authorization, '\r') == 0);
    must(count(&made->stages.string_to_sign, '\n') == 3);
    must(lines >= 1 && lines <= (*input->token ? 3u : 2u));
    must(lines == count(&made->headers, '\r') && count(&made->headers, '\0') == 0);
}

static void same_signature(struct vault_signer *signer, const struct input *input,
                           const struct vault_sigv4_request *request, const struct made *made)
{
    struct made other;

    made_init(&other);
    must(vault_sigv4_sign(signer, request, &input->key, MOMENT, &other.headers, &other.stages) ==
         VAULT_OK);
    must(memcmp(other.stages.signature.data, made->stages.signature.data, 64) == 0);
    must(other.headers.length == made->headers.length);
    made_free(&other);
}

/* The parameters, last to first. */
static void turn(const char *query, size_t length, char *into)
{
    size_t end = length;

    for (size_t i = length + 1; i-- > 0;) {
        if (i > 0 && query[i - 1] != '&')
            continue;
        memcpy(into, query + i, end - i);
        into += end - i;
        if (i > 0)
            *into++ = '&';
        end = i ? i - 1 : 0;
    }
}

/* A signer that has signed nothing before makes the same. */
static void check_fresh(const struct input *input, const struct made *made)
{
    struct vault_signer *fresh;

    must(vault_signer_new(&fresh) == VAULT_OK);
    same_signature(fresh, input, &input->request, made);
    vault_signer_free(fresh);
}

static void check_variants(struct vault_signer *signer, struct input *input,
                           const struct made *made)
{
    struct vault_sigv4_request turned = input->request, more = input->request;
    char *query = malloc(turned.query_length + 1);

    must(query != NULL);
    turn(turned.query, turned.query_length, query);
    turned.query = query;
    same_signature(signer, input, &input->request, made);
    same_signature(signer, input, &turned, made);
    free(query);
    if (more.header_count < 64) {
        input->headers[more.header_count++] = (struct vault_sigv4_header){"User-Agent", 10, "x", 1};
        same_signature(signer, input, &more, made);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vault_signer *signer; /* kept: its keys are part of what is tried */
    static struct input input;
    /* a block of its own, so that ASan sees a byte too many */
    char *text = malloc(size ? size : 1);
    enum vault_status status;
    struct made made;

    must(text != NULL);
    if (size)
        memcpy(text, data, size);
    if (!signer)
        must(vault_signer_new(&signer) == VAULT_OK);
    made_init(&made);
    read_input(&input, text, text + size);
    status =
        vault_sigv4_sign(signer, &input.request, &input.key, MOMENT, &made.headers, &made.stages);
    if (status == VAULT_OK) {
        check_made(&made, &input);
        check_variants(signer, &input, &made);
        check_fresh(&input, &made);
    } else {
        must(status == VAULT_BAD_CONFIG || status == VAULT_TOO_LARGE);
        must(made.headers.length == 0 && made.stages.canonical_request.length == 0);
    }
    made_free(&made);
    free(text);
    return 0;
}
