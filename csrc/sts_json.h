/* sts_json - the JSON that AWS's Security Token Service and some like it can answer with.
 *
 * For:   the same texts as sts_answer, from JSON; no document of AWS's promises this form.
 *        (its use: github.com/LEGO/kong-aws-request-signing, webidentity-sts-credentials.lua)
 * Never: XML, whether the parts will do, what a code means.
 */
#ifndef VAULT_STS_JSON_H
#define VAULT_STS_JSON_H

#include "sts_answer.h"

/* Read AssumeRoleResponse.AssumeRoleResult.Credentials, the same of AssumeRoleWithWebIdentity, or
 * Error.{Code,Message} into `answer`, which is empty. Expiration is seconds since 1970, a fraction
 * and an exponent allowed, or a text as in XML. Nothing of the answer is shown in `why`.
 *
 * VAULT_OK (any of the texts may be absent), VAULT_BAD_RESPONSE (not such JSON, a part of another
 * type, a text that is over VAULT_STS_TEXT_MAX or holds a NUL, an expiration that is no moment),
 * VAULT_NO_MEMORY. `answer` is unspecified unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_sts_json_read(const char *text, size_t length,
                                                       struct vault_sts_answer *answer,
                                                       struct vault_message *why);

#endif
