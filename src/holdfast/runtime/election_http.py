"""etcd's JSON gateway over the standard library: one question, asked of one member after the other until one answers in time.

Rules: every wait of a request has the same end, also when bytes come in drops; connections are kept, and one that the far end
has closed meanwhile is made anew.  Only names are resolved without a limit, because the system's resolver has none: give
addresses where that matters.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from holdfast.runtime.election_store import StoreRefused, Unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

__all__ = ["Answered", "Gateway", "checked_endpoints"]

# gRPC status codes with which a member says that it cannot serve now, while another may: unknown, deadline exceeded, resource
# exhausted, aborted, internal, unavailable.  Source: grpc/grpc, doc/statuscodes.md.
ELSEWHERE = frozenset({2, 4, 8, 10, 13, 14})
UNAUTHENTICATED = 16
MOST_STRETCHED = 8
STALE_TOKEN = "invalid auth token"  # etcd says so with code 16, and before 3.5 also with others


class Answered(StoreRefused):
    """etcd's own answer to a request that it will not do; `code` is the gRPC status."""

    def __init__(self, said: str, code: int):
        super().__init__(said)
        self.code = code


class _Elsewhere(Exception):  # noqa: N818
    """This member cannot serve now."""


class _Timed(io.RawIOBase):
    """What a socket reads, each time for as long as is left."""

    def __init__(self, sock: Any, until_s: float):
        self._sock, self._until_s = sock, until_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)
        return int(self._sock.recv_into(buffer))


class _Socket:
    """As much of a socket as http.client needs."""

    def __init__(self, sock: Any):
        self.sock, self.until_s = sock, 0.0

    def sendall(self, data: Any) -> None:
        self.sock.settimeout(max(0.001, self.until_s - time.monotonic()))
        self.sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self.sock, self.until_s))

    def close(self) -> None:
        self.sock.close()


def checked_endpoints(endpoints: Any) -> tuple[str, ...]:
    """`http://HOST:PORT` or https, at least one, no doubles."""
    if isinstance(endpoints, str) or not hasattr(endpoints, "__iter__"):
        raise ValueError(f"endpoints is {endpoints!r}; it must be a list of URLs like http://10.0.0.1:2379")
    given = tuple(endpoints)
    if not given:
        raise ValueError("endpoints is empty; it must name at least one member, like http://10.0.0.1:2379")
    for endpoint in given:
        try:
            parts = urlsplit(endpoint)
            good = parts.scheme in ("http", "https") and parts.hostname and parts.port and parts.path in ("", "/")
        except (ValueError, TypeError, AttributeError):
            good = False
        if not good or "@" in endpoint:
            raise ValueError(f"endpoints holds {endpoint!r}; it must be a URL like http://10.0.0.1:2379")
    if len(set(given)) < len(given):
        raise ValueError(f"endpoints is {list(given)!r}; it must name each member once")
    return tuple(endpoint.rstrip("/") for endpoint in given)


