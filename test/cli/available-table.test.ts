import { describe, expect, it } from 'vitest';
import { availableLines } from '../../src/cli/available-table.ts';
import type { AvailableView } from '../../src/cli/client.ts';
import { commandSayer } from '../../src/core/say-command.ts';

const model = (changes: Partial<AvailableView>): AvailableView => ({
  name: 'tiny',
  aliases: [],
  title: 'Tiny',
  kind: 'chat',
  machineGb: 4,
  contextTokens: 32_768,
  licence: 'mit',
  quantizations: [{ quantization: 'q4_k_m', sizeBytes: 491_400_032, onDisk: false }],
  advice: null,
  onDisk: false,
  ...changes,
});

describe('the table of what can be pulled', () => {
  it('has a heading for each size of machine, and marks what is on disk', () => {
    const quantizations = [
      { quantization: 'q8_0', sizeBytes: null, onDisk: true },
      { quantization: 'q4_k_m', sizeBytes: 2_497_280_256, onDisk: false },
    ];
    const lines = availableLines(
      [
        model({ advice: { message: 'Q4_0 is faster: hearth pull tiny:Q4_0' } }),
        model({ name: 'vectors', kind: 'embedding', contextTokens: 512, licence: 'apache-2.0' }),
        model({ name: 'large', machineGb: 32, quantizations, onDisk: true }),
      ],
      commandSayer('hearth'),
    );
    expect(lines).toEqual([
      'For machines with 4 GB of memory:',
      '  tiny     chat       32k tokens  q4_k_m (491 MB)        mit',
      '    Q4_0 is faster: "hearth pull tiny:Q4_0"',
      '  vectors  embedding  512 tokens  q4_k_m (491 MB)        apache-2.0',
      '',
      'For machines with 32 GB of memory:',
      '* large    chat       32k tokens  q8_0, q4_k_m (2.5 GB)  mit',
      '',
      '* is on disk. "hearth pull NAME" pulls the first quantization, NAME:QUANTIZATION another one.',
    ]);
  });
});
