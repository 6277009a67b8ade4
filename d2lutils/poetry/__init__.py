"""Tang poems: texts and forms, tones and rhymes, and a trained model that writes (document 001)."""

from .prosody import Quality, distinct, longest_overlap, measure, readings, rhymes, tones_alternate
from .texts import FORMS, PoemCorpus, clean, form_of, poem_corpus, poem_lines, simplify
from .writer import PoemWriter, load_poem_model, save_poem_model
