// The service files, written into a folder of the test's own and checked by systemd itself: nothing is
// installed on the machine at work. In the house nobody is logged in and no systemd runs.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { makeHome, program, removeHome, root, run } from '../support/rbee.mjs';

describe('service files', () => {
  const home = makeHome();
  const folder = mkdtempSync('/tmp/rbee-s-');
  after(() => [home, folder].forEach(removeHome));
  const rbee = (line) => run(home, [...line.split(' '), '--into', folder, '--json']);
  const units = ['rbee-hive.service', 'rbee-keeper.service'];
  const verify = (file) =>
    spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });

  test('are written with the path of this program and the address asked for', async () => {
    const done = await rbee('service install hive --listen 192.168.1.100:7835');
    assert.equal(done.code, 0, done.stderr);
    const text = readFileSync(path.join(folder, 'rbee-hive.service'), 'utf8');
    assert.ok(text.includes(`ExecStart=${program} hive --listen 192.168.1.100:7835\n`), text);
    assert.equal(statSync(path.join(folder, 'rbee-hive.service')).mode & 0o777, 0o644);
    const { services } = (await rbee('service status')).json();
    assert.deepEqual(services.map((one) => [one.name, one.installed]), [['keeper', false], ['hive', true]]);
    assert.equal((await rbee('service install')).code, 0);
  });

  test('systemd finds nothing wrong with them, those of the system and those of a user', () => {
    for (const unit of units) {
      const own = verify(path.join(folder, unit));
      assert.equal(own.status, 0, own.stderr);
      assert.doesNotMatch(own.stderr, new RegExp(unit), own.stderr);
      // Those of packaging/ name a program that is not here; with this one's path they must be as good.
      const text = readFileSync(path.join(root, 'packaging/systemd/user', unit), 'utf8');
      const user = path.join(folder, `user-${unit}`);
      writeFileSync(user, text.replaceAll('/usr/bin/rbee', program));
      const checked = verify(user);
      assert.equal(checked.status, 0, checked.stderr);
      assert.doesNotMatch(checked.stderr, new RegExp(unit), checked.stderr);
    }
  });

  test('systemd calls what they may do little', (t) => {
    for (const unit of units) {
      const words = ['security', '--offline=yes', '--threshold=40', '--no-pager', path.join(folder, unit)];
      const judged = spawnSync('systemd-analyze', words, { encoding: 'utf8' });
      assert.equal(judged.status, 0, `${judged.stdout.split('\n').slice(-3)}${judged.stderr}`);
      t.diagnostic(/Overall exposure.*/.exec(judged.stdout)[0]);
    }
  });

  test('are removed again, and only they', async () => {
    const done = await rbee('service remove');
    assert.deepEqual(done.json().removed, ['keeper', 'hive']);
    for (const unit of units) assert.ok(!existsSync(path.join(folder, unit)));
    assert.deepEqual((await rbee('service remove')).json().removed, []);
    rmSync(folder, { recursive: true });
  });
});
