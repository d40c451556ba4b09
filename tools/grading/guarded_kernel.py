"""The kernel in which a submission runs, limited to its folder and with the original checks.

    python guarded_kernel.py -f CONNECTION_FILE …

The variable GUARD names a JSON file with the arguments of `main`, which is read and deleted.

Python code in this kernel cannot write outside its folder, read hidden folders, use the network or
start a program: the call raises PermissionError and is recorded (except during imports: libraries
look for fonts and IPv6, and work without them). Where Linux has Landlock, this holds for compiled
code, too. It is a protection against accidents and simple tricks: grade people whom you do not
trust in a container.

Each line of the file `record` is JSON, {"refused": action} or {"exercise": "5.1", "status": …,
"message": …}, with `secret`, which the submission does not know.
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
# Audit events that change files: indices of the path, and of the folder that it is relative to.
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
    "os.symlink": [(1, 2)],  # its target is checked when it is used
    "os.truncate": [(0, None)],
    "os.utime": [(0, 3)],
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FREE = {os.devnull}
MAX_RECORDED = 50  # different refused actions; further ones are not recorded


def fence(*, writable, hidden, refuse):
    """Install an audit hook that refuses actions; it cannot be removed.

    writable: the only folders that code can write to. hidden: folders that it cannot read. refuse:
    called with a description of the action; it raises.
    """
    realpath = os.path.realpath  # bound now: a submission could replace it
    writable, hidden = ([realpath(path) for path in paths] for paths in (writable, hidden))

    def is_within(path, parents):
        return any(path == p or path.startswith(p.rstrip(os.sep) + os.sep) for p in parents)

    def place(path, directory=-1):
        """The absolute path of an event; None for a file that is already open."""
        if isinstance(path, int):
            return None
        path = os.fsdecode(path)
        if directory != -1 and not os.path.isabs(path):
            path = os.path.join(os.readlink(f"/proc/self/fd/{directory}"), path)
        return realpath(path)

    def check_writable(path, what):
        if path and path not in FREE and not is_within(path, writable):
            refuse(f"{what} {path}, outside its folder")

    def check_readable(path):
        if path and is_within(path, hidden) and not is_within(path, writable):
            refuse(f"read {path}")

    def hook(event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & WRITING:
                check_writable(place(path), "write to")
            else:
                check_readable(place(path))
        elif event in ("os.listdir", "os.scandir"):
            check_readable(place(arguments[0] or "."))
        elif event in CHANGES:
            for path, directory in CHANGES[event]:
                relative_to = -1 if directory is None else arguments[directory]
                check_writable(place(arguments[path], relative_to), event.removeprefix("os."))
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
    """All files and folders except some folders, as a list: Landlock can only allow."""
    hidden = {Path(path).resolve() for path in hidden if os.path.exists(path)}
    parents = {parent for path in hidden for parent in path.parents}
    try:
        around = [child for parent in parents for child in parent.iterdir()]
    except OSError:  # a parent folder cannot be listed
        around = []
    return [child for child in around if child not in parents | hidden] or [Path("/")]


def lock_down(writable, hidden=()):
    """Have Linux refuse other reads and writes, programs and TCP; False without Landlock (5.13).

    writable, hidden: as in `fence`, which only sees Python code, but can record what was tried. It
    holds for the calling thread and for those that it starts. See
    https://docs.kernel.org/userspace-api/landlock.html
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
    # File rights that need a rule; TCP; signals and sockets to other processes.
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
        except OSError:  # it is gone, or cannot be read
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
    """Limit memory and the size of files, and write no core dumps, where the system can."""
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
    """{name: check} of a copy of the checks that `import` does not find; records each verdict."""
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
            if visible:  # for the progress that the notebook shows
                visible._session.verdicts[number] = verdict
            return verdict

        return judged

    judges = {name: f for name, f in vars(exercises).items() if hasattr(f, "exercise")}
    return {name: recorded(judge) for name, judge in judges.items()}


def main(*, writable, hidden, chapter, memory_mib, record, secret):
    """Start the kernel. writable, hidden: see `fence`. record: file. Others: see the module."""
    # Bound now: a submission could replace them.
    encode, write_bytes, recorded = json.JSONEncoder().encode, os.write, set()
    file = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(**what):
        write_bytes(file, (encode({**what, "secret": secret}) + "\n").encode())

    def refuse(what):
        what = what[:300]
        if what not in recorded and len(recorded) < MAX_RECORDED and not _is_importing():
            recorded.add(what)
            write(refused=what)
        raise PermissionError(f"a submission may not {what}")

    limit_resources(memory_mib=memory_mib)
    # The cells with the original checks find it by this name.
    referee = sys.modules["grading_referee"] = types.ModuleType("grading_referee")
    vars(referee).update(own_checks(chapter, write))

    from ipykernel.kernelapp import IPKernelApp

    writable = [path for path in writable if os.path.isdir(path)]
    connection = json.loads(Path(sys.argv[sys.argv.index("-f") + 1]).read_text(encoding="utf-8"))
    sockets = os.path.dirname(connection["ip"])
    # Before the kernel starts threads, because threads inherit it.
    lock_down([*writable, sockets] if os.path.isdir(sockets) else writable, hidden)
    application = IPKernelApp.instance()
    application.initialize(sys.argv[1:])

    def no_programs(command, **_):
        print(f"programs cannot be started here: {command}")
        return []

    application.shell.system = application.shell.getoutput = no_programs  # called by ! and %pip
    fence(writable=writable, hidden=hidden, refuse=refuse)
    application.start()


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, where a file could hide a package
    settings = Path(os.environ.pop("GUARD"))
    text = settings.read_text(encoding="utf-8")
    settings.unlink()
    main(**json.loads(text))
