"""Run something in a lab: start again inside the namespaces, end on a signal, bring the right lab up."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from holdfast.blueprint import Blueprint, Site
from holdfast.cli.ending import leaf as leaf
from holdfast.lab.namespaces import outer
from holdfast.lab.verbs import Lab


def reenter(folder: Path, *, lab: str = "", seed: int | None = None, keep: Sequence[int] = ()) -> int:
    """The same command inside fresh namespaces, with what was already decided.  Returns its exit code."""
    decided = ["--into", str(folder)]
    decided += ["--lab", lab] if lab else []
    decided += ["--seed", str(seed)] if seed is not None else []
    for descriptor in keep:
        decided += ["--listen", str(descriptor)]
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)  # behind it there are no options any more
    words[end:end] = decided
    sys.stdout.flush()
    sys.stderr.flush()
    return outer.enter(words, keep)


def lab_of(
    site: Site, blueprint: Blueprint, secrets: Mapping[str, str], folder: Path, *, start: bool = True
) -> AbstractAsyncContextManager[Lab]:
    if site.lab == "namespaces":
        from holdfast.lab.namespaces.lab import lab_up

        return lab_up(blueprint, secrets, folder, start=start)
    from holdfast.lab.loopback import lab_up as loopback_up

    return loopback_up(blueprint, secrets, folder, start=start)


async def interruptible(session: Callable[[], Awaitable[object]]) -> None:
    """SIGTERM and SIGHUP end the session as Ctrl-C does: by cancelling it, so that everything is mended and closed."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    await session()
