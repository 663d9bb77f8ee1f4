"""The frameworks' own servers, and Netra with the very same agents: see `benchmarks/agent_servers.py`."""
