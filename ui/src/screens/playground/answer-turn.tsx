import { useSignal } from '@preact/signals';
import { live } from '../../api/live.ts';
import { Button } from '../../parts/button.tsx';
import { Code, CopyButton } from '../../parts/code.tsx';
import { TextField } from '../../parts/field.tsx';
import { FailureNotice, Notice } from '../../parts/notice.tsx';
import { Progress } from '../../parts/stat.tsx';
import { to } from '../../shell/route.ts';
import { duration, percent, rate, whole } from '../../text/format.ts';
import { Markdown } from '../../text/markdown.tsx';
import type { Answer } from './chat-state.ts';

/** An answer, as far as it is there. */
export function AnswerTurn({
  answer,
  isLast,
  onAgain,
  onResult,
}: {
  answer: Answer;
  isLast: boolean;
  onAgain: () => void;
  onResult: (answer: Answer, results: readonly string[]) => void;
}) {
  const { text, thinking, state, failure, calls } = answer;
  return (
    <article class="turn assistant" aria-busy={state !== null}>
      <h2>{answer.model}</h2>
      {thinking !== '' && (
        <details class="fold thinking" open={state === 'thinking'}>
          <summary>{state === 'thinking' ? 'Thinking' : 'What it thought'}</summary>
          <p class="said small soft">{thinking}</p>
        </details>
      )}
      {text !== '' && <Markdown text={text} />}
      {calls.map((call) => (
        <div key={call.id} class="call">
          <p class="small">
            wants <strong class="mono">{call.name}</strong> called with
          </p>
          <Code text={pretty(call.arguments)} label={`Arguments of ${call.name}`} wraps />
        </div>
      ))}
      {state === 'waiting' && <Waits requestId={answer.requestId} />}
      {failure && (
        <FailureNotice title={text === '' ? 'There is no answer' : 'The answer broke off'} failure={failure}>
          <Button icon="reload" onPress={onAgain}>
            Ask again
          </Button>
          {['insufficient_memory', 'memory_pressure', 'model_load_failed', 'model_not_found'].includes(
            failure.code,
          ) && (
            <a class="button" href={to('models')}>
              Choose another model
            </a>
          )}
        </FailureNotice>
      )}
      {answer.finishReason === 'length' && (
        <Notice kind="warn">It ends here because it may not be longer: the limit of tokens, or the context.</Notice>
      )}
      {state === null && isLast && answer.finishReason === 'tool_calls' && calls.length > 0 && (
        <CallResults answer={answer} onResult={onResult} />
      )}
      {state === null && failure === null && (
        <footer class="row small soft">
          <span>{factsOf(answer)}</span>
          <span class="end row">
            {text !== '' && <CopyButton text={text} label="Copy the answer" />}
            {isLast && (
              <Button kind="quiet" icon="reload" label="Ask again" onPress={onAgain}>
                Again
              </Button>
            )}
          </span>
        </footer>
      )}
    </article>
  );
}

/** What it waits for, as far as the server tells. */
function Waits({ requestId }: { requestId: string }) {
  const request = live.value?.requests.find(({ request_id }) => request_id === requestId);
  const words = {
    queued: `waits for its turn${request?.place ? `, place ${request.place}` : ''}`,
    loading: 'the model is being loaded',
    prompt: 'the prompt is read',
    retrying: 'the provider is asked again',
  };
  const share = request?.prompt_progress ?? null;
  return (
    <div class="stack tight waits" role="status">
      <p class="row small soft">
        <span class="spin" /> {request?.stage ? words[request.stage] : 'asked'}
        {share !== null && `, ${percent(share)}`}
        {request && request.elapsed_ms > 3_000 && ` · ${duration(request.elapsed_ms)}`}
      </p>
      {share !== null && <Progress share={share} label="Prompt" />}
    </div>
  );
}

/** What the tools say, to be given by whoever plays them. */
function CallResults({
  answer,
  onResult,
}: {
  answer: Answer;
  onResult: (answer: Answer, results: readonly string[]) => void;
}) {
  const results = useSignal(answer.calls.map(() => ''));
  return (
    <form
      class="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        onResult(answer, results.value);
      }}
    >
      {answer.calls.map((call, index) => (
        <TextField
          key={call.id}
          label={`Result of ${call.name}`}
          rows={2}
          isMono
          value={results.value[index] ?? ''}
          onChange={(value) => {
            results.value = results.value.map((before, place) => (place === index ? value : before));
          }}
        />
      ))}
      <div class="row">
        <Button kind="primary" submits>
          Give it to the model
        </Button>
      </div>
    </form>
  );
}

function factsOf(answer: Answer): string {
  const { outputTokens, promptTokens, tokensPerSecond, firstTokenMs, wasStopped, provider } = answer;
  const facts = [
    wasStopped && 'stopped',
    outputTokens !== null && `${whole(outputTokens)} tokens`,
    tokensPerSecond !== null && `${rate(tokensPerSecond)} tokens/s`,
    firstTokenMs !== null && `first after ${duration(firstTokenMs)}`,
    promptTokens !== null && `prompt of ${whole(promptTokens)}`,
    provider !== null && provider !== 'local' && `answered by ${provider}`,
  ];
  return facts.filter(Boolean).join(' · ');
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
