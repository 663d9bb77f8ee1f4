"""The agents that come with Netra: `golden_path.py` (emits every critical event), `pulse.py`, and the demo in `demo/`.

They use only the public names of `netra.agents`, like any author's agents, and discovery registers them.
"""
