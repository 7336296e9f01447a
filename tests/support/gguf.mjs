// Writes GGUF files: whole numbers are u32, other numbers f32, lists are of texts, floats or i32 by `of`.
const [u32, i32, f32, bool, string, array] = [4, 5, 6, 7, 8, 9];
const alignment = 32;

const sized = (bytes, write, value) => {
  const out = Buffer.alloc(bytes);
  out[write](value);
  return out;
};
const writers = {
  [u32]: (value) => sized(4, 'writeUInt32LE', value),
  [i32]: (value) => sized(4, 'writeInt32LE', value),
  [f32]: (value) => sized(4, 'writeFloatLE', value),
  [bool]: (value) => Buffer.from([value ? 1 : 0]),
  [string]: (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]),
};
const u64 = (value) => sized(8, 'writeBigUInt64LE', BigInt(value));
const text = writers[string];
const number = writers[u32];

function kindOf(value) {
  if (typeof value === 'string') return string;
  if (typeof value === 'boolean') return bool;
  return Number.isInteger(value) ? u32 : f32;
}

export const floats = (values) => ({ kind: f32, values });
export const integers = (values) => ({ kind: i32, values });
export const texts = (values) => ({ kind: string, values });

function pair([name, value]) {
  if (typeof value !== 'object') {
    const kind = kindOf(value);
    return Buffer.concat([text(name), number(kind), writers[kind](value)]);
  }
  const { kind, values } = value;
  const head = [text(name), number(array), number(kind), u64(values.length)];
  return Buffer.concat([...head, ...values.map(writers[kind])]);
}

const missing = (length) => (alignment - (length % alignment)) % alignment;
const pad = (bytes) => Buffer.concat([bytes, Buffer.alloc(missing(bytes.length))]);

// `pairs`: {key: value}; `tensors`: {name: {shape, data: Float32Array}}.
export function gguf(pairs, tensors) {
  const infos = [];
  const data = [];
  let offset = 0;
  for (const [name, { shape, data: values }] of Object.entries(tensors)) {
    infos.push(text(name), number(shape.length), ...shape.map(u64), number(0), u64(offset));
    data.push(pad(Buffer.from(values.buffer)));
    offset += data.at(-1).length;
  }
  const entries = Object.entries(pairs);
  const counts = [number(3), u64(Object.keys(tensors).length), u64(entries.length)];
  return Buffer.concat([
    pad(Buffer.concat([Buffer.from('GGUF'), ...counts, ...entries.map(pair), ...infos])), ...data,
  ]);
}

// Numbers between -1 and 1 that are the same each time.
export function drawing(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
