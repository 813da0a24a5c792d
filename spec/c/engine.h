/* engine - ports used from a test, as a collector in a worker uses them.
 *
 * For:   the tests of io_thread.c: submitting, waiting for results, counting threads. Include after
 *        cmocka.h.
 * Never: what a fetch is made of.
 */
#ifndef VAULT_TEST_ENGINE_H
#define VAULT_TEST_ENGINE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "child.h"
#include "environment.h"
#include "io_thread.h"
#include "server.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"

static const struct vault_engine_settings no_settings = {NULL};

static inline struct vault_fetch_request engine_request(const char *name, const char *url)
{
    return (struct vault_fetch_request){.secret_id = name,
                                        .secret_id_length = strlen(name),
                                        .region = "eu-west-1",
                                        .endpoint_url = url,
                                        .timeout_ms = 10000};
}

/* 0 where it was refused. */
static inline uint64_t try_submit(struct vault_port *port, const char *name, const char *url)
{
    const struct vault_fetch_request request = engine_request(name, url);
    struct vault_message why = {0};
    uint64_t number = 0;

    if (vault_port_submit(port, &request, &no_settings, &number, &why) != VAULT_OK)
        return 0;
    return number;
}

/* The next result, waited for; NULL after 10 s. */
static inline struct vault_fetch *wait_take(struct vault_port *port, uint64_t *number)
{
    struct vault_fetch *fetch = vault_port_take(port, number);

    for (int i = 0; !fetch && i < 10000; i++) {
        rest_ms(1);
        fetch = vault_port_take(port, number);
    }
    return fetch;
}

static inline int thread_count(void)
{
    return entries_in("/proc/self/task");
}

/* A thread that was joined leaves /proc a little later. */
static inline bool threads_become(int wanted)
{
    for (int i = 0; thread_count() != wanted && i < 1000; i++)
        rest_ms(1);
    return thread_count() == wanted;
}

static inline int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(stream, (struct sockaddr *)&address, sizeof address) == 0)
        return stream;
    close(stream);
    return -1;
}

/* Bytes that come within `milliseconds`, up to 8; 0 for the end, -1 for none. */
static inline ssize_t receive_within(int stream, int milliseconds)
{
    struct pollfd polled = {.fd = stream, .events = POLLIN};
    char bytes[8];

    if (poll(&polled, 1, milliseconds) != 1)
        return -1;
    return recv(stream, bytes, sizeof bytes, 0);
}

/* The environment of this process from now on: the fake's key, no proxy. Once. */
static inline void capture_environment(void)
{
    static const char *const unset[] = {"AWS_SESSION_TOKEN", "AWS_MAX_ATTEMPTS", "http_proxy",
                                        "all_proxy", "ALL_PROXY"};

    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++)
        unsetenv(unset[i]);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
    assert_int_equal(vault_environment_capture(), VAULT_OK);
}

#endif
