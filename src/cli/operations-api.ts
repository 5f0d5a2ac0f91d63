import { z } from 'zod';
import type { BenchModel, TimedAnswer, TimedWish } from './bench-api.ts';
import type { LiveState, RequestStatus } from './status-api.ts';

/** What commands for the operation of a server read of the native API. Unknown fields are left alone: it may be a newer one. */

export const healthRecord = z.looseObject({
  status: z.string(),
  version: z.string(),
  components: z.record(z.string(), z.string()).default({}),
});
export type HealthRecord = z.output<typeof healthRecord>;

export const configStatus = z.looseObject({ error: z.string().nullable() });
export type ConfigStatus = z.output<typeof configStatus>;

/** A line of the log; secrets are left out of it by the server. */
export const logRecord = z.object({
  sequence: z.number(),
  time: z.string(),
  level: z.string(),
  message: z.string(),
  request_id: z.string().nullable(),
  fields: z.record(z.string(), z.unknown()),
});
export type LogRecord = z.output<typeof logRecord>;
export const logRecords = z.object({ lines: z.array(logRecord) }).transform(({ lines }) => lines);

/** Which lines of the log are wanted. */
export interface LogWish {
  level?: string | undefined;
  requestId?: string | undefined;
  /** The newest so many; left out: as many as the server gives. */
  limit?: number | undefined;
}

const counts = { requests: z.number(), input_tokens: z.number(), output_tokens: z.number() };

/** A day: what was answered here and what was sent elsewhere. */
export const privacyDay = z.looseObject({
  date: z.string(),
  here: z.object(counts),
  left: z.object(counts),
  by_key: z.array(
    z.looseObject({
      key: z.string(),
      key_name: z.string().nullable(),
      provider: z.string(),
      model: z.string(),
      left_house: z.boolean(),
      ...counts,
      cost: z.number().default(0),
      unknown_cost_count: z.number().default(0),
    }),
  ),
});
export type PrivacyDay = z.output<typeof privacyDay>;
export const privacyDays = z.object({ days: z.array(privacyDay) }).transform(({ days }) => days);

/** A budget that is nearly spent, or wholly. */
export const costAlert = z.looseObject({ message: z.string() });
export type CostAlert = z.output<typeof costAlert>;
export const costAlerts = z.object({ alerts: z.array(costAlert) }).transform(({ alerts }) => alerts);

export const healthPath = '/health';
export const configStatusPath = '/api/v1/config/status';
export const privacyPath = (days: number) => `/api/v1/privacy/daily?days=${days}`;
export const alertsPath = '/api/v1/costs/alerts';

/** `isFollowed`: as an event stream, whose records are such lines. */
export function logsPath({ level, requestId, limit }: LogWish, isFollowed: boolean): string {
  const query = new URLSearchParams({
    ...(level !== undefined && { level }),
    ...(requestId !== undefined && { request_id: requestId }),
    ...(limit !== undefined && !isFollowed && { limit: String(limit) }),
  });
  return `/api/v1/logs${isFollowed ? '/events' : ''}?${query}`;
}

/** What commands ask of a server about itself. Failures are `AppError`s; without a server most are `not_supported`. */
export interface OperationsClient {
  /** Where the server is; null: this process does the work. */
  address: string | null;
  health(): Promise<HealthRecord>;
  configStatus(): Promise<ConfigStatus>;
  logs(wish: LogWish): Promise<LogRecord[]>;
  /** Those that are there, then each as it comes, until the server ends or `close`. */
  followLogs(wish: LogWish): AsyncIterable<LogRecord>;
  /** How the server is, and again whenever that changes, until it ends or `close`. */
  liveStates(): AsyncIterable<LiveState>;
  /** A request of late, or a batch, by its id. */
  requestStatus(id: string): Promise<RequestStatus>;
  /** How many requests run or wait. */
  runningRequests(): Promise<number>;
  /** A model, loaded. */
  readyModel(name: string): Promise<BenchModel>;
  /** Has an answer made, and tells when its tokens came. */
  timeAnswer(wish: TimedWish): Promise<TimedAnswer>;
  /** All metrics, in the text format of Prometheus. */
  metricsText(): Promise<string>;
  /** Of as many days until today, in UTC; the latest first. */
  privacy(days: number): Promise<PrivacyDay[]>;
  costAlerts(): Promise<CostAlert[]>;
}
