"""The documents' own code runs when only its import line changes."""

import re

import torch
from conftest import needs_real_data
from torch import nn

from d2lutils import torch as d2l


def rnn(inputs, state, params):
    """A recurrent layer with the signature that document 004 gives its own."""
    W_xh, W_hh, b_h, W_hq, b_q = params
    (H,) = state
    outputs = []
    for X in inputs:
        H = torch.tanh(X @ W_xh + H @ W_hh + b_h)
        outputs.append(H @ W_hq + b_q)
    return outputs, (H,)


def test_document_004s_calls(capsys):
    corpus_indices, char_to_idx, idx_to_char, vocab_size = d2l.load_data_jay_lyrics(2000, "sample-lyrics")
    device, num_hiddens = d2l.try_gpu(), 32

    def get_params():
        torch.manual_seed(0)
        shapes = (
            (vocab_size, num_hiddens),
            (num_hiddens, num_hiddens),
            num_hiddens,
            (num_hiddens, vocab_size),
            vocab_size,
        )
        return [nn.Parameter(torch.randn(shape) * 0.01) for shape in shapes]

    def init_rnn_state(batch_size, num_hiddens, device):
        return (torch.zeros((batch_size, num_hiddens), device=device),)

    for is_random_iter in (True, False):
        history = d2l.train_and_predict_rnn(
            rnn, get_params, init_rnn_state, num_hiddens, vocab_size, device, corpus_indices, idx_to_char, char_to_idx,
            is_random_iter, 6, 10, 1e2, 1e-2, 8, 3, 12, ["分开", "不分开"],
        )  # fmt: skip
        assert history.perplexity[-1] < history.perplexity[0]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 2 * 3
    assert re.fullmatch(r"epoch 3, perplexity \d+\.\d{6}, time \d+\.\d\d sec", lines[0])
    assert lines[1].startswith(" - 分开")
    assert len(lines[1]) == len(" - 分开") + 12
    arguments = (rnn, get_params(), init_rnn_state, num_hiddens, vocab_size, device, idx_to_char, char_to_idx)
    assert len(d2l.predict_rnn("分开", 10, *arguments)) == 12
    for sampler in (d2l.data_iter_random, d2l.data_iter_consecutive):
        for X, Y in sampler(corpus_indices, 2, 6, device):
            assert X.shape == Y.shape == (2, 6)
    params = get_params()
    params[0].sum().backward()
    d2l.sgd(params[:1], 1.0, 2)


@needs_real_data
def test_document_003s_program_prints_its_first_rows(documents, tmp_path, monkeypatch, capsys):
    """Its code, read from the document, with the import line and the paths changed and the steps cut to 200."""
    from d2lutils.data import fetch

    text = next(documents.glob("003_*")).read_text(encoding="utf-8")
    code = max(re.findall(r"```python\n(.*?)```", text, re.S), key=len)
    assert "from common import RNG, StepTimer" in code
    code = code.replace("from common import", "from d2lutils import")
    folder = fetch("names")[0].parent
    code = code.replace("../datasets/data", str(folder)).replace("num_steps = 50000", "num_steps = 201")
    code = code.replace("math.pi * step / num_steps", "math.pi * step / 50000")
    exec(compile(code, "document 003", "exec"), {"__name__": "document"})
    rows = re.findall(r"step +(\d+) \| train_loss ([\d.]+) \| val_loss ([\d.]+)", capsys.readouterr().out)
    published = d2l.published("003")["rows"]
    for (step, *losses), row in zip(rows, published, strict=False):
        assert int(step) == row[0]
        for ours, theirs in zip(losses, row[1:3], strict=True):
            assert abs(float(ours) - theirs) <= 2e-6
    assert len(rows) == 2
