/* sts_json - the JSON that AWS's Security Token Service and some like it can answer with.
 *
 * For:   what sts_json.h promises.
 * Never: binary fractions: a number is read digit by digit.
 */
#include "sts_json.h"

#include <string.h>

#include "json_extract.h"

#define SECONDS_MAX INT64_C(253402300799) /* the year 9999 ends */

static enum vault_status malformed(struct vault_message *why, const char *part, const char *amiss)
{
    vault_message_add(why, "JSON: %s %s", part, amiss);
    return VAULT_BAD_RESPONSE;
}

static struct vault_json_member member_of(const char *key)
{
    return (struct vault_json_member){.key = key, .key_length = strlen(key)};
}

static bool is_absent(const struct vault_json_member *member)
{
    return member->type == VAULT_JSON_ABSENT || member->type == VAULT_JSON_NULL;
}

static enum vault_status find(const char *text, size_t length, struct vault_json_member *members,
                              size_t count, struct vault_message *why)
{
    size_t offset = 0;
    enum vault_status status = vault_json_members(text, length, members, count, &offset);

    if (status == VAULT_OK)
        return VAULT_OK;
    vault_message_add(why, "JSON: %s, at byte %zu", vault_status_row(status)->sentence, offset + 1);
    return VAULT_BAD_RESPONSE;
}

static enum vault_status take_text(const struct vault_json_member *member,
                                   struct vault_buffer *text, struct vault_message *why)
{
    enum vault_status status;

    if (is_absent(member))
        return VAULT_OK;
    if (member->type != VAULT_JSON_STRING)
        return malformed(why, member->key, "is not a string");
    status = vault_json_unescape(member->text, member->length, text);
    if (status == VAULT_NO_MEMORY)
        return status;
    if (status != VAULT_OK)
        return malformed(why, member->key, "is too long");
    if (text->length > 0 && memchr(text->data, '\0', text->length))
        return malformed(why, member->key, "holds a NUL");
    return VAULT_OK;
}

/* ---- numbers ---- */

/* The exponent of a checked number, 0 where it has none; what is out of all reason is cut off. */
static int exponent_of(const char *at, const char *end)
{
    int value = 0;
    bool is_negative;

    while (at < end && *at != 'e' && *at != 'E')
        at++;
    if (at == end)
        return 0;
    at++;
    is_negative = *at == '-';
    if (is_negative || *at == '+')
        at++;
    for (; at < end && value < 1000000; at++)
        value = value * 10 + (*at - '0');
    return is_negative ? -value : value;
}

/* The whole seconds of a checked number. */
static bool read_seconds(const char *text, size_t length, int64_t *seconds)
{
    const char *end = text + length, *at = text;
    int64_t value = 0, places = exponent_of(text, end);

    while (at < end && *at >= '0' && *at <= '9')
        at++;
    places += at - text; /* digits before the point, once the exponent has moved it */
    for (at = text; places > 0 && value <= SECONDS_MAX; places--) {
        if (at < end && *at == '.')
            at++;
        if (at < end && *at >= '0' && *at <= '9')
            value = value * 10 + (*at++ - '0');
        else if (value == 0)
            break;
        else
            value *= 10;
    }
    if (*text == '-' || value > SECONDS_MAX)
        return false;
    *seconds = value;
    return true;
}

static enum vault_status take_expiration(const struct vault_json_member *member,
                                         struct vault_sts_answer *answer, struct vault_message *why)
{
    enum vault_status status;

    if (member->type == VAULT_JSON_NUMBER) {
        if (read_seconds(member->text, member->length, &answer->expires))
            return VAULT_OK;
        return malformed(why, member->key, "is no moment");
    }
    status = take_text(member, &answer->expiration, why);
    return status == VAULT_OK ? vault_sts_answer_settle(answer, why) : status;
}

/* ---- objects ---- */

static enum vault_status take_credentials(const struct vault_json_member *object,
                                          struct vault_sts_answer *answer,
                                          struct vault_message *why)
{
    struct vault_json_member members[] = {
        member_of("AccessKeyId"),
        member_of("SecretAccessKey"),
        member_of("SessionToken"),
        member_of("Expiration"),
    };
    enum vault_status status = find(object->text, object->length, members, 4, why);

    if (status == VAULT_OK)
        status = take_text(&members[0], &answer->access_key_id, why);
    if (status == VAULT_OK)
        status = take_text(&members[1], &answer->secret_access_key, why);
    if (status == VAULT_OK)
        status = take_text(&members[2], &answer->session_token, why);
    return status == VAULT_OK ? take_expiration(&members[3], answer, why) : status;
}

/* Credentials within the member `result` of `response`. */
static enum vault_status take_response(const struct vault_json_member *response, const char *result,
                                       struct vault_sts_answer *answer, struct vault_message *why)
{
    struct vault_json_member inner = member_of(result);
    struct vault_json_member credentials = member_of("Credentials");
    enum vault_status status;

    if (response->type != VAULT_JSON_OBJECT)
        return malformed(why, response->key, "is not an object");
    status = find(response->text, response->length, &inner, 1, why);
    if (status != VAULT_OK)
        return status;
    if (inner.type != VAULT_JSON_OBJECT)
        return malformed(why, result, "is not an object");
    status = find(inner.text, inner.length, &credentials, 1, why);
    if (status != VAULT_OK)
        return status;
    if (credentials.type != VAULT_JSON_OBJECT)
        return malformed(why, "Credentials", "is not an object");
    return take_credentials(&credentials, answer, why);
}

static enum vault_status take_error(const struct vault_json_member *object,
                                    struct vault_sts_answer *answer, struct vault_message *why)
{
    struct vault_json_member members[] = {member_of("Code"), member_of("Message")};
    enum vault_status status;

    if (object->type != VAULT_JSON_OBJECT)
        return malformed(why, object->key, "is not an object");
    status = find(object->text, object->length, members, 2, why);
    if (status == VAULT_OK)
        status = take_text(&members[0], &answer->code, why);
    return status == VAULT_OK ? take_text(&members[1], &answer->message, why) : status;
}

enum vault_status vault_sts_json_read(const char *text, size_t length,
                                      struct vault_sts_answer *answer, struct vault_message *why)
{
    struct vault_json_member members[] = {
        member_of("Error"),
        member_of("AssumeRoleResponse"),
        member_of("AssumeRoleWithWebIdentityResponse"),
    };
    enum vault_status status = find(text, length, members, 3, why);

    if (status != VAULT_OK)
        return status;
    if (!is_absent(&members[0]))
        return take_error(&members[0], answer, why);
    if (!is_absent(&members[1]))
        return take_response(&members[1], "AssumeRoleResult", answer, why);
    if (!is_absent(&members[2]))
        return take_response(&members[2], "AssumeRoleWithWebIdentityResult", answer, why);
    return VAULT_OK;
}
