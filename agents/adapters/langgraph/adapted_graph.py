"""A LangGraph graph as a Netra agent: loads the thread's checkpoints, emits events, and asks interrupts."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, cast

import msgspec
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import START
from langgraph.pregel import Pregel
from langgraph.types import StateSnapshot

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.langgraph import chat_history, interrupts, model_errors
from netra.agents.adapters.langgraph.graph_input import GraphInput, takes_removals
from netra.agents.adapters.langgraph.graph_result import GraphResult
from netra.agents.adapters.langgraph.model_calls import ModelCalls, finish_reason, is_empty
from netra.agents.adapters.langgraph.options.author_options import settled
from netra.agents.adapters.langgraph.stream.event_stream import MODES, EventStream, Speech
from netra.agents.adapters.langgraph.stream.public_state import PublicState
from netra.agents.adapters.langgraph.stream.tool_events import ToolEvents
from netra.agents.adapters.langgraph.thread_checkpoints import ThreadCheckpoints
from netra.agents.adapters.shown import plain
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision
from netra.agents.authoring.input_schemas import InputSchema
from netra.agents.base import BaseAgent
from netra.agents.conf import conf
from netra.agents.errors import AgentError, ModelRefused
from websocket_core.errors import InvalidAction, WebSocketCoreError

log = logging.getLogger(__name__)


class LangGraphAgent(BaseAgent):
    """Runs a compiled graph. `register_graph` creates a subclass for every graph."""

    graph: ClassVar[Pregel[Any, Any, Any, Any]]
    enforced_schema: ClassVar[InputSchema | None] = None
    graph_input: ClassVar[GraphInput | None] = None
    config: ClassVar[RunnableConfig] = {}
    make_config: ClassVar[Callable[[AgentContext, Any], Any] | None] = None
    make_input: ClassVar[Callable[[Any], Any] | None] = None
    make_result: ClassVar[Callable[[Any], Any] | None] = None
    graph_context: ClassVar[Any] = None
    make_context: ClassVar[Callable[[AgentContext, Any], Any] | None] = None
    speech: ClassVar[Speech] = Speech()
    states: ClassVar[PublicState | None] = None
    result: ClassVar[GraphResult]

    @classmethod
    def check_input(cls, input: Any) -> None:
        """Refuse an input that the graph does not accept.

        Raises:
            InvalidAction: see `BaseAgent.check_input`. Also if the input writes a channel that its author has not
                opened, or contains messages of anybody but the person.
        """
        if cls.enforced_schema is not None:
            cls.enforced_schema.check(input)
        if cls.graph_input is not None:
            cls.graph_input.read(input)

    async def run(self, ctx: AgentContext, input: Any) -> Any:
        """Give the graph its input. The graph continues from the thread's checkpoint."""
        given = await self._given(input)
        return await self._execute(ctx, input, given, CallIds(), begins=True)

    async def _given(self, input: Any) -> Any:
        make_input, graph_input = type(self).make_input, type(self).graph_input
        if make_input is not None:
            return await settled(make_input(input))
        if graph_input is None:
            return input
        try:
            return graph_input.read(input)
        except InvalidAction as error:  # the input was recorded before the agent became this strict
            raise AgentError(f"The agent does not accept this input: {error}") from error

    async def proceed(self, ctx: AgentContext, memory: bytes, decisions: dict[str, Decision]) -> Any:
        """Continue with a person's answers."""
        resting = interrupts.load(memory)
        command = await interrupts.answers(ctx, resting, decisions)
        ids = interrupts.ids_of(resting, decisions)
        return await self._execute(ctx, resting.input, command, ids)

    async def _execute(self, ctx: AgentContext, input: Any, given: Any, ids: CallIds, *, begins: bool = False) -> Any:
        models = ModelCalls(ctx)
        own = type(self).graph.checkpointer
        keeps = isinstance(own, BaseCheckpointSaver)  # the graph has its own persistent saver
        saver = own if keeps else ThreadCheckpoints(await ctx.recall(self._memory_key))
        before = saver.step if isinstance(saver, ThreadCheckpoints) else 0
        graph = type(self).graph if keeps else type(self).graph.copy({"checkpointer": saver})
        config = await self._config(ctx, input, [ToolEvents(ctx, ids), models], shared_saver=keeps)
        stream = EventStream(ctx, type(self).speech, type(self).states, goes_on=not begins)
        try:
            if begins:
                given = await _closed(graph, config, given)
            context = await self._context(ctx, input)
            items = graph.astream(
                given,
                config,
                context=context,
                stream_mode=MODES,
                subgraphs=True,
                durability=None if keeps else "exit",
            )
            async with aclosing(cast(AsyncGenerator[Any, None], items)) as streamed:
                async for path, mode, data in streamed:
                    await stream.handle(path, mode, data)
        except BaseException as error:
            ending = model_errors.as_ending(error, models.errors) if isinstance(error, Exception) else None
            only_asked = isinstance(saver, ThreadCheckpoints) and _only_asked(saver.step - before, error)
            refused = isinstance(ending, ModelRefused)
            if not only_asked and (refused or model_errors.is_rejected(error, models.errors)):
                await self._forget_question(ctx, graph, config, worked=refused)
            if isinstance(saver, ThreadCheckpoints) and not only_asked:
                await self._remember_anyway(ctx, saver)
            if ending is None:
                raise
            log.warning("run %s: ended as %s", ctx.run_id, ending.code, exc_info=error)
            raise ending from error
        await stream.close()
        state = await graph.aget_state(config)
        if isinstance(saver, ThreadCheckpoints):
            await self._remember(ctx, saver, unfinished=bool(state.next))
        if state.next:
            # With the states of subgraphs, because the calls in question may be theirs.
            asking = await graph.aget_state(config, subgraphs=True) if state.interrupts else state
            return await self._rest(ctx, input, asking, ids)
        return await self._result(ctx, stream.values, worked=bool(ids.used))

    async def _rest(self, ctx: AgentContext, input: Any, state: StateSnapshot, ids: CallIds) -> Any:
        questions = interrupts.Questions(ids, chat_history.conversations(state))
        if state.interrupts:
            questions.interrupts(state.interrupts)
        else:
            questions.breakpoint(state.next)
        return await questions.ask(ctx, input)

    async def _result(self, ctx: AgentContext, values: Any, *, worked: bool) -> Any:
        """The result of the run.

        Args:
            worked: whether tools have run.

        Raises:
            ModelRefused: the provider withheld the answer, and the run has sent nothing.
        """
        maker = type(self).result
        last = maker.last_answer(values)
        reason = finish_reason(last)
        silent = not ctx.events.spoke and not worked  # a model may end without text after its tools have run
        if (
            last is not None
            and is_empty(last)
            and (reason == "content_filter" or (silent and not maker.is_more(values)))
        ):
            raise ModelRefused()
        ctx.report_finish_reason(reason)
        make_result = type(self).make_result
        return maker.make(values) if make_result is None else plain(await settled(make_result(maker.output(values))))

    async def _config(
        self, ctx: AgentContext, input: Any, own: list[BaseCallbackHandler], *, shared_saver: bool
    ) -> RunnableConfig:
        make_config = type(self).make_config
        given = type(self).config if make_config is None else await settled(make_config(ctx, input)) or {}
        if not isinstance(given, Mapping):
            raise TypeError(f"config= of graph {self.name!r} returned {type(given).__name__}, which is not a config")
        callbacks = given.get("callbacks")
        whose = {"user_id": str(ctx.user_id), "run_id": str(ctx.run_id)}
        thread = {"thread_id": self._thread(ctx, shared=shared_saver)}  # never the author's: identifies the thread
        return {
            "run_name": self.name,
            **given,
            "configurable": {**whose, **given.get("configurable", {}), **thread},
            "callbacks": [*(callbacks if isinstance(callbacks, list) else ()), *own],
        }

    def _thread(self, ctx: AgentContext, *, shared: bool) -> str:
        """The thread's name for the saver. In a saver shared by all users, it differs for every user."""
        if not shared:
            return str(ctx.thread_id)
        whose = msgspec.json.encode([self.name, str(ctx.user_id), str(ctx.thread_id)])
        return hashlib.sha256(whose).hexdigest()

    async def _context(self, ctx: AgentContext, input: Any) -> Any:
        make_context = type(self).make_context
        return type(self).graph_context if make_context is None else await settled(make_context(ctx, input))

    @property
    def _memory_key(self) -> str:
        return f"langgraph:{self.name}"

    async def _remember(self, ctx: AgentContext, saver: ThreadCheckpoints, *, unfinished: bool) -> None:
        data = saver.dump(unfinished=unfinished) or b""
        if len(data) > conf.REST_BYTES:
            if unfinished:
                raise AgentError("The graph's state is too large to wait for an answer. Start a new thread.")
            log.warning(
                "agent %s, run %s: the graph's state has %d bytes, more than NETRA_REST_BYTES; its thread restarts. "
                "Trim the state in the graph, for instance with RemoveMessage.",
                self.name,
                ctx.run_id,
                len(data),
            )
            data = b""
        await ctx.remember(self._memory_key, data)

    async def _forget_question(
        self, ctx: AgentContext, graph: Pregel[Any, Any, Any, Any], config: Any, *, worked: bool
    ) -> None:
        """Remove the refused question from the checkpoint: the provider would refuse every later question too.

        Args:
            worked: remove it even if tools have already run for it.
        """
        if START not in graph.nodes or not takes_removals(graph.channels.get(chat_history.KEY)):
            return
        try:
            state = await graph.aget_state(config)
            mended = chat_history.without_question(chat_history.messages_of(state.values), worked=worked)
            if mended:
                await graph.aupdate_state(config, {chat_history.KEY: mended}, as_node=START)
        except Exception as error:  # noqa: BLE001 - the refusal is reported in any case
            log.warning("run %s: the refused question stays in its thread: %s", ctx.run_id, error)

    async def _remember_anyway(self, ctx: AgentContext, saver: ThreadCheckpoints) -> None:
        """Store the checkpoint while an error is being raised. The error is reported in any case."""
        try:
            await self._remember(ctx, saver, unfinished=False)
        except WebSocketCoreError as error:
            log.info("run %s: its checkpoint was not stored: %s", ctx.run_id, error)


async def _closed(graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, given: Any) -> Any:
    """Complete the conversation before an input: add results for calls without one, and remove empty answers."""
    if not isinstance(given, dict) or not isinstance(given.get(chat_history.KEY), list):
        return given
    state = await graph.aget_state(config)
    mended: list[BaseMessage] = [*chat_history.closing_messages(state)]
    if takes_removals(graph.channels.get(chat_history.KEY)):
        mended = [*chat_history.emptied(chat_history.messages_of(state.values)), *mended]
    return {**given, chat_history.KEY: [*mended, *given[chat_history.KEY]]} if mended else given


def _only_asked(steps: int, error: BaseException) -> bool:
    """Whether the run failed before it did anything. An input on which the graph fails would break every later run too.

    Args:
        steps: the number of steps in the run; reading the input takes two.
    """
    return isinstance(error, Exception) and steps <= 2