class Gateway:
    """One thread at a time may ask; `interrupt` may be called from another."""

    def __init__(
        self, endpoints: Sequence[str], *, attempt_s: float, user: str = "", password: str = "",
        tls: ssl.SSLContext | None = None,
    ):
        self.endpoints = checked_endpoints(endpoints)
        if bool(user) != bool(password):
            raise ValueError("user and password must be given together")
        self._attempt_s, self._user, self._password, self._tls = attempt_s, user, password, tls
        self._open: dict[str, http.client.HTTPConnection] = {}
        self._token = ""
        self._first = 0
        self._stretch = 1
        self._watched: Any = None
        self._interrupted = self._hurried = False
        self._guard = Lock()

    def post(self, path: str, body: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The answer of the first member that gives one.  Raises Answered, StoreRefused or Unreachable."""
        until_s = time.monotonic() + limit_s
        if self._user and not self._token:
            self._authenticate(until_s)
        try:
            return self._everywhere(path, body, until_s)
        except Answered as error:
            if not self._user or not (error.code == UNAUTHENTICATED or STALE_TOKEN in str(error)):
                raise
        self._authenticate(until_s)
        return self._everywhere(path, body, until_s)

    def change(self, keys: dict[str, str], *, limit_s: float) -> None:
        """Returns when something changed among the keys, when the limit has passed, or on `interrupt`, which lasts; and at once
        when etcd is already further than `start_revision`, which may be somebody else's doing, so not twice in a row.
        """
        until_s = time.monotonic() + limit_s
        # etcd tells of what is past only every 100 ms (its syncWatchersLoop): looking again is sooner.
        hurry, self._hurried = not self._hurried, False
        endpoint = self.endpoints[self._first]
        connection = None
        try:
            connection = self._connected(endpoint, min(until_s, time.monotonic() + self._attempt_s))
            sock: Any = connection.sock
            with self._guard:
                self._watched = sock.sock
                if self._interrupted:
                    return
            sock.until_s = until_s
            connection.request("POST", "/v3/watch", json.dumps({"create_request": keys}).encode(), self._headers())
            response = connection.getresponse()
            while line := response.readline():
                if hurry and _is_past(line, keys):
                    self._hurried = True
                    return
                if b'"events"' in line or b'"canceled"' in line or b'"error"' in line:
                    return
            raise OSError("the watch was ended")
        except TimeoutError:
            return
        except (OSError, http.client.HTTPException):
            # The next look finds out; what is left of the limit must pass, or a dead member would make us spin.
            self._first = (self._first + 1) % len(self.endpoints)
            raise Unreachable(f"{endpoint} ended the watch") from None
        finally:
            with self._guard:
                self._watched = None
            if connection is not None:
                connection.close()

    def interrupt(self) -> None:
        with self._guard:
            self._interrupted = True
            if self._watched is not None:
                try:
                    self._watched.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()

    def _authenticate(self, until_s: float) -> None:
        self._token = ""
        body = {"name": self._user, "password": self._password}
        self._token = self._everywhere("/v3/auth/authenticate", body, until_s)["token"]

    def _everywhere(self, path: str, body: dict[str, Any], until_s: float) -> dict[str, Any]:
        count = len(self.endpoints)
        said, refused = [], 0
        for number in range(count):
            place = (self._first + number) % count
            endpoint = self.endpoints[place]
            now_s = time.monotonic()
            if now_s >= until_s:
                said.append(f"{endpoint}: no time left to ask")
                continue
            try:
                answer = self._one(endpoint, path, body, min(until_s, now_s + self._attempt_s * self._stretch))
            except Answered:
                self._first = place
                raise
            except (OSError, http.client.HTTPException, _Elsewhere, StoreRefused) as error:
                self._drop(endpoint)
                refused += isinstance(error, StoreRefused)
                said.append(f"{endpoint}: {str(error) or type(error).__name__}")
            else:
                self._first, self._stretch = place, 1
                return answer
        self._first = (self._first + 1) % count
        self._stretch = min(MOST_STRETCHED, self._stretch * 2)  # all may be slow, and none of them dead
        if refused == count:
            raise StoreRefused("; ".join(said))
        raise Unreachable(f"no member of etcd answered {path}: {'; '.join(said)}")

    def _one(self, endpoint: str, path: str, body: dict[str, Any], until_s: float) -> dict[str, Any]:
        kept = endpoint in self._open
        try:
            return self._exchange(endpoint, path, body, until_s)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            if not kept:
                raise
        self._drop(endpoint)  # it had been closed at the far end while nobody looked
        return self._exchange(endpoint, path, body, until_s)

    def _exchange(self, endpoint: str, path: str, body: dict[str, Any], until_s: float) -> dict[str, Any]:
        connection = self._open.get(endpoint)
        if connection is None:
            connection = self._open[endpoint] = self._connected(endpoint, until_s)
        sock: Any = connection.sock
        sock.until_s = until_s
        connection.request("POST", path, json.dumps(body).encode(), self._headers())
        response = connection.getresponse()
        text = response.read()
        if response.will_close:
            self._drop(endpoint)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and response.status == 200 and "error" not in answer:
            return answer
        raise _meaning(response.status, answer)

    def _connected(self, endpoint: str, until_s: float) -> http.client.HTTPConnection:
        parts = urlsplit(endpoint)
        assert parts.hostname
        assert parts.port
        left_s = max(0.001, until_s - time.monotonic())
        raw: Any = socket.create_connection((parts.hostname, parts.port), left_s)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if parts.scheme == "https":
                import ssl

                raw.settimeout(max(0.001, until_s - time.monotonic()))
                raw = (self._tls or ssl.create_default_context()).wrap_socket(raw, server_hostname=parts.hostname)
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.sock = _Socket(raw)
        connection.auto_open = 0
        return connection

    def _headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", **({"Authorization": self._token} if self._token else {})}

    def _drop(self, endpoint: str) -> None:
        connection = self._open.pop(endpoint, None)
        if connection is not None:
            connection.close()


def _is_past(line: bytes, keys: dict[str, str]) -> bool:
    """A watch was made, and what it shall begin with has been."""
    try:
        revision = int(json.loads(line)["result"]["header"]["revision"]) if b'"created"' in line else 0
    except (ValueError, KeyError, TypeError):
        return False
    return 0 < int(keys.get("start_revision", 0)) <= revision


def _meaning(status: int, answer: Any) -> Exception:
    """etcd answers with a gRPC code in JSON; whoever does not is no etcd, or has its gateway switched off."""
    if isinstance(answer, dict):
        told = answer.get("error", answer)
        if isinstance(told, dict):
            answer, told = told, told.get("message", told)
        code = answer.get("code", answer.get("grpc_code"))
        if isinstance(code, int):
            return _Elsewhere(str(told)) if code in ELSEWHERE else Answered(f"etcd refuses: {told}", code)
    if status >= 500:
        return _Elsewhere(f"HTTP {status}")
    return StoreRefused(f"HTTP {status}, which is not what etcd's JSON gateway answers (enable-grpc-gateway)")
