"""What tests of behaviour are made of: cases, answers before and after a change, texts that were asked for, shares.

This room measures, and says what that means. It knows models by what they answer; it knows no pytest, no session and
not how a check ends.
"""
