"""Blender materials: skin, eyes, teeth, tongue, hair and cloth, all procedural.

Colours are linear RGB; lengths metres. Only the four CC0 texture masks (lips, eyelids, ears,
inside of the mouth) are pictures.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

Colour = tuple[float, float, float]


class NodeGraph:
    """A short way to write shader nodes; sockets are passed around as values."""

    def __init__(self, material: bpy.types.Material) -> None:
        material.use_nodes = True
        self.tree = material.node_tree

    def node(self, kind: str, **settings: object) -> bpy.types.Node:
        node = self.tree.nodes.new(kind)
        for name, value in settings.items():
            setattr(node, name, value)
        return node

    def connect(self, target: bpy.types.NodeSocket, value: object) -> None:
        """Link a socket, or set a constant (colours get alpha 1)."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, target)
        elif isinstance(value, tuple) and target.type == "RGBA":
            target.default_value = (*value, 1)
        else:
            target.default_value = value

    def noise(self, where: object, scale: float, detail: float = 4, rough: float = 0.55) -> object:
        node = self.node("ShaderNodeTexNoise")
        self.connect(node.inputs["Vector"], where)
        self.connect(node.inputs["Scale"], scale)
        self.connect(node.inputs["Detail"], detail)
        self.connect(node.inputs["Roughness"], rough)
        return node.outputs[0]

    def remap(self, value: object, low: float, high: float, to_low: float = 0.0,
              to_high: float = 1.0, smooth: bool = False) -> object:  # fmt: skip
        kind = "SMOOTHERSTEP" if smooth else "LINEAR"
        node = self.node("ShaderNodeMapRange", interpolation_type=kind)
        for k, item in enumerate((value, low, high, to_low, to_high)):
            self.connect(node.inputs[k], item)
        return node.outputs[0]

    def math(self, operation: str, *values: object) -> object:
        node = self.node("ShaderNodeMath", operation=operation)
        for k, item in enumerate(values):
            self.connect(node.inputs[k], item)
        return node.outputs[0]

    def mix(self, factor: object, a: object, b: object, blend: str = "MIX") -> object:
        node = self.node("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        self.connect(node.inputs[0], factor)
        self.connect(node.inputs[6], a)
        self.connect(node.inputs[7], b)
        return node.outputs[2]

    def mask(self, path: Path) -> object:
        node = self.node("ShaderNodeTexImage", interpolation="Cubic")
        node.image = bpy.data.images.load(str(path))
        node.image.colorspace_settings.name = "Non-Color"
        return node.outputs[0]

    def rest_position(self) -> object:
        """The `rest` attribute: patterns stick to the skin when it moves."""
        return self.node("ShaderNodeAttribute", attribute_name="rest").outputs["Vector"]

    def bump(self, height: object, strength: float, distance: float) -> object:
        node = self.node("ShaderNodeBump")
        self.connect(node.inputs["Strength"], strength)
        self.connect(node.inputs["Distance"], distance)
        self.connect(node.inputs["Height"], height)
        return node.outputs[0]


def plain(name: str, colour: Colour, roughness: float, **inputs: float) -> bpy.types.Material:
    """A Principled material with constant inputs."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ").title()].default_value = value
    shader.subsurface_method = "BURLEY"
    return material


# Soft red or pale spots of the face: centre (m), radius (m), colour, strength.
_FLUSH = (
    ((0.034, 0.632, 0.112), 0.024, (0.62, 0.21, 0.17), 0.42),
    ((-0.034, 0.632, 0.112), 0.024, (0.62, 0.21, 0.17), 0.42),
    ((0.0, 0.640, 0.150), 0.018, (0.62, 0.22, 0.18), 0.40),
    ((0.0, 0.580, 0.132), 0.014, (0.60, 0.25, 0.19), 0.25),
    ((0.0, 0.715, 0.125), 0.035, (0.74, 0.50, 0.38), 0.35),
)

# Texture mask, colour under it, strength.
_REGIONS = (
    ("lips", (0.50, 0.155, 0.14), 0.85),
    ("eyelids", (0.36, 0.15, 0.12), 0.62),
    ("ears", (0.60, 0.22, 0.17), 0.55),
    ("inside-mouth", (0.35, 0.08, 0.07), 1.0),
)


def _skin_colour(g: NodeGraph, rest: object, masks: dict[str, Path]) -> object:
    """Base colour, flush, lips and lids, mottling, freckles and a few moles."""
    colour: object = g.node("ShaderNodeRGB").outputs[0]
    colour.default_value = (0.60, 0.345, 0.25, 1)
    colour = g.mix(g.remap(g.noise(rest, 14, 3), 0.35, 0.7, 0, 0.35), colour, (0.66, 0.30, 0.24))
    colour = g.mix(g.remap(g.noise(rest, 40, 3), 0.4, 0.7, 0, 0.25), colour, (0.70, 0.45, 0.33))
    for centre, radius, tint, strength in _FLUSH:
        distance = g.node("ShaderNodeVectorMath", operation="DISTANCE")
        g.connect(distance.inputs[0], rest)
        distance.inputs[1].default_value = centre
        fall = g.remap(distance.outputs["Value"], radius * 1.5, 0.0, 0.0, strength, smooth=True)
        colour = g.mix(fall, colour, tint)
    for name, tint, strength in _REGIONS:
        colour = g.mix(g.math("MULTIPLY", g.mask(masks[name]), strength), colour, tint)
    mottle = g.mix(g.remap(g.noise(rest, 55, 5, 0.6), 0.3, 0.7), (0.35, 0.20, 0.17), (0.75, 0.62, 0.55))
    colour = g.mix(0.22, colour, mottle, "OVERLAY")
    grain = g.mix(g.remap(g.noise(rest, 900, 3, 0.6), 0.3, 0.7), (0.36, 0.30, 0.28), (0.64, 0.60, 0.58))
    colour = g.mix(0.16, colour, grain, "OVERLAY")
    freckle = g.remap(g.noise(rest, 420, 1, 0.3), 0.675, 0.715)
    patch = g.remap(g.noise(rest, 30, 2), 0.45, 0.62)
    colour = g.mix(g.math("MULTIPLY", g.math("MULTIPLY", freckle, patch), 0.33), colour, (0.30, 0.14, 0.08))
    cells = g.node("ShaderNodeTexVoronoi")
    g.connect(cells.inputs["Scale"], 24.0)
    g.connect(cells.inputs["Vector"], rest)
    return g.mix(g.remap(cells.outputs["Distance"], 0.050, 0.035, 0, 0.75), colour, (0.12, 0.05, 0.03))


def skin_paint(masks: dict[str, Path]) -> bpy.types.Material:
    """The skin colour as pure emission, to be baked; `masks` maps regions to picture files."""
    material = bpy.data.materials.new("skin paint")
    g = NodeGraph(material)
    glow = g.node("ShaderNodeEmission")
    g.connect(glow.inputs["Color"], _skin_colour(g, g.rest_position(), masks))
    g.connect(g.tree.nodes["Material Output"].inputs[0], glow.outputs[0])
    return material


def bake(thing: bpy.types.Object, size: int) -> bpy.types.Image:
    """Bake the emission of an object's only material into a picture over its UV map.

    Evaluating the colour graph at every hit would double the time of a frame.
    """
    image = bpy.data.images.new("skin", size, size)
    material = thing.data.materials[0]
    target = NodeGraph(material).node("ShaderNodeTexImage")
    target.image = image
    material.node_tree.nodes.active = target
    bpy.ops.object.select_all(action="DESELECT")
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    bpy.ops.object.bake(type="EMIT", margin=8, use_clear=True)
    return image


def skin(colour: bpy.types.Image) -> bpy.types.Material:
    """Sub-surface skin with pores over a colour picture."""
    material = bpy.data.materials.new("skin")
    g = NodeGraph(material)
    shader = g.tree.nodes["Principled BSDF"]
    rest = g.rest_position()
    texture = g.node("ShaderNodeTexImage")
    texture.image = colour
    g.connect(shader.inputs["Base Color"], texture.outputs[0])
    shader.subsurface_method = "BURLEY"
    shader.inputs["Subsurface Weight"].default_value = 0.55
    shader.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
    shader.inputs["Subsurface Scale"].default_value = 0.0045
    shader.inputs["Specular IOR Level"].default_value = 0.45
    g.connect(shader.inputs["Roughness"], g.remap(g.noise(rest, 90, 4), 0.3, 0.7, 0.36, 0.56))
    height = g.math("MULTIPLY_ADD", g.noise(rest, 1500, 2, 0.6), 0.5, g.noise(rest, 260, 4, 0.65))
    g.connect(shader.inputs["Normal"], g.bump(height, 0.30, 0.0009))
    return material


def eye(picture: np.ndarray) -> bpy.types.Material:
    """The polar eye picture under a clear coat that gives the catch-lights."""
    height, width = picture.shape[:2]
    image = bpy.data.images.new("eye", width, height)
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = picture
    image.pixels.foreach_set(rgba.ravel())
    image.pack()
    material = plain("eye", (1, 1, 1), 0.25, coat_weight=1.0, coat_roughness=0.03)
    g = NodeGraph(material)
    texture = g.node("ShaderNodeTexImage")
    texture.image = image
    g.connect(g.tree.nodes["Principled BSDF"].inputs["Base Color"], texture.outputs[0])
    return material


def enamel() -> bpy.types.Material:
    return plain("enamel", (1.0, 0.87, 0.66), 0.22, subsurface_weight=0.3,
                 subsurface_scale=0.003, coat_weight=0.3, coat_roughness=0.12)  # fmt: skip


def gum() -> bpy.types.Material:
    return plain("gum", (0.55, 0.19, 0.17), 0.25, subsurface_weight=0.4, subsurface_scale=0.002)


def tongue() -> bpy.types.Material:
    return plain("tongue", (0.50, 0.20, 0.18), 0.35, subsurface_weight=0.4, subsurface_scale=0.003)


def hair(name: str, melanin: float, redness: float, roughness: float) -> bpy.types.Material:
    """Principled hair with some strand-to-strand variation."""
    material = bpy.data.materials.new(name)
    g = NodeGraph(material)
    g.tree.nodes.remove(g.tree.nodes["Principled BSDF"])
    shader = g.node("ShaderNodeBsdfHairPrincipled", parametrization="MELANIN")
    for key, value in {
        "Melanin": melanin, "Melanin Redness": redness, "Roughness": roughness,
        "Radial Roughness": 0.45, "Random Roughness": 0.2, "Random Color": 0.35,
    }.items():  # fmt: skip
        shader.inputs[key].default_value = value
    g.connect(shader.inputs["Random"], g.node("ShaderNodeHairInfo").outputs["Random"])
    g.connect(g.tree.nodes["Material Output"].inputs[0], shader.outputs[0])
    return material


def cloth() -> bpy.types.Material:
    """Dark teal knit."""
    material = plain("cloth", (0.018, 0.040, 0.050), 0.9, sheen_weight=0.15)
    g = NodeGraph(material)
    weave = g.noise(g.rest_position(), 900)
    g.connect(g.tree.nodes["Principled BSDF"].inputs["Normal"], g.bump(weave, 0.5, 0.001))
    return material
