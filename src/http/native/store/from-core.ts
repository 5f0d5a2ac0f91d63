import type { WireError } from '../../../core/errors.ts';
import type { AvailableModel, PullInfo, StoredModel } from '../../../core/pull.ts';
import type { SseItem } from '../../answer/framing.ts';

/** A pull as the native dialect shows it. */
export function toNativePull(pull: PullInfo) {
  const leftBytes = pull.totalBytes - pull.receivedBytes;
  return {
    id: pull.id,
    name: pull.name,
    model: pull.model,
    repository: pull.repository,
    revision: pull.revision,
    quantization: pull.quantization,
    state: pull.state,
    files: pull.files.map(({ path, sizeBytes, receivedBytes }) => ({
      path,
      size_bytes: sizeBytes,
      received_bytes: receivedBytes,
    })),
    total_bytes: pull.totalBytes,
    received_bytes: pull.receivedBytes,
    // Rounded down: 100 means that everything is there.
    percent: pull.totalBytes === 0 ? 100 : Math.floor((pull.receivedBytes / pull.totalBytes) * 1000) / 10,
    bytes_per_second: pull.bytesPerSecond,
    eta_seconds:
      pull.bytesPerSecond === null || pull.bytesPerSecond === 0 ? null : Math.ceil(leftBytes / pull.bytesPerSecond),
    plan: pull.plan && {
      fits: pull.plan.fits,
      needed_bytes: pull.plan.neededBytes,
      available_bytes: pull.plan.availableBytes,
      message: pull.plan.message,
    },
    notes: pull.notes,
    error: pull.error && toNativeFailure(pull.error),
    started_at: pull.startedAt.toISOString(),
    finished_at: pull.finishedAt?.toISOString() ?? null,
  };
}

/** A model of the catalogue. */
export function toNativeAvailable(model: AvailableModel) {
  return {
    name: model.name,
    aliases: model.aliases,
    title: model.title,
    kind: model.kind,
    machine_gb: model.machineGb,
    parameters: model.parameters,
    context_length: model.contextTokens,
    licence: model.licence,
    repository: model.repository,
    note: model.note,
    quantizations: model.quantizations.map(({ quantization, sizeBytes, onDisk }) => ({
      quantization,
      size_bytes: sizeBytes,
      on_disk: onDisk,
    })),
    on_disk: model.onDisk,
  };
}

/** Files that came or went. */
export function toNativeStored({ model, files, sizeBytes }: StoredModel) {
  return { model, files, size_bytes: sizeBytes };
}

/** A pull as records of an event stream: one named `progress` for every change, the last one named like the end. */
export async function* toPullRecords(
  changes: AsyncIterable<PullInfo>,
  options: { endsWithDone: boolean },
): AsyncGenerator<SseItem> {
  for await (const pull of changes) yield { event: eventOf(pull), data: toNativePull(pull) };
  if (options.endsWithDone) yield { data: '[DONE]' };
}

/** The name of a change of a pull: `progress`, or its end. */
export function eventOf({ state }: PullInfo): 'progress' | 'done' | 'failed' | 'cancelled' | 'resumable' {
  return state === 'done' || state === 'failed' || state === 'cancelled' || state === 'resumable' ? state : 'progress';
}

/** The failure of a pull is part of its record, so it has one form on both mounts. */
function toNativeFailure({ code, message, fix, details }: WireError) {
  return { code, message, fix, details: details ?? {} };
}
