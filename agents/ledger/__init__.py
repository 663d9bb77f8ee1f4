"""The ledger of runs: every change of a run is an operation of the journal, in one transaction with its events.

Read `moves.py` first (event, lease, and the steps that all operations share), then the life of a run: `starts.py`,
`leases.py` (claim, finish, rest), `approvals.py`, `endings.py` (stop, reap). `statements.py` has the SQL. `reading.py`,
`neglected.py` and `open_runs.py` only read. `answers.py` checks answers, and `retention.py` deletes.
The runner, the service and the admin import this room. Nothing else writes runs.
"""
