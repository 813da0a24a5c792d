/* sigv4 - AWS Signature Version 4, header form.
 *
 * For:   what sigv4.h promises: the stages after the canonical request, and the lines that go out.
 * Never: clock, environment, sockets, default regions.
 */
#include "sigv4.h"

#include <string.h>

#include "digest.h"
#include "registers.h"
#include "sigv4_canonical.h"
#include "sigv4_keys.h"
#include "sigv4_shape.h"
#include "sigv4_stamp.h"
#include "sigv4_uri.h"

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define AUTHORIZATION "Authorization: "
#define TOKEN         "X-Amz-Security-Token: "

#define KEY_PART_MAX  256 /* access key id, region, service */
#define TO_SIGN_MAX   1024
#define LINES_ROOM    256 /* their constant texts, stamp and signature */
#define LINES_MAX     (128 * 1024)
#define CANONICAL_MAX (1024 * 1024)
#define SHAPE_MAX     (256 * 1024)

#define PUT_TEXT(to, literal) vault_sigv4_put(to, literal, sizeof(literal) - 1)

struct vault_signer {
    struct vault_digest *digest;
    struct vault_sigv4_keys *keys;
    int64_t stamped; /* the moment of stamp: many signatures fall into one second */
    char stamp[VAULT_SIGV4_STAMP];
    /* The last canonical request and what it was made from, wiped when another takes its place.
     * shape is empty where it cannot be used again; the pointers to the request are not kept. */
    struct vault_sigv4_canonical last;
    struct vault_buffer canonical;
    struct vault_buffer shape; /* empty: the next request is like no other */
    /* working room, empty between calls */
    struct vault_buffer to_sign;
    struct vault_buffer lines;
};

struct slice {
    const char *bytes;
    size_t length;
};

/* One call: what it was given and what it has made so far. */
struct signing {
    struct vault_signer *signer;
    const char *secret;
    struct slice id;
    struct slice region;
    struct slice service;
    struct slice token; /* bytes NULL for none */
    const char *stamp;
    char body_hash[VAULT_DIGEST_HEX];
    char signature[VAULT_DIGEST_HEX];
    const struct vault_sigv4_canonical *canonical;
    struct slice scope;
    struct slice date_line; /* empty where the request brought it */
    struct slice authorization_line;
};

/* ---- signer ---- */

enum vault_status vault_signer_new(struct vault_signer **made)
{
    struct vault_signer *signer = vault_alloc(sizeof *signer);
    enum vault_status status;

    if (!signer)
        return VAULT_NO_MEMORY;
    vault_buffer_init(&signer->canonical, CANONICAL_MAX);
    vault_buffer_init(&signer->shape, SHAPE_MAX);
    vault_buffer_init(&signer->to_sign, TO_SIGN_MAX);
    vault_buffer_init(&signer->lines, LINES_MAX);
    vault_sigv4_stamp(signer->stamp, signer->stamped);
    status = vault_digest_new(&signer->digest);
    if (status == VAULT_OK)
        status = vault_sigv4_keys_new(signer->digest, &signer->keys);
    if (status != VAULT_OK) {
        vault_signer_free(signer);
        return status;
    }
    *made = signer;
    return VAULT_OK;
}

void vault_signer_free(struct vault_signer *signer)
{
    if (!signer)
        return;
    vault_sigv4_keys_free(signer->keys);
    vault_digest_free(signer->digest);
    vault_buffer_free(&signer->canonical);
    vault_buffer_free(&signer->shape);
    vault_buffer_free(&signer->to_sign);
    vault_buffer_free(&signer->lines);
    vault_free(signer);
}

/* ---- stages ---- */

/* Text that is there and breaks no line; else *good is false. */
static struct slice read_text(const char *text, bool *good)
{
    struct slice slice = {text, text ? strlen(text) : 0};

    if (!slice.length)
        *good = false;
    else if (!vault_sigv4_is_plain(text, slice.length) && text[strcspn(text, "\r\n")])
        *good = false;
    return slice;
}

/* A '/' would make two scopes read the same. */
static struct slice read_scope(const char *text, bool *good)
{
    struct slice slice = read_text(text, good);

    if (slice.length && memchr(text, '/', slice.length))
        *good = false;
    return slice;
}

static enum vault_status read_key(struct signing *signing, const struct vault_sigv4_key *key)
{
    const char *token = key->session_token;
    bool good = true;

    signing->id = read_text(key->access_key_id, &good);
    signing->secret = read_text(key->secret_access_key, &good).bytes;
    signing->region = read_scope(key->region, &good);
    signing->service = read_scope(key->service, &good);
    signing->token = (struct slice){NULL, 0};
    if (token && *token)
        signing->token = (struct slice){token, strlen(token)};
    if (!good)
        return VAULT_BAD_CONFIG;
    if (signing->id.length > KEY_PART_MAX || signing->region.length > KEY_PART_MAX ||
        signing->service.length > KEY_PART_MAX)
        return VAULT_TOO_LARGE;
    return VAULT_OK;
}

