// What Prometheus would say of a page of metrics: every line read, by the rules of its text form 0.0.4.
import assert from 'node:assert/strict';

const name = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const sampleForm = new RegExp(
  `^(${name})(?:\\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*",?)*)\\})? ` +
    '([-+]?(?:Inf|NaN|[0-9.]+(?:e[-+]?[0-9]+)?))$', 'i');

// The family that a sample belongs to: a histogram's have endings of their own.
const familyOf = (sample, types) => {
  const base = sample.replace(/_(bucket|sum|count)$/, '');
  return types.get(base) === 'histogram' ? base : sample;
};

// {name: {type, samples: [{name, labels, value}]}}; fails on whatever is not right.
export function parseMetrics(text) {
  assert.ok(text.endsWith('\n'), 'the last line has no end');
  const types = new Map();
  const families = {};
  const series = new Set();
  for (const line of text.split('\n').slice(0, -1)) {
    if (line === '' || /^# HELP /.test(line)) continue;
    const type = new RegExp(`^# TYPE (${name}) (counter|gauge|histogram|summary|untyped)$`).exec(line);
    if (type) {
      assert.ok(!types.has(type[1]), `${type[1]} has two types`);
      types.set(type[1], type[2]);
      families[type[1]] = { type: type[2], samples: [] };
      continue;
    }
    const sample = sampleForm.exec(line);
    assert.ok(sample, `no sample: ${line}`);
    const family = familyOf(sample[1], types);
    assert.ok(families[family], `${sample[1]} comes before its type`);
    assert.ok(!series.has(`${sample[1]}{${sample[2]}}`), `twice: ${line}`);
    series.add(`${sample[1]}{${sample[2]}}`);
    const labels = Object.fromEntries([...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
      .map(([, key, value]) => [key, value]));
    const value = Number(sample[3].replace('Inf', 'Infinity'));
    families[family].samples.push({ name: sample[1], labels, value });
  }
  for (const [family, { type, samples }] of Object.entries(families)) {
    if (type === 'counter') for (const one of samples) assert.ok(one.value >= 0, `${family} is below 0`);
    if (type === 'histogram') checkHistogram(family, samples);
  }
  return families;
}

function checkHistogram(family, samples) {
  const groups = new Map();
  for (const { name: sample, labels: { le, ...labels }, value } of samples) {
    const key = JSON.stringify(Object.entries(labels).sort());
    const group = groups.get(key) ?? groups.set(key, { buckets: [] }).get(key);
    if (sample.endsWith('_bucket')) group.buckets.push({ le: Number(le.replace('+Inf', 'Infinity')), value });
    else group[sample.slice(family.length + 1)] = value;
  }
  for (const [key, { buckets, count, sum }] of groups) {
    const what = `${family}${key}`;
    assert.ok(count !== undefined && sum !== undefined, `${what} has no count or sum`);
    assert.equal(buckets.at(-1)?.le, Infinity, `${what} does not end with +Inf`);
    assert.equal(buckets.at(-1).value, count, `${what}: +Inf and count differ`);
    buckets.reduce((before, one) => {
      assert.ok(one.le > before.le && one.value >= before.value, `${what} does not grow`);
      return one;
    });
  }
}

// Names of metrics in an expression of PromQL; a histogram is asked for by its parts.
export function metricsIn(expression) {
  const bare = expression.replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/\b(by|without|on|ignoring)\s*\([^)]*\)/g, '')
    .replace(/\{[^}]*\}/g, '').replace(/\[[^\]]*\]/g, '').replace(/\$\w+/g, '');
  return [...new Set(bare.match(/\b(?:rbee|vllm|llamacpp|gen_ai)[a-zA-Z0-9_:]+/g) ?? [])]
    .map((one) => one.replace(/_(bucket|sum|count)$/, ''));
}
