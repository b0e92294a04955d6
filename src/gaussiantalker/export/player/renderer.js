// Pictures of an avatar in a canvas, by WebGL2: the torso, before it the head, before nothing, with premultiplied alpha.

import { TalkingHeadError, placesOf } from "./avatar.js";
import { DRAW, EVERYWHERE, MOVE, ROW, SHOW, SPLAT, TORSO } from "./shaders.js";

const BLUR = 0.3; // square pixels of the picture the avatar was trained for
const LEVELS = { true: [0.2, 0.9], false: [0, 1] }; // of alpha, with a matte: a thinner rim, and no light through cloth

/** Draws into a canvas; `scale` pixels of it are one of the avatar's own. */
export class Renderer {
  #gl;
  #camera;
  #programs = new Map();
  #head;
  #torso;
  #size = [0, 0];
  #drawing = null;
  #mark;
  #fence = null;

  constructor(canvas, { facts, tensors }) {
    this.#camera = facts.camera;
    const gl = canvas.getContext("webgl2", { alpha: true, premultipliedAlpha: true, antialias: false, depth: false });
    if (!gl?.getExtension("EXT_color_buffer_float")) {
      throw new TalkingHeadError("webgl", "This browser or its graphics driver cannot draw the avatar: it needs WebGL2.");
    }
    this.#gl = gl;
    gl.bindVertexArray(gl.createVertexArray());
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    this.#head = this.#gaussians(tensors, "head", facts.head.moved);
    this.#torso = this.#body(tensors, facts.torso);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, corners(this.#head.count), gl.STATIC_DRAW);
    const { data, shape: [rows, columns] } = tensors.watermark;
    this.#mark = this.#texture(gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8_SNORM, columns, rows, 0, gl.RED, gl.BYTE, data);
  }

