"""Search by meaning against search by words: 21 questions in other words than the papers', three a paper.

    python benchmarks/search.py

"All words" is the list's own search; "some words" ranks the papers by the questions' words that they hold, rarer ones
counting more (log(1 + papers / papers with it)); "meaning" is the extra's, with whatever it leaves out shown as not
found. The questions were written before the encoder was tried, and 20 about other matters, which should find nothing.
Ends with 1 if meaning puts fewer papers first, or fewer among the first three, than words do.
"""

import math
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from parataxis.studies.registry import methods
from parataxis.web.ledger import Ledger
from parataxis.web.meaning import MOST, Meaning

ASKED = {
    "coopetition": (
        "companies that compete and cooperate at the same time",
        "Nash equilibrium of two firms that need each other",
        "how much should each partner put into a joint venture",
    ),
    "flaky-tests": (
        "unit tests that fail at random",
        "the build is red although nothing changed",
        "passes alone but not together with the others",
    ),
    "light-hgnn": (
        "make graph neural networks faster at prediction",
        "knowledge distillation from teacher to student",
        "classify nodes that share group memberships",
    ),
    "phi-rom": (
        "simulate fluid flow cheaply",
        "surrogate for differential equations",
        "autoencoder of simulation states",
    ),
    "set-prompting": (
        "the chatbot always picks answer A",
        "position bias in multiple choice questions",
        "retrieved documents in the middle are overlooked",
    ),
    "skill-it": (
        "curriculum for pretraining",
        "weights of a data mixture",
        "which dataset should an LLM see first",
    ),
    "therapy-sequence": (
        "is an expensive medicine worth its price",
        "health economics of oncology",
        "second line treatment of patients with tumours",
    ),
}
ELSEWHERE = (
    "recipe for apple pie", "football results of last week", "how to repair a bicycle", "weather in Lisbon",
    "medieval castles of France", "learn to play the guitar", "cheap flights to Japan", "dog food",
    "history of the Roman empire", "my printer has no paper", "volcano", "best novels of the century",
    "train timetable", "tax return deadline", "yoga for beginners", "growing tomatoes", "zzz qqq", "2+2", "ä ß", "the",
)  # fmt: skip


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def main():
    known = methods()
    held = {name: words(f"{name} {each.paper.title}. {each.paper.summary}") for name, each in known.items()}
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "evidence.sqlite", known)

    def all_words(query):
        return [each.name for each in ledger.found(query, "name")]

    def some_words(query):
        def weight(name):
            shared = words(query) & held[name]
            return sum(math.log(1 + len(known) / sum(word in each for each in held.values())) for word in shared)

        return sorted((name for name in known if weight(name)), key=weight, reverse=True)

    begun = time.perf_counter()
    meaning = Meaning(known)
    print(f"{len(known)} papers, {sum(map(len, ASKED.values()))} questions; meaning loads in "
          f"{time.perf_counter() - begun:.2f} s")  # fmt: skip
    print(f"{'':12} {'first':>6} {'of the first three':>19} {'of 20 elsewhere, finds something':>33} {'ms':>6}")
    first, three = {}, {}
    for label, search in (("all words", all_words), ("some words", some_words), ("meaning", meaning.near)):
        asked = [(name, query) for name, queries in ASKED.items() for query in queries]
        found = [(name, search(query)) for name, query in asked]
        first[label] = sum(names[:1] == [name] for name, names in found)
        three[label] = sum(name in names[:MOST] for name, names in found)
        wrong = sum(bool(search(query)) for query in ELSEWHERE)
        taken = []
        for _, query in asked * 5:
            begun = time.perf_counter()
            search(query)
            taken.append(1000 * (time.perf_counter() - begun))
        print(f"{label:12} {first[label]:6} {three[label]:19} {wrong:33} {statistics.median(taken):6.2f}")
    return int(any(got["meaning"] < got["some words"] for got in (first, three)))


if __name__ == "__main__":
    sys.exit(main())
