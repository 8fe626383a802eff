"""Which steps lead from one version of a service to another, and in which order: pure, without a lab."""

import pytest
from versions import CLASSIC, SHOP, order, steps, with_settings

from holdfast.change.version import scaled


def test_nothing_to_do_where_nothing_changes():
    assert steps(CLASSIC, CLASSIC) == []


def test_who_comes_is_in_service_before_balancers_learn_of_it_one_after_the_other():
    assert steps(CLASSIC, scaled(CLASSIC, "web", 4)) == [
        "boot web4",
        "place the files of web4/command",
        "start web4/command",
        "wait until web4/command is in service",
        "place the files of entry1/haproxy",
        "reload entry1/haproxy",
        "wait until entry1/haproxy works by its new files",
        "place the files of entry2/haproxy",
        "reload entry2/haproxy",
        "wait until entry2/haproxy works by its new files",
        "wait until balancers send to web4/command",
        "the service is the new one from here on",
    ]


def test_who_goes_is_forgotten_by_all_balancers_and_drained_before_it_stops():
    found = steps(CLASSIC, scaled(CLASSIC, "web", 2))
    assert order(
        found, "wait until entry2/haproxy works by its new files", "the service is the new one from here on",
        "wait until nobody is connected to web3/command", "stop web3/command",
    )
    assert found[-1] == "stop web3/command"


def test_envoy_watches_its_files_and_needs_no_signal():
    found = steps(SHOP, scaled(SHOP, "web", 4))
    assert "place the files of entry1/envoy" in found
    assert "wait until entry1/envoy works by its new files" in found
    assert not any(step.startswith(("reload", "stop")) for step in found)


def test_programs_that_read_the_addresses_of_a_database_only_at_their_start_are_restarted_one_by_one():
    found = steps(CLASSIC, scaled(CLASSIC, "db", 4))
    assert order(found, "wait until db4/patroni is in service", "stop web1/command", "wait until web1/command is in service",
                 "wait until balancers send to web1/command", "stop web2/command", "wait until web2/command is in service",
                 "wait until balancers send to web2/command", "stop web3/command")


def test_a_database_host_that_goes_hands_over_before_anybody_forgets_it():
    found = steps(scaled(CLASSIC, "db", 4), CLASSIC)
    assert found[0] == "hand over if db4/patroni leads"
    assert found[-1] == "stop db4/patroni"


def test_a_balancer_that_comes_brings_the_mover_of_its_address():
    found = steps(CLASSIC, scaled(CLASSIC, "entry", 3))
    assert order(found, "wait until entry3/haproxy is in service", "start entry3/keepalived", "reload entry1/keepalived")


def test_what_members_share_is_set_once_and_restarts_are_settled_after_it():
    found = steps(CLASSIC, with_settings(CLASSIC, "db", max_connections=300))
    assert order(found, "place the files of db3/patroni", "set what the members of db share",
                 "wait until db3/patroni works by its new files",
                 "restart the members of db that wait for it, standbys first", "the service is the new one from here on")
    assert not any(step.startswith("stop") for step in found)


def test_a_balancer_whose_times_change_is_reloaded_and_nothing_else_is_touched():
    found = steps(CLASSIC, with_settings(CLASSIC, "entry", check_interval=0.5))
    assert {step.split()[-1] for step in found if step.startswith("reload")} == {"entry1/haproxy", "entry2/haproxy"}
    assert not any("web" in step or "db" in step for step in found)


def test_every_file_has_the_new_password_just_before_it_counts_and_programs_are_restarted_one_by_one():
    found = steps(CLASSIC, CLASSIC, renewed=("db-app",))
    assert order(found, "place the files of db3/patroni", "place the files of web3/command",
                 "give the user of db its new password", "the service is the new one from here on",
                 "stop web1/command", "start web1/command", "wait until web1/command is in service", "stop web2/command")
    assert "stop db1/patroni" not in found
    assert "reload db1/patroni" not in found


@pytest.mark.parametrize("tier", ["web", "entry", "db"])
def test_the_way_back_undoes_what_came(tier: str):
    more = scaled(CLASSIC, tier, CLASSIC.tiers[tier].replicas + 2)
    there, back = steps(CLASSIC, more), steps(more, CLASSIC)
    started = {step.removeprefix("start ") for step in there if step.startswith("start")}
    stopped = {step.removeprefix("stop ") for step in back if step.startswith("stop")}
    restarted = {step.removeprefix("start ") for step in back if step.startswith("start")}
    assert started - restarted == stopped - restarted
