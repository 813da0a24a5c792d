/* nginx_stand_in - a program with an OpenSSL of its own, as some builds of nginx are.
 *
 * For:   spec/c/test_runtime.c, which builds it with csrc/runtime.c and tells by -D what it brings:
 *        OWN_VERSION (SSL_new and a version), OWN_SSL (SSL_new alone, as 1.0.2 has it), NO_THREADS;
 *        LIBRARY makes a library of the same, to be preloaded.
 * Never: OpenSSL.
 *
 * Prints the word of the check's status, the file of SSL_new, and the message; with an argument,
 * the options and the mode that are set in an SSL_CTX instead.
 */
#include <stdint.h>
#include <stdio.h>

#define EXPORTED __attribute__((visibility("default")))

#if defined OWN_VERSION || defined OWN_SSL
EXPORTED void *SSL_new(void *context);
void *SSL_new(void *context)
{
    return context;
}

/* Here an SSL_CTX is no more than its options and its mode. */
EXPORTED uint64_t SSL_CTX_set_options(void *context, uint64_t options);
uint64_t SSL_CTX_set_options(void *context, uint64_t options)
{
    return ((uint64_t *)context)[0] |= options;
}

/* SSL_CTRL_CLEAR_MODE */
EXPORTED long SSL_CTX_ctrl(void *context, int command, long mode, void *unused);
long SSL_CTX_ctrl(void *context, int command, long mode, void *unused)
{
    (void)unused;
    if (command == 78)
        ((uint64_t *)context)[1] &= ~(uint64_t)mode;
    return 0;
}
#endif

#ifdef OWN_VERSION
EXPORTED unsigned long OpenSSL_version_num(void);
unsigned long OpenSSL_version_num(void)
{
    return OWN_VERSION;
}
#endif

#ifdef NO_THREADS
EXPORTED unsigned long CRYPTO_THREAD_get_current_id(void);
unsigned long CRYPTO_THREAD_get_current_id(void)
{
    return 0;
}
#endif

#ifndef LIBRARY
#include "runtime.h"

static int print_options(void)
{
    uint64_t context[] = {0, 0x18};

    vault_runtime_wipe_plaintext(context);
    printf("%d %#x\n", (int)context[0], (unsigned)context[1]);
    return 0;
}

int main(int count, char **arguments)
{
    struct vault_message why = {0};
    enum vault_status status = vault_runtime_check("OpenSSL/3.0.15", &why);

    (void)arguments;
    if (count > 1)
        return print_options();
    printf("%s [%s] %s\n", vault_status_row(status)->word, vault_runtime_ssl_file(), why.text);
    return 0;
}
#endif
