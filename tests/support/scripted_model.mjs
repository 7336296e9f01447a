// A model that says what is written here, for what the demo model cannot do: it thinks, calls a tool, and
// answers from what the tool said. And the smallest projector of images that an engine loads beside it.
//
// Attention and feed-forward of its one layer write nothing, so what comes next depends on the last token
// alone, and the output's weights are a table of that. Which line of the script begins, the template says by
// the last piece of the prompt.
import { drawing, floats, gguf, integers, texts } from './gguf.mjs';

export const thought = 'Bees are many.';
export const answer = 'I count seven bees.';
export const told = 'The tool said seven.';
export const call = { name: 'count', arguments: { of: 'bees', all: true } };
export const countTool = {
  name: 'count',
  description: 'Counts what there is of something.',
  schema: {
    type: 'object',
    properties: { of: { type: 'string', enum: ['bees', 'hives'] }, all: { type: 'boolean' } },
    required: ['of', 'all'],
    additionalProperties: false,
  },
};
// The other one, so that which is called is told from "any".
export const restTool = {
  name: 'rest',
  description: 'Rests.',
  schema: { type: 'object', properties: {}, additionalProperties: false },
};

// Each line: what follows what. The first piece is the end of a prompt, the last one ends the answer. No
// piece is in two lines but where they go on alike.
const end = '<|im_end|>';
const answering = ['I', ' count', ' seven', ' bees.', end];
const calling = [
  '<tool_call>', '\n{"name": "count", ', '"arguments": ', '{"of": "bees", ', '"all": true}', '}\n',
  '</tool_call>', end,
];
const script = [
  ['assistant\n', '<think>', 'Bees', ' are', ' many.', '</think>', ...answering],
  ['assistant:\n', '<think>Bees', ' are ', 'many.</think>', ...calling],
  ['assistant!\n', 'The', ' tool', ' said', ' seven.', end],
  // Where the thought is left out.
  ['assistant.\n', ...answering],
  ['assistant;\n', ...calling],
];

// What it does where it may not go on as above: calls the other tool, or answers in JSON.
const otherwise = [
  ['<tool_call>', '\n{"name": "rest", ', '"arguments": ', '{}', '}\n'],
  ['assistant.\n', '{"of": "bees"}', end],
  ['</think>', '{"of": "bees"}'],
];

const template = `{%- if tools %}{{- '<|im_start|>system\\n' }}
{%- for tool in tools %}{{- tool | tojson + '\\n' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endif %}
{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' and m.reasoning_content %}
{{- '<think>' + m.reasoning_content + '</think>' }}{%- endif %}
{{- m.content or '' }}
{%- for call in m.tool_calls or [] %}
{{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' + call.function.arguments | tojson }}
{{- '}\\n</tool_call>' }}{%- endfor %}{{- '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant' }}
{%- if messages[-1].role == 'tool' %}{{- '!\\n' }}
{%- elif enable_thinking is defined and enable_thinking is false %}
{{- (';' if tools else '.') + '\\n' }}
{%- else %}{{- (':' if tools else '') + '\\n' }}{%- endif %}{%- endif %}`;

const width = 128;
const matrix = (columns, rows) => ({ shape: [columns, rows], data: new Float32Array(columns * rows) });
const ones = (length) => ({ shape: [length], data: new Float32Array(length).fill(1) });

function vocabulary() {
  const [normal, unknown, control, userDefined, byte] = [1, 2, 3, 4, 6];
  const rows = [['<unk>', unknown], ['▁', normal]];
  for (const piece of ['<s>', '<|im_start|>', end]) rows.push([piece, control]);
  for (let i = 0; i < 256; ++i) rows.push([`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`, byte]);
  const pieces = new Set([...script, ...otherwise].flat());
  for (const piece of pieces) if (piece !== end) rows.push([piece, userDefined]);
  return rows;
}

