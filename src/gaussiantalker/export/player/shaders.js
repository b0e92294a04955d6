// The passes of a picture: the torso is laid down, the Gaussians are moved, projected, and drawn over it, and all is shown.

import { MOST_BASES } from "./avatar.js";

export const ROW = 128; // Gaussians in a row of the textures

const COMMON = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;
`;

export const EVERYWHERE = `${COMMON}
void main() {
  gl_Position = vec4(vec2(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1), 0, 1);
}`;

/** A pixel for each Gaussian: blendshapes, colour, and what is seen of it, as docs/splatting.md has it.
 *
 * `still`: layers of halves: quaternions; log scales and the opacity's logit; four of reach; harmonics. */
export const MOVE = (degree) => `${COMMON}
uniform int count, moving, bases;
uniform bool matte;    // whether Gaussians that are the background's are left out
uniform float coefficients[${MOST_BASES}];
uniform mat4 view;     // head to camera
uniform vec3 eye;      // where the camera is, in the head's frame
uniform vec3 camera;   // focal, cx, cy in pixels of the picture that is drawn
uniform vec2 size;     // of that picture
uniform float blur;    // square pixels
uniform sampler2D places;
uniform sampler2DArray still, shapes;
layout(location = 0) out vec4 seen;    // centre in pixels, opacity, how many deviations it reaches
layout(location = 1) out vec4 colour;
layout(location = 2) out vec4 axes;    // two edges of a deviation, in pixels

const float NEAR = 0.01, MIN_ALPHA = 1.0 / 255.0, MARGIN = 0.15;
${harmonics(degree)}

