"""Worker processes: what executes runs where the executor is procrastinate.

Read `procrastinate.py` first; `patient_queue.py` and `job_connections.py` let a worker outlive an outage of its
database. Only `manage.py worker` comes in: procrastinate is optional.
"""
