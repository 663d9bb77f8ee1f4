"""Lists of the admin over tables of any size: no COUNT, no page that reads more than a bounded number of rows.

Lives here: the base of every read-only admin (`read_only`), its list (`change_list`), pages found by key (`keyset`),
filters that say whether an index answers them, drilling down by date, links, and text that cannot pretend.
May come in: every admin of Netra's apps.
Read: `read_only`, then `change_list` and `keyset`.
"""
