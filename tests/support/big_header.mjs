// The header of a Llama of 70 billion parameters in Q4_K_M, as its GGUF begins: what a model needs is
// computed from that. Its tensors are never there.
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
const text = (s) => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
const F32 = 0, Q4_K = 12, Q6_K = 14;
// Bytes of 256 weights.
const blockBytes = { [F32]: 1024, [Q4_K]: 144, [Q6_K]: 210 };

const width = 8192, feed = 28672, heads = 64, kvHeads = 8, layers = 80, vocabulary = 128256;
const kvWidth = (width / heads) * kvHeads;

function tensors() {
  const all = [['token_embd.weight', [width, vocabulary], Q4_K], ['output_norm.weight', [width], F32],
    ['output.weight', [width, vocabulary], Q6_K]];
  for (let i = 0; i < layers; ++i) {
    const add = (name, shape, type) => all.push([`blk.${i}.${name}.weight`, shape, type]);
    add('attn_norm', [width], F32);
    add('ffn_norm', [width], F32);
    add('attn_q', [width, width], Q4_K);
    add('attn_k', [width, kvWidth], Q4_K);
    add('attn_v', [width, kvWidth], i % 2 ? Q6_K : Q4_K);
    add('attn_output', [width, width], Q4_K);
    add('ffn_gate', [width, feed], Q4_K);
    add('ffn_up', [width, feed], Q4_K);
    add('ffn_down', [feed, width], i % 2 ? Q6_K : Q4_K);
  }
  return all;
}

// {header, bytes}: the header, and how large the whole file is.
export function bigModel() {
  const number = (key, value) => Buffer.concat([text(key), u32(4), u32(value)]);
  const word = (key, value) => Buffer.concat([text(key), u32(8), text(value)]);
  const tokens = ['<unk>', '<s>', '</s>'];
  const list = (key, kind, values) => Buffer.concat(
    [text(key), u32(9), u32(kind), u64(values.length), ...values.map(kind === 8 ? text : u32)]);
  const pairs = [
    word('general.architecture', 'llama'), word('general.name', 'Meta Llama 3.1 70B Instruct'),
    number('general.file_type', 15), number('llama.block_count', layers),
    number('llama.context_length', 131072), number('llama.embedding_length', width),
    number('llama.feed_forward_length', feed), number('llama.attention.head_count', heads),
    number('llama.attention.head_count_kv', kvHeads), number('llama.rope.dimension_count', width / heads),
    number('llama.vocab_size', vocabulary), word('tokenizer.ggml.model', 'gpt2'),
    list('tokenizer.ggml.tokens', 8, tokens), list('tokenizer.ggml.token_type', 5, [2, 3, 3]),
  ];
  const infos = [];
  let at = 0;
  const all = tensors();
  for (const [name, shape, type] of all) {
    infos.push(Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(at)]));
    at += (shape.reduce((a, b) => a * b) / 256) * blockBytes[type];
    at += (32 - (at % 32)) % 32;
  }
  const start = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(all.length), u64(pairs.length), ...pairs,
    ...infos]);
  const header = Buffer.concat([start, Buffer.alloc((32 - (start.length % 32)) % 32)]);
  return { header, bytes: header.length + at };
}
