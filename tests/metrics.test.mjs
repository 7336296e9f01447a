// What a keeper tells Prometheus, and the board and alerts that stand on it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { chatBody, post } from './support/openai.mjs';
import { metricsIn, parseMetrics } from './support/prometheus.mjs';
import { answers, Rbee, root, until } from './support/rbee.mjs';

const [{ question }] = answers;
const packaged = (file) => path.join(root, 'packaging', file);

function rules() {
  const read = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))';
  const file = packaged('prometheus/rbee.rules.yml');
  const parsed = spawnSync('python3', ['-c', read, file], { encoding: 'utf8' });
  assert.equal(parsed.status, 0, parsed.stderr);
  return JSON.parse(parsed.stdout).groups.flatMap((group) => group.rules);
}
const board = () => JSON.parse(readFileSync(packaged('grafana/rbee.json'), 'utf8'));

describe('metrics', () => {
  let system, families, model;
  before(async () => {
    system = await Rbee.start();
    model = await system.model();
    for (const stream of [true, false]) {
      const got = await post(system, '/v1/chat/completions', chatBody(model, question, { stream }));
      assert.match(got.headers.get('x-rbee-overhead-us'), /^[1-9]\d*$/);
      await got.text();
    }
    await (await post(system, '/v1/chat/completions', chatBody('no-such', question))).text();
    await until('both are counted', async () => {
      families = parseMetrics(await (await fetch(`${system.address}/metrics`)).text());
      const ok = families.rbee_requests_total?.samples.find(({ labels }) => labels.outcome === 'ok');
      return ok?.value === 2;
    });
  });
  after(() => system?.stop());

  const one = (name, labels) => families[name].samples.find((sample) =>
    Object.entries(labels).every(([key, value]) => sample.labels[key] === value));

  test('are a page that Prometheus reads', () => {
    assert.ok(Object.keys(families).length > 40, Object.keys(families).join());
  });

  test('have the names of vLLM, OpenTelemetry and llama-server with the same values', () => {
    const count = (name, label) => one(name, { [label]: model.toLowerCase() });
    const pairs = [
      ['vllm:time_to_first_token_seconds', 'rbee_ttft_seconds'],
      ['vllm:e2e_request_latency_seconds', 'rbee_request_seconds'],
      ['vllm:inter_token_latency_seconds', 'rbee_inter_token_seconds'],
      ['vllm:request_queue_time_seconds', 'rbee_queue_seconds'],
      ['vllm:prompt_tokens_total', 'rbee_prompt_tokens_total'],
      ['vllm:generation_tokens_total', 'rbee_generated_tokens_total'],
      ['vllm:prefix_cache_hits_total', 'rbee_cached_tokens_total'],
    ];
    for (const [other, own] of pairs) {
      assert.deepEqual(count(other, 'model_name').value, count(own, 'model').value, other);
      assert.equal(families[other].type, families[own].type);
    }
    for (const name of ['num_requests_running', 'num_requests_waiting', 'prefix_cache_queries_total'])
      assert.ok(count(`vllm:${name}`, 'model_name'), name);
    for (const name of ['server_request_duration_seconds', 'server_time_to_first_token_seconds',
      'server_time_per_output_token_seconds', 'client_token_usage'])
      assert.ok(count(`gen_ai_${name}`, 'gen_ai_request_model'), name);
    for (const name of ['prompt_tokens_total', 'tokens_predicted_total', 'tokens_predicted_seconds_total'])
      assert.ok(count(`llamacpp:${name}`, 'model').value > 0, name);
  });

  test('count tokens, first tokens and the gaps between them', () => {
    const mine = { model: model.toLowerCase() };
    const made = one('rbee_generated_tokens_total', mine).value;
    assert.ok(made > 2);
    const count = (name, labels) => families[name].samples.find((sample) =>
      sample.name === `${name}_count` && sample.labels.model === labels.model).value;
    assert.equal(count('rbee_ttft_seconds', mine), 2);
    assert.equal(count('rbee_inter_token_seconds', mine), made - 2);
    assert.equal(count('rbee_overhead_seconds', {}), 3);
  });

  test('never have a name that a client made up', () => {
    const models = families.rbee_requests_total.samples.map(({ labels }) => labels.model);
    assert.ok(!models.includes('no-such'), models.join());
  });

  test('are all that the board asks for', () => {
    const { panels, templating } = board();
    const asked = panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => expr));
    asked.push(...templating.list.map(({ definition }) => definition ?? ''));
    const names = new Set(asked.flatMap(metricsIn));
    assert.ok(names.size > 20, [...names].join());
    for (const name of names) assert.ok(families[name], `the board asks for ${name}, which no keeper tells`);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'two panels with one id');
    for (const panel of panels.filter(({ type }) => type !== 'row')) assert.ok(panel.targets.length > 0);
  });

  test('are all that the alerts ask for, and each alert says what to do', () => {
    const all = rules();
    assert.ok(all.length > 8);
    for (const { alert, expr, labels, annotations } of all) {
      for (const name of metricsIn(expr)) assert.ok(families[name], `${alert} asks for ${name}`);
      assert.ok(metricsIn(expr).length > 0 || /up\{/.test(expr), alert);
      assert.ok(labels.severity && annotations.summary && annotations.description, alert);
    }
  });
});
