"""One connection of python-swiftclient, unmodified, whose token ends while it is used.

usage: swift_again.py AUTH USER CA, with the secret in ST_KEY
Prints the token; reads a line when that has ended; then goes on as if nothing had been.
"""
import io
import os
import sys

import swiftclient


def main(auth, user, ca):
    connection = swiftclient.Connection(auth, user, os.environ["ST_KEY"], cacert=ca, retries=1)
    connection.put_container("again")
    before = connection.token
    print(before, flush=True)
    sys.stdin.readline()
    # Contents that can be sent again: the refusal comes when they have been sent.
    connection.put_object("again", "object", io.BytesIO(b"after the end"))
    assert connection.token != before
    _, content = connection.get_object("again", "object")
    assert content == b"after the end", content
    print("went on", flush=True)


main(*sys.argv[1:])
