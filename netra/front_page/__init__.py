"""The admin's front page: what goes on right now, in numbers and small pictures, from a bounded number of rows."""
