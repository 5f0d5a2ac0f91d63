import { Command } from 'commander';
import type { StreamEvent } from '../../src/core/events.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { type MappedDialect, mappedDialects } from './mapping-dialects.ts';
import { type AnswerKind, answerEvents, answerKinds } from './mapping-events.ts';
import { alternate } from './rounds.ts';
import { summarize } from './statistics.ts';

interface Flags {
  tokens: number;
  answers: number;
  rounds: number;
  out?: string;
}

/** What one stream of one dialect cost in one round. */
interface Measured {
  usPerToken: number;
  bytesPerToken: number;
}

interface Side {
  dialect: MappedDialect;
  kind: AnswerKind;
}

/** `mapping`: processor time of a token from its event to the bytes of a dialect's stream. */
export function mappingCommand(deps: BenchDeps): Command {
  return new Command('mapping')
    .description('processor time per token from event to bytes, for every dialect')
    .option('--tokens <number>', 'tokens of an answer', positiveInteger, 1_000)
    .option('--answers <number>', 'answers of a round, one after the other', positiveInteger, 20)
    .option('--rounds <number>', 'repetitions', positiveInteger, 7)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('mapping', flags.out);
      const sides = mappedDialects.flatMap((dialect) => dialect.kinds.map((kind): Side => ({ dialect, kind })));
      deps.progress('a round for the compiler');
      await alternate(sides, 1, (side) => measure(side, flags));
      const rounds = await alternate(sides, flags.rounds, (side, round) => {
        if (side === sides[0]) deps.progress(`round ${round + 1} of ${flags.rounds}`);
        return measure(side, flags);
      });
      const of = (dialect: MappedDialect, kind: AnswerKind) => {
        const side = sides.find((one) => one.dialect === dialect && one.kind === kind);
        return side === undefined ? null : summarize(rounds.get(side)!.map(({ usPerToken }) => usPerToken));
      };
      report.table(
        `Processor time per token in µs, ${flags.tokens} tokens an answer: median of the rounds (min-max)`,
        ['stream', ...answerKinds, 'bytes per token of text'],
        mappedDialects.map((dialect) => [
          dialect.name,
          ...answerKinds.map((kind) => of(dialect, kind)),
          rounds.get(sides.find((one) => one.dialect === dialect)!)![0]!.bytesPerToken,
        ]),
      );
      report.note(
        'reasoning: half of the tokens; log probabilities: five alternatives at each place; -: not in this dialect',
      );
      report.note('the socket, the gateway and the pause between records of /generate/stream are not part of it');
      report.keep(
        'rounds',
        sides.map((side) => ({ stream: side.dialect.name, kind: side.kind, rounds: rounds.get(side) })),
      );
      report.write();
    });
}

/** Of all threads of this process, so that the garbage of a token counts too. */
async function measure({ dialect, kind }: Side, { tokens, answers }: Flags): Promise<Measured> {
  const events = answerEvents(kind, tokens);
  let bytes = 0;
  const before = process.cpuUsage();
  for (let answer = 0; answer < answers; answer++) bytes += await dialect.send(inOrder(events));
  const { user, system } = process.cpuUsage(before);
  return { usPerToken: (user + system) / (answers * tokens), bytesPerToken: bytes / (answers * tokens) };
}

async function* inOrder(events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  for (const event of events) yield event;
}
