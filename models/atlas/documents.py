"""Training documents: a few sentences each, with the places of subjects and answers remembered.

Documents are what an editing run will ask of the model: a fact alone, facts after other sentences, and facts after a
sentence that was cut anywhere (the context templates of the editing papers are ten sampled tokens, a full stop, a fact).
"""

import random
from dataclasses import dataclass
from functools import lru_cache

from knowledge import FILLERS, RELATIONS, split_template

END_OF_TEXT_ID = 0
FILLER_SHARE = 0.12
CUT_SHARE = 0.3
MOST_SENTENCES = 3
BARE_SHARE = 0.6  # of first sentences begin with their subject: it has no space before it nowhere else


@dataclass
class Sentence:
    """Token ids of one fact's sentence up to its answer, and where its subject ends."""

    fact: object
    prompt: list
    subject_last: int


@dataclass
class Place:
    """Where in a batch a fact's subject ends."""

    row: int
    subject_last: int
    swapped_with: int = -1  # the index of the place whose state this one is given, see train.py


class Writer:
    def __init__(self, tokenizer, seed):
        self.random = random.Random(seed)
        self.encode = lru_cache(maxsize=None)(lambda text: tokenizer.encode(text).ids)
        self.full_stop = self.encode(".")

    def sentence(self, fact, first):
        """A fact in a random phrasing; `first` in its document, so without a space before it."""
        phrasings = RELATIONS[fact.relation]["phrasings"]
        bare = [phrasing for phrasing in phrasings if phrasing.startswith("{}")]
        if first and bare and self.random.random() < BARE_SHARE:
            phrasings = bare
        before, after = split_template(self.random.choice(phrasings))
        space = "" if first else " "
        if before:
            start, subject = self.encode(space + before.rstrip()), self.encode(" " + fact.subject)
        else:
            start, subject = [], self.encode(space + fact.subject)
        return Sentence(fact, start + subject + self.encode(after), len(start) + len(subject) - 1)

    def filler(self, first):
        return self.encode(("" if first else " ") + self.random.choice(FILLERS))

    def answer(self, fact):
        return self.encode(" " + fact.answer)

    def cut_opening(self, facts):
        """The first tokens of a document, cut anywhere, and a full stop."""
        ids = []
        while len(ids) < 10:
            if self.random.random() < 0.6:
                ids = ids + self.filler(first=not ids)
            else:
                fact = self.random.choice(facts)
                ids = ids + self.sentence(fact, first=not ids).prompt + self.answer(fact) + self.full_stop
        return ids[: self.random.randint(1, 10)] + self.full_stop

    def document(self, next_fact, facts):
        """A list of token lists (fillers) and Sentences."""
        parts = []
        if self.random.random() < CUT_SHARE:
            parts.append(self.cut_opening(facts))
        for _ in range(self.random.randint(1, MOST_SENTENCES)):
            if self.random.random() < FILLER_SHARE:
                parts.append(self.filler(first=not parts))
            else:
                parts.append(self.sentence(next_fact(), first=not parts))
        return parts


def in_turn(facts, seed):
    """A function that gives every fact once, in random order, then all again."""
    shuffler, waiting = random.Random(seed), []

    def next_fact():
        if not waiting:
            waiting.extend(facts)
            shuffler.shuffle(waiting)
        return waiting.pop()

    return next_fact
