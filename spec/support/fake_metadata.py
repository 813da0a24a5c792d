"""fake_metadata - what EC2 instance metadata and the container agents answer.

For:   fake_identity.py.
       imds: mode  both      version 2, and 1 for who brings no token (default)
                   v2only    401 without a token
                   v1only    the token's PUT gets `put`: an HTTP status, or "hang"
                   disabled  403 for everything        norole   404 for the role
                   hang      never an answer
             role, region (404 without one), code (what Code says), expired (keys whose
             Expiration is past, and which AWS takes all the same), once401 (the first token is
             forgotten)
       container: token (what Authorization must be), expired, huge
Never: HTTP, counting, who is told of what was issued.
"""

import json
import time

from fake_aws import Answer

IMDS = {"mode": "both", "role": "fake-role", "region": "us-east-1"}
CONTAINER = ("/v2/credentials/", "/v1/credentials", "/container")
META = "/latest/meta-data/"
ROLES = META + "iam/security-credentials/"
TOKEN_TTL = "x-aws-ec2-metadata-token-ttl-seconds"


def question(path):
    """Which kind of call this path of instance metadata is."""
    if path == "/latest/api/token":
        return "token"
    if path == ROLES:
        return "role"
    if path.startswith(ROLES):
        return "credentials"
    return "region" if path == META + "placement/region" else "other"


def text(status, body=""):
    return Answer(status, body.encode(), {"Content-Type": "text/plain", "Server": "EC2ws"})


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def hanging():
    answer = Answer()
    answer.how = "hang"
    return answer


def put_token(server, request, section):
    if section["mode"] == "v1only":
        put = section.get("put", 403)
        return hanging() if put == "hang" else text(put)
    if request.method != "PUT" or "x-forwarded-for" in request.headers:
        return text(405 if request.method != "PUT" else 403)
    ttl = request.headers.get(TOKEN_TTL, "")
    if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
        return text(400)
    token = f"CANARY-metadata-token-{len(server.tokens)}=="
    server.tokens.add(token)
    answer = text(200, token)
    answer.headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] = ttl
    return answer


def refusal(server, request, section):
    """The status with which a GET is refused, or None."""
    if request.method != "GET":
        return 405
    token = request.headers.get("x-aws-ec2-metadata-token")
    if token is None:
        return 401 if section["mode"] == "v2only" else None
    if section.pop("once401", None):
        server.tokens.clear()
    return None if token in server.tokens else 401


async def keys(server, name, section, first):
    """The JSON of new keys, after the members of `first`."""
    caller = await server.issue(name, section)
    expires = caller.expires
    if section.get("expired"):
        expires = time.time() - 600
    return {**first, "AccessKeyId": caller.access_key, "SecretAccessKey": caller.secret_key,
            "Token": caller.session_token, "Expiration": moment(expires)}


async def instance_keys(server, request, section):
    if request.path != ROLES + section["role"]:
        return text(404)
    if "raw" in section:
        return text(200, section["raw"])
    if section.get("code"):
        return text(200, json.dumps({"Code": section["code"], "Message": "planted refusal"}))
    said = await keys(server, "imds", section, {
        "Code": "Success", "LastUpdated": moment(time.time()), "Type": "AWS-HMAC"})
    return text(200, json.dumps(said))


async def imds(server, kind, request, section):
    mode = section["mode"]
    if mode == "hang":
        return hanging()
    if mode == "disabled":
        return text(403)
    if kind == "token":
        return put_token(server, request, section)
    status = refusal(server, request, section) or ("status" in section and section["status"])
    if status:
        return text(status)
    if kind == "region":
        return text(200, section["region"]) if section.get("region") else text(404)
    if mode == "norole":
        return text(404)
    if kind == "role":
        return text(200, section["role"])
    return await instance_keys(server, request, section)


async def container(server, request, section):
    if request.method != "GET":
        return text(405)
    wanted = section.get("token")
    if wanted is not None and request.headers.get("authorization") != wanted:
        return Answer(401, json.dumps({
            "code": "AccessDenied", "message": "the Authorization is not the one expected: "
            + request.headers.get("authorization", "none")}).encode())
    if "status" in section:
        return text(section["status"], "planted")
    if "raw" in section:
        return text(200, section["raw"])
    said = await keys(server, "container", section, {"RoleArn": "arn:aws:iam::1:role/task"})
    if section.get("huge"):
        said["Padding"] = "x" * (600 * 1024)
    return Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"})
