// The matrix products of hearing, in WebAssembly with vectors of four floats. The module is small enough to be written
// down here, instruction by instruction (WebAssembly Core Specification 2.0, section 5).

export const ROWS = 4; // that are computed together; with their columns they fill the sixteen registers of most machines
export const COLUMNS = 8;
const UNROLLED = 4; // steps along a row in one turn of the innermost loop
const [I32, V128, NOTHING] = [0x7f, 0x7b, 0x40];

const number = (n) => (n < 64 ? [n] : [(n & 127) | 128, ...number(n >> 7)]); // LEB128, signed or not
const vector = (...instructions) => [0xfd, ...instructions];
const get = (local) => [0x20, local];
const set = (local, value) => [...value, 0x21, local];
const constant = (n) => [0x41, ...number(n)];
const plus = (a, b) => [...a, ...b, 0x6a];
const times = (a, b) => [...a, ...b, 0x6c];
const doubled = (a, times) => [...a, ...constant(times), 0x74];
const load = (address, offset = 0) => [...address, ...vector(0x00, 2, ...number(offset))];
const spread = (address, offset) => [...address, ...vector(0x09, 2, ...number(offset))]; // one float four times
const store = (address, offset, value) => [...address, ...value, ...vector(0x0b, 2, ...number(offset))];
const sum = (a, b) => [...a, ...b, ...vector(0xe4, 1)];
const product = (a, b) => [...a, ...b, ...vector(0xe6, 1)];
const whileLess = (a, b, body) => [0x03, NOTHING, ...body.flat(), ...a, ...b, 0x49, 0x0d, 0, 0x0b]; // body comes first

/** linear(x, step, w, b, y, rows, inner, outer): y [rows, outer] = x [rows, inner] w + b.
 *
 * Rows of x lie `step` bytes apart, so that those of a convolution may overlap. w comes in panels
 * [outer / COLUMNS, inner, COLUMNS]. rows must be a multiple of ROWS, inner of four, outer of COLUMNS. Addresses in
 * bytes. */
function linear() {
  const [x, step, w, b, y, rows, inner, outer, row, column, end, panel, out] = Array(13).keys();
  const starts = Array.from({ length: ROWS }, (_, r) => 13 + r);
  const [left, right, value] = [0, 1, 2].map((i) => 13 + ROWS + i);
  const sums = Array.from({ length: ROWS }, (_, r) => [16 + ROWS + 2 * r, 17 + ROWS + 2 * r]);
  const along = (u) => [
    set(left, load(get(panel), 4 * COLUMNS * u)),
    set(right, load(get(panel), 4 * COLUMNS * u + 16)),
    ...sums.flatMap(([first, second], r) => [
      set(value, spread(get(starts[r]), 4 * u)),
      set(first, sum(get(first), product(get(value), get(left)))),
      set(second, sum(get(second), product(get(value), get(right)))),
    ]),
  ];
  const turn = [
    ...Array.from({ length: UNROLLED }, (_, u) => along(u)).flat(),
    ...starts.map((start) => set(start, plus(get(start), constant(4 * UNROLLED)))),
    set(panel, plus(get(panel), constant(4 * COLUMNS * UNROLLED))),
  ];
  const tile = [
    ...starts.map((start, r) => set(start, plus(get(x), times(get(step), plus(get(row), constant(r)))))),
    ...sums.flatMap(([first, second]) => [set(first, load(get(b))), set(second, load(get(b), 16))]),
    set(panel, get(w)),
    set(end, plus(get(w), doubled(get(inner), 5))),
    whileLess(get(panel), get(end), turn),
    ...sums.flatMap(([first, second]) => [
      store(get(out), 0, get(first)),
      store(get(out), 16, get(second)),
      set(out, plus(get(out), doubled(get(outer), 2))),
    ]),
    set(row, plus(get(row), constant(ROWS))),
  ];
  const columns = [
    set(row, constant(0)),
    set(out, plus(get(y), doubled(get(column), 2))),
    whileLess(get(row), get(rows), tile),
    set(w, get(end)),
    set(b, plus(get(b), constant(4 * COLUMNS))),
    set(column, plus(get(column), constant(COLUMNS))),
  ];
  const locals = [2, 5 + ROWS, I32, 3 + 2 * ROWS, V128];
  return [...locals, ...whileLess(get(column), get(outer), columns), 0x0b];
}

/** The module: its memory, which grows as it is asked to, and `linear`. */
export async function products() {
  const text = (name) => [name.length, ...new TextEncoder().encode(name)];
  const section = (kind, content) => [kind, ...number(content.length), ...content];
  const body = linear();
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 8, ...Array(8).fill(I32), 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text("memory"), 2, 0, ...text("linear"), 0, 0]),
    ...section(10, [1, ...number(body.length), ...body]),
  ];
  const { instance } = await WebAssembly.instantiate(new Uint8Array(bytes));
  return instance.exports;
}
