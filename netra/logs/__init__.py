"""Keeps secrets and floods out of Netra's log.

Lives here: the removal of credentials from lines (`redaction`, `access_log`), the shortening of values that a client
chooses (`shortened`), and a limit of one a minute for warnings that anyone can cause (`seldom_log`).
May come in: the server and the project; the handlers themselves are in `netra.project.log_config`.
Read: `redaction`.
"""
