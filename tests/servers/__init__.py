"""Real servers for tests, started out of installed packages: no Docker, no root, nothing shared with the machine."""
