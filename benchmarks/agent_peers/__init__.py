"""The frameworks' own servers, and Netra with the same agents: see `benchmarks/agent_servers.py`."""
