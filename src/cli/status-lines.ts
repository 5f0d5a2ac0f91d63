import { memorySize, timeLeft } from '../core/format-units.ts';
import { usd } from './cost.ts';
import type { LiveState, RequestStatus } from './status-api.ts';
import { tableOf } from './tables.ts';

/** What is known of a server beside its live state. */
export interface ServerAbout {
  address: string;
  /** When it started; null: it does not say. */
  startedAt: Date | null;
  now: Date;
}

/** Characters of the bar of memory. */
const barWidth = 60;

/** A server for people: memory by part, models, requests, batches, providers, what today cost. */
export function statusLines(state: LiveState, about: ServerAbout): string[] {
  return [
    headLine(state, about),
    '',
    ...memoryLines(state.memory),
    '',
    ...modelLines(state, about.now),
    ...requestLines(state),
    ...batchLines(state),
    ...providerLines(state),
    ...todayLines(state),
  ];
}

function headLine({ server }: LiveState, { address, startedAt, now }: ServerAbout): string {
  const up = startedAt === null ? '' : `, up ${timeLeft(Math.max(0, (now.getTime() - startedAt.getTime()) / 1_000))}`;
  const why = server.reason === null ? '' : `: ${server.reason}`;
  return `Hearth ${server.version} at ${address}${up}, ${server.state}${why}`;
}

/** One bar of the machine, and below it what each of its characters stands for. */
export function memoryLines(memory: LiveState['memory']): string[] {
  const parts = [
    { sign: 'o', bytes: memory.others_bytes, name: 'other services' },
    { sign: 'h', bytes: memory.server_bytes, name: 'Hearth' },
    ...memory.models.map((one, index) => ({
      sign: index < 9 ? `${index + 1}` : '+',
      bytes: one.total_bytes,
      name: `${one.model} (weights ${memorySize(one.weights_bytes)}, cache ${memorySize(one.cache_bytes)}, work space ${memorySize(one.work_bytes)})`,
    })),
    { sign: '.', bytes: memory.free_bytes, name: 'free' },
    { sign: 'r', bytes: memory.reserve_bytes, name: 'left to others' },
  ];
  const there = parts.filter(({ bytes }) => bytes > 0);
  const source =
    memory.source === 'host'
      ? 'of the machine'
      : memory.source === 'config'
        ? 'by engine.memory_limit'
        : 'of the container';
  const bar = signsOf(there.map(({ bytes }) => bytes)).map((count, index) => there[index]!.sign.repeat(count));
  return [
    `memory ${memorySize(memory.total_bytes)} ${source}`,
    `[${bar.join('')}]`,
    ...there.map(({ sign, bytes, name }) => `  ${sign}  ${memorySize(bytes).padStart(9)}  ${name}`),
  ];
}

/** How many characters each part gets: at least one, and all together the width of the bar. */
function signsOf(amounts: readonly number[]): number[] {
  const whole = amounts.reduce((sum, amount) => sum + amount, 0);
  const counts = amounts.map((amount) => Math.max(1, Math.round((amount / whole) * barWidth)));
  // What rounding and the least of one have added or lost, the largest part bears.
  const largest = counts.indexOf(Math.max(...counts));
  const off = counts.reduce((sum, count) => sum + count, 0) - barWidth;
  return counts.map((count, index) => (index === largest ? Math.max(1, count - off) : count));
}

function modelLines({ models, pace }: LiveState, now: Date): string[] {
  if (models.length === 0) return ['models     none is loaded'];
  const rows = models.map((model) => [
    `${model.name}:${model.quantization}`,
    model.state,
    model.slots === null ? '-' : `${model.active_requests ?? 0}/${model.slots}`,
    `${model.queued_requests ?? 0}`,
    model.tokens_per_second.toFixed(1),
    staysFor(model, now),
  ]);
  const first =
    pace.first_token_ms === null
      ? ''
      : `, first token of the latest answer after ${Math.round(pace.first_token_ms)} ms`;
  return [
    ...tableOf(['MODEL', 'STATE', 'BUSY', 'WAIT', 'TOKENS/S', 'STAYS'], rows, [3, 4]),
    `${pace.tokens_per_second.toFixed(1)} tokens/s in all${first}`,
  ];
}

function staysFor({ pinned, expires_at, state, active_requests }: LiveState['models'][number], now: Date): string {
  if (pinned) return 'pinned';
  if (expires_at === null) return state === 'loaded' && !active_requests ? 'for ever' : '-';
  return timeLeft(Math.max(0, (Date.parse(expires_at) - now.getTime()) / 1_000));
}

function requestLines({ requests }: LiveState): string[] {
  if (requests.length === 0) return ['requests   none'];
  const rows = requests.map((one) => [
    one.request_id,
    one.key,
    one.provider === null || one.provider === 'local' ? one.model : `${one.provider}:${one.model}`,
    stageOf(one),
    `${(one.elapsed_ms / 1_000).toFixed(1)} s`,
    one.output_tokens === null ? '-' : `${one.output_tokens}`,
  ]);
  return ['', ...tableOf(['REQUEST', 'KEY', 'MODEL', 'WHERE', 'SINCE', 'TOKENS'], rows, [4, 5]), ''];
}

function stageOf({ status, stage, place, prompt_progress }: LiveState['requests'][number]): string {
  if (stage === 'queued') return place === null ? 'waits' : `waits, ${place}.`;
  if (stage === 'prompt') return `reads ${Math.floor((prompt_progress ?? 0) * 100)} %`;
  return stage ?? status;
}

function batchLines({ jobs }: LiveState): string[] {
  if (jobs === null) return ['batches    not known: the database does not answer'];
  if (jobs.pending + jobs.running === 0) return ['batches    none'];
  return [`batches    ${jobs.running} requests run, ${jobs.pending} wait`];
}

function providerLines({ providers }: LiveState): string[] {
  const others = providers.filter(({ id }) => id !== 'local');
  if (others.length === 0) return ['providers  this machine alone'];
  const words = others.map(({ id, enabled, status, error }) =>
    enabled ? `${id} ${status}${error === null ? '' : ` (${error})`}` : `${id} off`,
  );
  return [`providers  ${words.join(', ')}`];
}

function todayLines({ today }: LiveState): string[] {
  if (today === null) return ['today      not known: the database does not answer'];
  const budgets = today.budgets.map(
    ({ period, spent_usd, limit_usd }) => `${usd(spent_usd)} of ${usd(limit_usd)} a ${period}`,
  );
  const money = today.left === 0 ? '' : `, ${usd(today.cost_usd)} USD`;
  return [
    `today      ${today.here} answered here, ${today.left} sent elsewhere${money}${budgets.length === 0 ? '' : ` (${budgets.join(', ')})`}`,
  ];
}

/** One request, or a batch. */
export function requestStatusLines({
  request_id,
  status,
  created_at,
  completed_at,
  progress,
  partial_output,
}: RequestStatus): string[] {
  const left = progress?.left_seconds;
  return [
    `${request_id}  ${status}`,
    `  since ${created_at}${completed_at === undefined ? '' : `, until ${completed_at}`}`,
    ...(progress === undefined
      ? []
      : [
          `  ${progress.done} of ${progress.total} done, ${progress.failed} failed${left === null || left === undefined ? '' : `, ${timeLeft(left)} left`}`,
        ]),
    ...(partial_output === undefined ? [] : [`  so far: ${partial_output}`]),
  ];
}
