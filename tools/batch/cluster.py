"""Where the tasks of a batch run: in threads here, in processes here, or on a Dask cluster.

All of them are a `concurrent.futures.Executor`. A cluster's machines must see the repository, the
data and the output under the same paths, as they do with a shared folder.
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

from helpers.env import cpu_count
from tools.command_line import CommandError, UsageError
from tools.running.kernels import kernel_environment

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 15  # for a scheduler to answer, and for it to have a worker
ASK_AGAIN_S = 10  # how often to look whether there are any workers left
TASKS_PER_THREAD = 4  # that a worker has before it, so that it is never idle
LOST = "the scheduler is gone; the same command goes on from here"


class ClusterError(CommandError):
    """A cluster that was lost on the way: what happened, and what to do."""


@dataclass(frozen=True)
class Pool:
    """Where tasks run. n_here: threads in this process. client: Dask's, and then there are none."""

    executor: Executor
    n_here: int = 0
    client: object = None

    @property
    def n_threads(self):
        """Tasks at a time, at this moment: a cluster may grow and shrink."""
        return sum(self.client.nthreads().values()) if self.client else self.n_here

    def submit(self, function, *args):
        """A future of a call, as of `concurrent.futures`. On a cluster both must be picklable."""
        if not self.client:
            return self.executor.submit(function, *args)
        # As bytes: Dask's scheduler looks into what it passes on, and could not import it.
        packed = pickle.dumps(partial(function, *args))
        with _connected():
            return self.executor.submit(_unpack(function), packed)

    def everywhere(self, function, *args):
        """Call a function here and in every worker's process, whatever tasks they have."""
        function(*args)
        if self.client:
            with contextlib.suppress(OSError):  # those that are gone need not be called
                self.client.run(function, *args, on_error="ignore")

    def work(self, function, next_task):
        """Generate (task, future) of every task, as they are done.

        function: called with a task, by a worker. next_task: returns the next one, or None if there
        is none at the moment; it is asked for no more than the workers can do soon, and again
        whenever a task is done. Raises ClusterError if the scheduler is lost.
        """
        done, n_running, n_threads, looked = SimpleQueue(), 0, self.n_here, -math.inf
        while True:
            if self.client and time.monotonic() - looked > ASK_AGAIN_S:
                n_threads, looked = self._crew(n_threads), time.monotonic()
            while n_running < TASKS_PER_THREAD * max(1, n_threads):
                if (task := next_task()) is None:
                    break
                future = self.submit(function, task)
                future.add_done_callback(lambda future, task=task: done.put((task, future)))
                n_running += 1
            if not n_running:
                return
            with contextlib.suppress(Empty):
                task, future = done.get(timeout=ASK_AGAIN_S)
                n_running -= 1
                if future.cancelled():
                    raise ClusterError(LOST)
                yield task, future

    def _crew(self, n_before):
        """How many threads there are now; says so when there are none any more."""
        with _connected():
            n_threads = self.n_threads
        if n_before and not n_threads:
            tqdm.write("no worker is left: waiting for one (Ctrl-C loses nothing)")
        return n_threads


@contextlib.contextmanager
def _connected():
    """Within, whatever a client raises when its connection breaks (it may be anything) is told."""
    try:
        yield
    except Exception as error:
        raise ClusterError(f"{LOST} ({type(error).__name__}: {error})") from error


def _unpack(function):
    # A function within a function travels whole: no other process need import it.
    def call(packed):
        import pickle

        return pickle.loads(packed)()

    call.__name__ = getattr(function, "func", function).__name__  # as the dashboard calls it
    return call


def why(error):
    """In words what ended a task that should have caught all that can go wrong with its own."""
    if type(error).__name__ == "KilledWorker":  # Dask's, which need not be installed
        return "every worker that had it died, perhaps for want of memory: see their logs"
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def open_pool(scheduler, *, places=(), n_workers=None):
    """Yield a `Pool`, and say where it is.

    scheduler: "", "local" or a scheduler's address. places: files and folders that all machines
    have to see. n_workers: threads or processes on this machine; None: one per core. A task that a
    worker takes along when it dies is done by another; after four such deaths it raises
    `distributed.scheduler.KilledWorker`.
    Raises UsageError: no Dask, no such scheduler, no workers, or workers that do not see a place.
    """
    n_workers = n_workers or cpu_count()
    if not scheduler:
        with ThreadPoolExecutor(n_workers) as executor:
            try:
                yield Pool(executor, n_here=n_workers)
            except KeyboardInterrupt:
                tqdm.write("stopping when what has begun is done")
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
        raise UsageError(
            "--scheduler needs Dask, which is not installed: pip install -e '.[cluster]'"
        ) from None
    if scheduler == "local":
        try:
            cluster = distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=1,
                memory_limit=0,  # a worker that Dask thinks too large would pause without a word
                dashboard_address=":0",
                silence_logs=logging.ERROR,
                # Ctrl-C is for this process: workers would each print where they were.
                preload=["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
                env=kernel_environment(root=ROOT, threads=max(1, cpu_count() // n_workers)),
            )
        except Exception as error:  # of any kind: a full disk, no more processes, no ports
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"no processes can be started here: {reason}") from error
        return stack.enter_context(distributed.Client(stack.enter_context(cluster)))
    try:
        asyncio.run(_knock(scheduler))
    except Exception as error:  # of any kind: who answers there need not speak Dask's language
        reason = str(error) or f"no answer within {PATIENCE_S} s"
        raise UsageError(
            f"no scheduler answers at {scheduler} ({reason}): start one with `dask scheduler`, "
            "and workers with `dask worker ADDRESS`, or use --scheduler local"
        ) from None
    return stack.enter_context(distributed.Client(scheduler))


async def _knock(scheduler):
    """See whether a scheduler answers: a client that fails to begin leaves a thread behind."""
    from distributed import Security
    from distributed.comm import connect

    options = Security().get_connection_args("client")
    # Its own limit of time does not hold for one that takes the call and says nothing.
    async with asyncio.timeout(PATIENCE_S + 1):
        connection = await connect(scheduler, timeout=PATIENCE_S, **options)
    connection.abort()


def _prepare(client, scheduler, *, places):
    """Let workers, of now or later, import from the repository; see that they find all places."""
    import distributed

    root = str(ROOT)  # of this machine, not of the worker's

    # Classes within a function travel whole: a worker could not import them from here yet.
    class FromRepository(distributed.WorkerPlugin):
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
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError:
        raise UsageError(
            f"the scheduler at {scheduler} has no workers: start some with "
            f"`dask worker {scheduler}`"
        ) from None
    client.register_plugin(FromRepository())
    for worker, place in client.run(missing, [str(place) for place in places]).items():
        if place:
            raise UsageError(
                f"worker {worker} does not find {place}: every machine must see the repository, "
                "the data and the output under the same path, and have the series installed"
            )
