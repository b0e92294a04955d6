// Reading safetensors files: a header in JSON, then the numbers.

/** The tensors of a file, Float32Array by name (16-bit ones are widened), its shapes, and its metadata. */
export function readTensors(buffer) {
  const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  const { __metadata__: metadata, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  const tensors = {};
  for (const [name, { dtype, data_offsets }] of Object.entries(entries)) {
    const bytes = buffer.slice(start + data_offsets[0], start + data_offsets[1]);
    if (dtype !== "F32" && dtype !== "F16") throw new Error(`The tensor ${name} holds numbers of the kind ${dtype}.`);
    tensors[name] = dtype === "F32" ? new Float32Array(bytes) : widened(new Uint16Array(bytes));
  }
  return { tensors, metadata };
}

/** Half-precision numbers (IEEE 754 binary16) in single precision: looked up, since there are millions of them. */
function widened(halves) {
  const every = new Float32Array(65536);
  for (let bits = 0; bits < every.length; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
    every[bits] = bits & 0x8000 ? -size : size; // no weight is infinite
  }
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) out[i] = every[halves[i]];
  return out;
}
