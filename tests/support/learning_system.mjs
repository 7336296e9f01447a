// A keeper that may be killed, and a hive with a CPU engine beside it: what its answers tell of their speed.
import assert from 'node:assert/strict';
import { FarHive } from './far_hive.mjs';
import { Keeper } from './keeper.mjs';
import { chatBody, post } from './openai.mjs';
import { demoFile, makeHome, removeHome, until } from './rbee.mjs';

export class LearningSystem {
  keeper = new Keeper(makeHome(), {});
  hive = new FarHive();

  async start() {
    const { keeper, hive } = this;
    await Promise.all([keeper.begin(), hive.start()]);
    await keeper.json(['hive', 'add', 'far', hive.address, '--token', await hive.token()]);
    await keeper.json(['worker', 'deploy', '--hive', 'far', '--backend', 'cpu']);
    await keeper.json(['model', 'add', 'far', demoFile, '--hive', 'far']);
  }
  async stop() {
    if (!this.keeper.ended) await this.keeper.kill('SIGTERM');
    await this.hive.remove();
    removeHome(this.keeper.home);
  }

  // Until the keeper has learned of each: a client has its answer a moment before.
  async answered(count) {
    for (let i = 0; i < count; ++i) {
      const body = chatBody('far', `Count to ${i}`, { max_tokens: 32, ignore_eos: true });
      const answer = await post(this.keeper, '/v1/chat/completions', body);
      assert.equal(answer.status, 200, await answer.text());
    }
    await until('all are done', async () =>
      (await this.keeper.admin('requests')).requests.every((one) => one.seconds !== null));
  }
  // What the keeper believes of the engine's speed.
  async believed() {
    const [worker] = (await this.keeper.admin('workers')).workers;
    return worker?.models.find((one) => one.loaded);
  }
  // The keeper is begun anew: what it believes then.
  async believedAnew() {
    await this.keeper.begin();
    return until('the engine is known again', () => this.believed());
  }
}

// Of two beliefs, what must be the same.
export const speeds = (one) => [one.speed, one.prompt_speed, one.speed_from];
