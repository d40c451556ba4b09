"""The kernel in which a submission runs: it stays within its folder, and its checks are our own.

    python tools/grading/guard.py -f CONNECTION_FILE …

The variable GUARD names a file of settings (JSON: the arguments of `main`), read once and deleted.

Python code in this kernel cannot write outside its folder, read what is hidden from it, open the
network or start a program: the call raises PermissionError, and is recorded (but for what libraries
try while they are imported: they look for fonts and for IPv6, and do without). Where Linux has
Landlock, compiled code cannot write, start or connect either. This is a fence against accidents and
cheap tricks, not a prison: grade people whom you do not trust in a container.

A record is one line of JSON in the file `record`: {"refused": what} or {"exercise": "5.1",
"status": …, "message": …}; each carries `secret`, which the submission is not told.
"""

import ctypes
import functools
import json
import os
import struct
import sys
import types
from pathlib import Path

NETWORK = ("socket.connect", "socket.bind", "socket.send", "socket.get")
PROGRAMS = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "pty.")
OTHERS = ("os.kill", "os.startfile", "resource.set", "resource.prlimit", "signal.pthread_kill")
# Audit events that change something: places of the path and of the folder it is relative to.
CHANGES = {
    "os.chmod": [(0, 2)],
    "os.chown": [(0, 3)],
    "os.link": [(0, 2), (1, 3)],
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.removexattr": [(0, None)],
    "os.rename": [(0, 2), (1, 3)],
    "os.rmdir": [(0, 1)],
    "os.setxattr": [(0, None)],
    "os.symlink": [(1, 2)],  # where it points to is looked at when it is followed
    "os.truncate": [(0, None)],
    "os.utime": [(0, 3)],
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FREE = {os.devnull}
MOST_TOLD = 50  # of different things that a submission tried; the others are refused in silence


def fence(*, writable, hidden, refuse):
    """Refuse what leads out of some folders, from now on and for good.

    writable: the only folders that may be written to. hidden: folders that may not be read.
    refuse: called with a description; it raises.
    """
    realpath = os.path.realpath  # as it is now: a submission may put another in its place
    writable, hidden = ([realpath(path) for path in paths] for paths in (writable, hidden))

    def is_within(path, parents):
        return any(path == p or path.startswith(p.rstrip(os.sep) + os.sep) for p in parents)

    def place(path, directory=-1):
        """The absolute path that an event means; None for a file that is open already."""
        if isinstance(path, int):
            return None
        path = os.fsdecode(path)
        if directory != -1 and not os.path.isabs(path):
            path = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), path)
        return realpath(path)

    def need_own(path, what):
        if path and path not in FREE and not is_within(path, writable):
            refuse(f"{what} {path}, outside of its folder")

    def need_visible(path):
        if path and is_within(path, hidden) and not is_within(path, writable):
            refuse(f"look into {path}")

    def hook(event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & WRITING:
                need_own(place(path), "write to")
            else:
                need_visible(place(path))
        elif event in ("os.listdir", "os.scandir"):
            need_visible(place(arguments[0] or "."))
        elif event in CHANGES:
            for path, directory in CHANGES[event]:
                relative_to = -1 if directory is None else arguments[directory]
                need_own(place(arguments[path], relative_to), event.removeprefix("os."))
        elif event.startswith(NETWORK) and event != "socket.gethostname":
            refuse(f"use the network ({event})")
        elif event.startswith(PROGRAMS):
            refuse(f"start a program ({event})")
        elif event.startswith(OTHERS):
            refuse(f"call {event}")

    sys.addaudithook(hook)


def _is_importing():
    frame = sys._getframe()
    while frame and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


def _all_but(hidden):
    """Files and folders that together are all but some folders: Landlock can only allow."""
    hidden = {Path(path).resolve() for path in hidden if os.path.exists(path)}
    parents = {parent for path in hidden for parent in path.parents}
    try:
        around = [child for parent in parents for child in parent.iterdir()]
    except OSError:  # a folder on the way cannot be listed
        around = []
    return [child for child in around if child not in parents | hidden] or [Path("/")]


def lock_down(writable, hidden=()):
    """Have the system itself refuse to read or write there, to start programs, and to use TCP.

    writable, hidden: as in `fence`, which sees Python code only, but can tell what was tried. It
    holds for the calling thread and what that starts. Returns False where there is no Landlock
    (Linux since 5.13). See https://docs.kernel.org/userspace-api/landlock.html
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    create, add_rule, restrict_self, path_beneath = 444, 445, 446, 1
    version = libc.syscall(create, None, 0, 1)
    if version < 1:
        return False
    execute, write_file, read_file, truncate = 1 << 0, 1 << 1, 1 << 2, 1 << 14
    in_folders = sum(1 << bit for bit in range(4, 13))  # remove and make files of every kind
    if version >= 2:
        in_folders |= 1 << 13  # move between folders
    writing = write_file | (truncate if version >= 3 else 0)
    # File rights that are refused unless a rule allows them; TCP; signals and sockets to others.
    files = execute | read_file | writing | in_folders
    handled = (ctypes.c_uint64 * 3)(files, 0b11 * (version >= 4), 0b11 * (version >= 6))
    size = 8 * (1 + (version >= 4) + (version >= 6))
    rules = libc.syscall(create, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    rights = dict.fromkeys(map(str, _all_but(hidden)), read_file)
    for path in [*writable, os.devnull]:
        rights[path] = read_file | (writing | in_folders if os.path.isdir(path) else writing)
    for path, allowed in rights.items():
        try:
            folder = os.open(path, os.O_PATH)
        except OSError:  # gone, or not for us to see
            continue
        rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, folder))
        libc.syscall(add_rule, rules, path_beneath, rule, 0)
        os.close(folder)
    no_new_privileges = 38
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    is_locked = libc.syscall(restrict_self, rules, 0) == 0
    os.close(rules)
    return is_locked


def limit_resources(*, memory_mib, file_mib=1024):
    """Where the system can: no more memory or larger files than this, and no core dumps."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"RLIMIT_DATA": memory_mib << 20, "RLIMIT_FSIZE": file_mib << 20, "RLIMIT_CORE": 0}
    for name, value in limits.items():
        hard = resource.getrlimit(getattr(resource, name))[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))


