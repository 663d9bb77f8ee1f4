"""The agents that come with Netra: `golden_path.py` (tests every event), `pulse.py`, and the demo in `demo/`.

They are written as authors write theirs, with the public names of `netra.agents` alone, and registered by discovery.
"""
