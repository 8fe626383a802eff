"""The system calls that Python 3.11 does not offer, by ctypes.  Nothing of ours is imported: supervisors start in milliseconds.

Every function raises OSError with the name of the call, so that a refusal can be told to a person.
"""

import ctypes
import errno
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME, MS_BIND = 0x20, 0x400, 0x800, 0x1000
MS_REC, MS_PRIVATE, MS_RELATIME = 0x4000, 0x40000, 0x200000

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAP_SETFCAP = 31
_CAPABILITY_VERSION_3 = 0x20080522
KEPT_CAPABILITIES = frozenset({
    0,   # CHOWN
    1,   # DAC_OVERRIDE
    3,   # FOWNER
    4,   # FSETID
    5,   # KILL
    6,   # SETGID
    7,   # SETUID
    10,  # NET_BIND_SERVICE
    12,  # NET_ADMIN: keepalived moves addresses
    13,  # NET_RAW: keepalived speaks VRRP
    18,  # SYS_CHROOT
})
LAST_CAPABILITY = 40

_libc = ctypes.CDLL(None, use_errno=True)

_MOUNT_OPTIONS = {
    "nosuid": MS_NOSUID, "nodev": MS_NODEV, "noexec": MS_NOEXEC,
    "noatime": MS_NOATIME, "nodiratime": MS_NODIRATIME, "relatime": MS_RELATIME,
}  # fmt: skip


def _call(name: str, *arguments: object) -> int:
    result = getattr(_libc, name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return int(result)


def unshare(flags: int) -> None:
    _call("unshare", ctypes.c_int(flags))


def setns(fd: int, kind: int) -> None:
    _call("setns", ctypes.c_int(fd), ctypes.c_int(kind))


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    try:
        _call(
            "mount", source.encode(), target.encode(), kind.encode() or None,
            ctypes.c_ulong(flags), options.encode() or None,
        )  # fmt: skip
    except OSError as error:
        raise OSError(error.errno, f"mount {kind or 'bind'} on {target}: {os.strerror(error.errno or 0)}") from None


def bind(source: str, target: str, *, writable: bool) -> None:
    """A bind mount has a read-only flag of its own, which only a second call can set or clear."""
    mount(source, target, flags=MS_BIND)
    mount("none", target, flags=MS_REMOUNT | MS_BIND | (0 if writable else MS_RDONLY))


def unmount(target: str) -> None:
    """Lazily: whoever still uses it keeps it."""
    _call("umount2", target.encode(), ctypes.c_int(2))


def make_private() -> None:
    """No mount made from here on is seen outside."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def make_everything_read_only() -> None:
    """Every mount that is visible now.  Flags that an outer namespace locked are kept, or the kernel refuses."""
    with open("/proc/self/mountinfo") as lines:
        mounts = [line.split()[4:6] for line in lines]
    for target, options in mounts:
        words = options.split(",")
        if "ro" in words:
            continue
        flags = sum(_MOUNT_OPTIONS.get(word, 0) for word in words)
        path = target.encode().decode("unicode_escape")
        try:
            mount("none", path, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
        except OSError:
            if path == "/":
                raise
            # A mount hidden beneath another, or gone meanwhile: nobody can write through it.


def prctl(option: int, value: int = 0) -> None:
    _call("prctl", ctypes.c_int(option), ctypes.c_ulong(value), 0, 0, 0)


def die_with_parent(signal: int = 9) -> None:
    prctl(PR_SET_PDEATHSIG, signal)


def drop_capabilities() -> None:
    """For the programs of a host: no way to gain more than balancers and databases need."""
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in KEPT_CAPABILITIES:
            try:
                prctl(PR_CAPBSET_DROP, capability)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EPERM):  # unknown to this kernel, or not ours to drop
                    raise


def become(uid: int, gid: int) -> None:
    """Be an unprivileged user without needing one: a nested user namespace in which our own user has another number.

    Files stay our own, so nothing is left behind that a plain rm cannot remove, and paths that only we may
    traverse (a home of mode 0700) stay open to the program.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    map_user(uid, outer_uid, gid, outer_gid)


def map_user(inner_uid: int, outer_uid: int, inner_gid: int, outer_gid: int) -> None:
    """After `unshare(CLONE_NEWUSER)`: the one mapping that needs no privilege."""
    try:
        with open("/proc/self/setgroups", "w") as file:
            file.write("deny")
    except FileNotFoundError:
        pass  # before Linux 3.19
    with open("/proc/self/uid_map", "w") as file:
        file.write(f"{inner_uid} {outer_uid} 1")
    with open("/proc/self/gid_map", "w") as file:
        file.write(f"{inner_gid} {outer_gid} 1")


def set_hostname(name: str) -> None:
    _call("sethostname", name.encode(), ctypes.c_size_t(len(name)))


def shared_memory() -> dict[int, int]:
    """Every System V segment of this IPC namespace: identifier to the process that created it."""
    try:
        with open("/proc/sysvipc/shm") as lines:
            rows = [line.split() for line in lines][1:]
    except OSError:
        return {}
    return {int(row[1]): int(row[4]) for row in rows}


def remove_shared_memory(identifier: int) -> None:
    _call("shmctl", ctypes.c_int(identifier), ctypes.c_int(0), None)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityWord(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def set_user(uid: int, gid: int) -> None:
    """Only as root: another user, who may still look where only root may.

    The programs often lie beneath a home of mode 0700, which nobody else may traverse.  So of root's capabilities one that
    reads and traverses is kept, and as an ambient one it survives the exec (capabilities(7)).  Without any of them to keep
    the user is just another one.
    """
    with open("/proc/self/status") as lines:
        permitted = next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm"))
    sight = next((each for each in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if permitted & 1 << each), None)
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    bits = 0 if sight is None else 1 << sight
    words = (_CapabilityWord * 2)(_CapabilityWord(bits, bits, bits))
    _call("capset", ctypes.byref(_CapabilityHeader(_CAPABILITY_VERSION_3, 0)), words)
    if sight is not None:
        _call(
            "prctl", ctypes.c_int(PR_CAP_AMBIENT), ctypes.c_ulong(PR_CAP_AMBIENT_RAISE), ctypes.c_ulong(sight),
            ctypes.c_ulong(0), ctypes.c_ulong(0),
        )  # fmt: skip
