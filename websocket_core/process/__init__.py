"""What a process is and does, whatever it serves: its life, its row in the database, its tasks, its numbers.

What lives here: the life of the process and its drain (`lifecycle`), its identity and heartbeat (`heartbeat`), tasks
that outlive whoever began them (`tasks`, `background`, `turn`), and what it tells operators (`metrics`, `log_context`,
`log_budget`).
Who may come in: every room above the database. Mostly for `lifecycle.lifecycle`, `heartbeat.this_process`,
`tasks.process_task`, `background.Outage`, `background.repeat` and the counters of `metrics`. Apps are set up before
there are models, which `heartbeat` needs, so this face hands nothing on: import from the modules.
Reading order: `lifecycle`, `heartbeat`, `tasks`, `background`; the others stand for themselves. `garbage` and `exit`
are for the two programs, `serve` and `worker`.
"""
