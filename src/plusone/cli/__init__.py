"""The `plusone` command: one file per group of verbs, thin over App. Nothing is decided here but how it looks."""
