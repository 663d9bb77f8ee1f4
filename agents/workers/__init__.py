"""Worker processes, which execute runs with the executor procrastinate.

Read `procrastinate.py` first. `patient_queue.py` and `job_connections.py` let a worker survive an outage of its
database. Only `manage.py worker` imports this room, because procrastinate is optional.
"""
