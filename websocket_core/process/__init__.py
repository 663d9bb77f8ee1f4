"""The process itself, whatever it serves: its life cycle, its row in the database, its tasks and its metrics.

`lifecycle` has the life cycle and the drain, `heartbeat` the process's identity. `tasks`, `background` and `turn` are
for tasks that outlive their creator. `metrics`, `log_context` and `log_budget` are for operators.

Every room above the database imports this one, mostly `lifecycle.lifecycle`, `heartbeat.this_process`,
`tasks.process_task`, `background.Outage`, `background.repeat` and the metrics. Django sets up apps before models, which
`heartbeat` needs. This package therefore exports no names: import from its modules.

Reading order: `lifecycle`, `heartbeat`, `tasks`, `background`. The others are independent. `garbage` and `exit` are for
the two programs, `serve` and `worker`.
"""
