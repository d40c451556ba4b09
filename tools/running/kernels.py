"""Kernels: how they start, are listened to, measured and stopped."""

import math
import os
import subprocess
import tempfile
import threading
import time
from queue import Empty

import psutil
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpec
from traitlets import Type

# The variables by which libraries with a thread pool of their own are told its size.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # JAX
)


class Kernels:
    """The kernels that are running at the moment, so that all can be stopped at once."""

    def __init__(self):
        self.stopped = False
        self._pids = set()
        self._lock = threading.Lock()

    def add(self, pid):
        """Take note of a kernel that has just started; after `stop`, it is killed."""
        with self._lock:
            self._pids.add(pid)
            if self.stopped:
                kill(pid)

    def discard(self, pid):
        """Forget a kernel that has ended: its number may soon be another process's."""
        with self._lock:
            self._pids.discard(pid)

    def stop(self):
        """Kill all kernels with their children, and every kernel that starts from now on."""
        with self._lock:
            self.stopped = True
            for pid in self._pids:
                kill(pid)


def kill(pid):
    """Kill a process with its children; None, one that has not started, is none."""
    for process in _tree(pid):
        try:
            process.kill()
        except psutil.Error:
            continue  # it has ended by itself


def _tree(pid):
    if pid is None:  # for psutil, that would be this process
        return []
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.Error:
        return []


class PeakMemory:
    """Samples the memory of a process and its children until closed.

    limit_mib: the processes are killed when they need more.
    The resident sizes are added up, so pages that the processes share count more than once.
    """

    def __init__(self, *, interval_s=0.2, limit_mib=math.inf):
        self.peak_mib = 0.0
        self.pid = None
        self._interval_s, self._limit_mib = interval_s, limit_mib
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._thread.join()

    def _sample(self):
        while not self._closed.wait(self._interval_s):
            if self.pid is not None:
                total = sum(_resident(process) for process in _tree(self.pid))
                self.peak_mib = max(self.peak_mib, total / 2**20)
                if self.peak_mib > self._limit_mib:
                    kill(self.pid)


def _resident(process):
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0


class Channel(AsyncZMQSocketChannel):
    """A channel of messages to and from a kernel that looks again for what it has waited for.

    To send on a socket uses up the sign that a message has come in on it, and the one who waits
    for that message is not woken (zmq_getsockopt(3), ZMQ_FD: it is edge-triggered). A notebook with
    an output widget, where the client answers while it waits, would now and then wait for ever.
    """

    LOOK_AGAIN_S = 0.5

    async def get_msg(self, timeout=None):
        """The next message; raises queue.Empty when none comes within `timeout` seconds."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return await super().get_msg(max(0, min(left, self.LOOK_AGAIN_S)))
            except Empty:
                if left <= self.LOOK_AGAIN_S:
                    raise


class Client(AsyncKernelClient):
    """A client of a kernel whose waiting for a message does not depend on being woken."""

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)


def kernel_manager(*, cwd, on_start, environment, program=None, is_alone=False):
    """A kernel manager class that starts the running interpreter.

    Which interpreter a kernel name such as `python3` stands for depends on what somebody once
    installed for this user, so no name is looked up. cwd: working directory. on_start: called with
    the process id. environment: variables of the kernel, beside this process's own. program:
    arguments of the interpreter in place of `-m ipykernel_launcher`. is_alone: the kernel has no
    other variables, and what it writes past the notebook is dropped.
    """

    class SeriesKernelManager(AsyncKernelManager):
        client_factory = Type(Client)

        def __init__(self, **kwargs):
            if os.name == "posix":
                # Sockets in a folder of its own: of two runs at a time, both may choose one port.
                self._sockets = tempfile.TemporaryDirectory(prefix="kernel-")
                kwargs |= {"transport": "ipc", "ip": os.path.join(self._sockets.name, "socket")}
            super().__init__(**kwargs)

        @property
        def kernel_spec(self):
            # The kernel's own warnings (of a connection in clear text, say) are about this
            # machine's loopback, not about the notebook.
            own = get_kernel_dict(extra_arguments=["--log-level=ERROR"])
            if program:
                own["argv"] = [own["argv"][0], *program, *own["argv"][own["argv"].index("-f") :]]
            return KernelSpec(**own, env=environment)

        async def start_kernel(self, **kwargs):
            kwargs["cwd"] = str(cwd)
            if is_alone:
                kwargs |= {"env": {}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            await super().start_kernel(**kwargs)
            on_start(self.provisioner.pid)

    return SeriesKernelManager


def kernel_environment(*, root, threads=None):
    """Environment variables for a kernel: import path, threads, and how often bars are updated.

    threads: size of each library's thread pool; None leaves that to the library. A size that the
    caller's own environment sets is kept.
    """
    path = [str(root), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    # Nobody watches: every update of a progress bar stays in the copy of a running notebook.
    environment["TQDM_MININTERVAL"] = os.environ.get("TQDM_MININTERVAL", "10")
    if threads is not None:
        environment |= {name: str(threads) for name in THREADS if name not in os.environ}
    return environment
