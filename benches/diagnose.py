#!/usr/bin/env python3
"""How fast `repono diagnose` reads, and what it keeps in memory.

Logs are made of the fixtures, over and over, to the size asked for; `grep -c` over the
same file in the same run is the peer: it looks at every byte too, and understands none.

    python3 benches/diagnose.py [--mib 300] [--rounds 3]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/repono"
FIXTURES = ROOT / "crates/diagnose/fixtures"

# One event of the XML listener, which writes no lines.
XML = (b'<E2ETraceEvent xmlns="http://schemas.microsoft.com/2004/06/E2ETraceEvent"><System><EventID>0</EventID>'
       b'<SubType Name="Information">0</SubType><TimeCreated SystemTime="2026-03-02T10:00:00.0000000Z" />'
       b'<Source Name="System.Net" /><Execution ProcessName="app" ProcessID="6624" ThreadID="9" /></System>'
       b"<ApplicationData>[0011] Connection#7 - Received status line: Version=1.1, StatusCode=200, "
       b"StatusDescription=OK.</ApplicationData></E2ETraceEvent>")

DELIMITED = (b'"System.Net";Information;0;"[0011] Connection#7 - Received status line: Version=1.1, StatusCode=200, '
             b'StatusDescription=OK.";;6624;"";"9";"2026-03-02T10:00:00.0000000Z";7;""\n')


def fixture(name):
    """What stands before, what is repeated, what stands behind."""
    return b"", (FIXTURES / name).read_bytes(), b""


def har():
    """The entries of a HAR file, over and over in one list."""
    log = json.loads((FIXTURES / "cut.har").read_bytes())
    entries = ",\n".join(json.dumps(entry) for entry in log["log"].pop("entries"))
    return b'{"log": {"entries": [\n', entries.encode() + b",\n", b"{}]}}\n"


LOGS = {
    "System.Net trace": fixture("stale-keepalive.log"),
    "  XML listener": (b"", XML, b""),
    "  delimited": (b"", DELIMITED, b""),
    "journals": fixture("journal.jsonl"),
    "curl -v": fixture("curl-stale.log"),
    "HAProxy": fixture("haproxy.log"),
    "Envoy": fixture("envoy.log"),
    "  JSON": fixture("envoy-json.log"),
    "nginx": fixture("nginx-access.log"),
    "  JSON ": fixture("nginx-json.log"),
    "  errors": fixture("nginx-error.log"),
    "HAR": har(),
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
        for name, (before, text, behind) in LOGS.items():
            log = pathlib.Path(folder) / "log"
            many = max(1, 2**20 // len(text))
            with log.open("wb") as file:
                file.write(before)
                for _ in range(options.mib * 2**20 // (many * len(text))):
                    file.write(text * many)
                file.write(behind)
            size = log.stat().st_size / 1e6
            rounds = [(run([PROGRAM, "diagnose", "--json", log]), run(["grep", "-c", "Exception", log]))
                      for _ in range(options.rounds)]
            ours = statistics.median(cpu for (cpu, _), _ in rounds)
            grep = statistics.median(cpu for _, (cpu, _) in rounds)
            memory = max(rss for (_, rss), _ in rounds)
            print(f"{name:<18}{size / ours:>11.0f}{ours / grep:>9.1f}x{memory:>14.0f}")


if __name__ == "__main__":
    main()
