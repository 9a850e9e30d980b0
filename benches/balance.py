#!/usr/bin/env python3
"""Server CPU per request of the balancer against HAProxy (mode tcp), both in front of the same head.

Both are loaded by wrk over TLS, in turn (balancer, HAProxy, balancer …), on the same machine. The figure is user
and system time of the process over the run divided by the requests that wrk counted; requests per second and the
99th percentile stand beside it. `new` opens a connection for each request.

usage: benches/balance.py [--rounds 3] [--seconds 4] [--cases 1024:16,1024:256,5242880:16,5242880:256,1024:16:new]
needs: haproxy and wrk.
"""
import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time
from types import SimpleNamespace

import serve

GOAL = 1.0

HAPROXY = """
global
  maxconn 4096
defaults
  mode tcp
  balance leastconn
  timeout connect 2s
  timeout client 350s
  timeout server 350s
listen heads
  bind 127.0.0.1:{port}
  server head-1 {head} check inter 2s
"""


def start_haproxy(directory, head):
    config = os.path.join(directory, "haproxy.cfg")
    port = 18444
    with open(config, "w") as f:
        f.write(HAPROXY.format(port=port, head=head.removeprefix("https://")))
    process = subprocess.Popen(["haproxy", "-f", config, "-db"], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    if process.poll() is not None:
        raise SystemExit("haproxy did not start")
    return process, f"https://127.0.0.1:{port}"


def compare(rounds, seconds, case, path, ready, headers, haproxy, haproxy_url):
    size, connections, *new = case.split(":")
    # Every connection must come to the end of a reply, several times.
    patience = 4 if int(size) * int(connections) > 2**29 else 1
    wrk = SimpleNamespace(seconds=seconds * patience, connections=int(connections))
    fields = headers + (["Connection: close"] if new else [])
    sides = {
        "balancer": ([ready["pids"]["balancer"]], f"{ready['balancer']}{path}"),
        "haproxy": ([haproxy.pid] + serve.children(haproxy.pid), f"{haproxy_url}{path}"),
    }
    runs = {name: [] for name in sides}
    for _ in range(rounds):
        for name, (pids, url) in sides.items():
            runs[name].append(serve.measure(name, pids, url, fields, wrk))
    label = f"{size:>8} B {connections:>4} connections{' new' if new else '    '}"
    median = {name: statistics.median(r["cpu_us"] for r in rs) for name, rs in runs.items()}
    for name, rs in runs.items():
        rate = statistics.median(r["rate"] for r in rs)
        print(f"{label}  {name:<8} {median[name]:>8.1f} us CPU/request {rate:>9.0f} requests/s  p99 {rs[-1]['p99']}")
    print(f"{label}  ratio {median['balancer'] / median['haproxy']:.2f}  (goal: at most {GOAL})", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--cases", default="1024:16,1024:256,5242880:16,5242880:256,1024:16:new")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.mkdir(os.path.join(directory, "www"))
        repono, ready = serve.start_repono(directory)
        haproxy, haproxy_url = start_haproxy(directory, ready["heads"][0])
        try:
            headers = serve.ticket(ready)
            for case in args.cases.split(","):
                size = int(case.split(":")[0])
                path = serve.publish(directory, ready, headers, size).removeprefix(ready["heads"][0])
                compare(args.rounds, args.seconds, case, path, ready, headers, haproxy, haproxy_url)
        finally:
            for process in (repono, haproxy):
                process.send_signal(signal.SIGTERM)
            for process in (repono, haproxy):
                process.wait()


if __name__ == "__main__":
    main()
