"""Baking: from a trained talker to blendshapes that show what its network would, for whatever may be asked of it."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from gaussiantalker.geometry import Camera
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.speaking.situations import Situations
from gaussiantalker.splatting import rasterize
from gaussiantalker.splatting.gaussians import SH_DC, Gaussians
from gaussiantalker.splatting.reference import spherical_harmonics
from gaussiantalker.talker import AUDIO, Drive, Talker, fast_products
from gaussiantalker.talker.blendshapes import LEVELS, NUMBERS, Blendshapes, Coefficients
from gaussiantalker.talker.talker import RAW_NAMES

COUNT = 40  # bases
SNAPSHOTS, CHUNK = 1536, 96
FRAMES = 8  # that the network moves together
VIEWS, UTTERANCES, PROBES = 24, 4, 2
SPEECH_WEIGHT = 30.0  # of the pixel that speech changes most, against one that it never changes
NEGLIGIBLE = 5e-4  # share of all that moves in pictures that Gaussians without bases may have together
GLANCES = 192  # situations in which it is looked which Gaussians are seen
UNSEEN = 0.1  # pixels; a Gaussian that covers less in all of them is left out
TAUGHT = 3.2  # deviations of the lip opening: a twentieth of three people's frames were wider
FURTHER, SLOPE = 0.5, 0.2  # of that: how much wider a mouth is still led, by how it went over the last fifth
STEPS, BATCH, RATE = 4_000, 256, 6e-3


def bake(
    talker: Talker, situations: Situations, camera: Camera, progress: Progress = SILENT, seed: int = 0
) -> Blendshapes:
    """Blendshapes of a talker for a camera: less than a minute for 16,000 Gaussians on two cores."""
    progress.stage("baking", SNAPSHOTS)
    with torch.random.fork_rng(devices=[talker.device] if talker.device.type == "cuda" else []):
        torch.manual_seed(seed)
        return _baked(talker.eval(), situations, camera, progress)


def _baked(talker: Talker, situations: Situations, camera: Camera, progress: Progress) -> Blendshapes:
    weights = _effects(talker, situations, camera)
    mean, bases, coefficients, tokens = _principal(_motions(talker, situations, progress), weights)
    count, names = weights.shape[0], _moved(talker)
    bases = bases.unflatten(1, (count, -1))
    share = (bases * coefficients.std(dim=0)[:, None, None]).square().sum(dim=0) * weights.square()
    order = share.sum(dim=1).argsort(descending=True)
    kept = share.sum(dim=1)[order].cumsum(0) < (1 - NEGLIGIBLE) * share.sum()
    kept[min(int(kept.sum()), count - 1)] = True
    shown = _seen(talker, situations, camera)[order]
    moving, order = order[kept & shown], torch.cat([order[kept & shown], order[~kept & shown]])
    bases = bases[:, moving]
    reach = bases.abs().amax(dim=0).clamp_min(1e-12)
    levels = (bases / reach * LEVELS).round().to(torch.int8)
    rest = _rest(talker, mean, names, order)
    return Blendshapes(rest, names, levels, reach, _learn(tokens, coefficients)).to(talker.device).eval()


def _moved(talker: Talker) -> tuple[str, ...]:
    """What the method moves, by the names of `NUMBERS`."""
    named = {"colour" if name == "sh" else name for name in talker.method.deformed}
    return tuple(name for name in NUMBERS if name in named)


@torch.no_grad()
def _rest(talker: Talker, mean: Tensor, names: tuple[str, ...], order: Tensor) -> Gaussians:
    """The canonical head moved by the mean of all motions."""
    raw = {name: value.detach().clone() for name, value in talker.raw.items()}
    for name, move in zip(names, mean.split([NUMBERS[name] for name in names], dim=-1), strict=True):
        if name == "colour":
            raw["sh"][:, 0] += move / SH_DC
        else:
            key = RAW_NAMES.get(name, name)
            raw[key] += move.reshape(raw[key].shape)
    return Gaussians.from_dict({name: value[order] for name, value in raw.items()})


@torch.inference_mode()
@fast_products()
def _motion(talker: Talker, tokens: Tensor, viewmats: Tensor) -> Tensor:
    """What the network adds to each Gaussian's numbers, [B, N, D]; to harmonics, as the colour seen by the camera."""
    moves = talker.moves(tokens)
    if "sh" in moves:
        moves["colour"] = torch.einsum(
            "bnk,bnkc->bnc", _basis(talker, viewmats), moves.pop("sh").unflatten(-1, (-1, 3))
        )
    return torch.cat([moves[name] for name in _moved(talker)], dim=-1)


