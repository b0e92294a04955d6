"""The speaker as Blender objects: built once, then moved frame by frame."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

import materials
from dentition import tooth_rows
from eyeball import eye_picture, eyeball_mesh
from hair import grow_hair
from head import Head, eye_matrix, triangles, vertex_normals
from strands import Brows, Lashes

BODY_BELOW_Y, BODY_HALF_WIDTH = 0.46, 0.20
SHIRT_BELOW_Y, SHIRT_HALF_WIDTH = 0.36, 0.245
SHIRT_OFFSET = 0.0045
SKIN_PIXELS = 4096
MASKS = ("lips", "eyelids", "ears", "inside-mouth")


def add_mesh(
    name: str,
    vertices: np.ndarray,
    faces: list[list[int]],
    material: bpy.types.Material,
    corner_uv: np.ndarray | None = None,
    rest: np.ndarray | None = None,
    subdivisions: int = 0,
) -> bpy.types.Object:
    """Link a smooth-shaded mesh; `rest` becomes a point attribute for the shaders."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.asarray(vertices).tolist(), [], faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    if corner_uv is not None:
        layer = mesh.uv_layers.new(name="UV")
        layer.data.foreach_set("uv", np.asarray(corner_uv, np.float32).ravel())
    if rest is not None:
        attribute = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
        attribute.data.foreach_set("vector", np.asarray(rest, np.float32).ravel())
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    if subdivisions:
        modifier = thing.modifiers.new("smooth", "SUBSURF")
        modifier.levels = modifier.render_levels = subdivisions
    return thing


def move_mesh(thing: bpy.types.Object, vertices: np.ndarray) -> None:
    thing.data.vertices.foreach_set("co", np.asarray(vertices, np.float32).ravel())
    thing.data.update()


def add_curves(name: str, points: np.ndarray, radii: np.ndarray, material: bpy.types.Material) -> bpy.types.Object:
    """Link hair curves [S, P, 3] with radii [S, P]."""
    curves = bpy.data.hair_curves.new(name)
    curves.add_curves([points.shape[1]] * len(points))
    curves.points.foreach_set("position", points.astype(np.float32).ravel())
    curves.points.foreach_set("radius", radii.astype(np.float32).ravel())
    curves.materials.append(material)
    thing = bpy.data.objects.new(name, curves)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def move_curves(thing: bpy.types.Object, points: np.ndarray) -> None:
    thing.data.points.foreach_set("position", points.astype(np.float32).ravel())
    thing.data.update_tag()


def submesh(faces: list[list[int]]) -> tuple[np.ndarray, list[list[int]]]:
    """Used vertex numbers and the faces renumbered onto them."""
    used = np.array(sorted({i for face in faces for i in face}))
    place = {int(i): k for k, i in enumerate(used)}
    return used, [[place[i] for i in face] for face in faces]


