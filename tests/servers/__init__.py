"""Real servers for tests, started from installed packages: no Docker, no root, nothing shared with the machine."""