def _basis(talker: Talker, viewmats: Tensor) -> Tensor:
    """Harmonics [B, N, K] of the canonical Gaussians towards cameras [B, 4, 4]."""
    eyes = -(viewmats[:, :3, :3].transpose(1, 2) @ viewmats[:, :3, 3:])[..., 0]
    return spherical_harmonics(F.normalize(talker.raw["means"] - eyes[:, None], dim=-1), talker.sh_degree)


def _effects(talker: Talker, situations: Situations, camera: Camera) -> Tensor:
    """How much a change of each number of each Gaussian changes pictures, [N, D]: the root of the mean of squares.

    Pixels count the more, the more speech changes them under one pose and blink. The squares are those of gradients
    of randomly signed sums of pixels, whose mean is the diagonal of J' J (Hutchinson's estimator).
    """
    total, K = torch.zeros(()), torch.from_numpy(camera.K).float().to(talker.device)
    for _ in range(VIEWS):
        drive = situations.utterances(UTTERANCES).to(talker.device)
        moves = _motion(talker, talker.conditions(drive), drive.viewmats).clone()
        with torch.no_grad():
            said = _picture(talker, moves, drive, K, camera).std(dim=0).mean(dim=-1)
        pixels = (1 + SPEECH_WEIGHT * said / said.max().clamp_min(1e-6)).sqrt()[None, :, :, None]
        one = moves[:1].requires_grad_()
        with torch.enable_grad():
            picture = _picture(talker, one, drive.at(torch.zeros(1, dtype=torch.long)), K, camera) * pixels
        for probe in range(PROBES):
            signs = torch.randint(0, 2, picture.shape, device=picture.device) * 2.0 - 1
            (gradient,) = torch.autograd.grad((picture * signs).sum(), one, retain_graph=probe + 1 < PROBES)
            total = total + gradient[0].square()
    found = (total / (VIEWS * PROBES)).sqrt()
    return found.clamp_min(1e-4 * float(found.mean()))


