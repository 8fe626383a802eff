"""Settings that make no sense are refused when they are made, with the setting, the value and the range."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pretend_store import PretendStore

from holdfast.runtime import Etcd, Leader, Lock, Semaphore
from holdfast.runtime.election_settings import Terms, boottime

STORE = PretendStore(lambda: 0.0)

WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"ttl_s": 0.5}, r"ttl_s is 0.5; it must be a number with 1 <= ttl_s"),
    ({"ttl_s": float("nan")}, "ttl_s is nan"),
    ({"ttl_s": True}, "ttl_s is True"),
    ({"margin_s": 0.0}, "0 < margin_s <= 5"),
    ({"margin_s": 6.0}, "margin_s is 6.0"),
    ({"ttl_s": 4, "margin_s": 3}, "0 < margin_s <= 2"),
    ({"renew_every_s": 5.0}, "renew_every_s <= 4.5"),
    ({"attempt_s": 9.0}, "attempt_s <= 6.5"),
    ({"look_every_s": 0}, "look_every_s is 0"),
    ({"who": "a\nb"}, "who is"),
    ({"clock": 3}, "clock is 3; it must be a function"),
    ({"store": None}, "exactly one of etcd and store"),
    ({"etcd": ["http://127.0.0.1:2379"]}, "exactly one of etcd and store"),
    ({"store": "postgres"}, "store is 'postgres'"),
)


@pytest.mark.parametrize(("settings", "said"), WRONG, ids=[said for _, said in WRONG])
@pytest.mark.parametrize("kind", [Leader, Lock])
def test_a_setting_out_of_range_is_named_with_its_value_and_range(kind: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind("billing", **{"store": STORE, **settings})


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a ", "a" * 101, None, "ä"])
def test_a_name_must_fit_every_store(name: Any) -> None:
    with pytest.raises(ValueError, match="name is"):
        Leader(name, store=STORE)


@pytest.mark.parametrize("permits", [0, -1, 1.5, True, 1001])
def test_permits_are_a_whole_number(permits: Any) -> None:
    with pytest.raises(ValueError, match="permits is"):
        Semaphore("slots", permits, store=STORE)


@pytest.mark.parametrize(("endpoints", "said"), [
    ([], "is empty"), ("http://127.0.0.1:2379", "must be a list"), (["127.0.0.1:2379"], "must be a URL"),
    (["http://127.0.0.1"], "must be a URL"), (["ftp://a:1"], "must be a URL"), (["http://a:99999"], "must be a URL"),
    (["http://u:p@a:1"], "must be a URL"), (["http://a:1/x"], "must be a URL"), ([None], "must be a URL"),
    (["http://a:1", "http://a:1"], "each member once"),
])  # fmt: skip
def test_endpoints_must_be_urls(endpoints: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Leader("billing", etcd=endpoints)


def test_a_user_needs_a_password() -> None:
    with pytest.raises(ValueError, match="given together"):
        Etcd(["http://127.0.0.1:2379"], user="shop")


def test_a_wait_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="max_wait_s"):
        Leader("billing", store=STORE).hold(-1)


def test_what_is_left_out_follows_from_the_lease() -> None:
    terms = Terms(ttl_s=20)

    assert (terms.margin_s, terms.renew_every_s, terms.attempt_s, terms.look_every_s) == (2.0, 5.0, 2.5, 1.0)
    assert "ttl_s=20" in repr(terms)


def test_the_clock_goes_on_while_the_machine_is_suspended() -> None:
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert abs(boottime() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5
    assert boottime() <= boottime()
