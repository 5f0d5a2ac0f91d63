/** Texts around a model's reasoning. */
export interface ReasoningTags {
  open: string;
  close: string;
}

const thinkTags: ReasoningTags = { open: '<think>', close: '</think>' };

/** Other tags, each with a text of the template that tells them. */
const others: readonly { inTemplate: string; tags: ReasoningTags }[] = [
  { inTemplate: '<|channel>thought', tags: { open: '<|channel>thought\n', close: '<channel|>' } },
  { inTemplate: '[/THINK]', tags: { open: '[THINK]', close: '[/THINK]' } },
  { inTemplate: '<seed:think>', tags: { open: '<seed:think>', close: '</seed:think>' } },
];

/** The tags that a template writes around reasoning; `<think>` when it names none. */
export function reasoningTags(templateSource: string): ReasoningTags {
  return others.find(({ inTemplate }) => templateSource.includes(inTemplate))?.tags ?? thinkTags;
}
