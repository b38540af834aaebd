"""The commands about tests and what they say: of data, of releases, of the whole project. They are thin: `app` does it."""
