"""What must be true of the data before a model learns from it. These run before training."""


def test_nobody_rated_a_film_twice(ratings):
    """A join that multiplied rows, or a file read twice, would count some people's taste double."""
    assert not ratings.duplicated(["user", "film"]).any()


def test_stars_are_on_their_scale(ratings):
    """Half a star to five. Other scales (1 to 10, 0 to 100) would make everything liked, or nothing."""
    assert ratings["stars"].between(0.5, 5).all()
    assert ((ratings["stars"] * 2) % 1 == 0).all()


def test_some_is_liked_and_some_is_not(ratings):
    """People rate what they chose to see, so more is liked than not: between half and four fifths."""
    assert 0.4 < (ratings["stars"] >= 3.5).mean() < 0.85


def test_every_person_rated_enough_to_learn_from(ratings):
    """The source promises 20 films a person; who has fewer was cut off by the month."""
    count = ratings.groupby("user").size()
    assert (count >= 20).mean() > 0.9


def test_ids_are_whole_and_films_have_one_title(ratings):
    assert ratings["user"].dtype.kind == "i"
    assert ratings["film"].dtype.kind == "i"
    assert ratings.groupby("film")["title"].nunique().max() == 1


def test_the_model_is_tested_on_what_people_liked_later(ratings, train_set, holdout):
    """A rating that was used to learn from would be an exam with the answers known."""
    last = train_set.groupby("user")["at"].max()
    at = ratings.set_index(["user", "film"])["at"]
    seen = set(zip(train_set["user"], train_set["film"], strict=True))
    for user, films in zip(holdout["user"], holdout["film"], strict=True):
        assert not seen & {(user, film) for film in films}
        assert all(at[user, film] >= last[user] for film in films if user in last.index)


def test_most_people_have_something_to_be_tested_on(ratings, holdout):
    assert len(holdout) > 0.8 * ratings["user"].nunique()
