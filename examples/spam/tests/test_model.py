"""What must be true of a filter before it takes traffic. These run on the packaged model, as it will be served."""

import numpy as np
import pandas as pd

import plusone


def risk(model, texts):
    """The probability of spam, for each text."""
    return model.predict_proba(pd.DataFrame({"text": list(texts)}))[:, 1]


def test_it_tells_spam_from_mail(model, holdout):
    plusone.check.at_least(model, holdout, metric="roc_auc", value=0.95)


def test_no_worse_than_live(model, live, holdout):
    """The release that has the traffic reads the same mails, which neither has seen."""
    plusone.check.no_worse(model, live, holdout, metric="roc_auc", margin=0.005)


def test_few_good_mails_are_lost(model, holdout):
    """Spam that comes through is a nuisance; a mail that is not delivered is a harm. At 0.9 it is put aside."""
    good = holdout[~holdout["spam"]]
    assert (risk(model, good["text"]) > 0.9).mean() < 0.01


def test_capitals_change_nothing(model, holdout):
    some = holdout["text"].head(50)
    np.testing.assert_allclose(risk(model, some.str.upper().str.lower()), risk(model, some.str.lower()), atol=1e-9)


def test_an_offer_is_more_suspicious_than_a_question_about_work(model):
    offer, work = risk(
        model,
        [
            "FREE money!!!\nClick here to win cash now, guaranteed, no risk. To be removed from our list reply REMOVE.",
            "Re: build\nI think the patch breaks the tests on Linux, can you look at it tomorrow? Thanks",
        ],
    )
    assert offer > work + 0.3


def test_it_answers_to_whatever_is_sent(model):
    """Nothing, no word, other alphabets, very long: a mail server sends what it gets."""
    odd = risk(model, ["", " ", "\x00", "🙂", "東京 спам ﬁ İ", "free " * 20_000])
    assert ((odd > 0) & (odd < 1)).all()


def test_it_does_not_answer_the_same_to_all(model, holdout):
    """A model that lost its words answers the average: each answer alone looks right."""
    assert risk(model, holdout["text"]).std() > 0.15
