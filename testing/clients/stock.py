"""One stock client of Python, its defaults untouched, a request for each line.

usage: stock.py CLIENT CA
Each line of standard input is a URL; the reply to it is a line of standard output:
milliseconds, status, bytes, SHA-256, connection, error, separated by tabs.
"""
import asyncio
import hashlib
import ssl
import sys
import time


def with_requests(ca):
    import requests

    session = requests.Session()
    session.verify = ca
    # REQUESTS_CA_BUNDLE in the environment would win over `verify`.
    session.trust_env = False

    def fetch(url):
        reply = session.get(url)
        return reply.status_code, reply.content, reply.headers

    return fetch


def with_urllib3(ca):
    import urllib3

    pool = urllib3.PoolManager(ca_certs=ca)

    def fetch(url):
        reply = pool.request("GET", url)
        return reply.status, reply.data, reply.headers

    return fetch


def with_httpx(ca):
    import httpx

    client = httpx.Client(verify=ssl.create_default_context(cafile=ca))

    def fetch(url):
        reply = client.get(url)
        return reply.status_code, reply.content, reply.headers

    return fetch


def with_botocore(ca):
    from botocore.awsrequest import AWSRequest
    from botocore.httpsession import URLLib3Session

    session = URLLib3Session(verify=ca)

    def fetch(url):
        reply = session.send(AWSRequest("GET", url).prepare())
        return reply.status_code, reply.content, reply.headers

    return fetch


def with_aiohttp(ca):
    import aiohttp

    loop = asyncio.new_event_loop()
    context = ssl.create_default_context(cafile=ca)

    async def opened():
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))

    session = loop.run_until_complete(opened())

    async def get(url):
        async with session.get(url) as reply:
            return reply.status, await reply.read(), reply.headers

    async def line():
        # The loop runs on while nothing is asked, as it does in a service.
        return await loop.run_in_executor(None, sys.stdin.readline)

    fetch = lambda url: loop.run_until_complete(get(url))
    fetch.close = lambda: loop.run_until_complete(session.close())
    fetch.lines = iter(lambda: loop.run_until_complete(line()), "")
    return fetch


def main(client, ca):
    fetch = globals()[f"with_{client}"](ca)
    for line in getattr(fetch, "lines", None) or iter(sys.stdin.readline, ""):
        begun = time.monotonic()
        status, content, connection, error = 0, b"", "-", "-"
        try:
            status, content, headers = fetch(line.strip())
            connection = headers.get("X-Repono-Connection", "-")
        except Exception as failure:  # what a client calls a failure is its own affair
            error = repr(failure).replace("\t", " ").replace("\n", " ")
        took = round((time.monotonic() - begun) * 1000)
        digest = hashlib.sha256(content).hexdigest()
        print(took, status, len(content), digest, connection, error, sep="\t", flush=True)
    getattr(fetch, "close", lambda: None)()


main(*sys.argv[1:])
