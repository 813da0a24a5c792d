/* test_sts_answer - XML of AWS's Security Token Service, and XML that is not.
 *
 * For:   vault_sts_answer_read: which texts it finds, what it refuses and says of it, its limits,
 *        lost memory.
 * Never: what the texts mean (test_credentials_sts).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sts_answer.h"
#include "vectors.h"

#define NS "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\""
#define TEXTS                                                                                      \
    "<AccessKeyId>ASIACANARY</AccessKeyId><SecretAccessKey>keyCANARY/+=</SecretAccessKey>"         \
    "<SessionToken>tokenCANARY==</SessionToken><Expiration>2026-11-22T15:00:00Z</Expiration>"
#define ROLE(inner)                                                                                \
    "<AssumeRoleResponse><AssumeRoleResult>" inner "</AssumeRoleResult></AssumeRoleResponse>"
#define GOOD    ROLE("<Credentials>" TEXTS "</Credentials>")
#define EXPIRES 1795359600

static enum vault_status read_bytes_of(const char *text, size_t length,
                                       struct vault_sts_answer *answer, struct vault_message *why)
{
    struct fenced fenced;
    enum vault_status status;

    vault_sts_answer_init(answer);
    vault_message_clear(why);
    fence(&fenced, text, length);
    status = vault_sts_answer_read(fenced.text, length, answer, why);
    unfence(&fenced);
    assert_null(strstr(why->text, "CANARY"));
    return status;
}

static enum vault_status read_text(const char *text, struct vault_sts_answer *answer,
                                   struct vault_message *why)
{
    return read_bytes_of(text, strlen(text), answer, why);
}

/* NULL: nothing is there. */
static void expect_text(const struct vault_buffer *text, const char *expected)
{
    if (!expected) {
        assert_int_equal(text->length, 0);
        return;
    }
    assert_non_null(text->data);
    assert_string_equal(text->data, expected);
    assert_int_equal(text->length, strlen(expected));
}

