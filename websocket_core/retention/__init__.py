"""Deletion: threads that their users delete (`removal.py`), and rows older than the retention period (`pruning.py`).

Both delete in pages, each in a short transaction, so that traffic continues. Applications above register their own rows
that expire. This room imports the models and the database, and nothing of the journal.
"""
