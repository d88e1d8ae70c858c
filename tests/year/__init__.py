"""A simulated year: a shop that changes every day, its nights disturbed in every way, and an account of it in Python.

`chance` says how often what happens, `shop` makes it happen at the real source, `nights` runs the pipeline of `tasks`
on it and what disturbs it, `history` keeps what dim_user should be, and `checks` compares, with SQL of its own.
"""
