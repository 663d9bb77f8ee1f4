"""A graph's stream as events of the run: what is spoken, which tools are called, which state is public.

Read: `event_stream` first; `spoken`, `tool_events` and `public_state` are a part of the stream each. The adapted graph
comes in.
"""
