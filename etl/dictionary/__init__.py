"""The data dictionary: every table and column, what it means, where it comes from and what uses it.

`describe` reads it from the files and the tasks, `standing` adds what the warehouse says, `pages` makes pages of it.
"""
