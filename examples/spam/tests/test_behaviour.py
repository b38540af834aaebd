"""What a reader takes for granted, and what a sender may try. On the packaged model, as it will be served."""

import plusone
from plusone.check import perturb


def test_what_everybody_knows(model):
    """The cases are in cases.csv: whoever finds a mail that went wrong adds it there."""
    plusone.check.minimum(model, "cases.csv")


def test_who_is_named_does_not_matter(model, holdout):
    plusone.check.invariant(model, holdout, perturb.added("text", after="\nJohn Smith"), at_most=0.1)


def test_some_typos_change_little(model, holdout):
    """Who writes fast is no criminal; and a letter here and there does not get an offer through."""
    plusone.check.invariant(model, holdout, perturb.typos("text", share=0.01), at_most=0.1, inconclusive="allowed")


def test_an_offer_at_the_end_is_never_a_good_sign(model, holdout):
    offer = perturb.added("text", after="\nClick here now, free money guaranteed, no risk")
    good = holdout[~holdout["spam"]]
    plusone.check.directional(model, good, offer, "not down", by=0.02, at_least=0.8, inconclusive="allowed")
