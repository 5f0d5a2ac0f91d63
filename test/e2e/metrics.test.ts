import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInModel } from '../support/models.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** Value of one sample, found by the exact text before it; null when it is not there. */
function sample(metrics: string, series: string): number | null {
  const line = metrics.split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

describe('GET /metrics of the running server', () => {
  let server: RunningServer;
  const scrape = async () => {
    const response = await fetch(`${server.baseUrl}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/plain');
    return await response.text();
  };
  const modelState = async () => {
    const response = await fetch(`${server.baseUrl}/models/${builtInModel}`);
    return (await response.json()) as { loaded: boolean };
  };

  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server?.stop();
  });

  it('never wakes a model', async () => {
    const unloaded = await fetch(`${server.baseUrl}/models/${builtInModel}/unload`, { method: 'POST' });
    expect(unloaded.status).toBe(200);
    await scrape();
    const metrics = await scrape();
    expect(metrics).not.toMatch(/hearth_model_state\{[^}]*state="(loading|loaded)"[^}]*\} 1/);
    expect((await modelState()).loaded).toBe(false);
  });

  it('counts a request, its tokens and its time', async () => {
    const response = await fetch(`${server.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'default',
        messages: [{ role: 'user', content: 'What is Hearth?' }],
        temperature: 0,
      }),
    });
    expect(response.status).toBe(200);
    await response.json();
    const metrics = await scrape();
    const label = `{model="${builtInModel}"}`;
    expect(sample(metrics, `model_inference_seconds_count${label}`)).toBe(1);
    expect(sample(metrics, `hearth_time_to_first_token_seconds_count${label}`)).toBe(1);
    expect(sample(metrics, `hearth_prompt_tokens_total${label}`)).toBe(32);
    expect(sample(metrics, `hearth_generated_tokens_total${label}`)).toBe(68);
    expect(sample(metrics, `hearth_model_resident_bytes${label}`)).toBeGreaterThan(3_000_000);
    expect(sample(metrics, 'hearth_memory_budget_bytes')).toBeGreaterThan(0);
    expect(sample(metrics, 'active_connections')).toBeGreaterThanOrEqual(1);
    expect(metrics).toMatch(/^hearth_http_requests_total\{.*route="\/v1\/chat\/completions".*\} 1$/m);
    expect(metrics).toMatch(/^hearth_requests_total\{.*outcome="stop".*\} 1$/m);
  });

  it.skipIf(!hasPromtool)(
    `passes promtool check metrics${hasPromtool ? '' : ' (skipped: promtool is not installed)'}`,
    async () => {
      const metrics = await scrape();
      expect(metrics).toContain('# TYPE model_inference_seconds histogram');
      expect(metrics).toContain('# TYPE active_connections gauge');
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
        input: metrics,
        encoding: 'utf8',
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    },
  );
});
