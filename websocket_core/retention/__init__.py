"""What is deleted: threads by their users (`removal.py`), and everything that is older than it is kept (`pruning.py`).

Always in pages, each a short transaction, beside the traffic. Applications above register what of theirs is kept for a
time, too. The room knows the models and the database; it needs nothing of the journal.
"""
