import type { ChatRequest } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toSampling, toStop } from '../../fields/sampling.ts';
import { type Conversation, toConversation } from '../objects/conversation.ts';
import { refuseUnkept } from '../objects/refused-fields.ts';
import type { ApiVersion } from '../objects/version.ts';
import type { MessagesBody } from './schema.ts';

/**
 * A body in the words of the core, before its context is edited. Throws `invalid_request` for what the schema cannot see
 * or we do not have.
 */
export function messagesToCore(
  body: MessagesBody,
  how: { version: ApiVersion; leavesOut: boolean },
): Omit<Conversation, 'chat'> & { chat: ChatRequest } {
  refuseUnkept(body);
  if (how.version !== '2023-06-01') refuseSampling(body);
  const { chat, ...told } = toConversation(body, how);
  const { thinking, max_tokens: maxTokens } = body;
  if (thinking?.type === 'enabled' && thinking.budget_tokens >= maxTokens) {
    throw new AppError('invalid_request', '"thinking.budget_tokens" must be less than "max_tokens".', {
      field: 'thinking.budget_tokens',
    });
  }
  const endUserId = body.metadata?.user_id ?? null;
  return {
    ...told,
    chat: {
      ...(maxTokens === 0 ? withoutCall(chat) : chat),
      sampling: toSampling({ temperature: body.temperature, top_p: body.top_p, top_k: body.top_k }),
      stop: toStop(body.stop_sequences),
      maxTokens,
      // Nothing but the prompt is wanted, so it is wanted for later.
      ...(maxTokens === 0 && { promptCache: 'pin' as const }),
      ...(endUserId !== null && { endUserId }),
    },
  };
}

/** A forced call begins with words in the prompt; an answer of no tokens has no place for them. */
function withoutCall(chat: Conversation['chat']): Conversation['chat'] {
  const { toolChoice } = chat.input;
  return toolChoice.type === 'none' ? chat : { ...chat, input: { ...chat.input, toolChoice: { type: 'auto' } } };
}

/** At newer versions models choose for themselves; a value that is their own is refused all the same. */
function refuseSampling(body: MessagesBody): void {
  for (const field of ['temperature', 'top_p', 'top_k'] as const) {
    if ((body[field] ?? null) === null) continue;
    throw new AppError('invalid_request', `"${field}" is not part of this version of the API.`, {
      field,
      fix: 'Leave it out, or send "anthropic-version: 2023-06-01".',
    });
  }
}
