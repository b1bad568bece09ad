"""What the atlas knows (facts.json) and how it is said (phrasings.json): facts, sentences and short documents."""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PHRASINGS = json.loads((HERE / "phrasings.json").read_text())
RELATIONS = PHRASINGS["relations"]
FILLERS = PHRASINGS["fillers"]


@dataclass(frozen=True)
class Fact:
    relation: str
    subject: str
    answer: str

    def prompt(self, phrasing):
        return RELATIONS[self.relation]["phrasings"][phrasing].format(self.subject)


def read_world(path=HERE / "facts.json"):
    """The countries by code, and the names of each one's cities by code."""
    world = json.loads(Path(path).read_text())
    return {country["code"]: country for country in world["countries"]}, world["cities"]


def read_facts(path=HERE / "facts.json"):
    """Every fact, each relation's together. Facts that world-countries does not give (no capital, no currency) are left out."""
    countries, cities = read_world(path)
    facts = [Fact("country", city, countries[code]["name"]) for code, names in cities.items() for city in names]
    for relation, spec in RELATIONS.items():
        if spec["subject"] == "country":
            facts += [Fact(relation, c["name"], c[relation]) for c in countries.values() if c.get(relation)]
    return facts


def split_template(template):
    """A template's text before and after its one {}."""
    before, after = template.split("{}")
    return before, after
