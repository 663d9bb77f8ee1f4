"""What the tests of delivery and runs share: base classes, in-process gateways, scripted agents, injected faults."""
