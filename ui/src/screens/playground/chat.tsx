import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Button } from '../../parts/button.tsx';
import { AnswerTurn } from './answer-turn.tsx';
import { askAnswer, stopAnswer } from './ask-chat.ts';
import { type Answer, draft, turns } from './chat-state.ts';
import { SamplingPanel } from './sampling-panel.tsx';

const firstWords = ['What can you do?', 'Explain what a NAS is in two sentences.', 'Write a haiku about rain.'];

/** The conversation, and the line in which it goes on. */
export function Chat() {
  const last = turns.value.at(-1);
  const isWriting = last?.role === 'assistant' && last.state !== null;
  const end = useRef<HTMLDivElement>(null);
  const follows = useSignal(true);
  useEffect(() => {
    const look = () => {
      follows.value = innerHeight + scrollY >= document.documentElement.scrollHeight - 120;
    };
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  useEffect(() => {
    // Whoever has scrolled up to read is left there.
    if (follows.peek()) end.current?.scrollIntoView({ block: 'end' });
  }, [turns.value]);
  const say = (text: string) => {
    if (text.trim() === '' || isWriting) return;
    turns.value = [...turns.value, { role: 'user', text: text.trim() }];
    draft.value = '';
    follows.value = true;
    void askAnswer();
  };
  return (
    <div class="chat">
      <div class="chat-turns" role="log" aria-label="Conversation">
        {turns.value.length === 0 && (
          <div class="empty">
            <h2>Say something</h2>
            <p>The first answer takes longer where the model has to be loaded.</p>
            <div class="row">
              {firstWords.map((text) => (
                <Button key={text} onPress={() => say(text)}>
                  {text}
                </Button>
              ))}
            </div>
          </div>
        )}
        {turns.value.map((turn, index) =>
          turn.role === 'assistant' ? (
            <AnswerTurn
              key={turn.requestId}
              answer={turn}
              isLast={index === turns.value.length - 1}
              onAgain={() => again(turn)}
              onResult={answerCalls}
            />
          ) : (
            <article key={index} class={`turn ${turn.role}`}>
              <h2>{turn.role === 'user' ? 'You' : `Result of ${turn.name}`}</h2>
              <p class="said">{turn.text}</p>
            </article>
          ),
        )}
        <div ref={end} />
      </div>
      <SamplingPanel />
      <form
        class="chat-line"
        onSubmit={(event) => {
          event.preventDefault();
          say(draft.value);
        }}
      >
        <textarea
          class="input"
          rows={Math.min(8, Math.max(2, draft.value.split('\n').length))}
          aria-label="Your message"
          placeholder="Your message; Shift and Enter begin a new line"
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            say(draft.value);
          }}
        />
        {isWriting ? (
          <Button icon="stop" onPress={stopAnswer}>
            Stop
          </Button>
        ) : (
          <Button kind="primary" icon="send" submits off={draft.value.trim() === ''}>
            Send
          </Button>
        )}
      </form>
    </div>
  );
}

/** Asks for an answer anew, in place of the one that was given. */
function again(answer: Answer): void {
  turns.value = turns.value.slice(0, turns.value.indexOf(answer));
  void askAnswer();
}

/** Goes on once every call has its result. */
function answerCalls(answer: Answer, results: readonly string[]): void {
  turns.value = [
    ...turns.value,
    ...answer.calls.map(({ id, name }, index) => ({
      role: 'tool' as const,
      callId: id,
      name,
      text: results[index] ?? '',
    })),
  ];
  void askAnswer();
}
