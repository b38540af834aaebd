"""The same operations from another process or machine, over the control API. No operation is defined here."""