def _seen(talker: Talker, situations: Situations, camera: Camera) -> Tensor:
    """Which Gaussians ever show, bool [N]: those that cover, by the sum of alpha T over pixels, `UNSEEN` of a pixel or
    more in any situation. The others lie within the head, and take a third of the time of a picture."""
    most, K = torch.zeros((), device=talker.device), torch.from_numpy(camera.K).float().to(talker.device)
    for _ in range(GLANCES // FRAMES):
        drive = situations.draw(FRAMES).to(talker.device)
        with torch.inference_mode(), fast_products():
            splats = talker.deform(drive)
        means, quats, scales, opacities = (part.clone() for part in splats[:4])
        white = torch.ones(FRAMES, means.shape[-2], 3, device=means.device, requires_grad=True)
        with torch.enable_grad():
            image = rasterize(means, quats, scales, opacities, white, drive.viewmats, K, camera.width, camera.height)[0]
        (covered,) = torch.autograd.grad(image[..., 0].sum(), white)
        most = torch.maximum(most, covered[..., 0].amax(dim=0))
    return most >= min(UNSEEN, float(most.max()))


def _picture(talker: Talker, moves: Tensor, drive: Drive, K: Tensor, camera: Camera) -> Tensor:
    """Pictures [B, H, W, 3] of the canonical Gaussians and these motions [B, N, D], over grey."""
    names, raw = _moved(talker), Gaussians.from_dict({name: value.detach() for name, value in talker.raw.items()})
    parts = dict(zip(names, moves.split([NUMBERS[name] for name in names], dim=-1), strict=True))
    still = raw.means.new_zeros(len(moves), len(raw), 1)
    colours = torch.einsum("bnk,nkc->bnc", _basis(talker, drive.viewmats), raw.sh) + 0.5
    return rasterize(
        raw.means + parts.get("means", still),
        raw.quats + parts.get("quats", still),
        (raw.log_scales + parts.get("scales", still)).exp(),
        (raw.opacity_logits + parts.get("opacity", still)[..., 0]).sigmoid(),
        (colours + parts.get("colour", still)).clamp_min(0),
        drive.viewmats,
        K,
        camera.width,
        camera.height,
        backgrounds=torch.full((3,), 0.5, device=K.device),
    )[0]


def _motions(talker: Talker, situations: Situations, progress: Progress) -> Iterator[tuple[Tensor, Tensor]]:
    """Motions [96, N, D] and tokens [96, tokens, width], chunk after chunk."""
    for chunk in range(SNAPSHOTS // CHUNK):
        parts = []
        for start in range(0, CHUNK, FRAMES):
            parts.append(_asked(talker, situations.draw(FRAMES).to(talker.device)))
            progress.update(chunk * CHUNK + start + FRAMES)
        moves, tokens = (torch.cat(part) for part in zip(*parts, strict=True))
        yield moves, tokens


@torch.inference_mode()
def _asked(talker: Talker, drive: Drive) -> tuple[Tensor, Tensor]:
    """Motions [B, N, D] and tokens [B, tokens, width] of frames.

    A network opens a mouth no wider than it mostly saw: for a wider code it goes on as it did up to `TAUGHT`.
    """
    tokens = talker.conditions(drive)
    moves = _motion(talker, tokens, drive.viewmats).clone()
    if "mouth" not in talker.method.conditions:
        return moves, tokens
    articulation = torch.as_tensor(drive.articulation, device=tokens.device).expand(len(tokens))
    times = articulation * drive.conditions[AUDIO][:, 0] / TAUGHT
    wide = (times > 1).nonzero()[:, 0]
    if len(wide):
        drive, articulation, times = drive.at(wide), articulation[wide], times[wide]
        taught, before = (
            _motion(talker, talker.conditions(drive._replace(articulation=way * articulation / times)), drive.viewmats)
            for way in (1, 1 - SLOPE)
        )
        moves[wide] = taught + ((times - 1).clamp_max(FURTHER) / SLOPE)[:, None, None] * (taught - before)
    return moves, tokens


@torch.inference_mode()
def _principal(chunks: Iterator[tuple[Tensor, Tensor]], weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The mean [N, D], bases [K, N * D] of weighted motions, the coefficients [F, K] of all, and their tokens.

    Motions are never all in memory: what was seen is kept as twice as many directions as are wanted, each as long as
    it matters, to which the next chunk is added before the least of them are dropped again.
    """
    mean, seen, found = torch.zeros_like(weights), weights.new_zeros(0, weights.numel()), weights.new_zeros(0, 0)
    tokens: list[Tensor] = []
    for moves, said in chunks:
        mean = mean if tokens else moves.mean(dim=0)
        stacked = torch.cat([seen, ((moves - mean) * weights).flatten(1)])
        power, ways = torch.linalg.eigh(stacked @ stacked.T)
        ways = ways[:, power.argsort(descending=True)[: 2 * COUNT]]
        found = torch.cat([found @ ways[: len(seen)], ways[len(seen) :]])
        seen = ways.T @ stacked
        tokens.append(said)
    lengths = seen.norm(dim=1).clamp_min(1e-12)[:COUNT]
    unit = lengths[0] / len(found) ** 0.5  # so that the first coefficient's deviation is about one
    bases = seen[:COUNT] / lengths[:, None] * unit
    coefficients = found[:, :COUNT] * lengths / unit
    return mean.clone(), bases / weights.flatten(), coefficients.clone(), torch.cat(tokens).clone()


def _learn(tokens: Tensor, coefficients: Tensor) -> Coefficients:
    """A network from tokens [F, tokens, width] to coefficients [F, K], by gradient descent on all it may be asked."""
    inputs, device = tokens.flatten(1), tokens.device
    mean, deviation = inputs.mean(dim=0), inputs.std(dim=0)
    scale = deviation.clamp_min(max(1e-3 * float(deviation.max()), 1e-6))
    out = Coefficients(inputs.shape[1], coefficients.shape[1]).to(device)
    weight, bias, *_ = out.parameters()
    x, y = (inputs - mean) / scale, coefficients
    with torch.enable_grad():
        optimizer = torch.optim.AdamW(out.network.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
        for _ in range(STEPS):
            some = torch.randint(len(x), (BATCH,), device=device)
            loss = (out.network(x[some]) - y[some]).square().sum(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():  # tokens as they come, not standardised
        weight /= scale
        bias -= weight @ mean
    out.bound(coefficients)
    return out.requires_grad_(False)
