"""By how much outages may differ by the moment of the strike alone."""

from pathlib import Path

from holdfast.cli.service import sensible
from holdfast.drills.drill import Drill
from holdfast.drills.timers import aftermath_s, involved, timer_s

CLASSIC = sensible(str(Path(__file__).parents[2] / "examples" / "classic"))


def test_a_host_involves_all_tiers_on_it_and_all_that_call_them():
    assert involved(Drill(fault="power_cut", tier="db", target="primary"), CLASSIC) == ("entry", "web", "db", "etcd")
    assert involved(Drill(fault="kill", tier="web", target="one"), CLASSIC) == ("entry", "web")
    assert involved(Drill(fault="power_cut", tier="entry", target="active"), CLASSIC) == ("entry", "entry-vip")


def test_a_zone_involves_everything():
    assert involved(Drill(fault="power_cut", tier="web", target="zone a"), CLASSIC) == tuple(CLASSIC.tiers)


def test_the_widest_timer_of_each_tier_is_added_up():
    web = timer_s(Drill(fault="kill", tier="web", target="one"), CLASSIC)
    database = timer_s(Drill(fault="kill", tier="db", target="primary"), CLASSIC)
    assert 0 < web < 1
    assert 2 < database < 15


def test_a_clock_that_went_back_is_waited_for_until_the_lease_would_be_over():
    lease_s = CLASSIC.tiers["db"].settings.ttl
    assert aftermath_s(Drill(fault="clock_skew", tier="db", target="primary"), CLASSIC) >= lease_s
    assert aftermath_s(Drill(fault="freeze", tier="db", target="primary"), CLASSIC) == 0
    assert aftermath_s(Drill(fault="clock_skew", tier="web", target="one"), CLASSIC) < 1
