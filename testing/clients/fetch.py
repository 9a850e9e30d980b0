"""Fetches every file of a list by ticket and by pre-authorized URI with requests, and compares the bytes.

usage: fetch.py BASE CA HEADERS LIST
HEADERS holds `name: value` lines; LIST holds `url path <TAB> local file` lines.
"""
import sys

import requests


def main(base, ca, headers_file, list_file):
    with open(headers_file) as f:
        ticket = dict(line.strip().split(": ", 1) for line in f if line.strip())
    session = requests.Session()
    # REQUESTS_CA_BUNDLE in the environment would win over `verify`.
    session.trust_env = False
    session.verify = ca
    count = 0
    with open(list_file) as f:
        for line in f:
            path, local = line.rstrip("\n").split("\t")
            with open(local, "rb") as original:
                expected = original.read()
            by_ticket = session.get(base + path, headers=ticket, timeout=30)
            assert by_ticket.status_code == 200 and by_ticket.content == expected, (path, by_ticket.status_code)
            head = session.head(base + path, headers=ticket, timeout=30)
            assert head.status_code == 200, (path, head.status_code)
            by_uri = session.get(base + head.headers["X-Preauth-Uri"], timeout=30)
            assert by_uri.status_code == 200 and by_uri.content == expected, (path, by_uri.status_code)
            count += 1
    print(f"{count} identical")


main(*sys.argv[1:])
