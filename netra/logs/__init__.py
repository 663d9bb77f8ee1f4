"""What Netra's log lines must not hold and must not do.

Lives here: cutting credentials out of lines (`redaction`, `access_log`), values that a client chooses cut to a length
(`shortened`), and warnings that anybody can cause, once a minute each (`seldom_log`).
May come in: the server and the project; the handlers themselves are in `netra.project.log_config`.
Read: `redaction`.
"""
