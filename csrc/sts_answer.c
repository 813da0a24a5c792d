/* sts_answer - the texts of an answer of AWS's Security Token Service.
 *
 * For:   what sts_answer.h promises, on expat; its memory is wiped when it is freed, since it holds
 *        the answer and with it the keys.
 * Never: a tree; document types, and so entities that grow.
 */
#include "sts_answer.h"

#include <limits.h>
#include <string.h>

#include <expat.h>

#include "iso8601.h"

#define DEPTH_MAX 16

/* Where the reader is in the document. */
enum place {
    ELSEWHERE, /* within an element that nobody asked for */
    START,     /* before and after the root */
    ROLE,
    ROLE_RESULT,
    WEB_IDENTITY,
    WEB_IDENTITY_RESULT,
    CREDENTIALS,
    ERROR_RESPONSE,
    ERROR,
    /* those with a text */
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    SESSION_TOKEN,
    EXPIRATION,
    CODE,
    MESSAGE
};

static const struct {
    enum place from;
    const char *element;
    enum place to;
} steps[] = {
    {START, "AssumeRoleResponse", ROLE},
    {ROLE, "AssumeRoleResult", ROLE_RESULT},
    {ROLE_RESULT, "Credentials", CREDENTIALS},
    {START, "AssumeRoleWithWebIdentityResponse", WEB_IDENTITY},
    {WEB_IDENTITY, "AssumeRoleWithWebIdentityResult", WEB_IDENTITY_RESULT},
    {WEB_IDENTITY_RESULT, "Credentials", CREDENTIALS},
    {CREDENTIALS, "AccessKeyId", ACCESS_KEY_ID},
    {CREDENTIALS, "SecretAccessKey", SECRET_ACCESS_KEY},
    {CREDENTIALS, "SessionToken", SESSION_TOKEN},
    {CREDENTIALS, "Expiration", EXPIRATION},
    {START, "ErrorResponse", ERROR_RESPONSE},
    {ERROR_RESPONSE, "Error", ERROR},
    {START, "Error", ERROR},
    {ERROR, "Code", CODE},
    {ERROR, "Message", MESSAGE},
};

struct reader {
    XML_Parser parser;
    struct vault_sts_answer *answer;
    enum place open[DEPTH_MAX]; /* the elements around, the root first */
    unsigned depth;
    unsigned seen; /* a bit for each place */
    enum vault_status status;
    const char *fault; /* constant text */
};

void vault_sts_answer_init(struct vault_sts_answer *answer)
{
    vault_buffer_init(&answer->access_key_id, VAULT_STS_TEXT_MAX);
    vault_buffer_init(&answer->secret_access_key, VAULT_STS_TEXT_MAX);
    vault_buffer_init(&answer->session_token, VAULT_STS_TEXT_MAX);
    vault_buffer_init(&answer->expiration, VAULT_STS_TEXT_MAX);
    vault_buffer_init(&answer->code, VAULT_STS_TEXT_MAX);
    vault_buffer_init(&answer->message, VAULT_STS_TEXT_MAX);
    answer->expires = 0;
}

void vault_sts_answer_free(struct vault_sts_answer *answer)
{
    vault_buffer_free(&answer->access_key_id);
    vault_buffer_free(&answer->secret_access_key);
    vault_buffer_free(&answer->session_token);
    vault_buffer_free(&answer->expiration);
    vault_buffer_free(&answer->code);
    vault_buffer_free(&answer->message);
    answer->expires = 0;
}

enum vault_status vault_sts_answer_settle(struct vault_sts_answer *answer,
                                          struct vault_message *why)
{
    const struct vault_buffer *text = &answer->expiration;

    if (text->length == 0 || vault_iso8601_read(text->data, text->length, &answer->expires))
        return VAULT_OK;
    vault_message_add(why, "Expiration is no moment of ISO 8601");
    return VAULT_BAD_RESPONSE;
}

/* ---- memory ---- */

/* What is in front of each block: expat's realloc has to know how much to copy. */
union room {
    size_t size;
    max_align_t align;
};

static void *memory_alloc(size_t size)
{
    union room *room;

    if (size > SIZE_MAX - sizeof *room)
        return NULL;
    room = vault_alloc(sizeof *room + size);
    if (!room)
        return NULL;
    room->size = size;
    return room + 1;
}

static void memory_free(void *memory)
{
    if (memory)
        vault_free((union room *)memory - 1);
}

static void *memory_grow(void *memory, size_t size)
{
    size_t held = memory ? ((union room *)memory - 1)->size : 0;
    void *grown;

    if (memory && size <= held)
        return memory;
    grown = memory_alloc(size);
    if (grown && memory) {
        memcpy(grown, memory, held);
        memory_free(memory);
    }
    return grown;
}

/* ---- elements ---- */

