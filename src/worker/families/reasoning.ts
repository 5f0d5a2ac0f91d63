/** Texts around a model's reasoning. */
export interface ReasoningTags {
  open: string;
  close: string;
  /** A model may think again after it spoke; left out: only at the start. */
  anywhere?: boolean;
  /** Texts of the frame of an answer, which are no part of it. */
  layout?: readonly string[];
  /** Those that open what the user is told; left out: everything is that is neither reasoning nor a call. */
  answers?: readonly string[];
  /** Opens what the user is told where no reasoning comes before it, and behind reasoning; left out: nothing does. */
  opensAnswer?: { alone: string; afterReasoning: string };
  /** Control tokens that these texts are made of, beside `open` and `close` themselves. */
  controls?: readonly string[];
}

const thinkTags: ReasoningTags = { open: '<think>', close: '</think>' };

/** Other tags, each with a text of the template that tells them. */
const others: readonly { inTemplate: string; tags: ReasoningTags }[] = [
  {
    inTemplate: '<|channel>thought',
    tags: { open: '<|channel>thought\n', close: '<channel|>', controls: ['<|channel>'] },
  },
  { inTemplate: '[/THINK]', tags: { open: '[THINK]', close: '[/THINK]' } },
  { inTemplate: '<seed:think>', tags: { open: '<seed:think>', close: '</seed:think>' } },
  { inTemplate: '<mm:think>', tags: { open: '<mm:think>', close: '</mm:think>' } },
  { inTemplate: '<|START_THINKING|>', tags: { open: '<|START_THINKING|>', close: '<|END_THINKING|>' } },
  { inTemplate: '<|inner_prefix|>', tags: { open: '<|inner_prefix|>', close: '<|inner_suffix|>' } },
  {
    inTemplate: 'Here are my reasoning steps:',
    tags: {
      open: 'Here are my reasoning steps:\n',
      close: '[BEGIN FINAL RESPONSE]',
      layout: ['[END FINAL RESPONSE]', '[BEGIN FINAL RESPONSE]'],
    },
  },
  // gpt-oss: messages on channels, one after the other.
  {
    inTemplate: '<|channel|>analysis<|message|>',
    tags: {
      open: '<|channel|>analysis<|message|>',
      close: '<|end|>',
      anywhere: true,
      layout: ['<|start|>assistant', '<|channel|>commentary<|message|>', '<|end|>', '<|return|>'],
      answers: ['<|channel|>final<|message|>', '<|channel|>final <|constrain|>json<|message|>'],
      opensAnswer: {
        alone: '<|channel|>final<|message|>',
        afterReasoning: '<|start|>assistant<|channel|>final<|message|>',
      },
      controls: ['<|start|>', '<|channel|>', '<|message|>', '<|constrain|>', '<|return|>'],
    },
  },
  // Muse Glimmer: messages to somebody.
  {
    inTemplate: 'to=self<|message|>',
    tags: {
      open: 'to=self<|message|>',
      close: '<|eom|>',
      anywhere: true,
      layout: ['<|start|>assistant', '<|eom|>', '<|message|>'],
      answers: ['to=user<|message|>'],
      opensAnswer: { alone: ' to=user<|message|>', afterReasoning: '<|start|>assistant to=user<|message|>' },
      controls: ['<|start|>', '<|message|>'],
    },
  },
  // Kimi K3: tags whose names stand between control tokens.
  {
    inTemplate: "open_tag('think'",
    tags: {
      open: '<|open|>think<|sep|>',
      close: '<|close|>think<|sep|>',
      layout: ['<|close|>response<|sep|>', '<|close|>message<|sep|>'],
      answers: ['<|open|>response<|sep|>'],
      opensAnswer: { alone: '', afterReasoning: '<|open|>response<|sep|>' },
      controls: ['<|open|>', '<|close|>', '<|sep|>'],
    },
  },
];

/** The tags that a template writes around reasoning; `<think>` when it names none. */
export function reasoningTags(templateSource: string): ReasoningTags {
  return others.find(({ inTemplate }) => templateSource.includes(inTemplate))?.tags ?? thinkTags;
}
