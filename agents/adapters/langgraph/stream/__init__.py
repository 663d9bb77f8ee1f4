"""Converts a graph's stream into events of the run: spoken text, tool calls, and public state.

Read `event_stream` first. `spoken`, `tool_events` and `public_state` each handle a part of the stream. Only the adapted
graph imports this room.
"""
