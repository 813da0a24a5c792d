/* module_explain - one fetch told to people: core.explain.
 *
 * For:   how a fetch went, as a table: the outcome, whose credential, where to, AWS's answer, and
 *        whether the value that is asked for is in the secret.
 * Never: the value, a credential; decisions; the text that is made of it (explain.lua).
 */
#include "module.h"

#include "base64.h"
#include "endpoint.h"

/* What of the secret is wanted: beside the fetch's own fields in the request table. */
struct wish {
    const char *key; /* NULL: the whole secret */
    size_t key_length;
    bool base64;
};

static struct wish read_wish(lua_State *state, int index)
{
    struct wish wish = {0};

    wish.key = vault_field_text(state, index, "key", &wish.key_length);
    lua_pushliteral(state, "base64_decode");
    lua_rawget(state, index);
    wish.base64 = lua_toboolean(state, -1);
    lua_pop(state, 1);
    return wish;
}

/* Whether the value could be had of `secret`, as vault.get would; nothing of it is left. */
static enum vault_status try_value(const struct vault_secret *secret, const struct wish *wish,
                                   struct vault_message *why)
{
    const struct vault_buffer *payload = &secret->payload;
    const char *text = payload->data ? payload->data : "";
    struct vault_buffer member, bytes;
    enum vault_status status = VAULT_OK;

    vault_buffer_init(&member, VAULT_SECRET_MAX);
    vault_buffer_init(&bytes, VAULT_SECRET_MAX);
    if (wish->key) {
        status = vault_extract(text, payload->length, wish->key, wish->key_length, &member, why);
        payload = &member;
    }
    if (status == VAULT_OK && wish->base64 && (wish->key || !secret->binary)) {
        status = vault_base64_decode(payload->data ? payload->data : "", payload->length, &bytes);
        if (status != VAULT_OK)
            vault_message_add(why, "%s", vault_status_row(status)->sentence);
    }
    vault_buffer_free(&member);
    vault_buffer_free(&bytes);
    return status;
}

static void set_text(lua_State *state, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    lua_pushstring(state, text);
    lua_setfield(state, -2, name);
}

static void set_number(lua_State *state, const char *name, double number)
{
    lua_pushnumber(state, number);
    lua_setfield(state, -2, name);
}

static void set_tried(lua_State *state, const struct vault_trail *trail)
{
    lua_createtable(state, (int)trail->count, 0);
    for (size_t i = 0; i < trail->count; i++) {
        const struct vault_trail_step *step = &trail->steps[i];

        lua_createtable(state, 0, 3);
        set_text(state, "what", step->what.text);
        set_text(state, "word", vault_status_row(step->status)->word);
        set_text(state, "why", step->why.text);
        lua_rawseti(state, -2, (int)i + 1);
    }
    lua_setfield(state, -2, "tried");
}

static void set_region(lua_State *state, const struct vault_fetch_report *report,
                       const char *asked_for)
{
    const char *region = asked_for && *asked_for ? asked_for : report->region.text;

    if (!vault_region_valid(region))
        return;
    set_text(state, "region", region);
    set_text(state, "partition", vault_region_partition(region));
    set_text(state, "region_from", report->region_from);
}

static void set_report(lua_State *state, const struct vault_fetch_report *report)
{
    set_text(state, "endpoint", report->endpoint.text);
    set_text(state, "source", report->source.text);
    if (report->expires)
        set_number(state, "expires", (double)report->expires);
    if (report->http_status)
        set_number(state, "http_status", report->http_status);
    set_text(state, "request_id", report->request_id.text);
    set_number(state, "skew", (double)report->skew_ms / 1000);
    set_tried(state, &report->trail);
}

static void set_value(lua_State *state, const struct vault_secret *secret, const struct wish *wish)
{
    struct vault_message why = {0};
    enum vault_status status = try_value(secret, wish, &why);

    set_text(state, "version_id", secret->version_id.data);
    set_text(state, "arn", secret->arn.data);
    set_text(state, "payload_type", secret->binary ? "binary" : "string");
    set_text(state, "value_word", vault_status_row(status)->word);
    set_text(state, "value_message", why.text);
}

int vault_lua_explain(lua_State *state)
{
    struct vault_fetch_request request = {.explain = true};
    struct vault_engine_settings settings = {0};
    struct vault_message why = {0};
    struct vault_fetch **fetch;
    enum vault_status status;
    struct wish wish;

    vault_read_request(state, 1, &request, &settings);
    luaL_argcheck(state, !request.batch, 1, "one secret at a time is explained");
    wish = read_wish(state, 1);
    fetch = vault_push_fetch(state);
    status = vault_engine_run(&request, &settings, fetch, &why);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    status = vault_fetch_status(*fetch);
    lua_createtable(state, 0, 20);
    lua_pushboolean(state, status == VAULT_OK);
    lua_setfield(state, -2, "ok");
    set_text(state, "word", vault_status_row(status)->word);
    set_text(state, "message", vault_fetch_message(*fetch)->text);
    set_number(state, "attempts", vault_fetch_attempts(*fetch));
    set_region(state, vault_fetch_report(*fetch), request.region);
    set_report(state, vault_fetch_report(*fetch));
    if (status == VAULT_OK)
        set_value(state, vault_fetch_secret(*fetch), &wish);
    vault_fetch_free(*fetch);
    *fetch = NULL;
    return 1;
}
