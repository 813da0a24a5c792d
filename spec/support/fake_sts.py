"""fake_sts - what the Security Token Service answers.

For:   fake_identity.py: AssumeRole, with the signature checked, and AssumeRoleWithWebIdentity,
       which must bring none.
       sts: roles   {arn: {"by": name of the only caller, "external_id":, "life":}}; where roles is
                    set, others than these are refused
            tokens  the web identity tokens that are good; any, where it is not set
            code    the error that is answered (to the first `fail` calls, where that is set)
            json    answer as the servers do that know no XML
Never: HTTP, counting, who is told of what was issued.
"""

import json
import re
import time
import urllib.parse
from xml.sax.saxutils import escape

import sigv4_check
from fake_aws import Answer
from fake_metadata import moment

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
XML = {"Content-Type": "text/xml"}
REQUEST_ID = "00000000-0000-4000-8000-000000000000"
# The JSON protocol's words for what is amiss with a signature are not those of this one.
WORDS = {"UnrecognizedClientException": "InvalidClientTokenId",
         "InvalidSignatureException": "SignatureDoesNotMatch",
         "IncompleteSignatureException": "IncompleteSignature",
         "MissingAuthenticationTokenException": "MissingAuthenticationToken",
         "ExpiredTokenException": "ExpiredToken"}
STATUSES = {"ValidationError": 400, "Throttling": 400, "ExpiredTokenException": 400,
            "InvalidIdentityToken": 400, "IDPCommunicationError": 400}


def parameters(request):
    return dict(urllib.parse.parse_qsl(request.body.decode("utf-8", "replace"),
                                       keep_blank_values=True))


def failure(code, message, status=None):
    body = (f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>'
            f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>")
    return Answer(status or STATUSES.get(code, 403), body.encode(), XML)


def planted(section):
    if section.get("status") and not section.get("code"):
        return Answer(section["status"], b"<html>planted</html>", {"Content-Type": "text/html"})
    return failure(section.get("code", "Throttling"), "planted", section.get("status"))


def malformed(asked):
    """What AWS's own limits say against the call, or None."""
    if asked.get("Version") != "2011-06-15":
        return "Version"
    if not re.match(r"arn:aws[\w-]*:(iam|sts)::\d*:[\w+=,.@/-]+$", asked.get("RoleArn", "")):
        return "RoleArn"
    if not re.match(r"[\w+=,.@-]{2,64}$", asked.get("RoleSessionName", ""), re.ASCII):
        return "RoleSessionName"
    duration = asked.get("DurationSeconds", "3600")
    if not duration.isdigit() or not 900 <= int(duration) <= 43200:
        return "DurationSeconds"
    if "ExternalId" in asked and not re.match(r"[\w+=,.@:/-]{2,1224}$", asked["ExternalId"]):
        return "ExternalId"
    return None


def refuse_role(section, asked, caller):
    """Why this caller may not have this role, as AWS says it, or None."""
    roles = section.get("roles")
    role = (roles or {}).get(asked["RoleArn"], {})
    who = caller.name if caller else "the token's subject"
    denied = roles and asked["RoleArn"] not in roles
    denied = denied or role.get("by", who) != who
    denied = denied or ("external_id" in role and role["external_id"] != asked.get("ExternalId"))
    if denied:
        return (f"User: {who} is not authorized to perform: sts:AssumeRole on resource: "
                + asked["RoleArn"])
    return None


def check_token(section, asked, request):
    """The refusal of a web identity call, or None."""
    if "authorization" in request.headers or "x-amz-security-token" in request.headers:
        return failure("ValidationError", "this call is made without a signature")
    token, good = asked.get("WebIdentityToken", ""), section.get("tokens")
    if good is not None and token not in good:
        return failure("InvalidIdentityToken", "The web identity token is not known: " + token)
    if "ExternalId" in asked:
        return failure("ValidationError", "ExternalId is not of this call")
    return None


def success(action, caller, asked, as_json):
    role = asked["RoleArn"].rpartition("/")[2]
    arn = f"arn:aws:sts::123456789012:assumed-role/{role}/{asked['RoleSessionName']}"
    if as_json:
        return Answer(200, json.dumps({f"{action}Response": {f"{action}Result": {"Credentials": {
            "AccessKeyId": caller.access_key, "SecretAccessKey": caller.secret_key,
            "SessionToken": caller.session_token, "Expiration": caller.expires}}}}).encode())
    body = (f'<{action}Response xmlns="{NAMESPACE}">\n <{action}Result>\n  <AssumedRoleUser>'
            f"<AssumedRoleId>AROAEXAMPLE</AssumedRoleId><Arn>{escape(arn)}</Arn>"
            "</AssumedRoleUser>\n  <Credentials>\n"
            f"   <AccessKeyId>{caller.access_key}</AccessKeyId>\n"
            f"   <SecretAccessKey>{escape(caller.secret_key)}</SecretAccessKey>\n"
            f"   <SessionToken>{escape(caller.session_token)}</SessionToken>\n"
            f"   <Expiration>{moment(caller.expires)}</Expiration>\n"
            f"  </Credentials>\n </{action}Result>\n <ResponseMetadata><RequestId>{REQUEST_ID}"
            f"</RequestId></ResponseMetadata>\n</{action}Response>\n")
    return Answer(200, body.encode(), XML)


async def answer(server, kind, request, section):
    asked, caller = parameters(request), None
    request.entry.update({name: value for name, value in asked.items()})
    if section.get("code") or section.get("status"):
        return planted(section)
    if kind == "assume_role":
        try:
            caller = server.callers.verify(request, time.time(), "sts")
        except sigv4_check.Refused as refused:
            return failure(WORDS.get(refused.code, refused.code), refused.message)
        request.entry["caller"] = caller.name
    else:
        refused = check_token(section, asked, request)
        if refused:
            return refused
    part = malformed(asked)
    if part:
        return failure("ValidationError", f"1 validation error detected: {part}")
    denied = refuse_role(section, asked, caller)
    if denied:
        return failure("AccessDenied", denied)
    if "raw" in section:
        return Answer(200, section["raw"].encode(), XML)
    role = (section.get("roles") or {}).get(asked["RoleArn"], {})
    made = await server.issue(asked["RoleArn"].rpartition("/")[2], {**section, **role})
    action = asked["Action"]
    return success(action, made, asked, section.get("json"))
