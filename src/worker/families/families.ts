/** What differs between model families. */
export { adaptations } from './adapt.ts';
export { detectForm } from './detect.ts';
export { turnEndTexts } from './ends.ts';
export { fallbackTemplate } from './fallback-templates.ts';
export type { CallReader, CallSink, GrammarDeps, Opening, ReadState, ToolCallForm } from './form.ts';
export { callsAsText, toolsAsText, withToolInstructions } from './generic.ts';
export { createGrammarParts, quoted } from './grammar-parts.ts';
export { hermesForm } from './hermes.ts';
export { withObjectSchema } from './object-schema.ts';
export { type ReasoningTags, reasoningTags } from './reasoning.ts';
