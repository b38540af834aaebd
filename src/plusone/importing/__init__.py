"""Brings over what other trackers hold. It knows their protocols, and MLflow's names from the room that speaks them."""
