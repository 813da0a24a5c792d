/* test_http_tls - whom a transfer trusts.
 *
 * For:   certificates made here with openssl: of a trusted authority, of another, for another name,
 *        out of date; trust stores that cannot be read.
 * Never: the rest of a transfer (test_http).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "call.h"
#include "child.h"
#include "fake.h"

static char folder[64];
static struct fake good, expired;

/* An authority of its own and a certificate of it for localhost. */
static int make_authority(const char *name)
{
    return run_command(
        "cd %s && exec >openssl.log 2>&1 && "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=%s -keyout %s.key -out %s.pem && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost "
        "-keyout %s-host.key -out %s.csr && "
        "echo subjectAltName=DNS:localhost >%s.ext && "
        "openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -CAcreateserial -days 1 "
        "-extfile %s.ext -out %s-host.pem",
        folder, name, name, name, name, name, name, name, name, name, name, name);
}

/* Of the same authority, and over since yesterday: only `ca` can be told dates everywhere. */
static int make_expired(void)
{
    return run_command(
        "cd %s && exec >>openssl.log 2>&1 && touch index.txt && "
        "printf '[ca]\\ndefault_ca=a\\n[a]\\ndatabase=index.txt\\nnew_certs_dir=.\\n"
        "default_md=sha256\\nrand_serial=yes\\npolicy=p\\nx509_extensions=e\\nunique_subject=no\\n"
        "[p]\\ncommonName=supplied\\n[e]\\nsubjectAltName=DNS:localhost\\n' >ca.conf && "
        "openssl ca -batch -config ca.conf -cert ours.pem -keyfile ours.key -in ours.csr "
        "-startdate 20200101000000Z -enddate 20200102000000Z -notext -out expired.pem",
        folder);
}

static void start_with(struct fake *fake, const char *certificate)
{
    char cert[128], key[128];
    const char *const options[] = {"--no-verify", "--cert", cert, "--key", key, NULL};

    snprintf(cert, sizeof cert, "%s/%s", folder, certificate);
    snprintf(key, sizeof key, "%s/ours-host.key", folder);
    fake_start(fake, options);
}

/* A call to `host` of the fake with `trusted` (a file of the folder) as the trust store. */
static void call_tls(struct call *call, const struct fake *fake, const char *host,
                     const char *trusted)
{
    static char file[128];
    char url[128];

    snprintf(url, sizeof url, "https://%s:%d/", host, fake->port);
    snprintf(file, sizeof file, "%s/%s", folder, trusted ? trusted : "");
    open_call(call, url);
    call->settings.ca_file = trusted ? file : NULL;
    (void)perform(call);
}

static void test_trust(void **state)
{
    const struct {
        const struct fake *fake;
        const char *host, *trusted;
        enum vault_status outcome;
    } rows[] = {
        {&good, "localhost", "ours.pem", VAULT_OK},
        {&good, "127.0.0.1", "ours.pem", VAULT_TLS_FAILED},
        {&good, "localhost", "other.pem", VAULT_TLS_FAILED},
        {&good, "localhost", NULL, VAULT_TLS_FAILED}, /* the system's */
        {&good, "localhost", "absent.pem", VAULT_TLS_FAILED},
        {&good, "localhost", "openssl.log", VAULT_TLS_FAILED},
        {&expired, "localhost", "ours.pem", VAULT_TLS_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call;

        call_tls(&call, rows[i].fake, rows[i].host, rows[i].trusted);
        if (call.exchange.outcome != rows[i].outcome)
            fail_msg("row %zu: %s: %s", i, vault_status_row(call.exchange.outcome)->word,
                     call.exchange.why.text);
        assert_int_equal(call.exchange.status > 0, rows[i].outcome == VAULT_OK);
        assert_int_equal(call.exchange.why.length == 0, rows[i].outcome == VAULT_OK);
        close_call(&call);
    }
}

static int start_all(void **state)
{
    struct vault_message why = {0};

    (void)state;
    make_folder(folder, sizeof folder);
    if (make_authority("ours") != 0 || make_authority("other") != 0 || make_expired() != 0) {
        (void)run_command("cat %s/openssl.log >&2", folder);
        return -1;
    }
    start_with(&good, "ours-host.pem");
    start_with(&expired, "expired.pem");
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

static int stop_all(void **state)
{
    (void)state;
    fake_stop(&good);
    fake_stop(&expired);
    remove_folder(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
