"""fake_shapes - what a behaviour word does to an answer of fake_aws.py.

For:   the words that fake_secrets.py lists, all but those of time (delay-MS, skew).
Never: sending answers (fake_aws.py), which words stand before a name (fake_secrets.py).
"""

import base64
import json
import re

from fake_secrets import BEHAVIOUR, REFUSALS

HUGE = 600 * 1024
STATUS_TYPES = {500: "InternalServiceError", 503: "ServiceUnavailableException",
                429: "TooManyRequestsException"}


# How an answer is sent that does not arrive, or not as it is; the connection ends with it.
SENT = ("reset-before", "reset-headers", "reset-body", "truncate", "shortlength", "badlength",
        "hang")


class Answer:
    """What to send: bytes, and how."""

    def __init__(self, status=200, body=b"", headers=None):
        self.status, self.body, self.headers = status, body, headers or {}
        self.how = None        # one of SENT
        self.drip = None       # milliseconds between two bytes
        self.chunked = False
        self.close = False
        self.shift = 0         # seconds by which the clock in the Date header is wrong


def failure(code, message, status=400):
    """An error as the JSON protocol words it."""
    return Answer(status, json.dumps({"__type": code, "Message": message}).encode())


def replace(answer, **fields):
    """The same answer with members of its body set, or, where None, left out."""
    body = json.loads(answer.body)
    body.update(fields)
    answer.body = json.dumps({k: v for k, v in body.items() if v is not None}).encode()


def shape(word, answer, request, calls):
    """`answer` as one behaviour word changes it."""
    head, _, rest = word.partition("-")
    if word in SENT:
        answer.how = word
    elif head == "status":
        return failure(STATUS_TYPES.get(int(rest), "UnknownError"), "planted", int(rest))
    elif head == "html":
        return Answer(int(rest), b"<html><body><h1>Bad Gateway</h1></body></html>",
                      {"Content-Type": "text/html"})
    elif head == "code":
        return failure(rest, "planted")
    elif head == "retryafter":
        if calls == 1:
            answer = failure("ServiceUnavailableException", "planted", 503)
            answer.headers["x-amz-retry-after"] = rest
    elif head.startswith("fail") or head.startswith("after"):
        first = calls <= int(re.sub(r"\D", "", head))
        if first == head.startswith("fail"):
            return shape(planted_word(rest), answer, request, calls)
    elif head == "drip":
        answer.drip = int(rest or 50)
    elif word in ("chunked", "close"):
        setattr(answer, word, True)
    else:
        return shape_value(word, answer, request)
    return answer


def shape_value(word, answer, request):
    """The words that change what is said rather than how."""
    size = int(re.sub(r"\D", "", word) or 0)
    fixed = {
        **REFUSALS,
        "ctl": ("InvalidRequestException", "a\x1b[31mred\r\nline\x00end\x7f\u0085"),
        "leak": ("InvalidSignatureException", "The Canonical String should have been "
                 + repr(request.headers) + request.body.decode("utf-8", "replace")),
    }
    if word in fixed:
        return failure(*fixed[word])
    if word == "malformed":
        answer.body = b'{"Name":"x","SecretString":"never closed'
    elif word == "redirect":
        return Answer(302, b"", {"Location": "/redirected"})
    elif answer.status != 200:
        pass
    elif word == "binary":
        text = json.loads(answer.body)["SecretString"]
        replace(answer, SecretString=None,
                SecretBinary=base64.b64encode(text.encode()).decode())
    elif word == "novalue":
        replace(answer, SecretString=None)
    elif word.startswith("bigkey"):
        replace(answer, SecretString=json.dumps({"big": "x" * size}))
    elif word.startswith("big") or word in ("huge", "empty"):
        replace(answer, SecretString="x" * (HUGE if word == "huge" else size))
    return answer


def planted_word(rest):
    """What fails in fail2-REST and after2-REST: a status, a behaviour, or an error code."""
    if rest.isdigit():
        return "status-" + rest
    return rest if BEHAVIOUR.match(rest) else "code-" + rest
