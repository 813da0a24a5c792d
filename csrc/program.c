/* program - one program run for its output, beside everything else.
 *
 * For:   what program.h promises: pipes, the fork, reading, the verdict, the end.
 * Never: what runs in the children (program_attendant); what the output means; the clock.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program_attendant.h"

#define CHUNK       4096
#define ERRORS_TURN (64 * 1024) /* bytes of standard error read in one turn */
#define SAID_MAX    256         /* bytes of its first line that are shown */
#define LEAVE_MS    1000        /* for the attendant to go, which is a matter of microseconds */

struct vault_program {
    struct vault_exchange *exchange;
    pid_t attendant; /* 0: none was started */
    pid_t group;     /* 0: not known yet */
    int watch;       /* epoll, over the other three */
    int output, errors, line;
    bool has_ended;  /* its end was told: `exit_status` */
    bool is_alone;   /* the attendant has gone */
    bool has_failed; /* to be executed: `failure` says why, as errno has it */
    int exit_status, failure;
    enum vault_status status; /* why it cannot go on */
    size_t said_length;       /* the first line of its standard error, and one byte that tells */
    bool has_said;            /* all of that line */
    char said[SAID_MAX + 1];
};

static void close_one(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* ---- start ---- */

/* The attendant puts the program's three and its line below 4: what it takes them from must not
 * stand there, as it may where the host has closed its own. */
static bool lift(int *descriptor)
{
    int lifted = *descriptor;

    if (lifted < 4) {
        lifted = fcntl(*descriptor, F_DUPFD_CLOEXEC, 4);
        close(*descriptor);
    }
    *descriptor = lifted;
    return lifted >= 0;
}

static bool watch(const struct vault_program *program, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN};
    int flags = fcntl(descriptor, F_GETFL);

    return flags >= 0 && fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
           epoll_ctl(program->watch, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static bool open_pipe(const struct vault_program *program, int *here, int *there)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *here = ends[0];
    *there = ends[1];
    return lift(there) && watch(program, *here);
}

static bool open_line(struct vault_program *program, int *there)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    program->line = ends[0];
    *there = ends[1];
    return lift(there) && watch(program, program->line);
}

static bool open_all(struct vault_program *program, struct vault_program_start *start)
{
    struct rlimit limit = {.rlim_cur = 0};

    program->watch = epoll_create1(EPOLL_CLOEXEC);
    if (program->watch < 0 || !open_pipe(program, &program->output, &start->output) ||
        !open_pipe(program, &program->errors, &start->errors) || !open_line(program, &start->line))
        return false;
    start->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (start->input < 0 || !lift(&start->input) || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    start->descriptor_limit = limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
    return true;
}

/* All signals blocked meanwhile: no handler of the host's may run in the child. */
static bool start_attendant(struct vault_program *program, const struct vault_program_start *start)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    program->attendant = fork();
    if (program->attendant == 0)
        vault_program_attend(start);
    error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    if (program->attendant > 0)
        return true;
    program->attendant = 0;
    return false;
}

static enum vault_status begin(struct vault_program *program, struct vault_program_start *start,
                               struct vault_message *why)
{
    if (open_all(program, start) && start_attendant(program, start))
        return VAULT_OK;
    vault_message_add(why, "no program can be started: %s", strerror(errno));
    return VAULT_INTERNAL;
}

enum vault_status vault_program_new(struct vault_exchange *exchange,
                                    const struct vault_environment *environment,
                                    struct vault_program **made)
{
    struct vault_program_start start = {.input = -1, .output = -1, .errors = -1, .line = -1};
    struct vault_program *program = vault_alloc(sizeof *program);
    struct vault_message why = {0};
    enum vault_status status;

    if (!program)
        return VAULT_NO_MEMORY;
    program->exchange = exchange;
    program->watch = program->output = program->errors = program->line = -1;
    status = vault_program_image_make(&exchange->program, environment, &start.image, &why);
    if (status == VAULT_OK)
        status = begin(program, &start, &why);
    else if (status != VAULT_NO_MEMORY)
        status = VAULT_NOT_FOUND;
    close_one(&start.input);
    close_one(&start.output);
    close_one(&start.errors);
    close_one(&start.line);
    vault_program_image_free(&start.image);
    if (status == VAULT_OK) {
        *made = program;
    } else {
        vault_note_set(&exchange->why, &why);
        vault_program_free(program);
    }
    return status;
}

int vault_program_fd(const struct vault_program *program)
{
    return program->watch;
}

/* ---- reading ---- */

/* Another child may hold it for a moment more: closing alone might leave it watched. */
static void forget(const struct vault_program *program, int *descriptor)
{
    (void)epoll_ctl(program->watch, EPOLL_CTL_DEL, *descriptor, NULL);
    close_one(descriptor);
}

/* Bytes read, 0 where nothing is there now or ever will be: then it is forgotten. */
static size_t read_some(const struct vault_program *program, int *descriptor, char *into,
                        size_t most)
{
    ssize_t got;

    if (*descriptor < 0)
        return 0;
    do
        got = read(*descriptor, into, most);
    while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        forget(program, descriptor);
    return got > 0 ? (size_t)got : 0;
}

static void hear(struct vault_program *program, const struct vault_program_news *news)
{
    switch (news->kind) {
    case VAULT_PROGRAM_RUNS:
        program->group = news->value;
        break;
    case VAULT_PROGRAM_FAILED:
        program->has_failed = true;
        program->failure = news->value;
        break;
    case VAULT_PROGRAM_ENDED:
        program->has_ended = true;
        program->exit_status = news->value;
        break;
    }
}

