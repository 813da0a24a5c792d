/* sigv4_stamp - a moment as AWS writes it, "20150830T123600Z".
 *
 * For:   seconds since 1970 -> 16 letters, UTC.
 * Never: the clock; time zones: glibc's gmtime_r reads TZ from the environment, this does not.
 */
#ifndef VAULT_SIGV4_STAMP_H
#define VAULT_SIGV4_STAMP_H

#include <stdint.h>

#define VAULT_SIGV4_STAMP  16
#define VAULT_SIGV4_DATE   8            /* YYYYMMDD, the front of a stamp */
#define VAULT_SIGV4_LATEST 253402300799 /* 9999-12-31T23:59:59Z */

/* `when` is 0 .. VAULT_SIGV4_LATEST; no NUL is written. */
void vault_sigv4_stamp(char stamp[VAULT_SIGV4_STAMP], int64_t when);

#endif
