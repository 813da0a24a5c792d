/* identity_script - a driver of whoever asks AWS, without a network.
 *
 * For:   tests of identity, identity_role and caller: a table of what must be asked, signed with
 *        which key, and what is answered. Whatever happens, no message shows the word CANARY.
 *        Include after cmocka.h.
 * Never: sockets, clocks, what a test is about.
 */
#ifndef VAULT_TEST_IDENTITY_SCRIPT_H
#define VAULT_TEST_IDENTITY_SCRIPT_H

#include <stdatomic.h>

#include "host_tokens.h"
#include "identity.h"
#include "imds_script.h"
#include "profile_home.h"
#include "saying.h"

#define STS        "POST https://sts.eu-west-1.amazonaws.com/"
#define AGENT      "GET http://169.254.170.2/keys"
#define ARN(name)  "arn:aws:iam::123456789012:role/" name
#define SENT(name) "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F" name
#define ROLE_BODY(name, rest)                                                                      \
    "Action=AssumeRole&Version=2011-06-15&RoleArn=" SENT(name) "&RoleSessionName=" rest
#define TOKEN_BODY(name, rest)                                                                     \
    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" SENT(                           \
        name) "&RoleSessionName=" rest
#define STS_KEYS_UNTIL(tail, expires)                                                              \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"   \
    "<Credentials><AccessKeyId>ASIACANARY" tail                                                    \
    "</AccessKeyId><SecretAccessKey>secretCANARY</SecretAccessKey><SessionToken>tokenCANARY" tail  \
    "</SessionToken><Expiration>" expires                                                          \
    "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define STS_KEYS(tail) STS_KEYS_UNTIL(tail, "2023-11-14T23:13:20Z") /* an hour after NOW */
#define STS_ERROR(code)                                                                            \
    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"       \
    "</Type><Code>" code "</Code><Message>planted</Message></Error></ErrorResponse>"
#define IMDS_ASKS                                                                                  \
    {ASKS_TOKEN, .body = TOKEN}, {ASKS_ROLE, .body = "gateway"},                                   \
    {                                                                                              \
        ASKS_KEYS, .body = GOOD                                                                    \
    }
#define CONTAINER_ASKS                                                                             \
    {                                                                                              \
        AGENT, .body = GOOD                                                                        \
    }
#define NO_IMDS "AWS_EC2_METADATA_DISABLED=true"

/* One exchange: what must be asked, and how it ends. */
struct ask {
    const char *asks;   /* "POST https://host/path"; NULL ends the table */
    const char *signer; /* the access key id it must be signed with; NULL: not signed */
    const char *sends;  /* the whole body; NULL: not looked at */
    const char *body;
    int status;                /* 0: 200 */
    enum vault_status outcome; /* not OK: no HTTP answer came */
    int64_t date;              /* 0: none */
};

struct asking {
    struct vault_environment *environment;
    struct vault_signer *signer;
    struct vault_retry_budgets budgets;
    _Atomic int64_t skew_ms;
    struct vault_identity_world world;
    uint32_t bits;
    unsigned asked, pauses;
    int64_t paused_ms[8];
    void (*after)(unsigned asked); /* each exchange */
    enum vault_status status;
    struct vault_message message;
    struct vault_credential credential;
};

static inline uint32_t asking_bits(void *at)
{
    return ((struct asking *)at)->bits;
}

/* HOME is set; "%" in an entry stands for it. */
static inline void open_asking(struct asking *asking, const char *const *entries)
{
    char texts[16][256];
    const char *list[17] = {in_home("HOME=%", texts[0], sizeof texts[0])};

    memset(asking, 0, sizeof *asking);
    for (int i = 0; i < 15 && entries[i]; i++)
        list[i + 1] = in_home(entries[i], texts[i + 1], sizeof texts[0]);
    assert_int_equal(vault_environment_new(list, &asking->environment), VAULT_OK);
    assert_int_equal(vault_signer_new(&asking->signer), VAULT_OK);
    asking->world = (struct vault_identity_world){
        .environment = asking->environment,
        .signer = asking->signer,
        .budgets = &asking->budgets,
        .random = asking_bits,
        .random_at = asking,
        .skew_ms = &asking->skew_ms,
    };
}

