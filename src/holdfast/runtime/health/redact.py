"""Secrets out of messages, before they are kept anywhere.

Rules: rather too much is hidden than too little.  What a pattern cannot know (a bare password in a sentence) the program names
with `Health(secrets=...)`.  Every expression is linear in the length of the message, which is bounded as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["HIDDEN", "Redactor"]

HIDDEN = "***"
LONGEST = 500
_LOOKED_AT = 4000

_WORDS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|credentials?|"
    r"authorization|cookie|signature|session[_-]?id|sslkey|jwt"
)
_QUOTED = r"'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?"
_PATTERNS = (
    # A private key, also one that is cut off.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.S), HIDDEN),
    # Authorization: Basic YWJj, Bearer eyJ..., also without the name of the header.
    (re.compile(r"\b(bearer|basic|digest|negotiate)(\s+)[A-Za-z0-9._~+/=:-]{4,}", re.I), rf"\1\2{HIDDEN}"),
    # scheme://user:password@host; up to the last @, since people forget to escape the others.
    (re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s\"'<>]*@"), rf"\1{HIDDEN}@"),
    # password=..., "apiKey": "...", DB_PASSWORD: ..., libpq's password='it\'s', header lines.
    (re.compile(
        rf"((?<![A-Za-z0-9])[\w.-]{{0,40}}?(?:{_WORDS})[\w-]{{0,20}}[\"']?\s{{0,3}}(?:=>|:=|=|:)\s{{0,3}})(?!{re.escape(HIDDEN)})"
        rf"(?:{_QUOTED}|[^\s,;&\"')}}\]]+)", re.I), rf"\1{HIDDEN}"),
    # A JSON Web Token, keys of AWS, GitHub and Slack wherever they stand.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"), HIDDEN),
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Redactor:
    """`redactor(message)` is the message in one line of at most 500 characters without what looks like a secret, and without
    `secrets`, which are hidden wherever they stand.  ValueError for one of fewer than 4 characters: it would hide half of every
    message.
    """

    __slots__ = ("_known",)

    def __init__(self, secrets: Iterable[str] = ()):
        known = (secrets,) if isinstance(secrets, str) else tuple(secrets)
        for secret in known:
            if not isinstance(secret, str) or len(secret) < 4:
                raise ValueError("secrets holds something that is no text of 4 or more characters; it must hold only such")
        words = "|".join(re.escape(secret) for secret in sorted(known, key=len, reverse=True))
        self._known = re.compile(words) if words else None

    def __call__(self, message: str) -> str:
        if self._known is not None:
            message = self._known.sub(HIDDEN, message)
        message = message[:_LOOKED_AT]
        for pattern, instead in _PATTERNS:
            message = pattern.sub(instead, message)
        message = _CONTROL.sub(" ", message).strip()
        return message if len(message) <= LONGEST else message[: LONGEST - 3] + "..."
