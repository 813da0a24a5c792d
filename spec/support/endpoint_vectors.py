#!/usr/bin/env python3
"""endpoint_vectors - what botocore says the endpoints of AWS are, as a table.

For:   spec/vectors/endpoints.tsv, which spec/c/test_endpoint.c compares byte for byte. Run with the
       Python of a venv that has botocore: endpoint_vectors.py > spec/vectors/endpoints.tsv
Never: a value of this library's own.

Botocore is asked twice: its rules (endpoint-rule-set-1 of each service, over partitions.json) and a
whole client, whose request is caught before it is sent and read for host and signed region (for
sso, whose calls are not signed, the client's own region). Where both name a host, the two must be
one. Either may refuse, and then the row is a refusal: the rules
refuse FIPS and dual-stack beside an endpoint of the caller's, where the client drops them unsaid;
the client refuses dual-stack in partitions whose endpoints.json has none, where the rules name a
host all the same.
"""
import os
from urllib.parse import urlsplit

import botocore
from botocore.config import Config
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import (
    EndpointProviderError, EndpointVariantError, InvalidRegionError, NoRegionError,
)
from botocore.loaders import Loader
from botocore.session import Session

CALLS = {
    "secretsmanager": lambda client: client.get_secret_value(SecretId="x"),
    "sts": lambda client: client.get_caller_identity(),
    "sso": lambda client: client.get_role_credentials(roleName="r", accountId="a", accessToken="t"),
}
VARIANTS = {
    "plain": (False, False),
    "fips": (True, False),
    "dualstack": (False, True),
    "fips+dualstack": (True, True),
}

# Regions that no list has: known partitions by their pattern, then names that miss every pattern.
MADE_UP = (
    "us-east-9", "ap-southeast-10", "mx-central-12", "il-north-2", "cn-west-9", "us-gov-south-3",
    "eusc-de-north-7", "us-iso-south-4", "us-isob-north-5", "eu-isoe-south-9", "us-isof-north-8",
    "cn-north", "cn-1", "us-gov-west", "us-gov-1", "eusc-fr-east-1", "eusc-de-1", "us-iso-east",
    "us-isob-east1", "eu-isoe-west-1a", "us-isofx-north-1", "cnx-north-1", "cn-north-x-1", "cn--1",
    "moon-1", "local",
)
# Callers' own endpoints: what may stand beside them, and which region is signed.
OWN = "https://vpce-1.example.com"
OWN_REGIONS = ("us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1", "aws-global")


class Caught(Exception):
    """The request a client was about to send."""


def regions_of(partitions):
    """The pseudo-regions ("aws-cn-global") stand for no place, and nothing signs for them; but
    "aws-global" is a name for STS's global endpoint."""
    for partition in partitions["partitions"]:
        for region in sorted(partition["regions"]):
            if region == "aws-global" or not region.endswith("-global"):
                yield region
    yield from MADE_UP


def host_of(url):
    """Of AWS's own and of OWN: https, without port, and no path but sso's for its call."""
    parts = urlsplit(url)
    assert parts.scheme == "https" and parts.path in ("", "/", "/federation/credentials"), url
    return parts.netloc


def signed_region(request):
    scope = request.headers["Authorization"].decode().split("Credential=")[1].split(",")[0]
    return scope.split("/")[2]


class Botocore:
    def __init__(self):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        loader = Loader()
        self.partitions = loader.load_data("partitions")
        self.rules = {
            service: EndpointProvider(
                loader.load_service_model(service, "endpoint-rule-set-1"), self.partitions)
            for service in CALLS
        }
        self.session = Session()
        self.session.set_credentials("AKIDEXAMPLE", "secret")

    def by_rules(self, service, region, variant, legacy, own):
        """host, refusal: one of them None."""
        fips, dualstack = VARIANTS[variant]
        wants = {"Region": region, "UseFIPS": fips, "UseDualStack": dualstack, "Endpoint": own}
        if service == "sts":
            wants["UseGlobalEndpoint"] = legacy
        wants = {name: value for name, value in wants.items() if value is not None}
        try:
            return host_of(self.rules[service].resolve_endpoint(**wants).url), None
        except EndpointProviderError as error:
            return None, str(error)

    def by_client(self, service, region, variant, legacy, own):
        """host, signed region, refusal: the last or the others None."""
        def catch(request, **_):
            raise Caught(request)

        fips, dualstack = VARIANTS[variant]
        self.session.get_component("config_store").set_config_variable(
            "sts_regional_endpoints", "legacy" if legacy else "regional")
        config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack,
                        retries={"total_max_attempts": 1})
        try:
            client = self.session.create_client(service, region_name=region, endpoint_url=own,
                                                config=config)
            client.meta.events.register("before-send", catch)
            CALLS[service](client)
        except Caught as caught:
            request = caught.args[0]
            signed = signed_region(request) if service != "sso" else region
            return host_of(request.url), signed, None
        except (EndpointVariantError, InvalidRegionError, NoRegionError) as error:
            return None, None, str(error).rstrip(": ")
        raise AssertionError("nothing was sent")

    def row(self, *asked):
        """host and signed region, or "-" and the refusal."""
        host, refusal = self.by_rules(*asked)
        client_host, signed, client_refusal = self.by_client(*asked)
        if refusal or client_refusal:
            return "-", refusal or client_refusal
        assert host == client_host, (asked, host, client_host)
        return host, signed


def questions(partitions):
    for service in CALLS:
        for legacy in (False, True) if service == "sts" else (False,):
            for variant in VARIANTS:
                for region in regions_of(partitions):
                    yield service, region, variant, legacy, None
                for region in OWN_REGIONS:
                    yield service, region, variant, legacy, OWN
        # What a client makes of no region differs by service; the rules' answer does not.
        yield service, None, "fips", False, None


def main():
    oracle = Botocore()
    print(f"# botocore {botocore.__version__}; spec/support/endpoint_vectors.py wrote it")
    print("# service\tregion\tvariant\tsts_regional_endpoints\town endpoint\thost\tsigned region")
    print('# Where the host is "-", botocore refuses, and says why in the last column.')
    for asked in questions(oracle.partitions):
        service, region, variant, legacy, own = asked
        mode = "legacy" if legacy else "regional"
        print(service, region or "-", variant, mode, own or "-", *oracle.row(*asked), sep="\t")


if __name__ == "__main__":
    main()
