"""The settings of the delivery core and their defaults, read on access, so that `override_settings` just works.

A setting `NAME` is `NETRA_NAME` in Django's settings. Every bound of the system is a number here.

Lives here: the settings, which are the attributes of `Defaults` below with type, default and meaning in one line;
`reader`, which makes them live; `values`, which says in words what is wrong with one. docs/reference/settings.md lists
them, and a test compares the two.
May come in: everyone. Another package declares its own `Defaults` and makes them `live`, as `netra.agents.conf` does.
"""

from __future__ import annotations

from collections.abc import Mapping

from websocket_core.conf.reader import Positive, live


class Defaults:
    """Defaults; the annotations are the types."""

    # --- frames and actions
    MAX_FRAME_BYTES: Positive[int] = 64 * 1024  # a larger frame of a client closes with 4413
    MAX_EVENT_BYTES: Positive[int] = 256 * 1024  # one encoded event
    ACTIONS_PER_SECOND: float = 50.0  # per user, over all sockets and processes; 0: no limit
    ACTIONS_BURST: int = 200  # so many at once, after a pause
    FLOODING_AFTER: int = 100  # actions ignored after rate_limited before the socket is closed with 4429
    BYTES_PER_USER_PER_DAY: int = 1024**3  # by which a user's threads may grow in a day of UTC; 0: no limit
    BYTES_PER_THREAD: int = 256 * 1024**2  # of one thread; 0: no limit
    STARTS_PER_MINUTE: int = 600  # runs a user may start: so many at once, then evenly; 0: no limit
    # --- connections
    MAX_CONNECTIONS_PER_USER: Positive[int] = 20  # over all processes
    FIRST_ACTION_SECONDS: float = 2.0  # the server never speaks before the first action, or this
    OUTBOX_CHARS: Positive[int] = 1024 * 1024  # encoded events waiting in memory for one connection
    WINDOW_CHARS: Positive[int] = 1024 * 1024  # journalled text a client that acks may be behind
    SEND_CHARS: Positive[int] = 64 * 1024  # text handed to the transport at a time
    THREADS_BYTES: int = 2 * 1024 * 1024  # a connection's positions in threads; past that its client has to come back
    CONTROL_CHARS: Positive[int] = 256 * 1024  # answers waiting for one connection; past that its actions wait, too
    STALL_SECONDS: Positive[float] = 20.0  # a socket that drains nothing for this long is closed with 4408
    STALL_CUT_SECONDS: float = 5.0  # after 4408 the TCP connection is cut
    PING_SECONDS: float = 20.0  # every WebSocket gets a ping so often: below the idle time-out of every proxy
    SILENCE_SECONDS: Positive[float] = 50.0  # a WebSocket that sends nothing for so long, not even a pong, is cut
    SESSION_WARNING_SECONDS: float = 60.0  # session_expiring comes so long before the end
    HEADS: int = 1000  # threads whose heads a new connection reads at once; older ones are found when they move
    # --- journal
    JOURNAL_QUEUE: Positive[int] = 4096  # operations waiting for a commit; past that emitters wait
    JOURNAL_QUEUE_CHARS: Positive[int] = 4 * 1024 * 1024  # how much of a flood of large events comes before others'
    JOURNAL_BATCH: Positive[int] = 1024  # operations in one transaction
    JOURNAL_BATCH_CHARS: Positive[int] = 1024 * 1024
    JOURNAL_TIMEOUT: Positive[float] = 60.0  # seconds an operation waits for an absent database
    HINT_CHARS: int = 256 * 1024  # frames carried by one group message; past that it only rings
    PAGE_CHARS: Positive[int] = 256 * 1024  # one read of a replay
    PAGE_EVENTS: Positive[int] = 2000
    DATABASE_SILENCE_SECONDS: float = 20.0  # PostgreSQL: a statement without an answer is given up then; 0: never
    DATABASE_IDLE_SECONDS: float = 10.0  # PostgreSQL: a transaction whose process is stopped ends then; 0: never
    DB_THREADS: Positive[int] = 4  # readers; the journal's writer has one of its own
    # --- watching
    WATCHDOG_SECONDS: Positive[float] = 1.0
    HEARTBEAT_SECONDS: Positive[float] = 5.0  # of a process; as often a lease is renewed
    PROCESS_TIMEOUT: Positive[float] = 40.0  # a process without heartbeat is dead, its connections are gone
    CREDENTIAL_CHECK_SECONDS: float = 2.0
    DRAIN_SECONDS: float = 10.0  # runs may go on for so long once a server or worker is asked to end
    DRAIN_SPREAD_MS: int = 4000  # clients are told to come back within this range
    RETENTION_DAYS: float = 30.0
    # --- credentials
    TOKEN_DAYS: Positive[float] = 30.0  # a first-party token lives this long when nobody says otherwise
    TOKENS_PER_USER: int = 100  # valid tokens a user may have made over HTTP; 0: no limit
    TICKET_SECONDS: Positive[int] = 30
    OIDC_KEYS_SECONDS: float = 600.0  # an issuer's keys are asked for again when they are older
    OIDC_STALE_SECONDS: float = 3600.0  # for so long after that they still serve while the issuer cannot be reached
    OIDC_REFETCH_SECONDS: float = 10.0  # after a failure and for unknown keys an issuer is asked at most this often
    OIDC_TIMEOUT: Positive[float] = 5.0  # for finding an issuer's keys, from the look-up of its name to the last byte
    OIDC_MAX_BYTES: Positive[int] = 512 * 1024  # of one answer of an issuer
    # --- composition
    REDIS_URL: str = ""  # what processes share limits through; empty: there is one process
    REDIS_PREFIX: str = "netra"  # of every name in it
    MANAGER_CLASS: str = "websocket_core.unified_manager.UnifiedWebSocketManager"
    ALLOWED_ORIGINS: tuple[str, ...] = ()
    OIDC_ISSUERS: Mapping[str, object] = {}  # see websocket_core.auth.oidc.config


conf = live(Defaults)
