"""The GRU chapter's own functions: four ways and nn.GRU are one model, to the rounding error."""

import pytest
import torch

import notebooks
from d2lutils import load_lyrics
from d2lutils import torch as d2l


@pytest.fixture(scope="module")
def chapter():
    """The chapter's definitions in a small setting."""
    corpus = load_lyrics("sample-lyrics", 3000)
    setting = {"num_hiddens": 24, "num_steps": 35, "batch_size": 32, "num_epochs": 2, "device": torch.device("cpu")}
    space = {"corpus": corpus, "vocab": corpus.vocab, **setting}
    exec(notebooks.definitions("gru"), space)
    space["X"], space["Y"] = next(d2l.data_iter_random(corpus, 32, 35, seed=0))
    return space


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_from_scratch_is_the_librarys(chapter, dtype, bound):
    """Outputs, gradients and the losses of the first 50 steps."""
    for gap in chapter["compare_with_library"](dtype, num_updates=50):
        assert gap < bound


def test_the_losses_of_the_comparison_do_change(chapter):
    losses = chapter["first_losses"](chapter["LibraryGRU"](chapter["get_params"](0.1, torch.float64)), 50)
    assert losses.dtype == torch.float64
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("forward", ["forward_lookup", "forward_fused", "forward_manual"])
def test_every_fast_way_is_the_plain_one(chapter, forward):
    answers = []
    for way in ("forward_plain", forward):
        net = chapter["GRUScratch"](chapter["get_params"](0.1), chapter[way])
        start = torch.linspace(-1, 1, 32 * 24).reshape(32, 24)
        loss, logits, H = chapter["loss_of"](net, chapter["X"], chapter["Y"], start)
        answers.append([logits, H, *torch.autograd.grad(loss / logits.shape[0], net.params)])
    for ours, theirs in zip(*answers, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_resetting_before_is_another_model(chapter):
    nets = [
        chapter["GRUScratch"](chapter["get_params"](0.5), chapter[f"forward_{way}"])
        for way in ("fused", "reset_before")
    ]
    fused, before = (net(chapter["X"])[0] for net in nets)
    assert (fused - before).abs().max() > 1e-3


def test_the_backward_written_by_hand_passes_the_numerical_check(chapter):
    torch.manual_seed(0)
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((4, 2, 9), (2, 3), (3, 9))]
    assert torch.autograd.gradcheck(chapter["GRULayer"].apply, inputs)
