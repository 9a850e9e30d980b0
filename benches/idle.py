#!/usr/bin/env python3
"""Memory that an idle connection costs a head.

Opens TLS connections to one head, sends one GET on each, keeps all of them, and divides the growth of the head's
resident memory by their number. What the kernel keeps for a socket is not in it. The connections come from several
addresses of the loopback, because a head gives one source no more connections than it has left for all others.

usage: benches/idle.py [--connections 10000]
needs: 20,000 open files (`ulimit -n`).
"""
import argparse
import os
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import urllib.parse

from serve import REPONO, publish, start_repono

GOAL = 16 * 1024
SOURCES = 20


def resident(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise SystemExit("the head has ended")


def get(connection, path, headers):
    text = "".join(line + "\r\n" for line in [f"GET {path} HTTP/1.1", "Host: bench"] + headers)
    connection.sendall(text.encode() + b"\r\n")
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit("a connection was closed")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0] + b" ":
        raise SystemExit(f"refused: {head.decode()}")
    length = int(next(l for l in head.split(b"\r\n") if l.lower().startswith(b"content-length")).split(b":")[1])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise SystemExit("a connection was closed")
        body += piece


def connect(context, address, number):
    tcp = socket.create_connection(address, source_address=(f"127.0.1.{1 + number % SOURCES}", 0))
    tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(tcp, server_hostname="127.0.0.1")


def measure(ready, address, path, headers, count):
    context = ssl.create_default_context(cafile=ready["ca"])
    pid = ready["pids"]["head-1"]
    # What a head sets up once, such as its caches, is no part of a connection.
    for number in range(50):
        with connect(context, address, number) as connection:
            get(connection, path, headers)
    before = resident(pid)
    connections = []
    for number in range(count):
        connection = connect(context, address, number)
        get(connection, path, headers)
        connections.append(connection)
    grown = (resident(pid) - before) / count
    for connection in (connections[0], connections[-1]):
        get(connection, path, headers)
    for connection in connections:
        connection.close()
    return grown


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=10_000)
    args = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < args.connections + 200:
        raise SystemExit(f"only {hard} open files are allowed (ulimit -n)")
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "www"))
        repono, ready = start_repono(directory)
        try:
            command = [REPONO, "ticket", "--profile", ready["profile"], "--format", "headers", "--life", "1h"]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            headers = [line for line in text.splitlines() if line]
            url = urllib.parse.urlsplit(publish(directory, ready, headers, 1024))
            grown = measure(ready, (url.hostname, url.port), url.path, headers, args.connections)
        finally:
            repono.send_signal(signal.SIGTERM)
            repono.wait()
    print(f"{args.connections} idle connections  {grown / 1024:.1f} KiB each  (goal: at most {GOAL // 1024} KiB)")


if __name__ == "__main__":
    main()
