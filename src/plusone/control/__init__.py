"""The control process of `plusone up`: it publishes routes, carries rollouts on, keeps the workers and the control API
alive, and collects what they logged. It knows the operations' records; no operation knows it.
"""
