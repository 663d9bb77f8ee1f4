"""`manage.py loadtest`: many users with several tabs each, against any deployment, and whether each got everything.

Lives here: what is done (`plan`), doing it (`load`, with `resuming_client` for each tab), judging it (`verdict`), and
telling it (`report`, `plot`).
May come in: the command and the chaos runs. Knows the installation only from outside, as a client does.
Read: `plan`, `load`, `verdict`.
"""
