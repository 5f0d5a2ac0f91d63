import { history } from '../../api/history.ts';
import { part } from '../../api/live.ts';
import { Chart } from '../../parts/chart.tsx';
import { Stat } from '../../parts/stat.tsx';
import { duration, rate, split, whole } from '../../text/format.ts';

const pace = part('pace');

/** How fast answers come, and who waits. */
export function PaceCard() {
  const now = pace.value;
  if (now === null) return null;
  const [first, unit] = split(duration(now.first_token_ms));
  return (
    <section class="card pace-card" aria-labelledby="memory-pace">
      <header>
        <h2 id="memory-pace">Now</h2>
        {now.prompt_tokens_per_second > 0 && (
          <span class="soft small end">reading prompts, {rate(now.prompt_tokens_per_second)} tokens/s</span>
        )}
      </header>
      <dl class="stats">
        <Stat name="Answers" value={rate(now.tokens_per_second)} unit="tokens/s" />
        <Stat name="Latest first token" value={first} unit={unit} />
        <Stat name="Running" value={whole(now.running)} />
        <Stat name="Waiting" value={whole(now.queued)} />
      </dl>
      <Chart atSeconds={history.value.atSeconds} values={history.value.tokensPerSecond} unit="tokens/s" />
    </section>
  );
}
