/* credential_files - which files the credentials, and the connections that ask for them, depend on.
 *
 * For:   what a worker should be able to read, listed in the master, which can: the shared files,
 *        the token files that the environment and the profile name, the trusted certificates.
 * Never: a byte of a file in what it returns; asking anybody; who is told, and when.
 */
#ifndef VAULT_CREDENTIAL_FILES_H
#define VAULT_CREDENTIAL_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "environment.h"

#define VAULT_CREDENTIAL_FILES_MAX 8

struct vault_credential_file {
    const char *name; /* what it is; constant text, one of a kind in a list */
    const char *lost; /* what does not work without it; constant text */
    char *path;       /* as it is opened; from vault_copy */
    bool readable;    /* by this process, now */
    bool of_profile;  /* named in the shared files, so not found by who cannot read those */
};

struct vault_credential_files {
    struct vault_credential_file list[VAULT_CREDENTIAL_FILES_MAX];
    size_t count;
};

/* List the files that would be read with `environment`; what is malformed names none. Reads the
 * shared files.
 *
 * ca_file  of the trusted certificates; NULL: none
 * files    {0}; unchanged unless VAULT_OK. vault_credential_files_clear frees it
 *
 * VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_credential_files_find(const struct vault_environment *environment, const char *ca_file,
                            struct vault_credential_files *files);

/* Free what it holds; {0} afterwards. */
void vault_credential_files_clear(struct vault_credential_files *files);

#endif
