"""`manage.py loadtest`: many users with several tabs each, against any deployment, and whether each got everything."""
