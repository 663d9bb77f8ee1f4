"""The settings of the delivery core and their defaults. They are read on access, so that `override_settings` works.

A setting `NAME` is `NETRA_NAME` in Django's settings. Every limit of the system is defined here.

The attributes of `Defaults` give each setting's type, default and meaning. `reader` reads them, and `values` explains
what is wrong with a value. docs/reference/settings.md lists the settings, and a test compares the two.
Every room may import this one. Another package declares its own `Defaults` and makes them `live`, as
`netra.agents.conf` does.
"""

from __future__ import annotations

from collections.abc import Mapping

from websocket_core.conf.reader import Positive, live


class Defaults:
    """The settings: annotations are their types, values their defaults."""

    # --- frames and actions
    MAX_FRAME_BYTES: Positive[int] = 64 * 1024  # a client's larger frame closes the socket with 4413
    MAX_EVENT_BYTES: Positive[int] = 256 * 1024  # one encoded event
    ACTIONS_PER_SECOND: float = 50.0  # per user, over all sockets and processes; 0: no limit
    ACTIONS_BURST: int = 200  # the most at once, after a pause
    FLOODING_AFTER: int = 100  # actions ignored after rate_limited before the socket is closed with 4429
    BYTES_PER_USER_PER_DAY: int = 1024**3  # growth of a user's threads per day (UTC); 0: no limit
    BYTES_PER_THREAD: int = 256 * 1024**2  # of one thread; 0: no limit
    STARTS_PER_MINUTE: int = 600  # runs a user may start: all at once, then evenly; 0: no limit
    # --- connections
    MAX_CONNECTIONS_PER_USER: Positive[int] = 20  # over all processes
    FIRST_ACTION_SECONDS: float = 2.0  # the server waits this long for the first action before it speaks
    OUTBOX_CHARS: Positive[int] = 1024 * 1024  # encoded events waiting in memory for one connection
    WINDOW_CHARS: Positive[int] = 1024 * 1024  # journalled text that a client with acks may lag behind
    SEND_CHARS: Positive[int] = 64 * 1024  # text passed to the transport at a time
    THREADS_BYTES: int = 2 * 1024 * 1024  # memory for a connection's positions; beyond it, the client has to reconnect
    CONTROL_CHARS: Positive[int] = 256 * 1024  # answers waiting for one connection; beyond it, its actions wait too
    STALL_SECONDS: Positive[float] = 20.0  # a socket that drains nothing for this long is closed with 4408
    STALL_CUT_SECONDS: float = 5.0  # after 4408 the TCP connection is cut
    PING_SECONDS: float = 20.0  # interval of pings: below the idle timeout of every proxy
    SILENCE_SECONDS: Positive[float] = 50.0  # a WebSocket that sends nothing for this long, not even a pong, is cut
    SESSION_WARNING_SECONDS: float = 60.0  # session_expiring is sent this long before the end
    HEADS: int = 1000  # threads whose heads a new connection reads; older ones follow when they change
    # --- journal
    JOURNAL_QUEUE: Positive[int] = 4096  # operations waiting to be committed; beyond it, emitters wait
    JOURNAL_QUEUE_CHARS: Positive[int] = 4 * 1024 * 1024  # how much of a flood of large events precedes other events
    JOURNAL_BATCH: Positive[int] = 1024  # operations in one transaction
    JOURNAL_BATCH_CHARS: Positive[int] = 1024 * 1024
    JOURNAL_TIMEOUT: Positive[float] = 60.0  # seconds an operation waits for an unavailable database
    HINT_CHARS: int = 256 * 1024  # frames in one message of the bell; a larger one has none
    PAGE_CHARS: Positive[int] = 256 * 1024  # one read of a replay
    PAGE_EVENTS: Positive[int] = 2000
    DATABASE_SILENCE_SECONDS: float = 20.0  # PostgreSQL: limit for a statement without an answer; 0: none
    DATABASE_IDLE_SECONDS: float = 10.0  # PostgreSQL: limit for an idle transaction of a frozen process; 0: none
    DB_THREADS: Positive[int] = 4  # readers; the journal's writer has its own thread
    # --- watching
    WATCHDOG_SECONDS: Positive[float] = 1.0
    HEARTBEAT_SECONDS: Positive[float] = 5.0  # interval of a process's heartbeat and of lease renewals
    PROCESS_TIMEOUT: Positive[float] = 40.0  # a process without a heartbeat for this long is dead, with its connections
    CREDENTIAL_CHECK_SECONDS: float = 2.0
    DRAIN_SECONDS: float = 10.0  # how long runs may continue once a server or worker is asked to end
    DRAIN_SPREAD_MS: int = 4000  # clients reconnect at random times within this range
    RETENTION_DAYS: float = 30.0
    # --- credentials
    TOKEN_DAYS: Positive[float] = 30.0  # default lifetime of a first-party token
    TOKENS_PER_USER: int = 100  # valid tokens a user may create over HTTP; 0: no limit
    TICKET_SECONDS: Positive[int] = 30
    OIDC_KEYS_SECONDS: float = 600.0  # an issuer's keys are fetched again when they are older
    OIDC_STALE_SECONDS: float = 3600.0  # old keys still serve this much longer while the issuer is unreachable
    OIDC_REFETCH_SECONDS: float = 10.0  # least interval between fetches after a failure or for unknown keys
    OIDC_TIMEOUT: Positive[float] = 5.0  # total time to fetch an issuer's keys, including the DNS lookup
    OIDC_MAX_BYTES: Positive[int] = 512 * 1024  # of one answer of an issuer
    # --- composition
    WS_PATH: str = "/ws"  # path of the WebSocket, with and without a slash at its end
    DATABASE: str = "default"  # alias of Django's DATABASES: where every table of Netra's is
    REDIS_URL: str = ""  # Redis for limits shared by processes; empty: there is one process
    REDIS_PREFIX: str = "netra"  # prefix of every name in Redis
    MANAGER_CLASS: str = "websocket_core.unified_manager.UnifiedWebSocketManager"
    ALLOWED_ORIGINS: tuple[str, ...] = ()
    OIDC_ISSUERS: Mapping[str, object] = {}  # see websocket_core.auth.oidc.config


conf = live(Defaults)
