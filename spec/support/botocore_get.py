"""botocore_get - a secret, and whose keys it was read with, by AWS's own library.

For:   telling what the environment means to botocore: prints "METHOD VALUE" of argv[1].
Never: this library; it is what it is compared with.
"""

import sys

import botocore.config
import botocore.session

session = botocore.session.Session()
try:
    credentials = session.get_credentials()
    if credentials is None:
        print("nobody")
        sys.exit(1)
    client = session.create_client("secretsmanager", region_name="us-east-1",
                                   config=botocore.config.Config(retries={"total_max_attempts": 1}))
    print(credentials.method, client.get_secret_value(SecretId=sys.argv[1])["SecretString"], end="")
except Exception as failure:  # whatever it is, the spec wants its name
    print(type(failure).__name__, failure)
    sys.exit(1)