static inline void close_asking(struct asking *asking)
{
    vault_credential_clear(&asking->credential);
    vault_signer_free(asking->signer);
    vault_environment_free(asking->environment);
}

static inline void check_signer(const struct vault_exchange *exchange, const char *signer)
{
    char wanted[256];

    if (!signer) {
        assert_true(!exchange->headers.data ||
                    !strstr(exchange->headers.data, "Authorization: AWS4"));
        return;
    }
    (void)snprintf(wanted, sizeof wanted, " Credential=%s/", signer);
    assert_non_null(strstr(exchange->headers.data, wanted));
    if (strncmp(signer, "ASIACANARY", 10) != 0)
        return;
    (void)snprintf(wanted, sizeof wanted, "X-Amz-Security-Token: tokenCANARY%s\r\n", signer + 10);
    assert_non_null(strstr(exchange->headers.data, wanted));
}

/* Do to the exchange what http.c would. */
static inline void answer_ask(struct vault_exchange *exchange, const struct ask *ask)
{
    char asks[4096];

    if (!ask->asks)
        fail_msg("unexpected: %s %s", exchange->method, exchange->url.data);
    (void)snprintf(asks, sizeof asks, "%s %s", exchange->method, exchange->url.data);
    assert_string_equal(asks, ask->asks);
    check_signer(exchange, ask->signer);
    if (ask->sends)
        assert_string_equal(exchange->body.data, ask->sends);
    assert_int_equal(exchange->answer.length, 0);
    exchange->outcome = ask->outcome;
    if (ask->outcome != VAULT_OK) {
        plant_note(&exchange->why, "planted");
        return;
    }
    exchange->status = ask->status ? ask->status : 200;
    if (ask->date)
        exchange->date = ask->date;
    if (ask->body)
        exchange->outcome = vault_buffer_text(&exchange->answer, ask->body);
}

/* From the first step to the last; all of `asks` must be asked. */
static inline enum vault_status find_out(struct asking *asking,
                                         const struct vault_identity_request *request,
                                         const struct ask *asks)
{
    struct vault_identity *identity = NULL;
    enum vault_step step;

    asking->asked = asking->pauses = 0;
    assert_int_equal(vault_identity_new(request, &asking->world, &identity), VAULT_OK);
    while ((step = vault_identity_next(identity, NOW + asking->skew_ms / 1000)) !=
           VAULT_STEP_DONE) {
        if (step == VAULT_STEP_EXCHANGE) {
            answer_ask(vault_identity_exchange(identity), &asks[asking->asked++]);
            if (asking->after)
                asking->after(asking->asked);
        } else {
            assert_true(asking->pauses < 8);
            asking->paused_ms[asking->pauses++] = vault_identity_pause(identity);
        }
    }
    assert_null(asks[asking->asked].asks);
    assert_int_equal(vault_identity_next(identity, NOW), VAULT_STEP_DONE);
    asking->status = vault_identity_status(identity);
    asking->message = *vault_identity_message(identity);
    assert_null(strstr(asking->message.text, "CANARY"));
    assert_int_equal(asking->message.length == 0, asking->status == VAULT_OK);
    vault_credential_clear(&asking->credential);
    vault_identity_steal(identity, &asking->credential);
    vault_identity_free(identity);
    return asking->status;
}

/* The same with an environment of its own. Needs close_asking. */
static inline enum vault_status find_out_with(struct asking *asking, const char *const *entries,
                                              const struct vault_identity_request *request,
                                              const struct ask *asks)
{
    open_asking(asking, entries);
    return find_out(asking, request, asks);
}

static inline void put_profile(const char *text)
{
    put(".aws/config", text);
}

#endif
