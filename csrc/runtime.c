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
typedef long control(void *context, int command, long number, void *pointer);

/* A static libcurl with its OpenSSL hidden inside the module binds to nothing of nginx's. */
#ifdef VAULT_STATIC_CURL
#define OWN_OPENSSL true
set_options SSL_CTX_set_options;
control SSL_CTX_ctrl;
unsigned long OpenSSL_version_num(void);
#define OWN(function) (function)
#else
#define OWN_OPENSSL   false
#define OWN(function) NULL
#endif

/* Of OpenSSL 3: SSL_OP_CLEANSE_PLAINTEXT, SSL_CTRL_CLEAR_MODE, SSL_MODE_RELEASE_BUFFERS. */
#define WIPE_PLAINTEXT  2
#define CLEAR_MODE      78
#define RELEASE_BUFFERS 0x10

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

/* What the libraries of this process call `name`. musl's RTLD_DEFAULT leaves out those that came
 * with a module of Lua's, as a program that was not linked with OpenSSL itself has it. */
static void *find(const char *name)
{
    static const char here = 0;
    void *symbol = dlsym(RTLD_DEFAULT, name), *module;
    Dl_info info;

    if (symbol || !dladdr(&here, &info) || !info.dli_fname)
        return symbol;
    module = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!module)
        return NULL;
    symbol = dlsym(module, name);
    dlclose(module); /* it stays: this is code of it */
    return symbol;
}

static bool from_executable(const void *symbol)
{
    struct range_query query = {.address = (uintptr_t)symbol};

    if (symbol)
        dl_iterate_phdr(look_in_executable, &query);
    return query.inside;
}

typedef unsigned long number(void);

/* ISO C has no cast from an object pointer to a function's; POSIX promises that the bits are it. */
#define BIND(function, name)                                                                       \
    do {                                                                                           \
        void *symbol = find(name);                                                                 \
        if (!(function) && symbol)                                                                 \
            memcpy(&(function), &symbol, sizeof(function));                                        \
    } while (0)

static unsigned long call(number *function, const char *name, unsigned long otherwise)
{
    BIND(function, name);
    return function ? function() : otherwise;
}

static bool is_version_3(void)
{
    return call(OWN(OpenSSL_version_num), "OpenSSL_version_num", 0) >> 28 == 3;
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
    if (call(NULL, "CRYPTO_THREAD_get_current_id", 1) == 0) {
        vault_message_add(why, "the OpenSSL in this process is built without threads and would "
                               "corrupt memory" WAYS_OUT);
        return VAULT_UNSUPPORTED;
    }
    if (from_executable(find("SSL_new")) && !is_version_3()) {
        vault_message_add(why, "nginx holds an OpenSSL of its own that is not version 3, and "
                               "libcurl cannot work with it" WAYS_OUT);
        return VAULT_UNSUPPORTED;
    }
    return VAULT_OK;
}

const char *vault_runtime_ssl_file(void)
{
    void *symbol = find("SSL_new");
    Dl_info info;

    if (OWN_OPENSSL)
        return "this module";
    if (!symbol || !dladdr(symbol, &info) || !info.dli_fname)
        return "";
    return info.dli_fname;
}

void vault_runtime_wipe_plaintext(void *context)
{
    set_options *set = OWN(SSL_CTX_set_options);
    control *tell = OWN(SSL_CTX_ctrl);

    BIND(set, "SSL_CTX_set_options");
    BIND(tell, "SSL_CTX_ctrl");
    if (!set || !tell || !is_version_3())
        return;
    (void)set(context, WIPE_PLAINTEXT);
    (void)tell(context, CLEAR_MODE, RELEASE_BUFFERS, NULL);
}
