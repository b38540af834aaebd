"""The process of the control port: it gives each request to the room that answers for its path."""
