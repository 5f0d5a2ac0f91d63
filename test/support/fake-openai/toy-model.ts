// biome-ignore lint/suspicious/noExplicitAny: bodies of requests, read by hand
export type Body = any;

/** What one choice of the toy says: words are its tokens. */
export interface Said {
  words: string[];
  thoughts: string[];
  calls: { id: string; name: string; arguments: string }[];
  finish: 'stop' | 'length' | 'tool_calls';
  /** The stop string that ended it. */
  stop: string | null;
}

export interface ToyAnswer {
  choices: Said[];
  promptTokens: number;
  /** Of all choices, thoughts included. */
  outputTokens: number;
  reasoningTokens: number;
}

const sentence = 'The sea is wide and blue, and nobody has ever seen where it ends.'.split(' ');

/** A model that says the same to every prompt: the same sentence, each choice from another word on. */
export function toyAnswer(body: Body): ToyAnswer {
  const choices = Array.from({ length: body.n ?? 1 }, (_, index) => say(body, index));
  const reasoningTokens = choices.reduce((sum, { thoughts }) => sum + thoughts.length, 0);
  const words = choices.reduce((sum, { words: said, calls }) => sum + said.length + calls.length * 5, 0);
  return { choices, promptTokens: countPrompt(body), outputTokens: words + reasoningTokens, reasoningTokens };
}

/** Words of everything that is sent for the prompt, and one for each message. */
export function countPrompt(body: Body): number {
  const texts: string[] = (body.messages ?? [{ content: body.prompt ?? body.content ?? '' }]).map((message: Body) =>
    typeof message.content === 'string' ? message.content : JSON.stringify(message.content ?? ''),
  );
  return (
    texts.reduce((sum, text) => sum + 1 + text.split(/\s+/).filter(Boolean).length, 0) + (body.tools?.length ?? 0) * 10
  );
}

function say(body: Body, index: number): Said {
  const called = calledTool(body);
  if (called) {
    const call = { id: `call_${index}_${called.name}`, name: called.name, arguments: argumentsFor(called.parameters) };
    return { words: [], thoughts: [], calls: [call], finish: 'tool_calls', stop: null };
  }
  const most = body.max_completion_tokens ?? body.max_tokens ?? (body.ignore_eos ? 200 : sentence.length);
  const length = body.ignore_eos ? most : Math.min(most, sentence.length);
  const all = Array.from({ length }, (_, at) => sentence[(at + index) % sentence.length]!);
  const text = all.join(' ');
  const stops: string[] = body.stop === undefined ? [] : [body.stop].flat();
  const found = stops.map((stop) => ({ stop, at: text.indexOf(stop) })).filter(({ at }) => at !== -1);
  const first = found.sort((a, b) => a.at - b.at)[0] ?? null;
  const words = first === null ? all : pieces(text.slice(0, first.at));
  const isCut = first === null && length < sentence.length;
  return {
    words,
    thoughts: [],
    calls: [],
    finish: isCut || (first === null && body.ignore_eos) ? 'length' : 'stop',
    stop: first?.stop ?? null,
  };
}

/** A text in words, blanks kept where they are. */
function pieces(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\S)(?=\s)/).map((piece, index) => (index === 0 ? piece : piece.slice(1)));
}

/** The tool that the body makes it call; null: it may do without. */
function calledTool(body: Body): { name: string; parameters: Body } | null {
  const choice = body.tool_choice;
  const all: Body[] = (body.tools ?? []).map((tool: Body) => tool.function);
  if (choice === 'required') return all[0];
  if (choice?.type === 'function') return all.find(({ name }) => name === choice.function.name);
  if (choice?.type === 'allowed_tools' && choice.allowed_tools.mode === 'required') {
    return all.find(({ name }) => name === choice.allowed_tools.tools[0].function.name);
  }
  return null;
}

function argumentsFor(parameters: Body): string {
  const required: string[] = parameters?.required ?? [];
  return JSON.stringify(Object.fromEntries(required.map((name) => [name, 'Oslo'])));
}
