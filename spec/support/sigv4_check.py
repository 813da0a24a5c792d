"""sigv4_check - tells whether a request carries the signature AWS would expect.

For:   fake_callers.py. Written from AWS's description alone: it shares no mistake with
       csrc/sigv4.c.
Never: sockets, secrets' values, the clock (the caller brings it).
"""

import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
    r"SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$")
SKEW_ALLOWED = 300


class Refused(Exception):
    """The request is not accepted; `code` is AWS's word for why."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def access_key(request):
    """The access key id that `request` is signed with, or None."""
    match = AUTHORIZATION.match(request.headers.get("authorization", ""))
    return match.group(1) if match else None


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _canonical_query(query):
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    quoted = [(urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
              for k, v in pairs]
    return "&".join(f"{k}={v}" for k, v in sorted(quoted))


def canonical_request(request, signed):
    """The canonical request's text; `request` has method, path, query, headers, body."""
    lines = [request.method, request.path, _canonical_query(request.query)]
    for name in signed:
        value = " ".join(request.headers.get(name, "").split())
        lines.append(f"{name}:{value}")
    lines += ["", ";".join(signed), hashlib.sha256(request.body).hexdigest()]
    return "\n".join(lines)


def signature(request, signed, secret_key, scope, moment):
    """The signature, in hex; scope is (day, region, service)."""
    digest = hashlib.sha256(canonical_request(request, signed).encode()).hexdigest()
    key = ("AWS4" + secret_key).encode()
    for part in (*scope, "aws4_request"):
        key = _hmac(key, part)
    text = "\n".join(["AWS4-HMAC-SHA256", moment, "/".join((*scope, "aws4_request")), digest])
    return _hmac(key, text).hex()


def _check_clock(moment, now, skew_code):
    try:
        sent = calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Refused("IncompleteSignatureException", "X-Amz-Date is malformed") from None
    if abs(sent - now) > SKEW_ALLOWED:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        word = "Signature expired" if sent < now else "Signature not yet current"
        raise Refused(skew_code, f"{word}: {moment} is too far from {stamp} (5 min.)")


def _check_token(headers, credentials):
    sent = headers.get("x-amz-security-token")
    if sent != credentials.session_token:
        raise Refused("UnrecognizedClientException",
                      "The security token included in the request is invalid.")


def verify(request, credentials, now, skew_code="InvalidSignatureException",
           service="secretsmanager"):
    """Raise Refused unless `request` is signed with `credentials`, about `now`, for `service`.

    credentials  has access_key, secret_key, session_token (or None), region (or None for any)
    """
    header = request.headers.get("authorization")
    if header is None:
        raise Refused("MissingAuthenticationTokenException",
                      "Request is missing Authentication Token")
    match = AUTHORIZATION.match(header)
    if not match:
        raise Refused("IncompleteSignatureException", "Authorization header is malformed")
    key_id, day, region, scoped, names, given = match.groups()
    signed = names.split(";")
    if key_id != credentials.access_key:
        raise Refused("UnrecognizedClientException",
                      "The security token included in the request is invalid.")
    _check_token(request.headers, credentials)
    must = {"host", "x-amz-date"} | {n for n in request.headers if n.startswith("x-amz-")}
    if signed != sorted(signed) or not must <= set(signed):
        raise Refused("InvalidSignatureException", "A header that must be signed is not.")
    moment = request.headers.get("x-amz-date", "")
    if scoped != service or not moment.startswith(day) or (
            credentials.region and region != credentials.region):
        raise Refused("InvalidSignatureException", "Credential should be scoped to another "
                      "service, Region or day.")
    _check_clock(moment, now, skew_code)
    right = signature(request, signed, credentials.secret_key, (day, region, service), moment)
    if not hmac.compare_digest(right, given):
        raise Refused("InvalidSignatureException",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method.")
