import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../src/observe/metrics.ts';
import { repositoryRoot } from '../support/server.ts';

const folder = join(repositoryRoot, 'docker/prometheus');
const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
const why = hasPromtool ? '' : ' (needs promtool)';

interface Panel {
  id: number;
  title: string;
  targets?: { expr: string }[];
  gridPos: { x: number; y: number; w: number; h: number };
}
const dashboard = JSON.parse(readFileSync(join(repositoryRoot, 'docker/grafana/hearth.json'), 'utf8')) as {
  panels: Panel[];
  templating: { list: { name: string; definition?: string }[] };
};
const alerts = parse(readFileSync(join(folder, 'alerts.yml'), 'utf8')) as {
  groups: { rules: { alert: string; expr: string }[] }[];
};
const rules = alerts.groups.flatMap((group) => group.rules);

/** Names as a scrape has them, those of a histogram's parts included. */
const scraped = new Set(
  [...(await createMetrics('1').render()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [`${name}`],
  ),
);
const namesIn = (expression: string) =>
  [...expression.matchAll(/\b(?:hearth_|model_inference_|active_connections)\w*/g)].map(([name]) => name);

describe('the dashboard', () => {
  const expressions = dashboard.panels.flatMap(({ title, targets }) =>
    (targets ?? []).map(({ expr }) => ({ title, expr })),
  );

  it('asks for metrics that there are', () => {
    expect(expressions.length).toBeGreaterThan(30);
    const unknown = expressions.filter(({ expr }) => namesIn(expr).some((name) => !scraped.has(name)));
    expect(unknown).toEqual([]);
    expect(expressions.filter(({ expr }) => namesIn(expr).length === 0)).toEqual([]);
    const variables = dashboard.templating.list.flatMap(({ definition }) => namesIn(definition ?? ''));
    expect(variables.filter((name) => !scraped.has(name))).toEqual([]);
  });

  it('puts no panel over another', () => {
    const cells = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.get(`${x},${y}`), title).toBeUndefined();
          cells.set(`${x},${y}`, title);
        }
      }
    }
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it.skipIf(!hasPromtool)(`asks in words of PromQL${why}`, () => {
    const asRules = {
      groups: [
        {
          name: 'panels',
          rules: expressions.map(({ expr }, index) => ({
            record: `panel:${index}`,
            expr: expr.replaceAll('$__rate_interval', '1m'),
          })),
        },
      ],
    };
    const place = mkdtempSync(join(tmpdir(), 'hearth-panels-'));
    writeFileSync(join(place, 'panels.yml'), JSON.stringify(asRules));
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', join(place, 'panels.yml')], {
      encoding: 'utf8',
    });
    rmSync(place, { recursive: true });
    expect({ status }, `${stdout}${stderr}`).toEqual({ status: 0 });
  });
});

describe('the alerts', () => {
  it('ask for metrics that there are', () => {
    expect(rules.filter(({ expr }) => namesIn(expr).some((name) => !scraped.has(name)))).toEqual([]);
  });

  it('are each tried, once with and once without a reason', () => {
    const tried = readFileSync(join(folder, 'alerts.test.yml'), 'utf8');
    expect(rules.filter(({ alert }) => !tried.includes(`alertname: ${alert}\n`))).toEqual([]);
  });

  it.skipIf(!hasPromtool)(`come when they must, and else not${why}`, () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'alerts.test.yml'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect({ status }, `${stdout}${stderr}`).toEqual({ status: 0 });
  });

  it.skipIf(!hasPromtool)(`are read by the scrape's configuration${why}`, () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'config', '--syntax-only', 'prometheus.yml'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect({ status }, `${stdout}${stderr}`).toEqual({ status: 0 });
    expect(readFileSync(join(folder, 'prometheus.yml'), 'utf8')).toContain('- alerts.yml');
  });
});
