"""What goes on now, for people who look on: shares, rollouts, requests a second, errors and latencies.

This room asks `app` what there is, and reads what the workers of this machine count. It changes nothing, and does not
know how it is shown.
"""
