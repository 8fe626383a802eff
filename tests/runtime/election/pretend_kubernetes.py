"""A server that speaks as much of Kubernetes' API for Lease objects as an election needs, with its rules for resourceVersion.

Rules, of the API conventions (Concurrency control and consistency): every write raises one counter for all objects; a replace
whose resourceVersion is not the stored one is answered 409; a watch from a version tells every later change, then ends after
timeoutSeconds.  It is no cluster: no authentication, no admission, no etcd behind it.
"""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

PREFIX = "/apis/coordination.k8s.io/v1/namespaces/"


class PretendKubernetes:
    def __init__(self) -> None:
        self.version = 100
        self.leases: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: list[tuple[int, str, dict[str, Any]]] = []
        self.news = Condition()
        self.conflicts = 0
        self.refuse = 0
        """When not 0: every request is answered with this status."""

    def create(self, namespace: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = (namespace, body["metadata"]["name"])
        if key in self.leases:
            self.conflicts += 1
            return 409, _status(409, "AlreadyExists")
        return 201, self._store(key, body, "ADDED")

    def replace(self, namespace: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        stored = self.leases.get((namespace, name))
        if stored is None:
            return 404, _status(404, "NotFound")
        given = body["metadata"].get("resourceVersion")
        if given and given != stored["metadata"]["resourceVersion"]:
            self.conflicts += 1
            return 409, _status(409, "Conflict")
        return 200, self._store((namespace, name), body, "MODIFIED")

    def read(self, namespace: str, name: str) -> tuple[int, dict[str, Any]]:
        stored = self.leases.get((namespace, name))
        return (200, stored) if stored else (404, _status(404, "NotFound"))

    def listed(self, namespace: str, query: dict[str, list[str]]) -> dict[str, Any]:
        items = [lease for (space, _), lease in sorted(self.leases.items()) if space == namespace and _fits(lease, query)]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "LeaseList", "items": items,
                "metadata": {"resourceVersion": str(self.version)}}  # fmt: skip

    def _store(self, key: tuple[str, str], body: dict[str, Any], kind: str) -> dict[str, Any]:
        self.version += 1
        stored = json.loads(json.dumps(body))
        stored |= {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        stored["metadata"] |= {"namespace": key[0], "resourceVersion": str(self.version)}
        self.leases[key] = stored
        self.changes.append((self.version, kind, stored))
        self.news.notify_all()
        return stored


def _status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}


def _fits(lease: dict[str, Any], query: dict[str, list[str]]) -> bool:
    metadata = lease["metadata"]
    field, label = query.get("fieldSelector", [""])[0], query.get("labelSelector", [""])[0]
    by_name = not field or metadata["name"] == field.partition("=")[2]
    name, _, value = label.partition("=")
    return by_name and (not label or metadata.get("labels", {}).get(name) == value)


def serve(cluster: PretendKubernetes) -> ThreadingHTTPServer:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            namespace, name, query = self._where()
            if "watch" in query:
                self._watch(namespace, query)
                return
            with cluster.news:
                self._answer(*(cluster.read(namespace, name) if name else (200, cluster.listed(namespace, query))))

        def do_POST(self) -> None:
            namespace, _, _ = self._where()
            body = self._body()
            with cluster.news:
                self._answer(*cluster.create(namespace, body))

        def do_PUT(self) -> None:
            namespace, name, _ = self._where()
            body = self._body()
            with cluster.news:
                self._answer(*cluster.replace(namespace, name, body))

        def _where(self) -> tuple[str, str, dict[str, list[str]]]:
            parts = urlsplit(self.path)
            namespace, _, name = parts.path.removeprefix(PREFIX).partition("/leases")
            return namespace, name.strip("/"), parse_qs(parts.query)

        def _body(self) -> dict[str, Any]:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return body

        def _answer(self, code: int, body: dict[str, Any]) -> None:
            if cluster.refuse:
                code, body = cluster.refuse, _status(cluster.refuse, "Forbidden")
            data = json.dumps(body).encode()
            head = f"HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data)

        def _watch(self, namespace: str, query: dict[str, list[str]]) -> None:
            self.wfile.write(b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            told, until_s = int(query["resourceVersion"][0]), time.monotonic() + int(query["timeoutSeconds"][0])
            while (left_s := until_s - time.monotonic()) > 0:
                with cluster.news:
                    later = [change for change in cluster.changes if change[0] > told]
                    if not later:
                        cluster.news.wait(left_s)
                for version, kind, lease in later:
                    told = version
                    if lease["metadata"]["namespace"] == namespace and _fits(lease, query):
                        event = json.dumps({"type": kind, "object": lease}).encode() + b"\n"
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
