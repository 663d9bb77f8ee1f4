"""A TCP proxy that can stall (bytes stop without notice) and cut (connections break, new ones are refused)."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

from servers.process import free_port


class Proxy:
    """Stands between the programs that connect to `port` and the one that listens on `target`, all on loopback.

    It runs in its own thread, so its caller may be busy or synchronous.
    """

    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._forgotten: list[asyncio.Event] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Start forwarding bytes."""
        self._thread.start()
        self.mend()

    def stop(self) -> None:
        """Break all connections and stop."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def stall(self) -> None:
        """Stop bytes in both directions. Connections stay open, and new ones are accepted but carry nothing."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def forget(self) -> None:
        """Stall existing connections permanently, but not new ones, like a router that has lost its state."""
        self._call(self._forget())

    def remember(self) -> None:
        """Resume the forgotten connections, and deliver the bytes that were held back."""
        self._call(self._remember())

    def cut(self) -> None:
        """Break connections and refuse new ones, until `mend`."""
        self._call(self._cut())

    def mend(self) -> None:
        """Forward everything again, including the bytes that were held back."""
        self._call(self._mend())

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._writers) // 2

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _forget(self) -> None:
        self._flowing.clear()
        self._forgotten.append(self._flowing)
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def _remember(self) -> None:
        while self._forgotten:
            self._forgotten.pop().set()

    async def _mend(self) -> None:
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        onward: asyncio.StreamWriter | None = None
        try:
            flowing = self._flowing
            await flowing.wait()
            back, onward = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(onward)
            pumps = [
                asyncio.ensure_future(self._pump(reader, onward, flowing)),
                asyncio.ensure_future(self._pump(back, writer, flowing)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
        except OSError:
            pass  # the target is unavailable: the client's connection ends
        except asyncio.CancelledError:
            pass  # cut
        finally:
            for end in (writer, onward):
                if end is not None:
                    self._writers.discard(end)
                    end.transport.abort()
            self._tasks.discard(task)

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await flowing.wait()
                writer.write(data)
                await writer.drain()
