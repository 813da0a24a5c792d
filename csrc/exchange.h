/* exchange - one HTTP request and its answer, or one program and its output, as plain data.
 *
 * For:   the border between protocol code, which fills in what to send and reads what came back,
 *        and http.c or program.c, which perform it.
 * Never: sockets, curl, processes, AWS words.
 */
#ifndef VAULT_EXCHANGE_H
#define VAULT_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "note.h"

#define VAULT_EXCHANGE_ANSWER_MAX  (512 * 1024) /* 64 KiB, each byte as \u00NN, and the rest */
#define VAULT_EXCHANGE_PROGRAM_MAX (16 * 1024)

struct vault_exchange {
    /* asked: the protocol code's */
    const char *method;          /* "GET", "POST", "PUT"; constant text */
    struct vault_buffer url;     /* absolute, http or https */
    struct vault_buffer headers; /* "Name: value\r\n" lines */
    struct vault_buffer body;
    bool direct;     /* never through a proxy (metadata services) */
    bool fresh;      /* on no connection that was kept; a new one may take twice its time */
    bool again;      /* another attempt follows: this one ends with the second lost connection */
    bool wants_date; /* of an answer of 200, too */
    /* NULL, or asked about each struct sockaddr before it is connected to; false ends it all */
    bool (*may_connect)(const void *sockaddr);
    int64_t timeout_ms; /* for this exchange, its connection included; 0: the fetch's own */
    /* Not empty: instead of all this a program is run, its words each ended by NUL. Its standard
     * output becomes `answer`, its exit status (128 and the number for a signal) `status`. */
    struct vault_buffer program;

    /* answered: http.c's, program.c's */
    enum vault_status outcome; /* VAULT_OK: status line, headers and whole body came; of a program:
                                  it was run and came to its end, whatever its exit status */
    int status;                /* HTTP status, 0 where none came */
    struct vault_buffer answer;
    int64_t date; /* Date, seconds since 1970; -1: none, or one of a 200 that nobody wants */
    int64_t retry_after_ms; /* x-amz-retry-after; -1: none */
    char error_type[128];   /* x-amzn-errortype, "" for none */
    char request_id[64];    /* x-amzn-requestid, "" for none */
    struct vault_note why;  /* where outcome is not VAULT_OK */
};

/* Empty, with its limits. Allocates nothing. */
void vault_exchange_init(struct vault_exchange *exchange);

/* Forget what was asked and answered, wiped; ready for the next request. */
void vault_exchange_clear(struct vault_exchange *exchange);

/* Wipe and free all it holds. */
void vault_exchange_free(struct vault_exchange *exchange);

#endif
