/** What differs between model families. */
export { adaptations, singleCalls } from './adapt.ts';
export { detectForm } from './detect.ts';
export { turnEndTexts } from './ends.ts';
export { fallbackTemplate } from './fallback-templates.ts';
export type { CallReader, CallSink, GrammarDeps, Opening, ReadState, ToolCallForm } from './form.ts';
export { callsAsText, toolsAsText, withToolInstructions } from './generic.ts';
export { genericForm } from './generic-form.ts';
export { createGrammarParts, quoted } from './grammar-parts.ts';
export { withObjectSchema } from './object-schema.ts';
export { type ReasoningTags, reasoningTags } from './reasoning.ts';
