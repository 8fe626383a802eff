"""How can a program run as another user than root here?  Tried in throw-away children: refusals look different everywhere."""

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from holdfast.blueprint import Blueprint
from holdfast.errors import Problem, Refused
from holdfast.lab import linux
from holdfast.lab.launch import UNPRIVILEGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """See `launch.Place`."""

    way: Literal["nested", "setuid", "same"]
    uid: int
    gid: int


def users_for(blueprint: Blueprint, folder: Path) -> Users:
    """Raises Refused where a program must not be root, and nothing else is to be had."""
    if os.geteuid() != 0:
        return Users(way="same", uid=os.geteuid(), gid=os.getegid())
    uid, gid = _nobody()
    programs = sorted({process.argv[0] for process in blueprint.processes if process.user != "root"})
    if not programs or _works(lambda: linux.become(uid, gid)):
        return Users(way="nested", uid=uid, gid=gid)
    if not _works(lambda: linux.set_user(uid, gid)):
        raise Refused(
            Problem(
                "some programs refuse to run as root, and this machine lets root be nobody else", where=programs[0],
                remedy="run holdfast as an ordinary user",
            )
        )  # fmt: skip
    if hidden := _unseen([*programs, str(folder)], uid, gid):
        raise Refused(
            [
                Problem("no user but root can look into it", where=str(each), remedy=f"`chmod o+x {each}`, or move what is in it")
                for each in hidden
            ]
        )
    return Users(way="setuid", uid=uid, gid=gid)


def _nobody() -> tuple[int, int]:
    """An account of this machine that is not root."""
    accounts = sorted(pwd.getpwall(), key=lambda account: account.pw_name != "nobody")
    return next(((account.pw_uid, account.pw_gid) for account in accounts if account.pw_uid), (UNPRIVILEGED, UNPRIVILEGED))


def _works(attempt: Callable[[], None]) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            attempt()
            code = 0
        except OSError:
            pass
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _unseen(paths: list[str], uid: int, gid: int) -> list[Path]:
    """The directories that keep the unprivileged user from these paths (symbolic links followed), outermost of each."""
    found = []
    for path in dict.fromkeys([*paths, *map(os.path.realpath, paths)]):
        for directory in reversed(Path(path).parents):
            if directory not in found and not _works(lambda directory=directory: _traverse(directory, uid, gid)):
                found.append(directory)
                break
    return found


def _traverse(directory: Path, uid: int, gid: int) -> None:
    linux.set_user(uid, gid)
    os.chdir(directory)
