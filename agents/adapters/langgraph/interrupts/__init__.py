"""Interrupts: a person is asked, the run rests in the database, and the graph continues from its checkpoint.

The value of `interrupt(value)` may be a request of LangChain's human-in-the-loop middleware (for one tool call, or for
all calls of an answer), an older `HumanInterrupt`, or anything else, which is treated as a question.
"""

from netra.agents.adapters.langgraph.interrupts.decisions import answers, ids_of
from netra.agents.adapters.langgraph.interrupts.questions import Questions
from netra.agents.adapters.langgraph.interrupts.resting import load

__all__ = ["Questions", "answers", "ids_of", "load"]
