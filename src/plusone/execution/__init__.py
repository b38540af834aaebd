"""Where work runs: child processes of this machine. It knows processes and pipes, not what is done in them."""
