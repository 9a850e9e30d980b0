#!/usr/bin/env python3
"""What the flood of one user costs another: the other's 99th percentile, without and with the flood.

One head serves both. The other user asks for 1 KiB on two kept connections by wrk; the flood asks for 1 KiB, or for
1 MiB, on hundreds. The flood's client runs at the lowest priority, as if it were on another machine. Rounds alternate; medians are printed.

usage: benches/fairness.py [--rounds 3] [--seconds 4] [--flood 400]
needs: wrk.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time

from serve import REPONO, publish, start_repono

GOAL = 2
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::files/*"}],
}


def repono(ready, *arguments):
    command = [REPONO, "--json", *arguments, "--profile", ready["profile"]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def ticket(profile):
    command = [REPONO, "ticket", "--profile", profile, "--format", "headers", "--life", "1h"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line for line in text.splitlines() if line]


def second_user(directory, ready):
    with open(ready["profile"]) as f:
        profile = f.read()
    application = re.search(r'^application = "(.*)"', profile, re.M).group(1)
    secret = json.loads(repono(ready, "admin", "user", "create", "demo:other", "--application", application))["secret"]
    document = os.path.join(directory, "policy.json")
    with open(document, "w") as f:
        json.dump(POLICY, f)
    repono(ready, "admin", "policy", "put", "demo", "other", "--user", "demo:other", "--document", document)
    profile = re.sub(r'^user = ".*"', 'user = "other"', profile, flags=re.M)
    profile = re.sub(r'^user_secret = ".*"', f'user_secret = "{secret}"', profile, flags=re.M)
    path = os.path.join(directory, "other.toml")
    with open(path, "w") as f:
        f.write(profile)
    return ticket(path)


def wrk(url, headers, connections, seconds):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    for header in headers:
        command += ["-H", header]
    return command + [url]


def p99_ms(text):
    value, unit = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)", text, re.M).groups()
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", text)
    if failed:
        raise SystemExit(f"requests of the other failed:\n{text}")
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def rate(text):
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def other(url, headers, args):
    text = subprocess.run(wrk(url, headers, 2, args.seconds), check=True, capture_output=True, text=True).stdout
    return p99_ms(text), rate(text)


def flooded(url, headers, flood_url, flood_headers, args):
    command = ["nice", "-n", "19"] + wrk(flood_url, flood_headers, args.flood, args.seconds + 2)
    flood = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    measured = other(url, headers, args)
    text = flood.communicate()[0]
    return measured + (rate(text),)


def compare(name, args, url, headers, flood_url, flood_headers):
    alone, beside = [], []
    for _ in range(args.rounds):
        alone.append(other(url, headers, args))
        beside.append(flooded(url, headers, flood_url, flood_headers, args))
    before, after = (statistics.median(run[0] for run in runs) for runs in (alone, beside))
    rates = [statistics.median(run[n] for run in beside) for n in (1, 2)]
    print(
        f"flood of {name:>5}  other's p99 {before:.2f} ms alone, {after:.2f} ms beside it: {after / before:.1f} times"
        f"  (goal: at most {GOAL})  {rates[0]:.0f} requests/s beside {rates[1]:.0f} of the flood",
        flush=True,
    )


def pin(pid):
    """The head on the first core, the clients on the others: a client that waits for a core measures itself."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores[:1])
        os.sched_setaffinity(0, cores[1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--flood", type=int, default=400)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(os.path.join(directory, "www"))
        # With as many heads as cores each has one thread, so that no other thread of its own takes turns with it.
        process, ready = start_repono(directory, heads=len(os.sched_getaffinity(0)))
        try:
            pin(ready["pids"]["head-1"])
            flooder = ticket(ready["profile"])
            headers = second_user(directory, ready)
            url = publish(directory, ready, flooder, 1024)
            large = publish(directory, ready, flooder, 1 << 20)
            # A policy is in force at every head within two seconds.
            time.sleep(2)
            compare("1 KiB", args, url, headers, url, flooder)
            compare("1 MiB", args, url, headers, large, flooder)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
