"""Threads for code that blocks, so that the event loop turns: sync agents and `ctx.to_thread`.

`pool.py` has the threads and who may use them, `shares.py` how many of them one user gets, `monitor.py` finds out who
holds up the loop all the same. Whoever runs an author's code comes in through `pool.py`. Read it first.
"""
