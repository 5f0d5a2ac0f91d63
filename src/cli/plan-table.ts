import { mebibytes } from '../core/format-units.ts';
import type { SayCommand } from '../core/say-command.ts';
import { adviceWords } from './advice-words.ts';
import type { PlanAnswer } from './plan-answer.ts';

/** A plan for people; memory in MiB, right-aligned. Ends with a line break. */
export function planTable({ model, quantization, plan, shortage, budget }: PlanAnswer, sayCommand: SayCommand): string {
  const free = budget.available_bytes + budget.reclaimable_bytes;
  const lines = [
    `${model} (${quantization}) ${plan ? 'fits' : 'does not fit'}`,
    '',
    row('budget', budget.total_bytes, budget.source),
    row('free now', budget.available_bytes),
    ...(budget.reclaimable_bytes > 0 ? [row('held by idle models', budget.reclaimable_bytes)] : []),
  ];
  if (plan) {
    const bytes = plan.expected_bytes;
    const part = (label: string, value: number, remark = '') => (value === 0 ? [] : [row(label, value, remark)]);
    lines.push(
      '',
      ...part('weights, mapped', bytes.mapped_weights, 'pages that the kernel can drop'),
      ...part('weights', bytes.weights),
      ...part('weights, repacked', bytes.repacked_weights),
      ...part('key-value cache', bytes.kv_cache, plan.kv_cache_type),
      ...part('work space', bytes.compute, 'from the first long prompt on'),
      ...part('vocabulary', bytes.vocabulary),
      ...part('process', bytes.process),
      ...part('measured correction', bytes.correction),
      row('in all', bytes.total, `${mebibytes(free - bytes.total)} stay free`),
      '',
      `  context ${plan.context_length} tokens, ${plan.parallel} at the same time, batch ${plan.batch_size}`,
      `  ${plan.threads} ${plan.threads === 1 ? 'thread' : 'threads'}, ${plan.gpu_layers} layers on the GPU, file ${plan.mmap ? 'mapped' : 'read'}`,
      ...plan.notes.map((note) => `  note: ${adviceWords(note, sayCommand)}`),
    );
  }
  if (shortage) {
    lines.push('', row('needed', shortage.needed_bytes), row('missing', shortage.shortfall_bytes));
    if (shortage.nearest) {
      const { context_length, parallel, needed_bytes } = shortage.nearest;
      lines.push(row('would fit', needed_bytes, `context ${context_length}, ${parallel} at the same time`));
    }
  }
  return `${lines.join('\n')}\n`;
}

function row(label: string, bytes: number, remark = ''): string {
  return `  ${label.padEnd(20)} ${mebibytes(bytes).padStart(13)}  ${remark}`.trimEnd();
}
