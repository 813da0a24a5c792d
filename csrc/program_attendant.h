/* program_attendant - the process of ours that stands between us and a program.
 *
 * For:   all that runs in children of a process with threads: the attendant, which starts the
 *        program in a process group of its own, waits for it and tells its end; ends it, with its
 *        group, where whoever asked has gone or wants it; and the program's process until it
 *        executes.
 * Never: memory, locks, stdio: only what is safe in a signal's handler. All else is brought along.
 */
#ifndef VAULT_PROGRAM_ATTENDANT_H
#define VAULT_PROGRAM_ATTENDANT_H

#include <stdint.h>

#include "program_image.h"

struct vault_program_start {
    struct vault_program_image image;
    /* Descriptors of the caller, all over 3. */
    int input, output, errors; /* what becomes the program's 0, 1, 2 */
    int line;                  /* an end of a SOCK_SEQPACKET pair */
    int descriptor_limit;      /* one more than the highest there can be */
};

/* What comes over the line: one packet each, of this size. */
struct vault_program_news {
    enum vault_program_kind {
        VAULT_PROGRAM_RUNS,   /* value: the id of its process and its group */
        VAULT_PROGRAM_FAILED, /* value: the errno for which it could not be executed */
        VAULT_PROGRAM_ENDED   /* value: its exit status, or 128 and a signal's number */
    } kind;
    int32_t value;
};

/* The life of the attendant: to be called in a fresh child, all signals blocked since before the
 * fork. It keeps none of the descriptors but the line.
 *
 * It stays until the line's other end is closed, or shut down for writing: it kills the program's
 * group where that has not ended, and leaves with exit status 0. Until then the program is not
 * reaped, and the id of its process and its group is nobody else's. */
_Noreturn void vault_program_attend(const struct vault_program_start *start);

#endif
