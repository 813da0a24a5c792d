/* imds_script - what EC2 instance metadata is asked and answers.
 *
 * For:   the tests of credentials_imds, as rows of source_script. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_IMDS_SCRIPT_H
#define VAULT_TEST_IMDS_SCRIPT_H

#include "credentials_imds.h"
#include "source_script.h"

#define BASE        "http://169.254.169.254"
#define ASKS_TOKEN  "PUT " BASE "/latest/api/token"
#define ASKS_ROLE   "GET " BASE "/latest/meta-data/iam/security-credentials/"
#define ASKS_KEYS   ASKS_ROLE "gateway"
#define ASKS_REGION "GET " BASE "/latest/meta-data/placement/region"
#define TTL         "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"
#define WITH_TOKEN  "X-aws-ec2-metadata-token: metaCANARY==\r\n"
#define TOKEN       "metaCANARY=="
#define SAID        "instance metadata at " BASE
#define ROLE_PATH   "/latest/meta-data/iam/security-credentials/"
#define HINT                                                                                       \
    "; its token did not come in time: in a container the instance's metadata hop limit must be "  \
    "2 or more"
#define NO_V1 "AWS_EC2_METADATA_V1_DISABLED=true"

#define KEYS(expires)                                                                              \
    "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"AKIDCANARY\","                  \
    "\"SecretAccessKey\":\"secretCANARY\",\"Token\":\"tokenCANARY\",\"Expiration\":\"" expires     \
    "\"}"
#define GOOD KEYS("2023-11-14T23:13:20Z") /* an hour after NOW */

/* Answers, in the order in which they come. */
#define TOKEN_OK                                                                                   \
    {                                                                                              \
        ASKS_TOKEN, TTL, TOKEN, 0, VAULT_OK                                                        \
    }
#define TOKEN_HTTP(code)                                                                           \
    {                                                                                              \
        ASKS_TOKEN, TTL, "<html>CANARY</html>", code, VAULT_OK                                     \
    }
#define TOKEN_LOST(outcome)                                                                        \
    {                                                                                              \
        ASKS_TOKEN, TTL, NULL, 0, outcome                                                          \
    }
#define GET_V2(asks, code, body)                                                                   \
    {                                                                                              \
        asks, WITH_TOKEN, body, code, VAULT_OK                                                     \
    }
#define GET_V1(asks, code, body)                                                                   \
    {                                                                                              \
        asks, "", body, code, VAULT_OK                                                             \
    }
#define GET_LOST(asks, outcome)                                                                    \
    {                                                                                              \
        asks, NULL, NULL, 0, outcome                                                               \
    }

#endif
