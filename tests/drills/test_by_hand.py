"""Strikes by hand, in virtual time on a lab that only pretends: the rules of a drill, and answers that a program can read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from pretend_lab import PretendLab
from pretend_service import SITE, PretendService, topology
from virtual_time import run

from holdfast.cli.service import kinds
from holdfast.drills.by_hand import STEADY, ByHand
from holdfast.drills.conduct import Conductor
from holdfast.drills.drill import Drill
from holdfast.errors import BAD_INPUT, INCONCLUSIVE, NOT_CLEANED, NOT_STRUCK, UNSTEADY
from holdfast.plan import plan
from holdfast.record.event import Event

KILL = "{fault: kill, tier: web, target: one}"
FREEZE = "{fault: freeze, tier: web, target: one}"
POWER_CUT = "{fault: power_cut, tier: db, target: primary}"
Answer = dict[str, Any]
Story = Callable[[Callable[..., Awaitable[Answer]], PretendLab], Awaitable[Any]]


def by_hand(story: Story, *, takeover_s: float = 5.0, **lab_is: Sequence[str]) -> tuple[Any, list[Event], list[Drill | None]]:
    """What the story returned, the events, and the drills that were announced.  The story is given `ask`."""
    events: list[Event] = []
    begun: list[Drill | None] = []

    async def session() -> Any:
        shop = topology()
        lab = PretendLab(plan(shop, SITE), **lab_is)
        service = PretendService(lab, takeover_s)
        probes = [service.pages(0.1), service.orders(0.1)]

        def begin(drill: Drill | None) -> str:
            begun.append(drill)
            return "there is no disk here" if drill and drill.fault == "disk_full" else ""

        def write(event: Event) -> None:
            events.append(event)
            hand.saw(event)

        secrets = {name: "hidden" for name in ("db-restapi", "db-app", "db-superuser", "db-replication", "db-rewind")}
        conductor = Conductor(
            topology=shop, site=SITE, lab=lab, secrets=secrets, seed=1, probes=probes, write=write,
            hear=lambda asked: hand.heard(asked), wire=service.wire,
        )  # fmt: skip
        hand = ByHand(
            conductor=conductor, topology=shop, kinds=kinds(), lab=lab, probes={each.name: each for each in probes},
            begin=begin, write=write,
        )  # fmt: skip

        async def ask(do: str, **words: Any) -> Answer:
            return await hand.answer({"do": do, **words})

        async with asyncio.TaskGroup() as tasks, conductor.attended() as asking:
            hand.stands(tasks, asking)
            found = await story(ask, lab)
            await hand.end()
        return found

    return run(session()), events, begun


def code(answer: Answer) -> int:
    assert "problems" in answer, answer
    return int(answer["exit_code"])


def test_a_strike_is_told_when_it_is_proven_and_lasts_until_it_is_mended():
    async def story(ask, lab):
        struck = await ask("strike", drill=FREEZE)
        await asyncio.sleep(30)
        held = [host for host, machine in lab.machines.items() if machine.paused]
        mended = await ask("mend")
        return struck["ok"], held, mended["ok"], [host for host, machine in lab.machines.items() if machine.paused]

    (struck, held, mended, left), events, _ = by_hand(story)
    assert struck["struck"] in held
    assert "does not answer" in struck["proof"]
    assert mended["outcome"] == "done"
    assert not left
    assert [event.kind for event in events if event.kind.startswith("drill.")] == [
        "drill.began", "drill.steady", "drill.struck", "drill.verified", "drill.mended", "drill.ended"]


def test_with_a_duration_the_answer_comes_when_all_is_over():
    async def story(ask, lab):
        began_s = lab.now_s()
        told = (await ask("strike", drill="{fault: power_cut, tier: db, target: primary, for: 20s}"))["ok"]
        return told, lab.now_s() - began_s

    (told, took_s), _, _ = by_hand(story)
    assert told["outcome"] == "done"
    assert told["lost_writes"] is not None
    assert took_s > 20


def test_a_strike_without_effect_is_refused_as_one_that_did_not_strike():
    async def story(ask, lab):
        return await ask("strike", drill=KILL), await ask("mend")

    (struck, mended), _, _ = by_hand(story, deaf=["web1/command", "web2/command", "web3/command"])
    assert code(struck) == NOT_STRUCK
    assert "no proof that kill struck" in struck["problems"][0]["what"]
    assert code(mended) == NOT_STRUCK, "and it is not forgotten"


def test_nothing_is_struck_while_the_steady_state_does_not_hold():
    async def story(ask, lab):
        await lab.pause("web1")
        await asyncio.sleep(3)
        return await ask("strike", drill=POWER_CUT, patience_s=5.0), list(lab.did)

    (struck, did), _, _ = by_hand(story)
    assert code(struck) == UNSTEADY
    assert "web1/command is not in service" in struck["problems"][0]["what"]
    assert [verb for _, verb, _ in did] == ["pause"]


def test_what_cannot_be_mended_is_told():
    async def story(ask, lab):
        await ask("strike", drill=FREEZE)
        return await ask("mend")

    mended, _, _ = by_hand(story, stuck=["web1", "web2", "web3"])
    assert code(mended) == NOT_CLEANED


def test_one_drill_at_a_time_and_every_one_has_a_name_of_its_own():
    async def story(ask, lab):
        first = await ask("strike", drill=FREEZE)
        refused = await ask("strike", drill=KILL)
        await ask("mend")
        return first["ok"]["drill"], refused, (await ask("strike", drill=FREEZE))["ok"]["drill"], await ask("mend")

    (first, refused, again, _), _, begun = by_hand(story)
    assert code(refused) == BAD_INPUT
    assert "freeze web goes on" in refused["problems"][0]["what"]
    assert (first, again) == ("freeze web", "freeze web 2")
    assert [drill.name for drill in begun if drill] == [first, again]


@pytest.mark.parametrize(("drill", "what", "remedy"), [
    ("kil", "there is no fault 'kil'; did you mean 'kill'?", "write kill"),
    ("{fault: kill, tier: wob}", "wob", ""),
    ("{fault: kill, tier: web, signal: WINK}", "signal", ""),
    ("{fault: kill, tier: web, target: primary}", "nobody in web is ever 'primary'", "use one"),
    ("{fault: kill, tier: web, for: 2h}", "would be held for 7200 s", "at most 1h"),
    ("[kill]", "a drill is made of keys and values", "write {fault: kill"),
    ("{fault: kill", "", ""),
])
def test_a_drill_that_makes_no_sense_is_refused_before_anything_begins(drill, what, remedy):
    async def story(ask, lab):
        return await ask("strike", drill=drill)

    answer, events, begun = by_hand(story)
    assert code(answer) == BAD_INPUT
    assert what in answer["problems"][0]["what"]
    assert remedy in answer["problems"][0]["remedy"]
    assert not begun
    assert not [event for event in events if event.drill]


def test_what_the_lab_cannot_do_is_skipped_with_the_reason():
    async def story(ask, lab):
        return await ask("strike", drill="{fault: disk_full, tier: db, target: replica}")

    answer, _, _ = by_hand(story)
    assert code(answer) == INCONCLUSIVE
    assert answer["problems"][0]["what"] == "skipped: there is no disk here"


def test_an_outage_is_counted_from_its_strike_and_is_over_when_answers_are_calm():
    async def story(ask, lab):
        nothing = await ask("measured", probe="orders")
        await ask("strike", drill=POWER_CUT)
        early = (await ask("measured", probe="orders"))["ok"]
        late = (await ask("measured", probe="orders", patience_s=60.0))["ok"]
        pages = (await ask("measured", probe="pages"))["ok"]
        await ask("mend")
        return nothing, early, late, pages, await ask("measured", probe="odrers")

    (nothing, early, late, pages, unknown), _, _ = by_hand(story, takeover_s=12.0)
    assert "nothing was struck yet" in nothing["problems"][0]["what"]
    assert not early["over"]
    assert early["outage_s"] < 6
    assert late["over"]
    assert late["outage_s"] == pytest.approx(12.0, abs=0.2)
    assert pages["outage_s"] == 0
    assert pages["yes"] > 0
    assert "there is no probe odrers" in unknown["problems"][0]["what"]


def test_an_outage_that_has_just_ended_is_not_counted_up_to_now():
    """Answers are calm one second after the last bad one; the outage is over one second after the first good one."""

    async def story(ask, lab):
        await ask("strike", drill="{fault: kill, tier: db, target: primary}")
        told = (await ask("measured", probe="orders", patience_s=60.0))["ok"]
        await ask("mend")
        return told

    told, _, _ = by_hand(story)
    assert told["over"]
    assert told["outage_s"] == pytest.approx(0.6, abs=0.2), "what the pretended PostgreSQL needs to start again"


def test_a_steady_state_that_did_not_hold_stands_in_the_record():
    async def story(ask, lab):
        whole = (await ask("steady"))["ok"]
        await lab.pause("web2")
        await asyncio.sleep(3)
        return whole, (await ask("steady", patience_s=2.0))["ok"]

    (whole, broken), events, _ = by_hand(story)
    assert whole == {"steady": True, "missing": []}
    assert not broken["steady"]
    assert "web2/command is not in service" in broken["missing"]
    ended, = (event for event in events if event.kind == "drill.ended")
    assert (ended.subject, ended.detail["outcome"]) == (STEADY, "unsteady")


def test_who_looks_while_something_is_struck_finds_no_fault_with_the_steady_state():
    async def story(ask, lab):
        await ask("strike", drill=FREEZE)
        await asyncio.sleep(3)
        struck = (await ask("looked"))["ok"]["missing"]
        await ask("mend")
        whole = (await ask("looked"))["ok"]["missing"]
        await lab.pause("web1")
        await asyncio.sleep(3)
        return struck, whole, (await ask("looked"))["ok"]["missing"]

    (struck, whole, broken), events, _ = by_hand(story)
    assert struck
    assert not whole
    assert "web1/command is not in service" in broken
    outcomes = [event.detail["outcome"] for event in events if event.kind == "drill.ended"]
    assert outcomes == ["done", "unsteady"]


def test_a_lab_that_ends_mends_what_is_struck():
    async def story(ask, lab):
        await ask("strike", drill=FREEZE)
        return lab

    lab, _, _ = by_hand(story)
    assert not any(machine.paused for machine in lab.machines.values())


def test_a_rollback_without_a_strike_does_nothing_and_nonsense_is_told():
    async def story(ask, lab):
        return await ask("mend"), await ask("dance"), await ask("strike"), list(lab.did)

    (mended, nonsense, wordless, did), _, _ = by_hand(story)
    assert mended == {"ok": {"outcome": "nothing was struck"}}
    assert code(nonsense) == code(wordless) == BAD_INPUT
    assert not did
