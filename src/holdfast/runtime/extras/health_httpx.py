"""Health of another service with httpx: `Check("billing", Get(client, "http://billing/health"))`, for Client and AsyncClient.

Rules: when the answer is health+json, its own status is taken over, so that a service that warns is a warning here too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import httpx

from holdfast.runtime.health.results import FAIL, PASS, WARN, Result, Status

__all__ = ["Get"]

# draft-inadarei-api-health-check-06, section 3.1, with its aliases.
_WORDS: dict[str, Status] = {"pass": PASS, "ok": PASS, "up": PASS, "warn": WARN, "fail": FAIL, "error": FAIL, "down": FAIL}


class Get:
    """expect    statuses that are well, by default 200 to 299; redirects are not followed unless the client does"""

    dependency = True

    def __init__(self, client: httpx.Client | httpx.AsyncClient, url: str, *, expect: Collection[int] = range(200, 300)):
        if not isinstance(client, httpx.Client | httpx.AsyncClient):
            raise ValueError(f"client is {client!r}; it must be an httpx.Client or an httpx.AsyncClient")
        self._client, self._url, self._expect = client, str(httpx.URL(url)), expect

    def __call__(self) -> Any:
        if isinstance(self._client, httpx.AsyncClient):
            return self._later(self._client)
        return self._judged(self._client.get(self._url))

    async def _later(self, client: httpx.AsyncClient) -> Result:
        return self._judged(await client.get(self._url))

    def _judged(self, reply: httpx.Response) -> Result:
        if reply.status_code not in self._expect:
            return Result(FAIL, f"{self._url} answered {reply.status_code}", reply.status_code)
        if reply.headers.get("content-type", "").startswith("application/health+json"):
            said = reply.json()
            word = str(said.get("status", "")).lower() if isinstance(said, dict) else ""
            if word not in _WORDS:
                return Result(FAIL, f"{self._url} has the unknown status {word[:50]!r}", reply.status_code)
            if _WORDS[word] is not PASS:
                return Result(_WORDS[word], f"{self._url} says {word}", reply.status_code)
        return Result(PASS, value=reply.status_code)