  /** Whether the last picture is still in the making: another would only wait in the queue. */
  get busy() {
    const gl = this.#gl;
    if (this.#fence && gl.clientWaitSync(this.#fence, 0, 0) === gl.TIMEOUT_EXPIRED) return true;
    gl.deleteSync(this.#fence);
    this.#fence = null;
    return false;
  }

  get lost() {
    return this.#gl.isContextLost();
  }

  /** One picture. `head`: coefficients; `torso`: its code; `pose`: 12 numbers of [3, 4], head to camera; `order`: numbers of
   * the head's Gaussians, far ones first; `matte`: for another background than the avatar's own. */
  draw({ head, torso, pose, order, scale = 1, matte = false }) {
    const gl = this.#gl;
    this.#resize(Math.round(this.#camera.width * scale), Math.round(this.#camera.height * scale));
    this.#move(this.#head, head, pose, scale, matte);
    this.#arrange(this.#head, order);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#drawing.buffer);
    gl.viewport(0, 0, ...this.#size);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.#layTorso(torso);
    this.#lay(this.#head);
    gl.disable(gl.BLEND);
    this.#show(matte);
    gl.deleteSync(this.#fence);
    this.#fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
  }

  /** The picture drawn last, in the same task: premultiplied RGBA, the top row first. */
  read() {
    const gl = this.#gl;
    const [width, height] = this.#size;
    const pixels = new Uint8Array(4 * width * height);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const rows = Array.from({ length: height }, (_, y) => pixels.subarray(4 * width * y, 4 * width * (y + 1)));
    const out = new Uint8Array(pixels.length);
    rows.reverse().forEach((row, y) => out.set(row, 4 * width * y));
    return out;
  }

  close() {
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  #move(gaussians, coefficients, pose, scale, matte) {
    const gl = this.#gl;
    const use = this.#program(EVERYWHERE, MOVE(gaussians.degree));
    const { focal, cx, cy } = this.#camera;
    gl.uniform1i(use.count, gaussians.count);
    gl.uniform1i(use.moving, gaussians.moving);
    gl.uniform1i(use.bases, coefficients.length);
    gl.uniform1i(use.matte, Number(matte));
    gl.uniform1fv(use["coefficients[0]"], coefficients);
    gl.uniformMatrix4fv(use.view, true, [...pose, 0, 0, 0, 1]);
    gl.uniform3f(use.eye, ...eye(pose));
    gl.uniform3f(use.camera, focal * scale, cx * scale, cy * scale);
    gl.uniform2f(use.size, ...this.#size);
    gl.uniform1f(use.blur, BLUR * scale * scale);
    this.#bind(use.places, 0, gl.TEXTURE_2D, gaussians.places);
    this.#bind(use.still, 1, gl.TEXTURE_2D_ARRAY, gaussians.still);
    this.#bind(use.shapes, 2, gl.TEXTURE_2D_ARRAY, gaussians.shapes);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gaussians.seen.buffer);
    gl.viewport(0, 0, ROW, gaussians.rows);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #layTorso(code) {
    const gl = this.#gl;
    const { flow, grid, scale, origin, colours, shades, led } = this.#torso;
    const modes = code.subarray(0, code.length - scale.length);
    const summed = flow.slice(0, 2 * grid[0] * grid[1]);
    modes.forEach((weight, k) => {
      summed.forEach((_, i) => { summed[i] += weight * flow[(k + 1) * summed.length + i]; });
    });
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, led);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32F, grid[1], grid[0], 0, gl.RG, gl.FLOAT, summed);
    const use = this.#program(EVERYWHERE, TORSO);
    gl.uniform1fv(use["weights[0]"], scale.map((step, k) => (code[modes.length + k] * step * 127) / 255));
    gl.uniform1i(use.count, scale.length);
    gl.uniform2f(use.size, ...this.#size);
    gl.uniform2f(use.picture, this.#camera.width, this.#camera.height);
    gl.uniform2f(use.origin, ...origin);
    this.#bind(use.flow, 0, gl.TEXTURE_2D, led);
    this.#bind(use.colours, 1, gl.TEXTURE_2D, colours);
    this.#bind(use.shades, 2, gl.TEXTURE_2D_ARRAY, shades);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #lay(gaussians) {
    const gl = this.#gl;
    const use = this.#program(DRAW, SPLAT);
    gl.uniform2f(use.size, ...this.#size);
    gaussians.seen.textures.forEach((texture, unit) => {
      this.#bind(use[["seenOf", "colourOf", "axesOf"][unit]], unit, gl.TEXTURE_2D, texture);
    });
    this.#bind(use.order, 3, gl.TEXTURE_2D, gaussians.order);
    gl.drawElements(gl.TRIANGLES, 6 * gaussians.count, gl.UNSIGNED_INT, 0);
  }

  /** Says in which order they are drawn. */
  #arrange({ order: texture, rows }, order) {
    const gl = this.#gl;
    const whole = new Uint32Array(ROW * rows);
    whole.set(order);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32UI, ROW, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_INT, whole);
  }

  #show(matte) {
    const gl = this.#gl;
    const use = this.#program(EVERYWHERE, SHOW);
    const [width, height] = this.#size;
    gl.uniform2f(use.grain, this.#camera.width / width, this.#camera.height / height);
    gl.uniform1f(use.height, height);
    gl.uniform2f(use.levels, ...LEVELS[matte]);
    this.#bind(use.drawing, 0, gl.TEXTURE_2D, this.#drawing.textures[0]);
    this.#bind(use.mark, 1, gl.TEXTURE_2D, this.#mark);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  #resize(width, height) {
    if (this.#size[0] === width && this.#size[1] === height) return;
    const gl = this.#gl;
    this.#size = [width, height];
    Object.assign(gl.canvas, { width, height });
    if (this.#drawing) {
      gl.deleteTexture(this.#drawing.textures[0]);
      gl.deleteFramebuffer(this.#drawing.buffer);
    }
    this.#drawing = this.#target(width, height, 1, gl.RGBA16F);
  }

  /** A set of Gaussians in textures, and where they are put when they have moved. */
  #gaussians(tensors, name, moved) {
    const gl = this.#gl;
    const of = (part) => tensors[`${name}.${part}`];
    const [count] = of("means").shape;
    const [bases, moving] = of("bases").shape;
    const functions = of("sh").shape[1];
    const rows = Math.ceil(count / ROW);
    const layer = 4 * ROW * rows;
    const columns = placesOf(moved);

    const places = new Float32Array(layer);
    spread(places, 0, of("means").data, 3);
    of("strangers").data.forEach((value, g) => { places[4 * g + 3] = value; });
    const still = new Uint16Array(layer * (6 + functions));
    spread(still, 0, of("quats").data, 4);
    spread(still, layer, of("log_scales").data, 3);
    of("opacity_logits").data.forEach((value, g) => { still[layer + 4 * g + 3] = value; });
    widen(still, 2 * layer, layer, of("reach").data, columns);
    for (let i = 0; i < functions; i += 1) spread(still, layer * (6 + i), of("sh").data, 3, 3 * i, 3 * functions);
    const shapes = new Int8Array(layer * 4 * bases);
    const each = moving * columns.length;
    for (let k = 0; k < bases; k += 1) {
      widen(shapes, 4 * k * layer, layer, of("bases").data.subarray(k * each, (k + 1) * each), columns);
    }

    const set = {
      count, moving, rows,
      order: this.#texture(gl.TEXTURE_2D),
      degree: Math.round(Math.sqrt(functions)) - 1,
      places: this.#filled(rows, gl.RGBA32F, gl.FLOAT, places),
      still: this.#layers(rows, 6 + functions, gl.RGBA16F, gl.HALF_FLOAT, still),
      shapes: this.#layers(rows, 4 * bases, gl.RGBA8_SNORM, gl.BYTE, shapes),
      seen: this.#target(ROW, rows, 3, gl.RGBA32F),
    };
    this.#arrange(set, Uint32Array.from({ length: count }, (_, g) => g));
    return set;
  }

  /** A torso in textures. */
  #body(tensors, { top, margin }) {
    const gl = this.#gl;
    const of = (part) => tensors[`torso.${part}`];
    const [, gridRows, gridColumns] = of("flow").shape;
    const { data: texels, shape: [height, width] } = of("texture");
    const { data: changes, shape: [count, rows, columns] } = of("shades");
    const colours = this.#texture(gl.TEXTURE_2D, gl.LINEAR);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, texels);
    const shades = this.#texture(gl.TEXTURE_2D_ARRAY, gl.LINEAR);
    gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, gl.RGB8_SNORM, columns, rows, count, 0, gl.RGB, gl.BYTE, changes);
    for (const kind of [gl.TEXTURE_2D_ARRAY, gl.TEXTURE_2D]) {
      gl.texParameteri(kind, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
      gl.texParameteri(kind, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    }
    const numbers = { flow: of("flow").data, grid: [gridRows, gridColumns], scale: of("shade_scale").data, origin: [margin, top] };
    return { ...numbers, colours, shades, led: this.#texture(gl.TEXTURE_2D) };
  }

  #filled(rows, format, type, data) {
    const gl = this.#gl;
    const texture = this.#texture(gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, format, ROW, rows, 0, gl.RGBA, type, data);
    return texture;
  }

  #layers(rows, layers, format, type, data) {
    const gl = this.#gl;
    const texture = this.#texture(gl.TEXTURE_2D_ARRAY);
    gl.texImage3D(gl.TEXTURE_2D_ARRAY, 0, format, ROW, rows, layers, 0, gl.RGBA, type, data);
    return texture;
  }

  #texture(kind, filter = this.#gl.NEAREST) {
    const gl = this.#gl;
    const texture = gl.createTexture();
    gl.bindTexture(kind, texture);
    gl.texParameteri(kind, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(kind, gl.TEXTURE_MAG_FILTER, filter);
    return texture;
  }

  #target(width, height, count, format) {
    const gl = this.#gl;
    const buffer = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    const textures = Array.from({ length: count }, (_, i) => {
      const texture = this.#texture(gl.TEXTURE_2D);
      gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, gl.TEXTURE_2D, texture, 0);
      return texture;
    });
    gl.drawBuffers(textures.map((_, i) => gl.COLOR_ATTACHMENT0 + i));
    return { buffer, textures };
  }

  #bind(sampler, unit, kind, texture) {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(kind, texture);
    gl.uniform1i(sampler, unit);
  }

  /** Uses a program, which is made once, and gives where its uniforms are. */
  #program(vertex, fragment) {
    const gl = this.#gl;
    const key = vertex + fragment;
    if (!this.#programs.has(key)) this.#programs.set(key, this.#compile(vertex, fragment));
    const { program, uniforms } = this.#programs.get(key);
    gl.useProgram(program);
    return uniforms;
  }

  #compile(vertex, fragment) {
    const gl = this.#gl;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
        throw new TalkingHeadError("webgl", `This browser's graphics driver refuses to draw the avatar: ${gl.getShaderInfoLog(shader)}`);
      }
    }
    gl.linkProgram(program);
    const uniforms = {};
    for (let i = 0; i < gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS); i += 1) {
      const { name } = gl.getActiveUniform(program, i);
      uniforms[name] = gl.getUniformLocation(program, name);
    }
    return { program, uniforms };
  }
}

/** Two triangles for each four corners. */
function corners(count) {
  return Uint32Array.from({ length: 6 * count }, (_, i) => 4 * Math.floor(i / 6) + [0, 1, 2, 2, 1, 3][i % 6]);
}

/** Where the camera of a pose [3, 4] is in the head's frame. */
function eye(p) {
  return [0, 1, 2].map((i) => -(p[i] * p[3] + p[4 + i] * p[7] + p[8 + i] * p[11]));
}

/** Copies `width` numbers for each Gaussian into texels of four. */
function spread(out, at, values, width, from = 0, stride = width) {
  for (let g = 0, read = from; read + width <= values.length; g += 1, read += stride) {
    for (let i = 0; i < width; i += 1) out[at + 4 * g + i] = values[read + i];
  }
}

/** Copies numbers [M, columns] into four layers of texels, each to its place among sixteen. */
function widen(out, at, layer, values, columns) {
  const count = values.length / columns.length;
  columns.forEach((place, column) => {
    const start = at + (place >> 2) * layer + (place & 3);
    for (let g = 0; g < count; g += 1) out[start + 4 * g] = values[g * columns.length + column];
  });
}
