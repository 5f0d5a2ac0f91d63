import { describe, expect, it } from 'vitest';
import { promptUsage, unknownUsage } from '../../src/core/usage.ts';
import { type AppEvent, createBus } from '../../src/observe/bus.ts';
import { recordEvents } from '../../src/observe/metric-events.ts';
import { createMetrics } from '../../src/observe/metrics.ts';

const of = { model: 'm', variant: 'm:q4_0' };
const loaded = { type: 'model-loaded', ...of, loadMs: 1_500, expectedBytes: 150, measuredBytes: 100 } as const;
const ended = {
  type: 'request-ended',
  requestId: 'r',
  provider: 'local',
  model: 'm',
  operation: 'generate',
  outcome: 'stop',
  usage: unknownUsage,
  serviceMs: 2_000,
} as const;

/** The lines of the metrics that such events changed. */
async function linesAfter(...events: AppEvent[]): Promise<string[]> {
  const metrics = createMetrics('test');
  const bus = createBus((error) => {
    throw error;
  });
  const linesOf = async () =>
    (await metrics.render()).split('\n').filter((line) => !/^#|^$|hearth_process_|hearth_event_loop_/.test(line));
  const before = new Set(await linesOf());
  recordEvents(bus, metrics);
  for (const event of events) bus.publish(event);
  return (await linesOf()).filter((line) => !before.has(line));
}

describe('the recorder of metrics', () => {
  it.each<[AppEvent, string[]]>([
    [
      loaded,
      [
        'hearth_model_loads_total{model="m",result="loaded"} 1',
        'hearth_model_load_seconds_sum{model="m"} 1.5',
        'hearth_memory_estimate_error_ratio{model="m"} 0.5',
      ],
    ],
    [
      { type: 'model-load-failed', ...of, code: 'model_load_failed' },
      ['hearth_model_loads_total{model="m",result="model_load_failed"} 1'],
    ],
    [{ type: 'model-gone', ...of, reason: 'pressure' }, ['hearth_model_unloads_total{model="m",reason="pressure"} 1']],
    [{ type: 'worker-died', ...of, reason: 'hung' }, ['hearth_worker_restarts_total{model="m",reason="hung"} 1']],
    [
      {
        type: 'step',
        model: 'm',
        sequences: 2,
        promptTokens: 30,
        prefixes: ['disk', 'none', 'disk'],
        drafted: 5,
        accepted: 3,
      },
      [
        'hearth_engine_steps_total{model="m"} 1',
        'hearth_engine_step_sequences_sum{model="m"} 2',
        'hearth_prompt_tokens_evaluated_total{model="m"} 30',
        'hearth_prefix_hits_total{model="m",tier="disk"} 2',
        'hearth_prefix_hits_total{model="m",tier="none"} 1',
        'hearth_engine_draft_tokens_total{model="m",result="accepted"} 3',
        'hearth_engine_draft_tokens_total{model="m",result="rejected"} 2',
      ],
    ],
    [{ type: 'slot-taken', model: 'm', waitedMs: 250 }, ['hearth_queue_wait_seconds_sum{model="m"} 0.25']],
    [
      { type: 'token', model: 'm', gapMs: 20 },
      ['hearth_inter_token_seconds_sum{model="m"} 0.02', 'hearth_generated_tokens_total{model="m"} 1'],
    ],
    [{ type: 'prompt-evaluated', model: 'm', tokens: 7 }, ['hearth_prompt_tokens_evaluated_total{model="m"} 7']],
    [
      { type: 'calibrated', model: 'm', result: 'measured' },
      ['hearth_engine_calibrations_total{model="m",result="measured"} 1'],
    ],
    [
      { type: 'request-first-token', requestId: 'r', provider: 'local', model: 'm', latencyMs: 500 },
      ['hearth_time_to_first_token_seconds_sum{model="m"} 0.5'],
    ],
    [ended, ['hearth_requests_total{model="m",outcome="stop"} 1', 'model_inference_seconds_sum{model="m"} 2']],
    [
      { ...ended, provider: 'cloud', usage: { ...promptUsage(9, 4), cacheWrite5mTokens: 1, outputTokens: 6 } },
      [
        'hearth_prompt_tokens_total{model="m"} 10',
        'hearth_prompt_tokens_cached_total{model="m"} 4',
        'hearth_generated_tokens_total{model="m"} 6',
      ],
    ],
    [{ type: 'pull-received', bytes: 4_096 }, ['hearth_pull_bytes_total 4096']],
    [{ type: 'pull-ended', id: 'p', model: 'm', result: 'done' }, ['hearth_pulls_total{result="done"} 1']],
  ])('counts %o', async (event, lines) => {
    expect(await linesAfter(event)).toEqual(expect.arrayContaining(lines));
  });

  it.each<AppEvent>([
    { type: 'memory-level', level: 'shed' },
    { type: 'request-began', requestId: 'r' },
    { type: 'pull-changed', id: 'p', model: 'm', state: 'running', receivedBytes: 1, totalBytes: 2 },
  ])('counts nothing of %o', async (event) => {
    expect(await linesAfter(event)).toEqual([]);
  });

  it('adds up what happens again', async () => {
    expect(await linesAfter(loaded, loaded)).toContain('hearth_model_loads_total{model="m",result="loaded"} 2');
  });

  it('says nothing of an estimate that was not measured, nor of a service that did not begin', async () => {
    const lines = await linesAfter({ ...loaded, measuredBytes: null }, { ...ended, serviceMs: null });
    expect(lines.filter((line) => /estimate_error|inference_seconds/.test(line))).toEqual([]);
  });

  it('shows no guesses of a step without any', async () => {
    const step = {
      type: 'step',
      model: 'm',
      sequences: 1,
      promptTokens: 0,
      prefixes: [],
      drafted: 0,
      accepted: 0,
    } as const;
    expect((await linesAfter(step)).filter((line) => /draft|evaluated/.test(line))).toEqual([]);
  });

  it('counts the tokens of this machine when they are made, and not once more at the end', async () => {
    const lines = await linesAfter({ ...ended, provider: 'local', usage: { ...promptUsage(9, 4), outputTokens: 6 } });
    expect(lines.filter((line) => line.startsWith('hearth_generated_tokens'))).toEqual([]);
  });

  it('stops when it is told to', async () => {
    const metrics = createMetrics('test');
    const bus = createBus(() => {});
    const stop = recordEvents(bus, metrics);
    stop();
    bus.publish(ended);
    expect(await metrics.render()).not.toContain('hearth_requests_total{');
  });

  it('tells 500 models of providers apart, and those of this machine always', async () => {
    const asked = (provider: string, model: string): AppEvent => ({ ...ended, provider, model });
    const many = Array.from({ length: 502 }, (_, number) => asked('relay', `made-up-${number}`));
    const lines = (await linesAfter(...many, asked('relay', 'made-up-0'), asked('local', 'qwen'))).filter((line) =>
      line.startsWith('hearth_requests_total'),
    );
    expect(lines).toHaveLength(502);
    expect(lines).toContain('hearth_requests_total{model="made-up-0",outcome="stop"} 2');
    expect(lines).toContain('hearth_requests_total{model="other",outcome="stop"} 2');
    expect(lines).toContain('hearth_requests_total{model="qwen",outcome="stop"} 1');
  });
});
