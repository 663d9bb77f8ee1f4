"""`manage.py loadtest`: simulates many users with several tabs each and checks that each tab received everything.

Lives here: the parameters (`plan`), the load (`load`, with `resuming_client` for each tab), the check of the results
(`verdict`), and their output (`report`, `plot`).
May come in: the command and the chaos runs. It sees the installation only from outside, as a client.
Read: `plan`, `load`, `verdict`.
"""
