"""The admin's front page: live metrics and small charts, computed from a limited number of rows.

`numbers` computes the metrics, `event_rate` estimates the event rate without counting rows, `pictures` draws the
charts, and `page` contains the views. Only `netra.admin` and `netra.admin_site` import this room.
Read `numbers` first. The template is `templates/admin/netra/live.html`.
"""
