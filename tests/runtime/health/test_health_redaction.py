"""No secret leaves in a message."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.runtime.health import Check, Health, Result
from holdfast.runtime.health.redact import LONGEST, Redactor

SECRET = "hunter2-Hunter3"


@pytest.mark.parametrize("message", [
    f"postgresql://shop:{SECRET}@db1:5432/shop refused",
    f"postgresql+psycopg://shop:{SECRET}@/shop",
    f"redis://:{SECRET}@cache:6379/0",
    f"amqp://u:p@{SECRET}@mq/vhost",
    f"https://{SECRET}@api.example.com/v1",
    f"connection to host=db1 user=shop password={SECRET} dbname=shop failed",
    f"host=db1 password='{SECRET} with a space' dbname=shop",
    f"host=db1 password = 'it\\'s {SECRET}' dbname=shop",
    f"PGPASSWORD={SECRET} psql",
    f"DB_PASSWORD: {SECRET}",
    f'{{"user": "shop", "password": "{SECRET}"}}',
    f"{{'apiKey': '{SECRET}'}}",
    f"api-key={SECRET}&x=1",
    f"GET /v1?access_token={SECRET}&page=2",
    f"client_secret={SECRET};scope=all",
    f"Authorization: Bearer {SECRET}",
    f"headers={{'Authorization': 'Basic {SECRET}'}}",
    f"bearer {SECRET} was refused",
    f"Cookie: {SECRET}; other=1",
    f"X-Amz-Signature={SECRET}",
    f"secret_access_key={SECRET}",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY----- trailing",
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
])
def test_what_looks_like_a_secret_is_hidden(message: str) -> None:
    shown = Redactor()(message)
    assert "unter" not in shown
    assert "***" in shown


@pytest.mark.parametrize("token", ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36])
def test_tokens_are_known_by_their_shape(token: str) -> None:
    assert Redactor()(f"refused {token} today") == "refused *** today"


@pytest.mark.parametrize("message", [
    "connection to db1 port 5432 failed: Connection refused", "https://api.example.com/v1?page=2 answered 503",
    "disk is 97 % used, the limit is 95", "mail to a@b.example was refused", "took 3 s: too slow",
])
def test_what_holds_no_secret_is_left_alone(message: str) -> None:
    assert Redactor()(message) == message


def test_secrets_that_are_named_are_hidden_wherever_they_stand() -> None:
    redact = Redactor(["correct horse", "correct horse battery"])
    assert redact("it said: correct horse battery, correct horse") == "it said: ***, ***"


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert Redactor()("a\r\nb\x00\x1b[31mc\u2028d") == "a b [31mc d"
    assert len(Redactor()("x" * 100_000)) == LONGEST


@given(st.text(alphabet="abc:/@='\" \\&;,.-password", max_size=300))
def test_the_password_of_a_url_is_hidden_in_any_surroundings(around: str) -> None:
    assert SECRET not in Redactor()(f"{around} postgres://u:{SECRET}@h/ {around}")


@pytest.mark.parametrize("hostile", [
    "password" * 5000, "a:" * 20_000, "://" * 10_000, "'" * 20_000, "token=" * 5000, "-" * 50_000, "token" + " " * 20_000])
def test_no_message_takes_long(hostile: str) -> None:
    began_s = time.process_time()
    Redactor()(hostile)
    assert time.process_time() - began_s < 0.5


def test_a_message_is_redacted_before_anything_keeps_it() -> None:
    health = Health(secrets=["tr0ub4dor"])
    heard: list[str] = []
    health.listen(lambda event: heard.append(event.message))

    def check() -> Result:
        raise ConnectionError(f"postgres://u:{SECRET}@h/ and tr0ub4dor")

    health.add(Check("database", check))
    report = health.ask()
    everything = f"{report} {health.history('database')} {heard}"
    assert "unter" not in everything
    assert "tr0ub4dor" not in everything


def test_a_text_that_a_check_measured_or_returned_is_redacted_as_well() -> None:
    address = f"postgres://u:{SECRET}@h/"
    health = Health()
    health.add(
        Check("measured", lambda: Result("pass", value=address)),
        Check("returned", lambda: address),
        Check("cut_in_the_midst", lambda: f"{'x' * 80} {address}"))
    report = health.ask()
    assert report["measured"].value == "postgres://***@h/"
    assert report["returned"].message.startswith("returned 'postgres://***@h/'")
    assert SECRET[:5] not in f"{report}"
