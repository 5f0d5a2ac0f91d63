import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, repositoryRoot, startServer } from '../support/server.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
const shipped = join(repositoryRoot, 'docker/prometheus');

describe.skipIf(!hasPrometheus)(
  `Prometheus with the shipped files${hasPrometheus ? '' : ' (needs prometheus)'}`,
  () => {
    let server: RunningServer;
    let prometheus: ChildProcess;
    let url: string;
    let folder: string;

    beforeAll(async () => {
      const key = 'scrape-key';
      server = await startServer({ env: { HEARTH_API_KEY: key } });
      folder = mkdtempSync(join(tmpdir(), 'hearth-prometheus-'));
      // The shipped configuration, for another address and in a hurry.
      const config = parse(readFileSync(join(shipped, 'prometheus.yml'), 'utf8'));
      config.global.scrape_interval = '1s';
      config.scrape_configs[0].static_configs[0].targets = [new URL(server.baseUrl).host];
      writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
      writeFileSync(join(folder, 'alerts.yml'), readFileSync(join(shipped, 'alerts.yml')));
      writeFileSync(join(folder, 'hearth.key'), key);
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      prometheus = spawn(
        'prometheus',
        [
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
        ],
        { stdio: 'ignore' },
      );
      await fetch(`${server.baseUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({
          model: 'default',
          max_tokens: 8,
          messages: [{ role: 'user', content: 'What is Hearth?' }],
        }),
      });
    });
    afterAll(async () => {
      if (prometheus?.exitCode === null) {
        const ended = new Promise((resolve) => prometheus.once('exit', resolve));
        prometheus.kill();
        await ended;
      }
      await server?.stop();
      if (folder) rmSync(folder, { recursive: true, force: true });
    });

    /** The series that an expression has now. */
    async function query(expression: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
      const response = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`);
      const body = (await response.json()) as { status: string; error?: string; data: { result: [] } };
      expect(body.error).toBeUndefined();
      return body.data.result;
    }

    /** Waits until there are some, as the first scrape takes its time; the test's own limit ends it. */
    async function series(expression: string) {
      for (;;) {
        const found = await query(expression).catch(() => []);
        if (found.length > 0) return found;
        await wait(250);
      }
    }

    it('scrapes with the key, and has what the answer left behind', async () => {
      expect((await series('up{job="hearth"} == 1'))[0]?.value[1]).toBe('1');
      // A scrape in the middle of the answer has some of them.
      const tokens = async () => {
        const [found] = await series(`hearth_generated_tokens_total{model="${builtInModel}"} > 0`);
        return found?.value[1];
      };
      await expect.poll(tokens).toBe('8');
      for (const folderName of ['models', 'data']) {
        const [disk] = await series(`hearth_disk_free_bytes{folder="${folderName}"} / hearth_disk_bytes`);
        expect(Number(disk?.value[1])).toBeGreaterThan(0);
        expect(Number(disk?.value[1])).toBeLessThanOrEqual(1);
      }
    });

    it('understands each panel of the dashboard, and those of a running server have something to show', async () => {
      await series(`rate(hearth_generated_tokens_total[1m])`);
      const { panels } = JSON.parse(readFileSync(join(repositoryRoot, 'docker/grafana/hearth.json'), 'utf8')) as {
        panels: { title: string; targets?: { expr: string }[] }[];
      };
      const shown = new Map<string, number>();
      for (const { title, targets = [] } of panels) {
        for (const { expr } of targets) {
          const asked = expr
            .replaceAll('$__rate_interval', '1m')
            .replaceAll('$instance', '.*')
            .replaceAll('$model', '.*');
          shown.set(title, (shown.get(title) ?? 0) + (await query(asked)).length);
        }
      }
      for (const title of [
        'Tokens a second',
        'Waiting',
        'Memory pressure',
        'Memory',
        'Memory by part',
        'Connections',
        'Slots and queue',
      ]) {
        expect(shown.get(title), title).toBeGreaterThan(0);
      }
    });

    it('has all alerts, and none of them is up', async () => {
      const body = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
        data: { groups: { rules: { name: string; health: string; state: string; lastError?: string }[] }[] };
      };
      const rules = body.data.groups.flatMap((group) => group.rules);
      expect(rules.length).toBeGreaterThan(10);
      expect(rules.filter(({ state, lastError }) => state === 'firing' || lastError)).toEqual([]);
    });
  },
);

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
