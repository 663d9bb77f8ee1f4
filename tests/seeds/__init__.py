"""Rows for tests that need a past: a few that tell a story (`history`), or very many (`big_tables`)."""
