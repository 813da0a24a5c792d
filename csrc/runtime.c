/* runtime - whether this process can run libcurl beside the OpenSSL that nginx brought.
 *
 * For:   what runtime.h promises.
 * Never: curl and OpenSSL headers.
 */
#include "runtime.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t set_options(void *context, uint64_t options);

/* A static libcurl with its OpenSSL hidden inside the module binds to nothing of nginx's. */
#ifdef VAULT_STATIC_CURL
#define OWN_OPENSSL true
set_options SSL_CTX_set_options;
#define OWN_SET_OPTIONS SSL_CTX_set_options
#else
#define OWN_OPENSSL     false
#define OWN_SET_OPTIONS NULL
#endif

/* SSL_OP_CLEANSE_PLAINTEXT of OpenSSL 3; in 1.1.1 the bit means nothing. */
#define WIPE_PLAINTEXT 2

#define WAYS_OUT                                                                                   \
    "; rebuild nginx's OpenSSL with enable-threads (version 3), or build this module with "        \
    "`make STATIC_CURL=1`"

struct range_query {
    uintptr_t address;
    bool inside;
};

/* The first object dl_iterate_phdr shows is the executable: stop there. */
static int look_in_executable(struct dl_phdr_info *info, size_t size, void *at)
{
    struct range_query *query = at;

    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD && query->address >= start &&
            query->address - start < info->dlpi_phdr[i].p_memsz)
            query->inside = true;
    }
    return 1;
}

static bool from_executable(const void *symbol)
{
    struct range_query query = {.address = (uintptr_t)symbol};

    if (symbol)
        dl_iterate_phdr(look_in_executable, &query);
    return query.inside;
}

/* ISO C has no cast from an object pointer to a function's; POSIX promises that the bits are it. */
static unsigned long call(const char *name, unsigned long otherwise)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    unsigned long (*function)(void);

    if (!symbol)
        return otherwise;
    memcpy(&function, &symbol, sizeof function);
    return function();
}

enum vault_status vault_runtime_check(const char *curl_ssl, struct vault_message *why)
{
    if (!curl_ssl || !strstr(curl_ssl, "OpenSSL")) {
        vault_message_add(why,
                          "libcurl is not built with OpenSSL but with %s; install one that is, or "
                          "build this module with `make STATIC_CURL=1`",
                          curl_ssl ? curl_ssl : "no TLS library");
        return VAULT_UNSUPPORTED;
    }
    if (OWN_OPENSSL)
        return VAULT_OK;
    if (call("CRYPTO_THREAD_get_current_id", 1) == 0) {
        vault_message_add(why, "the OpenSSL in this process is built without threads and would "
                               "corrupt memory" WAYS_OUT);
        return VAULT_UNSUPPORTED;
    }
    if (from_executable(dlsym(RTLD_DEFAULT, "SSL_new")) &&
        call("OpenSSL_version_num", 0) >> 28 != 3) {
        vault_message_add(why, "nginx holds an OpenSSL of its own that is not version 3, and "
                               "libcurl cannot work with it" WAYS_OUT);
        return VAULT_UNSUPPORTED;
    }
    return VAULT_OK;
}

const char *vault_runtime_ssl_file(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "SSL_new");
    Dl_info info;

    if (OWN_OPENSSL)
        return "this module";
    if (!symbol || !dladdr(symbol, &info) || !info.dli_fname)
        return "";
    return info.dli_fname;
}

void vault_runtime_wipe_plaintext(void *context)
{
    void *symbol = dlsym(RTLD_DEFAULT, "SSL_CTX_set_options");
    set_options *set = OWN_SET_OPTIONS;

    if (!set && symbol)
        memcpy(&set, &symbol, sizeof set);
    if (set)
        (void)set(context, WIPE_PLAINTEXT);
}