void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  int number = at.y * ${ROW} + at.x;
  vec4 found = texelFetch(places, at, 0);  // the last number: whether it is the background's
  vec3 place = found.xyz;
  vec4 turn = texelFetch(still, ivec3(at, 0), 0);
  vec4 rest = texelFetch(still, ivec3(at, 1), 0);
  vec3 moved = vec3(0);
  if (number < moving) {
    vec4 a = vec4(0), b = vec4(0), c = vec4(0), d = vec4(0);
    for (int k = 0; k < bases; k++) {
      float much = coefficients[k];
      a += much * texelFetch(shapes, ivec3(at, 4 * k), 0);
      b += much * texelFetch(shapes, ivec3(at, 4 * k + 1), 0);
      c += much * texelFetch(shapes, ivec3(at, 4 * k + 2), 0);
      d += much * texelFetch(shapes, ivec3(at, 4 * k + 3), 0);
    }
    a *= texelFetch(still, ivec3(at, 2), 0);
    b *= texelFetch(still, ivec3(at, 3), 0);
    c *= texelFetch(still, ivec3(at, 4), 0);
    d *= texelFetch(still, ivec3(at, 5), 0);
    place += a.xyz;
    rest.xyz += vec3(a.w, b.xy);
    turn += vec4(b.zw, c.xy);
    rest.w += c.z;
    moved = vec3(c.w, d.xy);
  }
  vec3 sum = vec3(0.5) + moved;
  shade(sum, at, normalize(place - eye));
  float opacity = 1.0 / (1.0 + exp(-rest.w));
  vec3 p = (view * vec4(place, 1)).xyz;
  bool hidden = number >= count || p.z < NEAR || opacity < MIN_ALPHA || (matte && found.w > 0.5);
  if (hidden) p = vec3(0, 0, 1);

  vec4 q = normalize(turn);  // w x y z
  mat3 r = mat3(
    1.0 - 2.0 * (q.z * q.z + q.w * q.w), 2.0 * (q.y * q.z + q.x * q.w), 2.0 * (q.y * q.w - q.x * q.z),
    2.0 * (q.y * q.z - q.x * q.w), 1.0 - 2.0 * (q.y * q.y + q.w * q.w), 2.0 * (q.z * q.w + q.x * q.y),
    2.0 * (q.y * q.w + q.x * q.z), 2.0 * (q.z * q.w - q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z));
  vec3 s = exp(rest.xyz);
  mat3 principal = mat3(view) * r * mat3(s.x, 0, 0, 0, s.y, 0, 0, 0, s.z);
  vec2 centre = p.xy / p.z;
  vec2 low = (-camera.yz - MARGIN * size) / camera.x, high = (size - camera.yz + MARGIN * size) / camera.x;
  vec2 held = clamp(centre, low, high);
  mat3 rows = transpose(principal);
  vec3 u = camera.x / p.z * (rows[0] - held.x * rows[2]);
  vec3 v = camera.x / p.z * (rows[1] - held.y * rows[2]);
  float uu = dot(u, u), uv = dot(u, v), vv = dot(v, v);
  vec3 across = cross(u, v);  // Lagrange's identity: xx yy - xy xy would cancel
  float area = dot(across, across) + blur * (uu + vv) + blur * blur;
  float first = sqrt(uu + blur);
  seen = vec4(camera.x * centre + camera.yz, opacity, hidden ? 0.0 : sqrt(2.0 * log(opacity / MIN_ALPHA)));
  colour = vec4(max(sum, 0.0), 1);
  axes = vec4(first, uv / first, 0, sqrt(area) / first);
}`;

/** Four corners for each Gaussian: not instances, of which software and many graphics cards make heavy weather. */
export const DRAW = `${COMMON}
uniform vec2 size;
uniform sampler2D seenOf, colourOf, axesOf;
uniform highp usampler2D order;
flat out vec4 colour;
out vec2 deviation;
void main() {
  int corner = gl_VertexID & 3, turn = gl_VertexID >> 2;
  int number = int(texelFetch(order, ivec2(turn % ${ROW}, turn / ${ROW}), 0).r);
  ivec2 at = ivec2(number % ${ROW}, number / ${ROW});
  vec4 seen = texelFetch(seenOf, at, 0), axes = texelFetch(axesOf, at, 0);
  colour = vec4(texelFetch(colourOf, at, 0).rgb, seen.z);
  deviation = seen.w * vec2(corner & 1, corner >> 1) * 2.0 - seen.w;
  vec2 pixel = seen.xy + axes.xy * deviation.x + axes.zw * deviation.y;
  gl_Position = vec4(2.0 * pixel.x / size.x - 1.0, 1.0 - 2.0 * pixel.y / size.y, 0, 1);
}`;

export const SPLAT = `${COMMON}
flat in vec4 colour;
in vec2 deviation;
out vec4 drawn;
void main() {
  float alpha = min(0.999, colour.a * exp(-0.5 * dot(deviation, deviation)));
  if (alpha < 1.0 / 255.0) discard;
  drawn = vec4(colour.rgb * alpha, alpha);
}`;

/** The torso: a texture and shades of it, found where the flow leads (docs/torso.md). */
export const TORSO = `${COMMON}
uniform float weights[${MOST_BASES}];  // of the shades
uniform int count;
uniform vec2 size, picture;            // that is drawn, and the one the avatar was trained for
uniform vec2 origin;                   // the texture's margin, and the first row of the picture with a body
uniform sampler2D flow, colours;
uniform sampler2DArray shades;
out vec4 drawn;
vec2 led(ivec2 at) {
  return texelFetch(flow, at, 0).rg;
}
void main() {
  vec2 pixel = vec2(gl_FragCoord.x, size.y - gl_FragCoord.y) * picture / size - vec2(0.5, 0.5 + origin.y);
  if (pixel.y < -0.5) discard;
  ivec2 last = textureSize(flow, 0) - 1;
  vec2 cell = clamp(pixel / (picture - vec2(1, 1.0 + origin.y)), 0.0, 1.0) * vec2(last), share = fract(cell);
  ivec2 a = ivec2(cell), b = min(a + 1, last);
  vec2 moved = mix(mix(led(a), led(ivec2(b.x, a.y)), share.x), mix(led(ivec2(a.x, b.y)), led(b), share.x), share.y);
  vec2 texels = vec2(textureSize(colours, 0)), coarse = vec2(textureSize(shades, 0).xy);
  vec2 place = clamp((pixel + vec2(origin.x, 0) + moved) / (texels - 1.0), 0.0, 1.0);
  drawn = texture(colours, (place * (texels - 1.0) + 0.5) / texels);
  vec2 at = (place * (coarse - 1.0) + 0.5) / coarse;
  for (int k = 0; k < count; k += 1) drawn.rgb += weights[k] * textureLod(shades, vec3(at, k), 0.0).rgb;
  drawn.rgb = clamp(drawn.rgb, 0.0, drawn.a);
}`;

/** The sum of all, with the mark that says who made it (docs/provenance.md) where something is seen. */
export const SHOW = `${COMMON}
uniform vec2 grain;    // pixels of the picture that the mark knows, for one of this
uniform float height;  // of this picture
uniform vec2 levels;   // what alpha counts as nothing, and what as all
uniform sampler2D drawing, mark;
out vec4 shown;
void main() {
  vec4 sum = clamp(texelFetch(drawing, ivec2(gl_FragCoord.xy), 0), 0.0, 1.0);
  sum *= clamp((sum.a - levels.x) / (levels.y - levels.x), 0.0, 1.0) / max(sum.a, 1e-3);
  ivec2 at = ivec2(vec2(gl_FragCoord.x, height - gl_FragCoord.y) * grain) % textureSize(mark, 0);
  shown = vec4(clamp(sum.rgb + sum.a * texelFetch(mark, at, 0).r * 127.0 / 255.0, 0.0, sum.a), sum.a);
}`;

/** `shade` adds what the real harmonics of Sloan 2013, signed as in 3DGS, give in a direction. */
function harmonics(degree) {
  const third = Math.sqrt(1 / (4 * Math.PI));
  const terms = [
    [third, "1.0"],
    [-Math.sqrt(3 / (4 * Math.PI)), "d.y"],
    [Math.sqrt(3 / (4 * Math.PI)), "d.z"],
    [-Math.sqrt(3 / (4 * Math.PI)), "d.x"],
    [Math.sqrt(15 / (4 * Math.PI)), "d.x * d.y"],
    [-Math.sqrt(15 / (4 * Math.PI)), "d.y * d.z"],
    [Math.sqrt(5 / (16 * Math.PI)), "(2.0 * s.z - s.x - s.y)"],
    [-Math.sqrt(15 / (4 * Math.PI)), "d.x * d.z"],
    [Math.sqrt(15 / (16 * Math.PI)), "(s.x - s.y)"],
    [-Math.sqrt(35 / (32 * Math.PI)), "d.y * (3.0 * s.x - s.y)"],
    [Math.sqrt(105 / (4 * Math.PI)), "d.x * d.y * d.z"],
    [-Math.sqrt(21 / (32 * Math.PI)), "d.y * (4.0 * s.z - s.x - s.y)"],
    [Math.sqrt(7 / (16 * Math.PI)), "d.z * (2.0 * s.z - 3.0 * s.x - 3.0 * s.y)"],
    [-Math.sqrt(21 / (32 * Math.PI)), "d.x * (4.0 * s.z - s.x - s.y)"],
    [Math.sqrt(105 / (16 * Math.PI)), "d.z * (s.x - s.y)"],
    [-Math.sqrt(35 / (32 * Math.PI)), "d.x * (s.x - 3.0 * s.y)"],
  ].slice(0, (degree + 1) ** 2);
  const lines = terms.map(
    ([factor, term], i) => `  sum += ${factor.toFixed(12)} * ${term} * texelFetch(still, ivec3(at, ${6 + i}), 0).rgb;`,
  );
  return `void shade(inout vec3 sum, ivec2 at, vec3 d) {\n  vec3 s = d * d;\n${lines.join("\n")}\n}`;
}
