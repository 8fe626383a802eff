"""What each rendered config costs beside the plainest one of the same program: `python -m tools.bench_balancers`.

Three servers that answer at once (one nginx on three addresses), one balancer, wrk with 32 connections.  Rendered and plain runs
take turns; each figure is the median of the rounds.  Needs wrk and nginx; the goal is 90 % of the plainest config's throughput.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

from holdfast.blueprint import Site
from holdfast.cli.service import sensible
from holdfast.engines.abilities import NAMES
from holdfast.engines.catalogue import ENGINES
from holdfast.lab import doctor

NET = "127.77.0."
SERVERS = tuple(f"{NET}{number}" for number in (21, 22, 23))
TOPOLOGY = """\
service: bench
tiers:
  entry: {{engine: {engine}, routes: {{http: web}}}}
  web: {{engine: command, replicas: 3, run: "true", port: 8080, health: /ready}}
probes: {{pages: {{http: "http://entry/"}}}}
"""
BACKEND = """\
worker_processes 1; pid {folder}/backend.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ {listen} location / {{ return 200 "a page of some bytes, as plain as can be"; }} }}
}}
"""
PLAIN = {
    "nginx": """\
worker_processes {workers}; pid {folder}/plain.pid; error_log stderr;
events {{ worker_connections 8000; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream web {{ {servers} }}
  server {{ listen {address}:8080; location / {{ proxy_pass http://web; }} }}
}}
""",
    "haproxy": """\
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen web
    bind {address}:8080
{servers}
""",
    "envoy": """\
static_resources:
  listeners:
  - address: {{socket_address: {{address: {address}, port_value: 8080}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          route_config:
            virtual_hosts: [{{name: web, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: web}}}}]}}]
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: web
    load_assignment: {{cluster_name: web, endpoints: [{{lb_endpoints: [{servers}]}}]}}
""",
}
SERVER = {
    "nginx": "server {0}:8080;", "haproxy": "    server s{0} {0}:8080\n",
    "envoy": "{{endpoint: {{address: {{socket_address: {{address: {0}, port_value: 8080}}}}}}}},",
}


def plain(engine: str, folder: Path) -> tuple[str, ...]:
    """The command line of the plainest balancer."""
    program = _program(engine)
    path = folder / f"plain-{engine}.yaml"
    servers = "".join(SERVER[engine].format(address) for address in SERVERS).rstrip(",")
    path.write_text(PLAIN[engine].format(folder=folder, address=f"{NET}11", servers=servers, workers="auto"))
    return {
        "nginx": (program, "-e", "stderr", "-c", str(path), "-g", "daemon off; user root;"),
        "haproxy": (program, "-W", "-db", "-f", str(path)),
        "envoy": (program, "-c", str(path), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"),
    }[engine]


def rendered(engine: str, folder: Path) -> tuple[str, ...]:
    """The command line of the balancer that holdfast renders, with its files in place."""
    (folder / "topology.yaml").write_text(TOPOLOGY.format(engine=engine))
    topology = sensible(str(folder))
    programs, _ = doctor.find_programs([engine], {})
    addresses = {place.name: NET + place.address.rpartition(".")[2] for place in topology.places}
    site = Site(lab="loopback", programs=programs, prefix=str(folder), addresses=addresses, shares_network=True, low_ports=False)
    process = ENGINES[engine].process(topology.instances_of("entry")[0], topology, site)
    for path in process.directories:
        Path(site.path(process.host, path)).mkdir(parents=True, exist_ok=True)
    for path, file in process.files.items():
        target = Path(site.path(process.host, path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text)
    return process.argv


def _program(name: str) -> str:
    found, missing = doctor.find_programs([name], {})
    if missing:
        sys.exit(f"{missing[name]}")
    return found[name].path


@contextmanager
def running(argv: tuple[str, ...], folder: Path, address: str) -> Iterator[None]:
    with open(folder / "log", "ab") as log:
        started = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        until_s = time.monotonic() + 10
        while not _answers(address):
            if started.poll() is not None or time.monotonic() > until_s:
                sys.exit(f"{argv[0]} does not answer:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(5)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:8080/", timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def loaded(seconds: int) -> tuple[float, float]:
    """Requests in a second, and the 99th percentile of the latency in milliseconds."""
    words = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", f"http://{NET}11:8080/"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"wrk met errors:\n{said}")
    late, rate = re.search(r"99%\s+([\d.]+)(us|ms|s)", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert late, said
    assert rate, said
    return float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[late[2]]


def table(figures: Mapping[tuple[str, str], list[tuple[float, float]]], engines: list[str]) -> Iterator[str]:
    yield "| | rendered | plainest | share of its throughput | p99 rendered | p99 plainest |"
    yield "|---|---|---|---|---|---|"
    for engine in engines:
        (ours, ours_ms), (theirs, theirs_ms) = (
            (median(rate for rate, _ in figures[engine, kind]), median(late for _, late in figures[engine, kind]))
            for kind in ("rendered", "plain")
        )
        cells = (f"{ours:,.0f}/s", f"{theirs:,.0f}/s", f"{ours / theirs:.0%}", f"{ours_ms:.1f} ms", f"{theirs_ms:.1f} ms")
        yield f"| {NAMES[engine]} | {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench_balancers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4, help="of each round")
    parser.add_argument("--engine", choices=tuple(NAMES), action="append")
    arguments = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not on this machine\n  remedy: `apt-get install wrk`")
    engines = arguments.engine or list(NAMES)
    figures: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as name:
        folder = Path(name)
        listen = " ".join(f"listen {address}:8080;" for address in SERVERS)
        (folder / "backend.conf").write_text(BACKEND.format(folder=folder, listen=listen))
        backend = (_program("nginx"), "-e", "stderr", "-c", f"{folder}/backend.conf", "-g", "daemon off; user root;")
        with running(backend, folder, SERVERS[0]):
            for _ in range(arguments.rounds):
                for engine in engines:
                    for kind, made in (("rendered", rendered), ("plain", plain)):
                        with running(made(engine, folder), folder, f"{NET}11"):
                            figures[engine, kind].append(loaded(arguments.seconds))
    print(*table(figures, engines), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
