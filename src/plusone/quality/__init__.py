"""The commands about tests and what they say: of data, of releases, of the project. They are thin: `app` does it."""
