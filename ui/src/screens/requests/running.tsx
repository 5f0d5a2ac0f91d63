import { useSignal } from '@preact/signals';
import { ask } from '../../api/api.ts';
import { type Failure, failureOf } from '../../api/failure.ts';
import type { LiveRequest } from '../../api/types.ts';
import { Button } from '../../parts/button.tsx';
import { FailureNotice } from '../../parts/notice.tsx';
import { Progress } from '../../parts/stat.tsx';
import { nowMs } from '../../text/clock.ts';
import { counted, duration, percent, timeLeft } from '../../text/format.ts';

/** The requests that run or wait, oldest first. */
export function Running({ requests }: { requests: readonly LiveRequest[] }) {
  const failure = useSignal<Failure | null>(null);
  const cancel = async (id: string) => {
    failure.value = null;
    try {
      await ask(`api/v1/status/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
    } catch (thrown) {
      failure.value = failureOf(thrown);
    }
  };
  return (
    <section class="card" aria-labelledby="requests-now">
      <header>
        <h2 id="requests-now">Now</h2>
      </header>
      {failure.value && <FailureNotice title="It was not ended" failure={failure.value} />}
      {requests.length === 0 ? (
        <p class="soft small">Nobody asks for anything.</p>
      ) : (
        <table class="table folds">
          <thead>
            <tr>
              <th>Key</th>
              <th>Model</th>
              <th>Stage</th>
              <th class="right">Tokens</th>
              <th class="right">For</th>
              <th>
                <span class="hidden-but-read">End it</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {requests.map((request) => (
              <tr key={request.request_id} data-request={request.request_id}>
                <td data-name="Key">{request.key}</td>
                <td data-name="Model">
                  <Answerer request={request} />
                </td>
                <td data-name="Stage">
                  <Stage request={request} />
                </td>
                <td data-name="Tokens" class="right">
                  {request.output_tokens ?? 0}
                </td>
                <td data-name="For" class="right">
                  {duration(Math.max(request.elapsed_ms, nowMs.value - Date.parse(request.created_at)))}
                </td>
                <td class="right">
                  <Button
                    icon="stop"
                    label={`End the request of ${request.key} to ${request.model}`}
                    onPress={() => cancel(request.request_id)}
                  >
                    End
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Answerer({ request: { model, provider } }: { request: LiveRequest }) {
  return (
    <span class="row">
      {model}
      {provider !== null && provider !== 'local' && <span class="chip away">at {provider}</span>}
    </span>
  );
}

/** Where it stands: its place, how much of the prompt is read, or that it answers. */
function Stage({ request }: { request: LiveRequest }) {
  const { stage, place, estimate_ms: estimateMs, prompt_progress: read, prompt_tokens: promptTokens } = request;
  if (stage === 'queued') {
    const left = estimateMs === null ? '' : `, about ${timeLeft(estimateMs / 1_000)}`;
    return <>{place === null ? 'waits' : `waits as number ${place}${left}`}</>;
  }
  if (stage === 'loading') return <>waits for the model to load</>;
  if (stage === 'retrying') return <>is asked once more</>;
  if (stage === 'prompt' && read !== null) {
    return (
      <div class="stack tight requests-prompt">
        <span>
          prompt read {percent(read)}
          {promptTokens !== null && ` of ${counted(promptTokens, 'token')}`}
        </span>
        <Progress share={read} label={`Prompt of ${request.key} read`} />
      </div>
    );
  }
  return <>{stage === 'prompt' ? 'reads the prompt' : 'answers'}</>;
}