/* Only the moment and the body's hash differ from the request before. */
static void patch_canonical(struct vault_sigv4_canonical *canonical, const struct signing *signing)
{
    memcpy(canonical->stamp_at, signing->stamp, VAULT_SIGV4_STAMP);
    memcpy(canonical->text + canonical->length - VAULT_DIGEST_HEX, signing->body_hash,
           VAULT_DIGEST_HEX);
}

static enum vault_status write_canonical(struct signing *signing,
                                         const struct vault_sigv4_request *request)
{
    struct vault_signer *signer = signing->signer;
    struct vault_sigv4_canonical *canonical = &signer->last;
    enum vault_status status;

    vault_buffer_clear(&signer->shape);
    *canonical = (struct vault_sigv4_canonical){
        .request = request,
        .stamp = signing->stamp,
        .token = signing->token.bytes,
        .token_length = signing->token.length,
        .body_hash = signing->body_hash,
    };
    status = vault_sigv4_canonicalise(canonical, &signer->canonical);
    canonical->request = NULL;
    canonical->token = canonical->body_hash = NULL;
    if (status == VAULT_OK && canonical->stamp_at)
        status = vault_sigv4_shape_set(&signer->shape, request, signing->token.bytes,
                                       signing->token.length);
    return status;
}

static enum vault_status canonicalise(struct signing *signing,
                                      const struct vault_sigv4_request *request)
{
    struct vault_signer *signer = signing->signer;
    unsigned char hash[VAULT_DIGEST_SIZE];
    enum vault_status status;

    status = vault_digest_sha256(signer->digest, request->body, request->body_length, hash);
    if (status != VAULT_OK)
        return status;
    vault_digest_hex(hash, signing->body_hash);
    if (vault_sigv4_shape_is(&signer->shape, request, signing->token.bytes, signing->token.length))
        patch_canonical(&signer->last, signing);
    else
        status = write_canonical(signing, request);
    signing->canonical = &signer->last;
    return status;
}

static void put_slice(struct vault_sigv4_writer *to, struct slice slice)
{
    vault_sigv4_put(to, slice.bytes, slice.length);
}

static void put_to_sign(struct vault_sigv4_writer *to, struct signing *signing,
                        const unsigned char *hash)
{
    char hex[VAULT_DIGEST_HEX];

    vault_digest_hex(hash, hex);
    PUT_TEXT(to, ALGORITHM "\n");
    vault_sigv4_put(to, signing->stamp, VAULT_SIGV4_STAMP);
    PUT_TEXT(to, "\n");
    signing->scope.bytes = to->at;
    vault_sigv4_put(to, signing->stamp, VAULT_SIGV4_DATE);
    PUT_TEXT(to, "/");
    put_slice(to, signing->region);
    PUT_TEXT(to, "/");
    put_slice(to, signing->service);
    PUT_TEXT(to, "/aws4_request");
    signing->scope.length = (size_t)(to->at - signing->scope.bytes);
    PUT_TEXT(to, "\n");
    vault_sigv4_put(to, hex, sizeof hex);
}

static enum vault_status write_to_sign(struct signing *signing)
{
    struct vault_buffer *out = &signing->signer->to_sign;
    unsigned char hash[VAULT_DIGEST_SIZE];
    struct vault_sigv4_writer to = {0};
    enum vault_status status;

    status = vault_digest_sha256(signing->signer->digest, signing->canonical->text,
                                 signing->canonical->length, hash);
    if (status != VAULT_OK)
        return status;
    to.at = vault_buffer_reserve(out, TO_SIGN_MAX, &status);
    if (!to.at)
        return status;
    to.end = to.at + TO_SIGN_MAX;
    put_to_sign(&to, signing, hash);
    out->length = (size_t)(to.at - out->data);
    out->data[out->length] = '\0';
    return to.full ? VAULT_INTERNAL : VAULT_OK;
}

static enum vault_status sign(struct signing *signing)
{
    struct vault_signer *signer = signing->signer;
    unsigned char mac[VAULT_DIGEST_SIZE];
    struct vault_hmac *hmac;
    enum vault_status status;

    status = vault_sigv4_keys_find(signer->keys, signing->scope.bytes, signing->scope.length,
                                   signing->secret, &hmac);
    if (status == VAULT_OK)
        status = vault_hmac_run(hmac, signer->to_sign.data, signer->to_sign.length, mac);
    if (status == VAULT_OK)
        vault_digest_hex(mac, signing->signature);
    return status;
}

