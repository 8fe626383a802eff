"""One HTTP/1.1 question and what is understood of its answer, without a socket: the same over plain connections and over TLS."""

import h11

from holdfast.watch.target import Target, Word

LARGEST_BODY = 1 << 20
"""Bytes; of an answer that goes on, what came by then is read."""

Understood = tuple[Word, str, str]
"""Word, role, detail."""


class Question:
    """What is sent to a target each time: checked once, since most of the work is checking it.

    Raises h11.LocalProtocolError for a path that no request can have.
    """

    __slots__ = ("events", "target")

    def __init__(self, target: Target):
        headers = [("Host", target.header_host or target.host), ("Connection", "close"), ("User-Agent", "holdfast-watch")]
        if target.authorization:
            headers.append(("Authorization", target.authorization))
        if target.body:
            headers += [("Content-Length", str(len(target.body))), ("Content-Type", "application/json")]
        request = h11.Request(method=target.method, target=target.path, headers=headers)
        body = (h11.Data(data=target.body),) if target.body else ()
        self.target = target
        self.events: tuple[h11.Event, ...] = (request, *body, h11.EndOfMessage())


class Reply:
    """`asked` first, then `take` with whatever arrives (b"" at its end) until it returns something."""

    __slots__ = ("_body", "_connection", "_question", "_size", "_status", "_to")

    def __init__(self, question: Question):
        self._question = question
        self._connection = h11.Connection(h11.CLIENT)
        self._status, self._to, self._size = 0, "", 0
        self._body: list[bytes] = []

    def asked(self) -> bytes:
        """What is to be sent."""
        return b"".join(self._connection.send(event) or b"" for event in self._question.events)

    def take(self, data: bytes) -> Understood | None:
        """None while more must come."""
        try:
            self._connection.receive_data(data)
            while (event := self._connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.InformationalResponse):
                    continue  # 103 Early Hints and its like come before the answer
                if isinstance(event, h11.Response):
                    self._status = event.status_code
                    self._to = next((value.decode("latin-1") for name, value in event.headers if name == b"location"), "")
                elif isinstance(event, h11.Data):
                    self._body.append(bytes(event.data))
                    self._size += len(event.data)
                    if self._size >= LARGEST_BODY:
                        return self._understood()
                else:  # the end of the message, or of the connection
                    return self._understood()
        except h11.RemoteProtocolError as error:
            return "unknown", "", f"no HTTP answer: {error}"
        return None

    def _understood(self) -> Understood:
        if not self._status:
            return "unknown", "", "the connection closed before an answer"
        read = self._question.target.read
        told = f"status {self._status}"
        if self._to and 300 <= self._status < 400:
            told += f", to {self._to.partition('?')[0]}"
        try:
            word = read(self._status, b"".join(self._body)[:LARGEST_BODY]) if read else "yes"
        except Exception as error:  # noqa: BLE001 - what a program says in place of an answer is never our end
            return "unknown", "", f"{told}, not understood: {type(error).__name__}"
        if word in ("yes", "no"):
            return word, "", told  # type: ignore[return-value]
        return ("yes" if word else "unknown"), word, told
