"""The settings of runs and their defaults, as `NETRA_*` in Django's settings, read on access."""

from __future__ import annotations

from websocket_core.conf.reader import Positive, live
from websocket_core.conf.values import one_of


class Defaults:
    """The settings: annotations are their types, values their defaults."""

    EXECUTOR: str = "inline"  # or "procrastinate", or the dotted path of a class: see netra.agents.executors
    AGENT_MODULES: tuple[str, ...] = ()  # besides every installed app's `agents.py`
    BUILTIN_AGENTS: bool | None = None  # whether there are `test` and `demo`; None: with DEBUG
    CAN_START: str = ""  # dotted path of `can_start(user, agent_type, input) -> bool`: who may start which agent
    COST: str = ""  # dotted path of `cost(run) -> Decimal | None`: what a run that has ended cost
    METRICS_TOKEN: str = ""  # bearer token for the metrics of servers and workers
    AGENT_TIMEOUT: Positive[float] = 3600.0  # seconds a run may take by default
    RUNS_PER_USER: Positive[int] = 100  # queued and running
    LEASE_SECONDS: Positive[float] = 15.0
    LOOK_SECONDS: Positive[float] = 1.0  # how often a process reads stops and decisions without being notified
    SWEEP_SECONDS: Positive[float] = 5.0  # how often a process looks for lost runs
    RETRIES: int = 3  # new runs in place of one whose worker died, for agents with `on_loss="retry"`
    JOB_STALL_SECONDS: Positive[float] = 30.0  # jobs of a worker without a heartbeat for this long are cleared
    STOP_GRACE_SECONDS: float = 3.0  # an agent that ignores its cancellation is abandoned after this
    MAX_ERROR_CHARS: Positive[int] = 4096  # of an error's text that a person is shown
    APPROVAL_HOURS: Positive[float] = 24.0
    DELTA_SECONDS: float = 0.05  # deltas of one stream are written no more often than this
    DELTA_CHARS: Positive[int] = 16 * 1024  # or when this many characters wait
    IN_FLIGHT: Positive[int] = 64  # events of one run that may wait to be committed
    HISTORY_RUNS: int = 100  # earlier runs that `ctx.history` holds
    HISTORY_BYTES: int = 1024 * 1024  # total size of their inputs and results; older runs are left out
    MEMORY_BYTES: int = 1024 * 1024  # of messages or checkpoints that an adapted agent keeps of a thread
    REST_BYTES: int = 4 * 1024 * 1024  # of what a run that rests needs to go on
    SYNC_THREADS: Positive[int] = 32  # threads in which sync agents and blocking tools work at a time
    SYNC_THREADS_PER_USER: int = 8  # of them for one user; agents that wait for a person do not count
    BLOCKING_SECONDS: float = 0.25  # an event loop that does not turn for this long counts as blocked
    DEMO_PACE: float = 1.0  # how slowly the demo works, for people to watch: 2 is twice as slow, 0 as fast as it can
    MODEL: str = ""  # a model for the demo, as Pydantic AI names them; without one it follows a script


EXECUTORS = {
    "inline": "netra.agents.executors.inline.InlineExecutor",
    "procrastinate": "netra.agents.executors.procrastinate.ProcrastinateExecutor",
}

conf = live(Defaults)


def executor_fault(value: object) -> str | None:
    """What is wrong with a value of `NETRA_EXECUTOR`: it is a word of `EXECUTORS`, or the dotted path of a class."""
    if isinstance(value, str) and "." in value and all(part.isidentifier() for part in value.split(".")):
        return None
    fault = one_of(value, EXECUTORS)
    return fault and f"{fault} An executor of your own is named by the dotted path of its class."
