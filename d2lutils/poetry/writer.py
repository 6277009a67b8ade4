"""The trained poem model on NumPy alone: loaded from a safetensors file, it writes poems offline, on any machine."""

import json
import re
from pathlib import Path

import numpy as np

from ..checkpoint import load_tensors, save_tensors
from ..data.manifest import bundled_dir
from ..decoding import next_token
from ..text import Vocab
from .texts import BOS, EOS, FORMS, MARKS, PAD, UNK

__all__ = ["PoemWriter", "load_poem_model", "save_poem_model"]

RESERVED = (PAD, BOS, EOS)


def save_poem_model(folder, tensors, characters, variants, **about):
    """Write ``weights.safetensors`` (int8 rows with a scale each) and ``about.json`` (vocabulary, variants, settings).

    Args:
        folder: where to. tensors: dict from name to float array, as :meth:`PoemWriter.step` uses them.
        characters: list of the vocabulary's tokens in order. variants: dict from a traditional to a known character.
        about: facts to keep (settings, losses); must be JSON.

    Returns:
        The size of both files in bytes.
    """
    packed = {}
    for name, array in tensors.items():
        array = np.asarray(array, dtype=np.float32)
        if array.ndim == 2:
            scale = np.maximum(np.abs(array).max(axis=1, keepdims=True) / 127, 1e-12).astype(np.float32)
            packed[name], packed[f"{name}.scale"] = np.rint(array / scale).astype(np.int8), scale
        else:
            packed[name] = array
    folder = Path(folder)
    save_tensors(folder / "weights.safetensors", packed, vocab=_vocab(characters))
    about = {**about, "characters": "".join(characters[4:]), "variants": variants}
    part = folder / "about.json.part"
    part.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / "about.json")
    return sum(path.stat().st_size for path in (folder / "weights.safetensors", folder / "about.json"))


def load_poem_model(folder=None):
    """The :class:`PoemWriter` in a folder, by default the one that comes with the book.

    Raises:
        FileNotFoundError: a file is missing. ValueError: it is damaged or the two belong to different models.
    """
    folder = bundled_dir() / "poem" if folder is None else Path(folder)
    path = folder / "about.json"
    if not path.is_file():
        raise FileNotFoundError(f"there is no poem model in {folder} (about.json is missing); run `make poem-model`")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        characters, variants = [UNK, *RESERVED, *about.pop("characters")], about.pop("variants")
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}); restore it from the repository or run `make poem-model`"
        ) from None
    vocab = _vocab(characters)
    packed, _ = load_tensors(folder / "weights.safetensors", vocab=vocab)
    tensors = {
        name: array.astype(np.float32) * packed.get(f"{name}.scale", 1)
        for name, array in packed.items()
        if not name.endswith(".scale")
    }
    return PoemWriter(tensors, vocab, variants, about)


