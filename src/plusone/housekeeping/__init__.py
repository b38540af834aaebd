"""Commands that keep a machine and a store in order: what may go, what stays, where it is. Thin, as those of `cli`."""
