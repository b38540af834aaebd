"""What must be true of the mails before a model learns from them. These run before training."""


def test_there_are_mails_of_both_kinds(single_mails):
    """About a third of this corpus is spam. Near 0 or 1 means that the folders were read wrongly."""
    assert 0.15 < single_mails["spam"].mean() < 0.6
    assert len(single_mails) > 100


def test_nearly_every_mail_has_a_text_and_a_day(mails):
    """Of a mail that could not be read an empty text remains, and it looks like any other row."""
    assert (mails["text"].str.strip() == "").mean() < 0.03
    assert mails["came"].notna().mean() > 0.95


def test_headers_are_not_in_the_text(single_mails):
    """They name the collection that a mail comes from: a model would learn that and nothing else."""
    begins = single_mails["text"].str.contains(r"^(?:Received|Return-Path|Delivered-To): ", regex=True)
    assert begins.mean() < 0.01


def test_no_text_is_in_both_parts(train_set, holdout):
    """Spam is sent many times over: a text that was learnt says nothing about a new one."""
    assert not set(train_set["text"]) & set(holdout["text"])
    assert len(train_set) > 2 * len(holdout) > 0


def test_the_holdout_came_later(train_set, holdout):
    """A filter is asked about tomorrow's mail."""
    for kind in (True, False):
        assert train_set[train_set["spam"] == kind]["came"].max() <= holdout[holdout["spam"] == kind]["came"].min()
