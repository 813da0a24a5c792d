/* sigv4 - AWS Signature Version 4, header form.
 *
 * For:   what sigv4.h promises: the stages after the canonical request, and the lines that go out.
 * Never: clock, environment, sockets, default regions.
 */
#include "sigv4.h"

#include <string.h>

#include "digest.h"
#include "sigv4_canonical.h"
#include "sigv4_keys.h"
#include "sigv4_uri.h"

#define ALGORITHM     "AWS4-HMAC-SHA256"
#define AUTHORIZATION "Authorization: "
#define TOKEN         "X-Amz-Security-Token: "

#define DATE          8            /* YYYYMMDD, the front of a stamp */
#define LATEST        253402300799 /* 9999-12-31T23:59:59Z */
#define KEY_PART_MAX  256          /* access key id, region, service */
#define TO_SIGN_MAX   1024
#define LINES_ROOM    256 /* their constant texts, stamp and signature */
#define LINES_MAX     (128 * 1024)
#define CANONICAL_MAX (1024 * 1024)

#define PUT_TEXT(to, literal) vault_sigv4_put(to, literal, sizeof(literal) - 1)

struct vault_signer {
    struct vault_digest *digest;
    struct vault_sigv4_keys *keys;
    /* working room, empty between calls */
    struct vault_buffer canonical;
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
    char stamp[VAULT_SIGV4_STAMP];
    char body_hash[VAULT_DIGEST_HEX];
    char signature[VAULT_DIGEST_HEX];
    struct vault_sigv4_canonical canonical;
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
    vault_buffer_init(&signer->to_sign, TO_SIGN_MAX);
    vault_buffer_init(&signer->lines, LINES_MAX);
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
    vault_buffer_free(&signer->to_sign);
    vault_buffer_free(&signer->lines);
    vault_free(signer);
}

/* ---- stages ---- */

static void put_two(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

/* Not gmtime_r: glibc's reads TZ. Days are counted in years that start in March, so that the leap
 * day comes last. */
static void write_stamp(char stamp[VAULT_SIGV4_STAMP], int64_t when)
{
    const unsigned days = (unsigned)(when / 86400) + 719468; /* since 0000-03-01 */
    const unsigned second = (unsigned)(when % 86400);
    const unsigned era = days / 146097, of_era = days % 146097;
    const unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned march = (5 * of_year + 2) / 153; /* months since March */
    const unsigned month = march < 10 ? march + 3 : march - 9;
    const unsigned civil = era * 400 + year + (month <= 2);

    put_two(stamp, civil / 100);
    put_two(stamp + 2, civil % 100);
    put_two(stamp + 4, month);
    put_two(stamp + 6, of_year - (153 * march + 2) / 5 + 1);
    stamp[8] = 'T';
    put_two(stamp + 9, second / 3600);
    put_two(stamp + 11, second / 60 % 60);
    put_two(stamp + 13, second % 60);
    stamp[15] = 'Z';
}

/* Text that is there and holds no letter of `refused`; else *good is false. */
static struct slice read_text(const char *text, const char *refused, bool *good)
{
    struct slice slice = {text, text ? strcspn(text, refused) : 0};

    if (!slice.length || text[slice.length])
        *good = false;
    return slice;
}

static enum vault_status read_key(struct signing *signing, const struct vault_sigv4_key *key)
{
    const char *token = key->session_token;
    bool good = true;

    signing->id = read_text(key->access_key_id, "\r\n", &good);
    signing->secret = read_text(key->secret_access_key, "\r\n", &good).bytes;
    /* '/' would make two scopes read the same */
    signing->region = read_text(key->region, "\r\n/", &good);
    signing->service = read_text(key->service, "\r\n/", &good);
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
    signing->canonical = (struct vault_sigv4_canonical){
        .request = request,
        .stamp = signing->stamp,
        .token = signing->token.bytes,
        .token_length = signing->token.length,
        .body_hash = signing->body_hash,
    };
    return vault_sigv4_canonicalise(&signing->canonical, &signer->canonical);
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
    vault_sigv4_put(to, signing->stamp, DATE);
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

    status = vault_digest_sha256(signing->signer->digest, signing->canonical.text,
                                 signing->canonical.length, hash);
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
    const struct slice names = {signing->canonical.signed_names, signing->canonical.signed_length};
    const size_t room = LINES_ROOM + signing->id.length + signing->scope.length + names.length;
    struct vault_buffer *out = &signing->signer->lines;
    struct vault_sigv4_writer to = {0};
    enum vault_status status;

    to.at = vault_buffer_reserve(out, room, &status);
    if (!to.at)
        return status;
    to.end = to.at + room;
    if (!signing->canonical.has_date) {
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
        {&stages->canonical_request, {signing->canonical.text, signing->canonical.length}},
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
    const bool token = signing->token.bytes && !signing->canonical.has_token;
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
    if (when < 0 || when > LATEST)
        return VAULT_BAD_CONFIG;
    signing.signer = signer;
    write_stamp(signing.stamp, when);
    status = canonicalise(&signing, request);
    if (status == VAULT_OK)
        status = write_to_sign(&signing);
    if (status == VAULT_OK)
        status = sign(&signing);
    if (status == VAULT_OK)
        status = write_lines(&signing);
    if (status == VAULT_OK)
        status = deliver(&signing, headers, stages);
    vault_buffer_clear(&signer->canonical);
    signer->to_sign.length = signer->lines.length = 0; /* hold no secret */
    return status;
}
