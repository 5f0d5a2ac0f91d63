import type { Command } from 'commander';
import type { Clock } from '../core/clock.ts';
import { memorySize, timeLeft } from '../core/format-units.ts';
import { type CommandDeps, print, withClient } from './command.ts';
import type { ModelRecord } from './model-api.ts';
import { placeOf } from './show.ts';
import { tableOf } from './tables.ts';

/** A model in memory as `hearth ps --json` has it. */
export interface ResidentView {
  /** `name:quantization`. */
  model: string;
  state: string;
  /** Measured; null: not yet. */
  memory_bytes: number | null;
  /** As it was planned when it was loaded; null: an older server does not say. */
  expected_memory_bytes: number | null;
  context_length: number | null;
  slots: number | null;
  active_requests: number | null;
  queued_requests: number | null;
  /** `cpu`, or the backend of the GPU. */
  place: string;
  gpu_layers: number | null;
  gpu_memory_bytes: number | null;
  /** Of one answer, measured on this machine when it was idle; null: not yet. */
  tokens_per_second: number | null;
  /** Of all its answers together, over the last seconds; null: it wrote none in them. */
  tokens_per_second_now: number | null;
  pinned: boolean;
  /** Until it is unloaded; null: never, or it works. */
  keep_alive_left_ms: number | null;
  expires_at: string | null;
}

/** `hearth ps`: the models in memory. */
export function addPsCommand(program: Command, deps: CommandDeps): void {
  program
    .command('ps')
    .description('list the models in memory: what they take, do, and how long they stay')
    .option('--json', 'print JSON')
    .action(async (flags: { json?: boolean }, command: Command) => {
      await withClient(deps, command, async (client) => {
        const { models } = await client.modelRecords();
        const there = models.filter(({ state }) => ['loaded', 'loading', 'unloading'].includes(state));
        const none = client.outlivesUs ? 'No model is in memory.' : 'No model is in memory: no server runs.';
        const lines = there.length === 0 ? [none] : psLines(there, deps.clock);
        print(
          deps.terminal,
          flags.json,
          there.map((model) => toResident(model, deps.clock)),
          lines,
        );
        return 0;
      });
    });
}

export function toResident(model: ModelRecord, clock: Pick<Clock, 'now'>): ResidentView {
  return {
    model: `${model.name}:${model.quantization}`,
    state: model.state,
    memory_bytes: model.memory_bytes,
    expected_memory_bytes: model.planned_memory_bytes,
    context_length: model.context_length_loaded,
    slots: model.slots,
    active_requests: model.active_requests,
    queued_requests: model.queued_requests,
    place: model.gpu === null || model.gpu === 'off' ? 'cpu' : model.gpu,
    gpu_layers: model.gpu_layers,
    gpu_memory_bytes: model.gpu_memory_bytes,
    tokens_per_second: model.calibration?.decode_tokens_per_second ?? null,
    tokens_per_second_now: model.tokens_per_second,
    pinned: model.pinned,
    keep_alive_left_ms:
      model.expires_at === null ? null : Math.max(0, Date.parse(model.expires_at) - clock.now().getTime()),
    expires_at: model.expires_at,
  };
}

/** A table with a line for each model. */
export function psLines(models: readonly ModelRecord[], clock: Pick<Clock, 'now'>): string[] {
  const head = ['MODEL', 'MEMORY', 'ESTIMATED', 'CONTEXT', 'BUSY', 'PLACE', 'SPEED', 'STAYS'];
  const rows = models.map((model) => {
    const view = toResident(model, clock);
    const queue = view.queued_requests ? ` +${view.queued_requests} wait` : '';
    return [
      view.model,
      view.memory_bytes === null ? '-' : memorySize(view.memory_bytes),
      view.expected_memory_bytes === null ? '-' : memorySize(view.expected_memory_bytes),
      view.context_length === null ? '-' : `${view.context_length}`,
      view.slots === null ? '-' : `${view.active_requests ?? 0}/${view.slots}${queue}`,
      placeOf({ ...model, gpu_reason: null }),
      speedWords(view),
      staysWords(view),
    ];
  });
  return tableOf(head, rows);
}

/** How fast it writes now, or else how fast one answer came when it was measured. */
function speedWords({ tokens_per_second, tokens_per_second_now }: ResidentView): string {
  if (tokens_per_second_now !== null) return `${tokens_per_second_now.toFixed(1)}/s now`;
  return tokens_per_second === null ? '-' : `${tokens_per_second.toFixed(1)}/s`;
}

function staysWords({ state, pinned, keep_alive_left_ms, active_requests }: ResidentView): string {
  if (state !== 'loaded') return state;
  if (pinned) return 'pinned';
  if (keep_alive_left_ms !== null) return timeLeft(keep_alive_left_ms / 1_000);
  return active_requests ? 'while it works' : 'for ever';
}
