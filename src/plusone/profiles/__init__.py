"""What a table holds, in numbers that a person reads, and what it lets one expect of the next, written down as tests.

This room knows tables as `expectations` looks at them. It knows no model, no release and no pytest.
"""
