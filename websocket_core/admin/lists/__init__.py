"""Lists of the admin over tables of any size: no COUNT, and no page that reads an unlimited number of rows.

`read_only` has the base class of every admin, `change_list` its list, and `keyset` its pages, which are found by key.
Further modules have filters that declare whether an index answers them, navigation by date, links, and text that cannot
deceive. Every admin of Netra's apps may import this room.
Reading order: `read_only`, then `change_list` and `keyset`.
"""