static void stop(struct reader *reader, enum vault_status status, const char *fault)
{
    reader->status = status;
    reader->fault = fault;
    (void)XML_StopParser(reader->parser, XML_FALSE);
}

static enum place place_of(const struct reader *reader)
{
    return reader->depth ? reader->open[reader->depth - 1] : START;
}

static enum place step(enum place from, const char *element)
{
    const char *colon = strrchr(element, ':');

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].from == from && strcmp(steps[i].element, colon ? colon + 1 : element) == 0)
            return steps[i].to;
    }
    return ELSEWHERE;
}

/* expat may call back once more after it was told to stop: hence the look at status. */
static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *reader = data;
    enum place from = place_of(reader), to = step(from, name);

    (void)attributes;
    if (reader->status != VAULT_OK)
        return;
    if (reader->depth == DEPTH_MAX) {
        stop(reader, VAULT_BAD_RESPONSE, "nested too deeply");
    } else if (from >= ACCESS_KEY_ID) {
        stop(reader, VAULT_BAD_RESPONSE, "an element where a text belongs");
    } else if (to != ELSEWHERE && reader->seen & 1u << to) {
        stop(reader, VAULT_BAD_RESPONSE, "an element twice");
    } else {
        reader->seen |= 1u << to;
        reader->open[reader->depth++] = to;
    }
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
    struct reader *reader = data;

    (void)name;
    if (reader->status == VAULT_OK)
        reader->depth--;
}

static struct vault_buffer *text_at(struct vault_sts_answer *answer, enum place place)
{
    struct vault_buffer *const texts[] = {
        [ACCESS_KEY_ID - ACCESS_KEY_ID] = &answer->access_key_id,
        [SECRET_ACCESS_KEY - ACCESS_KEY_ID] = &answer->secret_access_key,
        [SESSION_TOKEN - ACCESS_KEY_ID] = &answer->session_token,
        [EXPIRATION - ACCESS_KEY_ID] = &answer->expiration,
        [CODE - ACCESS_KEY_ID] = &answer->code,
        [MESSAGE - ACCESS_KEY_ID] = &answer->message,
    };

    return place >= ACCESS_KEY_ID ? texts[place - ACCESS_KEY_ID] : NULL;
}

/* A text may come in pieces. */
static void XMLCALL on_text(void *data, const XML_Char *bytes, int length)
{
    struct reader *reader = data;
    struct vault_buffer *text = text_at(reader->answer, place_of(reader));
    enum vault_status status;

    if (reader->status != VAULT_OK || !text)
        return;
    status = vault_buffer_append(text, bytes, (size_t)length);
    if (status == VAULT_TOO_LARGE)
        stop(reader, VAULT_BAD_RESPONSE, "a text too long");
    else if (status != VAULT_OK)
        stop(reader, status, "");
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    stop(data, VAULT_BAD_RESPONSE, "a document type");
}

/* ---- the document ---- */

static void listen(struct reader *reader)
{
    XML_SetUserData(reader->parser, reader);
    XML_SetElementHandler(reader->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader->parser, on_doctype);
}

/* Where it stopped to read; -1: nothing was read. */
static long long offset_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9 /* which deprecates the other one */
    return XML_GetCurrentByteIndex64(parser);
#else
    return XML_GetCurrentByteIndex(parser);
#endif
}

static enum vault_status fault_of(struct reader *reader, struct vault_message *why)
{
    enum XML_Error error = XML_GetErrorCode(reader->parser);
    long long offset = offset_of(reader->parser);

    if (reader->status == VAULT_OK) {
        if (error == XML_ERROR_NO_MEMORY)
            return VAULT_NO_MEMORY;
        reader->status = VAULT_BAD_RESPONSE;
        reader->fault = XML_ErrorString(error);
    }
    if (reader->status == VAULT_BAD_RESPONSE)
        vault_message_add(why, "XML: %s, at byte %lld", reader->fault ? reader->fault : "malformed",
                          offset < 0 ? 1 : offset + 1);
    return reader->status;
}

enum vault_status vault_sts_answer_read(const char *text, size_t length,
                                        struct vault_sts_answer *answer, struct vault_message *why)
{
    static const XML_Memory_Handling_Suite memory = {memory_alloc, memory_grow, memory_free};
    struct reader reader = {.answer = answer};
    enum vault_status status = VAULT_OK;

    if (length > INT_MAX) {
        vault_message_add(why, "XML: too long");
        return VAULT_BAD_RESPONSE;
    }
    reader.parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!reader.parser)
        return VAULT_NO_MEMORY;
    listen(&reader);
    if (XML_Parse(reader.parser, length ? text : "", (int)length, XML_TRUE) != XML_STATUS_OK)
        status = fault_of(&reader, why);
    XML_ParserFree(reader.parser);
    return status == VAULT_OK ? vault_sts_answer_settle(answer, why) : status;
}
