"""Threads for blocking code, so that the event loop stays free: for sync agents and `ctx.to_thread`.

`pool.py` has the threads, `shares.py` decides how many of them a user gets, and `monitor.py` finds code that
nevertheless blocks the loop. Rooms that run an author's code import `pool.py`. Read it first.
"""
