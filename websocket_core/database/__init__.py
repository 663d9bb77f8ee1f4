"""How the core reaches the database: which thread a query runs in, and what becomes of its connection.

Lives here: `db.read` and `db.write` for coroutines, threads that give their connections back, a transaction of one's
own, text that every database can keep, a migration that makes an index beside traffic.
May come in: every room. Knows only the settings. Nothing here knows a model.
Read: `db` first; `lost_connections` and `returning_threads` when a connection is held for too long.
"""