class Actor:
    """Body, eyes, teeth, tongue, shirt, lashes, brows and hair of one head."""

    def __init__(self, head: Head, hair_strands: int = 14_000) -> None:
        self.head = head
        self._add_body()
        self._add_eyes()
        self._add_mouth()
        self._add_shirt()
        self._add_strands(hair_strands)

    def _add_body(self) -> None:
        mesh, rest = self.head.mesh, self.head.rest
        chosen = [
            k
            for k, (face, group) in enumerate(zip(mesh.faces, mesh.groups, strict=True))
            if group == "body" and rest[face, 1].min() > BODY_BELOW_Y and np.abs(rest[face, 0]).max() < BODY_HALF_WIDTH
        ]
        self.body_ids, self.body_faces = submesh([mesh.faces[k] for k in chosen])
        uv = mesh.texture_points[[t for k in chosen for t in mesh.face_texture_points[k]]]
        masks = {name: self.head.data.mask_path(name) for name in MASKS}
        local = rest[self.body_ids]
        paint = materials.skin_paint(masks)
        self.body = add_mesh("body", local, self.body_faces, paint, uv, local, 1)
        self.body.data.materials[0] = materials.skin(materials.bake(self.body, SKIN_PIXELS))

    def _add_eyes(self) -> None:
        vertices, faces, uv = eyeball_mesh()
        material = materials.eye(eye_picture())
        self.eyes = [add_mesh("eye", vertices * eye.radius * 0.995, faces, material, uv) for eye in self.head.eyes]

    def _add_mouth(self) -> None:
        enamel, gum = materials.enamel(), materials.gum()
        self.upper_jaw, self.lower_jaw = (
            [
                add_mesh("teeth", row.crowns, row.crown_faces, enamel),
                add_mesh("gum", row.gum, row.gum_faces, gum),
            ]
            for row in tooth_rows(self.head.rest)
        )
        self.tongue_ids, faces = submesh(self.head.mesh.faces_of("helper-tongue"))
        local = self.head.rest[self.tongue_ids]
        self.tongue = add_mesh("tongue", local, faces, materials.tongue(), subdivisions=1)

    def _add_shirt(self) -> None:
        """The base mesh's close-fitting helper below a slanted collar plane, pushed out."""
        rest = self.head.rest
        faces = []
        for face in self.head.mesh.faces_of("helper-tights"):
            inside = rest[face, 1].min() > SHIRT_BELOW_Y
            inside &= np.abs(rest[face, 0]).max() < SHIRT_HALF_WIDTH
            centre = rest[face].mean(0)
            # a scoop in front and behind: a high back would show its dark inside
            slope = 0.42 if centre[2] > 0 else -0.40
            if inside and centre[1] < 0.541 - slope * centre[2]:
                faces.append(face)
        used, faces = submesh(faces)
        local = rest[used]
        normals = vertex_normals(local, triangles(faces))
        folds = 0.0015 * np.sin(60 * local[:, 0] + 25 * local[:, 1])
        folds *= np.clip((0.50 - local[:, 1]) * 12, 0, 1)
        pushed = local + normals * (SHIRT_OFFSET + folds)[:, None]
        shirt = add_mesh("shirt", pushed, faces, materials.cloth(), rest=local)
        thick = shirt.modifiers.new("thick", "SOLIDIFY")
        thick.thickness, thick.offset = 0.0035, 1
        smooth = shirt.modifiers.new("smooth", "SUBSURF")
        smooth.levels = smooth.render_levels = 2

    def _add_strands(self, count: int) -> None:
        head = self.head
        self.lash_rig, self.brow_rig = Lashes(head), Brows(head)
        lash, brow, scalp = (
            materials.hair("lash", 0.97, 0.30, 0.30),
            materials.hair("brow", 0.74, 0.40, 0.35),
            materials.hair("hair", 0.84, 0.34, 0.32),
        )
        self.lashes = add_curves("lash", self.lash_rig.points(head.rest), self.lash_rig.radii, lash)
        brow_points = self.brow_rig.points(head.rest, np.eye(3))
        self.brows = add_curves("brow", brow_points, self.brow_rig.radii, brow)
        strands, radii = grow_hair(head.rest[self.body_ids], self.body_faces, count)
        self.hair = add_curves("hair", strands, radii, scalp)

    def pose(self, units: dict[str, float], rotation: np.ndarray, gaze: np.ndarray) -> None:
        """Move everything to one frame (weights, rad, rad); the shirt keeps still."""
        head = self.head
        expressed = head.express(units)
        vertices, head_matrix = head.pose(expressed, rotation)
        move_mesh(self.body, vertices[self.body_ids])
        move_mesh(self.tongue, vertices[self.tongue_ids])
        move_curves(self.lashes, self.lash_rig.points(vertices))
        move_curves(self.brows, self.brow_rig.points(vertices, head_matrix[:3, :3]))
        for thing, eye in zip(self.eyes, head.eyes, strict=True):
            thing.matrix_world = Matrix((head_matrix @ eye_matrix(eye, gaze)).tolist())
        skull = Matrix(head_matrix.tolist())
        jaw = Matrix((head_matrix @ head.jaw_matrix(expressed)).tolist())
        self.hair.matrix_world = skull
        for thing in self.upper_jaw:
            thing.matrix_world = skull
        for thing in self.lower_jaw:
            thing.matrix_world = jaw
