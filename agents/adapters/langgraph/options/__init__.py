"""The options for the registration of a graph, and the checks of them.

Reading order: `author_options`, `graph_checks`, `savers`. Only the registration imports this room.
"""
