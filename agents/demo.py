"""The demo of the console (placeholder until its tools are registered below)."""
