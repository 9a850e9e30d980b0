#!/usr/bin/env python3
"""What journal, metrics and monitor cost: GET throughput of a head with all of them on, as a ratio to all off.

Two heads of one store take turns on the same machine: head-1 of `repono up`, whose journal the monitor follows while
`/metrics` is scraped once a second ("on"); the same with the monitor stopped by SIGSTOP ("journal"); and a head with
`journal_requests = "none"`, while the monitor is stopped ("off"). Each round gives ratios of requests per second;
client, heads and monitor share the cores, as they would on one machine. Which of them begins alternates. Single rounds
lie far apart where a machine has other work, so there are many short ones.

usage: benches/monitor.py [--rounds 31] [--seconds 2] [--connections 16] [--size 1024] [--goal 0.95]
needs: wrk.
"""
import argparse
import glob
import json
import os
import re
import signal
import socket
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

import serve


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_bare(ready):
    """A head beside head-1 that records no requests."""
    config_dir = os.path.join(os.path.dirname(ready["ca"]), "run")
    with open(os.path.join(config_dir, "head-1.toml")) as f:
        text = f.read()
    direct = f"127.0.0.1:{free_port()}"
    for key, value in {"name": "bare", "direct": direct, "balanced": f"127.0.0.1:{free_port()}"}.items():
        text = re.sub(rf'(?m)^{key} = .*$', f'{key} = "{value}"', text)
    text = 'journal_requests = "none"\n' + text
    file = os.path.join(config_dir, "bare.toml")
    with open(file, "w") as f:
        f.write(text)
    process = subprocess.Popen([serve.REPONO, "head", "--config", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        try:
            socket.create_connection(direct.split(":"), timeout=1).close()
            return process, f"https://{direct}"
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the head without a journal did not start")


class Monitor:
    """The monitor of `up`, scraped while it runs."""

    def __init__(self, ready):
        self.pid = ready["pids"]["monitor"]
        self.url = ready["monitor"] + "/metrics"
        self.context = ssl.create_default_context(cafile=ready["ca"])
        self.on = threading.Event()
        self.scrapes = 0
        threading.Thread(target=self.scrape_on, daemon=True).start()

    def scrape(self):
        return urllib.request.urlopen(self.url, context=self.context, timeout=10).read().decode()

    def scrape_on(self):
        while True:
            self.on.wait()
            try:
                self.scrape()
                self.scrapes += 1
            except OSError:
                pass
            time.sleep(1)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)
        self.on.set()

    def stop(self):
        """After it has read everything: what one run left is not the other's burden."""
        self.on.clear()
        while float(re.search(r"(?m)^repono_monitor_lag_seconds (\S+)$", self.scrape()).group(1)) > 0:
            time.sleep(0.2)
        os.kill(self.pid, signal.SIGSTOP)


def lost(ready):
    """What journals of heads have dropped, and left out by sampling, by their last records."""
    dropped = sampled = 0
    for file in glob.glob(os.path.join(ready["journal"], "head-*.jsonl")):
        with open(file, "rb") as f:
            f.seek(max(0, os.path.getsize(file) - 65536))
            journal = json.loads(f.read().splitlines()[-1])["repono"]["journal"]
        dropped += journal["dropped"]
        sampled += journal["sampled_out"]
    return dropped, sampled


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--goal", type=float, default=0.95)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "www"))
        repono, ready = serve.start_repono(directory)
        bare = None
        try:
            bare, bare_url = start_bare(ready)
            headers = serve.ticket(ready)
            url = serve.publish(directory, ready, headers, args.size)
            sides = {
                "on": (ready["pids"]["head-1"], url),
                "off": (bare.pid, url.replace(ready["heads"][0], bare_url)),
            }
            compare(args, Monitor(ready), sides, headers)
            dropped, sampled = lost(ready)
            print(f"records dropped {dropped}, left out by sampling {sampled}")
            if dropped:
                raise SystemExit("the journal lost records: the comparison is void")
        finally:
            os.kill(ready["pids"]["monitor"], signal.SIGCONT)
            for process in filter(None, (bare, repono)):
                process.send_signal(signal.SIGTERM)
                process.wait()


def compare(args, monitor, sides, headers):
    sides["journal"] = sides["on"]
    names = ["on", "journal", "off"]
    runs, monitor_us = {name: [] for name in names}, []
    for name in ("on", "off"):
        serve.load(sides[name][1], headers, args)
    monitor.stop()
    for number in range(args.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            before = serve.cpu_seconds([monitor.pid])
            if name == "on":
                monitor.go_on()
            pid, url = sides[name]
            runs[name].append(serve.measure(name, [pid], url, headers, args))
            if name == "on":
                monitor.stop()
                spent = serve.cpu_seconds([monitor.pid]) - before
                monitor_us.append(spent / (runs[name][-1]["rate"] * args.seconds) * 1e6)
            elif name == "journal":
                # What the run left to read is not the next one's burden.
                os.kill(monitor.pid, signal.SIGCONT)
                monitor.stop()
    for name, rs in runs.items():
        rate = statistics.median(r["rate"] for r in rs)
        cpu = statistics.median(r["cpu_us"] for r in rs)
        print(f"{args.size:>8} B  {name:<8} {rate:>9.0f} requests/s  {cpu:>7.1f} us CPU of the head/request  p99 {rs[-1]['p99']}")
    print(f"{args.size:>8} B  {statistics.median(monitor_us):.1f} us CPU of the monitor/request")
    for name in ("journal", "on"):
        ratios = [a["rate"] / b["rate"] for a, b in zip(runs[name], runs["off"])]
        spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
        print(f"{args.size:>8} B  {name} / off  {statistics.median(ratios):.3f} (median of {len(ratios)}, {spread})", flush=True)
    print(f"goal: on / off at least {args.goal}")


if __name__ == "__main__":
    main()
