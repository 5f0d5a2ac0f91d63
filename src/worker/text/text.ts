/** Tokens as text: exact bytes, whole characters, stop strings. */
export { createStopMatcher, longestPartialMatch, type StopMatcher } from './stop-matcher.ts';
export { createTextStream, type TextStream } from './text-stream.ts';
export { createVocabulary, showControls, type Vocabulary } from './vocabulary.ts';
