#!/usr/bin/env python3
"""endpoint_vectors - what botocore says the endpoints of AWS are, as a table.

For:   spec/vectors/endpoints.tsv, which spec/c/test_endpoint.c compares byte for byte. Run with the
       Python of a venv that has botocore: endpoint_vectors.py > spec/vectors/endpoints.tsv
Never: a value of this library's own.
"""
import botocore
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader

SERVICES = ("secretsmanager", "sts")

# Regions that no list has: known partitions by their pattern, then names that miss every pattern.
MADE_UP = (
    "us-east-9", "ap-southeast-10", "mx-central-12", "il-north-2", "cn-west-9", "us-gov-south-3",
    "eusc-de-north-7", "us-iso-south-4", "us-isob-north-5", "eu-isoe-south-9", "us-isof-north-8",
    "cn-north", "cn-1", "us-gov-west", "us-gov-1", "eusc-fr-east-1", "eusc-de-1", "us-iso-east",
    "us-isob-east1", "eu-isoe-west-1a", "us-isofx-north-1", "cnx-north-1", "cn-north-x-1", "cn--1",
    "moon-1", "local",
)


def regions_of(partitions):
    """The pseudo-regions ("aws-global") stand for no place, and nothing signs for them."""
    for partition in partitions["partitions"]:
        for region in sorted(partition["regions"]):
            if not region.endswith("-global"):
                yield region
    yield from MADE_UP


def main():
    loader = Loader()
    partitions = loader.load_data("partitions")
    print(f"# botocore {botocore.__version__}, plain form; spec/support/endpoint_vectors.py wrote it")
    print("# service\tregion\thost")
    for service in SERVICES:
        rules = loader.load_service_model(service, "endpoint-rule-set-1")
        provider = EndpointProvider(rules, partitions)
        wants = {"UseFIPS": False, "UseDualStack": False}
        if "UseGlobalEndpoint" in rules["parameters"]:
            wants["UseGlobalEndpoint"] = False
        for region in regions_of(partitions):
            url = provider.resolve_endpoint(Region=region, **wants).url
            assert url.startswith("https://") and url.count("/") == 2, url
            print(service, region, url[len("https://"):], sep="\t")


if __name__ == "__main__":
    main()
