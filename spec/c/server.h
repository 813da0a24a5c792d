/* server - a TCP server on a thread that answers each request with the bytes it was given.
 *
 * For:   answers no decent server would give: cut short, reset, malformed, none at all; and counts
 *        of connections and requests. Include after cmocka.h.
 * Never: HTTP beyond telling where a request ends.
 */
#ifndef VAULT_TEST_SERVER_H
#define VAULT_TEST_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_CONNECTIONS 300

enum server_end {
    SERVER_KEEP, /* wait for the next request */
    SERVER_CLOSE,
    SERVER_RESET,
    SERVER_HANG /* send nothing, for ever */
};

struct server_connection {
    bool answered;
    size_t length;
    char request[8192];
};

struct server {
    /* what it does with each request; set before server_start */
    const char *answer;
    size_t length; /* 0: strlen(answer) */
    enum server_end end;
    bool unasked; /* at once, without a request */
    bool once;    /* whoever asks a second time on one connection is cut off */

    unsigned short port;
    char url[64];
    atomic_uint connections, requests;
    pthread_mutex_t lock;
    char last[8192]; /* under lock: the last request */

    int stop[2];
    atomic_bool runs;
    pthread_t thread;
    struct pollfd polled[SERVER_CONNECTIONS + 2]; /* the thread's from here on */
    struct server_connection *at[SERVER_CONNECTIONS + 2];
    nfds_t count;
};

/* Whether the request is whole: its head, and as many bytes as Content-Length says. */
static inline bool server_has_request(const struct server_connection *connection)
{
    const char *head_end = strstr(connection->request, "\r\n\r\n");
    const char *length = strcasestr(connection->request, "\r\nContent-Length:");

    if (!head_end)
        return false;
    return connection->length >= (size_t)(head_end + 4 - connection->request) +
                                     (length ? strtoul(length + 17, NULL, 10) : 0);
}

static inline void server_drop(struct server *server, nfds_t i, bool reset)
{
    const struct linger hard = {.l_onoff = 1};

    if (reset)
        (void)setsockopt(server->polled[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(server->polled[i].fd);
    free(server->at[i]);
    server->count--;
    server->polled[i] = server->polled[server->count];
    server->at[i] = server->at[server->count];
}

/* False where the connection was dropped. */
static inline bool server_answer(struct server *server, nfds_t i)
{
    size_t length = server->length ? server->length : strlen(server->answer);

    if (server->once && server->at[i]->answered) {
        server_drop(server, i, false);
        return false;
    }
    server->at[i]->answered = true;
    server->at[i]->length = 0;
    server->at[i]->request[0] = '\0';
    for (size_t sent = 0; server->end != SERVER_HANG && sent < length;) {
        ssize_t now =
            send(server->polled[i].fd, server->answer + sent, length - sent, MSG_NOSIGNAL);

        if (now <= 0)
            break;
        sent += (size_t)now;
    }
    if (server->end == SERVER_KEEP || server->end == SERVER_HANG)
        return true;
    if (server->end == SERVER_RESET) /* a reset overtakes what was not read yet */
        poll(NULL, 0, 20);
    server_drop(server, i, server->end == SERVER_RESET);
    return false;
}

static inline void server_accept(struct server *server)
{
    int stream = accept(server->polled[1].fd, NULL, NULL);

    if (stream < 0)
        return;
    atomic_fetch_add(&server->connections, 1);
    server->polled[server->count] = (struct pollfd){.fd = stream, .events = POLLIN};
    server->at[server->count] = calloc(1, sizeof(struct server_connection));
    server->count++;
    if (server->unasked)
        (void)server_answer(server, server->count - 1);
}

static inline bool server_read(struct server *server, nfds_t i)
{
    struct server_connection *connection = server->at[i];
    size_t room = sizeof connection->request - 1 - connection->length;
    ssize_t got = recv(server->polled[i].fd, connection->request + connection->length, room, 0);

    if (got <= 0) {
        server_drop(server, i, false);
        return false;
    }
    connection->length += (size_t)got;
    connection->request[connection->length] = '\0';
    if (!server_has_request(connection))
        return true;
    pthread_mutex_lock(&server->lock);
    memcpy(server->last, connection->request, connection->length + 1);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    return server_answer(server, i);
}

static inline void *server_run(void *at)
{
    struct server *server = at;

    atomic_store(&server->runs, true);
    while (poll(server->polled, server->count, -1) > 0 && !server->polled[0].revents) {
        nfds_t before = server->count;

        if (server->polled[1].revents && server->count < SERVER_CONNECTIONS + 2)
            server_accept(server);
        for (nfds_t i = before; i-- > 2;)
            if (i < server->count && server->polled[i].revents)
                (void)server_read(server, i);
    }
    while (server->count > 2)
        server_drop(server, 2, false);
    return NULL;
}

/* A listening socket on 127.0.0.1, on any port. */
static inline int server_listen(unsigned short *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 512), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

/* A port on which nobody listens. */
static inline unsigned short server_nowhere(void)
{
    unsigned short port;

    close(server_listen(&port));
    return port;
}

/* The caller has set answer and end, all else zero. */
static inline void server_start(struct server *server)
{
    assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
    assert_int_equal(pipe(server->stop), 0);
    server->polled[0] = (struct pollfd){.fd = server->stop[0], .events = POLLIN};
    server->polled[1] = (struct pollfd){.fd = server_listen(&server->port), .events = POLLIN};
    server->count = 2;
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d/", server->port);
    atomic_store(&server->runs, false);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
    /* A thread that begins has locks of malloc's, a sanitizer's too, which a fork would copy. */
    while (!atomic_load(&server->runs))
        sched_yield();
}

static inline void server_stop(struct server *server)
{
    assert_int_equal(write(server->stop[1], "!", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->polled[1].fd);
    close(server->stop[0]);
    close(server->stop[1]);
    pthread_mutex_destroy(&server->lock);
}

static inline void server_last(struct server *server, char *into, size_t room)
{
    pthread_mutex_lock(&server->lock);
    snprintf(into, room, "%s", server->last);
    pthread_mutex_unlock(&server->lock);
}

#endif
