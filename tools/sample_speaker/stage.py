"""Camera, lights and Cycles settings of the sample clip."""

from __future__ import annotations

import math

import bpy
from mathutils import Vector

import viewpoint
from materials import NodeGraph

ROOM = "interior"
"""Which of Blender's bundled CC0 Poly Haven rooms lights the scene and is the background."""
ROOM_STRENGTH = 0.75


def build_stage(size: int, samples: int) -> None:
    """Set up the scene for square pictures of `size` pixels."""
    _add_camera(size)
    _add_room()
    _add_area("key", (-0.75, 1.05, 0.9), (0, 0.68, 0.08), 4.0, 0.6, (1.0, 0.95, 0.88))
    _add_area("rim", (0.6, 1.0, -0.7), (0, 0.70, 0.05), 2.0, 0.4, (0.85, 0.92, 1.0))
    _set_cycles(samples)


def limit_to_moving_region() -> None:
    """From now on render `viewpoint.MOVING_REGION` only (Blender counts rows from below)."""
    left, top, right, bottom = viewpoint.MOVING_REGION
    render = bpy.context.scene.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = left, right
    render.border_min_y, render.border_max_y = 1 - bottom, 1 - top


def _add_camera(size: int) -> None:
    scene = bpy.context.scene
    lens = bpy.data.cameras.new("camera")
    lens.sensor_width, lens.lens = viewpoint.SENSOR_MM, viewpoint.FOCAL_MM
    camera = bpy.data.objects.new("camera", lens)
    camera.location = viewpoint.POSITION
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x = scene.render.resolution_y = size


def _add_room() -> None:
    world = bpy.data.worlds.new("room")
    bpy.context.scene.world = world
    g = NodeGraph(world)
    folder = bpy.utils.resource_path("LOCAL") + "/datafiles/studiolights/world"
    picture = g.node("ShaderNodeTexEnvironment")
    picture.image = bpy.data.images.load(f"{folder}/{ROOM}.exr")
    # the picture is stored with +z up, this scene has +y up
    upright = g.node("ShaderNodeMapping")
    upright.inputs["Rotation"].default_value = (math.pi / 2, 0, 0)
    g.connect(upright.inputs[0], g.node("ShaderNodeTexCoord").outputs["Generated"])
    g.connect(picture.inputs[0], upright.outputs[0])
    background = g.tree.nodes["Background"]
    g.connect(background.inputs[0], picture.outputs[0])
    background.inputs[1].default_value = ROOM_STRENGTH


def _add_area(
    name: str,
    place: tuple[float, float, float],
    target: tuple[float, float, float],
    watts: float,
    size: float,
    colour: tuple[float, float, float],
) -> None:
    light = bpy.data.lights.new(name, "AREA")
    light.energy, light.size, light.color = watts, size, colour
    thing = bpy.data.objects.new(name, light)
    thing.location = place
    thing.rotation_euler = (Vector(target) - thing.location).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(thing)


def _set_cycles(samples: int) -> None:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.use_persistent_data = True
    scene.render.hair_type = "STRIP"
    scene.render.image_settings.file_format = "PNG"
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_quality = "BALANCED"
    cycles.max_bounces = 3
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 2
    cycles.transparent_max_bounces = 4
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4
