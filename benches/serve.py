#!/usr/bin/env python3
"""Server CPU per request of a head against nginx, both serving the same file over TLS.

Both are loaded by wrk over kept connections, in turn (head, nginx, head, nginx …), on the same machine with the
same certificate. The figure is user and system time of the server's processes over the run divided by the
requests that wrk counted: client and server share the cores, so requests per second say less.

usage: benches/serve.py [--rounds 3] [--seconds 4] [--connections 16] [--sizes 1024,102400,5242880]
needs: nginx and wrk.
"""
import argparse
import json
import os
import re
import signal
import ssl
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPONO = os.path.join(ROOT, "target/release/repono")
TICK = os.sysconf("SC_CLK_TCK")
GOALS = {1024: 1.0, 102400: 0.7, 5242880: 0.7}

NGINX = """
worker_processes auto;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir}; uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    root {dir}/www;
  }}
}}
"""


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def load(url, headers, args):
    command = ["wrk", "-t2", f"-c{args.connections}", f"-d{args.seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    text = subprocess.run(command + [url], check=True, capture_output=True, text=True).stdout
    count = int(re.search(r"(\d+) requests in", text).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    p99 = re.search(r"^\s+99%\s+(\S+)", text, re.M).group(1)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if failed or count == 0:
        raise SystemExit(f"requests to {url} failed:\n{text}")
    return count, rate, p99


def measure(name, pids, url, headers, args):
    before = cpu_seconds(pids)
    count, rate, p99 = load(url, headers, args)
    return {"server": name, "cpu_us": (cpu_seconds(pids) - before) / count * 1e6, "rate": rate, "p99": p99}


def start_repono(directory, heads=1):
    ready_file = os.path.join(directory, "ready.json")
    command = [REPONO, "up", "--data", os.path.join(directory, "data"), "--heads", str(heads), "--listen", "127.0.0.1:0"]
    command += ["--vending", "127.0.0.1:0", "--monitor", "127.0.0.1:0", "--ready-file", ready_file]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        if os.path.exists(ready_file):
            with open(ready_file) as f:
                return process, json.load(f)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("repono up did not become ready")


def start_nginx(directory, ready):
    secrets = os.path.join(os.path.dirname(ready["ca"]), "secrets")
    config = os.path.join(directory, "nginx.conf")
    port = 18443
    with open(config, "w") as f:
        f.write(NGINX.format(dir=directory, port=port, chain=f"{secrets}/server-ecdsa.pem", key=f"{secrets}/server-key-ecdsa.pem"))
    process = subprocess.Popen(["nginx", "-c", config, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    if process.poll() is not None:
        raise SystemExit("nginx did not start")
    return process, f"https://127.0.0.1:{port}"


def ticket(ready):
    command = [REPONO, "ticket", "--profile", ready["profile"], "--format", "headers", "--life", "1h"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if line]


def publish(directory, ready, headers, size):
    body = os.urandom(size)
    with open(os.path.join(directory, "www", str(size)), "wb") as f:
        f.write(body)
    fields = dict(h.split(": ", 1) for h in headers)
    url = f"{ready['heads'][0]}/v1/demo/files/{size}"
    request = urllib.request.Request(url, data=body, method="PUT", headers=fields)
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ready["ca"])).read()
    return url


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--sizes", default="1024,102400,5242880")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        os.mkdir(os.path.join(directory, "www"))
        repono, ready = start_repono(directory)
        nginx, nginx_url = start_nginx(directory, ready)
        try:
            headers = ticket(ready)
            for size in map(int, args.sizes.split(",")):
                compare(args, size, directory, ready, headers, nginx, nginx_url)
        finally:
            for process in (repono, nginx):
                process.send_signal(signal.SIGTERM)
            for process in (repono, nginx):
                process.wait()


def compare(args, size, directory, ready, headers, nginx, nginx_url):
    url = publish(directory, ready, headers, size)
    head_pids = [ready["pids"]["head-1"]]
    runs = {"head": [], "nginx": []}
    load(url, headers, args)
    load(f"{nginx_url}/{size}", [], args)
    for _ in range(args.rounds):
        runs["head"].append(measure("head", head_pids, url, headers, args))
        runs["nginx"].append(measure("nginx", [nginx.pid] + children(nginx.pid), f"{nginx_url}/{size}", [], args))
    median = {name: statistics.median(r["cpu_us"] for r in rs) for name, rs in runs.items()}
    for name, rs in runs.items():
        rate = statistics.median(r["rate"] for r in rs)
        print(f"{size:>8} B  {name:<5}  {median[name]:>8.1f} us CPU/request  {rate:>9.0f} requests/s  p99 {rs[-1]['p99']}")
    goal = GOALS.get(size)
    ratio = median["head"] / median["nginx"]
    print(f"{size:>8} B  ratio {ratio:.2f}" + (f"  (goal: at most {goal})" if goal else ""), flush=True)


if __name__ == "__main__":
    main()
