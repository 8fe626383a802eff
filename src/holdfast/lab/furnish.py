"""Put a host's programs in place: what the service manager is to run, their directories and their files."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.blueprint import Blueprint, Process, with_secrets
from holdfast.lab.agent import Agent
from holdfast.lab.files import as_message


async def furnish(agent: Agent, processes: Iterable[Process], secrets: Mapping[str, str]) -> None:
    """Nothing starts and nothing that runs is touched.  Each file takes its new text in one moment, or stays as it was."""
    processes = tuple(processes)
    await agent.ask("keep", processes=[as_message(process) for process in processes])
    for process in processes:
        await agent.ask("make_directories", directories=dict(process.directories), user=process.user)
        for path, file in process.files.items():
            text = with_secrets(file.text, secrets)
            await agent.ask("write", path=path, text=text, mode=file.mode, user=process.user)


def placed(blueprint: Blueprint, process: Process) -> Blueprint:
    """The blueprint with this process instead of the one of the same name, so that a host boots with what it was last given."""
    processes = (replace(process, lab_env=each.lab_env) if each.name == process.name else each for each in blueprint.processes)
    return replace(blueprint, processes=tuple(processes))
