"""What must be true of a model before it takes traffic. These run on the packaged model, as it will be served."""

import numpy as np
import pandas as pd

import plusone


def hits(items, holdout):
    """For each person, whether one of the films was liked later."""
    return np.array([bool(set(row) & set(films)) for row, films in zip(items, holdout["film"], strict=True)])


def popular(train_set, people, k=10):
    """What most people liked, without what each one has seen: the recommendation that needs no model."""
    liked = train_set[train_set["stars"] >= 3.5]["film"].value_counts().index
    seen = train_set.groupby("user")["film"].agg(set)
    return [[film for film in liked if film not in seen.get(user, set())][:k] for user in people]


def test_it_finds_something_for_many(model, holdout):
    """Of 10 films, one that the person went on to like: by chance that is 2 people of 100."""
    plusone.check.at_least(model, holdout, metric="hit_rate@10", value=0.3)


def test_it_knows_more_than_what_is_popular(model, train_set, holdout):
    """Else it is not worth its trouble: a list of best-sellers needs no release."""
    ours = hits(model.predict(holdout), holdout).mean()
    theirs = hits(popular(train_set, holdout["user"]), holdout).mean()
    assert ours > theirs + 0.02, (ours, theirs)


def test_no_worse_than_live(model, live, holdout):
    """The release that has the traffic recommends to the same people. 500 people leave an interval of some percent."""
    plusone.check.no_worse(model, live, holdout, metric="ndcg@10", margin=0.02, inconclusive="allowed")


def test_what_was_seen_is_never_recommended(model, train_set):
    """The fault that everybody notices."""
    seen = train_set.groupby("user")["film"].agg(set)
    people = pd.DataFrame({"user": seen.index.to_numpy()})
    for user, row in zip(people["user"], model.predict(people), strict=True):
        assert not seen[user] & {film for film in row if film is not None}, user


def test_rankings_are_full_ordered_and_without_repeats(model, holdout):
    items, scores = model.rank(holdout)
    for row, said in zip(items, scores, strict=True):
        found = [film for film in row if film is not None]
        assert len(set(found)) == len(found)
        assert (np.diff(said[: len(found)]) <= 0).all()
    assert np.mean([film is not None for row in items for film in row]) > 0.95


def test_people_are_told_different_things(model, holdout):
    """A model that lost its users recommends the same to all: each list alone looks right."""
    items = model.predict(holdout)
    assert len({tuple(row) for row in items.tolist()}) > 0.9 * len(holdout)
    assert len({film for row in items.tolist() for film in row}) > 100


def test_somebody_new_is_answered(model):
    """With what most people liked."""
    items, scores = model.rank(pd.DataFrame({"user": [10_000_000]}))
    assert all(film is not None for film in items[0])
    assert scores[0][0] > 50