export function scriptedModel({ context = 4096 } = {}) {
  const rows = vocabulary();
  const id = new Map(rows.map(([piece], i) => [piece, i]));
  const draw = drawing(7);
  const embedding = matrix(width, rows.length);
  embedding.data.forEach((_, i, all) => (all[i] = draw() < 0 ? -1 : 1));
  const output = matrix(width, rows.length);
  // Of different pieces the product is a third of this at most: nothing else is ever likely.
  const certainty = 60;
  const certainties = new Map();
  const follow = (line, how) => line.slice(1).forEach((piece, i) => {
    const step = `${id.get(line[i])} ${id.get(piece)}`;
    if (!certainties.has(step)) certainties.set(step, how);
  });
  for (const line of script) follow(line, certainty);
  for (const line of otherwise) follow(line, 0.7 * certainty);
  for (const [step, how] of certainties) {
    const [from, to] = step.split(' ').map((row) => row * width);
    for (let at = 0; at < width; ++at)
      output.data[to + at] += (how / width) * embedding.data[from + at];
  }
  const [head, feed] = [width / 2, 2 * width];
  const layer = {
    attn_norm: ones(width), attn_q: matrix(width, width), attn_output: matrix(width, width),
    attn_k: matrix(width, head), attn_v: matrix(width, head), ffn_norm: ones(width),
    ffn_gate: matrix(width, feed), ffn_up: matrix(width, feed), ffn_down: matrix(feed, width),
  };
  return gguf({
    'general.architecture': 'llama', 'general.name': 'scripted', 'general.file_type': 0,
    'llama.context_length': context, 'llama.embedding_length': width, 'llama.block_count': 1,
    'llama.feed_forward_length': feed, 'llama.attention.head_count': 2, 'llama.attention.head_count_kv': 1,
    'llama.rope.dimension_count': head, 'llama.attention.layer_norm_rms_epsilon': 1e-5,
    'llama.vocab_size': rows.length, 'tokenizer.chat_template': template, 'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': texts(rows.map(([piece]) => piece)),
    'tokenizer.ggml.scores': floats(rows.map(() => 0)),
    'tokenizer.ggml.token_type': integers(rows.map(([, type]) => type)),
    'tokenizer.ggml.bos_token_id': id.get('<s>'), 'tokenizer.ggml.eos_token_id': id.get(end),
    'tokenizer.ggml.unknown_token_id': 0, 'tokenizer.ggml.add_bos_token': true,
    'tokenizer.ggml.add_space_prefix': false,
  }, {
    'token_embd.weight': embedding, 'output_norm.weight': ones(width), 'output.weight': output,
    ...Object.fromEntries(Object.entries(layer).map(([name, tensor]) => [`blk.0.${name}.weight`, tensor])),
  });
}

// As LLaVA's, of pictures that are made 28 x 28: so many tokens for each.
export const tokensOfImage = 4;
export function projector(seed = 1) {
  const [inner, patch, image, feed] = [32, 14, 28, 64];
  const draw = drawing(seed);
  const drawn = (...shape) => {
    const length = shape.reduce((all, one) => all * one);
    return { shape, data: Float32Array.from({ length }, () => draw() / 8) };
  };
  const layer = {
    attn_q: [inner, inner], attn_k: [inner, inner], attn_v: [inner, inner], attn_out: [inner, inner],
    ln1: [inner], ln2: [inner], ffn_up: [inner, feed], ffn_down: [feed, inner],
  };
  return gguf({
    'general.architecture': 'clip', 'general.type': 'mmproj', 'clip.has_vision_encoder': true,
    'clip.projector_type': 'mlp', 'clip.vision.image_size': image, 'clip.vision.patch_size': patch,
    'clip.vision.embedding_length': inner, 'clip.vision.feed_forward_length': feed,
    'clip.vision.block_count': 1, 'clip.vision.projection_dim': width,
    'clip.vision.attention.head_count': 2, 'clip.vision.attention.layer_norm_epsilon': 1e-5,
    'clip.vision.image_mean': floats([0.5, 0.5, 0.5]), 'clip.vision.image_std': floats([0.5, 0.5, 0.5]),
  }, {
    'v.patch_embd.weight': drawn(patch, patch, 3, inner),
    'v.position_embd.weight': drawn(inner, tokensOfImage),
    ...Object.fromEntries(
      Object.entries(layer).map(([name, shape]) => [`v.blk.0.${name}.weight`, drawn(...shape)])),
    'v.blk.0.ln1.bias': drawn(inner), 'v.blk.0.ln2.bias': drawn(inner),
    'mm.0.weight': drawn(inner, width), 'mm.0.bias': drawn(width),
    'mm.2.weight': drawn(width, width), 'mm.2.bias': drawn(width),
  });
}
