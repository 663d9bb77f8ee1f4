"""Rows for tests that need earlier data: a few that are realistic (`history`), or very many (`big_tables`)."""
