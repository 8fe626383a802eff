"""Asking a host's supervisor: what becomes of a question whose asker is told to stop."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from holdfast.lab.agent import Agent
from holdfast.lab.verbs import HostGone


def with_agent(story: Callable[[Agent], Awaitable[None]]) -> None:
    async def session() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            async with asyncio.TaskGroup() as tasks:
                agent = Agent("web1", lambda happening: None)
                await agent.connect(ours, tasks)
                await story(agent)
                await agent.close()
                theirs.close()

    asyncio.run(session())


def test_a_cancellation_that_comes_together_with_the_answer_is_not_lost() -> None:
    """Whoever loses it goes on asking for ever, and the run that wants to end waits for it for ever."""

    async def story(agent: Agent) -> None:
        asking = asyncio.create_task(agent.ask("states"))
        await asyncio.sleep(0.01)
        agent._handle({"id": 1, "ok": []})
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    with_agent(story)


def test_an_answer_in_time_is_given_and_none_is_a_timeout() -> None:
    async def story(agent: Agent) -> None:
        asking = asyncio.create_task(agent.ask("states"))
        await asyncio.sleep(0.01)
        agent._handle({"id": 1, "ok": [1]})
        assert await asking == [1]
        with pytest.raises(TimeoutError):
            await agent.ask("states", limit_s=0.01)

    with_agent(story)


def test_a_host_that_is_gone_answers_nobody() -> None:
    async def story(agent: Agent) -> None:
        asking = asyncio.create_task(agent.ask("states"))
        await asyncio.sleep(0.01)
        agent._lost()
        with pytest.raises(HostGone):
            await asking

    with_agent(story)


def test_a_host_that_is_born_when_nobody_waits_for_it_any_more_ends_nothing() -> None:
    """As where a run is interrupted while its hosts still come up."""

    async def story(agent: Agent) -> None:
        waiting = asyncio.create_task(agent.born())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        agent._handle({"pid": 7})
        assert agent.pid == 7

    with_agent(story)
