/* credential_json - a credential out of the members of a JSON object.
 *
 * For:   what all answers with keys in them share: which strings must be there, what may stand in
 *        them, and the words for what is amiss.
 * Never: which service or program answered, what its members are called, clocks.
 */
#ifndef VAULT_CREDENTIAL_JSON_H
#define VAULT_CREDENTIAL_JSON_H

#include "credentials.h"
#include "json_extract.h"

#define VAULT_CREDENTIAL_PART_MAX 16384 /* vault_credential_set has the narrower limits */

/* Whether a member that vault_json_members looked for is absent, null or "". */
bool vault_json_lacks(const struct vault_json_member *member);

/* Append the string of such a member to `part`. VAULT_OK, VAULT_BAD_RESPONSE (`why` receives
 * "<name> is absent or empty", "is not a string", "is too long" for the limit of `part`, or
 * "holds a NUL"; nothing of the string), VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_json_part(const struct vault_json_member *member,
                                                   struct vault_buffer *part,
                                                   struct vault_message *why);

/* Read such a string as a time of ISO 8601 in seconds since 1970. As above, or "is not a time";
 * *seconds is unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_json_time(const struct vault_json_member *member,
                                                   int64_t *seconds, struct vault_message *why);

/* Fill in `credential`, which is unchanged unless VAULT_OK, out of `count` members: key id, secret
 * and, of 3, token. `expires` is 0; `source` becomes credential->source. VAULT_OK,
 * VAULT_BAD_RESPONSE (as above, or a byte that cannot be in a credential), VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_credential_json(const struct vault_json_member *members,
                                                         size_t count, const char *source,
                                                         struct vault_credential *credential,
                                                         struct vault_message *why);

#endif
