"""Helpers for tests of delivery and runs: base classes, in-process gateways, scripted agents, injected faults."""
