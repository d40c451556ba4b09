"""Where the tasks of a batch run: in threads here, in processes here, or on a Dask cluster.

All three are a `concurrent.futures.Executor`. The machines of a cluster must see the repository,
the data and the output under the same paths, for example in a shared folder.
"""

import asyncio
import contextlib
import logging
import math
import pickle
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from tqdm import tqdm

from helpers.env import compile_librosa, cpu_count
from tools.command_line import ROOT, CommandError, UsageError
from tools.running.kernels import kernel_environment

TIMEOUT_S = 15  # for a scheduler to answer, and for its first worker
CHECK_INTERVAL_S = 10  # how often to count the workers
TASKS_PER_THREAD = 4  # that are sent to a worker in advance, so that it never waits
LOST = "the connection to the scheduler is lost; run the same command again to continue"


class ClusterError(CommandError):
    """The connection to a cluster was lost; the message says what to do."""


@dataclass(frozen=True)
class Pool:
    """Where tasks run. n_here: number of threads in this process. client: Dask's, or None."""

    executor: Executor
    n_here: int = 0
    client: object = None

    @property
    def n_threads(self):
        """How many tasks run at a time now: a cluster may grow and shrink."""
        return sum(self.client.nthreads().values()) if self.client else self.n_here

    def submit(self, function, *args):
        """A future of a call. On a cluster, the function and its arguments are pickled."""
        if not self.client:
            return self.executor.submit(function, *args)
        # As bytes: Dask's scheduler unpacks arguments, but cannot import this repository.
        packed = pickle.dumps(partial(function, *args))
        with _connected():
            return self.executor.submit(_unpack(function), packed)

    def everywhere(self, function, *args):
        """Call a function at once, here and in the process of every worker."""
        function(*args)
        if self.client:
            with contextlib.suppress(OSError):  # from workers that are gone
                self.client.run(function, *args, on_error="ignore")

    def work(self, function, next_task):
        """Yield (task, future) of each task as soon as it is done.

        function: what a worker calls with a task. next_task: returns the next task, or None if
        there is none now; it is called again after each task that is done, and never far ahead of
        the workers. Raises ClusterError if the scheduler is lost.
        """
        done, n_running, n_threads, checked = SimpleQueue(), 0, self.n_here, -math.inf
        while True:
            if self.client and time.monotonic() - checked > CHECK_INTERVAL_S:
                n_threads, checked = self._count_threads(n_threads), time.monotonic()
            while n_running < TASKS_PER_THREAD * max(1, n_threads):
                if (task := next_task()) is None:
                    break
                future = self.submit(function, task)
                future.add_done_callback(lambda future, task=task: done.put((task, future)))
                n_running += 1
            if not n_running:
                return
            with contextlib.suppress(Empty):
                task, future = done.get(timeout=CHECK_INTERVAL_S)
                n_running -= 1
                if future.cancelled():
                    raise ClusterError(LOST)
                yield task, future

    def _count_threads(self, n_before):
        with _connected():
            n_threads = self.n_threads
        if n_before and not n_threads:
            tqdm.write("all workers are gone: waiting for a new one (Ctrl-C loses nothing)")
        return n_threads


@contextlib.contextmanager
def _connected():
    """Turn any error into ClusterError: a client may raise anything when its connection breaks."""
    try:
        yield
    except Exception as error:
        raise ClusterError(f"{LOST} ({type(error).__name__}: {error})") from error


def _unpack(function):
    # Pickled by value, because it is defined inside a function: no process has to import it.
    def call(packed):
        import pickle

        return pickle.loads(packed)()

    call.__name__ = getattr(function, "func", function).__name__  # shown on the dashboard
    return call


