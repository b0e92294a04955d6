"""The two stages of the talker."""

import numpy as np
import torch
from hearing import something_heard

from gaussiantalker.splatting.gaussians import Gaussians
from gaussiantalker.talker import AUDIO, EYE, METHODS, Drive, Talker, find_method, render


def a_talker(method: str = "gaussiantalker", points: int = 60) -> Talker:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    gaussians = Gaussians.from_points(rng.normal(size=(points, 3)), rng.random((points, 3)), sh_degree=1)
    return Talker(find_method(method), gaussians, speech_channels=6)


def a_drive(frames: int, method: str = "gaussiantalker") -> Drive:
    generator = torch.Generator().manual_seed(1)
    viewmats = torch.eye(4).repeat(frames, 1, 1)
    viewmats[:, 2, 3] = 8
    torch.manual_seed(1)
    heard, blink = something_heard(method, frames, 6), torch.rand(frames, generator=generator)
    return Drive({AUDIO: heard, EYE: blink}, viewmats, torch.arange(frames))


def moved(talker: Talker) -> Talker:
    """The talker with heads that do something: their last layers start at zero."""
    for name, parameter in talker.named_parameters():
        if ".last." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return talker


def test_an_untrained_talker_is_its_gaussians() -> None:
    talker = a_talker()
    splats = talker.deform(a_drive(3))
    torch.testing.assert_close(splats.means, talker.raw["means"].expand(3, -1, -1))
    torch.testing.assert_close(splats.scales, talker.raw["log_scales"].exp().expand(3, -1, -1))
    torch.testing.assert_close(splats.opacities, torch.full((3, 60), 0.1))


def test_baking_does_not_change_the_canonical_head() -> None:
    talker = moved(a_talker())
    before = talker.canonical()
    talker.bake()
    torch.testing.assert_close(talker.raw["sh"], before.sh)
    torch.testing.assert_close(talker.raw["opacity_logits"].sigmoid(), before.opacities)
    assert (before.opacities - 0.1).abs().max() > 1e-3, "the test must have predicted something"


def test_articulation_draws_speech_out_from_silence() -> None:
    for method in METHODS:
        talker, drive = moved(a_talker(method)), a_drive(2, method)
        mute = talker.deform(drive._replace(articulation=0.0)).means
        silent = talker.deform(drive.given(audio=torch.zeros_like(drive.conditions[AUDIO]))).means
        torch.testing.assert_close(mute, silent, rtol=1e-4, atol=1e-5)
        spoken, more = (talker.deform(drive._replace(articulation=gain)).means for gain in (1.0, 1.5))
        torch.testing.assert_close(spoken, talker.deform(drive).means)
        assert (more - silent).abs().mean() > 1.1 * (spoken - silent).abs().mean() > 0


def test_frames_do_not_influence_each_other() -> None:
    for method in METHODS:
        talker, drive = moved(a_talker(method)), a_drive(3, method)
        together = talker.deform(drive)
        for frame in range(3):
            alone = talker.deform(drive.at(slice(frame, frame + 1)))
            for one, all_of_them in zip(alone, together, strict=True):
                if len(all_of_them) != len(drive.frames):
                    continue  # an attribute this method does not deform is shared by all frames
                torch.testing.assert_close(one[0], all_of_them[frame], rtol=1e-4, atol=1e-5)


def test_every_condition_is_heard() -> None:
    talker, drive = moved(a_talker()), a_drive(1)
    talker.conditions.fit(a_drive(20)._replace(viewmats=torch.randn(20, 4, 4)))
    still = talker.deform(drive).means
    turned = drive.viewmats.clone()
    turned[:, 0, 3] += 1
    changes = {
        "audio": drive.given(audio=drive.conditions[AUDIO] + 1),
        "eye": drive.given(eye=1 - drive.conditions[EYE]),
        "camera": drive._replace(viewmats=turned),
    }
    for name, change in changes.items():
        assert (talker.deform(change).means - still).abs().max() > 1e-6, name


def test_time_counts_where_a_method_has_a_period() -> None:
    drive = a_drive(1)
    later = {step: drive._replace(frames=drive.frames + step) for step in (7, 25)}
    for name, differs in (("egstalker", True), ("egstalker/without-position", False)):
        talker = moved(a_talker(name))
        means = talker.deform(drive).means
        assert torch.equal(talker.deform(later[25]).means, means), "a second later it is the same again"
        assert ((talker.deform(later[7]).means - means).abs().max() > 1e-6) == differs


def test_attention_is_a_share_of_each_token() -> None:
    for name in METHODS:
        weights = a_talker(name).attention(a_drive(2, name))
        if name == "gstalker":
            assert weights is None
            continue
        assert weights.shape == (2, 4, 60) and (weights >= 0).all()
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 60))


def test_training_reaches_every_parameter() -> None:
    """One step of each stage gives a gradient to all that the stage trains."""
    talker, drive = moved(a_talker()), a_drive(2)
    K = torch.tensor([[60.0, 0, 16], [0, 60.0, 16], [0, 0, 1]])
    plates = torch.zeros(2, 32, 32, 3)
    stages = {
        "canonical": (talker.canonical(), ("raw.", "triplane", "canonical_heads.heads.last")),
        "deformation": (talker.deform(drive), ("raw.", "triplane", "place", "conditions", "fusion", "offsets")),
    }
    for stage, (splats, trained) in stages.items():
        talker.zero_grad()
        image, _, _ = render(splats, drive.viewmats, K, plates, talker.sh_degree)
        image.square().mean().backward()
        silent = [
            name
            for name, parameter in talker.named_parameters()
            if name.startswith(trained) and (parameter.grad is None or not parameter.grad.any())
        ]
        assert not silent, f"{stage}: {silent}"


def test_what_is_kept_in_evaluation_changes_no_frame_and_is_forgotten_in_training() -> None:
    talker, drive = moved(a_talker()), a_drive(2)
    expected = talker.deform(drive).means
    talker.eval()
    with torch.inference_mode():
        for _ in range(2):
            torch.testing.assert_close(talker.deform(drive).means, expected)
    with torch.no_grad():
        for planes in talker.triplane.parameters():
            planes.mul_(1.5)
        changed = talker.train().eval().deform(drive).means
    assert (changed - expected).abs().max() > 1e-4
    assert not [name for name in talker.state_dict() if "kept" in name], "files must not hold it"


def test_what_is_held_stays_where_it_is() -> None:
    talker, drive = moved(a_talker()), a_drive(2)
    tooth = talker.raw["means"][7].detach()
    talker.hold(tooth[None])
    splats = talker.deform(drive)
    torch.testing.assert_close(splats.means[:, 7], tooth.expand(2, 3))
    torch.testing.assert_close(splats.scales[:, 7], talker.raw["log_scales"][7].exp().expand(2, 3))
    assert (splats.sh[:, 7] - talker.raw["sh"][7]).abs().max() > 1e-6, "light on it may change"
    assert (splats.means[:, 8] - talker.raw["means"][8]).abs().max() > 1e-6, "others move"