def own_checks(chapter, record):
    """The checks, in a copy that `import` does not lead to; every verdict is recorded."""
    import helpers
    from helpers import exercises

    del helpers.exercises
    for module in [name for name in sys.modules if f"{name}.".startswith("helpers.exercises.")]:
        del sys.modules[module]
    exercises.start(chapter)

    def recorded(judge):
        number = judge.exercise.number

        @functools.wraps(judge)
        def judged(attempt):
            verdict = judge(attempt)
            record(exercise=number, status=verdict.status, message=verdict.message)
            visible = sys.modules.get("helpers.exercises.engine")
            if visible:  # for the notebook's own progress bar
                visible._session.verdicts[number] = verdict
            return verdict

        return judged

    judges = {name: f for name, f in vars(exercises).items() if hasattr(f, "exercise")}
    return {name: recorded(judge) for name, judge in judges.items()}


def main(*, writable, hidden, chapter, memory_mib, record, secret):
    """writable, hidden: see `fence`. chapter: of the exercises. record: file of what happens."""
    # Bound here, because a submission may put others in their place.
    encode, write_bytes, told = json.JSONEncoder().encode, os.write, set()
    file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(**what):
        write_bytes(file, (encode({**what, "secret": secret}) + "\n").encode())

    def refuse(what):
        what = what[:300]
        if what not in told and len(told) < MOST_TOLD and not _is_importing():
            told.add(what)
            write(refused=what)
        raise PermissionError(f"a submission may not {what}")

    limit_resources(memory_mib=memory_mib)
    # By this name the cells find it that grading puts in the place of the student's checks.
    referee = sys.modules["grading_referee"] = types.ModuleType("grading_referee")
    vars(referee).update(own_checks(chapter, write))

    from ipykernel.kernelapp import IPKernelApp

    writable = [path for path in writable if os.path.isdir(path)]
    connection = json.loads(Path(sys.argv[sys.argv.index("-f") + 1]).read_text(encoding="utf-8"))
    sockets = os.path.dirname(connection["ip"])
    # Before the kernel has threads: each thread inherits it from the one that starts it.
    lock_down([*writable, sockets] if os.path.isdir(sockets) else writable, hidden)
    application = IPKernelApp.instance()
    application.initialize(sys.argv[1:])

    def no_programs(command, **_):
        print(f"no programs here: {command}")
        return []

    application.shell.system = application.shell.getoutput = no_programs  # what ! and %pip call
    fence(writable=writable, hidden=hidden, refuse=refuse)
    application.start()


def take_settings(path):
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return settings


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, where a name could hide a package
    main(**take_settings(Path(os.environ.pop("GUARD"))))
