/* fake - support/fake_aws.py beside a test: Secrets Manager that checks signatures.
 *
 * For:   starting it, asking it for its counts, ending it. Include after cmocka.h.
 * Never: skipping a test where Python is missing: that is a failure.
 */
#ifndef VAULT_TEST_FAKE_H
#define VAULT_TEST_FAKE_H

#include <signal.h>

#include "child.h"
#include "server.h"

struct fake {
    pid_t child;
    unsigned short port;
    char url[64];
};

/* `options` is NULL or a NULL-ended list of further arguments. */
static inline void fake_start(struct fake *fake, const char *const *options)
{
    char line[64] = "", python[4096];
    /* Which environment it is, it reads off the name that it is called by. */
    const char *arguments[16] = {python, "-B", "spec/support/fake_aws.py"};
    const char *venv = getenv("VAULT_VENV");
    int out[2];
    FILE *said;

    snprintf(python, sizeof python, "%s/bin/python", venv ? venv : "build/venv");
    for (int i = 3; options && *options; i++)
        arguments[i] = *options++;
    assert_int_equal(pipe(out), 0);
    fflush(NULL);
    fake->child = fork();
    if (fake->child == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(python, (char *const *)arguments);
        _exit(127);
    }
    assert_true(fake->child > 0);
    close(out[1]);
    said = fdopen(out[0], "r");
    assert_non_null(said);
    if (!fgets(line, sizeof line, said) || sscanf(line, "ready %hu", &fake->port) != 1)
        fail_msg("spec/support/fake_aws.py did not start (make venv?)");
    fclose(said);
    snprintf(fake->url, sizeof fake->url, "http://127.0.0.1:%d", fake->port);
}

static inline void fake_stop(struct fake *fake)
{
    kill(fake->child, SIGTERM);
    while (waitpid(fake->child, NULL, 0) < 0)
        assert_int_equal(errno, EINTR);
}

/* The number after "name": in the fake's counts. */
static inline long fake_count(const struct fake *fake, const char *name)
{
    static const char request[] = "GET /_/stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_port = htons(fake->port)};
    int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[65536] = "", wanted[64];
    size_t length = 0;
    const char *at;

    assert_int_equal(connect(stream, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(stream, request, sizeof request - 1), sizeof request - 1);
    shutdown(stream, SHUT_WR);
    for (ssize_t got = 1; got > 0 && length < sizeof answer - 1; length += (size_t)got) {
        got = read(stream, answer + length, sizeof answer - 1 - length);
        if (got < 0)
            break;
    }
    close(stream);
    snprintf(wanted, sizeof wanted, "\"%s\": ", name);
    at = strstr(answer, wanted);
    if (!at)
        fail_msg("the fake does not count \"%s\"", name);
    return strtol(at + strlen(wanted), NULL, 10);
}

#endif
