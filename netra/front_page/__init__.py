"""The admin's front page: live metrics and small charts, computed from a limited number of rows.

Lives here: the numbers (`numbers`), an estimate of the event rate that counts no table (`event_rate`), charts
(`pictures`), and the page itself (`page`).
May come in: `netra.admin`, `netra.admin_site`.
Read: `numbers`; its template is `templates/admin/netra/live.html`.
"""
