#!/usr/bin/env python3
"""How fast `repono diagnose` reads, and what it keeps in memory.

Logs are made of the fixtures, over and over, to the size asked for; `grep -c` over the
same file in the same run is the peer: it looks at every byte too, and understands none.

    python3 benches/diagnose.py [--mib 300] [--rounds 3]
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/repono"
FIXTURES = {
    "System.Net trace": ROOT / "crates/diagnose/fixtures/stale-keepalive.log",
    "journals": ROOT / "crates/diagnose/fixtures/journal.jsonl",
    "curl -v": ROOT / "crates/diagnose/fixtures/curl-stale.log",
}


def run(command):
    """CPU seconds and peak memory of a command, in MiB."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        sys.exit(f"{command[0]} ended with {code}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("log               MB/s of CPU   of grep   memory, MiB")
    with tempfile.TemporaryDirectory() as folder:
        for name, fixture in FIXTURES.items():
            text = fixture.read_bytes()
            log = pathlib.Path(folder) / "log"
            with log.open("wb") as file:
                for _ in range(options.mib * 2**20 // len(text)):
                    file.write(text)
            size = log.stat().st_size / 1e6
            rounds = [(run([PROGRAM, "diagnose", "--json", log]), run(["grep", "-c", "Exception", log]))
                      for _ in range(options.rounds)]
            ours = statistics.median(cpu for (cpu, _), _ in rounds)
            grep = statistics.median(cpu for _, (cpu, _) in rounds)
            memory = max(rss for (_, rss), _ in rounds)
            print(f"{name:<18}{size / ours:>11.0f}{ours / grep:>9.1f}x{memory:>14.0f}")


if __name__ == "__main__":
    main()
