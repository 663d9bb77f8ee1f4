"""The demo agent of the console, scripted or with a model. Read `agent.py` first."""
