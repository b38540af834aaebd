"""The only room that knows how bytes lie on disk and in buckets: by digest, whole or absent, checked when read."""
