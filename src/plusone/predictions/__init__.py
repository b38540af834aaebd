"""Logged predictions and labels: written by the workers into a journal, collected into the store, and read again.

It knows ids, requests and answers as bytes. It knows no model and no server.
"""
