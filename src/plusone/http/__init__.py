"""The control API: the operations of App as JSON over HTTP, on loopback. No operation is defined here."""
