"""Kernels: start them, receive their messages, measure their memory, stop them."""

import contextlib
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

# The variables that set the size of the thread pools of libraries; NPROC is that of JAX.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
           "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "LOKY_MAX_CPU_COUNT",
           "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "NPROC")  # fmt: skip


class Kernels:
    """The running kernels, so that all can be stopped at once."""

    def __init__(self):
        self.stopped = False
        self._pids = set()
        self._lock = threading.Lock()

    def add(self, pid):
        """Add a kernel that has just started; after `stop`, it is killed."""
        with self._lock:
            self._pids.add(pid)
            if self.stopped:
                kill(pid)

    def discard(self, pid):
        """Remove a kernel that has ended: another process may soon get its id."""
        with self._lock:
            self._pids.discard(pid)

    def stop(self):
        """Kill all kernels with their children, and every kernel that starts from now on."""
        with self._lock:
            self.stopped = True
            for pid in self._pids:
                kill(pid)


def kill(pid):
    """Kill a process with its children; None stands for a process that has not started."""
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):  # it has already ended
            process.kill()


def _tree(pid):
    if pid is not None:  # psutil would take this process
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return [*process.children(recursive=True), process]
    return []


class PeakMemory:
    """Measures the memory of a kernel with its children: `peak_mib`, the largest sum of sizes.

    kernels: the `Kernels` that the kernel belongs to while it runs. limit_mib: it is killed when it
    needs more. Memory that processes share counts several times.
    """

    def __init__(self, kernels, *, interval_s=0.2, limit_mib=math.inf):
        self.peak_mib, self.pid = 0.0, None
        self._kernels, self._interval_s, self._limit_mib = kernels, interval_s, limit_mib
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()
        self._thread.join()
        self._kernels.discard(self.pid)

    def watch(self, pid):
        """Measure this process from now on."""
        self.pid = pid
        self._kernels.add(pid)

    def _sample(self):
        while not self._closed.wait(self._interval_s):
            total = 0
            for process in _tree(self.pid):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
            self.peak_mib = max(self.peak_mib, total / 2**20)
            if self.peak_mib > self._limit_mib:
                kill(self.pid)


class Channel(AsyncZMQSocketChannel):
    """A channel to a kernel that checks for messages regularly, and does not only wait.

    Sending on a ZeroMQ socket can consume the signal that a message has arrived on it (ZMQ_FD in
    zmq_getsockopt(3) is edge-triggered). A notebook with an output widget, where the client sends
    while it waits, would sometimes wait for ever.
    """

    INTERVAL_S = 0.5

    async def get_msg(self, timeout=None):
        """The next message; raises queue.Empty when none comes within `timeout` seconds."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return await super().get_msg(max(0, min(left, self.INTERVAL_S)))
            except Empty:
                if left <= self.INTERVAL_S:
                    raise


class Client(AsyncKernelClient):
    """A client with such channels."""

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)


def kernel_manager(*, cwd, on_start, environment, program=None, is_alone=False):
    """A kernel manager class that starts the Python interpreter of this process.

    A kernel name such as `python3` may mean another interpreter on the user's machine. cwd: working
    directory. on_start: called with the process id. environment: additional variables. program:
    arguments of the interpreter that replace `-m ipykernel_launcher`. is_alone: the kernel gets no
    other variables, and its own stdout and stderr are dropped.
    """

    class SeriesKernelManager(AsyncKernelManager):
        client_factory = Type(Client)

        def __init__(self, **kwargs):
            if os.name == "posix":
                # Sockets as files in a new folder: two runs at the same time could choose one port.
                self._sockets = tempfile.TemporaryDirectory(prefix="kernel-")
                kwargs |= {"transport": "ipc", "ip": os.path.join(self._sockets.name, "socket")}
            super().__init__(**kwargs)

        @property
        def kernel_spec(self):
            # What the kernel logs (no encryption; from Python 3.12 on, the interrupt that stops it)
            # does not concern the notebook.
            own = get_kernel_dict(extra_arguments=["--log-level=CRITICAL"])
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
    """Environment variables for a kernel: import path, threads, interval of progress bars.

    threads: size of the thread pools of libraries, unless the environment sets it; None: the
    libraries' choice.
    """
    path = [str(root), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, path))}
    # Each update of a progress bar stays in the executed copy: a few are enough.
    environment["TQDM_MININTERVAL"] = os.environ.get("TQDM_MININTERVAL", "10")
    if threads is not None:
        environment |= {name: str(threads) for name in THREADS if name not in os.environ}
    return environment
