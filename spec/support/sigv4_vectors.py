#!/usr/bin/env python3
"""sigv4_vectors - the folders of spec/vectors/sigv4.

For:   `sigv4_vectors.py suite FILE` writes AWS's published suite, given as JSON lines;
       `sigv4_vectors.py botocore` signs further requests with botocore, with the Python of a venv
       that has it. The format is in spec/vectors/sigv4/README.md.
Never: an expectation of this library's own.
"""
import calendar
import json
import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent.parent / "vectors" / "sigv4"

# Why a case of the published suite is not a folder; README.md says it at length.
LEFT_OUT = {
    "get-header-value-multiline": "a line break in a header is refused",
    "post-sts-header-after": "a session token is always signed",
}

ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJIMEYCIQ+" * 4 + "TOKEN=="

FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/x-amz-json-1.1"
SM = "secretsmanager"


def write(name, given, expected):
    """One folder. given: method, path, query, headers, body, key; expected: the four stages."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [given["method"], given["path"], given["query"]]
    for header, value in given["headers"]:
        assert "\n" not in value, name
        lines.append(f"{header}:{value}")
    (folder / "request").write_bytes("".join(line + "\n" for line in lines).encode())
    (folder / "body").write_bytes(given["body"])
    (folder / "key").write_text("".join(f"{k}={v}\n" for k, v in given["key"].items()))
    for stage, text in expected.items():
        (folder / stage).write_bytes(text.encode())


def seconds(stamp):
    return calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))


def key(access_key, secret, token, region, service, when):
    parts = {"access_key_id": access_key, "secret_access_key": secret}
    if token:
        parts["session_token"] = token
    parts.update(region=region, service=service, when=when)
    return parts


def published(path):
    written = 0
    for line in open(path, encoding="utf-8"):
        case = json.loads(line)
        name, flags, headers = case["name"], case["flags"], list(case["headers"])
        if not flags["normalize"] or name in LEFT_OUT:
            print(f"left out: {name}: {LEFT_OUT.get(name, 'paths are always normalised')}")
            continue
        if flags["sign_body"]:
            # the suite's signer adds this header; ours signs it where the caller brings it
            digest = case["canonical_request"].rsplit("\n", 1)[1]
            headers.append(["x-amz-content-sha256", digest])
        write(name, {
            "method": case["method"], "path": case["path"], "query": case["query"],
            "headers": headers, "body": case["body"].encode(),
            "key": key(case["access_key"], case["secret_key"], case["token"], case["region"],
                       case["service"], seconds(case["timestamp"])),
        }, {
            "canonical": case["canonical_request"], "to-sign": case["string_to_sign"],
            "signature": case["signature"], "authorization": case["authorization"],
        })
        written += 1
    print(f"{written} folders")


def get_secret(body='{"SecretId":"production/orders"}', action="GetSecretValue", **more):
    return dict({
        "method": "POST", "host": "secretsmanager.eu-central-1.amazonaws.com", "body": body,
        "headers": [("Content-Type", JSON), ("X-Amz-Target", f"{SM}.{action}")],
    }, **more)


def sts(body, **more):
    return dict({
        "method": "POST", "host": "sts.eu-central-1.amazonaws.com", "service": "sts", "body": body,
        "headers": [("Content-Type", FORM)],
    }, **more)


def plain(**more):
    return dict({"method": "GET", "host": "example.amazonaws.com", "headers": [], "body": ""},
                **more)


BATCH = '{"SecretIdList":[' + ",".join(f'"team/secret-{i}"' for i in range(20)) + "]}"
ASSUME = ("Action=AssumeRole&Version=2011-06-15"
          "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fgateway&RoleSessionName=worker-1")

CASES = {
    # what the library sends
    "get-secret-value": get_secret(),
    "get-secret-value-token": get_secret(token=TOKEN),
    "get-secret-value-stage": get_secret(
        '{"SecretId":"a","VersionStage":"AWSPREVIOUS"}', token=TOKEN),
    "get-secret-value-arn": get_secret(
        '{"SecretId":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:db/main-AbCdEf"}'),
    "get-secret-value-unicode": get_secret('{"SecretId":"schl\u00fcssel/\u9375/\U0001f511"}'),
    "get-secret-value-escaped": get_secret('{"SecretId":"line\\nquote\\"back\\\\slash"}'),
    "batch-get-secret-value": get_secret(BATCH, "BatchGetSecretValue", token=TOKEN),
    "describe-secret": get_secret('{"SecretId":"a"}', "DescribeSecret"),
    "body-empty": get_secret(""),
    "body-binary": get_secret(bytes(range(256))),
    "body-64k": get_secret("x" * 65536),
    "body-block-minus-9": get_secret("x" * 55),
    "body-block": get_secret("x" * 64),
    "sts-assume-role": sts(ASSUME),
    "sts-assume-role-token": sts(ASSUME, token=TOKEN),
    "sts-caller-identity": sts("Action=GetCallerIdentity&Version=2011-06-15"),
    "sts-global": sts(ASSUME, host="sts.amazonaws.com", region="us-east-1"),
    "sts-get": sts("", method="GET", headers=[],
                   query="Action=GetCallerIdentity&Version=2011-06-15"),
    # hosts, ports, regions
    "host-localhost-port": get_secret(host="localhost:4566"),
    "host-address-port": get_secret(host="127.0.0.1:5000"),
    "host-ipv6-port": get_secret(host="[fd00:ec2::254]:8443"),
    "host-vpc-endpoint": get_secret(
        host="vpce-0123456789abcdef0-abcdefgh.secretsmanager.eu-central-1.vpce.amazonaws.com"),
    "host-path": get_secret(host="proxy.example.com:8080", path="/aws/secretsmanager/"),
    "region-china": get_secret(host="secretsmanager.cn-north-1.amazonaws.com.cn",
                               region="cn-north-1"),
    "region-gov": get_secret(host="secretsmanager.us-gov-west-1.amazonaws.com",
                             region="us-gov-west-1", token=TOKEN),
    # moments
    "when-0": get_secret(when=0),
    "when-leap-day": get_secret(when=seconds("20240229T235959Z")),
    "when-2000-03-01": get_secret(when=seconds("20000301T000000Z")),
    "when-2100-02-28": get_secret(when=seconds("21000228T235959Z")),
    "when-2100-03-01": get_secret(when=seconds("21000301T000000Z")),
    "when-year-end": get_secret(when=seconds("20261231T235959Z")),
    "when-last": get_secret(when=253402300799),
    # keys
    "key-long-secret": get_secret(secret="s" * 128),
    "key-secret-of-60": get_secret(secret="s" * 60),  # with AWS4 just one block of HMAC
    "key-secret-of-61": get_secret(secret="s" * 61),
    # headers
    "header-unsigned": get_secret(headers=[
        ("Content-Type", JSON), ("User-Agent", "vaults/1"), ("Expect", "100-continue"),
        ("X-Amzn-Trace-Id", "Root=1-5759e988"), ("Transfer-Encoding", "chunked")]),
    "header-blanks": plain(headers=[
        ("My-Tabs", "\ta\t\tb \t c\t"), ("My-Empty", ""), ("My-Blank", "  \t "),
        ("My-Quoted", ' "x   y" ')]),
    "header-many": plain(headers=[(f"X-Many-{i * 7 % 40:02}", f"value {i}") for i in range(40)]),
    "header-merged": plain(headers=[
        ("b", "2"), ("A", "z"), ("B", "1"), ("a", " y  y "), ("a-b", "0"), ("a", "")]),
    "header-unicode": plain(headers=[("My-Name", "\u00e9\u9375")]),
    # paths and queries
    "path-dots": plain(path="/a/./b/../../c/..//d/.../e/"),
    "path-escapes": plain(path="/a%20b/%2F/%e9/x+y:z@w"),
    "path-above-root": plain(path="/../../a/.."),
    "query-sorted": plain(query="b=2&a=3&a=1&aa=0&a-b=4&A=9&a="),
    "query-encoded": plain(query="key=a%2Fb%3D%26c&sp=%20%2B&u=%C3%A9"),
    "query-no-value": plain(query="list&acl"),
}


def sign(name, case):
    """The stages as botocore makes them, and the request as this library is given it."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    when, token = case.get("when", seconds("20251017T093042Z")), case.get("token")
    region, service = case.get("region", "eu-central-1"), case.get("service", SM)
    secret, query = case.get("secret", SECRET), case.get("query", "")
    path, body = case.get("path", "/"), case["body"]
    body = body if isinstance(body, bytes) else body.encode()
    scheme = "http" if ":" in case["host"] else "https"
    url = f"{scheme}://{case['host']}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=case["method"], url=url, data=body)
    for header, value in case["headers"]:
        request.headers.add_header(header, value)
    signer = SigV4Auth(Credentials(ID, secret, token), service, region)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when))
    request.context["timestamp"] = stamp
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    signature = signer.signature(to_sign, request)
    signer._inject_signature_to_request(request, signature)
    write(f"botocore-{name}", {
        "method": case["method"], "path": path, "query": query,
        "headers": [("Host", case["host"])] + case["headers"], "body": body,
        "key": key(ID, secret, token, region, service, when),
    }, {
        "canonical": canonical, "to-sign": to_sign, "signature": signature,
        "authorization": request.headers["Authorization"],
    })


def generated():
    import botocore

    for folder in HERE.glob("botocore-*"):
        shutil.rmtree(folder)
    for name, case in CASES.items():
        sign(name, case)
    print(f"{len(CASES)} folders by botocore {botocore.__version__}")


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "suite":
        published(arguments[1])
    elif arguments == ["botocore"]:
        generated()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
