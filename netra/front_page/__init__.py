"""The admin's front page: what goes on right now, in numbers and small pictures, from a bounded number of rows.

Lives here: the numbers (`numbers`), a rate of events that counts no table (`event_rate`), pictures (`pictures`), and
the page itself (`page`).
May come in: `netra.admin`, `netra.admin_site`.
Read: `numbers`; its template is `templates/admin/netra/live.html`.
"""
