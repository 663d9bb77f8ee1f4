"""What is written of runs: every move is an operation of the journal, applied in one transaction with its events.

Read `moves.py` first (event, lease, the steps that all moves share), then the life of a run: `starts.py`, `leases.py`
(claim, finish, rest), `approvals.py`, `endings.py` (stop, reap). `statements.py` has the SQL; `reading.py`,
`neglected.py` and `open_runs.py` only read; `answers.py` checks answers; `retention.py` deletes.
Runner, service and admin come in. Nothing else writes runs.
"""
