// Reading safetensors files: a header in JSON, then the numbers.

export const KINDS = { F32: Float32Array, F16: Uint16Array, I8: Int8Array, U8: Uint8Array };
let every; // half-precision number, once they are wanted

/** The tensors of a file by name, each `{shape, data}`, and its metadata; F16 stays as its 16 bits. */
export function readTensors(buffer) {
  const begin = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, begin - 8)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [start, end] }] of Object.entries(entries)) {
    const data = new KINDS[dtype](buffer.slice(begin + start, begin + end));
    if (data.length !== shape.reduce((product, size) => product * size, 1)) throw new Error(name);
    tensors[name] = { shape, data };
  }
  return { tensors, metadata };
}

/** What 16 bits each of half-precision numbers (IEEE 754 binary16) stand for: looked up, since there are millions. */
export function halves(bits) {
  every ??= Float32Array.from({ length: 65536 }, (_, half) => {
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    return half & 0x8000 ? -size : size; // none is infinite
  });
  return Float32Array.from(bits, (half) => every[half]);
}
