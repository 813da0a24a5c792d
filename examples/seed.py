"""The secrets of the four how-tos, put into AWS Secrets Manager (or moto) for the demo.

seed.py create   make them; refuses where one exists already, since it may be yours
seed.py rotate   put a second version of secret-name
seed.py delete   remove what create made
"""
import json
import sys

import boto3

SECRETS = {
    "secret-name": {"foo": "bar", "snip": "snap"},
    "apisix-secrets": {"john-key-auth": "john-key"},
    "kong-gateway-database": {"pg_user": "kong", "pg_password": "KongFTW"},
}


def main(command):
    client = boto3.client("secretsmanager")
    if command == "create":
        for number, (name, value) in enumerate(SECRETS.items()):
            try:
                client.create_secret(Name=name, SecretString=json.dumps(value))
            except client.exceptions.ResourceExistsException:
                for made in list(SECRETS)[:number]:
                    client.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True)
                sys.exit(f"{name} exists already in this account: the demo leaves it alone")
    elif command == "rotate":
        client.put_secret_value(SecretId="secret-name",
                                SecretString=json.dumps({"foo": "bar-2", "snip": "snap-2"}))
    elif command == "delete":
        for name in SECRETS:
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    else:
        sys.exit(__doc__)


main(sys.argv[1] if len(sys.argv) == 2 else "")
