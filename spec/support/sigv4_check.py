"""sigv4_check - tells whether a request carries the signature AWS would expect.

For:   fake_callers.py. The signature that it compares with is made by botocore's own signer, from
       what arrived; what must be signed, for which service, when and with which token is looked
       at here, and refused in AWS's words.
Never: sockets, secrets' values, the clock (the caller brings it).
"""

import calendar
import hmac
import re
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders

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


class Expected(SigV4Auth):
    """botocore's signer, held to the headers and the moment that the caller chose."""

    def __init__(self, credentials, service, region, signed):
        super().__init__(credentials, service, region)
        self.signed = signed

    def headers_to_sign(self, request):
        chosen = HTTPHeaders()
        for name in self.signed:
            for value in request.headers.get_all(name, []):
                chosen[name] = value
        return chosen

    def signature_of(self, arrived, moment):
        """In hex; `arrived` has method, path, query, headers, body."""
        host = arrived.headers.get("host", "")
        request = AWSRequest(method=arrived.method, headers=arrived.headers, data=arrived.body,
                             url=f"http://{host}{arrived.path}?{arrived.query}")
        # What add_auth does, but for its clock and for the headers that it would set anew.
        request.context["timestamp"] = moment
        text = self.string_to_sign(request, self.canonical_request(request))
        # botocore believes this header; AWS looks at the body itself.
        claimed = request.headers.get("x-amz-content-sha256")
        if claimed is not None and claimed != self.payload(request):
            return ""
        return self.signature(text, request)


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
    right = Expected(credentials, service, region, signed).signature_of(request, moment)
    if not hmac.compare_digest(right, given):
        raise Refused("InvalidSignatureException",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your AWS Secret Access Key and signing method.")
