"""A ticket marketplace to try Turnstile on: made-up data, at any scale, with the dirt of real life.

The same scale, day and seed give the same bytes in every source. Clocks in this business show UTC.
"""