static void test_credentials(void **state)
{
    static const char *const rows[] = {
        GOOD,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- CANARY -->" GOOD "\n<!-- CANARY -->\n",
        "<?xml version='1.0' encoding='ISO-8859-1'?>" GOOD,
        "\xEF\xBB\xBF" GOOD,
        "<AssumeRoleResponse " NS ">\n  <AssumeRoleResult>\n    <AssumedRoleUser>\n"
        "      <Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>\n"
        "      <AssumedRoleId>AROA:s</AssumedRoleId>\n    </AssumedRoleUser>\n"
        "    <Credentials>" TEXTS "</Credentials>\n  </AssumeRoleResult>\n  <ResponseMetadata>\n"
        "    <RequestId>c6104cbe</RequestId>\n  </ResponseMetadata>\n</AssumeRoleResponse>\n",
        "<s:AssumeRoleResponse xmlns:s=\"urn:x\"><s:AssumeRoleResult><t:Credentials>" TEXTS
        "</t:Credentials></s:AssumeRoleResult></s:AssumeRoleResponse>",
        "<AssumeRoleWithWebIdentityResponse " NS "><AssumeRoleWithWebIdentityResult>"
        "<Audience>sts.amazonaws.com</Audience><Provider>arn:aws:iam::1:oidc-provider/x</Provider>"
        "<Credentials>" TEXTS "</Credentials><SubjectFromWebIdentityToken>system:x"
        "</SubjectFromWebIdentityToken></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>",
        /* the same characters, otherwise written */
        ROLE("<Credentials a='1' b=\"&lt;\"><AccessKeyId>ASIA<![CDATA[CANARY]]></AccessKeyId>"
             "<SecretAccessKey>key<!-- x -->CANARY&#47;&#x2b;=</SecretAccessKey>"
             "<SessionToken>token<?x y?>CANARY==</SessionToken>"
             "<Expiration>2026-11-22T15:00:00&#90;</Expiration></Credentials>"),
        /* the right names in the wrong place count for nothing */
        ROLE("<AccessKeyId>x</AccessKeyId><Other><Credentials><AccessKeyId>x</AccessKeyId>"
             "</Credentials><AccessKeyId>y</AccessKeyId></Other><Credentials>" TEXTS
             "<More><AccessKeyId>x</AccessKeyId></More></Credentials><Code>x</Code>"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        if (read_text(rows[i], &answer, &why) != VAULT_OK)
            fail_msg("row %zu: %s", i, why.text);
        assert_int_equal(why.length, 0);
        expect_text(&answer.access_key_id, "ASIACANARY");
        expect_text(&answer.secret_access_key, "keyCANARY/+=");
        expect_text(&answer.session_token, "tokenCANARY==");
        expect_text(&answer.expiration, "2026-11-22T15:00:00Z");
        expect_text(&answer.code, NULL);
        assert_int_equal(answer.expires, EXPIRES);
        vault_sts_answer_free(&answer);
        assert_null(answer.secret_access_key.data);
        assert_int_equal(answer.expires, 0);
    }
}

static void test_other_documents(void **state)
{
    static const struct {
        const char *text;
        const char *id;
        const char *code;
        const char *message;
    } rows[] = {
        {"<ErrorResponse " NS "><Error><Type>Sender</Type><Code>AccessDenied</Code>"
         "<Message>No &amp; no.</Message></Error><RequestId>1</RequestId></ErrorResponse>",
         NULL, "AccessDenied", "No & no."},
        {"<ErrorResponse><Error><Code>A</Code><Message/></Error></ErrorResponse>", NULL, "A", NULL},
        {"<ErrorResponse><Error><Message>m</Message></Error></ErrorResponse>", NULL, NULL, "m"},
        {"<Error><Code>A</Code><Message>m</Message><RequestId/></Error>", NULL, "A", "m"},
        {"<x:Error xmlns:x='y'><x:Code>A</x:Code></x:Error>", NULL, "A", NULL},
        {"<Errors><Error><Code>A</Code></Error></Errors>", NULL, NULL, NULL},
        {"<ErrorResponse><Code>A</Code></ErrorResponse>", NULL, NULL, NULL},
        {"<AssumeRoleResponse/>", NULL, NULL, NULL},
        {"<html><body>CANARY</body></html>", NULL, NULL, NULL},
        {ROLE("<Credentials><AccessKeyId>A</AccessKeyId></Credentials>"), "A", NULL, NULL},
        {ROLE("<Credentials><AccessKeyId></AccessKeyId></Credentials>"), NULL, NULL, NULL},
        {ROLE("<credentials><AccessKeyId>A</AccessKeyId></credentials>"), NULL, NULL, NULL},
        {"<AssumeRoleResponse><AssumeRoleWithWebIdentityResult><Credentials>" TEXTS
         "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleResponse>",
         NULL, NULL, NULL},
        {"<GetSessionTokenResponse><GetSessionTokenResult><Credentials>" TEXTS
         "</Credentials></GetSessionTokenResult></GetSessionTokenResponse>",
         NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        if (read_text(rows[i].text, &answer, &why) != VAULT_OK)
            fail_msg("row %zu: %s", i, why.text);
        expect_text(&answer.access_key_id, rows[i].id);
        expect_text(&answer.code, rows[i].code);
        expect_text(&answer.message, rows[i].message);
        assert_int_equal(answer.expires, 0);
        vault_sts_answer_free(&answer);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
    } rows[] = {
        {"", "XML: no element found, at byte 1"},
        {" \n", "no element found"},
        {"CANARY", "at byte 1"},
        {"<CANARY>", "no element found"},
        {"<CANARY></canary>", "mismatched tag"},
        {GOOD GOOD, "junk after document element"},
        {GOOD "CANARY", "at byte"},
        {"\xC3" GOOD, "not well-formed"},
        {ROLE("\xff"), "not well-formed"},
        {ROLE("\xC0\x80"), "not well-formed"},
        {ROLE("&CANARY;"), "undefined entity"},
        {ROLE("&#0;"), "reference to invalid character number"},
        {ROLE("\x01"), "not well-formed"},
        {ROLE("<a b='1' b='2'/>"), "duplicate attribute"},
        {"<!DOCTYPE html><html/>", "XML: a document type, at byte"},
        {"<!DOCTYPE a SYSTEM 'file:///etc/CANARY'><a/>", "a document type"},
        {"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY CANARY 'CANARY'>]>" GOOD, "a document type"},
        {"<!DOCTYPE a [<!ENTITY x 'CANARY'><!ENTITY y '&x;&x;&x;'>]><a>&y;</a>", "a document type"},
        {"<!DOCTYPE a [<!ENTITY % CANARY SYSTEM 'http://CANARY/'> %CANARY;]><a/>",
         "a document type"},
        {ROLE("<Credentials>" TEXTS "</Credentials><Credentials>" TEXTS "</Credentials>"),
         "XML: an element twice"},
        {ROLE("<Credentials>" TEXTS "<SessionToken>CANARY</SessionToken></Credentials>"),
         "an element twice"},
        {ROLE("<Credentials/><Credentials>" TEXTS "</Credentials>"), "an element twice"},
        {"<Error><Code>A</Code><Code>A</Code></Error>", "an element twice"},
        {ROLE("<Credentials><SecretAccessKey>a<b/>CANARY</SecretAccessKey></Credentials>"),
         "XML: an element where a text belongs"},
        {ROLE("<Credentials><Expiration>CANARY</Expiration></Credentials>"),
         "Expiration is no moment"},
        {ROLE("<Credentials><Expiration>1795359600</Expiration></Credentials>"),
         "Expiration is no moment"},
        {ROLE("<Credentials><Expiration> 2026-11-22T15:00:00Z</Expiration></Credentials>"),
         "Expiration is no moment"},
        {"{\"Credentials\":\"CANARY\"}", "not well-formed"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        assert_int_equal(read_text(rows[i].text, &answer, &why), VAULT_BAD_RESPONSE);
        if (!strstr(why.text, rows[i].fault))
            fail_msg("row %zu: %s", i, why.text);
        vault_sts_answer_free(&answer);
    }
}

static void test_every_beginning(void **state)
{
    struct vault_sts_answer answer;
    struct vault_message why;

    (void)state;
    for (size_t length = 0; length < strlen(GOOD); length++) {
        assert_int_equal(read_bytes_of(GOOD, length, &answer, &why), VAULT_BAD_RESPONSE);
        assert_true(why.length > 0);
        vault_sts_answer_free(&answer);
    }
    assert_int_equal(read_bytes_of(GOOD "\0", strlen(GOOD) + 1, &answer, &why), VAULT_BAD_RESPONSE);
    vault_sts_answer_free(&answer);
}

/* `open` and `close` around `inner`, `times` times each. */
static char *nest(const char *open, size_t times, const char *inner, const char *close)
{
    char *text = calloc(1, times * (strlen(open) + strlen(close)) + strlen(inner) + 1);
    char *at = text;

    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, inner);
    for (size_t i = 0; i < times; i++)
        at = stpcpy(at, close);
    return text;
}

static void test_limits(void **state)
{
    static const char front[] = "<AssumeRoleResponse><AssumeRoleResult><Credentials><SessionToken>";
    static const char back[] =
        "</SessionToken></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    const struct {
        const char *open, *close;
        size_t times;
        const char *front, *back;
        const char *fault; /* NULL: none */
    } rows[] = {
        {"<a>", "</a>", 16, "", "", NULL},
        {"<a>", "</a>", 17, "", "", "nested too deeply"},
        {"<a>", "</a>", 70000, "", "", "nested too deeply"},
        {"<a>", "", 170000, "", "", "nested too deeply"},
        {"<b/>", "", 100000, "<a>", "</a>", NULL},
        {"x", "", VAULT_STS_TEXT_MAX, front, back, NULL},
        {"x", "", VAULT_STS_TEXT_MAX + 1, front, back, "a text too long"},
        {"&amp;", "", VAULT_STS_TEXT_MAX, front, back, NULL},
        {"&amp;", "", VAULT_STS_TEXT_MAX + 1, front, back, "a text too long"},
        {"x", "", 500000, front, back, "a text too long"},
        {"x", "", 500000, "<a>", "</a>", NULL},
        {"x", "", 500000, "<", "/>", NULL},
        {"x", "", 500000, "<a x='", "'/>", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *inner = nest(rows[i].open, rows[i].times, "", rows[i].close);
        char *text = calloc(1, strlen(inner) + 256);
        struct vault_sts_answer answer;
        struct vault_message why;

        (void)stpcpy(stpcpy(stpcpy(text, rows[i].front), inner), rows[i].back);
        assert_int_equal(read_text(text, &answer, &why),
                         rows[i].fault ? VAULT_BAD_RESPONSE : VAULT_OK);
        if (rows[i].fault && !strstr(why.text, rows[i].fault))
            fail_msg("row %zu: %s", i, why.text);
        vault_sts_answer_free(&answer);
        free(inner);
        free(text);
    }
}

/* That expat's own blocks fail too shows that they are vault_alloc's, which wipes. */
static void test_allocations(void **state)
{
    static const char text[] = "<?xml version='1.0'?><p:AssumeRoleResponse a='b' c='d'>"
                               "<AssumeRoleResult><Credentials>" TEXTS "</Credentials>"
                               "</AssumeRoleResult></p:AssumeRoleResponse>";
    enum vault_status status = VAULT_NO_MEMORY;
    struct vault_sts_answer answer;
    struct vault_message why = {0};
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        vault_sts_answer_init(&answer);
        (void)vault_alloc_fail(nth);
        status = vault_sts_answer_read(text, strlen(text), &answer, &why);
        (void)vault_alloc_fail(0);
        assert_int_equal(why.length, 0);
        if (status == VAULT_NO_MEMORY)
            vault_sts_answer_free(&answer);
    }
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 15);
    expect_text(&answer.access_key_id, "ASIACANARY");
    assert_int_equal(answer.expires, EXPIRES);
    vault_sts_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials), cmocka_unit_test(test_other_documents),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