class PoemWriter:
    """A stacked LSTM with tied embedding, and the rules of the forms.

    Attributes:
        tensors: ``embedding`` (V, e), ``weight_0`` (4h, e + h), ``bias_0`` (4h,), … for each layer (input, forget,
            candidate, output gate), ``project`` (e, h), ``project_bias`` (e,), ``output_bias`` (V,).
        vocab: Vocab. variants: dict from a traditional to a simplified character. about: dict of facts.
    """

    def __init__(self, tensors, vocab, variants=None, about=None):
        self.tensors, self.vocab, self.variants, self.about = tensors, vocab, variants or {}, about or {}
        self.num_layers = sum(name.startswith("weight_") for name in tensors)
        self.marks = {mark: vocab[mark] for mark in MARKS if mark in vocab}
        self.characters = np.ones(len(vocab), bool)  # what may stand inside a line
        self.characters[[*range(4), *self.marks.values()]] = False
        self._begins = self.characters.copy()  # what may follow a mark
        self._begins[vocab[EOS]] = True

    def step(self, index, state=None):
        """One time step: index of a token and the state (list of (H, C) pairs) to logits (V,) and the new state."""
        t, new = self.tensors, []
        x = t["embedding"][index]
        for layer in range(self.num_layers):
            H, C = state[layer] if state else np.zeros((2, len(t[f"bias_{layer}"]) // 4), np.float32)
            gates = t[f"weight_{layer}"] @ np.concatenate((x, H)) + t[f"bias_{layer}"]
            write, keep, candidate, show = np.split(gates, 4)
            C = _sigmoid(keep) * C + _sigmoid(write) * np.tanh(candidate)
            x = _sigmoid(show) * np.tanh(C)
            new.append((x, C))
        return t["embedding"] @ (t["project"] @ x + t["project_bias"]) + t["output_bias"], new

    def write(self, start="", form=None, *, acrostic="", temperature=0.8, top_k=None, top_p=None, repeats=False,
              max_chars=80, seed=None):  # fmt: skip
        """Write a poem.

        Args:
            start: its first characters, e.g. "月" or a whole first line; empty lets the model begin.
            form: a name of FORMS, kept exactly; None lets the model choose where lines and poem end.
            acrostic: characters that begin the lines in turn.
            temperature, top_k, top_p: see :func:`~d2lutils.decoding.next_token_probs`; temperature 0 is greedy.
            repeats: may a character that the poem has already be chosen again?
            max_chars: a free poem ends here at the latest. seed: int, NumPy Generator or None.

        Returns:
            str, with punctuation.

        Raises:
            ValueError: not a Chinese character, unknown to the model (a known variant is offered), no such form, a
                first line or an acrostic that does not fit it.
        """
        plan = self._plan(start, form, acrostic, max_chars)
        rng, poem = np.random.default_rng(seed), []
        logits, state = self.step(self.vocab[BOS])
        for forced, allowed in plan:
            if forced is None:
                if not poem or poem[-1] in self.marks.values():  # a line is never empty
                    allowed = allowed & self._begins
                forced = self._choose(logits, allowed, [] if repeats else poem, rng, temperature, top_k, top_p)
            if forced == self.vocab[EOS]:
                break
            poem.append(forced)
            logits, state = self.step(forced, state)
        return self.vocab.text(poem)

    def _choose(self, logits, allowed, used, rng, temperature, top_k, top_p):
        logits = np.where(allowed, logits.astype(np.float64), -np.inf)
        used = [index for index in used if self.characters[index]]
        if np.isfinite(np.delete(logits, used)).any():
            logits[used] = -np.inf
        return next_token(logits, rng, temperature, top_k, top_p)

    def _plan(self, start, form, acrostic, max_chars):
        """(forced index or None, allowed tokens) for each place, in turn."""
        if form is None:
            if acrostic:
                raise ValueError(f"an acrostic ({acrostic!r}) needs a form; choose one of {', '.join(FORMS)}")
            forced = self._known(start[:1], "") + self._known(start[1:], MARKS)
            anything = self.characters.copy()
            anything[[self.vocab[EOS], *self.marks.values()]] = True
            return [(index, anything) for index in forced] + [(None, anything)] * max(0, max_chars - len(forced))
        if form not in FORMS:
            raise ValueError(f"there is no form {form!r}; choose one of {', '.join(FORMS)}")
        num_lines, length = FORMS[form]
        lines = [self._known(line, "") for line in re.split(f"[{MARKS}]", start.rstrip(MARKS))]
        if any(len(line) != length for line in lines[:-1]) or len(lines[-1]) > length or len(lines) > num_lines:
            raise ValueError(f"{start!r} does not fit {form}: {num_lines} lines of {length} characters")
        heads = self._known(acrostic, "")
        if len(heads) > num_lines:
            raise ValueError(
                f"the acrostic {acrostic!r} has {len(heads)} characters, but {form} only {num_lines} lines"
            )
        if heads and any(line and line[0] != head for line, head in zip(lines, heads, strict=False)):
            raise ValueError(f"the acrostic {acrostic!r} and the start {start!r} differ; give one of them")
        plan = []
        for number in range(num_lines):
            line = lines[number] if number < len(lines) else []
            line = line or heads[number : number + 1]
            plan += [(index, None) for index in line] + [(None, self.characters)] * (length - len(line))
            plan.append((self.marks["，" if number % 2 == 0 else "。"], None))
        return plan

    def _known(self, text, marks):
        """Indices of the characters, each one known; the others are explained."""
        for character in text:
            if character in self.vocab and (self.characters[self.vocab[character]] or character in marks):
                continue
            if not re.match(r"[\u3400-\u9fff\U00020000-\U0003ffff]", character):
                raise ValueError(f"{character!r} is not a Chinese character; begin with one, e.g. 月")
            known = self.variants.get(character)
            cure = f"its simplified form {known} is known" if known else "choose a more common one, e.g. 月"
            raise ValueError(f"the model does not know {character!r} (U+{ord(character):04X}); {cure}")
        return self.vocab.encode(text).tolist()


def _vocab(characters):
    return Vocab((), unk=UNK, reserved=characters[1:])  # all reserved: in the order of the weights' rows


def _sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))
