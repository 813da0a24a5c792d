/* ini - the grammar of AWS's shared config and credentials files.
 *
 * For:   text -> sections and properties, as slices. Every rule is listed in docs/profile-files.md.
 *        (docs.aws.amazon.com/sdkref/latest/guide/file-format.html)
 * Never: environment, file paths, what a property means.
 */
#ifndef VAULT_INI_H
#define VAULT_INI_H

#include <stddef.h>

#include "buffer.h"
#include "message.h"

#define VAULT_INI_SIZE_MAX (256 * 1024)

enum vault_ini_kind {
    VAULT_INI_CONFIG,     /* [default], [profile x], [sso-session x], [services x] */
    VAULT_INI_CREDENTIALS /* [x] */
};

struct vault_ini; /* parsed sections; owns a wiped copy of the text */

/* Parse `length` bytes. A line that is no section, property, continuation or comment is an error
 * that names its line number and never quotes it. `*made` goes to vault_ini_free.
 *
 * VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE (VAULT_INI_SIZE_MAX), VAULT_BAD_PROFILE. */
VAULT_MUST_CHECK enum vault_status vault_ini_parse(const char *text, size_t length,
                                                   enum vault_ini_kind kind,
                                                   struct vault_ini **made,
                                                   struct vault_message *why);
void vault_ini_free(struct vault_ini *ini);

/* Whether a section of `type` ("profile", "sso-session", "services") and `name` stands in the file.
 *  * In both kinds of file a profile has type "profile"; [default] is the profile "default", unless
 * the config file has [profile default] as well, which then stands alone. */
int vault_ini_has(const struct vault_ini *ini, const char *type, const char *name);

/* The value of `property` in that section, NUL-ended, borrowed from `ini`; NULL where it is not
 * set. A section that stands twice is one; where a property stands twice the last one holds, with
 * its sub-properties. `property` may be "parent.child" for a nested sub-property; the value of such
 * a parent is "". Names of properties are compared without regard to case. */
const char *vault_ini_get(const struct vault_ini *ini, const char *type, const char *name,
                          const char *property);

#endif
