"""Creates the user of MONGO_INITDB_ROOT_USERNAME through the server on the port given, or renews its password."""

import os
import sys

from pymongo import MongoClient
from pymongo.errors import OperationFailure

ALREADY_EXISTS = 51003

name = os.environ["MONGO_INITDB_ROOT_USERNAME"]
definition = {
    "pwd": os.environ["MONGO_INITDB_ROOT_PASSWORD"],
    "roles": [{"role": "root", "db": "admin"}],
}
with MongoClient("127.0.0.1", int(sys.argv[1]), serverSelectionTimeoutMS=60_000) as client:
    try:
        client.admin.command("createUser", name, **definition)
    except OperationFailure as error:
        # A start that was killed after this point is repeated.
        if error.code != ALREADY_EXISTS:
            raise
        client.admin.command("updateUser", name, **definition)
