"""How the core reaches the database: in which thread a query runs, and what happens to that thread's connection.

This room has `db.read` and `db.write` for coroutines, threads that return their connections, a check for transactions
of the caller, text that every database can store, and a migration that builds an index while traffic continues.

Every room may import it. It imports only the settings, and no models.
Reading order: `db` first. Read `lost_connections` and `returning_threads` when a connection is held for too long.
"""