/* The date's line and the authorization's; the token's goes between them without a copy here. */
static enum vault_status write_lines(struct signing *signing)
{
    const struct slice names = {signing->canonical->signed_names,
                                signing->canonical->signed_length};
    const size_t room = LINES_ROOM + signing->id.length + signing->scope.length + names.length;
    struct vault_buffer *out = &signing->signer->lines;
    struct vault_sigv4_writer to = {0};
    enum vault_status status;

    to.at = vault_buffer_reserve(out, room, &status);
    if (!to.at)
        return status;
    to.end = to.at + room;
    if (!signing->canonical->has_date) {
        PUT_TEXT(&to, "X-Amz-Date: ");
        vault_sigv4_put(&to, signing->stamp, VAULT_SIGV4_STAMP);
        PUT_TEXT(&to, "\r\n");
    }
    signing->date_line = (struct slice){out->data, (size_t)(to.at - out->data)};
    PUT_TEXT(&to, AUTHORIZATION ALGORITHM " Credential=");
    put_slice(&to, signing->id);
    PUT_TEXT(&to, "/");
    put_slice(&to, signing->scope);
    PUT_TEXT(&to, ", SignedHeaders=");
    put_slice(&to, names);
    PUT_TEXT(&to, ", Signature=");
    vault_sigv4_put(&to, signing->signature, VAULT_DIGEST_HEX);
    PUT_TEXT(&to, "\r\n");
    signing->authorization_line.bytes = out->data + signing->date_line.length;
    signing->authorization_line.length = (size_t)(to.at - signing->authorization_line.bytes);
    return to.full ? VAULT_INTERNAL : VAULT_OK;
}

static enum vault_status append_stages(const struct signing *signing,
                                       struct vault_sigv4_stages *stages)
{
    const struct vault_buffer *to_sign = &signing->signer->to_sign;
    const struct slice *line = &signing->authorization_line;
    const struct {
        struct vault_buffer *to;
        struct slice from;
    } all[] = {
        {&stages->canonical_request, {signing->canonical->text, signing->canonical->length}},
        {&stages->string_to_sign, {to_sign->data, to_sign->length}},
        {&stages->signature, {signing->signature, VAULT_DIGEST_HEX}},
        {&stages->authorization,
         {line->bytes + sizeof AUTHORIZATION - 1, line->length - (sizeof AUTHORIZATION - 1) - 2}},
    };
    enum vault_status status = VAULT_OK;

    /* all the room first, so that no stage is left without the others */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!vault_buffer_reserve(all[i].to, all[i].from.length, &status))
            return status;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all && status == VAULT_OK; i++)
        status = vault_buffer_append(all[i].to, all[i].from.bytes, all[i].from.length);
    return status;
}

static enum vault_status deliver(const struct signing *signing, struct vault_buffer *headers,
                                 struct vault_sigv4_stages *stages)
{
    const bool token = signing->token.bytes && !signing->canonical->has_token;
    const size_t length = signing->date_line.length + signing->authorization_line.length +
                          (token ? sizeof TOKEN - 1 + signing->token.length + 2 : 0);
    struct vault_sigv4_writer to = {0};
    enum vault_status status;

    to.at = vault_buffer_reserve(headers, length, &status);
    if (!to.at)
        return status;
    to.end = to.at + length;
    if (stages)
        status = append_stages(signing, stages);
    if (status != VAULT_OK)
        return status;
    put_slice(&to, signing->date_line);
    if (token) {
        PUT_TEXT(&to, TOKEN);
        put_slice(&to, signing->token);
        PUT_TEXT(&to, "\r\n");
    }
    put_slice(&to, signing->authorization_line);
    headers->length += length;
    headers->data[headers->length] = '\0';
    return VAULT_OK;
}

enum vault_status vault_sigv4_sign(struct vault_signer *signer,
                                   const struct vault_sigv4_request *request,
                                   const struct vault_sigv4_key *key, int64_t when,
                                   struct vault_buffer *headers, struct vault_sigv4_stages *stages)
{
    struct signing signing;
    enum vault_status status = read_key(&signing, key);

    if (status != VAULT_OK)
        return status;
    if (when < 0 || when > VAULT_SIGV4_LATEST)
        return VAULT_BAD_CONFIG;
    signing.signer = signer;
    if (when != signer->stamped)
        vault_sigv4_stamp(signer->stamp, when);
    signer->stamped = when;
    signing.stamp = signer->stamp;
    status = canonicalise(&signing, request);
    if (status == VAULT_OK)
        status = write_to_sign(&signing);
    if (status == VAULT_OK)
        status = sign(&signing);
    if (status == VAULT_OK)
        status = write_lines(&signing);
    if (status == VAULT_OK)
        status = deliver(&signing, headers, stages);
    if (!signer->shape.length)
        vault_buffer_clear(&signer->canonical);
    signer->to_sign.length = signer->lines.length = 0; /* hold no secret */
    vault_registers_clear();
    return status;
}