def error_text(error):
    """One line for an exception that ended a task."""
    if type(error).__name__ == "KilledWorker":  # Dask's, which may not be installed
        return "every worker that tried it died, perhaps out of memory: see the workers' logs"
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def open_pool(scheduler, *, places=(), n_workers=None):
    """Yield a `Pool`; prints the addresses of a cluster.

    scheduler: "", "local" or the address of a scheduler. places: files and folders that all
    machines must see. n_workers: threads or processes on this machine; None: one per core. If a
    worker dies, others do its tasks; a task with which four workers died raises
    `distributed.scheduler.KilledWorker`.
    Raises UsageError without Dask, a scheduler or workers, or if a worker does not see a place.
    """
    n_workers = n_workers or cpu_count()
    compile_librosa()
    if not scheduler:
        with ThreadPoolExecutor(n_workers) as executor:
            try:
                yield Pool(executor, n_here=n_workers)
            except KeyboardInterrupt:
                tqdm.write("stopping after the tasks that are running")
                raise
            finally:
                executor.shutdown(cancel_futures=True)
        return
    with contextlib.ExitStack() as stack:
        client = _client(scheduler, stack, n_workers=n_workers)
        _prepare(client, scheduler, places=places)
        threads = client.nthreads()
        print(
            f"workers {len(threads)}, threads {sum(threads.values())}, "
            f"scheduler {client.scheduler.address}, dashboard {client.dashboard_link}",
            flush=True,
        )
        executor = client.get_executor(pure=False)
        stack.callback(executor.shutdown, wait=False)
        yield Pool(executor, client=client)


def _client(scheduler, stack, *, n_workers):
    """A client of a running scheduler, or of a new cluster on this machine."""
    try:
        import distributed
    except ImportError:
        raise UsageError("--scheduler needs Dask: pip install -e '.[cluster]'") from None
    if scheduler == "local":
        try:
            cluster = distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                memory_limit=0,  # otherwise Dask pauses large workers without a message
                dashboard_address=":0",
                silence_logs=logging.ERROR,
                # Only this process handles Ctrl-C: each worker would print a traceback.
                preload=["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
                env=kernel_environment(root=ROOT, threads=max(1, cpu_count() // n_workers)),
            )
        except Exception as error:  # a full disk, no more processes, no free port, …
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"no processes can be started on this machine: {reason}") from error
        return stack.enter_context(distributed.Client(stack.enter_context(cluster)))
    try:
        asyncio.run(_check_scheduler(scheduler))
    except Exception as error:  # of any kind: another program may use that port
        reason = str(error) or f"no answer within {TIMEOUT_S} s"
        raise UsageError(
            f"no scheduler answers at {scheduler} ({reason}): start one with `dask scheduler` "
            "and workers with `dask worker ADDRESS`, or use --scheduler local"
        ) from None
    return stack.enter_context(distributed.Client(scheduler))


async def _check_scheduler(scheduler):
    """Connect once before a Client does: a Client that cannot connect leaves a thread behind."""
    from distributed import Security
    from distributed.comm import connect

    options = Security().get_connection_args("client")
    # Dask's own timeout does not cover a program that accepts the connection and stays silent.
    async with asyncio.timeout(TIMEOUT_S + 1):
        connection = await connect(scheduler, timeout=TIMEOUT_S, **options)
    connection.abort()


def _prepare(client, scheduler, *, places):
    """Let all workers import from the repository, also later ones; check that they see places."""
    import distributed

    root = str(ROOT)  # this machine's; a worker must not compute its own

    # Defined here so that it is pickled by value: a worker cannot import this module yet.
    class ImportPath(distributed.WorkerPlugin):
        name = "audio-notebooks"

        def setup(self, worker):
            if root not in sys.path:
                sys.path.insert(0, root)

    def missing(places):
        try:
            import tools.batch.cluster  # noqa: F401
        except ImportError as error:
            return f"{root} ({error})"
        return next((place for place in places if not Path(place).exists()), "")

    try:
        client.wait_for_workers(1, timeout=TIMEOUT_S)
    except TimeoutError:
        raise UsageError(
            f"the scheduler at {scheduler} has no workers: start some with "
            f"`dask worker {scheduler}`"
        ) from None
    client.register_plugin(ImportPath())
    for worker, place in client.run(missing, [str(place) for place in places]).items():
        if place:
            raise UsageError(
                f"worker {worker} does not find {place}: every machine must see the repository, "
                "the data and the output under the same path, and have the project installed"
            )
