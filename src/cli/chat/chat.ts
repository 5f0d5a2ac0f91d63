export { type Answered, answer } from './answer.ts';
export {
  type ChatClient,
  type ChatWish,
  type CloudMark,
  chatPath,
  liveRequests,
  readPieces,
  toChatBody,
  type Waiting,
  waitingIn,
} from './chat-api.ts';
export { beginConversation, type ChatStart, wishOf } from './conversation.ts';
export { readFormat, readParameter } from './parameters.ts';
export { pressedKey } from './pressed-key.ts';
export { type Keyboard, openPrompt } from './prompt.ts';
export { fitLine, freshLine, type Screen, safeText } from './screen.ts';
export { completions, runSession } from './session.ts';
export { answerObject, rate, statsLines } from './stats.ts';