static void read_line(struct vault_program *program)
{
    struct vault_program_news news;

    while (read_some(program, &program->line, (char *)&news, sizeof news) == sizeof news)
        hear(program, &news);
    program->is_alone = program->line < 0;
}

static void read_output(struct vault_program *program)
{
    struct vault_buffer *answer = &program->exchange->answer;
    size_t room, got;
    char *into;

    while (program->status == VAULT_OK) {
        room = VAULT_PROGRAM_ANSWER_MAX + 1 - answer->length;
        if (room > CHUNK)
            room = CHUNK;
        into = vault_buffer_reserve(answer, room, &program->status);
        if (!into)
            return;
        got = read_some(program, &program->output, into, room);
        answer->length += got;
        answer->data[answer->length] = '\0';
        if (got == 0)
            return;
        if (answer->length > VAULT_PROGRAM_ANSWER_MAX)
            program->status = VAULT_TOO_LARGE;
    }
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Some begin with an empty line: that is not the first. */
static void listen_to(struct vault_program *program, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !program->has_said; i++) {
        if (bytes[i] == '\n')
            program->has_said = program->said_length > 0;
        else if (program->said_length > 0 || !is_blank(bytes[i]))
            program->said[program->said_length++] = bytes[i];
        if (program->said_length == sizeof program->said)
            program->has_said = true;
    }
}

/* All of it, lest the program waits for room; but a program that never stops must not hold the
 * caller. */
static void read_errors(struct vault_program *program)
{
    char bytes[CHUNK];
    size_t got, most = ERRORS_TURN;

    while (most > 0 && (got = read_some(program, &program->errors, bytes, sizeof bytes)) > 0) {
        listen_to(program, bytes, got);
        most -= got < most ? got : most;
    }
    vault_wipe(bytes, sizeof bytes);
}

bool vault_program_advance(struct vault_program *program)
{
    /* The line first: what a program has written stands in its pipes before its end is told. */
    read_line(program);
    read_output(program);
    read_errors(program);
    return program->has_ended || program->is_alone || program->status != VAULT_OK;
}

/* ---- the end ---- */

static bool goes_within(struct vault_program *program, int ms)
{
    struct pollfd line = {.fd = program->line, .events = POLLIN};
    int ready = 1;

    while (!program->is_alone && ready != 0) {
        ready = poll(&line, 1, ms);
        if (ready < 0 && errno != EINTR)
            break;
        read_line(program);
    }
    return program->is_alone;
}

/* The ids are nobody else's: the attendant does not reap the program before it is dismissed, and is
 * itself reaped, by whomever, only after its line was closed. */
static void dismiss(struct vault_program *program)
{
    read_line(program);
    if (!program->has_ended && program->group > 0)
        kill(-program->group, SIGKILL);
    if (!program->is_alone) {
        (void)shutdown(program->line, SHUT_WR);
        if (!goes_within(program, LEAVE_MS))
            kill(program->attendant, SIGKILL);
    }
    while (waitpid(program->attendant, NULL, 0) < 0 && errno == EINTR)
        ;
}

void vault_program_free(struct vault_program *program)
{
    if (!program)
        return;
    if (program->attendant > 0)
        dismiss(program);
    close_one(&program->output);
    close_one(&program->errors);
    close_one(&program->line);
    close_one(&program->watch);
    vault_free(program);
}

/* What is to be said of an outcome but OK; its own words where it has none. */
static void say(const struct vault_program *program, enum vault_status status,
                struct vault_message *why)
{
    const char *word = program->exchange->program.data;

    if (program->has_failed && status == VAULT_INTERNAL) {
        vault_message_add(why, "cannot execute ");
        vault_message_quote(why, word, strlen(word), SAID_MAX);
        vault_message_add(why, ": %s", strerror(program->failure));
    } else if (status == VAULT_INTERNAL) {
        vault_message_add(why, "the process that waited for the program was killed");
    } else if (status == VAULT_TOO_LARGE) {
        vault_message_add(why, "its output is over %d bytes", VAULT_PROGRAM_ANSWER_MAX);
    } else if (status == VAULT_TIMEOUT) {
        vault_message_add(why, "it had not ended when its time was over, and was killed");
    } else {
        vault_message_add(why, "%s", vault_status_row(status)->sentence);
    }
}

/* The first line of its standard error, without what blanks end it. */
static void quote(const struct vault_program *program, struct vault_message *why)
{
    size_t length = program->said_length;

    while (length > 0 && is_blank(program->said[length - 1]))
        length--;
    vault_message_quote(why, program->said, length, SAID_MAX);
}

static enum vault_status verdict(const struct vault_program *program)
{
    if (program->status != VAULT_OK)
        return program->status;
    return program->has_ended && !program->has_failed ? VAULT_OK : VAULT_INTERNAL;
}

void vault_program_finish(struct vault_program *program, enum vault_status status)
{
    struct vault_exchange *exchange = program->exchange;
    struct vault_message why = {0};

    if (status == VAULT_OK)
        status = verdict(program);
    exchange->outcome = status;
    if (status != VAULT_OK) {
        vault_buffer_clear(&exchange->answer);
        say(program, status, &why);
    } else {
        exchange->status = program->exit_status;
        if (program->exit_status != 0)
            quote(program, &why);
    }
    vault_note_set(&exchange->why, &why);
    vault_program_free(program);
}
