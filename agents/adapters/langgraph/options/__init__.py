"""What an author may say when a graph is registered, and what is refused then.

Read: `author_options`, `graph_checks`, `savers`. Registration comes in.
"""
