"""fake_sso - what the portal of IAM Identity Center answers.

For:   fake_identity.py: GetRoleCredentials, which comes unsigned with the token of a login.
       sso: token   the only one that is good; any, where it is not set
            roles   {role name: account id}; where roles is set, others than these are refused
            expired (keys whose expiration is past), raw, status
Never: HTTP, counting, who is told of what was issued; logging in.
"""

import json
import time
import urllib.parse

from fake_aws import Answer

PATH = "/federation/credentials"
BEARER = "x-amz-sso_bearer_token"
JSON = {"Content-Type": "application/json"}


def failure(status, code, message):
    body = {"message": message, "__type": "com.amazonaws.switchboard.portal#" + code}
    return Answer(status, json.dumps(body).encode(), {**JSON, "x-amzn-ErrorType": code})


def refusal(request, asked, section):
    """What is wrong with the call, or None."""
    if request.method != "GET":
        return Answer(405, b"")
    if "authorization" in request.headers or set(asked) != {"role_name", "account_id"}:
        return failure(400, "InvalidRequestException", "this call is made without a signature")
    token = request.headers.get(BEARER, "")
    if not token or token != section.get("token", token):
        return failure(401, "UnauthorizedException", "Session token not found or invalid " + token)
    roles = section.get("roles")
    if roles and roles.get(asked["role_name"]) != asked["account_id"]:
        return failure(403, "ForbiddenException", "No access")
    return None


async def answer(server, request, section):
    asked = dict(urllib.parse.parse_qsl(request.query, keep_blank_values=True))
    request.entry.update(asked)
    refused = refusal(request, asked, section)
    if refused:
        return refused
    if "status" in section:
        return Answer(section["status"], b"planted")
    if "raw" in section:
        return Answer(200, section["raw"].encode(), JSON)
    caller = await server.issue(asked["role_name"], section)
    expires = time.time() - 600 if section.get("expired") else caller.expires
    return Answer(200, json.dumps({"roleCredentials": {
        "accessKeyId": caller.access_key, "secretAccessKey": caller.secret_key,
        "sessionToken": caller.session_token, "expiration": int(expires * 1000)}}).encode(), JSON)
