"""Run this very command again inside fresh namespaces, beside the hosts that it is going to make.

The command that the user started stays outside and waits.  Inside, holdfast is process 1: when it ends, or when the
command outside is killed, the kernel kills every process, and with the last of them go all mounts, links and shared memory.
No cleaning code has to run for that.  Only memory limits are folders of the machine: the process between the two, which waits
for the inside, outlives both for a moment and removes what a drill had of them.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence

from holdfast.lab import linux, memory, netlink
from holdfast.lab.processes import signal_all

INSIDE = "HOLDFAST_INSIDE"
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BEREFT = signal.SIGUSR1
"""What the process between outside and inside gets when the command that the user started is gone."""
_FLAGS = linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC


def is_inside() -> bool:
    return os.environ.get(INSIDE) == "1" and os.getpid() == 1


def enter(argv: Sequence[str], keep: Sequence[int] = (), module: str = "holdfast") -> int:
    """Start `python -m MODULE argv` inside and return its exit code.  `keep` are open files that it inherits."""
    for descriptor in keep:
        os.set_inheritable(descriptor, True)
    middle = os.fork()
    if middle == 0:
        try:
            os._exit(_middle(lambda: _execute(module, argv)))
        except OSError as error:
            os.write(2, f"holdfast: {error}\n".encode())
        finally:
            os._exit(3)
    return _wait_for(middle)


def _execute(module: str, argv: Sequence[str]) -> int:
    environment = {**os.environ, INSIDE: "1"}
    os.execve(sys.executable, [sys.executable, "-m", module, *argv], environment)


def _middle(first: Callable[[], int]) -> int:
    """In the forked child: leave the machine's namespaces, fork process 1, and hand on its end.  Returns an exit code."""
    parent = os.getppid()
    linux.die_with_parent(_BEREFT)  # it ends the inside first, and cleans up
    if os.getppid() != parent:
        return 3
    ground = memory.ground()
    memory.sweep(ground)
    os.environ[memory.NAME] = name = memory.name_for(os.getpid())
    os.setsid()  # a terminal's Ctrl-C reaches the command outside alone, which passes it on: once, and always
    _leave()
    # Process 1 loses a signal for which it has no handler yet, unless it is blocked: `receive_signals` unblocks them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    child = os.fork()
    if child != 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    if child == 0:
        try:
            signal.signal(_BEREFT, signal.SIG_DFL)
            linux.die_with_parent()
            _settle()
            os._exit(first())
        except OSError as error:
            os.write(2, f"holdfast: {error}\n".encode())
        finally:
            os._exit(3)
    signal.signal(_BEREFT, lambda *_: signal_all([child], signal.SIGKILL))
    if os.getppid() != parent:
        signal_all([child], signal.SIGKILL)
    try:
        return _wait_for(child)
    finally:
        memory.remove(name, ground)


def _leave() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        try:
            linux.unshare(_FLAGS)
            return
        except OSError as error:
            if error.errno != errno.EPERM:
                raise
    linux.unshare(linux.CLONE_NEWUSER | _FLAGS)
    linux.map_user(0, uid, 0, gid)


def _settle() -> None:
    """As process 1: mounts and links of our own."""
    linux.make_private()
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    linux.mount("tmpfs", "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    netlink.bring_up("lo")


def receive_signals() -> None:
    """Inside, as early as can be: what was sent while this program started arrives now, as KeyboardInterrupt."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)


def _wait_for(child: int) -> int:
    """Until the child ends; what a terminal or a service manager sends us is its business.  At the third signal it is killed."""
    received = 0

    def pass_on(number: int, _: object) -> None:
        nonlocal received
        received += 1
        os.kill(child, number if received < 3 else signal.SIGKILL)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        while True:
            try:
                _, status = os.waitpid(child, 0)
            except InterruptedError:
                continue
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def try_chain() -> str:
    """Do once, in a throw-away child, all that a lab will do.  Returns "" if it works, else the step that was refused.

    Refusals look different everywhere, so operations are tried and no setting is read.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        reason = "the attempt ended without a word"
        try:
            reason = ""
            code = _middle(lambda: _rehearse(write))
            reason = f"ended with {code}" if code not in (0, 1) else ""  # 1: the reason was told already
        except OSError as error:
            reason = str(error)
        finally:
            if reason:
                os.write(write, reason.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 4096).decode(errors="replace")
    os.close(read)
    return said


def _rehearse(write: int) -> int:
    """As process 1 of the throw-away namespaces."""
    try:
        netlink.add_bridge("probe")
        _rehearse_host()
    except OSError as error:
        os.write(write, str(error).encode())
        return 1
    return 0


def _rehearse_host() -> None:
    read, write = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    child = os.fork()
    if child == 0:
        try:
            linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
            linux.make_private()
            linux.make_everything_read_only()
            linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
            linux.mount("tmpfs", "/run", "tmpfs")
            os.write(write, b"!")
            signal.sigwait([signal.SIGTERM])
            linux.become(1000, 1000)
            os._exit(0)
        except OSError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(1)
    os.close(write)
    said = os.read(read, 4096)
    if said != b"!":
        raise OSError(errno.EPERM, f"in a host: {said.decode()}")
    netlink.add_cable("probe0", "probe", "eth0", child, bytes((2, 0, 0, 0, 0, 1)))
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    if status:
        raise OSError(errno.EPERM, f"in a host: {os.read(read, 4096).decode() or 'ended early'}")
